"""The directory is asked for what it did not say lately, until it answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from postern.transport import look_up
from tests.transport.world import World, user


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
