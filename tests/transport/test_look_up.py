"""The directory is asked for what it did not say lately, until it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from postern.model.directory import DirectoryUnavailable, Recipient
from postern.transport import look_up
from tests.transport.world import FakeDirectory, World, group, user


def test_what_the_directory_said_lately_is_not_asked_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.directory.remembered = {"alice@example.test": user("alice"), "nobody@example.test": None}
            await world.send("alice@example.test", "nobody@example.test")
            await world.until(lambda: sorted(world.tracker.steps)[:2] == ["deliver", "dsn"])
            assert world.directory.asked == []
            await world.send("alice@example.test", "bob@example.test")
            await world.rest()
            assert sorted(world.directory.asked[0]) == ["alice@example.test", "bob@example.test"]

    asyncio.run(run())


def test_the_directory_being_down_only_delays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_up, "OWN_RETRY", (0.001,))

    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.directory.down = 5
            await world.send("alice@example.test", "nobody@example.test", sender="")
            await world.rest()
            assert world.carrier.carried == ["alice@example.test"]
            assert len(world.directory.asked) == 6

    asyncio.run(run())


class HalfDirectory(FakeDirectory):
    """`unanswered`: addresses about which nobody answers at present. `vainly`: those that were asked about meanwhile."""

    unanswered: frozenset[str] = frozenset()

    def __init__(self, *recipients: Recipient) -> None:
        super().__init__(*recipients)
        self.vainly: set[str] = set()

    async def recipients(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        await asyncio.sleep(0)
        if self.unanswered & set(addresses):
            self.vainly.update(addresses)
            raise DirectoryUnavailable("nobody is there")
        return await super().recipients(addresses)


def half_world(folder: Path) -> tuple[World, HalfDirectory]:
    directory = HalfDirectory(user("alice"), user("bob"))
    directory.remembered = {"list@example.test": group("list", "a@outside.test", "c@far2.test")}
    return World(folder, directory=directory), directory


async def expand_a_group_while_another_waits(world: World, directory: HalfDirectory) -> None:
    """The group's members are carried, one by a hop that is at work already; bob in the same batch has no answer yet."""
    world.carrier.gate.clear()
    await world.send("x@outside.test")
    await world.carrier.entered.wait()
    directory.unanswered = frozenset({"alice@example.test", "bob@example.test"})
    await world.send("alice@example.test")  # holds the dispatcher, so that the next two are one batch
    await world.until(lambda: "alice@example.test" in directory.vainly)
    await world.send("list@example.test")
    await world.send("bob@example.test")
    directory.unanswered = frozenset({"bob@example.test"})
    await world.until(lambda: "bob@example.test" in directory.vainly)
    world.carrier.gate.set()
    await world.until(lambda: {"a@outside.test", "c@far2.test"} <= set(world.carrier.carried))
    assert "bob@example.test" not in world.carrier.carried


def test_what_is_settled_is_written_down_before_the_directory_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_up, "OWN_RETRY", (0.01,))

    async def run() -> None:
        world, directory = half_world(tmp_path / "0")
        async with world:
            await expand_a_group_while_another_waits(world, directory)
            directory.unanswered = frozenset()
            await world.rest()
            left = await world.queue.change_waiting(lambda db: db.execute("SELECT address FROM recipients").fetchall())
            assert left == []

    asyncio.run(run())


def test_a_stop_while_the_directory_is_asked_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_up, "OWN_RETRY", (0.01,))

    async def run() -> None:
        stopped, directory = half_world(tmp_path / "0")
        async with stopped:
            await expand_a_group_while_another_waits(stopped, directory)
        restarted, _ = half_world(tmp_path / "0")
        async with restarted:
            await restarted.until(lambda: "bob@example.test" in restarted.carrier.carried)
            await restarted.rest()
        assert restarted.carrier.carried == ["bob@example.test"]

    asyncio.run(run())
