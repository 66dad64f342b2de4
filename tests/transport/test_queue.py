"""The queue's own promises, without crashes: what is accepted is there, once, as it was given.

covers: batch, committer, envelopes, segments, files, lock, queued
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from postern.model.mail import BodyType, Content, Envelope, EnvelopeRecipient, IntakeError, Origin
from postern.telemetry.metrics import Metric, Metrics
from postern.transport import committer, segments
from postern.transport import queue as queue_module
from postern.transport.files import Files
from postern.transport.lock import QueueLocked, is_locked
from postern.transport.queue import Queue
from postern.transport.queued import NEVER, Change, QueuedMessage, State
from postern.transport.segments import CHUNK
from tests.journeys.faulty_files import FaultyFiles
from tests.transport.world import MESSAGE, ORIGIN, Clock

ENVELOPE = Envelope("bob@remote.test", (EnvelopeRecipient("alice@example.test"),))


async def drain(queue: Queue) -> list[QueuedMessage]:
    """Everything that waits in the file."""
    messages: list[QueuedMessage] = []
    while taken := await queue.take_due(1000):
        messages += taken
    return messages


def test_what_was_accepted_is_there_after_a_restart(tmp_path: Path) -> None:
    rich = Envelope(
        "böb@remote.test",
        (
            EnvelopeRecipient("alice@example.test", frozenset({"SUCCESS", "FAILURE"}), "rfc822;alice@example.test"),
            EnvelopeRecipient("한글@example.test"),
        ),
        BodyType.EIGHT_BIT_MIME,
        True,
        "id-1",
        "FULL",
    )
    origin = Origin("client-to-hub-smtp", "2001:db8::1", "helo", "alice", "NTLM", "ESMTPSA", "TLS_AES_128_GCM_SHA256")

    async def first() -> str:
        queue = Queue(tmp_path / "0")
        queue.start()
        accepted = await queue.accept(rich, Content.of(MESSAGE), origin)
        assert accepted.message_id == "<m1@remote.test>"
        await queue.close()
        return accepted.queue_id

    async def second(queue_id: str) -> None:
        queue = Queue(tmp_path / "0")
        queue.start()
        (message,) = await drain(queue)
        assert (message.queue_id, message.message_id) == (queue_id, "<m1@remote.test>")
        assert message.envelope == rich
        assert message.origin == origin
        assert message.content.bytes() == MESSAGE
        assert [r.state for r in message.recipients] == [State.PENDING, State.PENDING]
        await queue.close()

    asyncio.run(second(asyncio.run(first())))


class Lazy(Sequence[bytes]):
    """Chunks that exist only while they are looked at."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.given = 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError
        self.given += 1
        return bytes([index % 256]) * 100_000

    def __iter__(self) -> Iterator[bytes]:
        return (self[i] for i in range(self.count))


def test_a_large_message_is_written_and_read_in_pieces(tmp_path: Path, counted: Metrics) -> None:
    async def run() -> None:
        queue = Queue(tmp_path / "0")
        fresh: list[QueuedMessage] = []
        queue.start(fresh.extend)
        chunks = Lazy(57)
        await queue.accept(ENVELOPE, Content(chunks, 5_700_000), ORIGIN)
        content = fresh[0].content
        assert content.chunks is not chunks, "the spool file is gone once accept has returned"
        assert len(content.chunks) == -(-5_700_000 // CHUNK)
        assert content.bytes() == b"".join(Lazy(57))
        assert chunks.given == 58, "read once, and its first piece again for the Message-ID"
        assert counted.distributions[Metric.MESSAGE_OCTETS, (ORIGIN.path,)].sum == 5_700_000
        await queue.close()

    asyncio.run(run())


def test_content_that_is_not_as_long_as_it_says_is_refused_alone(tmp_path: Path) -> None:
    async def run() -> None:
        queue = Queue(tmp_path / "0")
        queue.start()
        results = await asyncio.gather(
            queue.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN),
            queue.accept(ENVELOPE, Content((b"short",), 6), ORIGIN),
            queue.accept(ENVELOPE, Content.of(MESSAGE + b"2"), ORIGIN),
            return_exceptions=True,
        )
        assert isinstance(results[1], IntakeError)
        assert sorted(m.content.bytes() for m in await drain(queue)) == [MESSAGE, MESSAGE + b"2"]
        assert {m.queue_id for m in queue.active.values()} == {results[0].queue_id, results[2].queue_id}
        await queue.close()

    asyncio.run(run())


def test_one_sync_and_one_commit_serve_all_that_wait(tmp_path: Path) -> None:
    async def run() -> None:
        steps: list[str] = []
        queue = Queue(tmp_path / "0", FaultyFiles(tmp_path / "0", steps.append))
        queue.start()
        await queue.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN)
        steps.clear()
        await asyncio.gather(*(queue.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN) for _ in range(100)))
        # The committer may wake for the first of them; the others then come together.
        assert steps.count("sync") == steps.count("commit") <= 3
        assert steps.index("synced") < steps.index("commit")
        await queue.close()

    asyncio.run(run())


def test_queue_ids_are_never_given_twice(tmp_path: Path) -> None:
    async def run() -> str:
        queue = Queue(tmp_path / "0")
        fresh: list[QueuedMessage] = []
        queue.start(fresh.extend)
        accepted = await queue.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN)
        queue.record([Change(fresh[0], done=True)])
        await queue.close()
        return accepted.queue_id

    assert len({asyncio.run(run()) for _ in range(5)}) == 5


def test_segments_are_deleted_when_all_their_messages_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SPARSE", 0)

    async def run() -> None:
        queue = Queue(tmp_path / "0")
        queue._committer._segments._size = 300
        fresh: list[QueuedMessage] = []
        queue.start(fresh.extend)
        for _ in range(9):
            await queue.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN)
        assert len(list((tmp_path / "0").glob("*.segment"))) == 3
        queue.record([Change(message, done=True) for message in fresh[1:]])
        await queue.settled()
        assert [path.name for path in (tmp_path / "0").glob("*.segment")] == ["00000001.segment"]
        assert fresh[0].content.bytes() == MESSAGE
        await queue.close()

    asyncio.run(run())


def test_a_few_waiting_messages_do_not_keep_a_large_segment(tmp_path: Path) -> None:
    async def run() -> None:
        clock = Clock()
        queue = Queue(tmp_path / "0", clock=clock)
        queue._committer._segments._size = 100_000
        fresh: list[QueuedMessage] = []
        queue.start(fresh.extend)
        await queue.accept(ENVELOPE, Content.of(b"keep me"), ORIGIN)
        for _ in range(3):
            await queue.accept(ENVELOPE, Content.of(MESSAGE + b"x" * 60_000), ORIGIN)
        first = tmp_path / "0" / "00000001.segment"
        queue.record([Change(fresh[0], due=clock.now + 60)])
        queue.record([Change(message, done=True) for message in fresh[1:3]])
        await queue.settled()
        assert not first.exists()
        clock.now += 61
        (message,) = await drain(queue)
        assert message.content.bytes() == b"keep me"
        await queue.close()

    asyncio.run(run())


def test_a_body_that_changed_on_the_disk_is_held_and_never_sent(tmp_path: Path) -> None:
    async def fill() -> None:
        queue = Queue(tmp_path / "0")
        queue.start()
        await queue.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN)
        await queue.accept(ENVELOPE, Content.of(b"intact"), ORIGIN)
        await queue.close()

    asyncio.run(fill())
    (segment,) = (tmp_path / "0").glob("*.segment")
    data = bytearray(segment.read_bytes())
    data[60] ^= 1
    segment.write_bytes(data)

    async def look() -> None:
        queue = Queue(tmp_path / "0")
        queue.start()
        assert [m.content.bytes() for m in await drain(queue)] == [b"intact"]
        assert queue.next_due == NEVER
        row = await queue.change_waiting(lambda db: db.execute("SELECT state, error FROM recipients").fetchall())
        assert (State.HELD, "4.3.0") not in row
        assert any(state == State.HELD and "checksum" in error for state, error in row)
        await queue.close()

    asyncio.run(look())


def test_only_one_process_works_on_a_folder(tmp_path: Path) -> None:
    async def run() -> None:
        queue = Queue(tmp_path / "0")
        queue.start()
        assert is_locked(tmp_path / "0")
        with pytest.raises(QueueLocked):
            Queue(tmp_path / "0")
        await queue.close()
        assert not is_locked(tmp_path / "0")

    asyncio.run(run())


def test_what_memory_has_no_place_for_waits_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "ACTIVE_MESSAGES", 3)

    async def run() -> None:
        queue = Queue(tmp_path / "0")
        fresh: list[QueuedMessage] = []
        queue.start(fresh.extend)
        for number in range(8):
            await queue.accept(ENVELOPE, Content.of(b"%d" % number), ORIGIN)
        assert [m.content.bytes() for m in fresh] == [b"0", b"1", b"2"]
        assert await queue.take_due(100) == []
        queue.record([Change(message, done=True) for message in fresh])
        seen = []
        while taken := await queue.take_due(100):
            seen += [m.content.bytes() for m in taken]
            queue.record([Change(message, done=True) for message in taken])
        assert seen == [b"3", b"4", b"5", b"6", b"7"], "in the order in which they came"
        await queue.close()

    asyncio.run(run())


def test_back_pressure_takes_nothing_and_ends_when_space_is_back(tmp_path: Path) -> None:
    async def run() -> None:
        files = FaultyFiles(tmp_path / "0")
        queue = Queue(tmp_path / "0", files, minimum_free=10_000)
        queue.start()
        files.space = 10_000 + len(MESSAGE) - 1
        with pytest.raises(IntakeError):
            await queue.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN)
        files.space += 1000
        await queue.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN)
        assert len(await drain(queue)) == 1
        await queue.close()

    asyncio.run(run())


@pytest.mark.parametrize("space", [0, 10, 50, 200, 1000])
def test_a_full_disk_leaves_nothing_half_taken(tmp_path: Path, space: int) -> None:
    async def run() -> None:
        files = FaultyFiles(tmp_path / "0")
        queue = Queue(tmp_path / "0", files, minimum_free=-1_000_000)
        queue.start()
        await queue.accept(ENVELOPE, Content.of(b"before"), ORIGIN)
        files.space = space
        results = await asyncio.gather(
            *(queue.accept(ENVELOPE, Content.of(MESSAGE + b"%d" % i), ORIGIN) for i in range(20)),
            return_exceptions=True,
        )
        taken = [r for r in results if not isinstance(r, BaseException)]
        assert all(isinstance(r, IntakeError) for r in results if isinstance(r, BaseException))
        assert len(taken) < 20
        files.space = None
        after = await queue.accept(ENVELOPE, Content.of(b"after"), ORIGIN)
        names = {m.queue_id for m in await drain(queue)}
        assert len(names) == len(taken) + 2
        assert {r.queue_id for r in taken} | {after.queue_id} < names
        await queue.close()

    asyncio.run(run())


def _sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("as it happens")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    "error",
    [_sqlite_error(sqlite3.SQLITE_FULL), _sqlite_error(sqlite3.SQLITE_IOERR), OSError(errno.EIO, "as it happens")],
    ids=["full", "ioerr", "eio"],
)
def test_a_commit_that_fails_refuses_and_keeps_outcomes_for_later(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "RETRY_SAVE", 0.01)

    async def run() -> None:
        files = FaultyFiles(tmp_path / "0")
        queue = Queue(tmp_path / "0", files)
        fresh: list[QueuedMessage] = []
        queue.start(fresh.extend)
        await queue.accept(ENVELOPE, Content.of(b"one"), ORIGIN)
        files.commit_error = error
        queue.record([Change(fresh[0], done=True)])
        with pytest.raises(IntakeError):
            await queue.accept(ENVELOPE, Content.of(b"two"), ORIGIN)
        files.commit_error = None
        await queue.accept(ENVELOPE, Content.of(b"three"), ORIGIN)
        await queue.close()
        queue = Queue(tmp_path / "0")
        queue.start()
        assert [m.content.bytes() for m in await drain(queue)] == [b"three"]
        await queue.close()

    asyncio.run(run())


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    async def run() -> None:
        os.umask(0o022)
        queue = Queue(tmp_path / "queue" / "0")
        queue.start()
        await queue.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN)
        await queue.close()

    asyncio.run(run())
    assert (tmp_path / "queue" / "0").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "queue" / "0").iterdir())


def test_without_a_message_id_the_answer_has_none(tmp_path: Path) -> None:
    async def run() -> None:
        queue = Queue(tmp_path / "0")
        queue.start()
        for data, expected in (
            (b"Subject: x\r\n\r\nMessage-ID: <body@x>\r\n", ""),
            (b"message-id:\r\n <folded@x>\r\nSubject: x\r\n\r\n", "<folded@x>"),
            (b"Subject: x\r\nMESSAGE-ID:   <upper@x>  \r\n\r\n", "<upper@x>"),
            (b"", ""),
        ):
            assert (await queue.accept(ENVELOPE, Content.of(data), ORIGIN)).message_id == expected
        await queue.close()

    asyncio.run(run())


def test_a_queue_of_another_format_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    with sqlite3.connect(tmp_path / "0" / "queue.sqlite") as database:
        database.execute("PRAGMA user_version=99")
    with pytest.raises(sqlite3.DatabaseError, match="format 99"):
        Queue(tmp_path / "0")
    assert not is_locked(tmp_path / "0")


def test_what_could_not_be_written_for_a_while_is_still_due_on_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "RETRY_SAVE", 0.01)

    async def run() -> None:
        files, clock = FaultyFiles(tmp_path / "0"), Clock()
        queue = Queue(tmp_path / "0", files, clock=clock)
        fresh: list[QueuedMessage] = []
        queue.start(fresh.extend)
        await queue.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN)
        files.commit_error = _sqlite_error(sqlite3.SQLITE_FULL)
        queue.record([Change(fresh[0], due=clock.now + 60)])
        await queue.settled()
        files.commit_error = None
        assert await queue.change_waiting(lambda db: db.execute("SELECT count(*) FROM messages").fetchone()) == (1,)
        async with asyncio.timeout(10):
            while queue.next_due != clock.now + 60:  # noqa: ASYNC110 (the committer tries again by itself)
                await asyncio.sleep(0.005)
        await queue.close()

    asyncio.run(run())


class CountedCommits(Files):
    def __init__(self) -> None:
        self.commits = 0

    def commit(self, database: sqlite3.Connection) -> None:
        self.commits += 1
        super().commit(database)


def test_senders_that_wait_together_share_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "LINGER", 5.0)  # so that only the full company ends the wait
    files = CountedCommits()

    async def run() -> None:
        queue = Queue(tmp_path / "0", files)
        queue.start()

        async def sender() -> None:
            for _ in range(10):
                await queue.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN)

        queue._company = 5
        async with asyncio.timeout(4.0):  # waiting for more than the five would last longer
            await asyncio.gather(*(sender() for _ in range(5)))
        # Ten rounds of five; the committer may take a first one before the rest of its round is there.
        assert files.commits <= 1 + 20
        await queue.close()

    asyncio.run(run())


def test_what_is_gathered_when_the_queue_closes_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "LINGER", 60.0)

    async def run() -> None:
        queue = Queue(tmp_path / "0")
        queue.start()
        queue._company = 2
        waiting = asyncio.ensure_future(queue.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN))
        await asyncio.sleep(0)
        await queue.close()
        assert (await waiting).message_id == "<m1@remote.test>"

    asyncio.run(run())
