"""Recipients are remembered for bounded times, asked for in batches, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest

from postern.directory.recipient_cache import MAX_BATCH, RecipientCache
from postern.model.directory import UNKNOWN, DirectoryUnavailable, Recipient, RecipientType


def someone(address: str) -> Recipient:
    return Recipient(uuid4(), RecipientType.USER, "", address, (address,))


class Source:
    def __init__(self, *known: str) -> None:
        self.known = {address: someone(address) for address in known}
        self.asked: list[list[str]] = []
        self.fails = False
        self.now = 100.0

    async def fetch(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        self.asked.append(list(addresses))
        await asyncio.sleep(0)
        if self.fails:
            raise DirectoryUnavailable
        return {address: self.known[address] for address in addresses if address in self.known}

    def cache(self, **more: float) -> RecipientCache:
        return RecipientCache(self.fetch, clock=lambda: self.now, **more)


def test_what_is_asked_for_in_one_turn_goes_out_together_and_once() -> None:
    source = Source("a@x", "b@x")

    async def run() -> None:
        cache = source.cache()
        answers = await asyncio.gather(*(cache.get([name]) for name in ("a@x", "B@x", "a@x", "c@x")))
        assert [sorted(answer) for answer in answers] == [["a@x"], ["B@x"], ["a@x"], []]
        assert source.asked == [["a@x", "b@x", "c@x"]]

    asyncio.run(run())


def test_a_batch_is_bounded() -> None:
    names = [f"{number}@x" for number in range(2 * MAX_BATCH + 1)]
    source = Source(*names)

    async def run() -> None:
        assert sorted(await source.cache().get(names)) == sorted(names)
        assert [len(batch) for batch in source.asked] == [MAX_BATCH, MAX_BATCH, 1]

    asyncio.run(run())


def test_answers_are_forgotten_in_time() -> None:
    source = Source("a@x")

    async def run() -> None:
        cache = source.cache(known=5.0, unknown=2.0)
        await cache.get(["a@x", "b@x"])
        assert cache.peek("A@x") == source.known["a@x"] and cache.peek("b@x") is None
        source.known["b@x"] = someone("b@x")
        source.now += 2.1
        assert cache.peek("a@x") == source.known["a@x"] and cache.peek("b@x") is UNKNOWN
        assert "b@x" in await cache.get(["a@x", "b@x"])
        source.now += 3.0
        assert cache.peek("a@x") is UNKNOWN
        del source.known["a@x"]
        assert await cache.get(["a@x"]) == {}
        cache.clear()
        assert cache.peek("a@x") is UNKNOWN

    asyncio.run(run())


def test_it_remembers_a_bounded_number() -> None:
    source = Source(*(f"{number}@x" for number in range(50)))

    async def run() -> None:
        cache = source.cache(size=10)
        for name in source.known:
            await cache.get([name])
        assert sum(cache.peek(name) is not UNKNOWN for name in source.known) == 10

    asyncio.run(run())


def test_no_answer_is_not_an_answer() -> None:
    source = Source("a@x")

    async def run() -> None:
        cache = source.cache()
        source.fails = True
        results = await asyncio.gather(cache.get(["a@x"]), cache.get(["a@x"]), return_exceptions=True)
        assert [type(result) for result in results] == [DirectoryUnavailable] * 2
        assert cache.peek("a@x") is UNKNOWN
        source.fails = False
        assert "a@x" in await cache.get(["a@x"])

    asyncio.run(run())


def test_who_gives_up_takes_nobody_along() -> None:
    source = Source("a@x")

    async def run() -> None:
        cache = source.cache()
        impatient = asyncio.create_task(cache.get(["a@x"]))
        patient = asyncio.create_task(cache.get(["a@x"]))
        await asyncio.sleep(0)
        impatient.cancel()
        assert "a@x" in await patient
        with pytest.raises(asyncio.CancelledError):
            await impatient

    asyncio.run(run())


def test_what_changed_is_forgotten_with_all_that_names_it() -> None:
    source = Source("a@x", "b@x", "c@x", "d@x", "e@x")
    known = source.known
    known["b@x"] = replace(known["b@x"], members=("a@x",))
    known["c@x"] = replace(known["c@x"], forward_to="a@x")
    known["alias@x"] = known["a@x"] = replace(known["a@x"], addresses=("a@x", "alias@x"))

    async def run() -> None:
        cache = source.cache(known=60.0, unknown=60.0)
        await cache.get([*known, "new@x", "other@x"])
        cache.forget({known["a@x"].guid}, {"New@x"})
        kept = [name for name in (*known, "new@x", "other@x") if cache.peek(name) is not UNKNOWN]
        assert kept == ["d@x", "e@x", "other@x"]
        cache.forget(set(), set())
        assert cache.peek("d@x") is not UNKNOWN

    asyncio.run(run())
