"""The events of the server machine for its service. Each event marked "asks" is answered by exactly one of the machine's
answers."""

from __future__ import annotations

from dataclasses import dataclass

from postern.model.mail import Envelope
from postern.protocols.smtp.parameters import MailParameters


@dataclass(slots=True)
class Hello:
    """EHLO (`extended`) or HELO; asks `welcome`. `name` is cleaned: printable ASCII without spaces, brackets of its own only."""

    name: str
    extended: bool


@dataclass(slots=True)
class StartTls:
    """STARTTLS; asks `reply`. Once a 220 is sent, the service calls `upgraded` and then upgrades the link."""


@dataclass(slots=True)
class Authenticate:
    """AUTH; asks `challenge` or `reply`. `initial` is None if there was no initial response."""

    mechanism: str
    initial: bytes | None


@dataclass(slots=True)
class Response:
    """The answer to a challenge; asks `challenge` or `reply`."""

    data: bytes


@dataclass(slots=True)
class Cancelled:
    """The exchange is over, by the client's "*" or a response that is no base64; the machine has answered."""


@dataclass(slots=True)
class Mail:
    """MAIL FROM; asks `reply`. `sender` is "" for "<>"."""

    sender: str
    parameters: MailParameters


@dataclass(slots=True)
class Rcpt:
    """RCPT TO; asks `reply`."""

    address: str
    notify: frozenset[str]
    original: str


@dataclass(slots=True)
class Piece:
    """A part of a message's content that is not its end."""

    data: bytes


@dataclass(slots=True)
class Message:
    """The message is complete with this last part; asks `reply`."""

    data: bytes
    envelope: Envelope


@dataclass(slots=True)
class Dropped:
    """Any content so far is to be forgotten: RSET, a new greeting, or content that the machine refused."""


@dataclass(slots=True)
class Answered:
    """The machine has answered commands by itself, and there may be more of them: others may have their turn first."""


@dataclass(slots=True)
class Close:
    """The end: the service sends what is outgoing, and closes."""


Event = (
    Hello | StartTls | Authenticate | Response | Cancelled | Mail | Rcpt | Piece | Message | Dropped | Answered | Close
)
