"""A bound on the long request bodies of one caller that a process has in memory."""

from __future__ import annotations

from collections import Counter

LONG_BODY = 1_048_576
"""Octets of a body from which on it counts as a long one."""
MOST_LONG = 16
"""Long bodies of one caller that a process has in memory at a time."""


class LongBodies:
    """Counts the long bodies that wait for their end or are worked on, by caller: a client may send as slowly as it likes."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def enter(self, name: str) -> bool:
        """Counts a body; False if the caller has as many as he may have. Who is let in calls `leave`."""
        if self._counts[name] >= MOST_LONG:
            return False
        self._counts[name] += 1
        return True

    def leave(self, name: str) -> None:
        self._counts[name] -= 1
        if self._counts[name] <= 0:
            del self._counts[name]
