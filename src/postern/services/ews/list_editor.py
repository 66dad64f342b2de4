"""Private distribution lists: vCards of KIND group, whose members are addresses or other cards (RFC 6350 section 6.6.5).

In a card of version 3 these are Apple's properties, which clients of CardDAV read. A member that is a card is named by its UID,
so that its address is that of the card as it is now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from postern.items import contact
from postern.items.contact import Contact, RenderedContact
from postern.protocols import xml
from postern.protocols.content_lines import Line, line, with_parameters
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId, read_id
from postern.protocols.ews.names import t
from postern.services.ews.access import Call
from postern.services.ews.contact_editor import ContactEditor, card_of, rendered_card
from postern.services.ews.correspondents import Correspondent
from postern.services.ews.editing import How, Saved
from postern.services.ews.item_view import ItemView, Need, load_pages
from postern.services.ews.places import Place
from postern.services.scheduling.aside import aside

MAX_LOOKED_UP = 1_000
"""Cards that are looked up for the members of lists in one answer."""
_NAMES = ("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER")
_MAILTO, _URN = "mailto:", "urn:uuid:"
_TYPE, _SHOWN = "X-MAILBOX-TYPE", "X-CN"
_TYPES = frozenset({"Unknown", "OneOff", "Mailbox", "PublicDL", "PrivateDL", "Contact", "PublicFolder", "GroupMailbox"})
"""MailboxTypeType (MS-OXWSCDATA section 2.2.5.18)."""


class Member(NamedTuple):
    """A member of a list. `key` names it in requests; `uid` is that of a card, "" for an address."""

    key: str
    who: Correspondent
    uid: str = ""


def _lines_of(card: Contact) -> list[Line]:
    return card.card.lines(*_NAMES)[: contact.MAX_MEMBERS]


def _key(value: str) -> str:
    return sha256(value.strip().lower().encode("utf-8", "replace")).hexdigest()[:32]


def members_of(card: Contact) -> list[Member]:
    """The members as the card has them: those that are cards have no address yet."""
    members = []
    for entry in _lines_of(card):
        value = card.card.value(entry).strip()[: contact.MAX_TEXT]
        key, folded = _key(value), value.lower()
        if folded.startswith(_URN):
            members.append(Member(key, Correspondent("", "", "Contact"), value[len(_URN) :]))
        elif value:
            address = value[len(_MAILTO) :] if folded.startswith(_MAILTO) else value
            type_ = entry.parameter(_TYPE)
            type_ = type_ if type_ in _TYPES else "OneOff"
            members.append(Member(key, Correspondent(entry.parameter(_SHOWN), address, type_)))
    return members


_ANY = 0
"""The place of a card wherever it is."""


async def prepare_members(views: Sequence[ItemView]) -> None:
    """Looks up the cards that are members of these lists, all of one mailbox; `listed` tells them. Where several folders have a
    card, that in the folder of the list is meant."""
    uids: dict[str, None] = {}
    for view in views:
        members = await aside(view.content or b"", partial(_members_in, view))
        uids.update((each.uid, None) for each in members if each.uid)
    cards: dict[tuple[int, str], Correspondent] = {}
    if uids:
        call, mailbox = views[0].call, views[0].mailbox
        stored = await mailbox.store.with_uids(mailbox.id, None, list(uids)[:MAX_LOOKED_UP])
        ids = list(stored.ids)[:MAX_LOOKED_UP]
        async for page in load_pages(call, mailbox, ids, Need.CONTENT):
            for each in page:
                rendered = await rendered_card(each)
                for folder in (each.stored.folder, _ANY):
                    cards.setdefault((folder, rendered.uid), correspondent(each, rendered))
    for view in views:
        view.parsed[listed] = cards


def _members_in(view: ItemView) -> list[Member]:
    return members_of(card_of(view))


def correspondent_of(view: ItemView) -> Correspondent:
    """A contact or a list by its first address."""
    return correspondent(view, contact.render(card_of(view)))


def correspondent(view: ItemView, rendered: RenderedContact) -> Correspondent:
    """A contact or a list whose values are known, by its first address."""
    type_ = "PrivateDL" if rendered.kind == "group" else "Contact"
    address = next(iter(rendered.emails), "")
    return Correspondent(rendered.name, address, type_, view.id, view.stored.change)


def listed(view: ItemView) -> list[Member]:
    """The members of a list, with the names and addresses of those that are cards. Ask `prepare_members` before."""
    cards: Mapping[tuple[int, str], Correspondent] = view.parsed.get(listed, {})
    members = members_of(card_of(view))
    for folder in (_ANY, view.stored.folder):
        members = [each._replace(who=cards.get((folder, each.uid), each.who)) for each in members]
    return members


class ListEditor(ContactEditor):
    """A distribution list."""

    def __init__(self, call: Call, place: Place, view: ItemView | None) -> None:
        super().__init__(call, place, view)
        self.base_class = contact.LIST_CLASS
        if view is None:
            self.item_class = contact.LIST_CLASS
            self.item.card.root.entries.append(line("X-ADDRESSBOOKSERVER-KIND", "group"))
        self._waiting: list[tuple[ItemId, str]] = []
        self._keys = {self._key_of(entry) for entry in _lines_of(self.item)}

    def set_members(self, members: xml.Element | None) -> None:
        """Replaces all members by these. Raises EwsError."""
        root = self.item.card.root
        root.entries = [entry for entry in root.entries if entry.name not in _NAMES]
        self._keys.clear()
        self._waiting.clear()
        if members is not None:
            self.add_members(members)

    def add_members(self, members: xml.Element) -> None:
        """Adds members. Raises EwsError."""
        mailboxes = [each.find(t("Mailbox")) for each in members.find_all(t("Member"))]
        if len(mailboxes) + len(self._keys) > contact.MAX_MEMBERS:
            raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY)
        for mailbox in mailboxes:
            self._add(mailbox)

    def _add(self, mailbox: xml.Element | None) -> None:
        if mailbox is None:
            raise EwsError(Code.INVALID_MAILBOX)
        address, item = mailbox.text_of(t("EmailAddress")).strip(), mailbox.find(t("ItemId"))
        if item is not None:
            wanted = read_id(item.attributes.get("Id", ""))
            if not isinstance(wanted, ItemId) or wanted.mailbox != self.place.mailbox.id:
                raise EwsError(Code.ITEM_NOT_FOUND)
            self._waiting.append((wanted, address))
        elif address and len(address) <= contact.MAX_TEXT:
            name, type_ = mailbox.text_of(t("Name")), mailbox.text_of(t("MailboxType"))
            self._append(f"{_MAILTO}{address}", name, type_ if type_ in _TYPES else "")
        else:
            raise EwsError(Code.INVALID_MAILBOX)

    def _append(self, value: str, name: str = "", type_: str = "") -> None:
        """Adds a member that is not there yet."""
        key = _key(value)
        if key in self._keys:
            return
        self._keys.add(key)
        own = _NAMES[0] if self.item.card.version == "4.0" else _NAMES[1]
        entry = with_parameters(line(own, value), {_SHOWN: name[: contact.MAX_TEXT], _TYPE: type_})
        self.item.card.root.entries.append(entry)

    def remove_member(self, key: str) -> None:
        """Takes out the member with this key."""
        root = self.item.card.root
        gone = {id(entry) for entry in _lines_of(self.item) if self._key_of(entry) == key}
        root.entries = [entry for entry in root.entries if id(entry) not in gone]
        self._keys.discard(key)

    def _key_of(self, entry: Line) -> str:
        return _key(self.item.card.value(entry).strip()[: contact.MAX_TEXT])

    async def create(self, how: How) -> Saved | None:
        await self._look_up()
        return await super().create(how)

    async def update(self, how: How, known: int | None) -> Saved:
        await self._look_up()
        return await super().update(how, known)

    async def _look_up(self) -> None:
        """Names the members that were given as items by the UIDs of their cards. Raises EwsError ErrorItemNotFound."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        mailbox = self.place.mailbox
        await mailbox.nodes()
        stored = await mailbox.store.with_ids(mailbox.id, [item.item for item, _ in waiting])
        uids = dict(zip(stored.ids, stored.uids, strict=True))
        for item, address in waiting:
            uid = uids.get(item.item, "")
            if uid:
                self._append(f"{_URN}{uid}")
            elif address:
                self._append(f"{_MAILTO}{address}")
            else:
                raise EwsError(Code.ITEM_NOT_FOUND)
