"""Mailboxes, their folders with mail by path, subscriptions and keywords."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from postern.model.folders import MAIL, Folder, FolderKind
from postern.model.items import KEYWORD_BASE, MAX_KEYWORDS
from postern.model.mailbox import MailboxError, MailboxInfo
from postern.store import wire
from postern.store.connection import Pool, Row
from postern.store.notices import Notices

MAX_FOLDERS = 10_000
MAX_DEPTH = 32
"""Names of a path: IMAP opens no folder below that (`path_of` in `services/imap/state.py`)."""
MAX_PATH_OCTETS = 2_000
"""Octets of a path's names in UTF-8, with one for each slash between them.

A row of the index on (mailbox, path) has at most 2,704 octets, a third of PostgreSQL's page of 8 KB; with a longer one the
statement fails. The row's header, the mailbox and the array's header take 36 octets, and each of 32 names up to 7 for its
length and alignment: 2,260 octets at most."""
_MAX_NAME = 255

_FOLDER = """
    SELECT f.id, f.path, f.kind, f.uid_validity, f.uid_next, f.highest_modseq, f.messages, f.unseen, f.deleted, f.size,
        f.recent_uid, EXISTS (SELECT FROM subscriptions s WHERE s.mailbox = f.mailbox AND s.path = f.path), f.keywords
    FROM mailboxes m JOIN folders f ON f.mailbox = m.id WHERE m.guid = $1::uuid
"""
_OF_MAIL = _FOLDER + f" AND (f.class = '{MAIL}' OR starts_with(f.class, '{MAIL}.')) ORDER BY f.path"
_ONE = _FOLDER + " AND f.id = $2::bigint"
_CLAIM = f"""
    WITH old AS ({_ONE} FOR NO KEY UPDATE OF f), claimed AS (
        UPDATE folders f SET recent_uid = old.uid_next FROM old WHERE f.id = old.id AND old.recent_uid <> old.uid_next
    )
    SELECT old.*, set_config('synchronous_commit', 'off', true) FROM old
"""  # noqa: S608 (our own words)
"""Reads the folder once it is locked, so that only one of two sessions claims what is new. The commit does not wait for the
disk: a crash that loses the claim only makes messages recent once more."""
_FIRST_UNSEEN = """
    SELECT CASE WHEN f.unseen > f.messages / 2 THEN
        (SELECT count(*) FROM items i WHERE i.folder = f.id AND i.uid <= (
            SELECT u.uid FROM items u WHERE u.folder = f.id AND u.flags & 1 = 0 ORDER BY u.uid LIMIT 1))
    ELSE f.messages + 1 - (SELECT count(*) FROM items i WHERE i.folder = f.id AND i.uid >= (
        SELECT u.uid FROM items u WHERE u.folder = f.id AND u.flags & 1 = 0 ORDER BY u.uid DESC LIMIT 1 OFFSET f.unseen - 1))
    END
    FROM mailboxes m JOIN folders f ON f.mailbox = m.id WHERE m.guid = $1::uuid AND f.id = $2::bigint AND f.unseen > 0
"""
"""Finds the sequence number of the first unseen item. Where most items are unseen it counts from the start. Else it counts from
the end, for then the unseen ones are mostly the newest."""


async def logon(pool: Pool, mailbox: UUID, quota: int, names: wire.Parameter) -> MailboxInfo:
    """Does what Mailboxes.logon says. `names` are those of the well-known folders without mail, for a mailbox that has none."""
    row = (
        await pool.run(
            "SELECT used, quota, items, change FROM logon($1::uuid, $2::bigint, $3::text[])",
            [mailbox.bytes, wire.int8(quota), names],
        )
    )[0]
    used, limit, items, change = map(wire.to_int8, row)
    return MailboxInfo(mailbox, used, limit, items, change)


async def folders(pool: Pool, mailbox: UUID) -> list[Folder]:
    rows = await pool.run(_OF_MAIL, [mailbox.bytes])
    if not rows:
        raise _nonexistent("No such mailbox")
    return [_folder(row) for row in rows]


async def folder(pool: Pool, mailbox: UUID, folder: int, claim_recent: bool) -> Folder:
    rows = await pool.run(_CLAIM if claim_recent else _ONE, [mailbox.bytes, wire.int8(folder)])
    if not rows:
        raise _nonexistent("No such folder")
    return _folder(rows[0])


async def first_unseen(pool: Pool, mailbox: UUID, folder: int) -> int:
    rows = await pool.read(_FIRST_UNSEEN, [mailbox.bytes, wire.int8(folder)])
    return wire.to_int8(rows[0][0]) if rows and rows[0][0] is not None else 0


async def create_folder(pool: Pool, notices: Notices, mailbox: UUID, path: Sequence[str], kind: FolderKind) -> Folder:
    rows = await pool.run(
        "SELECT create_mail_folder($1::uuid, $2::text[], $3::text, $4::bigint, $5::bigint, $6::bigint)",
        [mailbox.bytes, wire.texts(checked_path(path)), wire.text(kind.value), *limits()],
    )
    made = await folder(pool, mailbox, wire.to_int8(rows[0][0]), False)
    notices.changed(mailbox, made.highest_modseq)
    return made


async def rename_folder(pool: Pool, notices: Notices, mailbox: UUID, folder: int, path: Sequence[str]) -> None:
    rows = await pool.run(
        "SELECT rename_mail_folder($1::uuid, $2::bigint, $3::text[], $4::bigint, $5::bigint, $6::bigint)",
        [mailbox.bytes, wire.int8(folder), wire.texts(checked_path(path)), *limits()],
    )
    notices.changed(mailbox, wire.to_int8(rows[0][0]))


async def delete_folder(pool: Pool, notices: Notices, mailbox: UUID, folder: int) -> None:
    rows = await pool.run("SELECT delete_folder($1::uuid, $2::bigint)", [mailbox.bytes, wire.int8(folder)])
    notices.changed(mailbox, wire.to_int8(rows[0][0]))


async def subscriptions(pool: Pool, mailbox: UUID) -> list[tuple[str, ...]]:
    rows = await pool.run(
        "SELECT s.path FROM subscriptions s JOIN mailboxes m ON m.id = s.mailbox WHERE m.guid = $1::uuid ORDER BY s.path",
        [mailbox.bytes],
    )
    return [wire.to_texts(row[0]) for row in rows]


async def subscribe(pool: Pool, mailbox: UUID, path: Sequence[str], subscribed: bool) -> None:
    if subscribed:
        statement = """
            INSERT INTO subscriptions SELECT m.id, $2::text[] FROM mailboxes m
            WHERE m.guid = $1::uuid AND (SELECT count(*) FROM subscriptions s WHERE s.mailbox = m.id) < $3::bigint
            ON CONFLICT DO NOTHING
        """
        parameters = [mailbox.bytes, wire.texts(checked_path(path)), wire.int8(2 * MAX_FOLDERS)]
    else:
        statement = """
            DELETE FROM subscriptions s USING mailboxes m
            WHERE m.guid = $1::uuid AND s.mailbox = m.id AND s.path = $2::text[]
        """
        parameters = [mailbox.bytes, wire.texts(normal_path(path))]
    await pool.run(statement, parameters)


async def keywords(pool: Pool, mailbox: UUID, folder: int, names: Sequence[str], create: bool) -> int:
    rows = await pool.run(
        "SELECT keyword_bits($1::uuid, $2::bigint, $3::text[], $4::boolean, $5::bigint, $6::bigint)",
        [
            mailbox.bytes,
            wire.int8(folder),
            wire.texts(names),
            wire.boolean(create),
            wire.int8(KEYWORD_BASE),
            wire.int8(MAX_KEYWORDS),
        ],
    )
    return wire.to_int8(rows[0][0])


def limits() -> list[bytes]:
    """Returns the parameters `most`, `deepest` and `longest` of the SQL functions that make or rename folders."""
    return [wire.int8(MAX_FOLDERS), wire.int8(MAX_DEPTH), wire.int8(MAX_PATH_OCTETS)]


def normal_path(path: Sequence[str]) -> tuple[str, ...]:
    """Returns the path with INBOX in capitals at its top: the case of this name alone does not matter (RFC 9051 section 5.1)."""
    if path and path[0].upper() == "INBOX":
        return ("INBOX", *path[1:])
    return tuple(path)


def checked_path(path: Sequence[str]) -> tuple[str, ...]:
    """Returns the path as it is kept. Raises MailboxError for names that no folder can have."""
    if not path or len(path) > MAX_DEPTH:
        raise MailboxError("CANNOT", f"A folder's path has between 1 and {MAX_DEPTH} names")
    if len("/".join(path).encode("utf-8", "replace")) > MAX_PATH_OCTETS:
        raise MailboxError("CANNOT", f"A folder's path has at most {MAX_PATH_OCTETS} octets")
    for name in path:
        if not name or len(name.encode("utf-8", "replace")) > _MAX_NAME or not name.isprintable() or "/" in name:
            raise MailboxError("CANNOT", "A folder's name has 1 to 255 octets, all of them printable and none a slash")
    return normal_path(path)


def _folder(row: Row) -> Folder:
    number = wire.to_int8
    return Folder(
        id=number(row[0]),
        path=wire.to_texts(row[1]),
        kind=FolderKind((row[2] or b"").decode()),
        uid_validity=number(row[3]),
        uid_next=number(row[4]),
        highest_modseq=number(row[5]),
        messages=number(row[6]),
        unseen=number(row[7]),
        deleted=number(row[8]),
        size=number(row[9]),
        recent_uid=number(row[10]),
        subscribed=row[11] == b"\x01",
        keywords=wire.to_texts(row[12]),
    )


def _nonexistent(text: str) -> MailboxError:
    return MailboxError("NONEXISTENT", text)
