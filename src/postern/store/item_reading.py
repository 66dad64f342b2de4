"""Items by id with what was rendered of them, and pages of a folder's items in an order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID

from postern.model.item_store import FoundItems, ItemColumns, StoredItem
from postern.model.items import Column
from postern.model.search import EVERYTHING, SearchTerm, SortKey
from postern.store import item_store, search, wire
from postern.store.connection import Pool
from postern.store.fetching import OWNED, no_folder

_RENDERED = (
    (Column.ENVELOPE, "c.envelope", "envelopes"),
    (Column.BODYSTRUCTURE, "c.structure", "structures"),
    (Column.HEADER, "substring(b.data FROM 1 FOR c.header_size::integer)", "headers"),
)
ARRIVAL = "arrival"


@lru_cache(maxsize=32)
def _statement(columns: Column) -> str:
    wanted = ", ".join(expression for column, expression, _ in _RENDERED if columns & column)
    bodies = " JOIN bodies b ON b.content = i.content" if columns & Column.HEADER else ""
    # Our own words; the values of a request are parameters.
    return (
        f"SELECT i.id, {wanted} FROM (SELECT * FROM items WHERE id = ANY ($2::bigint[]) OFFSET 0) AS i"  # noqa: S608 (ours)
        " JOIN folders f ON f.id = i.folder JOIN mailboxes m ON m.id = f.mailbox"
        f" JOIN contents c ON c.id = i.content{bodies} WHERE m.guid = $1::uuid"
    )


async def columns(pool: Pool, mailbox: UUID, ids: Sequence[int], wanted: Column) -> ItemColumns:
    """Does what ItemStore.columns says."""
    items = await item_store.get(pool, mailbox, ids, bool(wanted & Column.CONTENT))
    asked = [(column, name) for column, _, name in _RENDERED if wanted & column]
    if not asked or not items:
        return ItemColumns(items)
    rows = await pool.read(_statement(wanted & ~Column.CONTENT), [mailbox.bytes, wire.int8s(item.id for item in items)])
    values = {wire.to_int8(row[0]): row[1:] for row in rows}
    there: list[StoredItem] = [item for item in items if item.id in values]
    named = {name: [values[item.id][place] or b"" for item in there] for place, (_, name) in enumerate(asked)}
    return ItemColumns(there, **named)


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
