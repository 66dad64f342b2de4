"""Whoever stands in line gets his turn, and a loop never works off the whole line at once."""

from __future__ import annotations

import asyncio

from postern.net.turns import AT_ONCE, Turns, turns_of


def test_each_has_a_turn_and_others_go_between() -> None:
    async def run() -> list[str]:
        done: list[str] = []
        turns = turns_of(asyncio.get_running_loop())
        assert turns is turns_of(asyncio.get_running_loop())
        places = [turns.wait(lambda name=f"line {number}": done.append(name)) for number in range(3 * AT_ONCE)]
        assert done == [], "never at once"
        places[1].cancel()
        while len(done) < 3 * AT_ONCE:
            await asyncio.sleep(0)
            done.append("another")
        return done

    done = asyncio.run(run())
    assert "line 1" not in done
    first = done.index("another")
    assert first <= AT_ONCE
    assert done[-1] == "another" and [one for one in done if one != "another"] == [
        f"line {number}" for number in range(3 * AT_ONCE) if number != 1
    ]


def test_a_turn_that_raises_does_not_end_the_line() -> None:
    async def run() -> list[int]:
        done: list[int] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        turns = Turns(loop)
        turns.wait(lambda: int("no number"))
        turns.wait(lambda: done.append(1))
        for _ in range(5):
            await asyncio.sleep(0)
        return done

    assert asyncio.run(run()) == [1]


def test_a_task_that_is_cancelled_as_its_turn_comes_disturbs_nobody() -> None:
    async def steps() -> None:
        loop = asyncio.get_running_loop()
        failures: list[object] = []
        loop.set_exception_handler(lambda _, context: failures.append(context))
        task = loop.create_task(turns_of(loop).come())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await turns_of(loop).come()
        assert task.cancelled() and not failures

    asyncio.run(steps())
