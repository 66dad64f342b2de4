"""Values of mailboxes (`model`) as parameters of the mailbox interfaces, and back. Columns stay columns; nothing is done item by
item that struct can do at once. What comes from the wire is checked here: a ValueError is answered as a bad stub."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.folders import Folder, FolderKind
from postern.model.items import FetchedItems, NewItem
from postern.model.mailbox import KEEP_QUOTA
from postern.model.search import SearchTerm, SortKey

MAX_TERMS = 2000
MAX_DEPTH = 50
_NOW = -(1 << 63)
_KINDS = {
    FolderKind.INBOX: 0,
    FolderKind.SENT: 1,
    FolderKind.DRAFTS: 2,
    FolderKind.DELETED: 3,
    FolderKind.JUNK: 4,
    FolderKind.OUTBOX: 5,
    FolderKind.ARCHIVE: 6,
    FolderKind.USER: 7,
}
"""Their numbers on the wire."""
_KIND_OF = {number: kind for kind, number in _KINDS.items()}
_MAX_UID = 0xFFFFFFFF


def words(values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def long_words(values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def times(values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def read_words(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 4}I", data))


def read_long_words(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 8}Q", data))


def read_times(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 8}q", data))


def ranges(uids: Sequence[tuple[int, int]]) -> bytes:
    """Inclusive ranges as pairs; what lies outside of a UID's range is cut to it."""
    if len(uids) == 1:
        first, last = uids[0]
        return struct.pack("<II", min(max(first, 0), _MAX_UID), min(max(last, 0), _MAX_UID))
    return words([min(max(uid, 0), _MAX_UID) for pair in uids for uid in pair])


def read_ranges(data: bytes) -> list[tuple[int, int]]:
    if len(data) % 8:
        raise ValueError("half a range")
    return list(struct.iter_unpack("<II", data))


def texts(values: Sequence[str]) -> list[bytes]:
    return [value.encode("utf-8", "surrogatepass") for value in values]


def read_texts(values: Sequence[bytes]) -> tuple[str, ...]:
    return tuple([value.decode("utf-8", "surrogatepass") for value in values])


def uuids(values: Sequence[UUID]) -> bytes:
    return b"".join([value.bytes for value in values])


def read_uuids(data: bytes) -> list[UUID]:
    if len(data) % 16:
        raise ValueError("half a UUID")
    return [UUID(bytes=data[at : at + 16]) for at in range(0, len(data), 16)]


# Folders


def kind_number(kind: FolderKind) -> int:
    return _KINDS[kind]


def read_kind(number: int) -> FolderKind:
    if number not in _KIND_OF:
        raise ValueError("an unknown kind of folder")
    return _KIND_OF[number]


def folders(values: Sequence[Folder]) -> tuple[list[tuple[int, ...]], list[bytes]]:
    records: list[tuple[int, ...]] = []
    names: list[str] = []
    for f in values:
        records.append(
            (
                f.id,
                f.highest_modseq,
                f.size,
                f.uid_validity,
                f.uid_next,
                f.messages,
                f.unseen,
                f.deleted,
                f.recent_uid,
                _KINDS[f.kind],
                int(f.subscribed),
                len(f.path),
                len(f.keywords),
            )
        )
        names += f.path
        names += f.keywords
    return records, texts(names)


def read_folders(records: Sequence[tuple[int, ...]], names: Sequence[bytes]) -> list[Folder]:
    found = []
    at = 0
    for record in records:
        number, modseq, size, validity, uid_next, messages, unseen, deleted, recent, kind, subscribed, p, k = record
        if at + p + k > len(names):
            raise ValueError("names are missing")
        path, keywords = read_texts(names[at : at + p]), read_texts(names[at + p : at + p + k])
        at += p + k
        found.append(
            Folder(
                number,
                path,
                read_kind(kind),
                validity,
                uid_next,
                modseq,
                messages,
                unseen,
                deleted,
                size,
                recent,
                bool(subscribed),
                keywords,
            )
        )
    return found


def paths(values: Sequence[tuple[str, ...]]) -> tuple[bytes, list[bytes]]:
    return words([len(path) for path in values]), texts([name for path in values for name in path])


def read_paths(counts: bytes, names: Sequence[bytes]) -> list[tuple[str, ...]]:
    return [read_texts(part) for part in _parts(read_words(counts), names)]


def _parts(counts: Sequence[int], values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    if sum(counts) != len(values):
        raise ValueError("counts do not add up")
    at = 0
    for count in counts:
        yield values[at : at + count]
        at += count


# Items


def fetched(items: FetchedItems) -> tuple[Any, ...]:
    return (
        words(items.uids),
        long_words(items.flags),
        long_words(items.modseqs),
        long_words(items.sizes),
        times(items.dates),
        items.envelopes,
        items.structures,
        items.bodies,
        items.headers,
        items.contents,
    )


def read_fetched(values: Sequence[Any]) -> FetchedItems:
    uids, flags, modseqs, sizes, dates, *blobs = values
    return FetchedItems(
        read_words(uids),
        read_long_words(flags),
        read_long_words(modseqs),
        read_long_words(sizes),
        read_times(dates),
        *blobs,
    )


def new_items(items: Sequence[NewItem]) -> tuple[bytes, bytes, list[bytes]]:
    dates = [_NOW if item.internal_date is None else item.internal_date for item in items]
    return long_words([item.flags for item in items]), times(dates), [item.content for item in items]


def read_new_items(flags: bytes, dates: bytes, contents: Sequence[bytes]) -> list[NewItem]:
    return [
        NewItem(content, bits, None if date == _NOW else date)
        for content, bits, date in zip(contents, read_long_words(flags), read_times(dates), strict=True)
    ]


# Search


def term(root: SearchTerm) -> tuple[Any, ...]:
    """The seven parameters of a program: its terms in prefix order, each with its number of children and ranges."""
    flat: list[SearchTerm] = []
    stack = [root]
    while stack:
        node = stack.pop()
        flat.append(node)
        stack += reversed(node.terms)
    return (
        texts([node.key for node in flat]),
        texts([node.text for node in flat]),
        texts([node.name for node in flat]),
        times([node.number for node in flat]),
        words([len(node.terms) for node in flat]),
        words([len(node.uids) for node in flat]),
        ranges([pair for node in flat for pair in node.uids]),
    )


def read_term(values: Sequence[Any]) -> SearchTerm:
    """A SEARCH program from its flattened terms. Raises ValueError.

    Bound: linear; at most MAX_TERMS terms and MAX_DEPTH levels.
    """
    keys, found_texts, names, numbers, children, counts, pairs = values
    if not 0 < len(keys) <= MAX_TERMS:
        raise ValueError("no term, or too many")
    uids = list(_parts(read_words(counts), read_ranges(pairs)))
    rows = list(
        zip(
            read_texts(keys),
            read_texts(found_texts),
            read_texts(names),
            read_times(numbers),
            read_words(children),
            uids,
            strict=True,
        )
    )
    at = 0

    def build(depth: int) -> SearchTerm:
        nonlocal at
        if at >= len(rows) or depth > MAX_DEPTH:
            raise ValueError("a program that does not add up")
        key, text, name, number, count, ranges_ = rows[at]
        at += 1
        terms = tuple(build(depth + 1) for _ in range(min(count, len(rows))))
        return SearchTerm(key, text, name, number, tuple(ranges_), terms)

    root = build(0)
    if at != len(rows):
        raise ValueError("terms are left over")
    return root


def sort_keys(keys: Sequence[SortKey]) -> tuple[list[bytes], bytes]:
    return texts([key.key for key in keys]), words([int(key.reverse) for key in keys])


def read_sort_keys(keys: Sequence[bytes], reverse: bytes) -> list[SortKey]:
    return [SortKey(key, bool(back)) for key, back in zip(read_texts(keys), read_words(reverse), strict=True)]


# Delivery


def deliveries(values: Sequence[Delivery]) -> tuple[Any, ...]:
    return (
        texts([d.delivery_id for d in values]),
        texts([d.return_path for d in values]),
        times([d.received for d in values]),
        [d.content for d in values],
        words([len(d.mailboxes) for d in values]),
        b"".join([mailbox.bytes for d in values for mailbox in d.mailboxes]),
        times([quota for d in values for quota in d.quotas or [KEEP_QUOTA] * len(d.mailboxes)]),
    )


def read_deliveries(values: Sequence[Any]) -> list[Delivery]:
    """A batch of deliveries from its columns. Raises ValueError.

    Bound: linear in the stub.
    """
    ids, return_paths, received, contents, counts, mailboxes, quotas = values
    sizes = read_words(counts)
    return [
        Delivery(delivery_id, content, mailboxes_, return_path, when, quotas_)
        for delivery_id, content, mailboxes_, return_path, when, quotas_ in zip(
            read_texts(ids),
            contents,
            _parts(sizes, read_uuids(mailboxes)),
            read_texts(return_paths),
            read_times(received),
            _parts(sizes, read_times(quotas)),
            strict=True,
        )
    ]


def read_statuses(data: bytes, counts: Sequence[int]) -> list[list[DeliveryStatus]]:
    return [list(part) for part in _parts(counts, [DeliveryStatus(status) for status in data])]
