"""Passwords: right, wrong, remembered, forgotten; and that a refusal tells nothing. covers: trust.acceptor"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from postern.model.security import Mechanism, Peer, PrincipalKind
from postern.trust.acceptor import FAILED, TOO_MANY, UNAVAILABLE, Denied, Granted
from postern.trust.passwords import judge as judge_module
from postern.trust.passwords import verifiers as passwords
from postern.trust.passwords.judge import REMEMBERED, Judge
from tests.trust.people import PEER, People, run


class Bench:
    """A judge whose clock stands still until it waits, and which counts what argon2id was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.people = People()
        self.alice = self.people.add("alice@example.test", "wonderland")
        self.now = 1000.0
        self.waited: list[float] = []
        self.verified: list[tuple[str | None, str]] = []
        self.judge = Judge(self.people, clock=lambda: self.now)
        really_matches, really_sleep = passwords.matches, asyncio.sleep

        def matches(verifier: str | None, prepared: str) -> bool:
            self.verified.append((verifier, prepared))
            return really_matches(verifier, prepared)

        async def sleep(seconds: float) -> None:
            if seconds:
                self.waited.append(seconds)
                self.now = max(self.now, self.now + seconds)
            await really_sleep(0)

        monkeypatch.setattr(judge_module.verifiers, "matches", matches)
        monkeypatch.setattr(judge_module.asyncio, "sleep", sleep)

    async def ask(self, password: str, name: str = "alice@example.test", peer: Peer = PEER) -> Granted | Denied:
        return await self.judge.password(name, password, peer)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(monkeypatch)
    yield made
    made.judge.close()


def test_a_right_password(bench: Bench) -> None:
    granted = run(bench.ask("wonderland"))
    assert isinstance(granted, Granted)
    identity = granted.identity
    assert (identity.name, identity.guid) == ("alice@example.test", bench.alice.guid)
    assert (identity.kind, identity.mechanism) == (PrincipalKind.USER, Mechanism.BASIC)


def test_a_server_is_known_as_one(bench: Bench) -> None:
    bench.people.add("HUB1$", "machine", is_server=True)
    granted = run(bench.ask("machine", "EXAMPLE\\hub1$"))
    assert isinstance(granted, Granted) and granted.identity.kind is PrincipalKind.SERVER


@pytest.mark.parametrize("password", ["Wonderland", "wonderland ", "", "x" * 2000, "tab\t", "\ud800", "wonder\0land"])
def test_a_wrong_one(bench: Bench, password: str) -> None:
    assert run(bench.ask(password)) == FAILED


def test_unknown_wrong_and_disabled_cost_the_same_and_hear_the_same(bench: Bench) -> None:
    bench.people.add("gone@example.test", "wonderland", enabled=False)

    async def steps() -> None:
        assert await bench.ask("wrong") == FAILED
        assert await bench.ask("wrong", "nobody@example.test") == FAILED
        assert await bench.ask("wonderland", "gone@example.test") == FAILED

    run(steps())
    assert len(bench.verified) == 3
    assert bench.verified[1][0] is None and bench.verified[2][0] is None


def test_a_success_is_remembered_for_five_minutes(bench: Bench) -> None:
    async def steps() -> None:
        for _ in range(3):
            assert isinstance(await bench.ask("wonderland"), Granted)
        assert len(bench.verified) == 1 and bench.people.asked == 3  # the account is asked for every time
        assert await bench.ask("wrong") == FAILED
        assert len(bench.verified) == 2
        bench.now += REMEMBERED + 1
        assert isinstance(await bench.ask("wonderland"), Granted)
        assert len(bench.verified) == 3

    run(steps())


def test_what_was_remembered_is_the_password_s_keyed_mac(bench: Bench) -> None:
    run(bench.ask("wonderland"))
    ((_, mac),) = bench.judge._remembered.values()
    other = Judge(bench.people)
    assert len(mac) == 32 and b"wonderland" not in mac
    assert other._mac(bench.alice, "alice@example.test", "wonderland") != mac
    other.close()


def test_any_change_of_the_account_forgets_it(bench: Bench) -> None:
    async def steps() -> None:
        assert isinstance(await bench.ask("wonderland"), Granted)
        bench.people.set("alice@example.test", "through the glass")
        assert await bench.ask("wonderland") == FAILED
        assert isinstance(await bench.ask("through the glass"), Granted)
        bench.people.set("alice@example.test", enabled=False)
        assert await bench.ask("through the glass") == FAILED
        bench.people.set("alice@example.test", enabled=True)
        assert isinstance(await bench.ask("through the glass"), Granted)

    run(steps())


def test_the_same_password_at_the_same_time_is_one_guess(bench: Bench) -> None:
    async def steps() -> None:
        answers = await asyncio.gather(*(bench.ask("wonderland") for _ in range(40)))
        assert all(isinstance(answer, Granted) for answer in answers)
        wrong = await asyncio.gather(*(bench.ask("wrong") for _ in range(40)))
        assert set(wrong) == {FAILED}

    run(steps())
    assert len(bench.verified) == 2 and not bench.waited


def test_guessing_waits(bench: Bench) -> None:
    async def steps() -> None:
        for number in range(8):
            assert await bench.ask(f"guess {number}") == FAILED
        assert bench.waited == [1.0, 2.0, 4.0]
        # A right one waits as well, remembered or not: how long an answer takes tells nothing about it.
        assert isinstance(await bench.ask("wonderland"), Granted)
        assert bench.waited[3:] == [8.0]
        assert isinstance(await bench.ask("wonderland"), Granted)
        assert len(bench.waited) == 4

    run(steps())


def test_a_remembered_password_is_no_way_around_the_wait(bench: Bench) -> None:
    async def steps() -> None:
        assert isinstance(await bench.ask("wonderland"), Granted)
        for number in range(5):
            await bench.ask(f"guess {number}")
        verified = len(bench.verified)
        await bench.ask("wonderland")
        assert bench.waited == [1.0] and len(bench.verified) == verified + 1

    run(steps())


def test_too_many_at_once_are_turned_away(bench: Bench) -> None:
    async def steps() -> None:
        answers = await asyncio.gather(*(bench.ask(f"guess {number}") for number in range(50)))
        assert TOO_MANY in answers and FAILED in answers and set(answers) <= {TOO_MANY, FAILED}
        assert len(bench.verified) < 15

    run(steps())


def test_an_overloaded_pool_says_so_and_counts_nothing_against_anyone(bench: Bench) -> None:
    async def steps() -> None:
        flood = Peer("198.51.100.1", 1)
        answers = await asyncio.gather(*(bench.ask("x", f"user{number}@x.test", flood) for number in range(300)))
        assert set(answers) == {FAILED, TOO_MANY} and 64 <= answers.count(FAILED) < 300
        assert len(bench.verified) == answers.count(FAILED)
        assert isinstance(await bench.ask("wonderland"), Granted)

    run(steps())


def test_guesses_from_eighty_addresses_refuse_neither_the_owner_nor_anyone_else(bench: Bench) -> None:
    bench.people.add("bob@example.test", "builder")
    owner, other = Peer("203.0.113.7", 1), Peer("203.0.113.8", 1)

    async def steps() -> None:
        guesses = [
            asyncio.create_task(bench.ask(f"guess {host} {n}", "bob@example.test", Peer(f"198.51.100.{host}", 1)))
            for host in range(80)
            for n in range(5)
        ]
        await asyncio.sleep(0)
        others = await asyncio.gather(
            bench.ask("builder", "bob@example.test", owner), bench.ask("wonderland", peer=other)
        )
        assert all(isinstance(answer, Granted) for answer in others)
        # Their turns came before the flood was through: alice's line is another, bob's address has a line of its own.
        assert sum(guess.done() for guess in guesses) < 250
        assert set(await asyncio.gather(*guesses)) == {FAILED}
        assert bench.waited == []

    run(steps())


def test_guesses_that_wait_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    people = People()
    people.add("alice@example.test", "wonderland")
    judge = Judge(people)

    async def steps() -> None:
        released, really_sleep = asyncio.Event(), asyncio.sleep

        async def sleep(seconds: float) -> None:
            await (released.wait() if seconds else really_sleep(0))

        monkeypatch.setattr(judge_module.asyncio, "sleep", sleep)
        for number in range(100):
            for _ in range(5):
                guess = judge._backoff.enter(f"user{number}@x.test", f"198.51.100.{number}", judge._clock())
                assert guess is not None
                guess.failed(judge._clock())
        waiting = [
            asyncio.create_task(judge.password(f"user{number}@x.test", "x", Peer(f"198.51.100.{number}", 1)))
            for number in range(100)
        ]
        for _ in range(10):
            await really_sleep(0)
        assert len(judge._verifying) == 100
        assert isinstance(await judge.password("alice@example.test", "wonderland", PEER), Granted)
        released.set()
        assert FAILED in await asyncio.gather(*waiting)

    run(steps())
    judge.close()


def test_the_verifier_s_wrong_passwords_slow_down_nobody_else(bench: Bench) -> None:
    async def steps() -> None:
        bench.people.add("postern-probe@example.test", "256 random bits")
        for number in range(60):  # an address has 50 free failures
            await bench.ask(f"guess {number}", "postern-probe@example.test")
        bench.waited.clear()
        assert await bench.ask("guess") == FAILED
        assert isinstance(await bench.ask("wonderland"), Granted)
        assert bench.waited == []

    run(steps())


def test_names_of_one_account_share_its_count(bench: Bench) -> None:
    async def steps() -> None:
        for number in range(3):
            await bench.ask(f"guess {number}", "alice")
            await bench.ask(f"other {number}", "EXAMPLE\\Alice")
        assert bench.waited == [1.0]

    run(steps())


def test_no_directory_is_no_refusal_and_counts_as_nothing(bench: Bench) -> None:
    async def steps() -> None:
        bench.people.away = True
        for _ in range(20):
            assert await bench.ask("wonderland") == UNAVAILABLE
        bench.people.away = False
        assert isinstance(await bench.ask("wonderland"), Granted)
        bench.people.away = True
        assert await bench.ask("wonderland") == UNAVAILABLE  # what was remembered opens nothing by itself

    run(steps())
    assert UNAVAILABLE.temporary and not FAILED.temporary and not bench.waited


def test_who_hangs_up_while_waiting_leaves_no_trace(bench: Bench) -> None:
    async def steps() -> None:
        for _ in range(20):
            task = asyncio.create_task(bench.ask("wrong"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.gather(*bench.judge._verifying.values())

    run(steps())
    assert not bench.judge._verifying


def test_a_refusal_names_the_account_for_the_log_and_never_what_was_typed(bench: Bench) -> None:
    """People type passwords where names belong."""

    async def steps() -> None:
        wrong, unknown = await bench.ask("wrong", "ALICE@example.test"), await bench.ask("x", "wonderland")
        assert isinstance(wrong, Denied) and isinstance(unknown, Denied)
        assert (wrong.account, unknown.account) == ("alice@example.test", "")
        assert wrong == unknown, "the peer hears the same"

    run(steps())


@pytest.mark.parametrize(
    ("name", "account", "reason"),
    [
        ("alice@example.test", "alice@example.test", "wrong password"),
        ("gone@example.test", "gone@example.test", "the account is disabled"),
        ("nobody@example.test", "", "no such account"),
        ("", "", "no name, or a name or password that is too long"),
    ],
)
def test_a_refusal_has_its_reason_for_the_log(bench: Bench, name: str, account: str, reason: str) -> None:
    bench.people.add("gone@example.test", "wonderland", enabled=False)
    outcome = run(bench.ask("looking-glass", name))
    assert isinstance(outcome, Denied) and outcome == FAILED
    assert (outcome.account, outcome.reason) == (account, reason)
