"""One connection of the metrics port: `/metrics` in Prometheus' text format, `/healthz` as JSON, and nothing else.

The row decides who may connect. A peer that it does not name gets 403; there is no password to guess, and nothing to change.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from postern.model.security import NOBODY, Mechanism, Peer
from postern.paths.guard import Guard, Refusal
from postern.protocols.http.events import RequestHead
from postern.services.http.answers import PLAIN
from postern.services.http.single_request import METHODS, SingleRequestSession, raw_path
from postern.services.metrics.exposition import CONTENT_TYPE
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, count
from postern.telemetry.observed import Observed

PATHS = ("/metrics", "/healthz")


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


class MetricsSession(SingleRequestSession):
    """One connection, for `Door(..., new_session=...)`."""

    def __init__(self, monitoring: Monitoring) -> None:
        super().__init__()
        self._monitoring = monitoring

    def answer(self, request: RequestHead) -> Awaitable[None] | None:
        refusal = self._refusal(request)
        if refusal is not None:
            self.respond(refusal)
        elif raw_path(request) == "/metrics":
            return self._metrics()
        else:
            self._health()
        return None

    def _refusal(self, request: RequestHead) -> HTTPStatus | None:
        if request.length != 0:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if not self._may():
            return HTTPStatus.FORBIDDEN
        if raw_path(request) not in PATHS:
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
        self.respond(HTTPStatus.OK, CONTENT_TYPE, await self._monitoring.metrics())

    def _health(self) -> None:
        parts = self._monitoring.health()
        is_well = all(parts.values())
        told = {
            "status": "up" if is_well else "down",
            "server": self._monitoring.server,
            "parts": {name: "up" if up else "down" for name, up in sorted(parts.items())},
        }
        status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
        self.respond(status, b"application/json", json.dumps(told).encode() + b"\n")

    def respond(self, status: HTTPStatus, kind: bytes = PLAIN, body: bytes | None = None) -> None:
        count(Metric.SCRAPES, str(status.value))
        super().respond(status, kind, body)
