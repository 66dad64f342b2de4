"""The server's side of one exchange of authentication: its interface, its view of the connection, and its outcomes.

All mechanisms and framings (SASL, RPC, HTTP) use these types; protocols translate them into their own replies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from postern.model.security import NO_CHANNEL, Channel, Identity, Mechanism, Peer, PrincipalKind, Seal
from postern.paths.guard import Reason, Refusal
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, count

ANYBODY = frozenset({PrincipalKind.USER, PrincipalKind.SERVER})
SERVERS = frozenset({PrincipalKind.SERVER})
MAIL_SERVICES = frozenset({"host", "smtp", "smtpsvc", "imap", "imap4", "pop", "pop3"})
"""Service classes that mean this host or its mail, as clients spell them (Windows: SMTPSVC, IMAP, POP)."""
FAILED_TEXT = "Authentication failed"
"""The text of every refusal that depends on name or password. There is one, so that it does not tell which of them was wrong."""


@dataclass(frozen=True, slots=True)
class Asking:
    """The connection on which a caller begins to prove itself.

    `certified` is the identity that its certificate proved already, in the TLS handshake. `callers` are the kinds of accounts
    that may prove themselves here. Secrets of other kinds are not judged at all, so that nobody can guess a user's password
    where only servers call. The guard decides afterwards which row the identity is on. `services` are the service classes that
    a client may name here. `negotiable` are the mechanisms that Negotiate may choose. With `seals` the keys of the exchange
    protect what follows it, and must be strong enough for that.
    """

    peer: Peer
    seal: Seal | None = None
    channel: Channel = NO_CHANNEL
    certified: Identity | None = None
    callers: frozenset[PrincipalKind] = ANYBODY
    services: frozenset[str] = MAIL_SERVICES
    negotiable: frozenset[Mechanism] = frozenset({Mechanism.KERBEROS, Mechanism.NTLM})
    seals: bool = False


@dataclass(frozen=True, slots=True)
class Challenge:
    """The server's next challenge (RFC 4422 section 3), as raw octets: the protocol adds its own base64."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Granted:
    """The caller proved to be `identity`. `data` is additional data with success (RFC 4422 section 3.6): a protocol
    that cannot carry it with its success reply sends it as one more challenge. The client answers that with an empty
    response, and is then told of its success."""

    identity: Identity
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Denied:
    """The caller proved nothing. With `temporary` nothing was decided: the directory did not answer, or we are too busy.

    `text` may be sent to the peer as it stands. `account` and `reason` are for the log, and never for the peer. `account` is the
    account that was tried, "" if there is none of that name: people type passwords where names belong, so the name that was
    typed is not kept."""

    temporary: bool = False
    text: str = FAILED_TEXT
    account: str = field(default="", compare=False)
    reason: str = field(default="", compare=False)


FAILED = Denied()
FOR_ANOTHER = "it asks to act for another account"
"""The reason of a refusal to somebody who proved one account and names another."""
MALFORMED = Denied(False, "Malformed authentication response", reason="a malformed response")
UNAVAILABLE = Denied(True, "Temporary authentication failure", reason="the directory does not answer")
TOO_MANY = Denied(True, "Too many failed attempts, try again later", reason="too many attempts")

Outcome = Challenge | Granted | Denied


class Acceptor(Protocol):
    async def step(self, token: bytes | None) -> Outcome:
        """Takes the client's next token. The first is None if the client sent no initial response. An initial response of no
        octets (`=` in RFC 4954 section 4, RFC 4959 section 3 and RFC 5034 section 4) is b"", a token like any other.
        After Granted or Denied the exchange is over."""
        ...


class Cause(Enum):
    """The cause of a failed log-in, as RFC 4954, RFC 5530 and RFC 3206 divide them."""

    FAILED = "authentication failed"
    UNSUPPORTED = "mechanism not supported"
    PRIVACY = "encryption required"
    UNAVAILABLE = "try again later"
    CONTACT = "ask the administrator"
    CANCELLED = "cancelled by the client"
    """No verdict was reached, so it does not count as a failed log-in."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A log-in without success. `text` may be sent to the peer; `reason` is set where the guard refused."""

    cause: Cause
    text: str = FAILED_TEXT
    reason: Reason | None = None


def refused(path: str, refusal: Refusal) -> Failure:
    """Counts a refusal of the guard on a path. Returns the failure of a log-in that it means."""
    count(Metric.REFUSALS, path, refusal.reason)
    if refusal.reason is Reason.ENCRYPTION_REQUIRED:
        return Failure(Cause.PRIVACY, refusal.text, refusal.reason)
    if refusal.reason is Reason.MECHANISM_NOT_LISTED:
        return Failure(Cause.UNSUPPORTED, refusal.text, refusal.reason)
    return Failure(Cause.FAILED, reason=refusal.reason)


def failed(path: str, peer: Peer, mechanism: Mechanism, denied: Denied) -> Failure:
    """Logs and counts that a caller proved nothing by this mechanism. `path` is "" where no path is known. Returns the failure to
    report to the caller."""
    count(Metric.REFUSALS, path, "unavailable" if denied.temporary else "authentication-failed")
    log(
        Event.AUTHENTICATION_FAILED,
        path=path,
        peer=str(peer),
        mechanism=mechanism,
        account=denied.account,
        temporary=denied.temporary,
        reason=denied.reason,
    )
    return Failure(Cause.UNAVAILABLE if denied.temporary else Cause.FAILED, denied.text)
