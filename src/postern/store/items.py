"""Items of a folder: indexed, flagged, appended, copied, expunged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import UUID

from postern.model.items import MESSAGE, CopyResult, Flag, FlagChange, FlagResult, Index, NewItem
from postern.model.mailbox import MailboxError
from postern.store import wire
from postern.store.connection import Pool, Rejected, Row
from postern.store.fetching import OWNED, no_folder
from postern.store.notices import Notices
from postern.store.ranges import MAX_UID, merged
from postern.store.rendered import PLACES, Batch, Unrenderable, placeholders

_FLAG_MASK = (1 << 63) - 1
_LONGEST_CLASS = 255
"""The most characters that PidTagMessageClass has (MS-OXCMSG section 2.2.1.3)."""

_INDEX = f"""
    SELECT f.highest_modseq, f.uid_next, f.messages, x.uids, x.flags, x.modseqs, CASE WHEN $3::bigint > 0 THEN (
        SELECT string_agg(int8send(u.uid), '') FROM (
            SELECT u.uid FROM expunged e, unnest(e.uids) AS u(uid) WHERE e.folder = f.id AND e.modseq > $3::bigint
            ORDER BY u.uid) AS u) END
    FROM folders f, LATERAL (
        SELECT string_agg(int8send(i.uid), '') AS uids, string_agg(int8send(i.flags), '') AS flags,
            string_agg(int8send(i.modseq), '') AS modseqs
        FROM (SELECT i.uid, i.flags, i.modseq FROM items i WHERE i.folder = f.id {{since}} ORDER BY i.uid) AS i) AS x
    WHERE f.id = {OWNED}
"""  # noqa: S608 (our own words)
_INDEX_ALL = _INDEX.format(since="")
_INDEX_SINCE = _INDEX.format(since="AND i.modseq > $3::bigint")

_EXAMINE = f"""
    SELECT x.*, f.recent_uid, f.uid_next FROM ({{index}}) AS x, folders f WHERE f.id = {OWNED} AND $4::bigint >= 0
"""  # noqa: S608 (our own words)
_CLAIM = f"""
    WITH old AS (
        SELECT f.id, f.recent_uid, f.uid_next FROM folders f
        WHERE f.id = {OWNED} AND f.uid_next > $4::bigint AND f.recent_uid <> f.uid_next FOR NO KEY UPDATE
    ), claimed AS (
        UPDATE folders f SET recent_uid = old.uid_next FROM old WHERE f.id = old.id
    )
    SELECT x.*, old.recent_uid, old.uid_next,
        CASE WHEN old.id IS NOT NULL THEN set_config('synchronous_commit', 'off', true) END
    FROM ({{index}}) AS x LEFT JOIN old ON true
"""  # noqa: S608 (our own words)
"""Locks the folder where something came, so that only one of two sessions claims it. The commit does not wait for the disk: a
crash that loses the claim only makes messages recent once more."""

_LOOKS = {
    (claim, is_whole): statement.format(index=index)
    for claim, statement in ((True, _CLAIM), (False, _EXAMINE))
    for is_whole, index in ((True, _INDEX_ALL), (False, _INDEX_SINCE))
}

PLACED_ITEMS = """$1::uuid, $2::bigint, $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint, $8::bigint,
    $9::bigint"""
"""Those of NEW_ITEMS that come before the contents."""
NEW_ITEMS = f"{PLACED_ITEMS}, {placeholders(10, PLACES)}"
"""The parameters that `new_items` returns, as `append_items` and `create_items` take them."""
_APPEND = f"""SELECT validity, first_uid, change FROM append_items(
    {NEW_ITEMS})"""  # noqa: S608 (our own words)


async def index(pool: Pool, mailbox: UUID, folder: int, since: int) -> Index:
    rows = await pool.read(
        _INDEX_SINCE if since > 0 else _INDEX_ALL, [mailbox.bytes, wire.int8(folder), wire.int8(since)]
    )
    if not rows:
        raise no_folder()
    return _index(rows[0])


async def look(pool: Pool, mailbox: UUID, folder: int, since: int, next_uid: int, claim_recent: bool) -> Index:
    """Does what Mailboxes.look says."""
    statement = _LOOKS[claim_recent, since <= 0]
    parameters = [mailbox.bytes, wire.int8(folder), wire.int8(since), wire.int8(next_uid)]
    # A claim is made in full or not at all, so it runs to its end when its caller goes away.
    rows = await (pool.run if claim_recent else pool.read)(statement, parameters)
    if not rows:
        raise no_folder()
    answer, (first, behind) = _index(rows[0][:7]), rows[0][7:9]
    if first is None or answer.last_uid < next_uid:
        return answer
    return answer._replace(recent=(wire.to_int8(first), wire.to_int8(behind) - 1))


def _index(row: Row) -> Index:
    highest, uid_next, messages, uids, flags, modseqs, vanished = row
    return Index(
        highest_modseq=wire.to_int8(highest),
        uid_next=wire.to_int8(uid_next),
        messages=wire.to_int8(messages),
        uids=wire.words32(uids).tobytes(),
        flags=wire.words64(flags).tobytes(),
        modseqs=wire.words64(modseqs).tobytes(),
        vanished=wire.words32(vanished).tobytes(),
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
    """Does what Mailboxes.change_flags says, and does not wait for the disk. A crash of the database (not of this process) can
    lose the flags of its last moments, the latest first, but never a message. Every other change waits for the disk, also for the
    flags before it."""
    lows, highs = merged(uids)
    rows = await pool.run(
        "SELECT uids, flags, modseqs, modified, change, set_config('synchronous_commit', 'off', true) FROM change_flags("
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
    passed, new, modseqs, modified, number, _ = rows[0]
    notices.changed(mailbox, wire.to_int8(number))
    return FlagResult(wire.words32(passed), wire.words64(new), wire.words64(modseqs), wire.words32(modified))


async def append(pool: Pool, notices: Notices, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> CopyResult:
    rows = await retried(pool, _APPEND, await new_items(mailbox, folder, items, [MESSAGE] * len(items)))
    validity, first, change = map(wire.to_int8, rows[0])
    notices.changed(mailbox, change)
    return CopyResult(validity, (), range(first, first + len(items)))


async def new_items(
    mailbox: UUID, folder: int, items: Sequence[NewItem], classes: Sequence[str], exactly: bool = False
) -> list[wire.Parameter]:
    """Renders items, and returns them as the parameters NEW_ITEMS. Raises MailboxError CANNOT."""
    if not items:
        raise MailboxError("CANNOT", "There is nothing to append")
    batch = await rendered([item.content for item in items], exactly)
    now = int(time.time())
    return [
        mailbox.bytes,
        wire.int8(folder),
        wire.int8s(batch.places),
        wire.int8s([item.flags & _FLAG_MASK for item in items]),
        wire.int8s([now if item.internal_date is None else item.internal_date for item in items]),
        wire.texts(classes),
        wire.int8(sum([batch.rendered[place - 1].size for place in batch.places])),
        wire.int8(sum([not item.flags & Flag.SEEN for item in items])),
        wire.int8(sum([bool(item.flags & Flag.DELETED) for item in items])),
        *batch.parameters(),
    ]


async def rendered(contents: Sequence[bytes], exactly: bool = False) -> Batch:
    """Renders contents; `exactly` leaves their octets as they are. Raises MailboxError CANNOT."""
    try:
        return await Batch.of(contents, exactly=exactly)
    except Unrenderable as bad:
        raise MailboxError("CANNOT", "The message cannot be read") from bad


def checked_class(name: str) -> str:
    """Returns the class of an item or a folder. Raises MailboxError CANNOT for what cannot be one."""
    if not 1 <= len(name) <= _LONGEST_CLASS or not name.isascii() or not name.isprintable():
        raise MailboxError("CANNOT", "A class has 1 to 255 printable ASCII characters")
    return name


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
    """Runs a statement, up to three times where the database says that only the moment was wrong (serialization, deadlock)."""
    for last in (False, False, True):
        try:
            return await pool.run(statement, parameters)
        except Rejected as error:
            if last or error.sqlstate not in ("40001", "40P01"):
                raise
    raise AssertionError("unreachable")
