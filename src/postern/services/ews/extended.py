"""MAPI properties by their paths: in a content by the map of the item's kind, else in its bag (docs/decisions/0003)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

from postern.items.properties import Property, PropertyMap, Type, Value
from postern.items.property_values import MAX_VALUES, decoded
from postern.model.item_store import PropertyName, StoredItem
from postern.protocols import xml
from postern.protocols.ews.alternate_ids import entry_id
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId
from postern.protocols.ews.names import is_true, t, value
from postern.protocols.ews.paths import ExtendedPath, path_markup, read_path
from postern.protocols.ews.times import read_time, written

OURS = "Postern:"
"""The beginning of the names under which the server keeps properties of its own. Clients neither see nor set them."""
_TYPES = frozenset(Type)
ARTICLE_NUMBER = ExtendedPath("Integer", 0x0E23)
"""PidTagInternetArticleNumber, which Exchange gives the UID that IMAP shows. Gateways such as DavMail sort all items by it, and
leave out those that have none."""
Known = Callable[[UUID, StoredItem], Value]
"""Reads a property of an item in the mailbox with this directory id."""
_STORED: Mapping[tuple[int, int], Known] = MappingProxyType(
    {
        (0x001A, Type.STRING): lambda mailbox, item: item.item_class,
        (0x0E08, Type.INTEGER32): lambda mailbox, item: item.size,
        (0x0E23, Type.INTEGER32): lambda mailbox, item: item.uid,
        (0x0FF9, Type.BINARY): lambda mailbox, item: entry_id(ItemId(mailbox, item.id)),
        (0x0FFF, Type.BINARY): lambda mailbox, item: entry_id(ItemId(mailbox, item.id)),
        (0x3008, Type.TIME): lambda mailbox, item: item.modified,
    }
)
"""The properties that the store itself knows of items of every kind: PidTagMessageClass, PidTagMessageSize,
PidTagInternetArticleNumber, PidTagRecordKey, PidTagEntryId and PidTagLastModificationTime. The key of a record names it alone
(MS-OXCPRPT section 2.2.1.8), as its entry id does."""


def property_of(path: ExtendedPath) -> Property:
    """The property that a path names. Raises EwsError: ErrorUnsupportedMapiPropertyType for a type that nothing here has,
    ErrorInvalidExtendedProperty for a property of the server's own."""
    if path.type_number not in _TYPES:
        raise EwsError(Code.UNSUPPORTED_MAPI_PROPERTY_TYPE, path=path_markup(path))
    if path.name.startswith(OURS):
        raise EwsError(Code.INVALID_EXTENDED_PROPERTY, path=path_markup(path))
    name = PropertyName(path.set, path.lid, path.name) if path.set is not None else None
    return Property("", Type(path.type_number), path.tag or 0, name)


def tag_of(property_: Property, numbers: Mapping[PropertyName, int]) -> int:
    """The property's tag in a mailbox with these numbers of named properties; 0: it has none yet."""
    number = property_.id if property_.name is None else numbers.get(property_.name, 0)
    return number << 16 | property_.type if number else 0


def names_of(paths: Sequence[ExtendedPath]) -> list[PropertyName]:
    """The names among these properties."""
    return [PropertyName(path.set, path.lid, path.name) for path in paths if path.set is not None]


def value_of(
    property_: Property,
    content: Any,
    map_: PropertyMap[Any] | None,
    bag: Mapping[int, bytes],
    numbers: Mapping[PropertyName, int],
) -> Value | None:
    """The value of a property: out of the content where the map has a place for it there, else out of the bag."""
    entry = map_.find(property_.key) if map_ is not None else None
    if entry is not None and entry.read is not None and content is not None:
        return entry.read(content)
    octets = bag.get(tag_of(property_, numbers))
    return decoded(property_.type, octets) if octets is not None else None


def is_in_content(path: ExtendedPath, map_: PropertyMap[Any] | None) -> bool:
    """Whether the property is read from the content, by the map of the item's kind."""
    if (path.tag or 0, path.type_number) in _STORED:
        return False
    entry = map_.find(property_of(path).key) if map_ is not None else None
    return entry is not None and entry.read is not None


def markup(
    path: ExtendedPath,
    content: Any,
    map_: PropertyMap[Any] | None,
    bag: Mapping[int, bytes],
    numbers: Mapping[PropertyName, int],
    stored: tuple[UUID, StoredItem] | None = None,
) -> str:
    """The ExtendedProperty of an item (MS-OXWSXPROP section 2.1.1); "" where it has no value. `content` is what `map_` reads;
    None for an item without. `stored` is the item in the store, and the mailbox that it is in; None for a folder, and for what is
    attached to an item."""
    property_ = property_of(path)
    key = (path.tag or 0, path.type_number)
    held = _STORED[key](*stored) if stored is not None and key in _STORED else None
    if held is None:
        held = value_of(property_, content, map_, bag, numbers)
    return shown(path, held) if held is not None else ""


def shown(path: ExtendedPath, held: Value) -> str:
    """The ExtendedProperty that has this value."""
    if isinstance(held, tuple):
        values = "".join([value("t:Value", _text(path, each)) for each in held])
        return f"<t:ExtendedProperty>{path_markup(path)}<t:Values>{values}</t:Values></t:ExtendedProperty>"
    text = value("t:Value", _text(path, held))
    return f"<t:ExtendedProperty>{path_markup(path)}{text}</t:ExtendedProperty>"


def _text(path: ExtendedPath, held: Value) -> str:
    if isinstance(held, bool):
        return "true" if held else "false"
    if isinstance(held, bytes):
        return base64.b64encode(held).decode("ascii")
    if path.type_number == Type.TIME and isinstance(held, int):
        return written(held)
    return str(held)


def read(extended: xml.Element) -> tuple[Property, Value]:
    """Reads an ExtendedProperty with its value. Raises EwsError: ErrorInvalidExtendedProperty, ErrorInvalidExtendedPropertyValue.

    Bound: linear in the element; at most MAX_VALUES values.
    """
    uri = extended.find(t("ExtendedFieldURI"))
    if uri is None:
        raise EwsError(Code.INVALID_EXTENDED_PROPERTY)
    path = read_path(uri)
    if not isinstance(path, ExtendedPath):
        raise EwsError(Code.INVALID_EXTENDED_PROPERTY)
    property_ = property_of(path)
    several = extended.find(t("Values"))
    try:
        if property_.type is Type.STRINGS:
            texts = several.find_all(t("Value")) if several is not None else []
            if several is None or len(texts) > MAX_VALUES:
                raise ValueError
            return property_, tuple(each.text for each in texts)
        single = extended.find(t("Value"))
        if single is None:
            raise ValueError
        return property_, _value(property_.type, single.text)
    except (ValueError, binascii.Error):
        raise EwsError(Code.INVALID_EXTENDED_PROPERTY_VALUE, path=path_markup(path)) from None


_RANGES = {Type.INTEGER16: 1 << 15, Type.INTEGER32: 1 << 31}


def _value(type_: Type, text: str) -> Value:
    if type_ in _RANGES:
        number = int(text) if len(text) < 20 else _RANGES[type_]
        if not -_RANGES[type_] <= number < _RANGES[type_]:
            raise ValueError
        return number
    if type_ is Type.FLOATING64:
        return float(text)
    if type_ is Type.BOOLEAN:
        if text.strip() not in ("true", "false", "0", "1"):
            raise ValueError
        return is_true(text)
    if type_ is Type.TIME:
        return read_time(text)
    if type_ is Type.BINARY:
        return base64.b64decode(text, validate=True)
    return text
