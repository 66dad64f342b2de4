"""The base of connections that are answered once, for doors that ask nobody for a name: metrics, and challenges of an authority.

The doors that serve many rows have `session`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus

from postern.protocols.http.events import Event, Malformed, RequestHead
from postern.protocols.http.server import ServerMachine
from postern.services.conversation import Conversation
from postern.services.http.answers import BUSY, PLAIN

METHODS = ("GET", "HEAD")
MAX_HEAD = 8192
"""Octets of a request line and its fields. Nobody authenticates here, so a head is small."""
DEADLINE = 10.0
"""Seconds for a whole request, however slowly its octets come."""


class SingleRequestSession(Conversation):
    """One connection, for `Door(..., new_session=...)`. Subclasses give `answer`, which calls `respond` once."""

    idle_timeout = DEADLINE
    turned_away = BUSY

    def __init__(self) -> None:
        super().__init__()
        self._machine = ServerMachine(MAX_HEAD)
        self._late: asyncio.TimerHandle | None = None

    def answer(self, request: RequestHead) -> Awaitable[None] | None:
        raise NotImplementedError

    def greet(self) -> None:
        self._late = self._loop.call_later(DEADLINE, self._close)

    def feed(self, data: bytes) -> None:
        self._machine.receive(data)

    def next_event(self) -> Event | None:
        return self._machine.next_event()

    def outgoing(self) -> bytes:
        return self._machine.outgoing()

    def ended(self) -> None:
        if self._late is not None:
            self._late.cancel()

    def failed(self, error: BaseException) -> None:
        self.respond(HTTPStatus.INTERNAL_SERVER_ERROR)

    def handle(self, event: Event) -> Awaitable[None] | None:
        """Answers the first request, with which the connection ends; so there is no event behind it."""
        assert isinstance(event, RequestHead | Malformed)
        if isinstance(event, RequestHead):
            return self.answer(event)
        self.respond(event.status)
        return None

    def respond(self, status: HTTPStatus, kind: bytes = PLAIN, body: bytes | None = None) -> None:
        """Sends the answer and ends the connection. Without a body the answer says its status in words."""
        data = f"{status.phrase}\n".encode() if body is None else body
        fields = [(b"Content-Type", kind), (b"Content-Length", b"%d" % len(data))]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:  # RFC 9110 section 15.5.6: the answer says which methods there are
            fields.append((b"Allow", ", ".join(METHODS).encode("ascii")))
        self._machine.respond(status, fields, ends=True)
        self._machine.write(data)
        self._machine.finish()
        self._close()


def raw_path(request: RequestHead) -> str:
    """The path as it was sent. These doors have a few fixed paths, and decode none."""
    return request.target.partition(b"?")[0].decode("ascii")
