"""Writes what became of recipients into the message, the tracking log, and reports to the sender.

Used by the dispatcher on the loop's thread. A failure is final only once the report of it is safe in the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace

from postern.model.mail import Action, IntakeError, RecipientOutcome
from postern.model.organization import Organization
from postern.telemetry.attempts import LIMIT, Struck, attempt, attempting, given_up, strike
from postern.telemetry.log import Event, log
from postern.telemetry.tracking import Tracker, TrackingRecord, TrackingStep
from postern.transport import poison
from postern.transport.delivery_status import Reporter
from postern.transport.hop import Hop, Retry
from postern.transport.queue import Queue
from postern.transport.queued import Change, QueuedMessage, QueuedRecipient, State

DELAY_WARNING = 14_400.0
"""Seconds after which a sender hears that its message is late."""
RETRY_REPORT = 0.5
"""Seconds until a report that the queue would not take is given to it again."""
MAX_DIAGNOSTIC = 500
LOOK_AT_COPIES = 3600.0


class Outcomes:
    """`spawn` starts a task that the dispatcher ends with itself; `retry` is the schedule for hops that are not our own."""

    def __init__(
        self,
        queue: Queue,
        organization: Organization,
        fqdn: str,
        tracker: Tracker,
        spawn: Callable[[Coroutine[None, None, None]], None],
        retry: Retry,
    ) -> None:
        self._queue = queue
        self._limits = organization.limits
        self._reporter = Reporter(organization, fqdn)
        self._tracker = tracker
        self._spawn = spawn
        self._retry = retry
        self._look_at_copies = 0.0

    def settle(
        self,
        message: QueuedMessage,
        hop: Hop | None,
        recipients: Sequence[QueuedRecipient],
        outcomes: Sequence[RecipientOutcome],
        changes: list[Change],
    ) -> None:
        """Writes outcomes into the message, the tracking log and the reports. `changes` gets the recipients of a message that
        still has parcels under way."""
        now = self._queue.clock()
        sorted_out: dict[Action, list[tuple[QueuedRecipient, RecipientOutcome]]] = {}
        poisoned: list[tuple[QueuedRecipient, RecipientOutcome]] = []
        for recipient, outcome in zip(recipients, outcomes, strict=True):
            recipient.attempts += 1
            recipient.status = outcome.status
            recipient.error = _clean(outcome.diagnostic)
            recipient.hop = hop.label if hop is not None else ""
            if outcome.poison:
                poisoned.append((recipient, outcome))
            else:
                sorted_out.setdefault(outcome.action, []).append((recipient, outcome))
        if poisoned:
            self.set_aside(message, poisoned[0][1].diagnostic, [recipient for recipient, _ in poisoned])
        for action, pairs in sorted_out.items():
            if action is Action.DELAYED:
                self._delay(message, hop, pairs, now)
            elif action is Action.FAILED:
                self._fail(message, hop, pairs)
            else:
                self._succeed(message, hop, action, pairs)
        if message.flying > 0:
            changes.append(Change(message, recipients=list(recipients)))

    def _succeed(
        self,
        message: QueuedMessage,
        hop: Hop | None,
        action: Action,
        pairs: Sequence[tuple[QueuedRecipient, RecipientOutcome]],
    ) -> None:
        wanted = []
        for recipient, outcome in pairs:
            recipient.state = State.DELIVERED
            if "SUCCESS" in recipient.notify and not outcome.notifies:
                wanted.append((recipient, outcome))
        step = TrackingStep.DELIVER if action is Action.DELIVERED else TrackingStep.SEND
        self.track(step, message, tuple(r.address for r, _ in pairs), pairs[0][1].status, hop, pairs[0][1])
        if wanted:
            self.report(message, action, wanted)

    def _delay(
        self,
        message: QueuedMessage,
        hop: Hop | None,
        pairs: Sequence[tuple[QueuedRecipient, RecipientOutcome]],
        now: float,
    ) -> None:
        if now - message.received >= self._limits.queue_expiry:
            self.give_up(message, [recipient for recipient, _ in pairs])
            return
        retry = hop.retry if hop is not None else self._retry
        # Recipients of one message are tried together again.
        waits = {attempts: retry.wait(attempts) for attempts in {recipient.attempts for recipient, _ in pairs}}
        late = []
        for recipient, outcome in pairs:
            recipient.due = max(now + waits[recipient.attempts], hop.until if hop is not None else 0.0)
            if now - message.received >= DELAY_WARNING and not recipient.warned:
                recipient.warned = True
                if not recipient.notify or "DELAY" in recipient.notify:
                    late.append((recipient, outcome))
        recipient, outcome = pairs[0]
        addresses = tuple(r.address for r, _ in pairs)
        self.track(TrackingStep.DEFER, message, addresses, f"{outcome.status} {recipient.error}", hop, outcome)
        log(
            Event.DEFERRED,
            queue_id=message.queue_id,
            path=hop.hop.path if hop is not None else "",
            hop=recipient.hop,
            recipients=len(pairs),
            status=outcome.status,
            diagnostic=recipient.error,
            seconds=round(recipient.due - now, 1),
        )
        if late:
            self.report(message, Action.DELAYED, late)

    def judging(self, message: QueuedMessage, changes: list[Change], alone: QueuedRecipient | None = None) -> attempt:
        """A context for computing something of one message. The message is marked meanwhile, and an error counts against it
        alone, so that the others of its batch go on. It is tried again later. After the second time it is set aside or, if
        several recipients wait for it, tried for each `alone`, and set aside for those for whom it raises then."""
        return _Judging(self, message, changes, alone)

    def blame(
        self, message: QueuedMessage, error: Exception, changes: list[Change], alone: QueuedRecipient | None
    ) -> None:
        """Counts an error that was raised in `judging`, and sets the message aside or lets it wait."""
        log(Event.CONVERSATION_FAILED, conversation="categorizer", error=repr(error), exc_info=error)
        waiting = [r for r in message.recipients if r.state is State.PENDING]
        key = poison.key(message.queue_id, alone.number if alone is not None else None)
        again = strike(key, error).count >= LIMIT
        if alone is not None or (again and len(waiting) == 1):
            self.set_aside(message, f"{type(error).__name__}: {error}", waiting if alone is None else [alone])
            return
        due = self._queue.clock() + (0.0 if again else self._retry.wait(1))
        for recipient in waiting:
            recipient.due, recipient.status = due, "4.3.0"
            recipient.error = f"Internal error: {type(error).__name__}"
        if message.flying == 0:
            changes.append(self.finish(message))

    def may_be_tried_alone(self, message: QueuedMessage, struck: Struck, recipient: QueuedRecipient) -> bool:
        """Whether a message that was given up is tried once more for this recipient alone; sets it aside otherwise."""
        if recipient.state is not State.PENDING:
            return False
        poisoned = sum(r.state is State.POISON for r in message.recipients)
        if struck.fatal or len(message.recipients) == 1 or poisoned >= poison.SEVERAL:
            self.set_aside(message, struck.why, message.recipients)
            return False
        own = given_up(poison.key(message.queue_id, recipient.number), poison.ALONE)
        if own is not None:
            self.set_aside(message, own.why, [recipient])
        return own is None

    def set_aside(self, message: QueuedMessage, why: str, recipients: Sequence[QueuedRecipient]) -> None:
        """Puts a message into the poison queue for these recipients, as far as they still wait for it. It waits there for an
        administrator, and its sender is told in the end."""
        now = self._queue.clock()
        due = now if poison.is_own(message) else max(now, message.received + self._limits.queue_expiry)
        addresses = poison.set_aside(message, why, recipients, due)
        self.track(TrackingStep.DEFER, message, addresses, f"set aside as poison: {why}")
        message.flying += 1
        self._spawn(self._keep_copy(message))

    async def _keep_copy(self, message: QueuedMessage) -> None:
        await asyncio.to_thread(poison.keep_copy, self._queue.folder, message)
        self._landed(message)

    def _landed(self, message: QueuedMessage) -> None:
        message.flying -= 1
        if message.flying == 0:
            self._queue.record([self.finish(message)])

    def give_up(self, message: QueuedMessage, recipients: Sequence[QueuedRecipient]) -> None:
        """Fails these recipients, because the delivery time expired (RFC 3463 X.4.7)."""
        pairs = [
            (r, RecipientOutcome(r.address, Action.FAILED, "4.4.7", r.error or "Delivery time expired"))
            for r in recipients
        ]
        self._fail(message, None, pairs)

    def give_up_poison(self, message: QueuedMessage, now: float) -> None:
        """Tells the sender that the message was set aside, when that is due: no mail that was accepted ends without delivery or
        report (RFC 5321 section 6.1)."""
        due = [r for r in message.recipients if r.state is State.POISON and r.due <= now]
        if due:
            outcome = RecipientOutcome("", Action.FAILED, poison.STATUS, poison.WORDS, own=True)
            self._fail(message, None, [(r, outcome._replace(address=r.address)) for r in due], bare=True)

    def remove_old_copies(self) -> None:
        """Removes copies of messages set aside that were kept long enough, at most once an hour."""
        now = self._queue.clock()
        if now >= self._look_at_copies:
            self._look_at_copies = now + LOOK_AT_COPIES
            self._spawn(asyncio.to_thread(poison.remove_old_copies, self._queue.folder))

    def _fail(
        self,
        message: QueuedMessage,
        hop: Hop | None,
        pairs: Sequence[tuple[QueuedRecipient, RecipientOutcome]],
        bare: bool = False,
    ) -> None:
        for recipient, _ in pairs:
            recipient.state = State.REPORTING
        _, outcome = pairs[0]
        diagnostic = f"{outcome.status} {_clean(outcome.diagnostic)}"
        self.track(TrackingStep.FAIL, message, tuple(r.address for r, _ in pairs), diagnostic, hop, outcome)
        log(
            Event.BOUNCED,
            queue_id=message.queue_id,
            path=hop.hop.path if hop is not None else "",
            recipients=len(pairs),
            status=outcome.status,
            diagnostic=_clean(outcome.diagnostic),
        )
        self.report(message, Action.FAILED, pairs, bare)

    def finish(self, message: QueuedMessage) -> Change:
        """The change of a message whose last parcel is back: it is done, or waits in the file."""
        if message.drop:
            self.track(
                TrackingStep.FAIL, message, tuple(r.address for r in message.recipients), "dropped by an administrator"
            )
            return Change(message, done=True)
        if message.hold:
            for recipient in message.recipients:
                if recipient.state is State.PENDING:
                    recipient.state = State.HELD
        due = message.next_due
        if due is None:
            return Change(message, done=True)
        return Change(message, due=due, recipients=message.recipients)

    def report(
        self,
        message: QueuedMessage,
        action: Action,
        pairs: Sequence[tuple[QueuedRecipient, RecipientOutcome]],
        bare: bool = False,
    ) -> None:
        """Queues a report to the sender. The message stays until the report is safe. `bare`: nothing of the content is in it."""
        name = poison.report_key(message.queue_id) if bare else poison.key(message.queue_id)
        if bare and (struck := given_up(name)) is not None:
            self._without_report(message, pairs, bare, struck.why)
            return
        try:
            asked = attempting(name, self._reporter.wanted, message, action, pairs)
        except Exception as error:
            strike(name, error)
            self._without_report(message, pairs, bare, repr(error))
            return
        if not asked:
            self._reported(pairs)
            return
        message.flying += 1
        copies = [(replace(r), outcome) for r, outcome in asked]
        self._spawn(self._queue_report(message, action, pairs, copies, bare))

    def _without_report(
        self,
        message: QueuedMessage,
        pairs: Sequence[tuple[QueuedRecipient, RecipientOutcome]],
        bare: bool,
        why: str,
    ) -> None:
        """Sets aside a message of which no report can be made, so that a bare report is made in the end. If that cannot be made
        either, only the log tells of the message."""
        if bare:
            log(
                Event.BOUNCED, queue_id=message.queue_id, sender=message.envelope.sender, diagnostic=f"no report: {why}"
            )
            self._reported(pairs)
        else:
            self.set_aside(message, f"no report of it can be made: {why}", [recipient for recipient, _ in pairs])

    async def _queue_report(
        self,
        message: QueuedMessage,
        action: Action,
        pairs: Sequence[tuple[QueuedRecipient, RecipientOutcome]],
        asked: Sequence[tuple[QueuedRecipient, RecipientOutcome]],
        bare: bool,
    ) -> None:
        name = poison.report_key(message.queue_id) if bare else poison.key(message.queue_id)
        try:
            now = self._queue.clock()
            envelope, content = attempting(name, self._reporter.build, message, action, asked, now, bare)
        except Exception as error:
            strike(name, error)
            self._without_report(message, pairs, bare, repr(error))
            self._landed(message)
            return
        while True:
            try:
                accepted = await self._queue.accept(envelope, content, self._reporter.origin)
                break
            except IntakeError:
                await asyncio.sleep(RETRY_REPORT)
        self._reported(pairs)
        self.track(TrackingStep.DSN, message, (message.envelope.sender,), f"{action} {accepted.message_id}")
        self._landed(message)

    def _reported(self, pairs: Sequence[tuple[QueuedRecipient, RecipientOutcome]]) -> None:
        for recipient, _ in pairs:
            if recipient.state is State.REPORTING:
                recipient.state = State.FAILED

    def track(
        self,
        step: TrackingStep,
        message: QueuedMessage,
        recipients: tuple[str, ...],
        text: str,
        hop: Hop | None = None,
        outcome: RecipientOutcome | None = None,
    ) -> None:
        self._tracker.record(
            TrackingRecord(
                step,
                message.message_id,
                message.queue_id,
                hop.hop.path if hop is not None else "",
                (outcome.remote if outcome is not None else "") or (hop.hop.destination if hop is not None else ""),
                outcome.mechanism if outcome is not None else "",
                outcome.cipher if outcome is not None else "",
                message.envelope.sender,
                recipients,
                text,
                time=self._queue.clock(),
            )
        )


class _Judging(attempt):
    """The context that `Outcomes.judging` returns."""

    __slots__ = ("_alone", "_changes", "_message", "_outcomes")

    def __init__(
        self, outcomes: Outcomes, message: QueuedMessage, changes: list[Change], alone: QueuedRecipient | None
    ) -> None:
        self._key = poison.key(message.queue_id, alone.number if alone is not None else None)
        self._outcomes, self._message, self._changes, self._alone = outcomes, message, changes, alone

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        super().__exit__(kind, error, trace)
        if not isinstance(error, Exception):
            return False
        self._outcomes.blame(self._message, error, self._changes, self._alone)
        return True


def _clean(text: str) -> str:
    """Returns a peer's text, bounded, and writable as UTF-8 whatever it was."""
    return text[:MAX_DIAGNOSTIC].encode("utf-8", "replace").decode("utf-8")
