"""What a step of authentication comes to. Knows no mechanism and no protocol: services turn these into their own words."""

from __future__ import annotations

from dataclasses import dataclass, field

from postern.model.security import Identity

FAILED = "Authentication failed"
"""The one text for every refusal that depends on name or password: it must not tell which of the two was wrong."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """The server's next challenge (RFC 4422 section 3), as raw octets: the protocol adds its own base64."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Granted:
    """The caller proved to be `identity`. `data` is additional data with success (RFC 4422 section 3.6): a protocol
    that cannot carry it with its success reply sends it as one more challenge, which the client answers with an
    empty response, and only then says success."""

    identity: Identity
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Denied:
    """Refused. `temporary`: nothing was decided, for the directory did not answer or we are too busy (SMTP 454 4.7.0,
    IMAP NO [UNAVAILABLE], POP3 -ERR [SYS/TEMP]); else SMTP 535 5.7.8, IMAP NO [AUTHENTICATIONFAILED], -ERR [AUTH].
    `text` may be said to the peer as it stands; `account` is for the log, never for the peer: the account that was tried, ""
    if there is none of that name (people type passwords where names belong, so what was typed is not kept)."""

    temporary: bool = False
    text: str = FAILED
    account: str = field(default="", compare=False)
