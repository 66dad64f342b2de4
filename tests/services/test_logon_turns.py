"""Who guesses from one address makes nobody else wait long for a domain's word on an NTLM answer: turns are counted, not time.

covers: services.netlogon.broker, services.netlogon.client
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from postern.model.directory import DirectoryUnavailable, NtlmLogon, NtlmVerdict
from postern.model.organization import Profile
from postern.model.security import NOBODY, Peer, Seal
from postern.paths.table import settle
from postern.protocols.dcerpc.groups import Group
from postern.protocols.dcerpc.interfaces.logon_broker import LOGON_BROKER
from postern.services.netlogon.broker import AT_ONCE, BrokerClient, LogonBroker
from postern.services.netlogon.client import CONNECTIONS, NetlogonClient
from postern.services.rpc.call import Call, Caller
from postern.telemetry.observed import Observed
from postern.trust.pool import MOST_OF_ADDRESS

ROW = settle(Profile.PRACTICAL)["hub-to-ad"]
WRONG = NtlmVerdict(0xC000006A)
RIGHT = NtlmVerdict(0, "bob", b"k" * 16)
GUESSES = 200


def logon(user: str, address: str) -> NtlmLogon:
    return NtlmLogon("CORP", user, "", b"challeng", b"n" * 64, bytes(24), address)


class Controller:
    """Judges one logon for each `open` of its gate, and writes down from which address it was."""

    def __init__(self) -> None:
        self.judged: list[str] = []
        self._gate = asyncio.Semaphore(0)

    async def judge(self, logon: NtlmLogon) -> NtlmVerdict:
        await self._gate.acquire()
        self.judged.append(logon.address)
        return RIGHT if logon.address == "owner" else WRONG

    def open(self, turns: int) -> None:
        for _ in range(turns):
            self._gate.release()


class Channel(NetlogonClient):
    """With a controller that is none."""

    def __init__(self, controller: Controller) -> None:
        super().__init__(ROW, None, "CORP", "HUB1$", bytes, Observed(None))  # type: ignore[arg-type]  # nothing of it is asked
        self._judged = controller.judge  # type: ignore[method-assign]  # a controller that waits


class Wire:
    """An RpcClient whose broker answers as `controller` does."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def call(self, name: str, values: Any, timeout: float) -> list[Any]:
        assert name == "judge_ntlm"
        verdict = await self._controller.judge(NtlmLogon(*values))
        return [verdict.status, verdict.name, verdict.session_base_key, [], 0]


def by_channel(controller: Controller) -> tuple[Callable[[NtlmLogon], Coroutine[Any, Any, NtlmVerdict]], int]:
    return Channel(controller).ntlm, CONNECTIONS


def by_broker(controller: Controller) -> tuple[Callable[[NtlmLogon], Coroutine[Any, Any, NtlmVerdict]], int]:
    return BrokerClient(Wire(controller), None).ntlm, AT_ONCE  # type: ignore[arg-type]  # calls stay in memory


@pytest.mark.parametrize("place", [by_channel, by_broker])
@pytest.mark.parametrize("victim", ["bob", "alice"])
def test_one_address_delays_another_by_one_turn(place: Any, victim: str) -> None:
    """200 guesses for bob wait; bob himself, or alice, comes last and is next but one after those that are being judged."""

    async def test() -> None:
        controller = Controller()
        ask, at_once = place(controller)
        guesses = [asyncio.create_task(ask(logon("bob", "flood"))) for _ in range(GUESSES)]
        await asyncio.sleep(0)
        owner = asyncio.create_task(ask(logon(victim, "owner")))
        await asyncio.sleep(0)
        controller.open(GUESSES + 1)
        assert (await owner).status == 0
        assert controller.judged.index("owner") <= at_once + 1
        outcomes = await asyncio.gather(*guesses, return_exceptions=True)
        assert sum(outcome == WRONG for outcome in outcomes) == at_once + MOST_OF_ADDRESS
        assert (
            sum(isinstance(outcome, DirectoryUnavailable) for outcome in outcomes)
            == GUESSES - at_once - MOST_OF_ADDRESS
        )

    asyncio.run(test())


@pytest.mark.parametrize("place", [by_channel, by_broker])
def test_one_address_that_tries_everybody_delays_another_by_no_more_than_may_wait_of_it(place: Any) -> None:
    async def test() -> None:
        controller = Controller()
        ask, at_once = place(controller)
        guesses = [asyncio.create_task(ask(logon(f"user{number}", "flood"))) for number in range(GUESSES)]
        await asyncio.sleep(0)
        owner = asyncio.create_task(ask(logon("bob", "owner")))
        await asyncio.sleep(0)
        controller.open(GUESSES + 1)
        assert (await owner).status == 0
        assert controller.judged.index("owner") <= at_once + MOST_OF_ADDRESS
        await asyncio.gather(*guesses, return_exceptions=True)

    asyncio.run(test())


@pytest.mark.parametrize("place", [by_channel, by_broker])
def test_many_addresses_delay_the_owner_by_one_turn_each_and_refuse_him_nothing(place: Any) -> None:
    async def test() -> None:
        controller = Controller()
        ask, at_once = place(controller)
        guesses = [asyncio.create_task(ask(logon("bob", str(number % 80)))) for number in range(400)]
        await asyncio.sleep(0)
        owner = asyncio.create_task(ask(logon("bob", "owner")))
        await asyncio.sleep(0)
        controller.open(401)
        assert (await owner).status == 0
        assert controller.judged.index("owner") <= at_once + 80
        await asyncio.gather(*guesses, return_exceptions=True)

    asyncio.run(test())


def test_the_broker_hears_from_where_the_answer_came() -> None:
    """Through the interface's own encoding."""

    async def test() -> None:
        controller = Controller()
        controller.open(1)
        broker = LogonBroker(ROW, Channel(controller))
        operation = LOGON_BROKER.operations[0]
        values = ("CORP", "bob", "", b"challeng", b"n" * 64, bytes(24), "192.0.2.7")
        procedure = broker.procedure(0)
        assert procedure is not None
        local = Caller(NOBODY, Peer("local", 0), Peer("local", 0), ROW, Seal("local", "SO_PEERCRED"))
        await procedure(Call(bytes(operation.request.encode(values)), local, Group(1)))
        assert controller.judged == ["192.0.2.7"]

    asyncio.run(test())
