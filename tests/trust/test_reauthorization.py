"""Who is logged on stays so only while the account allows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from postern.model.directory import Account, DirectoryUnavailable
from postern.model.security import NOBODY, Identity, Mechanism
from postern.trust import reauthorization
from postern.trust.membership import Membership
from postern.trust.reauthorization import Reauthorization
from tests.trust.people import People, run

NAME = "alice@example.test"


class Watch:
    def __init__(self) -> None:
        self.people = People()
        self.people.add(NAME, "wonderland")
        self.watch = Reauthorization(self.people, interval=0.001)
        self.ended: list[str] = []

    async def log_on(self, session: str) -> None:
        identity = await Membership().identity(self.people.accounts[NAME], Mechanism.BASIC)
        self.watch.register(identity, lambda: self.ended.append(session))

    async def rounds(self, count: int) -> list[str]:
        """By hand: the service's own are not waited for."""
        self.watch.close()
        for _ in range(count):
            await self.watch.round()
        return self.ended

    def put(self, **changes: object) -> None:
        self.people.accounts[NAME] = replace(self.people.accounts[NAME], **changes)


@pytest.fixture
def watch() -> Watch:
    return Watch()


def remove(watch: Watch) -> None:
    del watch.people.accounts[NAME]


@pytest.mark.parametrize(
    "change",
    [
        remove,
        lambda watch: watch.people.set(NAME, enabled=False),
        lambda watch: watch.people.set(NAME, password="through the glass"),
    ],
    ids=["removed", "disabled", "password"],
)
def test_what_ends_a_session(watch: Watch, change: Callable[[Watch], object]) -> None:
    async def steps() -> None:
        await watch.log_on("imap")
        assert await watch.rounds(3) == []
        change(watch)
        # One answer may come from a server that has yet to hear of what another one knows.
        assert await watch.rounds(1) == []
        assert await watch.rounds(3) == ["imap"]

    run(steps())


def test_what_does_not(watch: Watch) -> None:
    async def steps() -> None:
        await watch.log_on("imap")
        watch.put(name="liddell@example.test", change="another", recipient="", send_as=("x@example.test",))
        assert await watch.rounds(3) == []
        watch.put(enabled=False, locked=True)  # whoever guesses must not throw the owner out
        assert await watch.rounds(3) == []

    run(steps())


def test_a_session_with_the_new_password_goes_on(watch: Watch) -> None:
    async def steps() -> None:
        await watch.log_on("old")
        watch.people.set(NAME, password="through the glass")
        await watch.log_on("new")
        assert await watch.rounds(5) == ["old"]

    run(steps())


def test_an_answer_in_between_clears_the_doubt(watch: Watch) -> None:
    async def steps() -> None:
        await watch.log_on("imap")
        account = watch.people.accounts[NAME]
        for _ in range(3):
            remove(watch)
            await watch.rounds(1)
            watch.people.accounts[NAME] = account
            assert await watch.rounds(1) == []

    run(steps())


def test_no_directory_ends_nobody(watch: Watch) -> None:
    async def steps() -> None:
        await watch.log_on("imap")
        remove(watch)
        watch.people.away = True
        for _ in range(5):
            with pytest.raises(DirectoryUnavailable):
                await watch.rounds(1)
        assert watch.ended == []

    run(steps())


def test_rounds_run_while_anybody_is_there_and_survive_failures(watch: Watch) -> None:
    class Bent(People):
        failures = 3

        async def accounts_by_guid(self, guids: object) -> dict[object, Account]:
            self.failures -= 1
            if self.failures >= 0:
                raise DirectoryUnavailable if self.failures else RuntimeError("bent")
            return {}

    async def steps() -> None:
        watch.watch._directory = Bent()
        assert watch.watch.register(NOBODY, lambda: None) is None and watch.watch._task is None
        ended = asyncio.Event()
        identity = await Membership().identity(watch.people.accounts[NAME], Mechanism.SCRAM)
        watch.watch.register(identity, ended.set)
        async with asyncio.timeout(20):
            await ended.wait()
            assert watch.watch._task is not None
            await watch.watch._task  # nobody is left: it ends
        gone = watch.watch.register(identity, ended.clear)
        assert gone is not None
        gone.end()
        gone.end()
        async with asyncio.timeout(20):
            await watch.watch._task
        assert ended.is_set()

    run(steps())


def test_credentials_are_no_part_of_who_it_is() -> None:
    one = Identity(NOBODY.kind, "alice", Mechanism.BASIC, credentials="digest")
    assert one == replace(one, credentials="other") and "digest" not in repr(one)


def test_two_rounds_fit_into_thirty_seconds() -> None:
    """Docs promise them; what is left is for the directory's time-outs."""
    assert reauthorization.INTERVAL * reauthorization._ROUNDS <= 20


def test_a_session_ends_with_its_ticket(watch: Watch) -> None:
    """Neither before nor later, whether the directory answers or not; a session by password beside it goes on."""
    now = [1000.0]

    async def log_on(session: str, ends: float) -> asyncio.Event:
        identity = await Membership().identity(watch.people.accounts[NAME], Mechanism.KERBEROS)
        ended = asyncio.Event()

        def revoke() -> None:
            watch.ended.append(session)
            ended.set()

        registration = watch.watch.register(replace(identity, ends=ends), revoke)
        assert registration is not None and session not in watch.ended  # the log-in is answered first
        if session == "left":
            registration.end()
        return ended

    async def steps() -> None:
        watch.watch = Reauthorization(watch.people, interval=0.001, clock=lambda: now[0])
        watch.people.away = True
        await watch.log_on("password")
        await log_on("left", 1010.0)
        over = await log_on("over", 1000.0)
        early, late = await log_on("early", 1010.0), await log_on("late", 1020.0)
        expected = []
        for moment, session, ended in ((1009.9, "over", over), (1019.9, "early", early), (1020.0, "late", late)):
            now[0] = moment
            expected.append(session)
            async with asyncio.timeout(20):
                await ended.wait()
            await asyncio.sleep(0.005)  # some looks more
            assert watch.ended == expected
        watch.watch.close()

    run(steps())
