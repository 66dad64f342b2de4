"""One connection of the metrics port: `/metrics` in Prometheus' text format, `/healthz` as JSON, and nothing else.

The row decides who may connect. A peer that it does not name gets 403; there is no password to guess, and nothing to change.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from postern.model.security import NOBODY, Mechanism, Peer
from postern.paths.guard import Guard, Refusal
from postern.protocols.http.single import Malformed, Request, SingleRequest
from postern.services.conversation import Conversation
from postern.services.metrics.exposition import CONTENT_TYPE
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, count
from postern.telemetry.observed import Observed

PLAIN = "text/plain; charset=utf-8"
METHODS = ("GET", "HEAD")
PATHS = ("/metrics", "/healthz")
DEADLINE = 10.0
"""Seconds for a whole request, however slowly its octets come."""


@dataclass(frozen=True, slots=True)
class Monitoring:
    """The state that the connections share. `admits` says whether a peer is one of the row's callers; `metrics` gives all values
    in the text format, and `health` says which parts of the host are up."""

    guard: Guard
    admits: Callable[[Peer, Peer], bool]
    metrics: Callable[[], Awaitable[bytes]]
    health: Callable[[], Mapping[str, bool]]
    observed: Observed
    server: str


class MetricsSession(Conversation):
    """One connection, for `Door(..., new_session=...)`."""

    idle_timeout = DEADLINE
    turned_away = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def __init__(self, monitoring: Monitoring) -> None:
        super().__init__()
        self._monitoring = monitoring
        self._machine = SingleRequest()
        self._late: asyncio.TimerHandle | None = None

    def greet(self) -> None:
        self._late = self._loop.call_later(DEADLINE, self._close)

    def feed(self, data: bytes) -> None:
        self._machine.receive(data)

    def next_event(self) -> Request | Malformed | None:
        return self._machine.next_event()

    def outgoing(self) -> bytes:
        return self._machine.outgoing()

    def ended(self) -> None:
        if self._late is not None:
            self._late.cancel()

    def handle(self, event: Request | Malformed) -> Awaitable[None] | None:
        refusal = event.status if isinstance(event, Malformed) else self._refusal(event)
        if refusal is not None:
            self._answer(event, refusal)
        elif isinstance(event, Request) and event.path == "/metrics":
            return self._metrics(event)
        else:
            self._health(event)
        return None

    def failed(self, error: BaseException) -> None:
        self._answer(Malformed(HTTPStatus.INTERNAL_SERVER_ERROR), HTTPStatus.INTERNAL_SERVER_ERROR)

    def _refusal(self, request: Request) -> HTTPStatus | None:
        if not self._may():
            return HTTPStatus.FORBIDDEN
        if request.path not in PATHS:
            return HTTPStatus.NOT_FOUND
        return None if request.method in METHODS else HTTPStatus.METHOD_NOT_ALLOWED

    def _may(self) -> bool:
        link, monitoring = self.link, self._monitoring
        assert link is not None
        row = monitoring.guard.row_for(NOBODY, link.seal)
        if isinstance(row, Refusal) or not monitoring.admits(link.local, link.peer):
            reason = row.reason.value if isinstance(row, Refusal) else "not a caller of this path"
            log(Event.REFUSED, path=monitoring.guard.door, peer=str(link.peer), reason=reason)
            count(Metric.REFUSALS, monitoring.guard.door, reason)
            return False
        monitoring.observed.seen(row.id, link.peer.host, Mechanism.ANONYMOUS, link.seal, time.time())
        return True

    async def _metrics(self, request: Request) -> None:
        self._answer(request, HTTPStatus.OK, CONTENT_TYPE, await self._monitoring.metrics())

    def _health(self, event: Request | Malformed) -> None:
        parts = self._monitoring.health()
        is_well = all(parts.values())
        told = {
            "status": "up" if is_well else "down",
            "server": self._monitoring.server,
            "parts": {name: "up" if up else "down" for name, up in sorted(parts.items())},
        }
        status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(event, status, "application/json", json.dumps(told).encode() + b"\n")

    def _answer(
        self, event: Request | Malformed, status: HTTPStatus, kind: str = PLAIN, body: bytes | None = None
    ) -> None:
        count(Metric.SCRAPES, str(status.value))
        # RFC 9110 section 15.5.6: the answer says which methods there are.
        fields = (("Allow", ", ".join(METHODS)),) if status is HTTPStatus.METHOD_NOT_ALLOWED else ()
        self._machine.answer(event, status, kind, f"{status.phrase}\n".encode() if body is None else body, *fields)
        self._close()
