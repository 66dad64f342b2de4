"""Work on the octets of an object that keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sized
from functools import partial
from time import monotonic
from typing import TypeVar

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject, Refused
from postern.net.turns import turns_of

AT_ONCE = 65_536
"""Octets of an object that is read in the loop, in about 10 ms; a larger one is read in a thread."""
LONG = 0.002
"""Seconds of work after which others have their turn: the rules of a small object may take a quarter of a second, and one report
names thousands of them."""
T = TypeVar("T")
_FOLD = re.compile(rb"\r?\n[ \t]")


def may_recur(octets: bytes) -> bool:
    """Whether an object may have rules of recurrence, so that looking for its occurrences may take long. The name of a property
    is without case, and a line may be folded within it (RFC 5545 sections 2 and 3.1). A large object is not looked at: work on
    it may take long anyway.

    Bound: linear in AT_ONCE octets.
    """
    return len(octets) > AT_ONCE or b"RRULE" in _FOLD.sub(b"", octets.upper())


async def read_calendar(octets: bytes) -> CalendarObject | Refused:
    """Reads an object of a calendar aside."""
    return await aside(octets, partial(calendar_object.read, octets))


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
