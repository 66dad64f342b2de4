"""FETCH: columns of items, as few values as the wire allows.

Small values come as one row of packed columns: a row object for each item would cost more than the rest of the work.
Headers and contents come as rows, which spares copying them into one value, and in portions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from uuid import UUID

from postern.model.items import Column, FetchedItems
from postern.model.mailbox import MailboxError
from postern.protocols.mime.message import RENDERING
from postern.store import wire
from postern.store.connection import Pool, Rejected, Row
from postern.store.ranges import merged

_PORTION = 1 << 24
"""Octets of content that one statement brings."""
_HEAVY = Column.HEADER | Column.CONTENT
_TOO_LONG = "54000"
"""program_limit_exceeded: envelopes of many hostile messages can be more than one value holds (1 GB)."""

OWNED = (
    "(SELECT f.id FROM folders f JOIN mailboxes m ON m.id = f.mailbox WHERE m.guid = $1::uuid AND f.id = $2::bigint)"
)
"""The folder's id if the folder belongs to this mailbox, else NULL."""

_ADDED = f"""CASE
    WHEN EXISTS (SELECT FROM unended u WHERE u.content = i.content) THEN 2
    WHEN (SELECT v.rendered FROM schema_version v) >= {RENDERING} THEN 0
    ELSE (
        SELECT CASE WHEN c.rendering >= {RENDERING} THEN 0
            WHEN b.data = '' OR substring(b.data FROM greatest(length(b.data) - 1, 1)) = '\\x0d0a' THEN 0 ELSE 2 END
        FROM contents c JOIN bodies b ON b.content = c.id WHERE c.id = i.content)
    END"""  # noqa: S608 (our own words)
"""The octets that are added to a message: 2 where its last line has no end, else 0. The table `unended` lists such messages once
they are rendered. Until all are (`renewal`), the last octets of older ones are looked at."""

_NUMBERS = (
    (Column.FLAGS, "i.flags"),
    (Column.MODSEQ, "i.modseq"),
    (Column.SIZE, "i.size"),
    (Column.INTERNAL_DATE, "i.internal_date"),
    (Column.LINES_SIZE, f"i.size + {_ADDED}"),
)
_BYTES = (
    (Column.ENVELOPE, "c.envelope"),
    (Column.BODYSTRUCTURE, "c.structure"),
    (Column.BODY, "c.body"),
    (Column.HEADER, "substring(b.data FROM 1 FOR c.header_size::integer)"),
    (Column.CONTENT, "b.data"),
)
_FIELDS = {
    Column.FLAGS: "flags",
    Column.MODSEQ: "modseqs",
    Column.SIZE: "sizes",
    Column.INTERNAL_DATE: "dates",
    Column.ENVELOPE: "envelopes",
    Column.BODYSTRUCTURE: "structures",
    Column.BODY: "bodies",
    Column.HEADER: "headers",
    Column.CONTENT: "contents",
    Column.LINES_SIZE: "sizes",
}


async def fetch(
    pool: Pool, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]], columns: Column, changed_since: int
) -> FetchedItems:
    """Does what Mailboxes.fetch says."""
    lows, highs = merged(uids)
    if not columns & _HEAVY or (len(lows) == 1 and lows[0] == highs[0]):
        try:
            return await _packed(pool, mailbox, folder, lows, highs, columns, changed_since)
        except Rejected as error:
            if error.sqlstate != _TOO_LONG:
                raise
    first = await _packed(pool, mailbox, folder, lows, highs, Column.SIZE, changed_since)
    rows: list[Row] = []
    for portion in _portions(first.uids, first.sizes):
        lows, highs = _runs(portion)
        ranges = len(lows) > 1
        statement = _statement(columns, ranges, changed_since > 0, packed=False)
        rows += await pool.read(statement, _parameters(mailbox, folder, lows, highs, changed_since, ranges))
    return _from_rows(rows, columns)


@lru_cache(maxsize=2048)
def _statement(columns: Column, ranges: bool, changed_since: bool, packed: bool) -> str:
    inner, outer, joins = ["i.uid"], ["string_agg(int8send(x.uid), '')"], ""
    for column, expression in _NUMBERS:
        if columns & column:
            inner.append(f"{expression} AS c{column.value}")
            outer.append(f"string_agg(int8send(x.c{column.value}), '')")
    for column, expression in _BYTES:
        if columns & column:
            inner.append(f"{expression} AS c{column.value}")
            outer.append(f"string_agg(x.c{column.value}, '')")
            outer.append(f"string_agg(int8send(length(x.c{column.value})), '')")
    if columns & (Column.ENVELOPE | Column.BODYSTRUCTURE | Column.BODY | Column.HEADER):
        joins += " JOIN contents c ON c.id = i.content"
    if columns & _HEAVY:
        joins += " JOIN bodies b ON b.content = i.content"
    # Joins the items that were selected, never the whole folder: OFFSET 0 keeps the planner from joining first.
    low, high = ("r.low", "r.high") if ranges else ("$3::bigint", "$4::bigint")
    since = " AND i.modseq > $5::bigint" if changed_since else ""
    items = (
        f"(SELECT * FROM items i WHERE i.folder = {OWNED} AND i.uid BETWEEN {low} AND {high}{since}"  # noqa: S608 (our own words)
        " ORDER BY i.uid OFFSET 0) AS i"
    )
    source = f"unnest($3::bigint[], $4::bigint[]) AS r(low, high) CROSS JOIN LATERAL {items}" if ranges else items
    # The text is ours alone; the values of a request are parameters.
    rows = f"SELECT {', '.join(inner)} FROM {source}{joins} ORDER BY i.uid"  # noqa: S608 (our own words)
    return f"SELECT {OWNED}, {', '.join(outer)} FROM ({rows}) AS x" if packed else rows  # noqa: S608 (our own words)


def _parameters(
    mailbox: UUID, folder: int, lows: list[int], highs: list[int], changed_since: int, ranges: bool
) -> list[wire.Parameter]:
    return [
        mailbox.bytes,
        wire.int8(folder),
        wire.int8s(lows) if ranges else wire.int8(lows[0]),
        wire.int8s(highs) if ranges else wire.int8(highs[0]),
        *([wire.int8(changed_since)] if changed_since > 0 else []),
    ]


async def _packed(
    pool: Pool, mailbox: UUID, folder: int, lows: list[int], highs: list[int], columns: Column, changed_since: int
) -> FetchedItems:
    ranges = len(lows) != 1
    statement = _statement(columns, ranges, changed_since > 0, packed=True)
    row = (await pool.read(statement, _parameters(mailbox, folder, lows, highs, changed_since, ranges)))[0]
    if row[0] is None:
        raise no_folder()
    values = iter(row[1:])
    uids = wire.words32(next(values))
    got: dict[str, Sequence[int] | Sequence[bytes]] = {}
    for column, _ in _NUMBERS:
        if columns & column:
            got[_FIELDS[column]] = wire.words64(next(values))
    for column, _ in _BYTES:
        if columns & column:
            got[_FIELDS[column]] = wire.slices(next(values), next(values))
    return FetchedItems(uids=uids, **got)  # type: ignore[arg-type]  # by columns


def _from_rows(rows: list[Row], columns: Column) -> FetchedItems:
    got: dict[str, Sequence[int] | Sequence[bytes]] = {}
    place = 1
    for column, _ in _NUMBERS:
        if columns & column:
            got[_FIELDS[column]] = [wire.to_int8(row[place]) for row in rows]
            place += 1
    for column, _ in _BYTES:
        if columns & column:
            got[_FIELDS[column]] = [row[place] or b"" for row in rows]
            place += 1
    return FetchedItems(uids=[wire.to_int8(row[0]) for row in rows], **got)  # type: ignore[arg-type]  # by columns


def _portions(uids: Sequence[int], sizes: Sequence[int]) -> Iterator[Sequence[int]]:
    begin, total = 0, 0
    for place, size in enumerate(sizes):
        if total + size > _PORTION and place > begin:
            yield uids[begin:place]
            begin, total = place, 0
        total += size
    if begin < len(uids):
        yield uids[begin:]


def _runs(uids: Sequence[int]) -> tuple[list[int], list[int]]:
    """Returns the lows and highs of ranges that hold these UIDs and no others."""
    lows, highs = [uids[0]], [uids[0]]
    for uid in uids[1:]:
        if uid == highs[-1] + 1:
            highs[-1] = uid
        else:
            lows.append(uid)
            highs.append(uid)
    return lows, highs


def no_folder() -> MailboxError:
    return MailboxError("NONEXISTENT", "No such folder")
