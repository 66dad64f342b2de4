"""One request and its answer, as ASGI 3.0: what the application may `receive` and `send`.

The body is taken from the machine while the application runs. The link is paused while more than MAX_HELD octets of it wait, and
`send` waits for a client that does not read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from http import HTTPStatus
from time import monotonic
from typing import Any

from postern.net.link import Link
from postern.net.turns import Turn, turns_of
from postern.protocols.http.events import BodyPiece, Field, Malformed, RequestEnd, RequestHead
from postern.protocols.http.server import ServerMachine
from postern.services.http.access import HttpLimits
from postern.services.http.answers import PLAIN, Answer, with_standing
from postern.services.http.compression import Compressed, compressed
from postern.services.http.site import Message

MAX_HELD = 262_144
"""Octets of a body that wait for the application before the link is paused."""
PART = 16_384
"""Octets of a body for which its client has `HttpLimits.part` seconds, counted while the application waits for them."""
MAX_DISCARDED = 262_144
"""Octets of a refused request's body that are read and thrown away, so that the connection can go on."""
TURN = 0.002
"""Seconds that one connection reads of a body before the others have their turn: a body may come in chunks of one octet."""
_OF_MACHINE = frozenset({b"connection", b"transfer-encoding", b"keep-alive", b"upgrade"})


class ClientGone(ConnectionError):
    """Raised to an application that sends although nobody takes it any more (ASGI: an OSError)."""


class Exchange:
    """A request until its answer is finished. `flush` puts what the machine has to send on the link. Of the body, which the
    machine reads, MAX_HELD octets and one read of the link are kept."""

    def __init__(
        self,
        head: RequestHead,
        machine: ServerMachine,
        link: Link,
        limits: HttpLimits,
        flush: Callable[[], None],
    ) -> None:
        self.head = head
        self.status = 0
        """The status of the answer; 0 before it has begun."""
        self.sent = 0
        """Octets of the answer's body, as they were sent."""
        self.is_whole = False
        """Whether the request was read to its end."""
        self.is_done = False
        self.is_gone = False
        """Whether nobody takes an answer any more: the client has left, or the door has answered in the application's place."""
        self._machine = machine
        self._link = link
        self._limits = limits
        self._flush = flush
        self._most: int | None = None
        self._compresses = False
        self._proof: Sequence[Field] = ()
        self._pieces: deque[bytes] = deque()
        self._held = self._read = 0
        self._is_paused = self._is_told = False
        self._discards = False
        self._patience = limits.part
        self._counted = 0
        self._news: asyncio.Event | None = None
        self._turn: Turn | None = None
        self._start: tuple[int, Sequence[tuple[Any, Any]]] | None = None
        self._compressed: Compressed | None = None

    # From the connection

    def admit(self, most: int, compresses: bool, proof: Sequence[Field]) -> None:
        """Gives the request to an application: its body has `most` octets at most, and `proof` are the fields of the answer by
        which the server proves itself to the caller. Before, nothing is refused for its size."""
        self._most, self._compresses, self._proof = most, compresses, proof
        if self._read > most:
            self.break_off(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ends=True))

    def take(self) -> None:
        """Takes what the machine has of the body. Called after each of its `receive`."""
        if self._turn is not None:
            return
        until = 0.0
        while not self.is_whole and not self.is_gone:
            event = self._machine.next_event()
            if event is None:
                break
            if isinstance(event, BodyPiece):
                self._hold(event.data)
            elif isinstance(event, RequestEnd):
                self.is_whole = True
            elif isinstance(event, Malformed):
                self.break_off(Answer(event.status, ends=True))
            if not until:
                until = monotonic() + TURN
            elif monotonic() >= until:
                self._turn = turns_of(asyncio.get_running_loop()).wait(self._take_on)
                break
        if (self._held > MAX_HELD or self._turn is not None) and not self._is_paused:
            self._is_paused = True
            self._link.pause()
        self._tell()

    def _take_on(self) -> None:
        self._turn = None
        self._read_on()
        self.take()

    def _read_on(self) -> None:
        if self._is_paused and self._held <= MAX_HELD and self._turn is None:
            self._is_paused = False
            self._link.resume()

    def _hold(self, data: bytes) -> None:
        self._read += len(data)
        if self._read - self._counted >= PART:
            self._counted, self._patience = self._read, self._limits.part
        if self._discards:
            return
        if self._most is not None and self._read > self._most:
            self.break_off(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ends=True))
            return
        self._pieces.append(data)
        self._held += len(data)

    def leave(self) -> None:
        """The client is gone: the application hears it by `http.disconnect`."""
        self.is_gone = True
        if self._turn is not None:
            self._turn.cancel()
        self._tell()

    def break_off(self, answer: Answer) -> None:
        """Ends the request in the application's place: with an answer if none has begun, else by cutting the connection."""
        if not self.is_gone and not self.is_done:
            if self.status:
                self._link.abort()
            else:
                self.answer(answer)
            self.leave()

    def answer(self, answer: Answer) -> None:
        """Answers without the application."""
        body = answer.body
        fields = [*answer.fields, (b"content-type", PLAIN)] if body else list(answer.fields)
        self._respond(answer.status, fields, len(body), answer.ends or not self.is_whole)
        self._write(body)
        self._finish()

    async def discard(self, most: int = MAX_DISCARDED, invites: bool = False) -> bool:
        """Reads the rest of the body and throws it away. Returns whether the connection can go on: False if the body has more
        than `most` octets, or if its client waits for 100 Continue and is not to be invited by it."""
        if not self.is_whole and self.head.expects_continue:
            if not invites:
                return False
            self._machine.proceed()
            self._flush()
        self._discards = True
        self._pieces.clear()
        self._held = 0
        self._read_on()
        while not self.is_whole and not self.is_gone and max(self._read, self.head.length or 0) <= most:
            await self._arrival()
        return self.is_whole

    # ASGI

    async def receive(self) -> Message:
        """The next part of the body; `http.disconnect` once there is nothing left to receive and nobody to answer."""
        if not self.is_whole and self.head.expects_continue:
            self._machine.proceed()
            self._flush()
        while True:
            if (self._pieces or self.is_whole) and not self._is_told and (self.is_whole or not self.is_gone):
                data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
                self._pieces.clear()
                self._held = 0
                self._is_told = self.is_whole
                self._read_on()
                return {"type": "http.request", "body": data, "more_body": not self.is_whole}
            if self.is_gone or self.is_done:
                return {"type": "http.disconnect"}
            await self._arrival()

    async def _arrival(self) -> None:
        """Waits until something has come. A client that is too slow with its body is answered 408."""
        if self._news is None:
            self._news = asyncio.Event()
        self._news.clear()
        if self.is_whole:
            await self._news.wait()
            return
        began = monotonic()
        try:
            async with asyncio.timeout(self._patience):
                await self._news.wait()
        except TimeoutError:
            self.break_off(Answer(HTTPStatus.REQUEST_TIMEOUT, ends=True))
        self._patience = max(0.0, self._patience - (monotonic() - began))

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()

    async def send(self, message: Message) -> None:
        """Sends a part of the answer. Raises ClientGone where nobody takes it, ValueError or RuntimeError for what is none."""
        if self.is_gone:
            raise ClientGone("nobody takes this answer")
        kind = message["type"]
        if kind == "http.response.start" and self._start is None:
            self._start = (message["status"], tuple(message.get("headers", ())))
            return
        if kind != "http.response.body" or self._start is None or self.is_done:
            raise RuntimeError(f"an application may not send {kind!r} here")
        data, more = message.get("body", b""), message.get("more_body", False)
        if not self.status:
            self._begin(*self._start, len(data), more)
        if self._compressed is not None:
            data = await self._compressed.packed(data, more)
        self._write(data)
        if not more:
            self._finish()
            return
        self._flush()
        if self._link.congested:
            await self._drained()

    def _begin(self, status: int, raw: Sequence[tuple[Any, Any]], size: int, more: bool) -> None:
        fields = [(bytes(name).lower(), bytes(value)) for name, value in raw]
        ends = (b"connection", b"close") in fields
        fields = [field for field in fields if field[0] not in _OF_MACHINE]
        fields.extend(self._proof)
        if self._compresses:
            self._compressed = compressed(self.head, status, fields, None if more else size)
        is_known = not more and self._compressed is None and (size > 0 or self.head.method != "HEAD")
        self._respond(status, fields, size if is_known else None, ends or not self.is_whole)

    def _respond(self, status: int, fields: list[Field], size: int | None, ends: bool) -> None:
        if size is not None and status not in (204, 304) and all(name != b"content-length" for name, _ in fields):
            fields.append((b"content-length", b"%d" % size))
        self._machine.respond(status, with_standing(fields, self._link.seal is not None), ends)
        self.status = int(status)

    def _write(self, data: bytes) -> None:
        self._machine.write(data)
        if self.head.method != "HEAD":
            self.sent += len(data)

    def _finish(self) -> None:
        self._machine.finish()
        self.is_done = True
        self._flush()
        self._tell()

    async def _drained(self) -> None:
        """Waits until the client reads its answer. Aborts the link of one that does not."""
        try:
            async with asyncio.timeout(self._limits.idle):
                await self._link.drained()
        except TimeoutError:
            self._link.abort()
            self.leave()
        if self.is_gone:
            raise ClientGone("the client does not read")
