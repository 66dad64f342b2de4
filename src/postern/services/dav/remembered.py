"""The things that a process remembers of mailboxes between requests, each with its bound."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

OPEN_SECONDS = 60.0
"""Seconds for which a mailbox counts as open: so long may a new quota wait."""
SWEEP_SECONDS = 3_600.0
"""Seconds in which a process looks once at most for attachments of a mailbox that nothing names."""
MOST_OPEN = 10_000
"""Mailboxes that a process remembers for one thing."""
MOST_KEPT = 1_000
"""States of mailboxes for which a process remembers the properties of collections."""
MOST_TAGS = 100_000
"""Tags of meetings that a process remembers: 20 MB."""
LARGEST_KEPT = 32_768
"""Characters of the properties of one state that are remembered: 32 MB for all."""


@dataclass(slots=True)
class ListState:
    """The CTag of the global address list, until when it is kept (of the monotonic clock), and the turn of who computes it."""

    state: str = ""
    until: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class RecentMailboxes:
    """The mailboxes, by their quota where it matters, for which this process did a thing a moment ago. Each request of a client
    is by itself, and a thousand of them in a row need not open the mailbox a thousand times."""

    def __init__(self, seconds: float = OPEN_SECONDS) -> None:
        self._seconds = seconds
        self._until: OrderedDict[tuple[UUID, int], float] = OrderedDict()

    def is_recent(self, mailbox: UUID, quota: int = 0) -> bool:
        return self._until.get((mailbox, quota), 0.0) > monotonic()

    def add(self, mailbox: UUID, quota: int = 0) -> None:
        self._until[mailbox, quota] = monotonic() + self._seconds
        self._until.move_to_end((mailbox, quota))
        if len(self._until) > MOST_OPEN:
            self._until.popitem(last=False)


State = tuple[tuple[int, int], ...]
"""Folders by id, each with the change number of its last change."""


class KeptProperties:
    """The properties of collections, as they were read for a state of the folders. A folder's change number grows when its
    properties change, whoever changes them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[UUID, State], dict[int, dict[str, str]]] = OrderedDict()

    def get(self, mailbox: UUID, state: State) -> dict[int, dict[str, str]] | None:
        return self._kept.get((mailbox, state))

    def put(self, mailbox: UUID, state: State, kept: dict[int, dict[str, str]]) -> None:
        if sum(len(markup) for values in kept.values() for markup in values.values()) > LARGEST_KEPT:
            return
        self._kept[mailbox, state] = kept
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


class KnownTags:
    """The tags of meetings by mailbox and entity tag, as a process has computed them: an object with the same octets has the same
    tag."""

    def __init__(self) -> None:
        self._tags: OrderedDict[tuple[UUID, bytes], str] = OrderedDict()

    def get(self, mailbox: UUID, tag: bytes) -> str | None:
        return self._tags.get((mailbox, tag))

    def put(self, mailbox: UUID, tag: bytes, meeting: str) -> None:
        self._tags[mailbox, tag] = meeting
        if len(self._tags) > MOST_TAGS:
            self._tags.popitem(last=False)
