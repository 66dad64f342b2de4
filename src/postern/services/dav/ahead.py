"""Pages of resources: the next one is asked for while the caller writes one, for the store works on another core meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from typing import Any

from postern.model.resources import Resources

SMALL = 1_048_576
"""Octets of resources that are worked on at once, and beside which others are read ahead: a page of large ones is in memory
alone, and written one by one."""


def is_small(sizes: Iterable[int]) -> bool:
    return sum(sizes) <= SMALL


async def one_ahead(
    ask: Callable[[Resources | None], Coroutine[Any, Any, Resources] | None],
) -> AsyncGenerator[Resources, None]:
    """Gives one page after the other. `ask` gets the page before, or None, and asks for the next; it returns None at the end."""
    page: Resources | None = None
    following: asyncio.Future[Resources] | None = None
    try:
        while True:
            if following is None:
                call = ask(page)
                if call is None:
                    return
                following = asyncio.ensure_future(call)
            page = await following
            following = None
            if not page.contents or is_small(page.sizes):
                call = ask(page)
                if call is None:
                    yield page
                    return
                following = asyncio.ensure_future(call)
            yield page
    finally:
        if following is not None:
            following.cancel()
            # An error of a page that nobody wants any more is of no interest.
            following.add_done_callback(lambda done: done.cancelled() or done.exception())
