"""The committer's batches: arrivals, changes, and functions to run between two batches. Values only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from postern.model.mail import Accepted, Content, Envelope, Origin
from postern.transport.queued import Change, QueuedMessage

BATCH_MESSAGES = 5000
BATCH_BYTES = 33_554_432


@dataclass(slots=True)
class Arrival:
    envelope: Envelope
    content: Content
    origin: Origin
    future: asyncio.Future[Accepted]
    message: QueuedMessage | None = None
    due: float | None = None


@dataclass(slots=True)
class Batch:
    arrivals: list[Arrival] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    calls: list[Callable[[], None]] = field(default_factory=list)
    size: int = 0
    stop: bool = False

    def add(self, work: Any) -> None:
        if work is None:
            self.stop = True
        elif isinstance(work, Arrival):
            self.arrivals.append(work)
            self.size += work.content.size
        elif isinstance(work, list):
            self.changes.extend(work)
        else:
            self.calls.append(work)

    @property
    def full(self) -> bool:
        return self.stop or len(self.arrivals) >= BATCH_MESSAGES or self.size >= BATCH_BYTES
