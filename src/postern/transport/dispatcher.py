"""The dispatcher: takes what is due from one queue, asks the categorizer where it goes, hands it to carriers in batches by next
hop, and writes down what became of it.

Reads the directory through its interface. Carriers send, `delivery_status` writes reports, and the queue does all writing. After
a crash between a carrier's success and the queue's commit the message is carried again under the same queue id, by which a
mailbox drops the duplicate."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial

from postern.model.directory import Directory, Recipient
from postern.model.mail import Action, Carrier, HopKind, NextHop, RecipientOutcome
from postern.model.organization import Organization
from postern.telemetry.attempts import Struck, given_up
from postern.telemetry.log import Event, log
from postern.telemetry.rounds import rounds
from postern.telemetry.tracking import Tracker, TrackingStep
from postern.transport import poison
from postern.transport.carrying import carry, delayed
from postern.transport.categorize import Categorizer, Resolution, Routed, Target
from postern.transport.hop import Hop, Load, Retry, parcel_of, recipient_of, retry_for
from postern.transport.look_up import RecipientLookUp
from postern.transport.outcomes import Outcomes
from postern.transport.queue import ACTIVE_MESSAGES, Queue
from postern.transport.queued import NEVER, Change, QueuedMessage, QueuedRecipient, State

CATEGORIZED_AT_ONCE = 500
RECIPIENTS_PER_PARCEL = 100
"""RFC 5321 section 4.5.3.1.8: every server takes at least 100 recipients."""
WAITING_PER_HOP = ACTIVE_MESSAGES // 4
"""Messages that wait for one hop in memory. More wait in the file, so that a slow hop does not take the memory of others."""
OVERFLOW_DELAY = 10.0
OWN_CONCURRENCY = 2
"""Batches under way to one server of our own: few, so that each fills one commit."""
OWN_PACE = 0.1
"""Seconds from the start of one batch to a server of our own to the next: while much comes in, a batch's cost is paid for many
messages, and taking mail keeps the processor. Mail that comes after a pause does not wait."""
OUTSIDE_SENDERS = 200
"""Batches under way to other organizations, in all: each may be a connection."""
REMEMBERED_HOPS = 1000
"""Hops that are remembered; beyond that number idle ones are forgotten."""
LONGEST_SLEEP = 60.0
POLL = 0.5
"""Seconds between looks at what an administrator asked for."""


class Dispatcher:
    """One per queue. `carriers` by kind of hop; a hop without a carrier delays its mail. `poll` is called every POLL seconds:
    an administrator's requests (`control`). `jitter` makes each wait before a retry a little longer (`hop.JITTER`).

    `start` begins (and opens the queue for taking), `stop` ends within `grace` seconds; the caller closes the queue.
    """

    def __init__(
        self,
        queue: Queue,
        directory: Directory,
        carriers: Mapping[HopKind, Carrier],
        organization: Organization,
        server: str,
        tracker: Tracker,
        poll: Callable[[Dispatcher], Awaitable[None]] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.queue = queue
        self._recipients = RecipientLookUp(directory)
        self._carriers = carriers
        self._limits = organization.limits
        self._categorizer = Categorizer(organization, server)
        self.reorganize = self._categorizer.reorganize
        fqdn, self._retry = organization.server(server).fqdn, Retry(self._limits.queue_retry, jitter)
        self._outcomes = Outcomes(queue, organization, fqdn, tracker, self._spawn, self._retry)
        self._poll = poll
        self._hops: dict[NextHop, Hop] = {}
        self._filled: dict[NextHop, Hop] = {}
        """Hops that got something since their senders were last looked at."""
        self._starved: dict[NextHop, Hop] = {}
        """Hops that wait for others to need fewer senders, longest first."""
        self._senders = 0
        self._fresh: list[QueuedMessage] = []
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._main: list[asyncio.Task[None]] = []
        self._stopping = False
        self.when_stopped: Callable[[], None] = lambda: None
        """Called by `stop`, for example to end the calls of `reorganize`."""

    async def start(self) -> None:
        self.queue.start(self._arrived)
        self._main = [asyncio.create_task(self._run())]
        if self._poll is not None:
            self._main.append(asyncio.create_task(rounds(POLL, partial(self._poll, self), "queue control")))

    async def stop(self, grace: float = 3.0) -> None:
        """Lets batches that are under way end; what is left is carried after the next start."""
        self._stopping = True
        self.when_stopped()
        self._wake.set()
        for task in self._main:
            task.cancel()
        await asyncio.gather(*self._main, return_exceptions=True)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def idle(self) -> bool:
        """Whether nothing is in memory and nothing waits in the file: an adopted queue is then finished."""
        return not self.queue.active and not self._fresh and self.queue.next_due >= NEVER

    def retry_now(self) -> None:
        """Forgets that hops did not answer, and looks again at what is due."""
        for hop in self._hops.values():
            hop.until = 0.0
        self.queue.next_due = 0.0  # the file knows better, and is asked at once
        self._wake.set()

    def _arrived(self, messages: Sequence[QueuedMessage]) -> None:
        self._fresh.extend(messages)
        self._wake.set()

    # Taking

    async def _run(self) -> None:
        while True:
            timer = asyncio.get_running_loop().call_later(self._pause(), self._wake.set)
            await self._wake.wait()
            timer.cancel()
            self._wake.clear()
            try:
                self._outcomes.remove_old_copies()
                await self._take()
            except Exception as error:
                # Disk or database trouble below the queue: it is tried again; nothing is lost by waiting.
                log(Event.CONVERSATION_FAILED, conversation="dispatcher", error=repr(error), exc_info=error)
                await asyncio.sleep(1.0)

    def _pause(self) -> float:
        """Seconds to sleep unless woken."""
        if self._fresh:
            return 0.0
        if len(self.queue.active) >= ACTIVE_MESSAGES // 2:
            return POLL
        return min(max(0.0, self.queue.next_due - self.queue.clock()), LONGEST_SLEEP)

    async def _take(self) -> None:
        while self._fresh:
            messages = self._fresh[:CATEGORIZED_AT_ONCE]
            del self._fresh[:CATEGORIZED_AT_ONCE]
            await self._categorize_safely(messages)
        while self.queue.next_due <= self.queue.clock() and len(self.queue.active) < ACTIVE_MESSAGES // 2:
            await self._categorize_safely(await self.queue.take_due(CATEGORIZED_AT_ONCE))

    async def _categorize_safely(self, messages: Sequence[QueuedMessage]) -> None:
        try:
            await self._categorize(messages)
        except Exception as error:
            # A defect must not strand mail in memory: messages without a hop wait in the file.
            log(Event.CONVERSATION_FAILED, conversation="categorizer", error=repr(error), exc_info=error)
            due = self.queue.clock() + self._retry.wait(1)
            stranded = [m for m in messages if m.flying == 0 and m.id in self.queue.active]
            self.queue.record([Change(message, due=due, recipients=message.recipients) for message in stranded])

    # Categorizing

    async def _categorize(self, messages: Sequence[QueuedMessage]) -> None:
        now = self.queue.clock()
        changes: list[Change] = []
        work: list[tuple[QueuedMessage, Resolution]] = []
        for message in messages:
            self._outcomes.give_up_poison(message, now)
            if (struck := given_up(poison.key(message.queue_id))) is not None:
                await self._categorize_alone(message, struck, changes)
                continue
            with self._outcomes.judging(message, changes):
                resolution = self._resolution(message, message.pending(now))
                self._recipients.answer_from_cache(resolution)
                if not self._routed(message, resolution, changes):
                    work.append((message, resolution))
        while work:
            answers = await self._ask(set().union(*(resolution.needs for _, resolution in work)), changes)
            asked, work = work, []
            for message, resolution in asked:
                with self._outcomes.judging(message, changes):
                    resolution.answer(answers)
                    if not self._routed(message, resolution, changes):
                        work.append((message, resolution))
        self._hand_over(changes)

    async def _ask(self, addresses: set[str], changes: list[Change]) -> dict[str, Recipient]:
        """Returns the directory's answers. They may take long, so settled changes are handed over first."""
        self._hand_over(changes)
        return await self._recipients.look_up(addresses)

    def _hand_over(self, changes: list[Change]) -> None:
        """Records settled changes before anything else runs, and starts the senders of the hops that were filled."""
        if changes:
            self.queue.record(list(changes))  # the committer keeps the list
            changes.clear()
        filled, self._filled = self._filled, {}
        for hop in filled.values():
            self._start_senders(hop)

    def _routed(self, message: QueuedMessage, resolution: Resolution, changes: list[Change]) -> bool:
        """Routes a message. Returns False if the directory must be asked first."""
        if resolution.is_waiting:
            return False
        message.flying += 1  # so that it is not finished before all its parcels are with their hops
        try:
            self._route(message, resolution, changes)
        finally:
            message.flying -= 1
        if message.flying == 0:
            changes.append(self._outcomes.finish(message))
        return True

    async def _categorize_alone(self, message: QueuedMessage, struck: Struck, changes: list[Change]) -> None:
        """Tries a message that was given up, for each recipient alone (`poison`)."""
        message.flying += 1
        for recipient in message.pending(self.queue.clock()):
            if self._outcomes.may_be_tried_alone(message, struck, recipient):
                await self._resolve_alone(message, recipient, changes)
        message.flying -= 1
        if message.flying == 0:
            changes.append(self._outcomes.finish(message))

    async def _resolve_alone(self, message: QueuedMessage, recipient: QueuedRecipient, changes: list[Change]) -> None:
        going: Resolution | None = None
        with self._outcomes.judging(message, changes, recipient):
            going = self._resolution(message, [recipient])
        while going is not None and going.is_waiting:
            answers = await self._ask(going.needs, changes)
            asked, going = going, None
            with self._outcomes.judging(message, changes, recipient):
                asked.answer(answers)
                going = asked
        if going is not None:
            with self._outcomes.judging(message, changes, recipient):
                self._route(message, going, changes, alone=True)

    def _resolution(self, message: QueuedMessage, recipients: Sequence[QueuedRecipient]) -> Resolution:
        return self._categorizer.resolve(
            [Target(r.number, r.address, r.expanded, r.attempts) for r in recipients],
            message.location.size,
            message.is_authenticated,
            message.origin.path,
        )

    def _route(
        self, message: QueuedMessage, resolution: Resolution, changes: list[Change], alone: bool = False
    ) -> None:
        if resolution.expanded:
            self._expand(message, resolution, changes)
        by_hop: dict[NextHop, list[tuple[QueuedRecipient, Routed]]] = {}
        failures: list[tuple[QueuedRecipient, RecipientOutcome]] = []
        for routed in resolution.routed:
            recipient = recipient_of(message, routed)
            if routed.hop is not None:
                by_hop.setdefault(routed.hop, []).append((recipient, routed))
            elif routed.failure is not None:
                failures.append((recipient, routed.failure))
        if failures:
            self._outcomes.settle(message, None, [r for r, _ in failures], [o for _, o in failures], changes)
        if resolution.expanded:
            changes.append(Change(message, recipients=list(message.recipients)))
        for next_hop, pairs in by_hop.items():
            most = 1 if alone else RECIPIENTS_PER_PARCEL
            for start in range(0, len(pairs), most):
                self._enqueue(message, next_hop, pairs[start : start + most], changes, alone)

    def _expand(self, message: QueuedMessage, resolution: Resolution, changes: list[Change]) -> None:
        """Marks recipients that others now stand for."""
        direct = {routed.source for routed in resolution.routed if routed.direct}
        reported = []
        for number, why in resolution.expanded.items():
            recipient = message.recipients[number]
            recipient.expanded = True
            if number not in direct:
                recipient.state, recipient.status = State.EXPANDED, "2.1.5"
                if "SUCCESS" in recipient.notify:
                    reported.append((recipient, RecipientOutcome(recipient.address, Action.EXPANDED, "2.1.5", why)))
            self._outcomes.track(TrackingStep.EXPAND, message, (recipient.address,), why)
        if reported:
            self._outcomes.report(message, Action.EXPANDED, reported)

    def _enqueue(
        self,
        message: QueuedMessage,
        next_hop: NextHop,
        pairs: Sequence[tuple[QueuedRecipient, Routed]],
        changes: list[Change],
        alone: bool,
    ) -> None:
        recipients = [recipient for recipient, _ in pairs]
        hop = self._hop(next_hop)
        now = self.queue.clock()
        if hop is None:
            diagnostic = f"Nothing here carries mail by {next_hop.kind}"
            self._outcomes.settle(message, None, recipients, delayed(recipients, "4.3.5", diagnostic), changes)
            return
        if hop.until > now or len(hop.waiting) >= WAITING_PER_HOP:
            self._park(message, recipients, hop, max(hop.until, now + OVERFLOW_DELAY * (hop.until <= now)))
            return
        message.flying += 1
        hop.waiting.append(Load(message, recipients, parcel_of(message, pairs, alone)))
        self._filled[next_hop] = hop

    def _hop(self, next_hop: NextHop) -> Hop | None:
        hop = self._hops.get(next_hop)
        if hop is None:
            carrier = self._carriers.get(next_hop.kind)
            if carrier is None:
                return None
            if len(self._hops) >= REMEMBERED_HOPS:
                self._hops = {key: known for key, known in self._hops.items() if not self._is_idle(known)}
            hop = self._hops[next_hop] = Hop(next_hop, carrier, retry_for(next_hop.kind, self._retry))
        return hop

    # Sending

    def _start_senders(self, hop: Hop) -> None:
        limit = OWN_CONCURRENCY if hop.is_own else self._limits.connections_per_destination
        limit = min(limit, hop.senders + -(-len(hop.waiting) // max(1, hop.carrier.max_batch)))
        while hop.waiting and hop.senders < limit and not self._stopping:
            if not hop.is_own:
                if self._senders >= OUTSIDE_SENDERS:
                    self._starved[hop.hop] = hop
                    return
                self._senders += 1
            hop.senders += 1
            self._spawn(self._send(hop))

    def _sender_ended(self, hop: Hop) -> None:
        hop.senders -= 1
        if not hop.is_own:
            self._senders -= 1
            if self._starved:
                self._start_senders(self._starved.pop(next(iter(self._starved))))
        self._start_senders(hop)
        if self._is_idle(hop):
            self._hops.pop(hop.hop, None)

    def _is_idle(self, hop: Hop) -> bool:
        return not hop.waiting and not hop.senders and hop.until <= self.queue.clock()

    async def _send(self, hop: Hop) -> None:
        try:
            while await self._ready(hop):
                loads = hop.batch()
                outcomes = await carry(hop, loads)
                now = self.queue.clock()
                hop.judge(outcomes, now)
                changes: list[Change] = []
                for load, parcel_outcomes in zip(loads, outcomes, strict=True):
                    load.message.flying -= 1
                    self._outcomes.settle(load.message, hop, load.recipients, parcel_outcomes, changes)
                    if load.message.flying == 0:
                        changes.append(self._outcomes.finish(load.message))
                if hop.until > now:
                    self._park_waiting(hop, changes)
                self.queue.record(changes)
        finally:
            self._sender_ended(hop)

    async def _ready(self, hop: Hop) -> bool:
        """Keeps the pace. Returns whether something waits then (another sender may have taken it)."""
        if hop.is_own and 0 < len(hop.waiting) < hop.carrier.max_batch:
            await asyncio.sleep(hop.pause(self.queue.clock(), OWN_PACE))
        return bool(hop.waiting) and not self._stopping

    def _park_waiting(self, hop: Hop, changes: list[Change]) -> None:
        while hop.waiting:
            load = hop.waiting.popleft()
            load.message.flying -= 1
            self._park(load.message, load.recipients, hop, hop.until)
            if load.message.flying == 0:
                changes.append(self._outcomes.finish(load.message))

    def _park(self, message: QueuedMessage, recipients: Sequence[QueuedRecipient], hop: Hop, due: float) -> None:
        """Puts off a message whose hop does not answer or has too much to do. That counts as no attempt, but it may expire."""
        for recipient in recipients:
            recipient.due, recipient.hop, recipient.status = due, hop.label, "4.4.1"
            recipient.error = hop.why or "The next hop is busy"
        if self.queue.clock() - message.received >= self._limits.queue_expiry:
            self._outcomes.give_up(message, recipients)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.add(task := asyncio.get_running_loop().create_task(work))
        task.add_done_callback(self._tasks.discard)
