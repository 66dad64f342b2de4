"""An administrator's hand in the queue, with the worker running and without."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from postern.model.mail import Action
from postern.transport import control
from postern.transport.control import Control, ControlRequest, NoAnswer, Verb
from postern.transport.lock import lock
from postern.transport.queued import State
from tests.transport.world import World, always, delivered


async def ask(world: World, request: ControlRequest) -> int:
    """As the command does it, while the dispatcher looks for requests at short intervals."""
    obey = Control(world.folder, world.tracker)

    async def poll() -> None:
        while True:
            await obey(world.dispatcher)
            await asyncio.sleep(0.005)

    polling = asyncio.create_task(poll())
    try:
        return await asyncio.to_thread(control.ask, world.folder, request)
    finally:
        polling.cancel()


def run_waiting(folder: Path, *requests: ControlRequest) -> list[int]:
    """Three messages wait (two for down.test, one for other.test); then come the requests; the counts."""

    async def run() -> list[int]:
        async with World(folder) as world:
            world.carrier.judge = always(Action.DELAYED, "4.4.1", "no answer")
            for to in ("x@down.test", "y@down.test", "z@other.test"):
                await world.send(to)
            await world.rest()
            world.carrier.judge = delivered
            world.carrier.batches.clear()
            counts = [await ask(world, request) for request in requests]
            await world.dispatcher._take()
            await world.rest()
            world_carried.extend(sorted(world.carrier.carried))
            return counts

    world_carried.clear()
    return asyncio.run(run())


world_carried: list[str] = []


def ids(folder: Path) -> dict[str, str]:
    return {message.recipients[0].address: message.queue_id for message in control.listed(folder)}


def test_listing_tells_what_waits_while_the_worker_runs(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.carrier.judge = always(Action.DELAYED, "4.4.1", "no answer")
            accepted = await world.send("x@down.test")
            await world.rest()
            (message,) = control.listed(tmp_path / "0")
            assert (message.queue_id, message.envelope.sender) == (accepted.queue_id, "bob@remote.test")
            (recipient,) = message.recipients
            assert (recipient.attempts, recipient.status, recipient.error) == (1, "4.4.1", "no answer")
            assert (recipient.hop, recipient.due) == ("smtp:down.test", world.clock.now + 60)
            assert control.folders(tmp_path) == [tmp_path / "0"]

    asyncio.run(run())


def test_retry_by_hop(tmp_path: Path) -> None:
    assert run_waiting(tmp_path / "0", ControlRequest(Verb.RETRY, hop="down.test")) == [2]
    assert world_carried == ["x@down.test", "y@down.test"]


def test_retry_of_all(tmp_path: Path) -> None:
    assert run_waiting(tmp_path / "0", ControlRequest(Verb.RETRY)) == [3]
    assert world_carried == ["x@down.test", "y@down.test", "z@other.test"]


def test_held_mail_waits_until_it_is_named(tmp_path: Path) -> None:
    assert run_waiting(
        tmp_path / "0", ControlRequest(Verb.HOLD, hop="smtp:other.test"), ControlRequest(Verb.RETRY)
    ) == [1, 2]
    assert world_carried == ["x@down.test", "y@down.test"]
    held = ids(tmp_path / "0")
    assert held.keys() == {"z@other.test"}
    assert control.ask(tmp_path / "0", ControlRequest(Verb.RETRY, (held["z@other.test"],))) == 1

    async def run() -> None:
        async with World(tmp_path / "0") as world:
            await world.dispatcher._take()
            await world.rest()
            assert world.carrier.carried == ["z@other.test"]

    asyncio.run(run())


def test_dropped_mail_is_gone_and_tracked(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.carrier.judge = always(Action.DELAYED, "4.4.1")
            accepted = await world.send("x@down.test", sender="alice@example.test")
            await world.rest()
            assert await ask(world, ControlRequest(Verb.DROP, (accepted.queue_id,))) == 1
            assert list(control.listed(tmp_path / "0")) == []
            assert world.tracker.records[-1].outcome == "dropped by an administrator"
            assert world.dispatcher.idle
            await world.queue.settled()
        assert [path.name for path in (tmp_path / "0").glob("*.segment")] == []

    asyncio.run(run())


@pytest.mark.parametrize("verb", [Verb.HOLD, Verb.DROP])
def test_what_is_being_carried_is_held_or_dropped_when_it_comes_back(tmp_path: Path, verb: Verb) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.carrier.judge = always(Action.DELAYED, "4.2.1")
            world.carrier.gate.clear()
            await world.send("x@down.test")
            await world.carrier.entered.wait()
            assert await ask(world, ControlRequest(verb)) == 1
            world.carrier.gate.set()
            await world.rest()
            left = [r.state for m in control.listed(tmp_path / "0") for r in m.recipients]
            assert left == ([State.HELD] if verb is Verb.HOLD else [])

    asyncio.run(run())


def test_without_a_worker_the_command_does_it_itself(tmp_path: Path) -> None:
    run_waiting(tmp_path / "0", ControlRequest(Verb.HOLD))
    names = ids(tmp_path / "0")
    assert (
        control.ask(tmp_path / "0", ControlRequest(Verb.DROP, (names["x@down.test"], names["z@other.test"], "other-1")))
        == 2
    )
    assert ids(tmp_path / "0").keys() == {"y@down.test"}


def test_a_worker_that_does_not_answer_leaves_no_request_behind(tmp_path: Path) -> None:
    run_waiting(tmp_path / "0")
    descriptor = lock(tmp_path / "0")
    try:
        with pytest.raises(NoAnswer):
            control.ask(tmp_path / "0", ControlRequest(Verb.DROP), timeout=0.2)
    finally:
        os.close(descriptor)
    assert list((tmp_path / "0" / control.FOLDER).iterdir()) == []


def test_old_and_odd_requests_are_not_obeyed(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.carrier.judge = always(Action.DELAYED, "4.4.1")
            await world.send("x@down.test")
            await world.rest()
            folder = tmp_path / "0" / control.FOLDER
            folder.mkdir()
            (folder / "a.request").write_text("no json")
            (folder / "b.request").write_text(json.dumps({"verb": "explode", "ids": [], "hop": ""}))
            old = folder / "c.request"
            old.write_text(json.dumps({"verb": "drop", "ids": [], "hop": ""}))
            os.utime(old, (time.time() - 60, time.time() - 60))
            await Control(tmp_path / "0", world.tracker)(world.dispatcher)
            assert len(list(control.listed(tmp_path / "0"))) == 1
            assert not list(folder.iterdir())

    asyncio.run(run())
