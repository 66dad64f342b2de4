"""Queues whose workers are gone are finished by others."""

from __future__ import annotations

import asyncio
from pathlib import Path

from postern.model.mail import Action, HopKind
from postern.transport import control
from postern.transport.adoption import Adopter, open_own
from postern.transport.dispatcher import Dispatcher
from postern.transport.queue import Queue
from tests.transport.world import FakeCarrier, FakeDirectory, Memory, World, always, organization, user


def leave_mail(folder: Path) -> None:
    """A worker that dies with mail in its queue."""

    async def run() -> None:
        async with World(folder) as world:
            world.carrier.judge = always(Action.DELAYED, "4.2.1")
            await world.send("alice@example.test")
            await world.rest()

    asyncio.run(run())


def test_a_dead_workers_queue_is_adopted_emptied_and_given_back(tmp_path: Path) -> None:
    leave_mail(tmp_path / "1")

    async def run() -> None:
        own = open_own(tmp_path, 0)
        own.start()
        carrier = FakeCarrier()

        def make(queue: Queue) -> Dispatcher:
            carriers = {HopKind.MAILBOX: carrier}
            directory = FakeDirectory(user("alice"))
            queue.clock = lambda: 1e12
            queue._committer._clock = queue.clock
            return Dispatcher(queue, directory, carriers, organization(), "hub1", Memory())

        adopter = Adopter(tmp_path, make)
        await adopter.round()
        assert carrier.carried == [], "its worker may only be starting again"
        await adopter.round()
        (dispatcher,) = adopter._adopted
        async with asyncio.timeout(10):
            while not dispatcher.idle:  # noqa: ASYNC110 (it tells nobody)
                await asyncio.sleep(0.01)
        assert carrier.carried == ["alice@example.test"]
        await adopter.round()
        assert adopter._adopted == []
        assert list(control.listed(tmp_path / "1")) == []
        await adopter.round()
        await adopter.round()
        assert adopter._adopted == [], "an empty queue is nobody's concern"
        await adopter.stop()
        await own.close()

    asyncio.run(run())


def test_a_living_workers_queue_is_left_alone(tmp_path: Path) -> None:
    leave_mail(tmp_path / "1")

    async def run() -> None:
        living = Queue(tmp_path / "1")

        def make(queue: Queue) -> Dispatcher:
            raise AssertionError("adopted a queue that somebody holds")

        adopter = Adopter(tmp_path, make)
        for _ in range(3):
            await adopter.round()
        living.start()
        await living.close()

    asyncio.run(run())


def test_a_worker_whose_queue_is_taken_opens_another_beside_it(tmp_path: Path) -> None:
    async def run() -> None:
        first, second = open_own(tmp_path, 0), open_own(tmp_path, 0)
        assert (first.folder.name, second.folder.name) == ("0", "0.1")
        for queue in (first, second):
            queue.start()
            await queue.close()

    asyncio.run(run())


def test_a_queue_that_cannot_be_read_keeps_nobody_from_the_others(tmp_path: Path) -> None:
    leave_mail(tmp_path / "1")
    for name, data in (("0", b"this is no database" * 100), ("2", b"")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "queue.sqlite").write_bytes(data)

    async def run() -> None:
        adopted: list[str] = []

        def make(queue: Queue) -> Dispatcher:
            adopted.append(queue.folder.name)
            return Dispatcher(queue, FakeDirectory(), {}, organization(), "hub1", Memory())

        adopter = Adopter(tmp_path, make)
        for _ in range(2):
            await adopter.round()
        await adopter.stop()
        assert adopted == ["1"]

    asyncio.run(run())
    assert list(control.listed(tmp_path / "2")) == []
