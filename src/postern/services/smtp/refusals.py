"""Records what a receive connector refused, in its log and the tracking log: whom, what, from where, and the answer.

Strangers decide how much is refused, so what is written of it is bounded: RATE records a second of one process (after a store
of BURST), PER_PEER an hour of one address. What is left out is counted and told at most once a minute.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from postern.protocols.smtp.reply import Reply
from postern.services.smtp.session import Session
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, count
from postern.telemetry.tracking import Tracker, TrackingRecord, TrackingStep

BURST = 2000
RATE = 1.0
"""At most 90,000 records, 40 MB, a day and process; the tracking log keeps 30 days."""
PER_PEER = 200
_PERIOD = 3600.0
_PEERS = 2000
_TOLD_EVERY = 60.0
MAX_FIELD = 320
"""Characters of a field that are written: an address (RFC 5321 section 4.5.3.1) is no longer."""
MAX_RECIPIENTS = 20
"""Recipients of a refused message that are named."""


class Refusals:
    """Writes down what one connector refuses, within the bounds."""

    def __init__(self, tracker: Tracker, clock: Callable[[], float] = time.time) -> None:
        self._tracker = tracker
        self._clock = clock
        self._left = float(BURST)
        self._filled = clock()
        self._peers: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._omitted = 0
        self._told = 0.0

    def record(
        self,
        session: Session,
        reply: Reply,
        sender: str = "",
        recipients: tuple[str, ...] = (),
        message_id: str = "",
        agent: str = "",
    ) -> None:
        """Writes one refusal down; `agent` is the transport agent that refused, "" for the connector itself."""
        count(Metric.REFUSALS, session.logged_path, agent or reply.enhanced or str(reply.code))
        now = self._clock()
        if not self._may(session.peer.host, now):
            self._omit(now)
            return
        sender, people = sender[:MAX_FIELD], tuple(address[:MAX_FIELD] for address in recipients[:MAX_RECIPIENTS])
        log(
            Event.MAIL_REFUSED,
            path=session.logged_path,
            peer=session.peer.host,
            identity=session.identity.name,
            sender=sender,
            recipients=list(people),
            agent=agent,
            reply=reply.words,
        )
        self._tracker.record(
            TrackingRecord(
                TrackingStep.REFUSE,
                message_id[:MAX_FIELD],
                "",
                session.logged_path,
                session.peer.host,
                session.identity.mechanism,
                session.seal.cipher if session.seal is not None else "",
                sender,
                people,
                reply.words,
                time=now,
            )
        )

    def turned_away(self, path: str, peer: str, reason: str, mechanism: str = "") -> None:
        """Writes down that a peer may not do what it asked for on this path, within the same bounds; the log alone tells it.
        The caller counts it, because `trust.acceptor` counts refusals of log-ins for every protocol."""
        now = self._clock()
        if self._may(peer, now):
            log(Event.REFUSED, path=path, peer=peer, reason=reason, mechanism=mechanism)
        else:
            self._omit(now)

    def _may(self, peer: str, now: float) -> bool:
        begun, count = self._peers.pop(peer, (now, 0))
        if now - begun >= _PERIOD:
            begun, count = now, 0
        self._left = min(float(BURST), self._left + max(0.0, now - self._filled) * RATE)
        self._filled = now
        fine = count < PER_PEER and self._left >= 1.0
        if fine:
            self._left -= 1.0
        self._peers[peer] = begun, count + fine
        if len(self._peers) > _PEERS:
            self._peers.popitem(last=False)
        return fine

    def _omit(self, now: float) -> None:
        self._omitted += 1
        if now - self._told >= _TOLD_EVERY:
            log(Event.REFUSALS_OMITTED, count=self._omitted)
            self._omitted, self._told = 0, now
