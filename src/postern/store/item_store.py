"""Items by id: reads, changes and removes them, lists changes of items, and keeps their properties.

The index of ids makes this quick, and answers are right without it: an older database has none until `index_build` has built it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from postern.model.item_store import (
    FIRST_PROPERTY_NAME,
    MAX_PROPERTIES,
    MAX_PROPERTY_NAMES,
    MAX_PROPERTY_OCTETS,
    ItemChanges,
    PropertyName,
    StoredItem,
)
from postern.model.items import NewItem
from postern.model.mailbox import MailboxError
from postern.store import wire
from postern.store.connection import Pool
from postern.store.items import NEW_ITEMS, checked_class, new_items, rendered, retried
from postern.store.notices import Notices
from postern.store.rendered import PLACES, placeholders

CONTENT_OCTETS = 1 << 26
"""Octets of content that one `get` brings. An item that does not fit beside others comes without its content."""
_MAX_TAG = 0xFFFFFFFF
_LONGEST_NAME = 255

_ITEMS = """
    SELECT i.id, i.folder, i.uid, i.class, i.size, i.modseq, i.flags, i.internal_date,
        CASE WHEN i.created = 0 THEN i.internal_date ELSE i.created END, i.content
    FROM (SELECT * FROM items WHERE id = ANY ($2::bigint[]) OFFSET 0) AS i
    JOIN folders f ON f.id = i.folder JOIN mailboxes m ON m.id = f.mailbox WHERE m.guid = $1::uuid
"""
"""Selects items by their ids first (OFFSET 0): a plan made while the tables were small would scan the mailbox."""
_GET = f"SELECT i.*, NULL FROM ({_ITEMS}) AS i"  # noqa: S608 (our own words)
_GET_CONTENT = f"""
    SELECT x.id, x.folder, x.uid, x.class, x.size, x.modseq, x.flags, x.internal_date, x.created, x.content, b.data
    FROM (
        SELECT i.*, sum(i.size) OVER (ORDER BY i.id) AS octets
        FROM ({_ITEMS}) AS i(id, folder, uid, class, size, modseq, flags, internal_date, created, content)
    ) AS x LEFT JOIN bodies b ON b.content = x.content AND (x.octets <= $3::bigint OR x.octets = x.size)
"""  # noqa: S608 (our own words)
_CHANGES = """
    WITH place AS MATERIALIZED (
        SELECT f.id FROM mailboxes m JOIN folders f ON f.mailbox = m.id
        WHERE m.guid = $1::uuid AND ($2::bigint = 0 OR f.id = $2::bigint) AND f.highest_modseq > $3::bigint
    ), there AS (
        SELECT i.id, i.arrived > $3::bigint AS is_new,
            CASE WHEN i.arrived > $3::bigint THEN i.arrived ELSE i.modseq END AS at
        FROM place p JOIN items i ON i.folder = p.id WHERE i.modseq > $3::bigint
    ), gone AS (
        SELECT DISTINCT ON (u.id) u.id, e.moved, e.modseq AS at
        FROM place p JOIN expunged e ON e.folder = p.id AND e.modseq > $3::bigint CROSS JOIN unnest(e.ids) AS u(id)
        WHERE $3::bigint > 0 AND ($2::bigint <> 0 OR NOT e.moved)
        ORDER BY u.id, e.modseq DESC
    ), every AS (
        SELECT t.id, t.at, CASE WHEN t.is_new THEN 0 ELSE 1 END AS fate FROM there t
        UNION ALL
        -- What is there again came back after `since`.
        SELECT g.id, g.at, CASE WHEN g.moved THEN 3 ELSE 2 END FROM gone g
        WHERE $2::bigint = 0 OR g.id NOT IN (SELECT t.id FROM there t WHERE t.is_new)
    ), cut AS (
        SELECT (SELECT e.at FROM every e ORDER BY e.at OFFSET $4::bigint - 1 LIMIT 1) AS at
    ), told AS (
        SELECT e.* FROM every e, cut c WHERE c.at IS NULL OR e.at <= c.at
    )
    SELECT m.change, EXISTS (SELECT FROM folders f WHERE f.id = $2::bigint AND f.mailbox = m.id OR $2::bigint = 0),
        (SELECT max(e.at) FROM every e, cut c WHERE e.at > c.at),
        (SELECT c.at FROM cut c),
        (SELECT string_agg(int8send(t.id), '' ORDER BY t.id) FROM told t WHERE t.fate = 0),
        (SELECT string_agg(int8send(t.id), '' ORDER BY t.id) FROM told t WHERE t.fate = 1),
        (SELECT string_agg(int8send(t.id), '' ORDER BY t.id) FROM told t WHERE t.fate = 2),
        (SELECT string_agg(int8send(t.id), '' ORDER BY t.id) FROM told t WHERE t.fate = 3)
    FROM mailboxes m WHERE m.guid = $1::uuid
"""
"""Tells of an item that came into the folder at the change with which it came, whatever happened to it later. So at the end of
each page the caller has been told of every item that was there."""
CREATE = f"SELECT ids, change FROM create_items({NEW_ITEMS})"  # noqa: S608 (our own words)
UPDATE = f"""SELECT change FROM update_item(
    $1::uuid, $2::bigint, $3::text, $4::bigint, false, {placeholders(5, PLACES)})"""  # noqa: S608 (our own words)
_PROPERTIES = """
    SELECT i.id, p.tag, p.value FROM (SELECT * FROM items WHERE id = $2::bigint OFFSET 0) AS i
    JOIN folders f ON f.id = i.folder JOIN mailboxes m ON m.id = f.mailbox
    LEFT JOIN properties p ON p.item = i.id WHERE m.guid = $1::uuid
"""
_BAGS = """
    SELECT b.item, b.tag, b.value FROM (
        SELECT p.item, p.tag, p.value, sum(length(p.value)) OVER (ORDER BY p.item) AS octets
        FROM (SELECT i.id, i.folder FROM items i WHERE i.id = ANY ($2::bigint[]) OFFSET 0) AS i
        JOIN folders f ON f.id = i.folder JOIN mailboxes m ON m.id = f.mailbox
        JOIN properties p ON p.item = i.id WHERE m.guid = $1::uuid
    ) AS b WHERE b.octets <= $3::bigint ORDER BY b.item, b.tag
"""
_NAMES = """
    SELECT p.id, p.set, p.lid, p.name FROM mailboxes m JOIN property_names p ON p.mailbox = m.id
    WHERE m.guid = $1::uuid ORDER BY p.id
"""


async def get(pool: Pool, mailbox: UUID, ids: Sequence[int], content: bool) -> list[StoredItem]:
    parameters = [mailbox.bytes, wire.int8s(ids)]
    if content:
        rows = await pool.read(_GET_CONTENT, [*parameters, wire.int8(CONTENT_OCTETS)])
    else:
        rows = await pool.read(_GET, parameters)
    items = {each.id: each for each in map(item, rows)}
    return [items[number] for number in dict.fromkeys(ids) if number in items]


async def changes(pool: Pool, mailbox: UUID, folder: int | None, since: int, most: int) -> ItemChanges:
    parameters = [mailbox.bytes, wire.int8(folder or 0), wire.int8(since), wire.int8(max(1, most))]
    rows = await pool.read(_CHANGES, parameters)
    if not rows or rows[0][1] != b"\x01":
        raise MailboxError("NONEXISTENT", "No such folder" if rows else "No such mailbox")
    now, _, beyond, cut, *fates = rows[0]
    created, changed, removed, moved = (wire.words64(ids) for ids in fates)
    more = beyond is not None
    return ItemChanges(wire.to_int8(cut if more else now), created, changed, removed, moved, more)


async def create(pool: Pool, notices: Notices, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> list[int]:
    classes = [checked_class(item.item_class) for item in items]
    rows = await retried(pool, CREATE, await new_items(mailbox, folder, items, classes))
    ids, change = rows[0]
    notices.changed(mailbox, wire.to_int8(change))
    return wire.to_int8s(ids)


async def update(
    pool: Pool,
    notices: Notices,
    mailbox: UUID,
    item: int,
    content: bytes,
    item_class: str,
    unchanged_since: int | None,
) -> StoredItem:
    parameters = await update_parameters(mailbox, item, content, item_class, unchanged_since)
    rows = await retried(pool, UPDATE, parameters)
    notices.changed(mailbox, wire.to_int8(rows[0][0]))
    items = await get(pool, mailbox, [item], False)
    if not items:
        raise MailboxError("NONEXISTENT", "The item is gone again")
    return items[0]


async def update_parameters(
    mailbox: UUID, item: int, content: bytes, item_class: str, unchanged_since: int | None
) -> list[wire.Parameter]:
    """Renders the content, and returns the parameters of UPDATE. Raises MailboxError CANNOT."""
    return [
        mailbox.bytes,
        wire.int8(item),
        wire.text(checked_class(item_class) if item_class else ""),
        wire.int8(-1 if unchanged_since is None else unchanged_since),
        *(await rendered([content])).parameters(),
    ]


async def delete(pool: Pool, notices: Notices, mailbox: UUID, ids: Sequence[int]) -> list[int]:
    rows = await pool.run(
        "SELECT gone, change FROM delete_items($1::uuid, $2::bigint[])", [mailbox.bytes, wire.int8s(ids)]
    )
    gone, change = rows[0]
    notices.changed(mailbox, wire.to_int8(change))
    return sorted(wire.to_int8s(gone))


async def place(
    pool: Pool, notices: Notices, mailbox: UUID, ids: Sequence[int], target: int, move: bool
) -> dict[int, int]:
    """Moves or copies items to another folder. Returns, for the id of each, its id there."""
    rows = await pool.run(
        "SELECT sources, targets, change FROM place_items($1::uuid, $2::bigint[], $3::bigint, $4::boolean)",
        [mailbox.bytes, wire.int8s(ids), wire.int8(target), wire.boolean(move)],
    )
    sources, targets, change = rows[0]
    notices.changed(mailbox, wire.to_int8(change))
    return dict(sorted(zip(wire.to_int8s(sources), wire.to_int8s(targets), strict=True)))


async def properties(pool: Pool, mailbox: UUID, item: int) -> dict[int, bytes]:
    rows = await pool.read(_PROPERTIES, [mailbox.bytes, wire.int8(item)])
    if not rows:
        raise MailboxError("NONEXISTENT", "No such item")
    return {wire.to_int8(tag): value or b"" for _, tag, value in rows if tag is not None}


async def bags(pool: Pool, mailbox: UUID, items: Sequence[int]) -> dict[int, dict[int, bytes]]:
    rows = await pool.read(_BAGS, [mailbox.bytes, wire.int8s(items), wire.int8(CONTENT_OCTETS)])
    result: dict[int, dict[int, bytes]] = {}
    for item, tag, value in rows:
        result.setdefault(wire.to_int8(item), {})[wire.to_int8(tag)] = value or b""
    return result


async def set_properties(
    pool: Pool, notices: Notices, mailbox: UUID, item: int, values: Mapping[int, bytes | None]
) -> None:
    check_tags(values)
    rows = await pool.run(
        "SELECT set_properties($1::uuid, $2::bigint, $3::bigint[], $4::bytea[], $5::bigint, $6::bigint)",
        [
            mailbox.bytes,
            wire.int8(item),
            wire.int8s(values),
            wire.byteas(list(values.values())),
            wire.int8(MAX_PROPERTIES),
            wire.int8(MAX_PROPERTY_OCTETS),
        ],
    )
    notices.changed(mailbox, wire.to_int8(rows[0][0]))


async def property_ids(pool: Pool, mailbox: UUID, names: Sequence[PropertyName], create: bool) -> list[int]:
    check_names(names)
    rows = await pool.run(
        "SELECT property_ids($1::uuid, $2::uuid[], $3::bigint[], $4::text[], $5::boolean, $6::bigint, $7::bigint)",
        [
            mailbox.bytes,
            wire.uuids(name.set for name in names),
            wire.int8s(-1 if name.lid is None else name.lid for name in names),
            wire.texts("" if name.lid is not None else name.name for name in names),
            wire.boolean(create),
            wire.int8(FIRST_PROPERTY_NAME),
            wire.int8(MAX_PROPERTY_NAMES),
        ],
    )
    return wire.to_int8s(rows[0][0])


async def property_names(pool: Pool, mailbox: UUID) -> dict[int, PropertyName]:
    names = {}
    for number, property_set, lid, name in await pool.read(_NAMES, [mailbox.bytes]):
        is_text = wire.to_int8(lid) < 0
        names[wire.to_int8(number)] = PropertyName(
            UUID(bytes=property_set), None if is_text else wire.to_int8(lid), (name or b"").decode()
        )
    return names


def check_tags(tags: Iterable[int]) -> None:
    """Raises MailboxError CANNOT for what cannot be the tag of a property."""
    if not all(0 < tag <= _MAX_TAG for tag in tags):
        raise MailboxError("CANNOT", "A property tag has 32 bits")


def check_names(names: Sequence[PropertyName]) -> None:
    """Raises MailboxError CANNOT for a name that no property can have."""
    for name in names:
        if not (0 <= name.lid <= _MAX_TAG if name.lid is not None else _is_name(name.name)):
            raise MailboxError("CANNOT", "A property is named by a number of 32 bits, or by 1 to 255 octets of UTF-8")


def _is_name(text: str) -> bool:
    """Whether PostgreSQL's text holds the name as it is: it takes neither NUL nor a lone surrogate, and `wire.text` would
    make another name of these."""
    try:
        return 1 <= len(text.encode()) <= _LONGEST_NAME and "\0" not in text
    except UnicodeEncodeError:
        return False


def item(row: Sequence[bytes | None]) -> StoredItem:
    """An item of a row whose columns are in the order of `_ITEMS`, with the octets of the content last."""
    number = wire.to_int8
    return StoredItem(
        id=number(row[0]),
        folder=number(row[1]),
        uid=number(row[2]),
        item_class=(row[3] or b"").decode(),
        size=number(row[4]),
        change=number(row[5]),
        flags=number(row[6]),
        internal_date=number(row[7]),
        created=number(row[8]),
        content=row[10],
    )
