"""Properties that clients set and the server does not understand ("dead", RFC 4918 section 4), of resources and collections.

Each is a named property in the bag of the item or the folder: MAPI and EWS clients see it in the set DAV, by its name in
Clark's notation. So it goes with the item when that is copied or moved. Its value is the markup of the whole element.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

from postern.items.properties import DAV
from postern.model.folders import FolderNode
from postern.model.item_store import PropertyName
from postern.model.mailbox import MailboxError
from postern.protocols.dav.names import dav, element
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.request import Refusal

SEGMENT, COMPONENTS = "Postern:segment", "Postern:components"
"""Names of what the server itself keeps of a collection: its segment in the path, and the components that it takes. No property
of a client has such a name, for no prefix stands in Clark's notation."""
UNICODE = 0x001F
"""PtypString (MS-OXCDATA section 2.11.1): UTF-16 with a zero at the end."""
MAX_NAME = 255
"""Octets of a name that the store numbers."""
Values = dict[str, str]


def _name(name: str) -> PropertyName:
    return PropertyName(DAV, None, name)


async def _numbers(box: OwnMailbox, names: Sequence[str] | None) -> dict[int, str]:
    """Returns the numbers of these names, or of all of the set, in the mailbox. Names that it does not know are left out."""
    if names is None:
        known = await box.store.property_names(box.id)
        return {number: name.name for number, name in known.items() if name.set == DAV}
    fitting = [name for name in names if len(name.encode()) <= MAX_NAME]
    ids = await box.store.property_ids(box.id, [_name(name) for name in fitting]) if fitting else []
    return {number: name for number, name in zip(ids, fitting, strict=True) if number}


def _texts(bags: Iterable[tuple[int, Mapping[int, bytes]]], numbers: Mapping[int, str]) -> dict[int, Values]:
    read = {
        key: {numbers[tag >> 16]: _text(value) for tag, value in bag.items() if tag >> 16 in numbers}
        for key, bag in bags
    }
    return {key: values for key, values in read.items() if values}


def _text(value: bytes) -> str:
    return value.decode("utf-16-le", "replace").removesuffix("\0")


async def read(box: OwnMailbox, items: Sequence[int], names: Sequence[str] | None = None) -> dict[int, Values]:
    """Returns the dead properties of items, by id: those of `names`, or all (None). Items that have none are left out."""
    numbers = await _numbers(box, names)
    if not numbers or not items:
        return {}
    result: dict[int, Values] = {}
    left = sorted(items)
    while left:
        bags = await box.store.bags(box.id, left)
        result |= _texts(bags.items(), numbers)
        # The store brings 64 MB at a time, in the order of ids.
        left = [item for item in left if item > max(bags)] if bags else []
    return result


async def read_folders(box: OwnMailbox, folders: Sequence[FolderNode]) -> dict[int, Values]:
    """Returns what is kept of folders, by id: dead properties, SEGMENT and COMPONENTS. While none of them has changed, it is
    remembered."""
    if not folders:
        return {}
    state = tuple((node.id, node.change) for node in folders)
    kept = box.access.kept.get(box.id, state)
    if kept is None:
        numbers = await _numbers(box, None)
        bags = await box.store.folder_properties(box.id, [node.id for node in folders]) if numbers else {}
        kept = _texts(bags.items(), numbers)
        box.access.kept.put(box.id, state, kept)
    return kept


async def write(box: OwnMailbox, item: int, values: Mapping[str, str | None]) -> None:
    """Sets dead properties of an item, all or none; None removes one. Raises Refusal 507 where there is no room."""
    bag = await _bag(box, values)
    if bag:
        try:
            await box.store.set_properties(box.id, item, bag)
        except MailboxError as error:
            raise _full(error) from None


async def write_folder(box: OwnMailbox, folder: int, values: Mapping[str, str | None]) -> None:
    """Does what `write` does for a folder."""
    bag = await _bag(box, values)
    if bag:
        try:
            await box.store.set_folder_properties(box.id, folder, bag)
        except MailboxError as error:
            raise _full(error) from None
        box.forget()


async def _bag(box: OwnMailbox, values: Mapping[str, str | None]) -> dict[int, bytes | None]:
    names = list(values)
    if any(len(name.encode()) > MAX_NAME for name in names):
        raise Refusal(HTTPStatus.INSUFFICIENT_STORAGE, text="The name of a property is too long")
    if not names:
        return {}
    creates = any(value is not None for value in values.values())
    try:
        numbers = await box.store.property_ids(box.id, [_name(name) for name in names], create=creates)
    except MailboxError as error:
        raise _full(error) from None
    return {
        number << 16 | UNICODE: None if value is None else (value + "\0").encode("utf-16-le")
        for number, value in zip(numbers, values.values(), strict=True)
        if number
    }


def _full(error: MailboxError) -> Exception:
    if error.code != "LIMIT":
        return error
    return Refusal(HTTPStatus.INSUFFICIENT_STORAGE, element(dav("sufficient-disk-space")))
