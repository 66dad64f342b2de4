"""A message on its way: the envelope of RFC 5321 section 2.3.1 and the outcome for each recipient.

Values that are made for each message are named tuples: to make a frozen dataclass takes six times as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Protocol, overload
from uuid import UUID


class BodyType(StrEnum):
    SEVEN_BIT = "7BIT"
    EIGHT_BIT_MIME = "8BITMIME"


class EnvelopeRecipient(NamedTuple):
    """One RCPT TO. `notify` and `original` are RFC 3461's NOTIFY and ORCPT ("" where the
    command had none)."""

    address: str
    notify: frozenset[str] = frozenset()
    original: str = ""


class Envelope(NamedTuple):
    """MAIL FROM and RCPT TO with their parameters. `sender` is "" for the null reverse-path."""

    sender: str
    recipients: tuple[EnvelopeRecipient, ...]
    body: BodyType = BodyType.SEVEN_BIT
    smtputf8: bool = False
    envelope_id: str = ""
    ret: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of the recipients."""
        return tuple(recipient.address for recipient in self.recipients)


class Origin(NamedTuple):
    """The way by which a message came in: for Received lines, for tracking, and for the categorizer, which trusts by it.

    `path` is the row's id, `client` the peer's address, `helo` the name that it gave itself, `identity` the name that it proved
    ("" if none), `mechanism` the reference's word, and `cipher` the TLS library's name.
    """

    path: str
    client: str
    helo: str = ""
    identity: str = ""
    mechanism: str = "Anonymous"
    protocol: str = ""
    cipher: str = ""


class Chunks(Sequence[bytes]):
    """Octets in pieces, each read when it is asked for. A subclass gives `__len__` and `chunk`."""

    def chunk(self, number: int) -> bytes:
        """The piece of this number, from 0."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.chunk(index)


class Content(NamedTuple):
    """A message's bytes (CRLF line ends). One chunk, or many for large spooled messages: joined they are the message."""

    chunks: Sequence[bytes]
    size: int

    @staticmethod
    def of(data: bytes) -> Content:
        return Content((data,), len(data))

    def bytes(self) -> bytes:
        return self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)


class Action(StrEnum):
    """RFC 3464 section 2.3.3."""

    DELIVERED = "delivered"
    RELAYED = "relayed"
    DELAYED = "delayed"
    FAILED = "failed"
    EXPANDED = "expanded"


class RecipientOutcome(NamedTuple):
    """The outcome for one recipient in one attempt. `status` is an enhanced code (RFC 3463), `diagnostic` the peer's reply."""

    address: str
    action: Action
    status: str
    diagnostic: str = ""
    remote: str = ""
    mechanism: str = ""
    """The mechanism by which we authenticated to `remote`, in the reference's words."""
    cipher: str = ""
    notifies: bool = False
    """The peer supports RFC 3461 and has taken over the duty to report."""
    poison: bool = False
    """The next server of ours gave up on the message, which brought its workers down: the message is set aside."""
    own: bool = False
    """True if this server wrote the diagnostic, and not the peer."""


class Accepted(NamedTuple):
    """The queue's answer once a message is safe: its id, and the message's Message-ID header if it has one."""

    queue_id: str
    message_id: str = ""


class HopKind(StrEnum):
    MAILBOX = "mailbox"
    """A mailbox database by its name, over hub-to-mailbox-mapi. Its server is looked up when the hop is dialled."""
    SMTP = "smtp"
    """Another organization, reached by the MX records of the domain."""
    SMART_HOST = "smart-host"
    """A smart host: "host" or "host:port"."""
    HUB = "hub"
    """Another hub of ours, from a hub or an edge: any of those named will do."""
    EDGE = "edge"
    """An edge of ours, from a hub: any of those named will do."""


@dataclass(frozen=True, slots=True)
class NextHop:
    """The next hop of some recipients. `kind` says what the destinations name; `path` is the id of the row that the connection
    will be on."""

    kind: HopKind
    destinations: tuple[str, ...]
    path: str

    @property
    def destination(self) -> str:
        """The destinations as people read them, in commands and in the queue's file."""
        return ",".join(self.destinations)


class Parcel(NamedTuple):
    """One queued message for one next hop: `envelope.recipients` are only those that go there.

    `mailboxes` has each local recipient's objectGUID by address. `quotas` has the octets that the directory grants a mailbox; one
    that is missing has the organization's quota. `received` is the time when the queue took it (epoch seconds).
    `content` reads from the queue's segment, so it stays valid only until the outcome is returned.
    """

    queue_id: str
    message_id: str
    envelope: Envelope
    content: Content
    origin: Origin
    received: float
    mailboxes: Mapping[str, UUID] = MappingProxyType({})
    quotas: Mapping[UUID, int] = MappingProxyType({})
    alone: int | None = None
    """The number of its only recipient, if that recipient is carried apart so as not to harm the others (`transport.poison`)."""


class Carrier(Protocol):
    """Carries parcels one hop further. The store driver and the SMTP client implement it, the dispatcher calls it."""

    max_batch: int

    async def carry(self, hop: NextHop, parcels: Sequence[Parcel]) -> Sequence[Sequence[RecipientOutcome]]:
        """Per parcel one outcome per recipient, in order. Never raises: a failure for now is Action.DELAYED."""
        ...


class Intake(Protocol):
    """Takes accepted messages: the queue implements it."""

    async def accept(self, envelope: Envelope, content: Content, origin: Origin) -> Accepted:
        """Returns once the message would survive a power cut. Raises IntakeError: then nothing was taken."""
        ...


class IntakeError(Exception):
    """The queue cannot take a message now (disk full, back pressure): the sender hears 452 4.3.1."""
