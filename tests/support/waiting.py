"""Waits for a state that nothing announces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE = 10.0
"""Seconds after which a test has failed that waits."""


async def until(true: Callable[[], bool]) -> None:
    """Looks every few milliseconds. Raises TimeoutError after PATIENCE."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 (any state may be asked for)
            await asyncio.sleep(0.002)
