"""Items that are exported, and made or changed by what was exported."""

from __future__ import annotations

from functools import partial

from postern.items import appointment, contact, task
from postern.model.edits import Beside
from postern.model.folders import Right, is_class
from postern.model.item_store import FIRST_PROPERTY_NAME, RenderedItem, StoredItem
from postern.model.items import KEYWORD_BASE, MESSAGE, NewItem
from postern.model.resources import NOTHING_RENDERED, NewResource
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.exported import Exported, ExportedProperty, read, write
from postern.services.access.guarded import MAKER_TAG
from postern.services.ews.access import Mailbox
from postern.services.ews.moving import demand_target, keyword_bits, keywords_of, rendered
from postern.services.ews.places import ItemRef, Place
from postern.services.scheduling.aside import aside

_SYSTEM = (1 << KEYWORD_BASE) - 1
_NAMED = (
    appointment.ITEM_CLASS,
    appointment.JOURNAL_CLASS,
    task.ITEM_CLASS,
    contact.ITEM_CLASS,
    contact.LIST_CLASS,
)
"""The classes of what is iCalendar or a vCard."""


async def exported(mailbox: Mailbox, number: int) -> tuple[StoredItem, bytes]:
    """An item, and the octets of its element Data. Raises EwsError ErrorItemNotFound."""
    await mailbox.nodes()
    for item in await mailbox.store.get(mailbox.id, [number], True):
        if item.content is None:
            break
        packed = Exported(
            item.item_class,
            bool(len(await mailbox.store.with_ids(mailbox.id, [number]))),
            item.flags & _SYSTEM,
            item.internal_date,
            await keywords_of(mailbox, item),
            await _properties_of(mailbox, number),
            item.content,
        )
        return item, await aside(item.content, partial(write, packed))
    raise EwsError(Code.ITEM_NOT_FOUND)


async def _properties_of(mailbox: Mailbox, number: int) -> tuple[ExportedProperty, ...]:
    bag = dict((await mailbox.store.bags(mailbox.id, [number])).get(number, {}))
    bag.pop(MAKER_TAG, None)
    names = (
        await mailbox.store.property_names(mailbox.id) if any(tag >> 16 >= FIRST_PROPERTY_NAME for tag in bag) else {}
    )
    return tuple(
        ExportedProperty(0 if tag >> 16 in names else tag >> 16, names.get(tag >> 16), tag & 0xFFFF, value)
        for tag, value in sorted(bag.items())
        if tag >> 16 < FIRST_PROPERTY_NAME or tag >> 16 in names
    )


async def unpacked(text: str) -> Exported:
    """Reads the text of an element Data. Raises EwsError ErrorCorruptData, also for a content that its class does not have."""
    item = await aside(text, lambda: read(text))
    if not 0 < len(item.item_class) <= 255 or not item.item_class.isascii() or not item.item_class.isprintable():
        raise EwsError(Code.CORRUPT_DATA)
    is_known = is_class(item.item_class, *_NAMED)
    if (is_known and not item.is_named) or (item.is_named and is_class(item.item_class, MESSAGE)):
        raise EwsError(Code.CORRUPT_DATA)
    return item


async def upload_new(place: Place, item: Exported) -> StoredItem:
    """Makes an item in a folder. Raises EwsError: ErrorAccessDenied, ErrorCorruptData; MailboxError."""
    mailbox, folder = place.mailbox, place.node.id
    demand_target(place)
    bag = await _bag(mailbox, item)
    flags = item.flags | await _keywords(place, item) if not item.is_named else item.flags
    if item.is_named:
        resource = NewResource(item.content, item.item_class, _values(place, item), "", flags, _received(item.received))
        # A calendar has each UID once (RFC 4791 section 4.1).
        (number,) = await mailbox.store.add_with(mailbox.id, folder, [resource], bag, place.node.is_calendar)
    else:
        new = NewItem(item.content, flags, _received(item.received), item.item_class)
        (number,) = await mailbox.store.create_with(mailbox.id, folder, [new], bag)
    return await _stored(mailbox, number)


async def upload_over(mailbox: Mailbox, ref: ItemRef, item: Exported) -> StoredItem:
    """Gives an item another content, and other flags and properties. Raises EwsError: ErrorItemNotFound, ErrorAccessDenied,
    ErrorCorruptData for an item of another class or with another UID; MailboxError."""
    nodes = await mailbox.nodes()
    number = ref.id.item
    stored = next(iter(await mailbox.store.get(mailbox.id, [number])), None)
    if stored is None:
        raise EwsError(Code.ITEM_NOT_FOUND)
    place = Place(mailbox, nodes[stored.folder])
    await mailbox.demand_edit([number])
    named = list(await mailbox.store.with_ids(mailbox.id, [number]))
    if bool(named) != item.is_named:
        raise EwsError(Code.CORRUPT_DATA)
    values = None
    if named:
        values = _values(place, item)
        if named[0].uid and values.uid != named[0].uid:
            raise EwsError(Code.CORRUPT_DATA, "An item keeps its UID.")
    # What else is in the bag goes: it is the one of `known`, or the item has changed since.
    known = stored.change if ref.change is None else min(ref.change, stored.change)
    old = (await mailbox.store.bags(mailbox.id, [number])).get(number, {})
    bag: dict[int, bytes | None] = {tag: None for tag in old if tag != MAKER_TAG}
    bag.update(await _bag(mailbox, item))
    beside = Beside(item.flags, bag)
    await mailbox.store.edit(mailbox.id, number, beside, item.content, values, item.item_class, known)
    return await _stored(mailbox, number)


def _values(place: Place, item: Exported) -> RenderedItem:
    """The values by which an item is looked up."""
    values = rendered(item.content, place.mailbox.recipient.folded_addresses)
    if values is NOTHING_RENDERED and is_class(item.item_class, *_NAMED):
        raise EwsError(Code.CORRUPT_DATA)
    return values


def _received(seconds: int) -> int:
    """A time that every program can show."""
    return min(max(seconds, 0), (1 << 32) - 1)


async def _keywords(place: Place, item: Exported) -> int:
    """The bits of the item's keywords; they are for who may change what is in the folder (RFC 4314 section 4)."""
    if not item.keywords or not place.mailbox.rights_in(place.node) & Right.EDIT_ANY:
        return 0
    return await keyword_bits(place, item.keywords)


async def _bag(mailbox: Mailbox, item: Exported) -> dict[int, bytes]:
    """The bag of an item as this mailbox numbers its properties."""
    numbers = await mailbox.numbers([each.name for each in item.properties if each.name is not None], create=True)
    bag = {
        (numbers[each.name] if each.name is not None else each.id) << 16 | each.type: each.value
        for each in item.properties
    }
    bag.pop(MAKER_TAG, None)
    return bag


async def _stored(mailbox: Mailbox, number: int) -> StoredItem:
    for item in await mailbox.server.items.get(mailbox.id, [number]):
        return item
    raise EwsError(Code.ITEM_NOT_FOUND)
