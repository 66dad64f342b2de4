"""Items of a folder: indexed, fetched by columns, flagged, appended, copied, expunged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from uuid import UUID

from postern.model.mailbox import (
    Column,
    CopyResult,
    FetchedItems,
    FlagChange,
    FlagResult,
    Index,
    MailboxError,
    NewItem,
)
from postern.store import wire
from postern.store.connection import Pool, Rejected
from postern.store.notices import Notices
from postern.store.ranges import MAX_UID, merged
from postern.store.rendered import PLACES, Batch, placeholders

_MOST_AT_ONCE = 1 << 24
"""Octets of content that one statement gathers (it builds them as one value)."""
_FLAG_MASK = (1 << 63) - 1
_HEAVY = Column.HEADER | Column.CONTENT

_OWNED = (
    "(SELECT f.id FROM folders f JOIN mailboxes m ON m.id = f.mailbox WHERE m.guid = $1::uuid AND f.id = $2::bigint)"
)
_INDEX = f"""
    SELECT f.highest_modseq, f.uid_next, f.messages, x.uids, x.flags, x.modseqs, CASE WHEN $3::bigint > 0 THEN (
        SELECT string_agg(int8send(u.uid), '') FROM (
            SELECT u.uid FROM expunged e, unnest(e.uids) AS u(uid) WHERE e.folder = f.id AND e.modseq > $3::bigint
            ORDER BY u.uid) AS u) END
    FROM folders f, LATERAL (
        SELECT string_agg(int8send(i.uid), '') AS uids, string_agg(int8send(i.flags), '') AS flags,
            string_agg(int8send(i.modseq), '') AS modseqs
        FROM (SELECT i.uid, i.flags, i.modseq FROM items i WHERE i.folder = f.id {{since}} ORDER BY i.uid) AS i) AS x
    WHERE f.id = {_OWNED}
"""  # noqa: S608
_INDEX_ALL = _INDEX.format(since="")
_INDEX_SINCE = _INDEX.format(since="AND i.modseq > $3::bigint")

_APPEND = f"""SELECT validity, first_uid, change FROM append_items(
    $1::uuid, $2::bigint, $3::bigint[], $4::bigint[], $5::bigint[], {placeholders(6, PLACES)})"""  # noqa: S608


async def index(pool: Pool, mailbox: UUID, folder: int, since: int) -> Index:
    rows = await pool.run(
        _INDEX_SINCE if since > 0 else _INDEX_ALL, [mailbox.bytes, wire.int8(folder), wire.int8(since)]
    )
    if not rows:
        raise _no_folder()
    highest, uid_next, messages, uids, flags, modseqs, vanished = rows[0]
    return Index(
        highest_modseq=wire.to_int8(highest),
        uid_next=wire.to_int8(uid_next),
        messages=wire.to_int8(messages),
        uids=wire.words32(uids).tobytes(),
        flags=wire.words64(flags).tobytes(),
        modseqs=wire.words64(modseqs).tobytes(),
        vanished=wire.words32(vanished).tobytes(),
    )


_NUMBERS = (
    (Column.FLAGS, "i.flags"),
    (Column.MODSEQ, "i.modseq"),
    (Column.SIZE, "i.size"),
    (Column.INTERNAL_DATE, "i.internal_date"),
)
_BYTES = (
    (Column.ENVELOPE, "c.envelope"),
    (Column.BODYSTRUCTURE, "c.structure"),
    (Column.BODY, "c.body"),
    (Column.HEADER, "substring(b.data FROM 1 FOR c.header_size::integer)"),
    (Column.CONTENT, "b.data"),
)


@lru_cache(maxsize=1024)
def _fetch_statement(columns: Column, ranges: bool, changed_since: bool) -> str:
    """One row of packed columns: a row object for each item would cost more than the rest of the work."""
    inner, outer, joins = ["i.uid"], ["string_agg(int8send(x.uid), '')"], ""
    for column, expression in _NUMBERS:
        if columns & column:
            inner.append(f"{expression} AS n{column.value}")
            outer.append(f"string_agg(int8send(x.n{column.value}), '')")
    for column, expression in _BYTES:
        if columns & column:
            inner.append(f"{expression} AS b{column.value}")
            outer.append(f"string_agg(x.b{column.value}, '')")
            outer.append(f"string_agg(int8send(length(x.b{column.value})), '')")
    if columns & (Column.ENVELOPE | Column.BODYSTRUCTURE | Column.BODY | Column.HEADER):
        joins += " JOIN contents c ON c.id = i.content"
    if columns & _HEAVY:
        joins += " JOIN bodies b ON b.content = i.content"
    if ranges:
        source = (
            "unnest($3::bigint[], $4::bigint[]) AS r(low, high)"
            " JOIN items i ON i.folder = $2::bigint AND i.uid BETWEEN r.low AND r.high"
        )
        where = "WHERE true"
    else:
        source, where = "items i", "WHERE i.folder = $2::bigint AND i.uid BETWEEN $3::bigint AND $4::bigint"
    if changed_since:
        where += " AND i.modseq > $5::bigint"
    return (
        f"SELECT {_OWNED}, {', '.join(outer)} FROM "  # noqa: S608
        f"(SELECT {', '.join(inner)} FROM {source}{joins} {where} ORDER BY i.uid) AS x"
    )


async def fetch(
    pool: Pool, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]], columns: Column, changed_since: int
) -> FetchedItems:
    lows, highs = merged(uids)
    if not columns & _HEAVY:
        return await _fetch(pool, mailbox, folder, lows, highs, columns, changed_since)
    if len(lows) == 1 and lows[0] == highs[0]:
        return await _fetch(pool, mailbox, folder, lows, highs, columns, changed_since)
    # What may be large comes in portions.
    sized = await _fetch(pool, mailbox, folder, lows, highs, Column.SIZE, changed_since)
    whole: dict[str, list[int] | list[bytes]] = {}
    for portion in _portions(sized.uids, sized.sizes):
        part = await _fetch(pool, mailbox, folder, *_runs(portion), columns, changed_since)
        for name in FetchedItems.__slots__:
            whole.setdefault(name, []).extend(getattr(part, name))
    return FetchedItems(**whole) if whole else FetchedItems(uids=[])  # type: ignore[arg-type]


def _portions(uids: Sequence[int], sizes: Sequence[int]) -> Iterator[Sequence[int]]:
    begin, total = 0, 0
    for place, size in enumerate(sizes):
        if total + size > _MOST_AT_ONCE and place > begin:
            yield uids[begin:place]
            begin, total = place, 0
        total += size
    if begin < len(uids):
        yield uids[begin:]


def _runs(uids: Sequence[int]) -> tuple[list[int], list[int]]:
    """As ranges. Gaps hold no items, or items that were asked for in no portion: those must stay out."""
    lows, highs = [uids[0]], [uids[0]]
    for uid in uids[1:]:
        if uid == highs[-1] + 1:
            highs[-1] = uid
        else:
            lows.append(uid)
            highs.append(uid)
    return lows, highs


async def _fetch(
    pool: Pool,
    mailbox: UUID,
    folder: int,
    lows: list[int],
    highs: list[int],
    columns: Column,
    changed_since: int,
) -> FetchedItems:
    single = len(lows) == 1
    row = (
        await pool.run(
            _fetch_statement(columns, not single, changed_since > 0),
            [
                mailbox.bytes,
                wire.int8(folder),
                wire.int8(lows[0]) if single else wire.int8s(lows),
                wire.int8(highs[0]) if single else wire.int8s(highs),
                *([wire.int8(changed_since)] if changed_since > 0 else []),
            ],
        )
    )[0]
    if row[0] is None:
        raise _no_folder()
    values = iter(row[1:])
    found = wire.words32(next(values))
    numbers = {column: wire.words64(next(values)) for column, _ in _NUMBERS if columns & column}
    octets = {column: wire.slices(next(values), next(values)) for column, _ in _BYTES if columns & column}
    return FetchedItems(
        uids=found,
        flags=numbers.get(Column.FLAGS, ()),
        modseqs=numbers.get(Column.MODSEQ, ()),
        sizes=numbers.get(Column.SIZE, ()),
        dates=numbers.get(Column.INTERNAL_DATE, ()),
        envelopes=octets.get(Column.ENVELOPE, ()),
        structures=octets.get(Column.BODYSTRUCTURE, ()),
        bodies=octets.get(Column.BODY, ()),
        headers=octets.get(Column.HEADER, ()),
        contents=octets.get(Column.CONTENT, ()),
    )


async def change_flags(
    pool: Pool,
    notices: Notices,
    mailbox: UUID,
    folder: int,
    uids: Sequence[tuple[int, int]],
    change: FlagChange,
    flags: int,
    unchanged_since: int | None,
) -> FlagResult:
    lows, highs = merged(uids)
    rows = await pool.run(
        "SELECT uids, flags, modseqs, modified, change FROM change_flags("
        "$1::uuid, $2::bigint, $3::bigint[], $4::bigint[], $5::bigint, $6::bigint, $7::bigint)",
        [
            mailbox.bytes,
            wire.int8(folder),
            wire.int8s(lows),
            wire.int8s(highs),
            wire.int8(int(change)),
            wire.int8(flags & _FLAG_MASK),
            wire.int8(-1 if unchanged_since is None else unchanged_since),
        ],
    )
    found, new, modseqs, modified, number = rows[0]
    notices.changed(mailbox, wire.to_int8(number))
    return FlagResult(wire.words32(found), wire.words64(new), wire.words64(modseqs), wire.words32(modified))


async def append(pool: Pool, notices: Notices, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> CopyResult:
    if not items:
        raise MailboxError("CANNOT", "There is nothing to append")
    batch = await Batch.of([item.content for item in items])
    now = int(time.time())
    parameters = [
        mailbox.bytes,
        wire.int8(folder),
        wire.int8s(batch.places),
        wire.int8s([item.flags & _FLAG_MASK for item in items]),
        wire.int8s([now if item.internal_date is None else item.internal_date for item in items]),
        *batch.parameters(),
    ]
    rows = await retried(pool, _APPEND, parameters)
    validity, first, change = map(wire.to_int8, rows[0])
    notices.changed(mailbox, change)
    return CopyResult(validity, (), range(first, first + len(items)))


async def copy(
    pool: Pool,
    notices: Notices,
    mailbox: UUID,
    folder: int,
    uids: Sequence[tuple[int, int]],
    target: int,
    move: bool,
) -> CopyResult:
    lows, highs = merged(uids)
    rows = await pool.run(
        "SELECT validity, sources, targets, change FROM copy_items("
        "$1::uuid, $2::bigint, $3::bigint[], $4::bigint[], $5::bigint, $6::boolean)",
        [
            mailbox.bytes,
            wire.int8(folder),
            wire.int8s(lows),
            wire.int8s(highs),
            wire.int8(target),
            wire.boolean(move),
        ],
    )
    validity, sources, targets, change = rows[0]
    notices.changed(mailbox, wire.to_int8(change))
    return CopyResult(wire.to_int8(validity), wire.words32(sources), wire.words32(targets))


async def expunge(
    pool: Pool, notices: Notices, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]] | None
) -> list[int]:
    lows, highs = ([1], [MAX_UID]) if uids is None else merged(uids)
    rows = await pool.run(
        "SELECT uids, change FROM expunge_items($1::uuid, $2::bigint, $3::bigint[], $4::bigint[])",
        [mailbox.bytes, wire.int8(folder), wire.int8s(lows), wire.int8s(highs)],
    )
    gone, change = rows[0]
    notices.changed(mailbox, wire.to_int8(change))
    return list(wire.words32(gone))


async def retried(pool: Pool, statement: str, parameters: list[wire.Parameter]) -> list[tuple[bytes | None, ...]]:
    """Once more where the database says that only the moment was wrong (serialization, deadlock)."""
    for last in (False, False, True):
        try:
            return await pool.run(statement, parameters)
        except Rejected as error:
            if last or error.sqlstate not in ("40001", "40P01"):
                raise
    raise AssertionError("unreachable")


def _no_folder() -> MailboxError:
    return MailboxError("NONEXISTENT", "No such folder")
