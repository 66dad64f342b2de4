"""A message that fails badly twice is set aside with its reason and its octets; what lies behind it goes on.

covers: poison, outcomes
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from postern.cli.queue import queue
from postern.model.mail import EnvelopeRecipient, NextHop, Parcel, RecipientOutcome
from postern.telemetry import attempts
from postern.transport import control, poison
from postern.transport.categorize import Categorizer
from postern.transport.control import Request, Verb
from postern.transport.queued import NEVER, State
from tests.transport.world import MESSAGE, FakeCarrier, World, delivered

BAD = "bad@example.test"


@pytest.fixture
def poisonous(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Categorizing what goes to BAD raises as nested input does. The list says how often it was tried."""
    tried: list[int] = []
    whole = Categorizer.resolve

    def resolve(self: Categorizer, targets: Any, *others: Any) -> Any:
        if any(target.address == BAD for target in targets):
            tried.append(1)
            raise RecursionError("maximum recursion depth exceeded")
        return whole(self, targets, *others)

    monkeypatch.setattr(Categorizer, "resolve", resolve)
    return tried


def state_of(folder: Path) -> list[tuple[str, State, str]]:
    return [(r.address, r.state, r.error) for message in control.listed(folder) for r in message.recipients]


def test_what_raises_twice_is_set_aside_and_its_batch_goes_on(tmp_path: Path, poisonous: list[int]) -> None:
    folder = tmp_path / "queue" / "0"

    async def run() -> str:
        async with World(folder) as world:
            accepted, *_ = await asyncio.gather(
                world.send(BAD), world.send("alice@example.test"), world.send("bob@example.test")
            )
            await world.rest()
            assert sorted(world.carrier.carried) == ["alice@example.test", "bob@example.test"]
            await world.later(100)
            await world.later(100_000)
            assert len(poisonous) == 2, "no third attempt"
            assert world.queue.next_due == NEVER
            return accepted.queue_id

    queue_id = asyncio.run(run())
    why = "RecursionError: maximum recursion depth exceeded"
    assert state_of(folder) == [(BAD, State.POISON, why)]
    assert poison.copy_of(folder, queue_id).read_bytes() == MESSAGE
    listed = CliRunner().invoke(queue, ["list", "--poison", "--state", str(tmp_path)])
    assert queue_id in listed.output
    assert why in listed.output
    assert str(poison.copy_of(folder, queue_id)) in listed.output


def test_what_brought_workers_down_twice_is_not_tried_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.carrier.gate.clear()
            accepted = await world.send("alice@example.test")
            await world.until(world.carrier.entered.is_set)
            return accepted.queue_id

    queue_id = asyncio.run(run())
    for _ in range(attempts.LIMIT):
        attempts._table.strike(poison.key(queue_id), "ended by SIGSEGV")

    async def again() -> None:
        async with World(tmp_path / "0") as world:
            await world.send("bob@example.test")
            await world.rest()
            assert world.carrier.carried == ["bob@example.test"]

    asyncio.run(again())
    assert state_of(tmp_path / "0") == [("alice@example.test", State.POISON, "ended by SIGSEGV")]


def test_what_a_mailbox_server_gives_up_is_set_aside(tmp_path: Path) -> None:
    def judge(hop: NextHop, parcel: Parcel, recipient: EnvelopeRecipient) -> RecipientOutcome:
        outcome = delivered(hop, parcel, recipient)
        return RecipientOutcome(
            outcome.address, outcome.action, "5.6.0", "given up", poison=recipient.address.startswith("bob")
        )

    async def run() -> None:
        async with World(tmp_path / "0", carrier=FakeCarrier(judge)) as world:
            await asyncio.gather(world.send("alice@example.test"), world.send("bob@example.test"))
            await world.rest()

    asyncio.run(run())
    assert state_of(tmp_path / "0") == [("bob@example.test", State.POISON, "given up")]


def test_an_administrator_exports_retries_and_drops(tmp_path: Path, poisonous: list[int]) -> None:
    folder = tmp_path / "queue" / "0"

    async def poisoned() -> str:
        async with World(folder) as world:
            accepted = await world.send(BAD)
            await world.rest()
            await world.later(100)
            await world.until(lambda: poison.copy_of(folder, accepted.queue_id).exists())
            await world.rest()
            return accepted.queue_id

    queue_id = asyncio.run(poisoned())
    attempts.forget(poison.key(queue_id))

    def cli(*words: str) -> str:
        done = CliRunner().invoke(queue, [*words, "--state", str(tmp_path)])
        assert done.exit_code == 0, done.output
        return done.output

    cli("export", queue_id, str(tmp_path / "out.eml"))
    assert (tmp_path / "out.eml").read_bytes() == MESSAGE
    assert control.ask(folder, Request(Verb.RETRY)) == 0, "not by a retry of everything"
    assert "1 message" in cli("retry", queue_id)
    assert state_of(folder)[0][1] is State.PENDING
    assert not poison.copy_of(folder, queue_id).exists()
    assert "1 message" in cli("drop", queue_id)
    assert state_of(folder) == []
    assert "No message is set aside." in cli("list", "--poison")
