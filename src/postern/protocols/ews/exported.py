"""An item as it is exported and uploaded (MS-OXWSBTRF section 2.2.4): a form of our own: the document leaves it to the server.

It has the item's content as it is (MIME, iCalendar, vCard), and beside it what the content does not say.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from postern.model.item_store import FIRST_PROPERTY_NAME, MAX_PROPERTIES, PropertyName
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError

_MARK = b"\xa4POSTERN\x01"
_HEAD = struct.Struct(">9sII")
"""A mark, the check sum of all that follows, and the octets of the description; behind it stands the content."""
_MAX_DESCRIPTION = 1 << 20
_MAX_KEYWORDS = 100
_KEYWORD = re.compile(r'[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]{1,100}')
"""A keyword is an atom of IMAP (RFC 9051 section 9, flag-keyword), for it is told there as it stands."""


class ExportedProperty(NamedTuple):
    """A MAPI property of a bag: its id, or the name of a named one; the number of its type; and its value as the bag has it."""

    id: int
    name: PropertyName | None
    type: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Exported:
    """An item. `is_named`: it is one of those that have a name in their folder, as appointments and contacts. `flags` are system
    flags, `received` is in seconds since the epoch."""

    item_class: str
    is_named: bool
    flags: int
    received: int
    keywords: tuple[str, ...]
    properties: tuple[ExportedProperty, ...]
    content: bytes


def write(item: Exported) -> bytes:
    """The item as the element Data has it in base64."""
    description = json.dumps(
        {
            "class": item.item_class,
            "named": item.is_named,
            "flags": item.flags,
            "received": item.received,
            "keywords": item.keywords,
            "properties": [_property(each) for each in item.properties],
        },
        separators=(",", ":"),
    ).encode()
    check = zlib.crc32(item.content, zlib.crc32(description))
    return _HEAD.pack(_MARK, check, len(description)) + description + item.content


def _property(each: ExportedProperty) -> list[Any]:
    name = [str(each.name.set), each.name.lid, each.name.name] if each.name is not None else None
    return [each.id, name, each.type, base64.b64encode(each.value).decode("ascii")]


def read(text: str) -> Exported:
    """Reads what `write` wrote. Raises EwsError ErrorCorruptData for anything else, as what another server exported.

    Bound: linear in the text; at most MAX_PROPERTIES properties.
    """
    try:
        octets = base64.b64decode(text.translate(_NO_SPACE), validate=True)
        mark, check, size = _HEAD.unpack_from(octets)
        end = _HEAD.size + size
        if mark != _MARK or size > _MAX_DESCRIPTION or end > len(octets) or zlib.crc32(octets[_HEAD.size :]) != check:
            raise ValueError
        value: Any = json.loads(octets[_HEAD.size : end])
        keywords, properties = value["keywords"], value["properties"]
        if len(properties) > MAX_PROPERTIES or len(keywords) > _MAX_KEYWORDS:
            raise ValueError
        return Exported(
            _checked(value["class"], str),
            _checked(value["named"], bool),
            _checked(value["flags"], int) & 0x1F,
            _checked(value["received"], int),
            tuple(_keyword(each) for each in keywords),
            tuple(_read_property(each) for each in properties),
            octets[end:],
        )
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error, struct.error):
        raise EwsError(Code.CORRUPT_DATA) from None


_NO_SPACE = dict.fromkeys(map(ord, " \t\r\n"))


def _checked(value: Any, type_: type) -> Any:
    if type(value) is not type_:
        raise ValueError
    return value


def _keyword(value: Any) -> str:
    if _KEYWORD.fullmatch(_checked(value, str)) is None:
        raise ValueError
    return str(value)


def _read_property(parts: Any) -> ExportedProperty:
    number, name, type_, value = parts
    known = None
    if name is not None:
        set_, lid, text = name
        known = PropertyName(UUID(set_), None if lid is None else _checked(lid, int), _checked(text, str))
        if lid is not None and not 0 <= lid < 1 << 31:
            raise ValueError
    elif not 0 < _checked(number, int) < FIRST_PROPERTY_NAME:
        raise ValueError
    if not 0 < _checked(type_, int) < 1 << 16:
        raise ValueError
    return ExportedProperty(number if known is None else 0, known, type_, base64.b64decode(value, validate=True))
