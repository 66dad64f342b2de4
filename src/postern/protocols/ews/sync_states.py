"""Synchronization states as clients keep them (MS-OXWSSYNC sections 3.1.4.1.3.6 and 3.1.4.2.3.8).

A state says up to which change of a folder a client knows it. It holds numbers of the store alone, so it is valid for as long as
the folder is there, after a restart and on another server of the database. It carries no secret, and gives no right.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar
from uuid import UUID

from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError

_FORM = struct.Struct(">BB16sqqqqBq")
"""A mark, the kind, the mailbox, the folder, and five numbers whose meaning the kind decides."""
_MARK = 0xB1
_CHECK = struct.Struct(">I")
"""A sum by which damage is noticed."""
MAX_LENGTH = 128
"""Characters of a state that are read."""


class Fate(IntEnum):
    """The fate of an item, in the order in which one change tells it."""

    CREATED = 0
    CHANGED = 1
    REMOVED = 2


@dataclass(frozen=True, slots=True)
class ItemsState:
    """A client knows the items of a folder up to the change `since`. While it is first told all items, `walked` is the UID up to
    which it was told those that were there at `since`; -1 afterwards. Of one change that is larger than a page, `within` is the
    number, and `fate` and `item` are the last that it was told; 0: there is no such change."""

    mailbox: UUID
    folder: int
    since: int = 0
    walked: int = 0
    within: int = 0
    fate: Fate = Fate.CREATED
    item: int = 0
    KIND: ClassVar = 1

    def __str__(self) -> str:
        numbers = (self.since, self.walked, self.within, self.fate, self.item)
        return _written(_FORM.pack(_MARK, self.KIND, self.mailbox.bytes, self.folder, *numbers))


@dataclass(frozen=True, slots=True)
class FoldersState:
    """A client knows the folders below `folder` up to the change `since`."""

    mailbox: UUID
    folder: int
    since: int = 0
    KIND: ClassVar = 2

    def __str__(self) -> str:
        return _written(_FORM.pack(_MARK, self.KIND, self.mailbox.bytes, self.folder, self.since, 0, 0, 0, 0))


def _written(octets: bytes) -> str:
    return base64.b64encode(octets + _CHECK.pack(zlib.crc32(octets))).decode("ascii")


def read_items_state(text: str) -> ItemsState:
    """Reads the state of a folder's items. Raises EwsError ErrorInvalidSyncStateData.

    Bound: linear; at most MAX_LENGTH characters.
    """
    mailbox, folder, since, walked, within, fate, item = _read(text, ItemsState.KIND)
    if fate > max(Fate) or walked < -1 or within < 0 or item < 0:
        raise EwsError(Code.INVALID_SYNC_STATE_DATA)
    return ItemsState(mailbox, folder, since, walked, within, Fate(fate), item)


def read_folders_state(text: str) -> FoldersState:
    """Reads the state of a tree of folders. Raises EwsError ErrorInvalidSyncStateData.

    Bound: linear; at most MAX_LENGTH characters.
    """
    mailbox, folder, since, *_ = _read(text, FoldersState.KIND)
    return FoldersState(mailbox, folder, since)


def _read(text: str, wanted: int) -> tuple[UUID, int, int, int, int, int, int]:
    text = text.strip() if len(text) <= MAX_LENGTH else ""
    try:
        octets = base64.b64decode(text, validate=True)
        body, check = octets[: -_CHECK.size], octets[-_CHECK.size :]
        mark, kind, mailbox, folder, since, walked, within, fate, item = _FORM.unpack(body)
    except (ValueError, binascii.Error, struct.error):
        raise EwsError(Code.INVALID_SYNC_STATE_DATA) from None
    if mark != _MARK or kind != wanted or check != _CHECK.pack(zlib.crc32(body)) or since < 0:
        raise EwsError(Code.INVALID_SYNC_STATE_DATA)
    return UUID(bytes=mailbox), folder, since, walked, within, fate, item
