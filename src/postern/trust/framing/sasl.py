"""SASL (RFC 4422) as SMTP, IMAP and POP3 carry it: names of mechanisms, base64, cancelling, and one AUTH exchange for all three.

No protocol can carry data with its success reply here, so data that comes with success is one more challenge (section 3.6), which
the client answers before it is told. Sans-I/O: a protocol's `Lines` write what the client reads.
"""

from __future__ import annotations

import binascii
from collections.abc import Awaitable, Iterable
from typing import Protocol

from postern.model.security import Identity, Mechanism, Seal
from postern.paths.guard import Guard, Reason, Refusal, is_tls
from postern.telemetry.log import Event, log
from postern.trust.acceptor import Acceptor, Asking, Cause, Challenge, Denied, Failure, Granted, refused
from postern.trust.authenticator import Authenticator
from postern.trust.exchanges import ContextExchange
from postern.trust.sasl.gssapi import Gssapi
from postern.trust.sasl.mechanisms import External, Login, Plain
from postern.trust.sasl.scram import ScramServer

NAMES: dict[Mechanism, tuple[str, ...]] = {
    Mechanism.KERBEROS: ("GSSAPI",),
    Mechanism.SCRAM: ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"),
    Mechanism.NTLM: ("NTLM",),
    Mechanism.BASIC: ("PLAIN", "LOGIN"),
    Mechanism.CERTIFICATE: ("EXTERNAL",),
    Mechanism.DIRECT_TRUST: ("EXTERNAL",),
}
"""Names of IANA's registry, each mechanism's best one first. Negotiate is HTTP's and RPC's only."""
BINDING = frozenset({"SCRAM-SHA-256-PLUS"})
"""Names of those that bind the proof to the TLS channel (RFC 5802 section 6): nothing without one."""
_UNSUPPORTED = "Authentication mechanism is not supported here"


def names(mechanisms: Iterable[Mechanism], binds: bool = False) -> tuple[str, ...]:
    """The names to show for `mechanisms`, in their order. `binds`: the connection's TLS gives a channel binding."""
    named = (name for mechanism in mechanisms for name in NAMES.get(mechanism, ()))
    return tuple(dict.fromkeys(name for name in named if binds or name not in BINDING))


def allowed(guard: Guard, name: str, seal: Seal | None) -> Mechanism | Refusal:
    """The mechanism with this SASL name (any case) that the guard allows on a connection sealed by `seal`, or why none."""
    best = Refusal(Reason.MECHANISM_NOT_LISTED, _UNSUPPORTED)
    for mechanism, named in NAMES.items():
        if name.upper() not in named:
            continue
        refusal = guard.check_mechanism(mechanism, seal)
        if refusal is None and name.upper() in BINDING and not is_tls(seal):
            refusal = Refusal(Reason.ENCRYPTION_REQUIRED, "Encryption is required before authentication")
        if refusal is None:
            return mechanism
        if refusal.reason is Reason.ENCRYPTION_REQUIRED:
            best = refusal
    return best


def begin(authenticator: Authenticator, name: str, asking: Asking) -> Acceptor | None:
    """A new exchange by the mechanism with this SASL name (any case); None if it cannot be done here and now. A password in
    the clear is refused here too, whatever the guard said."""
    available = authenticator.available
    match name.upper():
        case "PLAIN" if asking.seal is not None:
            return Plain(authenticator, asking.peer)
        case "LOGIN" if asking.seal is not None:
            return Login(authenticator, asking.peer)
        case "SCRAM-SHA-256" if Mechanism.SCRAM in available:
            return ScramServer(authenticator, asking.peer, asking.channel)
        case "SCRAM-SHA-256-PLUS" if Mechanism.SCRAM in available and asking.channel.binding:
            return ScramServer(authenticator, asking.peer, asking.channel, plus=True)
        case "NTLM" if Mechanism.NTLM in available:
            return authenticator.begin(Mechanism.NTLM, asking)
        case "GSSAPI" if Mechanism.KERBEROS in available and (kerberos := authenticator.kerberos(asking)) is not None:
            return Gssapi(ContextExchange(authenticator, asking, kerberos), kerberos)
    return None


class Lines(Protocol):
    """What differs between the protocols: how each of the three turns of an AUTH exchange is written."""

    def challenge(self, data: bytes) -> None:
        """Sends a challenge; `data` is not encoded yet."""
        ...

    def success(self, identity: Identity) -> Awaitable[None]:
        """Lets the proven caller in, or says why not: whether a row admits it was not asked yet."""
        ...

    def failure(self, failure: Failure) -> None: ...


class AuthExchange:
    """The AUTH exchanges of one connection, one at a time. SMTP's machine decodes lines itself and calls `respond`; IMAP and
    POP3 hand over lines as they came to `respond_encoded`.

    Bound: linear in the line; the protocol's machine bounds its length.
    """

    def __init__(self, guard: Guard, authenticator: Authenticator | None) -> None:
        self._guard = guard
        self._authenticator = authenticator
        self._acceptor: Acceptor | None = None
        self._granted: Granted | None = None
        self._asking: Asking
        self._lines: Lines

    def begin(self, name: str, asking: Asking, lines: Lines) -> bool:
        """Begins an exchange by the mechanism with this name (any case); False where it was refused, which `lines` then said.
        A client that sent an initial response is answered by `respond` next, else by `respond(None)`."""
        self.cancel()
        self._asking, self._lines = asking, lines
        if asking.certified is not None and name.upper() == "EXTERNAL":
            self._acceptor = External(asking.certified)
        else:
            mechanism = allowed(self._guard, name, asking.seal)
            if isinstance(mechanism, Refusal):
                lines.failure(refused(mechanism))
                return False
            if self._authenticator is not None:
                self._acceptor = begin(self._authenticator, name, asking)
        if self._acceptor is None:
            lines.failure(Failure(Cause.UNSUPPORTED, _UNSUPPORTED))
        return self._acceptor is not None

    def cancel(self) -> None:
        self._acceptor = self._granted = None

    async def respond(self, response: bytes | None) -> None:
        """The client's octets; None at first where it sent no initial response. Only while an exchange is under way."""
        assert self._acceptor is not None
        granted = self._granted
        if granted is None:
            outcome = await self._acceptor.step(response)
            if isinstance(outcome, Challenge):
                return self._lines.challenge(outcome.data)
            if isinstance(outcome, Denied):
                self.cancel()
                return self._lines.failure(failed(self._guard, self._asking, outcome))
            if outcome.data:
                self._granted = outcome
                return self._lines.challenge(outcome.data)
            granted = outcome
        self.cancel()
        await self._lines.success(granted.identity)
        return None

    async def respond_encoded(self, line: bytes | None) -> None:
        """The same for a line in base64; `*` cancels (RFC 9051 section 6.2.2, RFC 5034 section 4)."""
        if line == b"*":
            return self._cancelled("Authentication cancelled")
        try:
            response = binascii.a2b_base64(line, strict_mode=True) if line else line
        except binascii.Error:
            return self._cancelled("Not valid base64")
        return await self.respond(response)

    def _cancelled(self, text: str) -> None:
        self.cancel()
        self._lines.failure(Failure(Cause.CANCELLED, text))


def encoded(data: bytes) -> bytes:
    """A challenge as IMAP and POP3 write it."""
    return binascii.b2a_base64(data, newline=False)


def failed(guard: Guard, asking: Asking, denied: Denied) -> Failure:
    """Logs that a caller of this door proved nothing; the failure to say to it."""
    path, peer = guard.rows[0].id, str(asking.peer)
    log(Event.AUTHENTICATION_FAILED, path=path, peer=peer, account=denied.account, temporary=denied.temporary)
    return Failure(Cause.UNAVAILABLE if denied.temporary else Cause.FAILED, denied.text)
