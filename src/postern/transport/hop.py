"""A next hop: the loads that wait for it, and whether it answers at all.

Values and arithmetic for the dispatcher: no I/O and no clock of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from postern.model.mail import Action, Carrier, Envelope, HopKind, NextHop, Parcel, RecipientOutcome
from postern.transport.categorize import Routed
from postern.transport.queued import QueuedMessage, QueuedRecipient

OWN_RETRY = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between attempts at our own servers: they come back after a restart, and nobody minds being asked again."""
JITTER = 0.2
"""A wait is longer than its schedule says by up to this part, at random: messages that failed together are not tried together
again, by one worker or by all hubs. It is never shorter, for a server that greylists refuses whoever comes too early."""
_OWN = frozenset({HopKind.MAILBOX, HopKind.HUB, HopKind.EDGE})
BATCH_BYTES = 16_777_216


@dataclass(slots=True)
class Load:
    """A parcel and the recipients that it is for, in the parcel's order."""

    message: QueuedMessage
    recipients: list[QueuedRecipient]
    parcel: Parcel


@dataclass(frozen=True, slots=True)
class Retry:
    """A schedule of waits. `random` gives numbers from 0 up to 1, as `random.random` does."""

    schedule: Sequence[float]
    random: Callable[[], float]

    def wait(self, attempts: int) -> float:
        """Seconds until the next attempt, after this many."""
        wait = self.schedule[min(max(attempts, 1), len(self.schedule)) - 1]
        return wait * (1 + JITTER * self.random())


@dataclass(slots=True)
class Hop:
    """One next hop. Nothing is sent before `until` (epoch seconds), because the hop did not answer `failures` times in a row."""

    hop: NextHop
    carrier: Carrier
    retry: Retry
    waiting: deque[Load] = field(default_factory=deque)
    senders: int = 0
    failures: int = 0
    until: float = 0.0
    why: str = ""
    begun: float = 0.0
    """The time at which the last batch set out (epoch seconds)."""

    @property
    def label(self) -> str:
        return f"{self.hop.kind}:{self.hop.destination}"

    @property
    def is_own(self) -> bool:
        """Whether it leads to a server of our own organization."""
        return self.hop.kind in _OWN

    def pause(self, now: float, pace: float) -> float:
        """Seconds until the next batch, if each begins `pace` after the last."""
        wait = min(max(0.0, self.begun + pace - now), pace)
        self.begun = now + wait
        return wait

    def batch(self) -> list[Load]:
        """The next loads, as many as the carrier takes at once and memory bears."""
        loads: list[Load] = []
        size = 0
        while self.waiting and len(loads) < self.carrier.max_batch:
            size += self.waiting[0].parcel.content.size
            if loads and size > BATCH_BYTES:
                break
            loads.append(self.waiting.popleft())
        return loads

    def judge(self, outcomes: Sequence[Sequence[RecipientOutcome]], now: float) -> None:
        """Learns from a batch. RFC 3463 X.4.x is the network or the routing: then it is the hop that fails, not the mail."""
        down = bool(outcomes) and all(
            outcome.action is Action.DELAYED and outcome.status.startswith("4.4.")
            for parcel in outcomes
            for outcome in parcel
        )
        if not down:
            self.failures, self.until, self.why = 0, 0.0, ""
        elif now >= self.until:
            self.failures += 1
            self.until = now + self.retry.wait(self.failures)
            self.why = outcomes[0][0].diagnostic if outcomes[0] else ""


def retry_for(kind: HopKind, configured: Retry) -> Retry:
    """The schedule for a hop of this kind: our own servers are tried again sooner than postern.toml says of others."""
    return Retry(OWN_RETRY, configured.random) if kind in _OWN else configured


def parcel_of(message: QueuedMessage, pairs: Sequence[tuple[QueuedRecipient, Routed]], alone: bool) -> Parcel:
    """The parcel for a carrier: the message, for these recipients. `alone`: for one recipient who is tried alone."""
    envelope = message.envelope
    if not len(pairs) == len(message.recipients) == len(envelope.recipients):
        envelope = Envelope(
            envelope.sender,
            tuple(recipient.envelope_recipient() for recipient, _ in pairs),
            envelope.body,
            envelope.smtputf8,
            envelope.envelope_id,
            envelope.ret,
        )
    return Parcel(
        message.queue_id,
        message.message_id,
        envelope,
        message.content,
        message.origin,
        message.received,
        {recipient.address: routed.mailbox for recipient, routed in pairs if routed.mailbox is not None},
        {routed.mailbox: routed.quota for _, routed in pairs if routed.mailbox is not None and routed.quota},
        pairs[0][0].number if alone else None,
    )


def recipient_of(message: QueuedMessage, routed: Routed) -> QueuedRecipient:
    """The recipient that `routed` goes to: one that the message has, or a new one that stands for it."""
    source = message.recipients[routed.source]
    if routed.direct:
        return source
    # RFC 3461 section 5.2.7: members inherit what was asked for, but not the report of success, which is sent for the list.
    recipient = QueuedRecipient(
        len(message.recipients),
        routed.address,
        source.notify - {"SUCCESS"} if source.notify else source.notify,
        source.original,
        expanded=True,
    )
    if source.notify == {"SUCCESS"}:
        recipient.notify = frozenset({"NEVER"})
    message.recipients.append(recipient)
    return recipient
