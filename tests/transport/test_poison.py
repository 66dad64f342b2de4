"""A message that fails badly twice is set aside with its reason and its octets; what lies behind it goes on.

covers: poison, outcomes, carrying
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from postern.cli.queue import queue
from postern.model.mail import Action, Content, EnvelopeRecipient, NextHop, Origin, Parcel, RecipientOutcome
from postern.telemetry import attempts
from postern.telemetry import log as telemetry
from postern.transport import control, delivery_status, poison
from postern.transport.categorize import Categorizer
from postern.transport.control import ControlRequest, Verb
from postern.transport.queued import State
from tests.transport.world import MESSAGE, Clock, FakeCarrier, FakeDirectory, World, always, delivered, user

BAD = "bad@example.test"
START = Clock().now
OWN = Origin("client-to-hub-submission", "192.0.2.9", identity="bob")


@pytest.fixture(autouse=True)
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A terminal's tracebacks cost a second each."""
    telemetry.configure("test", tmp_path_factory.mktemp("logs") / "test.jsonl")
    yield
    telemetry.configure("test", None)


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
            assert world.queue.next_due == START + world.organization.limits.queue_expiry, "then its sender is told"
            return accepted.queue_id

    queue_id = asyncio.run(run())
    why = "RecursionError: maximum recursion depth exceeded"
    assert state_of(folder) == [(BAD, State.POISON, why)]
    assert poison.copy_of(folder, queue_id).read_bytes() == MESSAGE
    listed = CliRunner().invoke(queue, ["list", "--poison", "--state", str(tmp_path)], env={"COLUMNS": "400"})
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
    assert control.ask(folder, ControlRequest(Verb.RETRY)) == 0, "not by a retry of everything"
    assert "1 message" in cli("retry", queue_id)
    assert state_of(folder)[0][1] is State.PENDING
    assert not poison.copy_of(folder, queue_id).exists()
    assert "1 message" in cli("drop", queue_id)
    assert state_of(folder) == []
    assert "no message is set aside" in cli("list", "--poison")


# For one recipient

BAD_CARRIER = ValueError("badly formed hexadecimal UUID string")


class Picky(FakeCarrier):
    """Raises for what goes to `bad`, whoever else it is for; the others of a parcel have got it before, at times."""

    def __init__(self, *bad: str) -> None:
        super().__init__()
        self.bad = set(bad)

    async def carry(self, hop: NextHop, parcels: Sequence[Parcel]) -> Sequence[Sequence[RecipientOutcome]]:
        if any(one.address in self.bad for parcel in parcels for one in parcel.envelope.recipients):
            raise BAD_CARRIER
        return await super().carry(hop, parcels)


PEOPLE = ("alice@example.test", "bob@example.test", "carol@example.test")


def world_of(folder: Path, carrier: FakeCarrier) -> World:
    return World(folder, FakeDirectory(*(user(one.partition("@")[0]) for one in (*PEOPLE, BAD))), carrier)


async def several_attempts(world: World) -> None:
    for seconds in (100, 1000, 10_000, 20_000):
        await world.later(seconds)


def test_what_raises_for_one_recipient_reaches_the_others_and_waits_for_him_alone(tmp_path: Path) -> None:
    folder = tmp_path / "queue" / "0"
    carrier = Picky("bob@example.test")

    async def run() -> str:
        async with world_of(folder, carrier) as world:
            accepted, _ = await asyncio.gather(world.send(*PEOPLE), world.send("alice@example.test"))
            await world.rest()
            await several_attempts(world)
            return accepted.queue_id

    queue_id = asyncio.run(run())
    got = [
        (queue_id_, address) for _, rows in carrier.batches for queue_id_, addresses, _ in rows for address in addresses
    ]
    assert sorted(got, key=str) == sorted(set(got), key=str), "nobody twice"
    assert {address for one, address in got if one == queue_id} == {"alice@example.test", "carol@example.test"}
    assert sorted(carrier.carried).count("alice@example.test") == 2, "the other message of the batch, too"
    states = {address: state for address, state, _ in state_of(folder)}
    assert states == {
        "alice@example.test": State.DELIVERED,
        "bob@example.test": State.POISON,
        "carol@example.test": State.DELIVERED,
    }
    listed = CliRunner().invoke(queue, ["list", "--poison", "--state", str(tmp_path)], env={"COLUMNS": "400"}).output
    assert "bob@example.test" in listed and "1 of 3" in listed
    assert str(BAD_CARRIER) in listed
    assert poison.copy_of(folder, queue_id).read_bytes() == MESSAGE

    ((message),) = control.listed(folder)
    for key in poison.keys(message):
        attempts.forget(key)
    done = CliRunner().invoke(queue, ["retry", queue_id, "--state", str(tmp_path)])
    assert "1 message" in done.output
    again = FakeCarrier()

    async def retried() -> None:
        async with world_of(folder, again) as world:
            await world.later(100)

    asyncio.run(retried())
    assert again.carried == ["bob@example.test"], "and nobody twice"
    assert state_of(folder) == []


def test_what_cannot_be_categorized_for_one_recipient_reaches_the_others(tmp_path: Path, poisonous: list[int]) -> None:
    carrier = FakeCarrier()

    async def run() -> None:
        async with world_of(tmp_path / "0", carrier) as world:
            await world.send(PEOPLE[0], BAD, PEOPLE[1])
            await world.rest()
            await several_attempts(world)

    asyncio.run(run())
    assert sorted(carrier.carried) == list(PEOPLE[:2])
    assert [state for _, state, _ in state_of(tmp_path / "0")] == [State.DELIVERED, State.POISON, State.DELIVERED]
    assert len(poisonous) == 3, "twice with the others, once alone"


def test_what_raises_for_several_is_set_aside_for_all(tmp_path: Path) -> None:
    everybody = [f"u{number}@example.test" for number in range(20)]
    carrier = Picky(*everybody)

    async def run() -> None:
        directory = FakeDirectory(*(user(one.partition("@")[0]) for one in everybody))
        async with World(tmp_path / "0", directory, carrier) as world:
            await world.send(*everybody)
            await world.rest()
            await several_attempts(world)

    asyncio.run(run())
    assert {state for _, state, _ in state_of(tmp_path / "0")} == {State.POISON}


def test_what_brought_workers_down_is_set_aside_whole(tmp_path: Path) -> None:
    carrier = FakeCarrier(always(Action.DELAYED, "4.2.0"))

    async def run() -> None:
        async with world_of(tmp_path / "0", carrier) as world:
            accepted = await world.send(*PEOPLE)
            await world.rest()
            for _ in range(attempts.LIMIT):
                attempts._table.strike(poison.key(accepted.queue_id), "ended by SIGSEGV", fatal=True)
            carrier.judge = delivered
            carrier.batches.clear()
            await several_attempts(world)

    asyncio.run(run())
    assert carrier.carried == []
    assert {(state, why) for _, state, why in state_of(tmp_path / "0")} == {(State.POISON, "ended by SIGSEGV")}


def test_a_recipient_set_aside_takes_nothing_from_those_who_are_still_tried(tmp_path: Path) -> None:
    """A mailbox server gives it up for bob, while carol's is not there: hers is delivered later, his is dropped alone."""
    folder = tmp_path / "queue" / "0"

    def judge(hop: NextHop, parcel: Parcel, recipient: EnvelopeRecipient) -> RecipientOutcome:
        if recipient.address.startswith("bob"):
            return RecipientOutcome(recipient.address, Action.DELAYED, "5.6.0", "given up", poison=True)
        if recipient.address.startswith("carol"):
            return RecipientOutcome(recipient.address, Action.DELAYED, "4.2.0", "later")
        return delivered(hop, parcel, recipient)

    carrier = FakeCarrier(judge)

    async def run() -> str:
        async with world_of(folder, carrier) as world:
            accepted = await world.send(*PEOPLE)
            await world.rest()
            return accepted.queue_id

    queue_id = asyncio.run(run())
    assert [state for _, state, _ in state_of(folder)] == [State.DELIVERED, State.POISON, State.PENDING]
    done = CliRunner().invoke(queue, ["drop", "--poison", queue_id, "--state", str(tmp_path)])
    assert "1 message" in done.output
    assert [state for _, state, _ in state_of(folder)] == [State.DELIVERED, State.FAILED, State.PENDING]
    carrier.judge = delivered
    carrier.batches.clear()

    async def later() -> None:
        async with world_of(folder, carrier) as world:
            await world.later(100)

    asyncio.run(later())
    assert carrier.carried == ["carol@example.test"]
    assert state_of(folder) == []


def test_all_that_is_set_aside_can_be_tried_again_at_once(tmp_path: Path, poisonous: list[int]) -> None:
    """After an upgrade, say; what is held otherwise stays. A worker that runs does it as well as none."""
    folder = tmp_path / "queue" / "0"
    carrier = FakeCarrier()

    async def run() -> None:
        async with world_of(folder, carrier) as world:
            await asyncio.gather(world.send(BAD), world.send(BAD, PEOPLE[0]))
            await world.rest()
            await several_attempts(world)
            for message in control.listed(folder):
                for key in poison.keys(message):
                    attempts.forget(key)
            obeyed = control.Control(folder, world.tracker)
            poisonous.clear()
            assert await obeyed._obey(world.dispatcher, ControlRequest(Verb.RETRY, poison=True)) == 2
            await world.later(1)
            assert len(poisonous) == 2, "each is tried"
            await several_attempts(world)
            assert await obeyed._obey(world.dispatcher, ControlRequest(Verb.DROP, poison=True)) == 2
            await world.later(1)

    asyncio.run(run())
    assert carrier.carried == [PEOPLE[0]]
    assert state_of(folder) == []


def test_a_carrier_that_raises_for_every_message_is_at_fault_itself(tmp_path: Path) -> None:
    carrier = Picky(*PEOPLE)

    async def run() -> None:
        async with world_of(tmp_path / "0", carrier) as world:
            await asyncio.gather(*(world.send(one) for one in PEOPLE))
            await world.rest()
            for _ in range(6):
                await world.later(100)
            carrier.bad.clear()
            await world.later(10_000)

    asyncio.run(run())
    assert sorted(carrier.carried) == list(PEOPLE)
    assert state_of(tmp_path / "0") == []


# Its end (RFC 5321 section 6.1: what was accepted is delivered, or its sender is told)


def reports(carrier: FakeCarrier, world: World) -> list[bytes]:
    return [content for _, rows in carrier.batches for _, _, content in rows if b"Auto-Submitted" in content]


async def set_aside(world: World, *to: str, **how: Any) -> str:
    """A message that brought workers down: nothing of its content may be read again."""
    how.setdefault("content", Content.of(TRACE + b"Subject: a secret\r\n\r\n" + SECRET))
    world.carrier.judge = always(Action.DELAYED, "4.2.0")
    accepted = await world.send(*(to or PEOPLE[:1]), **how)
    await world.rest()
    for _ in range(attempts.LIMIT):
        attempts._table.strike(poison.key(accepted.queue_id), "ended by SIGSEGV", fatal=True)
    world.carrier.judge = delivered
    world.carrier.batches.clear()
    await world.later(100)
    return accepted.queue_id


SECRET = b"what broke the workers\r\n"
TRACE = b"Received: from x ([192.0.2.7])\r\n\tby hub1.example.test (Postern) with ESMTP;\r\n\tFri, 15 Jan 2027 08:00:00 +0000\r\n"
FORGED = TRACE + (
    b"Authentication-Results: hub1.example.test; spf=fail smtp.mailfrom=bob@remote.test;\r\n"
    b"\tdkim=none; dmarc=none header.from=remote.test\r\n"
)


@pytest.fixture
def content_is_poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads a header beyond its trace, or a subject, breaks."""

    def breaks(*_: object) -> bytes:
        raise RecursionError

    monkeypatch.setattr(delivery_status, "_header_of", breaks)
    monkeypatch.setattr(delivery_status, "_subject", breaks)


def test_a_strangers_poison_is_reported_when_the_queue_expires(tmp_path: Path, content_is_poison: None) -> None:
    folder = tmp_path / "queue" / "0"

    async def run() -> tuple[str, list[bytes]]:
        async with world_of(folder, FakeCarrier()) as world:
            queue_id = await set_aside(world, *PEOPLE[:2])
            await world.later(100_000)
            assert reports(world.carrier, world) == []
        # Over a restart.
        async with world_of(folder, FakeCarrier()) as world:
            await world.later(200_000)
            await world.until(lambda: bool(world.carrier.batches))
            await world.rest()
            assert [step for step in world.tracker.steps if step in ("fail", "dsn")] == ["fail", "dsn"]
            return queue_id, reports(world.carrier, world)

    queue_id, (report,) = asyncio.run(run())
    assert b"To: <bob@remote.test>" in report and b"Subject: Undeliverable: your message\r\n" in report
    assert report.count(b"Status: 5.6.0") == 2 and report.count(b"Action: failed") == 2
    assert b"Final-Recipient: rfc822; alice@example.test" in report
    assert SECRET not in report and b"a secret" not in report and b"SIGSEGV" not in report
    assert state_of(folder) == [], "it is done"
    assert poison.copy_of(folder, queue_id).read_bytes().endswith(SECRET), "an administrator may look at it"
    listed = CliRunner().invoke(queue, ["list", "--poison", "--state", str(tmp_path)]).output
    assert queue_id in listed and "14 days" in listed
    done = CliRunner().invoke(queue, ["export", queue_id, str(tmp_path / "out.eml"), "--state", str(tmp_path)])
    assert done.exit_code == 0 and (tmp_path / "out.eml").read_bytes().endswith(SECRET)


def test_an_author_of_ours_hears_at_once(tmp_path: Path, content_is_poison: None) -> None:
    async def run() -> list[bytes]:
        async with world_of(tmp_path / "0", FakeCarrier()) as world:
            await set_aside(world, origin=OWN, sender="bob@example.test")
            await world.until(lambda: bool(reports(world.carrier, world)))
            await world.rest()
            return reports(world.carrier, world)

    (report,) = asyncio.run(run())
    assert b"To: <bob@example.test>" in report and b"Status: 5.6.0" in report
    assert state_of(tmp_path / "0") == []


@pytest.mark.parametrize(
    "how",
    [
        {"sender": ""},
        {"content": Content.of(FORGED + b"Subject: x\r\n\r\n" + SECRET)},
        {
            "content": Content.of(FORGED + b"Subject: x\r\n\r\n" + SECRET),
            "origin": Origin("hub-to-hub", "h", identity="HUB2$"),
        },
    ],
)
def test_nobody_hears_of_what_he_did_not_send(tmp_path: Path, content_is_poison: None, how: dict[str, Any]) -> None:
    async def run() -> None:
        async with world_of(tmp_path / "0", FakeCarrier()) as world:
            await set_aside(world, **how)
            await world.later(200_000)
            assert world.carrier.batches == []
            assert world.tracker.steps[-1] == "fail"

    asyncio.run(run())
    assert state_of(tmp_path / "0") == []


def test_a_report_that_brings_workers_down_itself_is_not_tried_for_ever(tmp_path: Path) -> None:
    async def run() -> None:
        async with world_of(tmp_path / "0", FakeCarrier()) as world:
            queue_id = await set_aside(world)
            for _ in range(attempts.LIMIT):
                attempts._table.strike(poison.report_key(queue_id), "ended by SIGSEGV", fatal=True)
            await world.later(200_000)
            assert world.carrier.batches == []

    asyncio.run(run())
    assert state_of(tmp_path / "0") == []


def test_a_whole_report_that_cannot_be_made_becomes_a_bare_one(tmp_path: Path, content_is_poison: None) -> None:
    """Also where it is the first time that somebody reads the content."""

    async def run() -> list[bytes]:
        carrier = FakeCarrier(always(Action.FAILED, "5.1.1"))
        async with world_of(tmp_path / "0", carrier) as world:
            await world.send(PEOPLE[0], origin=OWN, sender="bob@example.test")
            await world.until(lambda: "fail" in world.tracker.steps)
            carrier.judge = delivered
            await world.until(lambda: bool(reports(carrier, world)))
            await world.rest()
            return reports(carrier, world)

    (report,) = asyncio.run(run())
    assert b"To: <bob@example.test>" in report and b"Status: 5.6.0" in report
    assert state_of(tmp_path / "0") == []


def test_copies_are_kept_for_two_weeks(tmp_path: Path) -> None:
    folder = tmp_path / "queue" / "0"

    async def run() -> None:
        async with world_of(folder, FakeCarrier()) as world:
            old = await set_aside(world)
            new = await set_aside(world)
            await world.later(200_000)
            at = time.time() - poison.KEPT - 60
            os.utime(poison.copy_of(folder, old), (at, at))
            await world.later(4000)
            world.dispatcher.retry_now()
            await world.until(lambda: poison.copies(folder) == [new])

    asyncio.run(run())


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("--all",), 0),
        (("--poison",), 0),
        (("{done}",), 1),
        (("{waiting}",), 1),
        (("--hop", "mailbox:hub1"), 1),
        (("../../../victim",), 2),
    ],
)
def test_what_is_dropped_takes_its_copy_with_it(tmp_path: Path, words: tuple[str, ...], left: int) -> None:
    folder = tmp_path / "queue" / "0"
    victim = tmp_path / "victim.eml"
    victim.write_text("no mail")

    async def run() -> tuple[str, str]:
        async with world_of(folder, FakeCarrier()) as world:
            done = await set_aside(world, origin=OWN, sender="bob@example.test")
            await world.until(lambda: bool(reports(world.carrier, world)))
            waiting = await set_aside(world)
            await world.until(lambda: len(poison.copies(folder)) == 2)
            await world.rest()
            return done, waiting

    done, waiting = asyncio.run(run())
    named = [word.format(done=done, waiting=waiting) for word in words]
    CliRunner().invoke(queue, ["drop", *named, "--state", str(tmp_path)])
    assert len(poison.copies(folder)) == left
    waits = [state for _, state, _ in state_of(folder) if state is State.POISON]
    assert bool(waits) == (words[0] not in ("--all", "--poison", "{waiting}", "--hop"))
    assert victim.exists()
