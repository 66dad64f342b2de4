"""The octets of resources: reads them, and does work on them without keeping others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from postern.model.resources import Resource
from postern.net.turns import turns_of
from postern.services.dav.mailbox import OwnMailbox

AT_ONCE = 65_536
"""Octets of an object that is read in the loop, in about 10 ms; a larger one is read in a thread."""
LONG = 0.002
"""Seconds of work after which others have their turn: the rules of a small object may take a quarter of a second, and one report
names thousands of them."""
T = TypeVar("T")


async def aside(octets: bytes, work: Callable[[], T], is_long: bool = False) -> T:
    """Does work on the octets of an object without keeping others waiting for a large one, or for many. `is_long`: it may take
    long whatever their number, as `may_recur` says of what looks for occurrences."""
    if is_long or len(octets) > AT_ONCE:
        return await asyncio.to_thread(work)
    began = monotonic()
    result = work()
    if monotonic() - began >= LONG:
        await turns_of(asyncio.get_running_loop()).come()
    return result


def may_recur(octets: bytes) -> bool:
    """Whether an object may have a rule, which says with few octets what takes a second and more to expand."""
    return may_have(octets, b"RRULE")


def may_have(octets: bytes, name: bytes) -> bool:
    """Whether it is worth reading an object to look for a property of this name, which may be folded and in small letters. A
    large object without it is read in any case, by a thread."""
    if name in octets or len(octets) > AT_ONCE:
        return True
    # A hint for each object of a report: it costs less than `folds.unfolded`, and may join more than that does.
    lines = octets.replace(b"\r", b"" if b"\n" in octets else b"\n")
    return name in lines.replace(b"\n ", b"").replace(b"\n\t", b"").upper()


async def content_of(box: OwnMailbox, resource: Resource) -> bytes:
    """Returns the octets of a resource; those that did not fit beside others are asked for alone."""
    if resource.content is not None:
        return resource.content
    again = list(await box.store.with_ids(box.id, [resource.id], True))
    return (again[0].content or b"") if again else b""
