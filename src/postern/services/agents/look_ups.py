"""The agents' questions to DNS: so many at once, no longer than a limit, and the verdicts of block lists remembered.

Reads through `net.dns`, SPF's and the others' questions on the row any-server-to-dns and block lists' on the row dnsbl.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from postern.protocols.authentication.questions import UNKNOWN, Answer, Found, Machine, Question
from postern.transport.agents.agent import IpAddress
from postern.transport.agents.block_lists import (
    MAX_TTL,
    MIN_TTL,
    Provider,
    is_listed,
    must_not_be_listed,
    question,
    remembered_for,
)

T = TypeVar("T")

LookUp = Callable[[Question], Awaitable[Answer]]

AT_ONCE = 200
WAITING = 2000
"""Questions that wait for their turn; more are answered "unknown" at once."""
TIME_LIMIT = 10.0
"""Seconds for all questions of one evaluation."""
REMEMBERED = 50_000
"""Addresses whose block list verdicts are kept."""


class LookUps:
    """Asks DNS for all agents of a process, AT_ONCE questions at the same time."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def ask(self, asked: Question, limit: float = TIME_LIMIT) -> Answer:
        """Returns the answer, UNKNOWN where none comes in time. Never raises."""
        if self._waiting >= WAITING:
            return UNKNOWN
        self._waiting += 1
        try:
            async with asyncio.timeout(limit), self._turn:
                return await self._look_up(asked)
        except TimeoutError:
            return UNKNOWN
        finally:
            self._waiting -= 1

    async def run(self, machine: Machine[T], limit: float = TIME_LIMIT) -> T:
        """Returns the machine's result. When the time is up, its remaining questions are answered with UNKNOWN."""
        end = time.monotonic() + limit
        while machine.question is not None:
            left = end - time.monotonic()
            machine.answer(await self.ask(machine.question, left) if left > 0 else UNKNOWN)
        return machine.result


class BlockLists:
    """Looks addresses up in block lists. Callers that ask for the same address at the same time wait for the same answer."""

    def __init__(self, look_ups: LookUps, clock: Callable[[], float] = time.monotonic) -> None:
        self._look_ups = look_ups
        self._clock = clock
        self._known: OrderedDict[tuple[IpAddress, tuple[Provider, ...]], tuple[float, str]] = OrderedDict()
        self._under_way: dict[tuple[IpAddress, tuple[Provider, ...]], asyncio.Task[str]] = {}
        self._dead: dict[str, tuple[float, bool]] = {}

    def known(self, address: IpAddress, providers: tuple[Provider, ...]) -> str | None:
        """The remembered verdict: the listing zone, "" for none; None where it must be asked."""
        remembered = self._known.get((address, providers))
        return remembered[1] if remembered is not None and remembered[0] > self._clock() else None

    def start(self, address: IpAddress, providers: tuple[Provider, ...]) -> asyncio.Task[str]:
        """Asks all providers at once; the task's result is the first zone in order that lists the address, or ""."""
        key = address, providers
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.get_running_loop().create_task(self._ask(address, providers))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return task

    def begin(self, address: IpAddress, providers: tuple[Provider, ...]) -> None:
        """Asks if the verdict is not known; `listing` waits for it."""
        if self.known(address, providers) is None:
            self.start(address, providers)

    async def listing(self, address: IpAddress, providers: tuple[Provider, ...]) -> str:
        """Waits for the verdict. A caller that is cancelled does not cancel the question, for others may wait for it."""
        zone = self.known(address, providers)
        return await asyncio.shield(self.start(address, providers)) if zone is None else zone

    async def _ask(self, address: IpAddress, providers: tuple[Provider, ...]) -> str:
        answers = await asyncio.gather(*(self._look_ups.ask(question(provider, address)) for provider in providers))
        zone, remember = "", MAX_TTL
        for provider, answer in zip(providers, answers, strict=True):
            if answer.outcome is Found.UNKNOWN:
                remember = MIN_TTL
            elif is_listed(provider, answer) and not await self._is_dead(provider):
                zone, remember = provider.zone, remembered_for(answer)
                break
        self._known[address, providers] = self._clock() + remember, zone
        self._known.move_to_end((address, providers))
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return zone

    async def _is_dead(self, provider: Provider) -> bool:
        """Whether a list lists the whole world (RFC 5782 section 5). Asked once an hour, and only of a list with a listing."""
        verdict = self._dead.get(provider.zone)
        if verdict is None or verdict[0] < self._clock():
            answer = await self._look_ups.ask(must_not_be_listed(provider))
            verdict = self._dead[provider.zone] = self._clock() + MAX_TTL, is_listed(Provider(provider.zone), answer)
        return verdict[1]


def no_dns() -> LookUps:
    """Look-ups that know nothing: for trying agents without a network."""

    async def unknown(asked: Question) -> Answer:
        return UNKNOWN

    return LookUps(unknown)
