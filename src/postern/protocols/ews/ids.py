"""Ids and change keys as clients keep them (MS-OXWSITEMID is Exchange's form; clients treat all as opaque).

An id says which mailbox it is of, so that one of another's mailbox is judged by the rights there. It carries no secret: whoever
makes one up is asked for the same rights as a client that was told it.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError

_FORM = struct.Struct(">BB16sqqH")
"""A mark, the kind, the mailbox, the number, and two numbers more whose meaning the kind decides."""
_MARK = 0xA1
MAX_LENGTH = 512
"""Characters of an id that are read (MS-OXWSCDATA: ErrorInvalidIdMonikerTooLong is for longer ones)."""
_CHANGE = struct.Struct(">BQ")
TOP = 0
"""The folder above all that people see (msgfolderroot)."""
ROOT = -1
"""The folder above that one (root)."""
SEARCHES = -2
"""The folder of search folders, beside the one that all people see (searchfolders)."""
ABOVE = frozenset((TOP, ROOT, SEARCHES))
"""The folders that stand above the tree; they have no items."""


class IdKind(IntEnum):
    FOLDER = 1
    ITEM = 2
    OCCURRENCE = 3
    ATTACHMENT = 4
    CONVERSATION = 5


@dataclass(frozen=True, slots=True)
class FolderId:
    """A folder by its number in the mailbox's tree; those of ABOVE stand above the tree."""

    mailbox: UUID
    folder: int

    def __str__(self) -> str:
        return _written(IdKind.FOLDER, self.mailbox, self.folder)


@dataclass(frozen=True, slots=True)
class ItemId:
    """An item by its number; with `start`, one occurrence of a series by its original start (seconds since the epoch, UTC)."""

    mailbox: UUID
    item: int
    start: int | None = None

    def __str__(self) -> str:
        if self.start is None:
            return _written(IdKind.ITEM, self.mailbox, self.item)
        return _written(IdKind.OCCURRENCE, self.mailbox, self.item, self.start)


@dataclass(frozen=True, slots=True)
class AttachmentId:
    """An attachment of an item. `index` is the number of the part of a message, or of the line of another content; `check` is a
    number by which it is noticed that the content has become another."""

    mailbox: UUID
    item: int
    index: int
    check: int = 0

    def __str__(self) -> str:
        return _written(IdKind.ATTACHMENT, self.mailbox, self.item, self.check, self.index)


@dataclass(frozen=True, slots=True)
class ConversationId:
    """A conversation by a number of 64 bits that its messages share."""

    mailbox: UUID
    conversation: int

    def __str__(self) -> str:
        return _written(IdKind.CONVERSATION, self.mailbox, self.conversation)


Id = FolderId | ItemId | AttachmentId | ConversationId


def _written(kind: IdKind, mailbox: UUID, number: int, more: int = 0, index: int = 0) -> str:
    return base64.b64encode(_FORM.pack(_MARK, kind, mailbox.bytes, number, more, index)).decode("ascii")


def read_id(text: str) -> Id:
    """Reads an id. Raises EwsError: ErrorInvalidIdEmpty, ErrorInvalidIdMalformed.

    Bound: linear; at most MAX_LENGTH characters.
    """
    if not text:
        raise EwsError(Code.INVALID_ID_EMPTY)
    if len(text) > MAX_LENGTH:
        raise EwsError(Code.INVALID_ID_MALFORMED)
    try:
        mark, kind, mailbox, number, more, index = _FORM.unpack(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error, struct.error):
        raise EwsError(Code.INVALID_ID_MALFORMED) from None
    owner = UUID(bytes=mailbox)
    if mark == _MARK:
        if kind == IdKind.FOLDER:
            return FolderId(owner, number)
        if kind == IdKind.ITEM:
            return ItemId(owner, number)
        if kind == IdKind.OCCURRENCE:
            return ItemId(owner, number, more)
        if kind == IdKind.ATTACHMENT:
            return AttachmentId(owner, number, index, more)
        if kind == IdKind.CONVERSATION:
            return ConversationId(owner, number)
    raise EwsError(Code.INVALID_ID_MALFORMED)


def change_key(change: int) -> str:
    """The change key of an item or folder whose last change has this number."""
    return base64.b64encode(_CHANGE.pack(_MARK, change)).decode("ascii")


def read_change_key(text: str) -> int:
    """Reads a change key. Raises EwsError ErrorInvalidChangeKey.

    Bound: linear; at most MAX_LENGTH characters.
    """
    if len(text) > MAX_LENGTH:
        raise EwsError(Code.INVALID_CHANGE_KEY)
    try:
        mark, change = _CHANGE.unpack(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error, struct.error):
        raise EwsError(Code.INVALID_CHANGE_KEY) from None
    if mark != _MARK:
        raise EwsError(Code.INVALID_CHANGE_KEY)
    return int(change)
