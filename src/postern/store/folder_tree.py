"""Folders of every class, by parent and name; changes of folders; rights on folders; properties of folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from postern.model.folders import FolderChanges, FolderKind, FolderNode, Right, SharedFolder
from postern.model.item_store import MAX_PROPERTIES, MAX_PROPERTY_OCTETS
from postern.model.mailbox import MailboxError
from postern.store import wire
from postern.store.connection import Pool
from postern.store.folders import checked_path, limits
from postern.store.item_store import check_tags
from postern.store.items import checked_class
from postern.store.notices import Notices

MAX_GRANTEES = 1_000
"""Entries of rights on one folder."""
_MOST_SHARED = 10_000
"""Folders that `shared_with` finds at most: more than anybody looks through."""

_NODE = "f.id, f.parent, f.name, f.class, f.kind, f.change"
_TREE = f"SELECT {_NODE} FROM mailboxes m JOIN folders f ON f.mailbox = m.id WHERE m.guid = $1::uuid"  # noqa: S608 (our own words)
_CHANGES = f"""
    SELECT m.change, x.* FROM mailboxes m LEFT JOIN LATERAL (
        SELECT f.made, {_NODE} FROM folders f WHERE f.mailbox = m.id AND f.change > $2::bigint
        UNION ALL
        SELECT NULL, r.folder, 0, '', '', '', r.change FROM removed_folders r
        WHERE r.mailbox = m.id AND r.change > $2::bigint AND $2::bigint > 0
    ) AS x ON true WHERE m.guid = $1::uuid ORDER BY x.id
"""  # noqa: S608 (our own words)
_RIGHTS = """
    SELECT f.id, r.grantee, r.rights FROM mailboxes m JOIN folders f ON f.mailbox = m.id
    LEFT JOIN folder_rights r ON r.folder = f.id WHERE m.guid = $1::uuid AND f.id = $2::bigint
"""
_ALL_RIGHTS = """
    SELECT r.folder, r.grantee, r.rights FROM mailboxes m JOIN folders f ON f.mailbox = m.id
    JOIN folder_rights r ON r.folder = f.id WHERE m.guid = $1::uuid ORDER BY r.folder, r.grantee
"""
_SHARED = f"""
    SELECT m.guid, r.grantee, r.rights, {_NODE} FROM folder_rights r JOIN folders f ON f.id = r.folder
    JOIN mailboxes m ON m.id = f.mailbox WHERE r.grantee = ANY ($1::uuid[]) AND m.disconnected = 0
    ORDER BY f.mailbox, f.id LIMIT $2::bigint
"""  # noqa: S608 (our own words)
_PROPERTIES = """
    SELECT f.id, p.tag, p.value FROM mailboxes m JOIN folders f ON f.mailbox = m.id
    LEFT JOIN folder_properties p ON p.folder = f.id WHERE m.guid = $1::uuid AND f.id = ANY ($2::bigint[]) ORDER BY f.id, p.tag
"""


async def tree(pool: Pool, mailbox: UUID) -> list[FolderNode]:
    rows = await pool.read(_TREE + " ORDER BY f.id", [mailbox.bytes])
    if not rows:
        raise MailboxError("NONEXISTENT", "No such mailbox")
    return [_node(row) for row in rows]


async def create_in(
    pool: Pool, notices: Notices, mailbox: UUID, parent: int, name: str, folder_class: str
) -> FolderNode:
    parameters = [
        mailbox.bytes,
        wire.int8(parent),
        wire.text(_name(parent, name)),
        wire.text(checked_class(folder_class)),
        *limits(),
    ]
    rows = await pool.run(
        "SELECT create_below($1::uuid, $2::bigint, $3::text, $4::text, $5::bigint, $6::bigint, $7::bigint)", parameters
    )
    rows = await pool.run(_TREE + " AND f.id = $2::bigint", [mailbox.bytes, rows[0][0]])
    if not rows:
        raise MailboxError("NONEXISTENT", "The folder is gone again")
    node = _node(rows[0])
    notices.changed(mailbox, node.change)
    return node


async def move_folder(pool: Pool, notices: Notices, mailbox: UUID, folder: int, parent: int, name: str) -> None:
    parameters = [
        mailbox.bytes,
        wire.int8(folder),
        wire.int8(parent),
        wire.text(_name(parent, name)),
        *limits(),
    ]
    rows = await pool.run(
        "SELECT move_folder($1::uuid, $2::bigint, $3::bigint, $4::text, $5::bigint, $6::bigint, $7::bigint)", parameters
    )
    notices.changed(mailbox, wire.to_int8(rows[0][0]))


async def folder_changes(pool: Pool, mailbox: UUID, since: int) -> FolderChanges:
    rows = await pool.read(_CHANGES, [mailbox.bytes, wire.int8(since)])
    if not rows:
        raise MailboxError("NONEXISTENT", "No such mailbox")
    created: list[FolderNode] = []
    changed: list[FolderNode] = []
    removed: list[int] = []
    for _, made, *node in rows:
        if node[0] is None:
            continue
        if made is None:
            removed.append(wire.to_int8(node[0]))
        else:
            (created if wire.to_int8(made) > since else changed).append(_node(node))
    return FolderChanges(wire.to_int8(rows[0][0]), created, changed, removed)


async def rights(pool: Pool, mailbox: UUID, folder: int) -> dict[UUID, Right]:
    rows = await pool.read(_RIGHTS, [mailbox.bytes, wire.int8(folder)])
    if not rows:
        raise MailboxError("NONEXISTENT", "No such folder")
    return {UUID(bytes=grantee): Right(wire.to_int8(bits)) for _, grantee, bits in rows if grantee is not None}


async def mailbox_rights(pool: Pool, mailbox: UUID) -> dict[int, dict[UUID, Right]]:
    entries: dict[int, dict[UUID, Right]] = {}
    for folder, grantee, bits in await pool.read(_ALL_RIGHTS, [mailbox.bytes]):
        entries.setdefault(wire.to_int8(folder), {})[UUID(bytes=grantee)] = Right(wire.to_int8(bits))
    return entries


async def set_rights(
    pool: Pool, notices: Notices, mailbox: UUID, folder: int, grantee: UUID, granted: Right | None
) -> None:
    parameters = [
        mailbox.bytes,
        wire.int8(folder),
        grantee.bytes,
        None if granted is None else wire.int8(granted),
        wire.int8(MAX_GRANTEES),
    ]
    rows = await pool.run("SELECT set_rights($1::uuid, $2::bigint, $3::uuid, $4::bigint, $5::bigint)", parameters)
    notices.changed(mailbox, wire.to_int8(rows[0][0]))


async def shared_with(pool: Pool, grantees: Sequence[UUID]) -> list[SharedFolder]:
    rows = await pool.read(_SHARED, [wire.uuids(grantees), wire.int8(_MOST_SHARED)])
    return [
        SharedFolder(UUID(bytes=guid), _node(node), UUID(bytes=grantee), Right(wire.to_int8(bits)))
        for guid, grantee, bits, *node in rows
    ]


async def folder_properties(pool: Pool, mailbox: UUID, folders: Sequence[int]) -> dict[int, dict[int, bytes]]:
    bags: dict[int, dict[int, bytes]] = {}
    for folder, tag, value in await pool.read(_PROPERTIES, [mailbox.bytes, wire.int8s(folders)]):
        bag = bags.setdefault(wire.to_int8(folder), {})
        if tag is not None:
            bag[wire.to_int8(tag)] = value or b""
    return bags


async def set_folder_properties(
    pool: Pool, notices: Notices, mailbox: UUID, folder: int, values: Mapping[int, bytes | None]
) -> None:
    check_tags(values)
    rows = await pool.run(
        "SELECT set_folder_properties($1::uuid, $2::bigint, $3::bigint[], $4::bytea[], $5::bigint, $6::bigint)",
        [
            mailbox.bytes,
            wire.int8(folder),
            wire.int8s(values),
            wire.byteas(list(values.values())),
            wire.int8(MAX_PROPERTIES),
            wire.int8(MAX_PROPERTY_OCTETS),
        ],
    )
    notices.changed(mailbox, wire.to_int8(rows[0][0]))


async def name_folders(
    pool: Pool, notices: Notices, mailbox: UUID, names: Mapping[FolderKind, str], former: Sequence[str]
) -> None:
    parameters = [
        mailbox.bytes,
        wire.texts(kind.value for kind in names),
        wire.texts(checked_path([name])[0] for name in names.values()),
        wire.texts(former),
    ]
    rows = await pool.run("SELECT name_folders($1::uuid, $2::text[], $3::text[], $4::text[])", parameters)
    notices.changed(mailbox, wire.to_int8(rows[0][0]))


def _name(parent: int, name: str) -> str:
    """Returns the name as it is kept: at the top the case of INBOX does not matter, as in a path."""
    (checked,) = checked_path([name])
    return name if parent else checked


def _node(row: Sequence[bytes | None]) -> FolderNode:
    number, parent, name, folder_class, kind, change = row
    return FolderNode(
        wire.to_int8(number),
        wire.to_int8(parent),
        (name or b"").decode(),
        (folder_class or b"").decode(),
        FolderKind((kind or b"").decode()),
        wire.to_int8(change),
    )
