"""Items that go to another folder, of their mailbox or of another.

Within a mailbox the store moves and copies them, and a moved item keeps its id. Into another mailbox an item is made anew, with
its flags, keywords and properties; a move takes the first one away when the second is there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import uuid4

from postern.items import calendar_object, contact
from postern.items.calendar_object import Refused
from postern.items.stored import closes, is_address, values_of
from postern.model.folders import FOLDER_CLASSES, FolderKind, Right, is_class
from postern.model.item_store import FIRST_PROPERTY_NAME, RenderedItem, StoredItem
from postern.model.items import KEYWORD_BASE, NewItem
from postern.model.mailbox import MailboxError
from postern.model.resources import NOTHING_RENDERED, NewResource, Resource
from postern.protocols.content_lines import line
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ABOVE
from postern.services.access.guarded import MAKER_TAG
from postern.services.ews.access import Mailbox
from postern.services.ews.places import Place
from postern.services.scheduling.aside import aside, may_recur

_BY_UID = (FolderKind.CALENDAR, FolderKind.TASKS, FolderKind.CONTACTS)
_SYSTEM = (1 << KEYWORD_BASE) - 1


def demand_target(target: Place) -> None:
    """Raises EwsError where the caller may not put items into a folder: ErrorMoveCopyFailed for one that has no items,
    ErrorAccessDenied."""
    if target.node.id in ABOVE:
        raise EwsError(Code.MOVE_COPY_FAILED)
    if target.node.kind is FolderKind.OUTBOX and not target.mailbox.is_whole:
        raise EwsError(Code.ACCESS_DENIED)
    target.mailbox.demand(target.node, Right.CREATE)


async def put(source: Mailbox, ids: Sequence[int], target: Place, is_move: bool) -> dict[int, int]:
    """Moves or copies these items, and returns the ids that they have then, by id; those that are not there for the caller are
    left out, and so are those with which the work ended after others. Raises EwsError: ErrorAccessDenied, ErrorMoveCopyFailed;
    MailboxError."""
    demand_target(target)
    mailbox, folder = target.mailbox, target.node.id
    if source.id != mailbox.id:
        return await _put_elsewhere(source, ids, target, is_move)
    if not is_move:
        return await _copied_here(mailbox, ids, target)
    if target.node.is_calendar:
        uids = await _uids_of(mailbox, ids)
        others = [each for each in await _with_uids(target, uids) if each.id not in uids]
        if others or len(set(uids.values())) < len(uids):
            raise _has_uid()
    return {number: number for number in await mailbox.store.move_items(mailbox.id, ids, folder)}


def _has_uid() -> EwsError:
    """The error for a calendar that would have a UID twice (RFC 4791 section 4.1)."""
    return EwsError(Code.MOVE_COPY_FAILED, "The calendar has an item with this UID already.")


async def _uids_of(mailbox: Mailbox, ids: Sequence[int]) -> dict[int, str]:
    """The UIDs of these items, by id."""
    return {each.id: each.uid for each in await mailbox.store.with_ids(mailbox.id, ids) if each.uid}


async def _with_uids(target: Place, uids: Mapping[int, str]) -> list[Resource]:
    """The items of a folder with these UIDs, seen by the caller or not."""
    mailbox, wanted = target.mailbox, list(dict.fromkeys(uids.values()))
    return list(await mailbox.server.items.with_uids(mailbox.id, target.node.id, wanted)) if wanted else []


async def _copied_here(mailbox: Mailbox, ids: Sequence[int], target: Place) -> dict[int, int]:
    """Copies items within their mailbox. Calendars, lists of tasks and address books have each UID once (RFC 4791 section 4.1,
    RFC 6352 section 5.1), else DAV refuses each change of both: the copy of an item that is there already is one of its own."""
    taken: set[str] = set()
    renewed: set[int] = set()
    if any(is_class(target.node.folder_class, FOLDER_CLASSES[kind]) for kind in _BY_UID):
        uids = await _uids_of(mailbox, ids)
        taken = {each.uid for each in await _with_uids(target, uids)}
        for number, uid in uids.items():
            if uid in taken:
                renewed.add(number)
            taken.add(uid)
    plain = [number for number in ids if number not in renewed]
    copies = await mailbox.store.copy_items(mailbox.id, plain, target.node.id) if plain else {}
    try:
        for number in sorted(renewed):
            for item in await mailbox.store.get(mailbox.id, [number], True):
                copies[number] = await _copied(mailbox, item, target, is_renewed=True)
    except (EwsError, MailboxError):
        # Those that are there already are told: a request that asks for them again would have two copies of each.
        if not copies:
            raise
    return copies


async def _put_elsewhere(source: Mailbox, ids: Sequence[int], target: Place, is_move: bool) -> dict[int, int]:
    there = await source.demand_delete(ids) if is_move else list(ids)
    placed: dict[int, int] = {}
    for number in there:
        # One after the other, so that one content at a time is in memory.
        for item in await source.store.get(source.id, [number], True):
            placed[number] = await _copied(source, item, target)
            if is_move:
                await source.store.delete(source.id, [number])
    return placed


async def _copied(source: Mailbox, item: StoredItem, target: Place, is_renewed: bool = False) -> int:
    """Makes an item anew, and returns its id. One that `is_renewed` has another UID."""
    mailbox, content = target.mailbox, item.content
    if is_renewed and content is not None:
        content = await aside(content, partial(_of_its_own, content))
    if content is None:
        raise EwsError(Code.MOVE_COPY_FAILED)
    bag = await _bag(source, item.id, mailbox)
    named = await source.store.with_ids(source.id, [item.id])
    if len(named):
        me = target.mailbox.recipient.folded_addresses
        flags = item.flags & _SYSTEM
        values = await aside(content, partial(rendered, content, me), is_long=may_recur(content))
        resource = NewResource(content, item.item_class, values, "", flags, item.internal_date)
        try:
            # An attendee has the meeting already.
            (number,) = await mailbox.store.add_with(
                mailbox.id, target.node.id, [resource], bag, target.node.is_calendar
            )
        except MailboxError as error:
            if error.code != "UIDEXISTS":
                raise
            raise _has_uid() from None
    else:
        flags = item.flags & _SYSTEM | await keyword_bits(target, await keywords_of(source, item))
        new = NewItem(content, flags, item.internal_date, item.item_class)
        (number,) = await mailbox.store.create_with(mailbox.id, target.node.id, [new], bag)
    return number


def _of_its_own(content: bytes) -> bytes | None:
    """A card, an appointment or a task with another UID. The last two are without those who take part: nobody tells the copy what
    becomes of the meeting. None for what is none of them."""
    uid = str(uuid4())
    card = contact.read(content)
    if not isinstance(card, Refused):
        card.card.root.replace("UID", line("UID", uid))
        return card.card.root.octets()
    calendar = calendar_object.read(content)
    if isinstance(calendar, Refused):
        return None
    for part in calendar.parts:
        for name in ("ORGANIZER", "ATTENDEE", "SEQUENCE"):
            part.replace(name, None)
        part.replace("UID", line("UID", uid))
    return calendar.root.octets()


def rendered(content: bytes, me: frozenset[str]) -> RenderedItem:
    """The values by which a named item is looked up in its new mailbox, whose owner has the addresses `me`."""
    calendar = calendar_object.read(content)
    if not isinstance(calendar, Refused) and calendar_object.check(calendar) is None:
        return values_of(calendar, int(time.time()), me)
    card = contact.read(content)
    if not isinstance(card, Refused) and contact.check(card) is None:
        values = contact.render(card)
        addresses = tuple(dict.fromkeys(each.lower() for each in values.emails if "@" in each and is_address(each)))
        return RenderedItem(uid=values.uid, is_private=closes([card.card.text("CLASS")]), addresses=addresses)
    return NOTHING_RENDERED


async def keywords_of(mailbox: Mailbox, item: StoredItem) -> tuple[str, ...]:
    """The keywords that an item has."""
    bits = item.flags >> KEYWORD_BASE
    if not bits:
        return ()
    known = (await mailbox.server.mailboxes.folder(mailbox.id, item.folder)).keywords
    return tuple([name for place, name in enumerate(known) if bits >> place & 1])


async def keyword_bits(place: Place, names: Sequence[str]) -> int:
    """The bits of these keywords in a folder: each folder numbers its own."""
    mailbox = place.mailbox
    return await mailbox.server.mailboxes.keywords(mailbox.id, place.node.id, names, True) if names else 0


async def _bag(source: Mailbox, item: int, mailbox: Mailbox) -> dict[int, bytes]:
    """The item's properties with the numbers that named ones have in the other mailbox. Who made it there is another matter."""
    bag = (await source.store.bags(source.id, [item])).get(item, {})
    values: dict[int, bytes] = {}
    known = await source.store.property_names(source.id) if any(tag >> 16 >= FIRST_PROPERTY_NAME for tag in bag) else {}
    numbers = await mailbox.numbers([known[tag >> 16] for tag in bag if tag >> 16 in known], create=True)
    for tag, octets in bag.items():
        if tag >> 16 < FIRST_PROPERTY_NAME:
            values[tag] = octets
        elif tag >> 16 in known:
            values[numbers[known[tag >> 16]] << 16 | tag & 0xFFFF] = octets
    values.pop(MAKER_TAG, None)
    return values
