"""Runs work that a process does again and again, every few seconds, until it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from postern.telemetry.log import Event, log


async def rounds(
    seconds: float | Callable[[], float],
    act: Callable[[], Awaitable[object]],
    name: str,
    *,
    expected: tuple[type[Exception], ...] = (),
    at_once: bool = False,
) -> None:
    """Runs `act` every `seconds` for ever, the first time after that pause or `at_once`. A round that raises does not end the
    rounds: `name` and the exception are logged, the traceback for the first failure in turn only. Exceptions that are `expected`
    are not logged, for `act` or what it calls has done so. Cancellation passes.

    `seconds` may be a function, which is asked before each pause: `rounds(3.0, self.refresh, "refresh of the directory")`.
    """
    fails = False
    if not at_once:
        await _pause(seconds)
    while True:
        try:
            await act()
            fails = False
        except expected:
            pass
        except Exception as error:
            log(Event.ROUND_FAILED, work=name, error=repr(error), exc_info=None if fails else error)
            fails = True
        await _pause(seconds)


async def _pause(seconds: float | Callable[[], float]) -> None:
    await asyncio.sleep(seconds() if callable(seconds) else seconds)
