"""The queue alone: messages accepted a second, with the disk's real syncs, and CPU a thousand; then with its dispatcher.

    python -m bench.queue [FOLDER]

FOLDER is on the disk to measure (default: the current one). Carriers take everything and do nothing, so the second table is what
queue, categorizer and dispatcher cost together.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from postern.model.directory import Account, Recipient, RecipientType, Unknown
from postern.model.mail import (
    Action,
    Content,
    Envelope,
    EnvelopeRecipient,
    HopKind,
    NextHop,
    Origin,
    Parcel,
    RecipientOutcome,
)
from postern.model.organization import AcceptedDomain, Organization, Role, Server
from postern.telemetry.tracking import Tracker
from postern.transport.dispatcher import Dispatcher
from postern.transport.queue import Queue

RUNS = 5
MESSAGES = {1: 1000, 10: 6000, 50: 15000}
SIZES = {4096: 1.0, 102_400: 0.1}
"""Message size, and the share of MESSAGES to send of it."""
ENVELOPE = Envelope("sender@remote.test", (EnvelopeRecipient("alice@example.test"),))
ORIGIN = Origin("internet-to-hub", "192.0.2.1", "client.remote.test")
ORGANIZATION = Organization(
    "Bench",
    (AcceptedDomain("example.test"),),
    (Server("hub1", "hub1.example.test", frozenset({Role.HUB, Role.MAILBOX}), ("127.0.0.1",)),),
)
ALICE = Recipient(
    uuid.UUID(int=1), RecipientType.USER, "Alice", "alice@example.test", ("alice@example.test",), database="hub1"
)


class Nowhere:
    """A carrier, and the directory that leads to it."""

    max_batch = 100

    def __init__(self) -> None:
        self.last = 0.0

    async def carry(self, hop: NextHop, parcels: Sequence[Parcel]) -> Sequence[Sequence[RecipientOutcome]]:
        self.last = time.perf_counter()
        return [
            [RecipientOutcome(r.address, Action.DELIVERED, "2.1.5") for r in p.envelope.recipients] for p in parcels
        ]

    def cached_recipient(self, address: str) -> Recipient | Unknown | None:
        return ALICE

    async def recipients(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        return dict.fromkeys(addresses, ALICE)

    async def recipient(self, address: str) -> Recipient | None:
        return ALICE

    async def account(self, name: str) -> Account | None:
        return None

    async def verifier(self, account: Account, kind: str) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Figure:
    """Messages a second, and CPU seconds (user and system) a thousand."""

    rate: float
    cpu: float


def message(size: int) -> bytes:
    header = (
        b"From: sender@remote.test\r\nTo: alice@example.test\r\nMessage-ID: <bench@remote.test>\r\nSubject: x\r\n\r\n"
    )
    line = b"The quick brown fox jumps over the lazy dog and the queue stays calm.\r\n"
    return header + line * ((size - len(header)) // len(line))


async def measure(folder: Path, waiters: int, count: int, size: int, dispatched: bool) -> Figure:
    queue = Queue(folder)
    nowhere = Nowhere()
    dispatcher = Dispatcher(queue, nowhere, {HopKind.MAILBOX: nowhere}, ORGANIZATION, "hub1", Tracker(folder, "bench"))
    if dispatched:
        await dispatcher.start()
    else:
        queue.start()
    content = Content.of(message(size))

    async def sender() -> None:
        for _ in range(count // waiters):
            await queue.accept(ENVELOPE, content, ORIGIN)

    before, started = _cpu(), time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(waiters)))
    while dispatched and not dispatcher.idle:  # noqa: ASYNC110 (it tells nobody)
        await asyncio.sleep(0.001)
    figure = Figure(count / (time.perf_counter() - started), (_cpu() - before) / count * 1000)
    if dispatched:
        await dispatcher.stop()
    await queue.close()
    return figure


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    where = sys.argv[1] if len(sys.argv) > 1 else "."
    uvloop.install()
    for title, dispatched in (("accepted", False), ("accepted and dispatched", True)):
        print(f"{title}: messages/s · CPU-s per 1,000 (medians of {RUNS})")
        for size, share in SIZES.items():
            for waiters, messages in MESSAGES.items():
                figures = []
                for _ in range(RUNS):
                    with tempfile.TemporaryDirectory(prefix="queue-", dir=where) as name:
                        count = max(waiters, int(messages * share) // waiters * waiters)
                        figures.append(asyncio.run(measure(Path(name) / "0", waiters, count, size, dispatched)))
                rate = statistics.median(figure.rate for figure in figures)
                cpu = statistics.median(figure.cpu for figure in figures)
                print(f"  {size // 1024:>4} KB  {waiters:>3} waiting  {rate:>8,.0f}/s  {cpu:.3f}")


if __name__ == "__main__":
    main()
