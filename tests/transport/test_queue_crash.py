"""Power cuts, kill -9, full disks: what was acknowledged is there afterwards, exactly; other mail exactly or not at all."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postern.model.mail import Content, Envelope, EnvelopeRecipient, IntakeError
from postern.transport.queue import Queue
from postern.transport.queued import Change, QueuedMessage, State
from tests.journeys.faulty_files import FaultyFiles, lay_out
from tests.transport.world import ORIGIN, Clock

Image = dict[str, bytes]


def envelope(number: int) -> Envelope:
    return Envelope("s@remote.test", (EnvelopeRecipient(f"r{number}@example.test"),))


def body(number: int) -> bytes:
    return b"Message-ID: <%d@x>\r\n\r\n" % number + bytes([number % 256]) * (number * 97 % 5000)


def number_of(message: QueuedMessage) -> int:
    return int(message.recipients[0].address[1:].partition("@")[0])


def recover(folder: Path) -> dict[int, QueuedMessage]:
    """Opens what a crash left, and reads all of it. By the number in the recipient's address."""

    async def run() -> dict[int, QueuedMessage]:
        queue = Queue(folder, clock=lambda: 1e15)
        queue.start()
        found: dict[int, QueuedMessage] = {}
        while taken := await queue.take_due(1000):
            for message in taken:
                number = number_of(message)
                assert number not in found, "twice"
                assert message.content.bytes() == body(number), "not as it was given"
                found[number] = message
        held = await queue.change_waiting(
            lambda db: db.execute("SELECT count(*) FROM recipients WHERE state = 3").fetchone()
        )
        assert held == (0,), "an envelope without its body was committed"
        await queue.close()
        return found

    return asyncio.run(run())


def test_a_power_cut_at_any_step_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """One run, and at every step below the queue an image of what the disk would hold; each is then recovered."""
    acknowledged: set[int] = set()
    finished: set[int] = set()
    images: list[tuple[str, set[int], Image]] = []

    def step(name: str) -> None:
        known = acknowledged - finished
        images.append((name, known, files.image()))
        if name in ("removed", "commit"):
            images.append((name + " gone", known, files.image(removals=True)))
        if name in ("written", "sync", "synced", "commit"):
            images.append((name + " torn", known, files.image(tear=0.6)))
            images.append((name + " zeros", known, files.image(tear=1.0, zeros=True)))

    files = FaultyFiles(tmp_path / "0")

    async def run() -> None:
        queue = Queue(tmp_path / "0", files)
        queue._committer._segments._size = 12_000
        files.on_step = step

        def listen(messages: object) -> None:
            fresh.extend(messages)

        fresh: list[QueuedMessage] = []
        queue.start(listen)

        async def one(number: int) -> None:
            await queue.accept(envelope(number), Content.of(body(number)), ORIGIN)
            acknowledged.add(number)

        for start in range(0, 24, 4):
            await asyncio.gather(*(one(number) for number in range(start, start + 4)))
            done = fresh[:3]
            del fresh[:3]
            finished.update(number_of(m) for m in done)
            queue.record([Change(message, done=True) for message in done])
        await queue.close()

    asyncio.run(run())
    assert len(images) > 80
    for index, (name, known, image) in enumerate(images):
        folder = tmp_path / f"image{index}"
        lay_out(image, folder)
        found = recover(folder)
        assert known <= found.keys(), f"lost at step {index}, {name}"
        assert found.keys() <= set(range(24))
        shutil.rmtree(folder)


@dataclass
class Model:
    """What must be there: by number, the due time. `perhaps`: outcomes given since the last sync, which a crash may undo."""

    certain: dict[int, float] = field(default_factory=dict)
    perhaps: dict[int, float] = field(default_factory=dict)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), st.integers(1, 6)),
        st.tuples(st.just("done"), st.integers(0, 5)),
        st.tuples(st.just("later"), st.integers(0, 5)),
        st.tuples(st.just("settle"), st.just(0)),
        st.tuples(st.just("tick"), st.integers(1, 200)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("power-cut"), st.integers(0, 10)),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_any_interleaving_agrees_with_the_model(tmp_path: Path, operations: list[tuple[str, int]]) -> None:
    root = Path(tempfile.mkdtemp(dir=tmp_path))
    asyncio.run(_Interleaving(root).run(operations))
    shutil.rmtree(root)


class _Interleaving:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.lives = 0
        self.clock = Clock()
        self.number = 0
        self.model = Model()
        self.memory: dict[int, QueuedMessage] = {}
        self.folder = root / "life0"
        self.files = FaultyFiles(self.folder)

    def open(self) -> None:
        self.queue = Queue(self.folder, self.files, clock=self.clock)
        self.queue._committer._segments._size = 4000
        self.queue.start(self.listen)

    def listen(self, messages: object) -> None:
        for message in messages:
            self.memory[number_of(message)] = message

    async def run(self, operations: list[tuple[str, int]]) -> None:
        self.open()
        for name, argument in operations:
            await getattr(self, "do_" + name.replace("-", "_"))(argument)
            await self.look()
        await self.queue.close()

    async def look(self) -> None:
        """What is due comes into memory, and memory agrees with the model."""
        if self.queue.next_due <= self.clock.now:
            self.listen(await self.queue.take_due(1000))
        now = self.clock.now
        due = {number for number, at in (self.model.certain | self.model.perhaps).items() if at <= now}
        assert due == self.memory.keys()
        assert all(message.content.bytes() == body(number) for number, message in self.memory.items())

    async def do_accept(self, count: int) -> None:
        numbers = range(self.number, self.number + count)
        self.number += count
        await asyncio.gather(*(self.queue.accept(envelope(n), Content.of(body(n)), ORIGIN) for n in numbers))
        self.model.certain.update(dict.fromkeys(numbers, 0.0))

    async def do_done(self, count: int) -> None:
        for number in list(self.memory)[:count]:
            self.queue.record([Change(self.memory.pop(number), done=True)])
            self.model.certain.pop(number, None)
            self.model.perhaps.pop(number, None)

    async def do_later(self, count: int) -> None:
        for number in list(self.memory)[:count]:
            message = self.memory.pop(number)
            due = self.clock.now + 100
            message.recipients[0].due, message.recipients[0].attempts = due, 1
            self.queue.record([Change(message, due=due, recipients=message.recipients)])
            self.model.certain[number] = due

    async def do_settle(self, _: int) -> None:
        await self.queue.settled()

    async def do_tick(self, seconds: int) -> None:
        self.clock.now += seconds

    async def do_restart(self, _: int) -> None:
        await self.queue.close()
        await self.reopen(exact=True)

    async def do_power_cut(self, tear: int) -> None:
        image = self.files.image(tear=tear / 10 if tear else None, zeros=tear % 2 == 1)
        await self.queue.close()
        self.lives += 1
        self.folder = self.root / f"life{self.lives}"
        lay_out(image, self.folder)
        self.files = FaultyFiles(self.folder)
        await self.reopen(exact=False)

    async def reopen(self, exact: bool) -> None:
        """After an orderly restart the queue holds what the model says; after a cut, that and what was undone."""
        self.memory.clear()
        self.open()
        now, self.clock.now = self.clock.now, 1e15
        everything = {number_of(message): message for message in await self.queue.take_due(1000)}
        self.clock.now = now
        if exact:
            assert everything.keys() == self.model.certain.keys()
        else:
            assert self.model.certain.keys() <= everything.keys() <= set(range(self.number))
        # All is in memory now, so all is due in the model; the next look compares again.
        self.memory = everything
        self.model = Model(dict.fromkeys(everything, 0.0))


WORKER = """
import asyncio, sys
from pathlib import Path
from postern.model.mail import Content
from postern.transport.queue import Queue
from postern.transport.queued import Change
from tests.transport.test_queue_crash import body, envelope, number_of
from tests.transport.world import ORIGIN

def say(number):
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()

async def main(folder, first):
    queue = Queue(Path(folder))
    queue._committer._segments._size = 200_000
    loop = asyncio.get_running_loop()
    def finish(messages):
        for message in messages:
            say(-number_of(message))
        queue.record([Change(message, done=True) for message in messages])
    queue.start(lambda messages: loop.call_later(0.01, finish, messages[::3]))
    numbers = iter(range(first, first + 1_000_000))
    async def sender():
        for number in numbers:
            await queue.accept(envelope(number), Content.of(body(number)), ORIGIN)
            say(number)
    await asyncio.gather(*(sender() for _ in range(20)))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.slow
def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    folder = tmp_path / "0"
    first = 1
    acknowledged: set[int] = set()
    finished: set[int] = set()
    for delay in (0, 300, 700, 1500, 3000):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(folder), str(first)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        try:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(delay + 1)]
            process.send_signal(signal.SIGKILL)
            said += process.stdout.readlines()
        finally:
            process.kill()
            process.wait()
        numbers = [int(line) for line in said if line.endswith(b"\n")]
        assert len(numbers) > delay
        acknowledged |= {number for number in numbers if number >= 0}
        finished |= {-number for number in numbers if number < 0}
        first = max(acknowledged) + 1000
    assert acknowledged - finished <= recover(folder).keys()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.root
@pytest.mark.parametrize("minimum_free", [0, 200_000])
def test_a_disk_that_fills_up(tiny_disk: Path, minimum_free: int) -> None:
    """Accept until it refuses; all that was acknowledged is there; outcomes are taken; and it accepts again."""

    async def run() -> tuple[set[int], set[int]]:
        queue = Queue(tiny_disk / "0", minimum_free=minimum_free)
        queue._committer._segments._size = 100_000
        fresh: list[QueuedMessage] = []
        queue.start(fresh.extend)
        ballast = tiny_disk / "ballast"
        ballast.write_bytes(bytes(300_000))
        taken: set[int] = set()
        try:
            for number in range(1, 2000):
                await queue.accept(envelope(number), Content.of(body(number)), ORIGIN)
                taken.add(number)
        except IntakeError:
            pass
        assert 10 < len(taken) < 1000, "two megabytes are full by now"
        with pytest.raises(IntakeError):
            await queue.accept(envelope(4999), Content.of(bytes(1_900_000)), ORIGIN)
        finished = fresh[5:]
        queue.record([Change(message, done=True) for message in finished])
        await queue.settled()
        ballast.unlink()
        async with asyncio.timeout(20):
            while await refused(queue, 5000):  # noqa: ASYNC110 (the disk tells nobody that it has space again)
                await asyncio.sleep(0.05)
        taken.add(5000)
        await queue.close()
        return taken, {number_of(message) for message in finished}

    taken, done = asyncio.run(run())
    assert recover(tiny_disk / "0").keys() == taken - done


async def refused(queue: Queue, number: int) -> bool:
    try:
        await queue.accept(envelope(number), Content.of(body(number)), ORIGIN)
    except IntakeError:
        return True
    return False


def test_recipients_keep_their_state_over_a_crash(tmp_path: Path) -> None:
    async def run() -> Image:
        files = FaultyFiles(tmp_path / "0")
        clock = Clock()
        queue = Queue(tmp_path / "0", files, clock=clock)
        fresh: list[QueuedMessage] = []
        queue.start(fresh.extend)
        both = (EnvelopeRecipient("r1@example.test"), EnvelopeRecipient("b@example.test"))
        two = envelope(1)._replace(recipients=both)
        await queue.accept(two, Content.of(body(1)), ORIGIN)
        (message,) = fresh
        first, second = message.recipients
        first.state, first.due = State.PENDING, clock.now + 60
        first.attempts, first.status, first.error, first.hop = 1, "4.4.1", "no answer", "smtp:example.org"
        second.state = State.DELIVERED
        queue.record([Change(message, due=first.due, recipients=message.recipients)])
        await queue.settled()
        image = files.image()
        await queue.close()
        return image

    image = asyncio.run(run())
    lay_out(image, tmp_path / "1")
    (message,) = recover(tmp_path / "1").values()
    first, second = message.recipients
    assert (first.state, first.attempts, first.status, first.error) == (State.PENDING, 1, "4.4.1", "no answer")
    assert (first.hop, second.state) == ("smtp:example.org", State.DELIVERED)
