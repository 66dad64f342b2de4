"""Ids in the other forms in which programs keep them (MS-OXWSCVTID section 2.2.5.1).

An entry id has the layout of MAPI (MS-OXCDATA sections 2.2.4.1 and 2.2.4.2): the mailbox is the provider, and the number of the
folder or item is the global counter. That of an item says nothing of its folder, so that it is the same after a move.
"""

from __future__ import annotations

import base64
import binascii
import struct
from enum import StrEnum
from urllib.parse import quote, unquote
from uuid import UUID

from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import MAX_LENGTH, FolderId, Id, ItemId, read_id

_HEAD = struct.Struct("<4x16sH")
"""Flags, the provider and the type."""
_OBJECT = struct.Struct(">16s6s2x")
"""A database's GUID, a global counter and two octets that fill up."""
_FOLDER, _MESSAGE = 0x0001, 0x0007
"""The types eitLTPrivateFolder and eitLTPrivateMessage (MS-OXCDATA section 2.2.4)."""
_NO_FOLDER = _OBJECT.pack(bytes(16), bytes(6))


class IdFormat(StrEnum):
    EWS_LEGACY = "EwsLegacyId"
    EWS = "EwsId"
    ENTRY = "EntryId"
    HEX_ENTRY = "HexEntryId"
    STORE = "StoreId"
    OWA = "OwaId"


def read_alternate(form: IdFormat, text: str) -> Id:
    """Reads an id in one of the forms. Raises EwsError: ErrorInvalidIdEmpty, ErrorInvalidIdMalformed.

    Bound: linear; at most MAX_LENGTH characters, or three times as many in the form of OWA.
    """
    if not text:
        raise EwsError(Code.INVALID_ID_EMPTY)
    if len(text) > 3 * MAX_LENGTH:
        raise EwsError(Code.INVALID_ID_MALFORMED)
    if form in (IdFormat.EWS, IdFormat.EWS_LEGACY):
        return read_id(text)
    if form is IdFormat.OWA:
        return read_id(unquote(text, errors="replace"))
    try:
        octets = bytes.fromhex(text) if form is IdFormat.HEX_ENTRY else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise EwsError(Code.INVALID_ID_MALFORMED) from None
    return _of_entry(octets)


def _of_entry(octets: bytes) -> Id:
    if len(octets) >= _HEAD.size + _OBJECT.size:
        mailbox, kind = _HEAD.unpack_from(octets)
        _, counter = _OBJECT.unpack_from(octets, len(octets) - _OBJECT.size)
        number = int.from_bytes(counter, "big", signed=True)
        rest = len(octets) - _HEAD.size
        if kind == _FOLDER and rest == _OBJECT.size:
            return FolderId(UUID(bytes_le=mailbox), number)
        if kind == _MESSAGE and rest == 2 * _OBJECT.size:
            return ItemId(UUID(bytes_le=mailbox), number)
    raise EwsError(Code.INVALID_ID_MALFORMED)


def written_alternate(form: IdFormat, id_: Id) -> str:
    """An id in one of the forms. Raises EwsError ErrorUnsupportedTypeForConversion for one that has no entry id: of an
    attachment, a conversation, or one occurrence of a series."""
    if form in (IdFormat.EWS, IdFormat.EWS_LEGACY):
        return str(id_)
    if form is IdFormat.OWA:
        return quote(str(id_), safe="")
    octets = entry_id(id_)
    return octets.hex().upper() if form is IdFormat.HEX_ENTRY else base64.b64encode(octets).decode("ascii")


def entry_id(id_: Id) -> bytes:
    """The entry id of a folder or an item. Raises EwsError ErrorUnsupportedTypeForConversion."""
    if isinstance(id_, FolderId):
        return _HEAD.pack(id_.mailbox.bytes_le, _FOLDER) + _object(id_.mailbox, id_.folder)
    if isinstance(id_, ItemId) and id_.start is None:
        return _HEAD.pack(id_.mailbox.bytes_le, _MESSAGE) + _NO_FOLDER + _object(id_.mailbox, id_.item)
    raise EwsError(Code.UNSUPPORTED_TYPE_FOR_CONVERSION)


def _object(mailbox: UUID, number: int) -> bytes:
    try:
        return _OBJECT.pack(mailbox.bytes_le, number.to_bytes(6, "big", signed=True))
    except OverflowError:
        raise EwsError(Code.INVALID_ID_MALFORMED) from None
