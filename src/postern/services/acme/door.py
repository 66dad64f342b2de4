"""One connection of a door for challenges alone, which is open while a certificate is asked for on a host whose port 80 is nobody
else's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from http import HTTPStatus

from postern.model.security import NOBODY, Mechanism
from postern.paths.guard import Guard, Refusal
from postern.protocols.http.events import Event as HttpEvent
from postern.protocols.http.events import Malformed, RequestHead
from postern.protocols.http.server import ServerMachine
from postern.services.acme.challenges import PREFIX, ChallengeFiles
from postern.services.conversation import Conversation
from postern.telemetry.observed import Observed

MAX_HEAD = 8192
DEADLINE = 10.0
"""Seconds for a whole request, however slowly its octets come."""


@dataclass(frozen=True, slots=True)
class ChallengeAccess:
    """The values that the connections share."""

    guard: Guard
    files: ChallengeFiles
    observed: Observed


class ChallengeSession(Conversation):
    """One connection, for `Door(..., new_session=...)`. It answers one request."""

    idle_timeout = DEADLINE
    turned_away = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def __init__(self, access: ChallengeAccess) -> None:
        super().__init__()
        self._access = access
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

    def failed(self, error: BaseException) -> None:
        self._answer(HTTPStatus.INTERNAL_SERVER_ERROR)

    def handle(self, event: HttpEvent) -> Awaitable[None] | None:
        """Answers the first request, with which the connection ends."""
        assert isinstance(event, RequestHead | Malformed)
        if isinstance(event, Malformed):
            self._answer(event.status)
            return None
        link, access = self.link, self._access
        assert link is not None
        row = access.guard.row_for(NOBODY, link.seal)
        if isinstance(row, Refusal):
            self._answer(HTTPStatus.FORBIDDEN)
            return None
        access.observed.seen(row.id, link.peer.host, Mechanism.ANONYMOUS, link.seal, time.time())
        path = event.target.partition(b"?")[0].decode("ascii")
        answer = access.files.get(path.removeprefix(PREFIX)) if path.startswith(PREFIX) else None
        if event.method not in ("GET", "HEAD"):
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED)
        elif answer is None:
            self._answer(HTTPStatus.NOT_FOUND)
        else:
            self._answer(HTTPStatus.OK, answer)
        return None

    def _answer(self, status: HTTPStatus, body: bytes | None = None) -> None:
        data = f"{status.phrase}\n".encode() if body is None else body
        kind = b"text/plain; charset=utf-8" if body is None else b"application/octet-stream"
        fields = [(b"Content-Type", kind), (b"Content-Length", b"%d" % len(data))]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:  # RFC 9110 section 15.5.6: the answer says which methods there are
            fields.append((b"Allow", b"GET, HEAD"))
        self._machine.respond(status, fields, ends=True)
        self._machine.write(data)
        self._machine.finish()
        self._close()
