"""Work on the octets of an object that keeps nobody else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sized
from time import monotonic
from typing import TypeVar

from postern.net.turns import turns_of

AT_ONCE = 65_536
"""Octets of an object that is read in the loop, in about 10 ms; a larger one is read in a thread."""
LONG = 0.002
"""Seconds of work after which others have their turn: the rules of a small object may take a quarter of a second, and one report
names thousands of them."""
T = TypeVar("T")


async def aside(octets: Sized, work: Callable[[], T], is_long: bool = False) -> T:
    """Does work on the octets of an object without keeping others waiting for a large one, or for many. `is_long`: it may take
    long whatever their number, as looking for occurrences does."""
    if is_long or len(octets) > AT_ONCE:
        return await asyncio.to_thread(work)
    began = monotonic()
    result = work()
    if monotonic() - began >= LONG:
        await turns_of(asyncio.get_running_loop()).come()
    return result
