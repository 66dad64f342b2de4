"""A small organization, a directory that answers from a dictionary, and a carrier that does as it is told."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from postern.model.directory import UNKNOWN, Account, DirectoryUnavailable, Recipient, RecipientType, Unknown
from postern.model.mail import (
    Accepted,
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
from postern.model.organization import (
    AcceptedDomain,
    DomainType,
    Limits,
    Organization,
    Role,
    SendConnector,
    Server,
)
from postern.telemetry.tracking import Tracker, TrackingRecord
from postern.transport.dispatcher import Dispatcher
from postern.transport.queue import Queue
from tests.support.waiting import until

ORIGIN = Origin("internet-to-hub", "192.0.2.7", "client.remote.test")
BOTH = frozenset({Role.HUB, Role.MAILBOX})
MESSAGE = (
    b"From: bob@remote.test\r\nTo: alice@example.test\r\nMessage-ID: <m1@remote.test>\r\nSubject: hi\r\n\r\nText\r\n"
)


def organization(**changes: object) -> Organization:
    values: dict[str, object] = {
        "name": "Example",
        "domains": (
            AcceptedDomain("example.test"),
            AcceptedDomain("relay.test", DomainType.INTERNAL_RELAY),
        ),
        "servers": (
            Server("hub1", "hub1.example.test", BOTH, ("127.0.0.1",)),
            Server("hub2", "hub2.example.test", BOTH, ("127.0.0.2",), site="Branch"),
        ),
        "send_connectors": (
            SendConnector("internet"),
            SendConnector(
                "partner", ("partner.test", "*.partner.test"), ("gate.partner.test:2525", "gate2.partner.test")
            ),
            SendConnector("elsewhere", ("far.test",), server="hub2"),
        ),
        "limits": Limits(),
    }
    values.update(changes)
    return Organization(**values)


def user(name: str, **changes: object) -> Recipient:
    address = f"{name}@example.test"
    values: dict[str, object] = {
        "guid": uuid.uuid5(uuid.NAMESPACE_DNS, address),
        "type": RecipientType.USER,
        "display_name": name.title(),
        "primary": address,
        "addresses": (address,),
        "database": "hub1",
    }
    values.update(changes)
    return Recipient(**values)


def group(name: str, *members: str, **changes: object) -> Recipient:
    return user(name, type=RecipientType.GROUP, database="", members=members, **changes)


def contact(name: str, target: str) -> Recipient:
    return user(name, type=RecipientType.CONTACT, database="", target=target)


class FakeDirectory:
    """`down` is how many of the next questions get no answer; `remembered` what is known without a question."""

    def __init__(self, *recipients: Recipient) -> None:
        self.entries = {address: r for r in recipients for address in r.addresses}
        self.down = 0
        self.asked: list[list[str]] = []
        self.remembered: dict[str, Recipient | None] = {}

    def cached_recipient(self, address: str) -> Recipient | Unknown | None:
        return self.remembered.get(address, UNKNOWN)

    async def recipients(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        self.asked.append(list(addresses))
        await asyncio.sleep(0)
        if self.down:
            self.down -= 1
            raise DirectoryUnavailable("nobody is there")
        return {address: self.entries[address] for address in addresses if address in self.entries}

    async def recipient(self, address: str) -> Recipient | None:
        return (await self.recipients([address])).get(address)

    async def account(self, name: str) -> Account | None:
        return None

    async def accounts_by_guid(self, guids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Account]:
        return {}

    async def verifier(self, account: Account, kind: str) -> str | None:
        return None


Judge = Callable[[NextHop, Parcel, EnvelopeRecipient], RecipientOutcome]


def delivered(hop: NextHop, parcel: Parcel, recipient: EnvelopeRecipient) -> RecipientOutcome:
    action = Action.DELIVERED if hop.kind is HopKind.MAILBOX else Action.RELAYED
    return RecipientOutcome(recipient.address, action, "2.1.5", remote=hop.destination, mechanism="NTLM")


def always(action: Action, status: str, words: str = "words") -> Judge:
    return lambda hop, parcel, recipient: RecipientOutcome(recipient.address, action, status, words, hop.destination)


class FakeCarrier:
    """Remembers every batch as (hop, [(queue id, addresses, content)]); `judge` decides; `gate` closed holds it."""

    max_batch = 50

    def __init__(self, judge: Judge = delivered) -> None:
        self.judge = judge
        self.batches: list[tuple[NextHop, list[tuple[str, tuple[str, ...], bytes]]]] = []
        self.parcels: list[Parcel] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    async def carry(self, hop: NextHop, parcels: Sequence[Parcel]) -> Sequence[Sequence[RecipientOutcome]]:
        self.entered.set()
        await self.gate.wait()
        self.parcels.extend(parcels)
        rows = [(p.queue_id, tuple(r.address for r in p.envelope.recipients), p.content.bytes()) for p in parcels]
        self.batches.append((hop, rows))
        return [[self.judge(hop, p, r) for r in p.envelope.recipients] for p in parcels]

    @property
    def carried(self) -> list[str]:
        """Addresses, in the order in which they were carried."""
        return [address for _, rows in self.batches for _, addresses, _ in rows for address in addresses]


class Clock:
    """A clock that only moves when it is told; `now` is epoch seconds."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Memory(Tracker):
    """A tracking log that can be read at once."""

    def __init__(self) -> None:
        super().__init__(None, "test")
        self.records: list[TrackingRecord] = []

    def record(self, record: TrackingRecord) -> None:
        self.records.append(record)

    @property
    def steps(self) -> list[str]:
        return [record.step.value for record in self.records]


@dataclass
class World:
    """A queue with its dispatcher. Used as `async with World(folder) as world`."""

    folder: Path
    directory: FakeDirectory = field(default_factory=lambda: FakeDirectory(user("alice"), user("bob")))
    carrier: FakeCarrier = field(default_factory=FakeCarrier)
    organization: Organization = field(default_factory=organization)
    clock: Clock = field(default_factory=Clock)
    tracker: Memory = field(default_factory=Memory)

    async def __aenter__(self) -> World:
        self.queue = Queue(self.folder, clock=self.clock)
        carriers = dict.fromkeys(HopKind, self.carrier)
        self.jitter = 0.0
        """The dispatcher's random number: by default waits are as their schedule says."""
        self.dispatcher = Dispatcher(
            self.queue,
            self.directory,
            carriers,
            self.organization,
            "hub1",
            self.tracker,
            jitter=lambda: self.jitter,
        )
        await self.dispatcher.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.dispatcher.stop(grace=1.0)
        await self.queue.close()

    async def send(self, *to: str | EnvelopeRecipient, sender: str = "bob@remote.test", **changes: object) -> Accepted:
        recipients = tuple(EnvelopeRecipient(r) if isinstance(r, str) else r for r in to)
        content = changes.pop("content", Content.of(MESSAGE))
        origin = changes.pop("origin", ORIGIN)
        envelope = Envelope(sender, recipients, **changes)
        return await self.queue.accept(envelope, content, origin)

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits for something that must happen."""
        await until(true)

    async def rest(self) -> None:
        """Until nothing is in memory: what remains waits in the file."""
        await self.until(lambda: not self.queue.active and not self.dispatcher._fresh)
        await self.queue.settled()

    async def later(self, seconds: float) -> None:
        """The clock moves on, and the dispatcher looks at it."""
        self.clock.now += seconds
        await self.dispatcher._take()
        await self.rest()
