"""What is damaged of a queue is set aside with its reason, before and while its worker runs; what is whole is carried, once.

covers: damage, rescue, segments
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from postern.cli.queue import queue
from postern.model.mail import Action, Content, Envelope, EnvelopeRecipient, HopKind, IntakeError
from postern.telemetry import log as telemetry
from postern.transport import adoption, control, damage, rescue, segments
from postern.transport.adoption import Adopter, open_own
from postern.transport.dispatcher import Dispatcher
from postern.transport.envelopes import FILE
from postern.transport.queue import Queue
from postern.transport.queued import Location, State
from postern.transport.segments import HEAD, TAIL, DamagedBody
from tests.transport.world import MESSAGE, ORIGIN, FakeCarrier, World, always, delivered

LARGE = MESSAGE + b"x" * 700_000
"""More than memory keeps, and more than one chunk."""
ENVELOPE = Envelope("s@remote.test", (EnvelopeRecipient("alice@example.test"),))


async def fill(root: Path, count: int = 200) -> None:
    """Messages enough for several pages, and a clean end, so that all of it is in the file."""
    made = open_own(root, 0)
    made.start()
    await asyncio.gather(*(made.accept(ENVELOPE, Content.of(MESSAGE), ORIGIN) for _ in range(count)))
    await made.close()


def spoil(file: Path, how: str) -> None:
    data = file.read_bytes()
    file.write_bytes(
        b"no database at all" * 300 if how == "no database" else data[:1024] + b"\xff" * (len(data) - 1024)
    )


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], list[dict[str, Any]]]:
    """What was logged under a name."""
    file = tmp_path / "events.jsonl"
    telemetry.configure("test", file)
    yield lambda name: [one for one in map(json.loads, file.read_text().splitlines()) if one["event"] == name]
    telemetry.configure("test", None)


def carried_of(folder: Path, carrier: FakeCarrier | None = None) -> Counter[str]:
    """How often each message of the queue in `folder` is carried by a worker that finds it."""
    carrier = carrier or FakeCarrier()

    async def run() -> None:
        async with World(folder, carrier=carrier) as world:
            await world.later(1)

    asyncio.run(run())
    return Counter(queue_id for _, rows in carrier.batches for queue_id, _, _ in rows)


@pytest.mark.parametrize("how", ["no database", "broken pages"])
def test_a_damaged_queue_is_set_aside_and_its_worker_starts(tmp_path: Path, how: str) -> None:
    root = tmp_path / "queue"
    asyncio.run(fill(root))
    spoil(root / "0" / FILE, how)
    segments = {path.name: path.read_bytes() for path in (root / "0").glob("*.segment")}
    assert segments

    async def run() -> None:
        made = open_own(root, 0)
        made.start()
        await made.close()

    asyncio.run(run())
    ((aside, reason),) = damage.found(root)
    assert "database" in reason
    assert {path.name: path.read_bytes() for path in aside.glob("*.segment")} == segments
    assert control.folders(root) == [root / "0"]
    listed = CliRunner().invoke(queue, ["list", "--state", str(tmp_path)])
    assert listed.exit_code == 0
    assert str(aside) in listed.output
    assert reason in listed.output


def test_a_dead_workers_damaged_queue_is_set_aside_too(tmp_path: Path) -> None:
    root = tmp_path / "queue"
    asyncio.run(fill(root))
    spoil(root / "0" / FILE, "no database")
    asyncio.run(Adopter(root, pytest.fail).round())
    assert len(list(damage.found(root))) == 1
    assert control.folders(root) == []


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Root reads everything: it becomes somebody else meanwhile."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.parametrize("which", [FILE, "lock"])
def test_a_queue_with_a_file_that_may_not_be_read_is_set_aside_and_its_worker_starts(which: str) -> None:
    root = Path(tempfile.mkdtemp(prefix="queue-", dir="/tmp"))
    root.chmod(0o777)
    try:
        with unprivileged():
            asyncio.run(one_waits(root / "0"))
        file = next(path for path in (root / "0").iterdir() if which in path.name)
        file.chmod(0)
        if os.geteuid() == 0:
            os.chown(file, 0, 0)
        with unprivileged():
            queue = open_own(root, 0)
            asyncio.run(queue.close())
            ((aside, reason),) = damage.found(root)
        assert aside.name.startswith("0.damaged-") and reason
        assert queue.folder == root / "0"
        assert (aside / file.name).exists(), "nothing is lost"
    finally:
        shutil.rmtree(root)


async def one_waits(folder: Path) -> None:
    async with World(folder, carrier=FakeCarrier(always(Action.DELAYED, "4.2.0"))) as world:
        await world.send("alice@example.test")
        await world.rest()


def test_damaged_notes_cost_no_other_note(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.write_bytes(b'\xff\n[1, [1, "\xc3"], null]\n5\n[]\n' + b"[" * 200_000 + b'\n[2, ["a"], []]\n')
    messages: dict[int, Any] = {}
    rescue._apply(notes, messages, {})
    assert messages == {2: ("a",)}


def test_another_version_is_no_damage(tmp_path: Path) -> None:
    asyncio.run(fill(tmp_path))
    with sqlite3.connect(tmp_path / "0" / FILE) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(sqlite3.DatabaseError, match="format 99"):
        open_own(tmp_path, 0)
    assert list(damage.found(tmp_path)) == []


# Segments

BODIES = [MESSAGE + b"%d\r\n" % number for number in range(4)] + [LARGE] + [MESSAGE + b"last\r\n"]
SECOND = len(BODIES[0]) + HEAD.size + TAIL.size
"""Where the second message's frame begins."""


def shortened(file: Path) -> None:
    with open(file, "r+b") as out:
        out.truncate(SECOND + 40)


def overwritten(at: int, octets: bytes) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        with open(file, "r+b") as out:
            out.seek(at)
            out.write(octets)

    return spoil


def flipped(at: int) -> Callable[[Path], None]:
    return lambda file: overwritten(at, bytes([file.read_bytes()[at] ^ 16]))(file)


def folder_in_its_place(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("harm", "lost"),
    [
        (shortened, {1, 2, 3, 4, 5}),
        (flipped(SECOND + HEAD.size + 30), {1}),
        (flipped(SECOND + HEAD.size + len(BODIES[1]) + 1), {1}),
        (flipped(SECOND), set()),
        (overwritten(SECOND + 12, (7).to_bytes(8, "little")), set()),
        (overwritten(SECOND + 4, (1).to_bytes(8, "little")), {1}),
        (overwritten(SECOND + 50, bytes(2 * SECOND)), {1, 2, 3}),
        (flipped(6 * SECOND + 500_000), {4}),
        (lambda file: file.write_bytes(file.read_bytes() + bytes(5000)), set()),
        (lambda file: file.write_bytes(bytes(file.stat().st_size)), {0, 1, 2, 3, 4, 5}),
        (folder_in_its_place, {0, 1, 2, 3, 4, 5}),
        (Path.unlink, {0, 1, 2, 3, 4, 5}),
    ],
    ids=[
        "truncated",
        "a bit of a body",
        "a bit of a checksum",
        "a bit of a head",
        "a wrong length in a head",
        "another message's head",
        "zeroed in the middle",
        "a bit of a large body",
        "longer than it was",
        "zeroed",
        "unreadable",
        "gone",
    ],
)
def test_whole_messages_of_a_damaged_segment_are_carried_once_and_the_others_held(
    tmp_path: Path,
    harm: Callable[[Path], None],
    lost: set[int],
    events: Callable[[str], list[dict[str, Any]]],
) -> None:
    """The segment is spoiled while the hub runs, and what lies in it waits for a second attempt. One more queue's segment, that
    of mail taken later, is whole."""
    folder = tmp_path / "queue" / "0"
    carrier = FakeCarrier(always(Action.DELAYED, "4.2.0"))

    async def run() -> list[str]:
        async with World(folder, carrier=carrier) as world:
            taken = [(await world.send("alice@example.test", content=Content.of(body))).queue_id for body in BODIES]
            await world.rest()
            (segment,) = folder.glob("*.segment")
            harm(segment)
            carrier.judge = delivered
            carrier.batches.clear()
            for _ in range(3):
                await world.later(100)
            await world.send("bob@example.test")
            await world.rest()
            return taken

    taken = asyncio.run(run())
    got = [(queue_id, content) for _, rows in carrier.batches for queue_id, _, content in rows]
    whole = [(taken[n], BODIES[n]) for n in range(len(BODIES)) if n not in lost]
    assert sorted(got[:-1]) == sorted(whole), "each that is whole, once, as it was taken; then the new one"
    held = {m.queue_id: m.recipients[0] for m in control.listed(folder)}
    assert set(held) == {taken[number] for number in lost}
    assert all(recipient.state is State.HELD and ".segment" in recipient.error for recipient in held.values())
    said = events("segment-damaged")
    assert sum(one["messages"] for one in said) == len(lost)
    assert len(said) == bool(lost), "one event a segment"
    assert all(one["file"].endswith("00000001.segment") for one in said)


def test_a_body_that_changes_while_it_is_carried_is_not_sent_whole(tmp_path: Path) -> None:
    async def run() -> None:
        made = Queue(tmp_path / "0")
        taken: list[Any] = []
        made.start(taken.extend)
        await made.accept(ENVELOPE, Content.of(LARGE), ORIGIN)
        (segment,) = (tmp_path / "0").glob("*.segment")
        flipped(600_000)(segment)
        with pytest.raises(DamagedBody, match="checksum"):
            taken[0].content.bytes()
        await made.close()

    asyncio.run(run())


def test_a_failure_of_what_can_no_longer_be_read_is_reported_without_its_header(tmp_path: Path) -> None:
    folder = tmp_path / "0"

    def judge(hop: Any, parcel: Any, recipient: EnvelopeRecipient) -> Any:
        if recipient.address != "alice@example.test":
            return delivered(hop, parcel, recipient)
        for segment in folder.glob("*.segment"):
            segment.write_bytes(bytes(segment.stat().st_size))
        return always(Action.FAILED, "5.1.1")(hop, parcel, recipient)

    async def run() -> None:
        carrier = FakeCarrier(judge)
        async with World(folder, carrier=carrier) as world:
            await world.send("alice@example.test", content=Content.of(LARGE), sender="bob@example.test")
            await world.rest()
            assert carrier.carried == ["alice@example.test", "bob@example.test"]
            assert b"Status: 5.1.1" in carrier.batches[-1][1][0][2]

    asyncio.run(run())


def test_a_damaged_body_is_never_given_a_right_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few messages that wait in a large segment are moved, so that the file can go: a damaged one is not."""
    carrier = FakeCarrier(
        lambda hop, parcel, recipient: (always(Action.DELAYED, "4.2.0") if parcel.content.size < 1000 else delivered)(
            hop, parcel, recipient
        )
    )

    async def run() -> None:
        async with World(tmp_path / "0", carrier=carrier) as world:
            await world.send("alice@example.test")
            await world.rest()
            (segment,) = (tmp_path / "0").glob("*.segment")
            flipped(HEAD.size + 30)(segment)
            monkeypatch.setattr(world.queue._committer._segments, "_size", 1)  # the next body begins another
            os.truncate(segment, 1_000_000)
            for _ in range(3):
                await world.send("alice@example.test", content=Content.of(LARGE))
                await world.rest()
            assert world.queue._committer._segments._damaged == {1}, "it was to be moved"
            carrier.judge = delivered
            carrier.batches.clear()
            await world.later(100)
            assert carrier.carried == []

    asyncio.run(run())
    ((message),) = control.listed(tmp_path / "0")
    assert "checksum" in message.recipients[0].error


def test_what_is_left_of_a_damaged_body_can_be_exported(tmp_path: Path) -> None:
    root = tmp_path / "queue"
    asyncio.run(fill(root, 1))
    (segment,) = (root / "0").glob("*.segment")
    flipped(HEAD.size + 3)(segment)
    ((message),) = control.listed(root / "0")
    done = CliRunner().invoke(queue, ["export", message.queue_id, str(tmp_path / "out.eml"), "--state", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "checksum" in done.output
    assert len((tmp_path / "out.eml").read_bytes()) == len(MESSAGE)


# The file, while its worker runs


def page_of(file: Path, table: str) -> int:
    """The offset of a leaf in the middle of a table (not the root), as SQLite's own statistics tell."""
    with sqlite3.connect(file) as database:
        rows = database.execute(
            "SELECT pageno, pgsize FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", (table,)
        ).fetchall()
    assert len(rows) > 1
    number, size = rows[len(rows) // 2]
    return (number - 1) * size


@pytest.mark.parametrize("table", ["messages", "recipients", "waiting"])
def test_what_can_be_read_of_a_damaged_queue_is_carried_once(
    tmp_path: Path, table: str, events: Callable[[str], list[dict[str, Any]]]
) -> None:
    """A leaf is broken, which nobody notices until it is read. The worker ends; its successor carries what is left."""
    root = tmp_path / "queue"
    asyncio.run(fill(root, 400))
    all_of_it = {message.queue_id for message in control.listed(root / "0")}
    overwritten(page_of(root / "0" / FILE, table), b"\xff" * 4096)(root / "0" / FILE)
    carriers = [FakeCarrier(), FakeCarrier()]

    async def notice() -> None:
        async with World(root / "0", carrier=carriers[0]) as world:
            ended = asyncio.Event()
            world.queue.when_damaged = ended.set
            await asyncio.wait_for(ended.wait(), 10)

    with contextlib.suppress(sqlite3.DatabaseError):  # some leaves are read as the queue is opened
        asyncio.run(notice())
    asyncio.run(_closed(open_own(root, 0)))
    first = Counter(queue_id for _, rows in carriers[0].batches for queue_id, _, _ in rows)
    second = carried_of(root / "0", carriers[1])
    carried = first + second
    assert set(carried.values()) == {1}, "none twice"
    assert set(carried) <= all_of_it
    missing = len(all_of_it) - len(carried)
    assert missing < 100, "one leaf's"
    assert (missing == 0) == (table == "waiting"), "an index can be made anew"
    (said,) = events("queue-damaged")
    assert said["rescued"] == len(second)


async def _closed(made: Queue) -> None:
    made.start()
    await made.close()


def test_mail_in_the_memory_of_the_worker_that_notices_is_not_lost(tmp_path: Path) -> None:
    """The file breaks while one message is on its way and another one is being taken; from then on nothing is taken."""
    root = tmp_path / "queue"
    carrier = FakeCarrier()

    async def run() -> list[str]:
        async with World(root / "0", carrier=carrier) as world:
            noted = asyncio.Event()
            world.queue.when_damaged = noted.set
            carrier.gate.clear()
            on_its_way = await world.send("alice@example.test")
            await world.until(carrier.entered.is_set)
            being_taken = asyncio.create_task(world.send("alice@example.test"))
            await asyncio.sleep(0)
            world.queue.damaged(_corrupt())
            with pytest.raises(IntakeError, match="damaged"):
                await world.send("bob@example.test")
            await asyncio.wait_for(noted.wait(), 10)
            return [on_its_way.queue_id, (await being_taken).queue_id]

    queue_ids = asyncio.run(run())
    (root / "0" / FILE).write_bytes(b"no database at all" * 300)
    for left in (root / "0").glob(f"{FILE}-*"):
        left.unlink()
    asyncio.run(_closed(open_own(root, 0)))
    assert [one.id for one in control.listed(root / "0")] == [int(name.partition("-")[2], 16) for name in queue_ids]
    assert list(carried_of(root / "0").values()) == [1, 1]


def _corrupt() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def test_what_was_carried_after_the_file_broke_is_not_carried_again(tmp_path: Path) -> None:
    root = tmp_path / "queue"
    carrier = FakeCarrier()

    async def run() -> None:
        async with World(root / "0", carrier=carrier) as world:
            carrier.gate.clear()
            await world.send("alice@example.test")
            await world.until(carrier.entered.is_set)
            world.queue.damaged(_corrupt())
            await world.queue.settled()
            carrier.gate.set()
            await world.rest()
            assert carrier.carried == ["alice@example.test"]

    asyncio.run(run())
    asyncio.run(_closed(open_own(root, 0)))
    assert carried_of(root / "0") == Counter()


def test_a_worker_that_notices_ends_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(adoption.os, "kill", lambda pid, how: killed.append((pid, how)))

    async def run() -> None:
        made = open_own(tmp_path, 0)
        made.start()
        made.damaged(_corrupt())
        async with asyncio.timeout(10):
            while not killed:  # noqa: ASYNC110 (it tells nobody)
                await asyncio.sleep(0.01)
        await made.close()

    asyncio.run(run())
    assert killed == [(adoption.os.getpid(), adoption.signal.SIGTERM)]


def test_a_worker_looks_whether_its_file_is_still_there_for_others(tmp_path: Path) -> None:
    """What was overwritten behind SQLite's back is noticed within a round, not at the next start; mail in memory is not lost."""
    root = tmp_path / "queue"
    carrier = FakeCarrier(always(Action.DELAYED, "4.2.0"))

    async def run() -> None:
        async with World(root / "0", carrier=carrier) as world:
            await world.send("alice@example.test")
            await world.rest()
            carrier.gate.clear()
            carrier.entered.clear()
            await world.send("bob@example.test")
            await world.until(carrier.entered.is_set)
            ended = asyncio.Event()
            world.queue.when_damaged = ended.set
            adopter = Adopter(root, pytest.fail, own=world.queue)
            await adopter.round()
            assert world.queue.damage is None
            for file in root.glob(f"0/{FILE}*"):
                if file.suffix != ".sqlite-shm":
                    file.write_bytes(b"\xff" * file.stat().st_size)
            listed = CliRunner().invoke(queue, ["list", "--state", str(tmp_path)])
            assert listed.exit_code == 0
            assert f"{root / '0'} is damaged" in listed.output
            await adopter.round()
            await asyncio.wait_for(ended.wait(), 10)

    asyncio.run(run())
    asyncio.run(_closed(open_own(root, 0)))
    assert [m.recipients[0].address for m in control.listed(root / "0")] == ["bob@example.test"]


def test_an_adopted_queue_that_turns_out_damaged_is_given_up_and_rescued(tmp_path: Path) -> None:
    asyncio.run(fill(tmp_path, 3))

    async def run() -> None:
        carrier = FakeCarrier(always(Action.DELAYED, "4.2.0"))
        world = World(tmp_path / "unused", carrier=carrier)

        def make(queue: Queue) -> Dispatcher:
            carriers = dict.fromkeys(HopKind, carrier)
            return Dispatcher(queue, world.directory, carriers, world.organization, "hub1", world.tracker)

        adopter = Adopter(tmp_path, make)
        await adopter.round()
        await adopter.round()
        (dispatcher,) = adopter._adopted
        dispatcher.queue.damaged(_corrupt())
        await dispatcher.queue.settled()
        await adopter.round()
        assert adopter._adopted == []
        assert len(list(damage.found(tmp_path))) == 1
        assert len(list(control.listed(tmp_path / "0"))) == 3
        await adopter.stop()

    asyncio.run(run())


def test_a_segment_is_not_blamed_for_what_ails_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file can be opened for the moment: that is no reason to hold mail."""

    def none_left(*arguments: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(segments.os, "open", none_left)
    with pytest.raises(OSError, match="Too many"):
        segments.body(tmp_path, Location(1, 0, 10))[0]
