"""Association groups and the context handles that live in them.

The connections of one client that share state form a group (C706 section 9.3). A bind with group 0 begins one, and the answer has
its number; a bind with that number joins it (C706 12.6.4.3). A context handle stands for a value that a server keeps for a
client between calls. It is valid on every connection of its group, and is run down when the last connection ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

MAX_HANDLES = 256
"""Context handles of one owner in one group."""


@dataclass(frozen=True, slots=True)
class Context:
    """The value behind a handle. `owner` alone may use it; `rundown` is called if nobody closes it."""

    value: Any
    owner: str
    rundown: Callable[[], None]


class Group:
    """An association group, with the number of its connections and its handles.

    Handles are counted by owner, so that one caller cannot take the places of another in the same group.
    """

    __slots__ = ("_contexts", "_owned", "connections", "id")

    def __init__(self, number: int) -> None:
        self.id = number
        self.connections = 1
        self._contexts: dict[UUID, Context] = {}
        self._owned: Counter[str] = Counter()
        """The number of handles by owner."""

    def open(self, handle: UUID, context: Context) -> bool:
        """Adds a handle. False if its owner has MAX_HANDLES in this group, or the group has ended."""
        if not self.connections or self._owned[context.owner] >= MAX_HANDLES:
            return False
        self._contexts[handle] = context
        self._owned[context.owner] += 1
        return True

    def find(self, handle: UUID, owner: str) -> Context | None:
        """Returns the value behind a handle. None if there is no such handle here, or another owner has it."""
        context = self._contexts.get(handle)
        return context if context is not None and context.owner == owner else None

    def close(self, handle: UUID) -> None:
        """Forgets a handle without running it down."""
        context = self._contexts.pop(handle, None)
        if context is not None:
            self._owned[context.owner] -= 1

    def _end(self) -> list[Context]:
        contexts = list(self._contexts.values())
        self._contexts.clear()
        self._owned.clear()
        return contexts


class Groups:
    """The groups of one server on one transport. Each connection is in one group, so there are at most as many groups as
    connections. A server on TCP and on a local socket has two of these: a connection joins a group of its own transport only.

    Numbers follow `before`. A service gives a random one, so that the number of a group in another process is rarely one here.
    """

    def __init__(self, before: int = 0) -> None:
        self._groups: dict[int, Group] = {}
        self._last = before

    def join(self, number: int) -> Group | None:
        """Begins a new group for 0; else joins the group with this number. None if there is none."""
        if not number:
            begun = Group(self._free())
            self._groups[begun.id] = begun
            return begun
        group = self._groups.get(number)
        if group is not None:
            group.connections += 1
        return group

    def leave(self, group: Group) -> list[Context]:
        """Notes that a connection of the group has ended. Returns the contexts to be run down: all, if it was the last
        connection."""
        group.connections -= 1
        if group.connections:
            return []
        del self._groups[group.id]
        return group._end()

    def _free(self) -> int:
        """A number of 32 bits that no group has. The number of a group that ended does not come again soon."""
        while True:
            self._last = self._last % 0xFFFF_FFFF + 1
            if self._last not in self._groups:
                return self._last
