"""`postern queue` on queues in a state folder."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from postern.cli.queue import queue
from postern.model.mail import Action
from tests.transport.world import World, always


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Two workers' queues: two messages wait in the first, one in the second."""

    async def run() -> None:
        for worker, addresses in (("0", ("x@down.test", "y@other.test")), ("1", ("z@down.test",))):
            async with World(tmp_path / "queue" / worker) as world:
                world.carrier.judge = always(Action.DELAYED, "4.4.1", "[red]no answer")
                for address in addresses:
                    await world.send(address)
                await world.rest()

    asyncio.run(run())
    return tmp_path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(queue, [str(a) for a in arguments], env={"COLUMNS": "200"})


def listed(state: Path, *arguments: str) -> dict[str, str]:
    result = call("list", "--json", "--state", state, *arguments)
    assert result.exit_code == 0, result.output
    return {row["recipients"][0]["address"]: row["queue_id"] for row in json.loads(result.output)}


def test_list(state: Path) -> None:
    assert listed(state).keys() == {"x@down.test", "y@other.test", "z@down.test"}
    assert listed(state, "--hop", "smtp:down.test").keys() == {"x@down.test", "z@down.test"}
    text = call("list", "--state", state).output
    assert "y@other.test" in text
    assert "[red]no answer" in text, "a peer's words are not markup"
    assert "3 messages" in text


def test_show(state: Path) -> None:
    queue_id = listed(state)["y@other.test"]
    text = call("show", queue_id, "--state", state).output
    assert "smtp:other.test" in text
    assert "<m1@remote.test>" in text
    row = json.loads(call("show", queue_id, "--json", "--state", state).output)
    assert row["recipients"][0]["attempts"] == 1
    assert call("show", "nothing", "--state", state).exit_code == os.EX_NOUSER


def test_drop_hold_and_retry(state: Path) -> None:
    names = listed(state)
    assert "drop: 1 message\n" in call("drop", names["x@down.test"], "--state", state).output
    assert listed(state).keys() == {"y@other.test", "z@down.test"}
    assert "hold: 2 messages" in call("hold", "--all", "--state", state).output
    row = json.loads(call("show", names["z@down.test"], "--json", "--state", state).output)
    assert (row["recipients"][0]["state"], row["recipients"][0]["next_attempt"]) == ("held", None)
    result = call("retry", names["z@down.test"], "--json", "--state", state)
    assert json.loads(result.output) == {"verb": "retry", "messages": 1}
    row = json.loads(call("show", names["z@down.test"], "--json", "--state", state).output)
    assert row["recipients"][0]["state"] == "pending"


def test_what_is_meant_must_be_said(state: Path) -> None:
    assert call("drop", "--state", state).exit_code == 2
    assert call("drop", "some-1", "--all", "--state", state).exit_code == 2
    known = listed(state)["y@other.test"]
    for verb in ("retry", "hold", "drop"):
        result = call(verb, "some-1", *([known] if verb != "drop" else []), "some-2", "--state", state)
        assert result.exit_code == os.EX_NOUSER
        assert "no queue has some-1, some-2: `postern queue list` names the messages" in result.output
        assert f"{verb}: 0 messages" not in result.output, "the error says it"
    assert f"no queue has {known} set aside" in call("retry", known, "--poison", "--state", state).output
    assert "retry: 1 message\n" in call("retry", known, known, "--state", state).output
    assert listed(state).keys() == {"x@down.test", "y@other.test", "z@down.test"}


def test_sizes_are_said_as_other_commands_say_them(state: Path) -> None:
    row = json.loads(call("list", "--json", "--state", state).output)[0]
    assert 1 < row["size"] < 1024
    assert f"{row['size']} bytes" in call("list", "--state", state).output
    assert f"{row['size']} bytes" in call("show", row["queue_id"], "--state", state).output


def test_no_queues(tmp_path: Path) -> None:
    assert call("list", "--state", tmp_path).output == "no message in the queues\n"
