"""Work that blocks takes turns: between accounts, and inside an account between addresses."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.trust.pool import FairQueue, Overloaded, Pool, Turns
from tests.trust.people import run


def drained(queue: FairQueue[str]) -> list[str]:
    taken = []
    while (item := queue.take()) is not None:
        taken.append(item)
    return taken


def test_accounts_take_turns_and_addresses_inside_an_account() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(3):
        queue.put("bob", "a", f"bob a{number}")
    queue.put("bob", "b", "bob b0")
    queue.put("alice", "c", "alice c0")
    assert drained(queue) == ["bob a0", "alice c0", "bob b0", "bob a1", "bob a2"]


def test_a_full_queue_drops_from_the_address_that_has_most() -> None:
    queue: FairQueue[str] = FairQueue(most=4)
    for number in range(3):
        assert queue.put("bob", "flood", f"flood {number}") is None
    assert queue.put("bob", "a", "a") is None
    assert queue.put("bob", "b", "b") == "flood 2"
    assert queue.put("alice", "c", "c") == "flood 1"
    # Each address has one now: a first guess goes for nobody, and nobody goes for it.
    assert queue.put("alice", "d", "d") is None
    assert sorted(drained(queue)) == ["a", "b", "c", "d", "flood 0"]


def test_inside_an_address_the_account_that_has_most_gives_way() -> None:
    queue: FairQueue[str] = FairQueue(most_of_address=3)
    for number in range(3):
        queue.put("bob", "gateway", f"bob {number}")
    assert queue.put("alice", "gateway", "alice") == "bob 2"
    assert queue.put("carol", "gateway", "carol") == "bob 1"
    assert queue.put("dave", "gateway", "dave") == "dave"
    assert drained(queue) == ["bob 0", "alice", "carol"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from("ptr")), max_size=60))
def test_nothing_is_lost_kept_or_counted_twice(steps: list[tuple[str, str, str]]) -> None:
    queue: FairQueue[int] = FairQueue(most=8, most_of_address=4)
    waiting: dict[int, tuple[str, str]] = {}
    for number, (account, address, step) in enumerate(steps):
        if step == "p":
            waiting[number] = (account, address)
            dropped = queue.put(account, address, number)
            if dropped is not None:
                del waiting[dropped]
        elif step == "t":
            taken = queue.take()
            assert (taken is None) == (not waiting)
            if taken is not None:
                del waiting[taken]
        elif waiting:
            gone = min(waiting)
            queue.remove(*waiting.pop(gone), gone)
            queue.remove("a", "x", gone)  # gone already
        assert len(queue) == len(waiting) <= 8
    left = set()
    while (item := queue.take()) is not None:
        left.add(item)
    assert left == set(waiting)
    assert not queue._accounts and not queue._addresses and not queue._waiting


def test_a_pool_says_when_more_waits_than_may() -> None:
    async def steps() -> None:
        pool, gate = Pool("test", threads=1, most=1), threading.Event()
        tasks = [asyncio.create_task(pool.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await pool.run(lambda: True)
        gate.set()
        assert await asyncio.gather(*tasks) == [True, True]
        assert await pool.run(lambda: 7) == 7
        pool.close()

    run(steps())


def test_who_leaves_gives_its_turn_on() -> None:
    async def steps() -> None:
        pool, gate = Pool("test", threads=1), threading.Event()
        first = asyncio.create_task(pool.run(gate.wait))
        await asyncio.sleep(0)
        gone = [asyncio.create_task(pool.run(gate.wait, "bob", str(host))) for host in range(3)]
        last = asyncio.create_task(pool.run(lambda: 7, "bob", "last"))
        await asyncio.sleep(0)
        for task in gone[:2]:
            task.cancel()
        gate.set()
        await first
        gone[2].cancel()
        assert await last == 7
        assert pool._running == 0 and len(pool._queue) == 0
        pool.close()

    run(steps())


@pytest.mark.parametrize("passed_on", [False, True])
def test_a_turn_that_comes_in_the_moment_of_a_cancellation_goes_to_the_next(passed_on: bool) -> None:
    async def steps() -> None:
        turns, over = Turns(1), asyncio.Event()

        async def work(address: str, until: asyncio.Event | None = None) -> str:
            async with turns.turn("bob", address):
                if until is not None:
                    await until.wait()
                return address

        first = asyncio.create_task(work("0", over))
        await asyncio.sleep(0)
        gone, last = asyncio.create_task(work("1")), asyncio.create_task(work("2"))
        await asyncio.sleep(0)
        over.set()
        if (
            passed_on
        ):  # the turn is already the one's that goes; else `first` ends after its cancellation, before it runs
            await asyncio.sleep(0)
        gone.cancel()
        async with asyncio.timeout(20):
            assert await asyncio.gather(first, last) == ["0", "2"]
            with pytest.raises(asyncio.CancelledError):
                await gone
        assert turns._running == 0 and len(turns._queue) == 0

    run(steps())
