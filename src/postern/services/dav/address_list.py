"""The global address list as an address book in everybody's home, which nobody can write to.

Its cards are made of the directory's entries when they are asked for, and are named by objectGUID. The methods that read work on
it as on any other collection: `AddressListBox` answers them in the place of the mailbox. There is no sync-collection, because a
directory keeps no history; the CTag changes with any entry, so that clients know when to read the list again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast
from uuid import UUID

from postern.items import contact
from postern.items.address_card import card_of
from postern.model.address_book import AddressBook, AddressBookEntry
from postern.model.directory import DirectoryUnavailable
from postern.model.folders import FOLDER_CLASSES, FolderKind, FolderNode
from postern.model.item_store import PropertyName
from postern.model.mailbox_server import MailboxItems
from postern.model.resources import Resources, content_tag
from postern.protocols.dav.multistatus import href_of
from postern.protocols.dav.names import dav, element
from postern.services.dav import privileges
from postern.services.dav.folders import Collection, Kind
from postern.services.dav.mailbox import DavServer, OwnMailbox
from postern.services.dav.places import Place, Space, home_path
from postern.services.dav.request import Refusal

SEGMENT = "global-address-list"
NAME = "Global Address List"
MAX_LISTED = 20_000
"""Entries that are told of one list, or looked through for one query: a second's work or two. A larger directory is searched."""
PAGE = 250
"""Entries that are read of the directory at a time."""
KEPT_SECONDS = 60.0
"""Seconds for which a CTag is not computed again."""
KEPT_TIMES = 50
"""A CTag is kept for this many times the seconds that computing it took, so that it costs 2 % of a processor at most."""
_SUFFIX = ".vcf"


def holds(place: Place) -> bool:
    """Whether a path names the list, or a card in it."""
    return place.space is Space.ADDRESSBOOKS and bool(place.names) and place.names[0] == SEGMENT


def path_of(address: str) -> str:
    """The path of the list in the home of this user."""
    return f"{home_path(Space.ADDRESSBOOKS, address)}{SEGMENT}/"


def card_path(address: str, guid: UUID) -> str:
    """The path of an entry's card, as this user sees it."""
    return f"{path_of(address)}{guid}{_SUFFIX}"


def collection_of(address: str) -> Collection:
    """The list as a collection in the home of this user."""
    node = FolderNode(0, 0, NAME, FOLDER_CLASSES[FolderKind.CONTACTS], FolderKind.USER, 0)
    return Collection(Kind.ADDRESSBOOK, node, path_of(address), (), True, {}, is_address_list=True)


@dataclass(slots=True)
class AddressListBox(OwnMailbox):
    """The caller's mailbox with the global address list in the place of what is in it."""

    async def pages(self, folder: int, size: int) -> AsyncGenerator[Resources, None]:
        """Gives the whole list, as the directory has it now. Raises TooMany behind the first MAX_LISTED entries."""
        async with aclosing(everybody(self)) as pages:
            async for entries in pages:
                yield resources_of(entries)


def not_granted(path: str, privilege: str) -> Refusal:
    """Returns the refusal of a change that needs a privilege which nobody has there (RFC 3744 section 7.1.1)."""
    resource = element(dav("resource"), f"<D:href>{href_of(path)}</D:href>" + privileges.markup(privilege))
    return Refusal(HTTPStatus.FORBIDDEN, element(dav("need-privileges"), resource))


class TooMany(Exception):
    """The list has more entries than are told."""


async def everybody(box: OwnMailbox) -> AsyncGenerator[Sequence[AddressBookEntry], None]:
    """Gives the entries of the directory. Raises TooMany behind the first MAX_LISTED of them."""
    left = MAX_LISTED
    async with aclosing(book_of(box).everybody(PAGE)) as pages:
        async for entries in pages:
            yield entries[:left]
            left -= len(entries)
            if left < 0:
                raise TooMany


def book_of(box: OwnMailbox) -> AddressBook:
    return box.access.directory


def list_of(box: OwnMailbox) -> AddressListBox:
    """The box that answers for the list in the home of this user."""
    if isinstance(box, AddressListBox):
        return box
    # The reading methods ask a store for four things only.
    items = cast(MailboxItems, _Cards(book_of(box)))
    server = DavServer(box.server.mailboxes, items)
    return AddressListBox(server, box.recipient, box.access, box.quota, list_state=box.list_state)


class _Cards:
    """Answers as the store does, for what is read of the list."""

    def __init__(self, book: AddressBook) -> None:
        self._book = book

    async def named(self, mailbox: UUID, folder: int, names: Sequence[str], content: bool = False) -> Resources:
        guids = [guid for name in names if (guid := _guid_of(name)) is not None]
        known = await self._book.address_book_entries(guids)
        return resources_of([known[guid] for guid in guids if guid in known])

    async def with_ids(self, mailbox: UUID, ids: Sequence[int], content: bool = False) -> Resources:
        known = await self._book.address_book_entries([UUID(int=each) for each in ids])
        return resources_of([known[guid] for each in ids if (guid := UUID(int=each)) in known])

    async def property_ids(self, mailbox: UUID, names: Sequence[PropertyName], create: bool = False) -> list[int]:
        return [0] * len(names)

    async def property_names(self, mailbox: UUID) -> dict[int, PropertyName]:
        return {}


def _guid_of(name: str) -> UUID | None:
    """The objectGUID that a card is named by; None for a name that no card has."""
    if len(name) != 36 + len(_SUFFIX) or not name.endswith(_SUFFIX):
        return None
    try:
        guid = UUID(name.removesuffix(_SUFFIX))
    except ValueError:
        return None
    return guid if f"{guid}{_SUFFIX}" == name else None


def resources_of(entries: Sequence[AddressBookEntry]) -> Resources:
    """The cards of entries, with their octets. A directory knows no time at which a card changed; now is never too early."""
    cards = [card_of(entry) for entry in entries]
    count, now = len(cards), int(time.time())
    return Resources(
        [entry.guid.int for entry in entries],
        [0] * count,
        [f"{entry.guid}{_SUFFIX}" for entry in entries],
        [f"urn:uuid:{entry.guid}" for entry in entries],
        [content_tag(card) for card in cards],
        [len(card) for card in cards],
        [contact.ITEM_CLASS] * count,
        [now] * count,
        [now] * count,
        cards,
    )


async def measure(box: OwnMailbox) -> None:
    """Notes the CTag of the list in `box.list_state`; it stays "" where the directory does not answer."""
    kept = box.access.list_state
    async with kept.turn:
        now = time.monotonic()
        if now >= kept.until:
            try:
                kept.state = await _state_of(box)
            except DirectoryUnavailable:
                return
            done = time.monotonic()
            kept.until = done + max(KEPT_SECONDS, KEPT_TIMES * (done - now))
    box.list_state = kept.state


async def _state_of(box: OwnMailbox) -> str:
    """A digest of all cards. It is a sum, so that the order in which the directory tells them does not matter."""
    total = count = 0
    with contextlib.suppress(TooMany):
        async with aclosing(everybody(box)) as pages:
            async for entries in pages:
                total += sum(int.from_bytes(content_tag(card_of(entry))) for entry in entries)
                count += len(entries)
    return f"{count}-{total % (1 << 128):032x}"


async def look_up(box: OwnMailbox) -> None:
    """Notes in `box.is_listed` whether the caller himself is in the list."""
    box.is_listed = box.id in await book_of(box).address_book_entries([box.id])
