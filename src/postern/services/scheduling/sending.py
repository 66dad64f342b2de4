"""Stores a change of a meeting together with its letters (implicit scheduling, RFC 6638 section 3).

`items.implicit_scheduling` says what a change means. The messages go out as mails of the calendar's owner, as those do that other
clients submit from the outbox, and the calendar attendants of the recipients apply them. The order of steps:

1. The letters are created in the outbox, from which nobody sends them yet.
2. The object is stored, or removed, if it still is what the messages were computed from. The same transaction submits the
   letters.

A crash before the second step leaves letters in the outbox that are never sent, and the calendar as it was. So no change is told
that was not made, none is made that is not told, and none is told twice. For the same reason the letters stay where the answer of
the second step is lost: the store may have carried it out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from postern.items.implicit_scheduling import NOBODY, SENT
from postern.items.letters import letter
from postern.items.message_properties import DELETE_AFTER_SUBMIT
from postern.items.organizing import Sending
from postern.items.property_values import encoded
from postern.model.directory import Directory
from postern.model.domains import fold
from postern.model.edits import NOTHING_BESIDE, Beside
from postern.model.folders import FolderKind
from postern.model.item_store import RenderedItem
from postern.model.items import Flag, NewItem
from postern.model.mailbox import MailboxError
from postern.model.mailbox_server import MailboxItems
from postern.model.resources import Put
from postern.protocols.smtp.address import parse_mailbox

MAX_ADDRESSED = 100
"""Recipients of one mail; further ones get another."""


_GOES: dict[int, bytes] = {
    DELETE_AFTER_SUBMIT.id << 16 | DELETE_AFTER_SUBMIT.type: encoded(DELETE_AFTER_SUBMIT.type, True)
}
"""The property of a letter that is removed when a hub has it (MS-OXOMSG section 2.2.3.8)."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The owner of a calendar, in whose name letters go out. `address` is the primary one. `store` is the mailbox as the caller
    may change it, `outbox` the same without his rights, for the caller need not see the outbox. `is_kept`: the
    letters are in Sent Items when they are sent."""

    mailbox: UUID
    address: str
    store: MailboxItems
    outbox: MailboxItems
    directory: Directory
    domains: Callable[[], Collection[str]]
    is_kept: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it is to be stored, with what it gets beside its content. It takes the place of one that has not changed after
    the change number `unchanged_since`; None: of any."""

    octets: bytes
    item_class: str
    rendered: RenderedItem
    beside: Beside = field(default_factory=Beside)
    unchanged_since: int | None = None


async def statuses_of(directory: Directory, domains: Collection[str], sendings: Sequence[Sending]) -> dict[str, str]:
    """The status of each address: SENT, or NOBODY where it is no address of mail, or one of a domain of ours that nobody has.
    Raises DirectoryUnavailable."""
    addresses = {address: fold(address) for sending in sendings for address in sending.addresses}
    mail = {address: folded for address, folded in addresses.items() if parse_mailbox(folded)}
    ours = [folded for folded in mail.values() if folded.rpartition("@")[2] in domains]
    known = await directory.recipients(ours) if ours else {}
    nobody = set(ours) - known.keys()
    return {
        address: SENT if address in mail and folded not in nobody else NOBODY for address, folded in addresses.items()
    }


def letters_of(
    sender: str, sendings: Sequence[Sending], statuses: Mapping[str, str], now: int, comment: str = ""
) -> list[bytes]:
    """The mails with these messages, to those of their addresses that get one; `comment` are words of the sender."""
    domain = sender.rpartition("@")[2]
    letters: list[bytes] = []
    for sending in sendings:
        recipients = [address for address in sending.addresses if statuses[address] is SENT]
        for start in range(0, len(recipients), MAX_ADDRESSED):
            part = recipients[start : start + MAX_ADDRESSED]
            letters.append(letter(sending, sender, part, f"{uuid4()}@{domain}", now, comment))
    return letters


async def send_alone(sender: Sender, letters: Sequence[bytes]) -> None:
    """Sends letters about what is in no calendar. A letter that cannot be sent is not left in the outbox. Raises MailboxError."""
    mailbox = sender.mailbox
    outbox = next((node.id for node in await sender.outbox.tree(mailbox) if node.kind is FolderKind.OUTBOX), 0)
    bag = {} if sender.is_kept else _GOES
    for octets in letters:
        ids = await sender.outbox.create_with(mailbox, outbox, [NewItem(octets, Flag.SEEN)], bag)
        try:
            await sender.outbox.send(mailbox, ids[0], NOTHING_BESIDE)
        except Exception:
            await sender.outbox.delete(mailbox, ids)
            raise


async def carry_out(
    sender: Sender,
    letters: Sequence[bytes],
    folder: int,
    name: str,
    stored: Stored | None,
    expected: bytes | None = None,
    unique: bool = False,
) -> Put | None:
    """Stores an object under a name, or removes what has it (None), and sends the letters: all or nothing. Raises MailboxError as
    `ResourceStore.put` and `remove` do, and what a guard of the store raises."""
    mailbox = sender.mailbox
    outbox = next((node.id for node in await sender.outbox.tree(mailbox) if node.kind is FolderKind.OUTBOX), 0)
    ids: list[int] = []
    try:
        for octets in letters:
            bag = {} if sender.is_kept else _GOES
            ids += await sender.outbox.create_with(mailbox, outbox, [NewItem(octets, Flag.SEEN)], bag)
        if stored is None:
            await sender.store.remove_sending(mailbox, ids, folder, name, expected)
            return None
        return await sender.store.put_with(
            mailbox,
            ids,
            folder,
            name,
            stored.octets,
            stored.item_class,
            stored.rendered,
            stored.beside,
            expected,
            unique,
            stored.unchanged_since,
        )
    except Exception as error:
        if not (isinstance(error, MailboxError) and error.code == "UNAVAILABLE"):
            await sender.outbox.delete(mailbox, ids)
        raise
