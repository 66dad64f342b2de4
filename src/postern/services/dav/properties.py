"""Properties of resources that clients set and the server does not understand ("dead", RFC 4918 section 4).

Each is a named property in the item's bag: MAPI and EWS clients see it under the set PS_DAV, by its name in Clark's notation. So
it goes with the item when that is copied or moved. Its value is the markup of the whole element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from uuid import UUID

from postern.model.item_store import PropertyName
from postern.model.mailbox import MailboxError
from postern.protocols.dav.names import dav, element
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.request import Refusal

PS_DAV = UUID("a3a5f0d4-5b0b-4d6e-9d0c-7f7a54ad4e0b")
UNICODE = 0x001F
"""PtypString (MS-OXCDATA section 2.11.1): UTF-16 with a zero at the end."""
MAX_NAME = 255
"""Octets of a name that the store numbers."""


def _name(name: str) -> PropertyName:
    return PropertyName(PS_DAV, None, name)


async def read(box: OwnMailbox, items: Sequence[int], names: Sequence[str] | None = None) -> dict[int, dict[str, str]]:
    """Returns the dead properties of items, by id: those of `names`, or all (None). Costs a call for each item only if the
    mailbox has such properties at all."""
    if names is None:
        numbers = {
            number: name.name for number, name in (await box.store.property_names(box.id)).items() if name.set == PS_DAV
        }
    else:
        fitting = [name for name in names if len(name.encode()) <= MAX_NAME]
        ids = await box.store.property_ids(box.id, [_name(name) for name in fitting]) if fitting else []
        numbers = {number: name for number, name in zip(ids, fitting, strict=True) if number}
    if not numbers:
        return {}
    result: dict[int, dict[str, str]] = {}
    for item in items:
        bag = await box.store.properties(box.id, item)
        values = {numbers[tag >> 16]: _text(value) for tag, value in bag.items() if tag >> 16 in numbers}
        if values:
            result[item] = values
    return result


def _text(value: bytes) -> str:
    return value.decode("utf-16-le", "replace").removesuffix("\0")


async def write(box: OwnMailbox, item: int, values: Mapping[str, str | None]) -> None:
    """Sets dead properties of an item, all or none; None removes one. Raises Refusal 507 where there is no room."""
    names = list(values)
    if any(len(name.encode()) > MAX_NAME for name in names):
        raise Refusal(HTTPStatus.INSUFFICIENT_STORAGE, text="The name of a property is too long")
    try:
        numbers = await box.store.property_ids(
            box.id, [_name(name) for name in names], create=any(value is not None for value in values.values())
        )
        bag = {
            number << 16 | UNICODE: None if value is None else (value + "\0").encode("utf-16-le", "surrogatepass")
            for number, value in zip(numbers, values.values(), strict=True)
            if number
        }
        if bag:
            await box.store.set_properties(box.id, item, bag)
    except MailboxError as error:
        if error.code == "LIMIT":
            raise Refusal(HTTPStatus.INSUFFICIENT_STORAGE, element(dav("sufficient-disk-space"))) from None
        raise
