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
from postern.protocols.http.events import Event as HttpEvent
from postern.protocols.http.events import Malformed, RequestHead
from postern.protocols.http.server import ServerMachine
from postern.services.conversation import Conversation
from postern.services.metrics.exposition import CONTENT_TYPE
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, count
from postern.telemetry.observed import Observed

PLAIN = "text/plain; charset=utf-8"
METHODS = ("GET", "HEAD")
PATHS = ("/metrics", "/healthz")
MAX_HEAD = 8192
"""Octets of a request line and its fields. Nobody authenticates here, so a head is small."""
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
        self._machine = ServerMachine(MAX_HEAD)
        self._late: asyncio.TimerHandle | None = None

    def greet(self) -> None:
        self._late = self._loop.call_later(DEADLINE, self._close)

    def feed(self, data: bytes) -> None:
        self._machine.receive(data)

    def next_event(self) -> HttpEvent | None:
        return self._machine.next_event()

    def outgoing(self) -> bytes:
        return self._machine.outgoing()

    def ended(self) -> None:
        if self._late is not None:
            self._late.cancel()

    def handle(self, event: HttpEvent) -> Awaitable[None] | None:
        """Answers the first request, with which the connection ends; so there is no event behind it."""
        assert isinstance(event, RequestHead | Malformed)
        refusal = event.status if isinstance(event, Malformed) else self._refusal(event)
        if refusal is not None:
            self._answer(refusal)
        elif isinstance(event, RequestHead) and _path(event) == "/metrics":
            return self._metrics()
        else:
            self._health()
        return None

    def failed(self, error: BaseException) -> None:
        self._answer(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _refusal(self, request: RequestHead) -> HTTPStatus | None:
        if request.length != 0:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if not self._may():
            return HTTPStatus.FORBIDDEN
        if _path(request) not in PATHS:
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

    async def _metrics(self) -> None:
        self._answer(HTTPStatus.OK, CONTENT_TYPE, await self._monitoring.metrics())

    def _health(self) -> None:
        parts = self._monitoring.health()
        is_well = all(parts.values())
        told = {
            "status": "up" if is_well else "down",
            "server": self._monitoring.server,
            "parts": {name: "up" if up else "down" for name, up in sorted(parts.items())},
        }
        status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status, "application/json", json.dumps(told).encode() + b"\n")

    def _answer(self, status: HTTPStatus, kind: str = PLAIN, body: bytes | None = None) -> None:
        count(Metric.SCRAPES, str(status.value))
        data = f"{status.phrase}\n".encode() if body is None else body
        fields = [(b"Content-Type", kind.encode("ascii")), (b"Content-Length", b"%d" % len(data))]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:  # RFC 9110 section 15.5.6: the answer says which methods there are
            fields.append((b"Allow", ", ".join(METHODS).encode("ascii")))
        self._machine.respond(status, fields, ends=True)
        self._machine.write(data)
        self._machine.finish()
        self._close()


def _path(request: RequestHead) -> str:
    return request.target.partition(b"?")[0].decode("ascii")
