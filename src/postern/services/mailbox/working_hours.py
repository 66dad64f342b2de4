"""The working hours of a mailbox's owner, where programs keep them: in the configuration `WorkHours` of the well-known calendar
(MS-OXOCAL section 2.2.5.1), which `services.ews.user_configurations` shows to programs for Exchange.

A configuration is a named property of its folder: JSON of its parts, packed, and the XML of working hours is one of these.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from postern.items import working_hours
from postern.items.properties import CONFIGURATIONS, Type
from postern.items.property_values import decoded, encoded
from postern.items.working_hours import DEFAULT, WorkingHours
from postern.model.folders import FolderKind, FolderTree
from postern.model.item_store import ItemStore, PropertyName
from postern.model.mailbox import MailboxError

PROPERTY = PropertyName(CONFIGURATIONS, None, ":WorkHours")
_MAX_UNPACKED = 4 * working_hours.MAX_OCTETS


class HoursStore(FolderTree, ItemStore, Protocol):
    """The store as working hours are kept in it."""


def tag_of(number: int) -> int:
    """The tag of the property with this number; 0 where the mailbox has none."""
    return number << 16 | Type.BINARY if number else 0


def text_in(bag: Mapping[int, bytes], tag: int) -> str:
    """The XML of working hours in a calendar's bag; "" where there is none that can be read.

    Bound: linear in the value; at most 64 KB of it are unpacked.
    """
    if tag not in bag:
        return ""
    try:
        packed = decoded(Type.BINARY, bag[tag])
        if not isinstance(packed, bytes):
            return ""
        parts: Any = json.loads(zlib.decompressobj().decompress(packed, _MAX_UNPACKED))
        return base64.b64decode(parts["xml"], validate=True).decode("utf-8-sig")
    except (ValueError, TypeError, KeyError, RecursionError, zlib.error):
        return ""


async def read(store: HoursStore, mailbox: UUID) -> WorkingHours:
    """The working hours of a mailbox's owner, the usual ones where none were set. Raises MailboxError."""
    calendar = await _calendar(store, mailbox)
    (number,) = await store.property_ids(mailbox, [PROPERTY])
    bag = (await store.folder_properties(mailbox, [calendar])).get(calendar, {})
    text = text_in(bag, tag_of(number))
    return (working_hours.read(text) if text else None) or DEFAULT


async def write(store: HoursStore, mailbox: UUID, hours: WorkingHours | None) -> None:
    """Keeps working hours; None takes them away. Raises MailboxError: NONEXISTENT for a mailbox that was never opened, LIMIT."""
    calendar = await _calendar(store, mailbox)
    (number,) = await store.property_ids(mailbox, [PROPERTY], create=True)
    value = None
    if hours is not None:
        text = base64.b64encode(working_hours.written(hours).encode()).decode("ascii")
        parts = {"dictionary": None, "xml": text, "binary": None}
        value = encoded(Type.BINARY, zlib.compress(json.dumps(parts).encode()))
    await store.set_folder_properties(mailbox, calendar, {tag_of(number): value})


async def _calendar(store: HoursStore, mailbox: UUID) -> int:
    for node in await store.tree(mailbox):
        if node.kind is FolderKind.CALENDAR:
            return node.id
    raise MailboxError("NONEXISTENT", "The mailbox has no calendar")
