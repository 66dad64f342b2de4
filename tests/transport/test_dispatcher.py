"""The dispatcher with a real queue, a carrier that does as it is told, and a clock that moves when told.

covers: hop, outcomes
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from postern.model.mail import Accepted, Action, Content, EnvelopeRecipient, HopKind, NextHop, Parcel, RecipientOutcome
from postern.model.organization import Limits
from postern.transport import dispatcher as dispatcher_module
from postern.transport.hop import JITTER, OWN_RETRY
from postern.transport.queued import NEVER, State
from tests.transport.world import (
    ORIGIN,
    FakeCarrier,
    FakeDirectory,
    World,
    always,
    contact,
    delivered,
    group,
    organization,
    user,
)

EXPIRY = Limits().queue_expiry


async def states(world: World) -> list[tuple[str, State]]:
    rows = await world.queue.change_waiting(
        lambda db: db.execute("SELECT address, state FROM recipients ORDER BY message, number").fetchall()
    )
    return [(address, State(state)) for address, state in rows]


def test_new_mail_is_carried_and_forgotten(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            accepted = await world.send("alice@example.test", "x@outside.test")
            await world.rest()
            carried = {(hop.kind, hop.destination): rows for hop, rows in world.carrier.batches}
            assert carried.keys() == {(HopKind.MAILBOX, "hub1"), (HopKind.SMTP, "outside.test")}
            parcels = {p.envelope.recipients[0].address: p for p in world.carrier.parcels}
            assert parcels["alice@example.test"].mailboxes == {"alice@example.test": user("alice").guid}
            assert parcels["x@outside.test"].mailboxes == {}
            assert {p.queue_id for p in world.carrier.parcels} == {accepted.queue_id}
            assert sorted(world.tracker.steps) == ["deliver", "send"]
            deliver = next(r for r in world.tracker.records if r.step == "deliver")
            assert (deliver.path, deliver.peer, deliver.mechanism) == ("hub-to-mailbox-mapi", "hub1", "NTLM")
            assert await states(world) == []
            assert world.dispatcher.idle

    asyncio.run(run())


def test_what_comes_while_a_hop_is_busy_goes_in_one_batch(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.carrier.gate.clear()
            await world.send("alice@example.test")
            await world.carrier.entered.wait()
            for _ in range(30):
                await world.send("alice@example.test")
            active = world.queue.active
            await world.until(lambda: len(active) == 31 and all(message.flying for message in active.values()))
            world.carrier.gate.set()
            await world.rest()
            assert len(world.carrier.carried) == 31
            assert len(world.carrier.batches) <= 3
            assert all(parcels for _, parcels in world.carrier.batches), "no call for nothing"

    asyncio.run(run())


def test_a_delay_is_tried_again_on_schedule_and_recovers(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.carrier.judge = always(Action.DELAYED, "4.7.1", "greylisted")
            await world.send("x@outside.test")
            await world.rest()
            for attempt, wait in enumerate((60.0, 300.0, 900.0, 1800.0, 3600.0, 3600.0), 1):
                assert len(world.carrier.batches) == attempt
                assert world.queue.next_due == world.clock.now + wait
                await world.later(wait - 1)
                assert len(world.carrier.batches) == attempt, "not before its time"
                await world.later(1)
            world.carrier.judge = delivered
            await world.later(3600)
            assert world.dispatcher.idle
            assert world.tracker.steps == ["defer"] * 7 + ["send"]
            assert len({p.queue_id for p in world.carrier.parcels}) == 1, "always under the same id"

    asyncio.run(run())


def test_only_those_who_failed_are_tried_again(tmp_path: Path) -> None:
    def judge(hop: NextHop, parcel: Parcel, recipient: EnvelopeRecipient) -> RecipientOutcome:
        bad = recipient.address.startswith("b@")
        return RecipientOutcome(
            recipient.address, Action.DELAYED if bad else Action.RELAYED, "4.2.1" if bad else "2.0.0"
        )

    async def run() -> None:
        async with World(tmp_path / "0", carrier=FakeCarrier(judge)) as world:
            await world.send("a@outside.test", "b@outside.test", "c@outside.test")
            await world.rest()
            assert [s for _, s in await states(world)] == [State.DELIVERED, State.PENDING, State.DELIVERED]
            world.carrier.judge = delivered
            await world.later(60)
            assert world.carrier.carried == ["a@outside.test", "b@outside.test", "c@outside.test", "b@outside.test"]

    asyncio.run(run())


def test_a_hop_that_does_not_answer_is_asked_once_for_all_its_mail(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.carrier.judge = always(Action.DELAYED, "4.4.1", "connection refused")
            await world.send("x@down.test")
            await world.rest()
            for _ in range(20):
                await world.send("y@down.test")
            await world.rest()
            assert len(world.carrier.batches) == 1
            world.carrier.judge = delivered
            await world.later(60)
            assert len(world.carrier.carried) == 22
            assert world.dispatcher.idle

    asyncio.run(run())


def test_our_own_servers_are_asked_again_soon(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.carrier.judge = always(Action.DELAYED, "4.4.1", "restarting")
            await world.send("alice@example.test")
            await world.rest()
            assert world.queue.next_due == world.clock.now + OWN_RETRY[0]

    asyncio.run(run())


def test_a_wait_is_longer_by_chance_and_never_shorter(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.carrier.judge = always(Action.DELAYED, "4.2.2", "greylisted")
            world.jitter = 0.5
            await world.send("x@down.test", "y@down.test")
            await world.rest()
            assert world.queue.next_due == world.clock.now + 60 * (1 + JITTER / 2)
            world.carrier.judge = delivered
            await world.later(60)
            assert len(world.carrier.batches) == 1, "not before"
            await world.later(60 * JITTER / 2)
            assert len(world.carrier.batches) == 2 and world.dispatcher.idle, "both recipients at once"

    asyncio.run(run())


def test_an_idle_dispatcher_wakes_for_what_it_put_off_itself(tmp_path: Path) -> None:
    """It slept until the next message: what failed in between is due before that."""

    async def run() -> None:
        async with World(tmp_path / "0", clock=time.time) as world:
            answers = iter([always(Action.DELAYED, "4.4.1", "restarting")])
            world.carrier.judge = lambda *what: next(answers, delivered)(*what)
            await world.send("alice@example.test")
            await world.until(lambda: world.dispatcher.idle)
            assert world.tracker.steps == ["defer", "deliver"]

    asyncio.run(run())


def test_a_failure_is_reported_to_the_sender_before_the_message_is_forgotten(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            await world.send("nobody@example.test", sender="alice@example.test")
            await world.rest()
            assert world.carrier.carried == ["alice@example.test"]
            (parcel,) = world.carrier.parcels
            assert parcel.envelope.sender == ""
            assert b"Final-Recipient: rfc822; nobody@example.test" in parcel.content.bytes()
            assert world.tracker.steps == ["fail", "dsn", "deliver"]

    asyncio.run(run())


def test_a_report_that_fails_is_reported_to_nobody(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            await world.send("nobody@example.test", sender="also-nobody@example.test")
            await world.rest()
            assert world.tracker.steps == ["fail", "dsn", "fail"]
            assert world.dispatcher.idle

    asyncio.run(run())


def test_a_crash_before_the_report_is_safe_does_not_lose_the_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue takes no report (its disk is full); then the process dies; afterwards the sender is told."""

    async def run() -> None:
        async with World(tmp_path / "0") as world:
            await world.send("nobody@example.test", "bob@example.test", sender="alice@example.test")
            accept = world.queue.accept

            async def never(*_: object) -> Accepted:
                await asyncio.Event().wait()
                raise AssertionError

            monkeypatch.setattr(world.queue, "accept", never)
            await world.until(lambda: world.carrier.carried == ["bob@example.test"])
            await world.queue.settled()
            monkeypatch.setattr(world.queue, "accept", accept)
            await world.dispatcher.stop(grace=0)
        async with World(tmp_path / "0") as world:
            await world.until(lambda: "dsn" in world.tracker.steps)
            await world.rest()
            assert world.carrier.carried == ["alice@example.test"]

    asyncio.run(run())


def test_mail_expires_and_its_sender_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.carrier.judge = lambda hop, parcel, r: (
                delivered(hop, parcel, r)
                if hop.kind is HopKind.MAILBOX
                else RecipientOutcome(r.address, Action.DELAYED, "4.4.1", "no route")
            )
            await world.send("x@down.test", sender="alice@example.test")
            await world.rest()
            await world.later(dispatcher_module.LONGEST_SLEEP)
            await world.later(5 * 3600)
            warning = world.carrier.parcels[-1].content.bytes()
            assert b"Action: delayed" in warning
            await world.later(3600)
            assert sum(p.envelope.sender == "" for p in world.carrier.parcels) == 1, "one warning is enough"
            await world.later(EXPIRY)
            failure = world.carrier.parcels[-1].content.bytes()
            assert b"Action: failed\r\nStatus: 4.4.7" in failure
            assert world.dispatcher.idle

    asyncio.run(run())


def test_groups_and_forwarding_are_carried_and_survive_a_restart(tmp_path: Path) -> None:
    def make() -> FakeDirectory:
        team = group("team", "alice@example.test", "carol@example.test", "dave@example.test")
        dave = user("dave", forward_to="bob@example.test", deliver_and_forward=True)
        return FakeDirectory(user("alice"), user("bob"), contact("carol", "carol@outside.test"), dave, team)

    async def run() -> None:
        async with World(tmp_path / "0", make()) as world:
            world.carrier.judge = lambda hop, parcel, r: (
                delivered(hop, parcel, r)
                if r.address == "alice@example.test"
                else RecipientOutcome(r.address, Action.DELAYED, "4.2.1")
            )
            await world.send("team@example.test", "dave@example.test")
            await world.rest()
            before = sorted(world.carrier.carried)
            assert before == ["alice@example.test", "bob@example.test", "carol@outside.test", "dave@example.test"]
            assert (await states(world))[0] == ("team@example.test", State.EXPANDED)
            clock = world.clock
        async with World(tmp_path / "0", make(), clock=clock) as world:
            await world.later(60)
            assert sorted(world.carrier.carried) == ["bob@example.test", "carol@outside.test", "dave@example.test"]
            assert world.dispatcher.idle

    asyncio.run(run())


def test_success_is_reported_when_asked_unless_the_peer_does_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            asked = frozenset({"SUCCESS"})
            world.carrier.judge = lambda hop, parcel, r: RecipientOutcome(
                r.address, Action.RELAYED, "2.0.0", notifies=r.address == "told@outside.test"
            )
            await world.send(
                EnvelopeRecipient("quiet@outside.test"),
                EnvelopeRecipient("told@outside.test", asked),
                EnvelopeRecipient("x@outside.test", asked),
                sender="alice@example.test",
                origin=ORIGIN._replace(path="client-to-hub-smtp"),
            )
            await world.rest()
            report = world.carrier.parcels[-1].content.bytes()
            assert b"Action: relayed" in report
            assert report.count(b"Final-Recipient: ") == 1
            assert b"Final-Recipient: rfc822; x@outside.test" in report

    asyncio.run(run())


def test_a_carrier_that_raises_or_miscounts_loses_nothing(tmp_path: Path) -> None:
    class Broken(FakeCarrier):
        async def carry(self, hop, parcels):
            await super().carry(hop, parcels)
            if len(self.batches) == 1:
                raise RuntimeError("a defect")
            return [] if len(self.batches) == 2 else [[delivered(hop, p, p.envelope.recipients[0])] for p in parcels]

    async def run() -> None:
        async with World(tmp_path / "0", carrier=Broken()) as world:
            await world.send("x@outside.test")
            await world.rest()
            await world.later(60)
            assert not world.dispatcher.idle
            await world.later(300)
            assert world.dispatcher.idle
            assert len(world.carrier.batches) == 3

    asyncio.run(run())


def test_large_envelopes_go_in_parts(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            await world.send(*(f"u{i}@outside.test" for i in range(250)))
            await world.rest()
            assert sorted(len(p.envelope.recipients) for p in world.carrier.parcels) == [50, 100, 100]

    asyncio.run(run())


def test_a_restart_in_the_middle_carries_again_under_the_same_id(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0") as world:
            world.carrier.gate.clear()
            accepted = await world.send("alice@example.test")
            await world.carrier.entered.wait()
            await world.dispatcher.stop(grace=0)
        async with World(tmp_path / "0") as world:
            await world.until(lambda: world.dispatcher.idle)
            assert [p.queue_id for p in world.carrier.parcels] == [accepted.queue_id]
            assert world.queue.next_due == NEVER

    asyncio.run(run())


def test_without_a_carrier_mail_waits(tmp_path: Path) -> None:
    async def run() -> None:
        async with World(tmp_path / "0", organization=organization()) as world:
            world.dispatcher._carriers = {}
            await world.send("x@outside.test", content=Content.of(b"Subject: x\r\n\r\n"))
            await world.rest()
            assert world.queue.next_due == world.clock.now + 60

    asyncio.run(run())


def test_connections_to_the_outside_are_bounded_and_mailboxes_do_not_wait_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "OUTSIDE_SENDERS", 5)

    class Counting(FakeCarrier):
        now = most = 0

        async def carry(self, hop, parcels):
            if hop.kind is HopKind.MAILBOX:
                return await FakeCarrier.carry(mailbox, hop, parcels)
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                return await super().carry(hop, parcels)
            finally:
                self.now -= 1

    async def run() -> None:
        async with World(tmp_path / "0", carrier=Counting()) as world:
            world.carrier.gate.clear()
            await asyncio.gather(*(world.send(f"x@domain{i}.test") for i in range(30)))
            await world.send("alice@example.test")
            await world.until(lambda: mailbox.carried == ["alice@example.test"])
            assert world.carrier.now == 5
            world.carrier.gate.set()
            await world.rest()
            assert world.carrier.most == 5
            assert len(world.carrier.carried) == 30
            assert world.dispatcher._hops == {}

    async def start() -> None:
        nonlocal mailbox
        mailbox = FakeCarrier()
        await run()

    mailbox: FakeCarrier = None
    asyncio.run(start())
