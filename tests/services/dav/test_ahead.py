"""Pages of resources that are asked for while the caller works on the page before."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any

from postern.model.resources import Resources
from postern.services.dav.ahead import SMALL, is_small, one_ahead


class _Store:
    """A store with three pages. It notes which of them it was asked for, and answers when it is let."""

    def __init__(self, size: int = 1, fails: bool = False) -> None:
        self.asked = 0
        self.cancelled = 0
        self._size, self._fails = size, fails

    def ask(self, page: Resources | None) -> Coroutine[Any, Any, Resources] | None:
        assert (page is None) is (self.asked == 0)
        return self._answer(self.asked) if self.asked < 3 else None

    async def _answer(self, number: int) -> Resources:
        self.asked = number + 1
        try:
            await asyncio.sleep(0)
            if self._fails and number:
                raise OSError("gone")
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Resources(names=[str(number)], sizes=[self._size], contents=[b""])


async def _turn() -> None:
    """Lets what was begun begin."""
    await asyncio.sleep(0)


def test_the_next_page_is_asked_for_beside_a_small_one_alone() -> None:
    async def told(size: int) -> list[tuple[str, int]]:
        store, pages = _Store(size), []
        async for page in one_ahead(store.ask):
            await _turn()
            pages.append((page.names[0], store.asked))
        return pages

    assert asyncio.run(told(SMALL)) == [("0", 2), ("1", 3), ("2", 3)]
    assert asyncio.run(told(SMALL + 1)) == [("0", 1), ("1", 2), ("2", 3)]
    assert is_small([SMALL]) and not is_small([SMALL, 1])


def test_a_page_that_nobody_wants_any_more_is_not_waited_for() -> None:
    async def told(fails: bool) -> tuple[int, int]:
        store = _Store(fails=fails)
        unheard: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        async with aclosing(one_ahead(store.ask)) as pages:
            async for _ in pages:
                await _turn()
                if fails:
                    await _turn()
                break
        await _turn()
        assert not unheard
        return store.asked, store.cancelled

    assert asyncio.run(told(fails=False)) == (2, 1)
    assert asyncio.run(told(fails=True)) == (2, 0)
