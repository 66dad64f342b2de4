"""The codecs of the mailbox interfaces that `mailbox` declares: the values and errors of `model.mailbox`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.folders import Folder, FolderKind
from postern.model.items import CopyResult, FetchedItems, FlagChange, FlagResult, Index, NewItem
from postern.model.mailbox import KEEP_QUOTA, MailboxError, MailboxErrorCode, MailboxInfo
from postern.model.search import SearchResult
from postern.protocols.dcerpc.codecs import (
    BOOLEAN,
    LONG_WORDS,
    TIMES,
    UUIDS,
    WORDS,
    Codec,
    Columns,
    Parameter,
    Rows,
    Wide,
    mapping,
    numbered,
    only,
    or_none,
    parts,
    read_signed_words,
    read_texts,
    read_uuids,
    read_words,
    record,
    write_signed_words,
    write_texts,
    write_words,
)
from postern.protocols.dcerpc.interface import Refusals
from postern.protocols.dcerpc.ndr import I64, U8, U32, U64, Array, Structure
from postern.protocols.dcerpc.ndr_blobs import Blobs

MAX_WAIT = 1800.0
"""Seconds that one `wait` may last."""
NOW = -(1 << 63)
"""The date of a new item that gets its date from the server."""
_MAX_UID = 0xFFFFFFFF
_BYTES, _WORDS, _BLOBS = Array(U8), Array(U32), Blobs()

# Refusals


def _write_error(error: MailboxError) -> tuple[bytes, int]:
    number = MailboxErrorCode.__members__.get(error.code, MailboxErrorCode.UNAVAILABLE)
    return str(error).encode("utf-8", "replace"), number


def _read_error(text: bytes, number: int) -> MailboxError:
    code = _CODES.get(number, MailboxErrorCode.UNAVAILABLE)
    return MailboxError(code.name, text.decode("utf-8", "replace"))


_CODES = {code.value: code for code in MailboxErrorCode}
REFUSALS = Refusals(
    MailboxError,
    _write_error,
    _read_error,
    (("error_text", _BYTES),),
    lost=lambda text: MailboxError("UNAVAILABLE", text),
    lacking=lambda text: MailboxError("CANNOT", text),
)
"""The refusals of mailbox interfaces. A MailboxError travels as the number of its code and its text in UTF-8. A lost connection
and a broken answer become UNAVAILABLE: try again."""

# Folders

_KINDS = {
    FolderKind.INBOX: 0,
    FolderKind.SENT: 1,
    FolderKind.DRAFTS: 2,
    FolderKind.DELETED: 3,
    FolderKind.JUNK: 4,
    FolderKind.OUTBOX: 5,
    FolderKind.ARCHIVE: 6,
    FolderKind.USER: 7,
    FolderKind.CALENDAR: 8,
    FolderKind.CONTACTS: 9,
    FolderKind.TASKS: 10,
    FolderKind.NOTES: 11,
    FolderKind.JOURNAL: 12,
}
KIND = numbered("kind of folder", _KINDS)
"""The kind of a folder in a request: a server does not create folders of a kind that it does not know."""
ANSWERED_KIND = numbered("kind of folder", _KINDS, unknown=FolderKind.USER)
"""The kind of a folder in an answer. A client takes a folder of a newer server's kind for one of the user's own."""
FOLDER_STRUCTURE = Structure(
    "FOLDER",
    (
        ("id", I64),
        ("highest_modseq", U64),
        ("size", U64),
        ("uid_validity", U32),
        ("uid_next", U32),
        ("messages", U32),
        ("unseen", U32),
        ("deleted", U32),
        ("recent_uid", U32),
        ("kind", U32),
        ("subscribed", U32),
        ("name_count", U32),
        ("keyword_count", U32),
    ),
)
FOLDERS = Rows(
    ("folders", "names"),
    Folder,
    FOLDER_STRUCTURE,
    {"kind": ANSWERED_KIND, "subscribed": BOOLEAN},
    {"name_count": "path", "keyword_count": "keywords"},
)
FOLDER = only(FOLDERS, "folder")


def _write_paths(values: Sequence[tuple[str, ...]]) -> tuple[bytes, list[bytes]]:
    return write_words([len(path) for path in values]), write_texts([name for path in values for name in path])


def _read_paths(counts: bytes, names: Sequence[bytes]) -> list[tuple[str, ...]]:
    return [tuple(part) for part in parts(read_words(counts), read_texts(names))]


PATHS = Wide((("counts", _WORDS), ("names", _BLOBS)), _write_paths, _read_paths)
INFO = Wide(
    (("used", U64), ("quota_now", U64), ("items", U64), ("change", U64)),
    lambda info: (info.used, info.quota, info.items, info.change),
    lambda *numbers: numbers,
)


def info_of(numbers: tuple[int, ...], mailbox: UUID, quota: int) -> MailboxInfo:
    """Makes the answer of `logon` about the mailbox that was asked for."""
    return MailboxInfo(mailbox, *numbers)


# Items


def write_ranges(uids: Sequence[tuple[int, int]]) -> bytes:
    """Writes inclusive ranges as pairs of numbers, cut to the range that UIDs have."""
    if len(uids) == 1:
        first, last = uids[0]
        return struct.pack("<II", min(max(first, 0), _MAX_UID), min(max(last, 0), _MAX_UID))
    return write_words([min(max(uid, 0), _MAX_UID) for pair in uids for uid in pair])


def read_ranges(data: bytes) -> list[tuple[int, int]]:
    if len(data) % 8:
        raise ValueError("half a range")
    return list(struct.iter_unpack("<II", data))


RANGES = Codec(_WORDS, write_ranges, read_ranges)
LIMITED_RANGES = Wide(
    (("limited", U32), ("uid_ranges", _WORDS)),
    lambda uids: (uids is not None, write_ranges(uids or ())),
    lambda limited, data: read_ranges(data) if limited else None,
)
UNCHANGED_SINCE = Wide(
    (("conditional", U32), ("unchanged_since", U64)),
    lambda modseq: (modseq is not None, modseq or 0),
    lambda conditional, modseq: modseq if conditional else None,
)
FLAG_CHANGE = Codec(U32, None, FlagChange)

_INDEX = (
    Parameter("highest_modseq", U64),
    Parameter("uid_next", U32),
    Parameter("messages", U32),
    Parameter("uids", _WORDS),
    Parameter("flags", Array(U64)),
    Parameter("modseqs", Array(U64)),
    Parameter("vanished", _WORDS),
)
INDEX = record(Index, _INDEX)
_RECENT = Wide((("recent_first", U32), ("recent_last", U32)), lambda pair: pair, lambda *pair: pair)
LOOK = record(Index, (*_INDEX, Parameter("recent", _RECENT)))
FETCHED = record(
    FetchedItems,
    (
        Parameter("uids", WORDS),
        Parameter("flags", LONG_WORDS),
        Parameter("modseqs", LONG_WORDS),
        Parameter("sizes", LONG_WORDS),
        Parameter("dates", TIMES),
        Parameter("envelopes", _BLOBS),
        Parameter("structures", _BLOBS),
        Parameter("bodies", _BLOBS),
        Parameter("headers", _BLOBS),
        Parameter("contents", _BLOBS),
    ),
)
FLAGGED = record(
    FlagResult,
    (
        Parameter("uids", WORDS),
        Parameter("new_flags", LONG_WORDS, "flags"),
        Parameter("modseqs", LONG_WORDS),
        Parameter("modified", WORDS),
    ),
)
COPIED = record(CopyResult, (Parameter("uid_validity", U32), Parameter("sources", WORDS), Parameter("targets", WORDS)))
NEW_ITEMS = Columns(
    NewItem,
    (
        Parameter("flags", LONG_WORDS),
        Parameter("dates", or_none(NOW), "internal_date"),
        Parameter("contents", _BLOBS, "content"),
    ),
)

# Search and delivery

FOUND = record(SearchResult, (Parameter("uids", WORDS), Parameter("highest_modseq", U64)))


def _write_deliveries(values: Sequence[Delivery]) -> tuple[Any, ...]:
    return (
        write_texts([d.delivery_id for d in values]),
        write_texts([d.return_path for d in values]),
        write_signed_words([d.received for d in values]),
        [d.content for d in values],
        write_words([len(d.mailboxes) for d in values]),
        b"".join([mailbox.bytes for d in values for mailbox in d.mailboxes]),
        write_signed_words([quota for d in values for quota in d.quotas or [KEEP_QUOTA] * len(d.mailboxes)]),
    )


def read_deliveries(
    ids: Sequence[bytes],
    return_paths: Sequence[bytes],
    received: bytes,
    contents: Sequence[bytes],
    counts: bytes,
    mailboxes: bytes,
    quotas: bytes,
) -> list[Delivery]:
    """Reads a batch of deliveries from its columns. Raises ValueError.

    Bound: linear in the stub.
    """
    sizes = read_words(counts)
    return [
        Delivery(delivery_id, content, mailboxes_, return_path, when, quotas_)
        for delivery_id, content, mailboxes_, return_path, when, quotas_ in zip(
            read_texts(ids),
            contents,
            parts(sizes, read_uuids(mailboxes)),
            read_texts(return_paths),
            read_signed_words(received),
            parts(sizes, read_signed_words(quotas)),
            strict=True,
        )
    ]


DELIVERIES = Wide(
    (
        ("delivery_ids", _BLOBS),
        ("return_paths", _BLOBS),
        ("received", Array(I64)),
        ("contents", _BLOBS),
        ("mailbox_counts", _WORDS),
        ("mailboxes", _BYTES),
        ("quotas", Array(I64)),
    ),
    _write_deliveries,
    read_deliveries,
)
STATUSES = Codec(
    _BYTES,
    lambda lists: bytes([status for statuses in lists for status in statuses]),
    lambda data: [DeliveryStatus(number) for number in data],
)


def statuses_of(statuses: Sequence[DeliveryStatus], deliveries: Sequence[Delivery]) -> list[list[DeliveryStatus]]:
    """Groups the statuses by delivery. Raises ValueError unless there is one for each mailbox of each delivery."""
    return [list(part) for part in parts([len(delivery.mailboxes) for delivery in deliveries], statuses)]


def used_of(used: list[int], mailboxes: Sequence[UUID]) -> list[int]:
    """Checks the answer of `used`. Raises ValueError unless there is a number for each mailbox."""
    if len(used) != len(mailboxes):
        raise ValueError("another number of mailboxes")
    return used


# Changes


def change_numbers(mailboxes: str, changes: str) -> Wide:
    """Carries mailboxes with a change number each, as parameters of these names."""
    return mapping(Parameter(mailboxes, UUIDS), Parameter(changes, LONG_WORDS))


MILLISECONDS = Codec(U32, lambda seconds: int(seconds * 1000), lambda milliseconds: min(milliseconds / 1000, MAX_WAIT))
