"""Looks named items up: by name, id, UID, time and address; lists them and their changes, and what folders hold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from uuid import UUID

from postern.model.item_store import Busy, RenderedItem
from postern.model.resources import TAG_OCTETS, FolderState, Reminder, ResourceChanges, Resources, ResourceStore
from postern.store import wire
from postern.store.columns import ENDLESS, ITEM_COLUMNS, within
from postern.store.connection import Pool, Row
from postern.store.fetching import OWNED, no_folder
from postern.store.item_store import CONTENT_OCTETS
from postern.store.resource_checks import names_among

_MOST = 10_000
"""Resources of one answer: at most 13 MB, if all have the longest names and UIDs; 2 MB for those that programs make."""

_COLUMNS = """string_agg(int8send(x.item), ''), string_agg(int8send(x.folder), ''), string_agg(x.name, chr(10)),
    string_agg(x.uid, chr(10)), string_agg(x.tag, ''), string_agg(int8send(x.size), ''), string_agg(x.class, chr(10)),
    string_agg(int8send(x.created), ''), string_agg(int8send(x.modified), '')"""
_WIDTH = 9
_CONTENTS = """, string_agg(coalesce(x.data, ''), ''), string_agg(int8send(coalesce(length(x.data), -1)), '')"""
_LIST = f"""
    SELECT f.id, c.* FROM folders f CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM (
            SELECT r.* FROM resources r WHERE r.folder = f.id AND r.name > $3::text ORDER BY r.name LIMIT $4::bigint
        ) AS x
    ) AS c WHERE f.id = {OWNED}
"""  # noqa: S608 (our own words)
_NAMED = """
    SELECT r.*, w.n FROM unnest($3::text[]) WITH ORDINALITY AS w(name, n)
    CROSS JOIN LATERAL (SELECT * FROM resources o WHERE o.folder = f.id AND o.name = w.name OFFSET 0) AS r"""
"""Looks each name up by itself (OFFSET 0): a plan made while the table was small would go through the folder."""
_WITH_UIDS = """
    SELECT r.*, r.item AS n FROM unnest($3::text[]) AS w(uid) CROSS JOIN LATERAL (
        SELECT * FROM resources o WHERE o.folder = f.id AND o.uid = w.uid AND o.uid <> '' OFFSET 0) AS r LIMIT $4::bigint"""
_IN_FOLDER = f"SELECT f.id, c.* FROM folders f CROSS JOIN LATERAL ({{}}) AS c WHERE f.id = {OWNED}"  # noqa: S608 (our own words)
_WITH_IDS = """
    SELECT r.*, w.n FROM unnest($2::bigint[]) WITH ORDINALITY AS w(id, n)
    CROSS JOIN LATERAL (SELECT * FROM resources o WHERE o.item = w.id OFFSET 0) AS r
    JOIN folders f ON f.id = r.folder JOIN mailboxes m ON m.id = f.mailbox WHERE m.guid = $1::uuid"""
_WITH_UIDS_ANYWHERE = """
    SELECT r.*, r.item AS n FROM mailboxes m JOIN folders f ON f.mailbox = m.id CROSS JOIN unnest($2::text[]) AS w(uid)
    CROSS JOIN LATERAL (
        SELECT * FROM resources o WHERE o.folder = f.id AND o.uid = w.uid AND o.uid <> '' OFFSET 0
    ) AS r WHERE m.guid = $1::uuid LIMIT $3::bigint"""


def _packed(rows: str, content: bool = False) -> str:
    """Returns the statement for the columns of `rows` in the order of their column `n`."""
    if not content:
        return f"SELECT {_COLUMNS} FROM (SELECT * FROM ({rows}) AS r ORDER BY r.n) AS x"  # noqa: S608 (our own words)
    # As many as fit have their contents, in this order; the first has it in any case.
    return f"""
        SELECT {_COLUMNS}{_CONTENTS} FROM (
            SELECT s.*, b.data FROM (
                SELECT r.*, sum(r.size::double precision) OVER (ORDER BY r.n) AS octets FROM ({rows}) AS r
            ) AS s LEFT JOIN LATERAL (
                SELECT d.data FROM bodies d WHERE d.content = s.content AND (s.octets <= {CONTENT_OCTETS} OR s.octets = s.size)
            ) AS b ON true ORDER BY s.n
        ) AS x"""  # noqa: S608 (our own words)


_NAMED_STATEMENTS = {content: _IN_FOLDER.format(_packed(_NAMED, content)) for content in (False, True)}
_WITH_IDS_STATEMENTS = {content: _packed(_WITH_IDS, content) for content in (False, True)}
_WITH_UIDS_STATEMENT = _IN_FOLDER.format(_packed(_WITH_UIDS))
_WITH_UIDS_ANYWHERE_STATEMENT = _packed(_WITH_UIDS_ANYWHERE)
_CHANGES = f"""
    WITH place AS MATERIALIZED (
        SELECT f.id, f.highest_modseq FROM folders f WHERE f.id = {OWNED}
    ), gone AS MATERIALIZED (
        SELECT e.modseq AS at, u.name FROM place p JOIN expunged e ON e.folder = p.id AND e.modseq > $3::bigint
        CROSS JOIN unnest(e.names) AS u(name) WHERE $3::bigint > 0
    ), cut AS MATERIALIZED (
        SELECT (SELECT e.at FROM (
            (SELECT r.changed AS at FROM place p JOIN resources r ON r.folder = p.id AND r.changed > $3::bigint
                ORDER BY r.changed LIMIT $4::bigint)
            UNION ALL SELECT g.at FROM gone g
        ) AS e ORDER BY e.at OFFSET $4::bigint - 1 LIMIT 1) AS at
    ), until AS MATERIALIZED (
        SELECT coalesce(c.at, p.highest_modseq) AS at, p.id, p.highest_modseq FROM place p, cut c
    )
    SELECT u.at, u.highest_modseq, u.at < u.highest_modseq AND (
            EXISTS (SELECT FROM resources r WHERE r.folder = u.id AND r.changed > u.at)
            OR EXISTS (SELECT FROM gone g WHERE g.at > u.at)),
        (SELECT array_agg(DISTINCT g.name) FROM gone g WHERE g.at <= u.at
            AND NOT EXISTS (SELECT FROM resources r WHERE r.folder = u.id AND r.name = g.name)),
        c.*
    FROM until u CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM (
            SELECT r.* FROM resources r WHERE r.folder = u.id AND r.changed > $3::bigint AND r.changed <= u.at ORDER BY r.item
        ) AS x
    ) AS c
"""  # noqa: S608 (our own words)
_STATES = """
    SELECT f.id, f.highest_modseq, f.messages, f.unseen, f.size FROM mailboxes m JOIN folders f ON f.mailbox = m.id
    WHERE m.guid = $1::uuid AND ($2::bigint[] = '{}' OR f.id = ANY ($2::bigint[]))
"""
_RENDERED = ", ".join(f"r.{column.name}" for column in ITEM_COLUMNS)
_OVERLAPPING = f"""
    SELECT f.id, x.* FROM folders f LEFT JOIN LATERAL (
        SELECT r.item, {_RENDERED} FROM (
            SELECT o.* FROM resources o
            WHERE o.folder = f.id AND o.starts IS NOT NULL AND o.ends >= $3::bigint AND o.starts < $4::bigint
                AND (o.ends > $3::bigint OR o.starts = o.ends) AND o.item > $5::bigint OFFSET 0
        ) AS r ORDER BY r.item LIMIT $6::bigint
    ) AS x ON true WHERE f.id = {OWNED}
"""  # noqa: S608 (our own words)
"""Takes what is in the span before it is put in order (OFFSET 0): else a plan may go through all items in the order of ids."""
_PRIVATE = f"""
    SELECT f.id, r.item FROM folders f LEFT JOIN resources r ON r.folder = f.id AND r.private
    WHERE f.id = {OWNED} ORDER BY r.item
"""  # noqa: S608 (our own words)
_ADDRESSED = """
    SELECT r.item, r.addresses FROM mailboxes m JOIN folders f ON f.mailbox = m.id
    JOIN resources r ON r.folder = f.id AND r.addresses <> '{}' AND r.addresses && $2::text[] WHERE m.guid = $1::uuid
    ORDER BY r.item LIMIT $3::bigint
"""
_DUE = """
    SELECT m.guid, r.item, r.reminds FROM (
        SELECT o.item, o.folder, o.reminds FROM resources o WHERE o.reminds <= $1::bigint ORDER BY o.reminds OFFSET 0
    ) AS r JOIN folders f ON f.id = r.folder JOIN mailboxes m ON m.id = f.mailbox
    WHERE m.disconnected = 0 AND f.kind <> 'deleted' ORDER BY r.reminds, r.item LIMIT $2::bigint
"""
"""Looks for what is due first (OFFSET 0): a plan made while the tables were small would begin with all mailboxes."""


class ResourceLookup(ResourceStore):
    """The part of a mailbox database that looks named items up."""

    _pool: Pool

    async def resources(self, mailbox: UUID, folder: int, after: str = "", most: int = 10_000) -> Resources:
        parameters = [mailbox.bytes, wire.int8(folder), wire.text(after), wire.int8(min(max(1, most), _MOST))]
        return _of_folder(await self._pool.read(_LIST, parameters))

    async def named(self, mailbox: UUID, folder: int, names: Sequence[str], content: bool = False) -> Resources:
        wanted = names_among(dict.fromkeys(names))
        parameters = [mailbox.bytes, wire.int8(folder), wire.plain_texts(wanted)]
        return _of_folder(await self._pool.read(_NAMED_STATEMENTS[content], parameters))

    async def with_ids(self, mailbox: UUID, ids: Sequence[int], content: bool = False) -> Resources:
        parameters = [mailbox.bytes, wire.int8s(dict.fromkeys(ids))]
        return _resources((await self._pool.read(_WITH_IDS_STATEMENTS[content], parameters))[0])

    async def with_uids(self, mailbox: UUID, folder: int | None, uids: Sequence[str]) -> Resources:
        wanted = wire.texts(dict.fromkeys(uids))
        if folder is None:
            rows = await self._pool.read(_WITH_UIDS_ANYWHERE_STATEMENT, [mailbox.bytes, wanted, wire.int8(_MOST)])
            return _resources(rows[0])
        return _of_folder(
            await self._pool.read(_WITH_UIDS_STATEMENT, [mailbox.bytes, wire.int8(folder), wanted, wire.int8(_MOST)])
        )

    async def resource_changes(self, mailbox: UUID, folder: int, since: int, most: int = 10_000) -> ResourceChanges:
        parameters = [mailbox.bytes, wire.int8(folder), wire.int8(within(since)), wire.int8(min(max(1, most), _MOST))]
        rows = await self._pool.read(_CHANGES, parameters)
        if not rows:
            raise no_folder()
        until, highest, more, gone, *columns = rows[0]
        is_more = more == b"\x01"
        return ResourceChanges(
            wire.to_int8(until if is_more else highest), _resources(tuple(columns)), wire.to_texts(gone), is_more
        )

    async def folder_states(self, mailbox: UUID, folders: Sequence[int] = ()) -> dict[int, FolderState]:
        rows = await self._pool.read(_STATES, [mailbox.bytes, wire.int8s(folders)])
        return {number: FolderState(*state) for number, *state in (map(wire.to_int8, row) for row in rows)}

    async def overlapping(
        self, mailbox: UUID, folder: int, starts: int, ends: int, after: int = 0, most: int = 10_000
    ) -> dict[int, RenderedItem]:
        numbers = (folder, *map(within, (starts, ends, after)), min(max(1, most), _MOST))
        rows = await self._pool.read(_OVERLAPPING, [mailbox.bytes, *map(wire.int8, numbers)])
        if not rows:
            raise no_folder()
        return {wire.to_int8(row[1]): _rendered(row[2:]) for row in rows if row[1] is not None}

    async def private_resources(self, mailbox: UUID, folder: int) -> list[int]:
        rows = await self._pool.read(_PRIVATE, [mailbox.bytes, wire.int8(folder)])
        if not rows:
            raise no_folder()
        return [wire.to_int8(item) for _, item in rows if item is not None]

    async def with_addresses(self, mailbox: UUID, addresses: Sequence[str]) -> dict[str, list[int]]:
        rows = await self._pool.read(_ADDRESSED, [mailbox.bytes, wire.texts(addresses), wire.int8(_MOST)])
        ids: dict[str, list[int]] = {}
        wanted = set(addresses)
        for item, its in rows:
            for address in wanted.intersection(wire.to_texts(its)):
                ids.setdefault(address, []).append(wire.to_int8(item))
        return ids

    async def reminders(self, until: int, most: int = 1_000) -> list[Reminder]:
        rows = await self._pool.read(_DUE, [wire.int8(within(until)), wire.int8(min(max(1, most), _MOST))])
        return [Reminder(UUID(bytes=guid), wire.to_int8(item), wire.to_int8(at)) for guid, item, at in rows]


def _rendered(row: Row) -> RenderedItem:
    uid, starts, ends, expands, busy, private, status, organizer, reminds, addresses = row
    end = wire.to_int8(ends)
    return RenderedItem(
        uid=(uid or b"").decode(),
        starts=wire.to_int8(starts),
        ends=None if end == ENDLESS else end,
        expands=expands == b"\x01",
        busy=Busy(wire.to_int8(busy)),
        is_private=private == b"\x01",
        status=(status or b"").decode(),
        organizer=(organizer or b"").decode(),
        reminds=None if reminds is None else wire.to_int8(reminds),
        addresses=wire.to_texts(addresses),
    )


def _of_folder(rows: Sequence[Row]) -> Resources:
    if not rows:
        raise no_folder()
    return _resources(rows[0][1:])


def _resources(row: Row) -> Resources:
    ids, folders, names, uids, tags, sizes, classes, created, modified = row[:_WIDTH]
    if ids is None:
        return Resources()
    every = tags or b""
    return Resources(
        wire.words64(ids),
        wire.words64(folders),
        _lines(names),
        _lines(uids),
        [every[at : at + TAG_OCTETS] for at in range(0, len(every), TAG_OCTETS)],
        wire.words64(sizes),
        _lines(classes),
        wire.words64(created),
        wire.words64(modified),
        _contents(*row[_WIDTH:]) if len(row) > _WIDTH else (),
    )


def _lines(data: bytes | None) -> list[str]:
    return (data or b"").decode().split("\n")


def _contents(data: bytes | None, lengths: bytes | None) -> list[bytes | None]:
    every, sizes = data or b"", wire.words64(lengths)
    places = accumulate([max(0, size) for size in sizes], initial=0)
    return [None if size < 0 else every[start:end] for size, (start, end) in zip(sizes, pairwise(places), strict=True)]
