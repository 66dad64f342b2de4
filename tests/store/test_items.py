"""Items: appended, indexed, fetched, flagged, copied and expunged, with counters and mod-sequences that add up.

covers: database, fetching, rendered
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from postern.model.delivery import Delivery
from postern.model.folders import FolderKind
from postern.model.items import Column, FlagChange, NewItem
from postern.model.mailbox import MailboxError
from postern.protocols.mime.sections import binary
from postern.store import fetching
from postern.store.connection import Rejected
from tests.model.mailboxes_contract import words
from tests.store.conftest import Box, Store, message

pytestmark = pytest.mark.slow


def test_fetch_of_nothing(store: Store) -> None:
    box = store.mailbox()
    for ranges in ([], [(1, 10)], [(0, 0)]):
        for columns in (Column.FLAGS, Column.CONTENT):
            got = store.run(store.database.fetch(box.guid, box.inbox, ranges, columns))
            assert list(got.uids) == []


def test_large_contents_come_in_portions_and_whole(store: Store) -> None:
    box = store.mailbox()
    contents = [message(f"big {n}", f"{n}" * 7_000_000) for n in range(4)]
    for content in contents:
        box.append(content)
    got = store.run(store.database.fetch(box.guid, box.inbox, [(1, 9)], Column.CONTENT | Column.SIZE))
    assert list(got.uids) == [1, 2, 3, 4]
    assert list(got.contents) == contents


def test_envelopes_too_long_for_one_value_still_come(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    box = store.mailbox()
    box.append(message("one"), message("two"))
    packed = fetching._packed

    async def refuse(*arguments: Any) -> Any:
        if arguments[5] & Column.ENVELOPE:
            raise Rejected("54000", "string buffer exceeds maximum allowed length")
        return await packed(*arguments)

    expected = store.run(store.database.fetch(box.guid, box.inbox, [(1, 9)], Column.ENVELOPE | Column.FLAGS))
    monkeypatch.setattr(fetching, "_packed", refuse)
    got = store.run(store.database.fetch(box.guid, box.inbox, [(1, 9)], Column.ENVELOPE | Column.FLAGS))
    assert list(got.envelopes) == list(expected.envelopes)
    assert (list(got.uids), list(got.flags)) == ([1, 2], [0, 0])


def test_an_empty_message_and_one_of_any_octets_but_nul_and_bare_feeds(store: Store) -> None:
    box = store.mailbox()
    odd = [b"", b"\xff\xfe", bytes(range(1, 256)).replace(b"\n", b"\r\n") * 3]
    box.append(*odd)
    got = store.run(store.database.fetch(box.guid, box.inbox, [(1, 3)], Column.CONTENT | Column.HEADER))
    assert list(got.contents) == odd


def test_equal_contents_are_kept_once_and_swept_when_unused(store: Store) -> None:
    one, other = store.mailbox(), store.mailbox()
    content = message("kept once", "only here: zebra")
    one.append(content, content)
    other.append(content)

    def rows() -> int:
        with psycopg.connect(store.dsn) as connection:
            row = connection.execute("SELECT count(*) FROM contents WHERE subject = 'kept once'").fetchone()
            assert row is not None
            return int(row[0])

    assert rows() == 1
    for box in (one, other):
        store.run(store.database.change_flags(box.guid, box.inbox, [(1, 9)], FlagChange.ADD, 8))
    assert store.run(store.database.expunge(one.guid, one.inbox)) == [1, 2]
    store.run(store.database.maintain())
    assert rows() == 1
    assert list(store.run(store.database.fetch(other.guid, other.inbox, [(1, 1)], Column.CONTENT)).contents) == [
        content
    ]
    store.run(store.database.expunge(other.guid, other.inbox))
    store.run(store.database.maintain())
    assert rows() == 0
    one.append(content)
    assert rows() == 1


def test_flags_and_conditions(store: Store) -> None:
    box = store.mailbox()
    box.append(message("a"), message("b"), message("c"))

    def change(
        how: FlagChange, flags: int, uids: Sequence[tuple[int, int]], limit: int | None = None
    ) -> list[list[int]]:
        result = store.run(store.database.change_flags(box.guid, box.inbox, uids, how, flags, limit))
        return [list(result.uids), list(result.flags), list(result.modseqs), list(result.modified)]

    before = store.run(store.database.folder(box.guid, box.inbox)).highest_modseq
    started = int(time.time() * 1e6)
    uids, flags, modseqs, _ = change(FlagChange.ADD, 1, [(1, 2)])
    first = modseqs[0]
    assert (uids, flags, modseqs) == ([1, 2], [1, 1], [first, first])
    # A number that a crash of the database took back is never given again: they follow the clock, in microseconds.
    assert first >= started > before
    # Nothing changes: said as it stands, the mod-sequence stays.
    assert change(FlagChange.ADD, 1, [(1, 1)])[2] == [first]
    assert store.run(store.database.folder(box.guid, box.inbox)).highest_modseq == first
    uids, flags, (second,), _ = change(FlagChange.REPLACE, 2 | 8, [(3, 3)])
    assert (uids, flags) == ([3], [10]) and second > first
    assert change(FlagChange.REMOVE, 1, [(1, 3)], before) == [[], [], [], [1, 2, 3]]
    assert change(FlagChange.REMOVE, 1, [(1, 3)], first)[3] == [3]
    folder = store.run(store.database.folder(box.guid, box.inbox))
    assert (folder.messages, folder.unseen, folder.deleted) == (3, 3, 1)


def test_outbox(store: Store) -> None:
    box = store.mailbox()
    outbox, sent = box.folders[FolderKind.OUTBOX], box.folders[FolderKind.SENT]
    uid = box.append(message("to go"), folder=outbox)[0]
    run, database = store.run, store.database
    assert run(database.outbox(box.guid)) == []
    run(database.submit(box.guid, uid))
    run(database.submit(box.guid, uid))
    assert run(database.outbox(box.guid)) == [uid]
    assert box.guid in run(database.waiting_mailboxes())
    run(database.submitted(box.guid, uid))
    run(database.submitted(box.guid, uid))
    assert run(database.outbox(box.guid)) == []
    there = run(database.folder(box.guid, sent))
    assert (there.messages, there.unseen) == (1, 0)
    with pytest.raises(MailboxError) as caught:
        run(database.submit(box.guid, 99))
    assert caught.value.code == "NONEXISTENT"


def test_sessions_at_once_on_one_folder(store: Store) -> None:
    """Appending, flagging, moving both ways and expunging together neither deadlock nor lose count."""
    box = store.mailbox()
    archive = box.folders[FolderKind.ARCHIVE]
    database, guid = store.database, box.guid
    box.append(*[message(str(n)) for n in range(40)])

    async def appends() -> None:
        for n in range(20):
            await database.append(guid, box.inbox, [NewItem(message(f"new {n}"))])

    async def flags() -> None:
        for n in range(30):
            await database.change_flags(guid, box.inbox, [(1, 99)], FlagChange.ADD if n % 2 else FlagChange.REMOVE, 1)

    async def moves(source: int, target: int) -> None:
        for _ in range(15):
            await database.copy(guid, source, [(1, 99)], target, move=True)

    async def expunges() -> None:
        for n in range(15):
            await database.change_flags(guid, box.inbox, [(n, n)], FlagChange.ADD, 8)
            await database.expunge(guid, box.inbox)

    async def everything() -> None:
        await asyncio.gather(
            appends(), appends(), flags(), flags(), moves(box.inbox, archive), moves(archive, box.inbox), expunges()
        )

    store.run(everything())
    _check_counters(box)


def _check_counters(box: Box) -> None:
    """What folders and mailbox count is what a count of the items gives."""
    run, database = box.store.run, box.store.database
    used = items = 0
    for folder in run(database.folders(box.guid)):
        got = run(database.fetch(box.guid, folder.id, [(1, 1 << 31)], Column.FLAGS | Column.SIZE | Column.MODSEQ))
        assert folder.messages == len(got.uids)
        assert folder.size == sum(got.sizes)
        assert folder.unseen == sum(1 for flags in got.flags if not flags & 1)
        assert folder.deleted == sum(1 for flags in got.flags if flags & 8)
        assert folder.uid_next > max(got.uids, default=0)
        assert folder.highest_modseq >= max(got.modseqs, default=0)
        used, items = used + folder.size, items + folder.messages
    info = run(database.logon(box.guid))
    assert (info.used, info.items) == (used, items)


def test_any_sequence_of_operations_matches_a_model(store: Store) -> None:
    """The folder against a dictionary, and a client that follows by `since` against the folder."""

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.box = store.mailbox()
            self.model: dict[int, int] = {}
            self.client: dict[int, int] = {}
            self.seen = 0
            self.next = 1

        @rule(flags=st.integers(0, 31), count=st.integers(1, 3))
        def append(self, flags: int, count: int) -> None:
            for uid in self.box.append(*[message(str(n)) for n in range(count)], flags=flags):
                assert uid == self.next
                self.model[uid] = flags
                self.next += 1

        @rule(low=st.integers(1, 12), span=st.integers(0, 4), how=st.sampled_from(FlagChange), flags=st.integers(0, 31))
        def change(self, low: int, span: int, how: FlagChange, flags: int) -> None:
            store.run(store.database.change_flags(self.box.guid, self.box.inbox, [(low, low + span)], how, flags))
            for uid in range(low, low + span + 1):
                if uid in self.model:
                    old = self.model[uid]
                    self.model[uid] = {0: flags, 1: old | flags, 2: old & ~flags}[how]

        @rule(low=st.integers(1, 12), span=st.integers(0, 6))
        def expunge(self, low: int, span: int) -> None:
            gone = store.run(store.database.expunge(self.box.guid, self.box.inbox, [(low, low + span)]))
            assert gone == [u for u, f in sorted(self.model.items()) if f & 8 and low <= u <= low + span]
            for uid in gone:
                del self.model[uid]

        @rule()
        def follow(self) -> None:
            news = store.run(store.database.index(self.box.guid, self.box.inbox, self.seen))
            for uid in words(news.vanished):
                self.client.pop(uid, None)
            self.client.update(zip(words(news.uids), words(news.flags, "Q"), strict=True))
            self.seen = news.highest_modseq
            assert self.client == self.model

        @invariant()
        def counters(self) -> None:
            _check_counters(self.box)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_a_binary_part_comes_back_as_it_was(store: Store) -> None:
    """RFC 3516 section 4.4: what no line may hold is stored in base64, and BINARY decodes it."""
    head = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    data = b"\0\n\xff" * 40_000
    box = store.mailbox()
    box.append(head + data)
    got = store.run(store.database.fetch(box.guid, box.inbox, [(1, 1)], Column.CONTENT | Column.BODY))
    assert got.contents[0].startswith(head.replace(b"binary", b"base64")) and b'"base64"' in got.bodies[0]
    assert binary(got.contents[0], (1,)) == data


def test_sizes_as_lines_count_the_end_that_the_last_line_lacks(store: Store) -> None:
    """RFC 1939 section 11: what POP3 tells is what it sends."""
    box = store.mailbox()
    box.append(b"", b"A: b\r\n\r\nend", b"A: b\r\n\r\nend\r\n", b"x", b"\r", b"end\r\n\r", b"y" * 9000)
    sizes = store.run(store.database.fetch(box.guid, box.inbox, [(1, 9)], Column.LINES_SIZE)).sizes
    assert list(sizes) == [0, 13, 13, 3, 3, 8, 9002]


def test_nul_stays_outside(store: Store) -> None:
    """Its size, its quota and its content agree, whether it came by APPEND or by delivery."""
    clean = message("zero", "one two")
    dirty = clean.replace(b"one", b"\0o\0ne\0").replace(b"Subject", b"Sub\0ject")
    box = store.mailbox(quota=2 * len(clean) + len(b"Return-Path: <>\r\n"))
    box.append(dirty)
    store.run(store.database.deliver([Delivery("nul", dirty, [box.guid])]))
    got = store.run(store.database.fetch(box.guid, box.inbox, [(1, 9)], Column.CONTENT | Column.SIZE))
    assert list(got.contents) == [clean, b"Return-Path: <>\r\n" + clean]
    assert list(got.sizes) == [len(content) for content in got.contents]
    assert store.run(store.database.logon(box.guid)).used == sum(got.sizes)


def test_lines_end_with_crlf_whoever_wrote_them(store: Store) -> None:
    """What was appended with LF alone is a message for IMAP and POP3, and its size is what they tell."""
    clean = message("lines", "one\r\ntwo\r\n")
    box = store.mailbox()
    box.append(clean.replace(b"\r\n", b"\n"))
    store.run(store.database.deliver([Delivery("lf", clean.replace(b"\r\n", b"\n"), [box.guid])]))
    got = store.run(store.database.fetch(box.guid, box.inbox, [(1, 9)], Column.CONTENT | Column.SIZE))
    assert list(got.contents) == [clean, b"Return-Path: <>\r\n" + clean]
    assert list(got.sizes) == [len(content) for content in got.contents]
    assert store.run(store.database.logon(box.guid)).used == sum(got.sizes)
