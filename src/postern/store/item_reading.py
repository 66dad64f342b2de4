"""Items by id with what was rendered of them, and pages of a folder's items in an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from uuid import UUID

from postern.model.item_store import FoundItems, ItemColumns
from postern.model.items import Column
from postern.model.search import EVERYTHING, SearchTerm, SortKey
from postern.store import item_store, search, wire
from postern.store.connection import Pool, Row
from postern.store.fetching import OWNED, no_folder

_RENDERED = (
    (Column.ENVELOPE, "c.envelope", "envelopes"),
    (Column.BODYSTRUCTURE, "c.structure", "structures"),
    (Column.HEADER, "substring(b.data FROM 1 FOR c.header_size::integer)", "headers"),
)


ARRIVAL = "arrival"
_OTHERS = "CASE WHEN i.read_change = i.modseq THEN i.other_change ELSE i.modseq END"
"""The last change that did more than mark the item as read, or as unread."""
_STORED = (
    "i.id, i.folder, i.uid, i.class, i.size, i.modseq, i.flags, i.internal_date,"
    " CASE WHEN i.created = 0 THEN i.internal_date ELSE i.created END, i.content"
)
"""Columns of items in the order in which `item_store` reads them; the place of the content is the last."""
_BY_ID = """
    (SELECT * FROM items WHERE id = ANY ($2::bigint[]) OFFSET 0) AS i
    JOIN folders f ON f.id = i.folder JOIN mailboxes m ON m.id = f.mailbox AND m.guid = $1::uuid
"""
_BY_PLACE = f"""
    (SELECT * FROM items WHERE folder = {OWNED} AND uid > $3::bigint AND ($5::bigint = 0 OR arrived <= $5::bigint)
        ORDER BY uid LIMIT $4::bigint) AS i
"""  # noqa: S608 (our own words)


@lru_cache(maxsize=64)
def _statement(columns: Column, in_folder: bool) -> str:
    wanted = "".join(f", {expression}" for column, expression, _ in _RENDERED if columns & column)
    contents = " JOIN contents c ON c.id = i.content" if columns & (Column.ENVELOPE | Column.BODYSTRUCTURE) else ""
    if columns & Column.HEADER:
        contents = " JOIN contents c ON c.id = i.content JOIN bodies b ON b.content = i.content"
    source, order = (_BY_PLACE, " ORDER BY i.uid") if in_folder else (_BY_ID, "")
    # Our own words; the values of a request are parameters.
    return f"SELECT {_STORED}, NULL, {_OTHERS}{wanted} FROM {source}{contents}{order}"  # noqa: S608 (ours)


async def columns(pool: Pool, mailbox: UUID, ids: Sequence[int], wanted: Column) -> ItemColumns:
    """Does what ItemStore.columns says."""
    rows = await pool.read(_statement(wanted & ~Column.CONTENT, False), [mailbox.bytes, wire.int8s(ids)])
    told = {wire.to_int8(row[0]): row for row in rows}
    answer = _columns([told[number] for number in dict.fromkeys(ids) if number in told], wanted)
    if not wanted & Column.CONTENT:
        return answer
    octets = {item.id: item.content for item in await item_store.get(pool, mailbox, ids, True)}
    return replace(answer, items=[replace(item, content=octets.get(item.id)) for item in answer.items])


async def walk(
    pool: Pool, mailbox: UUID, folder: int, after: int, most: int, wanted: Column, until: int
) -> ItemColumns:
    """Does what ItemStore.walk says."""
    place = [mailbox.bytes, wire.int8(folder), wire.int8(after), wire.int8(max(0, most)), wire.int8(until)]
    rows = await pool.read(_statement(wanted & ~Column.CONTENT, True), place)
    if not rows and (await pool.read(_HAS_FOLDER, place[:2]))[0][0] is None:
        raise no_folder()
    return _columns(rows, wanted)


_HAS_FOLDER = f"SELECT {OWNED}"
_FIRST_RENDERED = 12
"""The place of the first rendered column in a row."""


def _columns(rows: Sequence[Row], wanted: Column) -> ItemColumns:
    names = [name for column, _, name in _RENDERED if wanted & column]
    named = {name: [row[place] or b"" for row in rows] for place, name in enumerate(names, _FIRST_RENDERED)}
    return ItemColumns(
        [item_store.item(row) for row in rows], **named, others=[wire.to_int8(row[_FIRST_RENDERED - 1]) for row in rows]
    )


def _in_order(is_reversed: bool) -> str:
    way = "DESC" if is_reversed else "ASC"
    return f"""
        SELECT {OWNED}, (SELECT f.messages FROM folders f WHERE f.id = {OWNED}),
            (SELECT string_agg(int8send(x.id), '' ORDER BY x.internal_date {way}, x.uid) FROM (
                SELECT i.id, i.internal_date, i.uid FROM items i WHERE i.folder = {OWNED}
                ORDER BY i.internal_date {way}, i.uid LIMIT $4::bigint OFFSET $3::bigint) AS x)
    """  # noqa: S608 (our own words)


_ARRIVALS = {is_reversed: _in_order(is_reversed) for is_reversed in (False, True)}
_BY_UID = f"""
    SELECT string_agg(int8send(i.id), '' ORDER BY u.place) FROM unnest($3::bigint[]) WITH ORDINALITY AS u(uid, place)
    JOIN items i ON i.folder = {OWNED} AND i.uid = u.uid
"""  # noqa: S608 (our own words)


def is_searched(order: Sequence[SortKey], term: SearchTerm) -> bool:
    """Whether a page is found by a search; else the items alone say what is on it."""
    return term != EVERYTHING or len(order) != 1 or order[0].key != ARRIVAL


async def find(
    pool: Pool,
    searches: search.Searches,
    mailbox: UUID,
    folder: int,
    order: Sequence[SortKey],
    offset: int,
    most: int,
    term: SearchTerm,
) -> FoundItems:
    """Does what ItemStore.find says."""
    place = [mailbox.bytes, wire.int8(folder)]
    if not is_searched(order, term):
        statement = _ARRIVALS[order[0].reverse]
        row = (await pool.read(statement, [*place, wire.int8(max(0, offset)), wire.int8(max(0, most))]))[0]
        if row[0] is None:
            raise no_folder()
        return FoundItems(wire.words64(row[2]), wire.to_int8(row[1]))
    uids = (await search.search(searches, mailbox, folder, term, order)).uids
    page = uids[max(0, offset) : max(0, offset) + max(0, most)]
    row = (await pool.read(_BY_UID, [*place, wire.int8s(page)]))[0]
    return FoundItems(wire.words64(row[0]), len(uids))
