"""One connection to a door of HTTP: requests one after the other, each on the row of its route (RFC 9110, RFC 9112).

The door answers by itself what no application has to see: malformed requests, unknown paths and methods, bodies that are too
large, clear text where a row wants encryption, and callers whom no row admits. All others go to the route's application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from time import monotonic
from typing import Any
from urllib.parse import quote

from postern.model.security import Identity
from postern.protocols.http.events import Event as HttpEvent
from postern.protocols.http.events import Malformed, RequestHead
from postern.protocols.http.negotiation import parse_content_type
from postern.protocols.http.server import ServerMachine
from postern.services.conversation import Conversation
from postern.services.http.access import HttpAccess
from postern.services.http.admission import Admission, passes_clear
from postern.services.http.answers import BUSY, Answer, allow, last_words
from postern.services.http.exchange import MAX_DISCARDED, Exchange
from postern.services.http.site import Caller, Route, Scope, path_of
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, count, observe

GONE_AFTER = 5.0
"""Seconds that an application has to end after its client has left."""
MAX_TOLD = 1000
"""Characters of a path that the log has."""
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""


class HttpSession(Conversation):
    """One connection, for `Door(..., new_session=...)`."""

    turned_away = BUSY

    def __init__(self, access: HttpAccess) -> None:
        super().__init__()
        self.idle_timeout = access.limits.idle
        self._access = access
        self._machine = ServerMachine()
        self._admission: Admission | None = None
        self._exchange: Exchange | None = None
        self._late: asyncio.TimerHandle | None = None
        """The deadline of the head that is being read, or of a connection that lingers."""
        self._lingers = False

    # Conversation

    def feed(self, data: bytes) -> None:
        if not self._lingers:
            self._machine.receive(data)

    def received(self, data: bytes) -> None:
        """Gives the body of the running request to its exchange; what follows waits as the base has it."""
        exchange = self._exchange
        if exchange is None or exchange.is_whole or self._lingers:
            super().received(data)
            return
        self._last = self._loop.time()
        self._machine.receive(data)
        exchange.take()

    def next_event(self) -> HttpEvent | None:
        event = self._machine.next_event()
        if event is not None:
            self._in_time()
        elif self._late is None and self._machine.is_reading_head:
            self._late = self._loop.call_later(self._access.limits.head, self._head_is_late)
        return event

    def outgoing(self) -> bytes:
        return self._machine.outgoing()

    def closed(self, error: Exception | None) -> None:
        """Tells a running application, which then has GONE_AFTER seconds."""
        self._in_time()
        if self._exchange is not None and self._task is not None:
            task, self._task = self._task, None
            self._loop.call_later(GONE_AFTER, task.cancel)
            self._exchange.leave()
        super().closed(error)

    def handle(self, event: HttpEvent) -> Awaitable[None] | None:
        if isinstance(event, RequestHead):
            assert self.link is not None
            # At once: the body may come before the task begins.
            self._exchange = Exchange(event, self._machine, self.link, self._access.limits, self.flush)
            self._exchange.take()
            return self._serve(self._exchange)
        assert isinstance(event, Malformed)
        self._refuse(event.status)
        return None

    def failed(self, error: BaseException) -> None:
        if self._exchange is not None:
            self._exchange.break_off(Answer(HTTPStatus.INTERNAL_SERVER_ERROR, ends=True))

    # The connection

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _head_is_late(self) -> None:
        self._late = None
        if self._task is None:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answers octets that are no request, and ends the connection."""
        link = self.link
        assert link is not None
        self.flush()
        link.write(last_words(status, link.seal is not None))
        observe(Metric.HTTP_SECONDS, 0.0, "", f"{status // 100}xx")
        log(Event.HTTP_REQUEST, path="", peer=str(link.peer), name="", method="", target="", status=status.value)
        self._end()

    def _end(self) -> None:
        """Ends the connection of a client that may still be sending: it is read on for a moment, since to close at once would
        take the answer from it (RFC 9112 section 9.6)."""
        self.flush()
        self._lingers = True
        self.drop_pending()
        self._in_time()
        if self.link is not None:
            self._late = self._loop.call_later(self._access.limits.linger, self.link.close)

    # A request

    async def _serve(self, exchange: Exchange) -> None:
        link, in_flight, head = self.link, self._access.in_flight, exchange.head
        assert link is not None
        began = monotonic()
        path = path_of(head.target) if head.target != b"*" else "*"
        route = self._access.site.route(head.host, path) if path is not None else None
        caller: Caller | None = None
        is_in = in_flight.enter(link.peer.host)
        try:
            if not is_in:
                count(Metric.REFUSALS, route.guard.door if route is not None else "", "requests-in-flight")
                answer: Answer | None = Answer(HTTPStatus.SERVICE_UNAVAILABLE, [(b"retry-after", b"1")])
            elif path is None:
                answer = Answer(HTTPStatus.BAD_REQUEST)
            elif self._is_misdirected(head):
                answer = Answer(HTTPStatus.MISDIRECTED_REQUEST)
            elif route is None:
                answer = self._without_route(path)
            else:
                answer = self._look(head, route)
                if answer is None:
                    admitted = await self._admitting().admit(head, route)
                    if isinstance(admitted, Answer):
                        answer = admitted
                    else:
                        caller, proof = admitted
                        exchange.admit(route.body, route.compresses, proof)
                        await self._run(exchange, route, path, caller)
            if answer is not None:
                await self._refuse_request(exchange, route, answer)
        finally:
            if is_in:
                in_flight.leave(link.peer.host)
            self._record(exchange, route, caller, path, began)
        self._exchange = None
        self._conclude(exchange)

    def _conclude(self, exchange: Exchange) -> None:
        """Ends the connection where it must end with the answer that was given."""
        ends = self._machine.ends or (self._admission is not None and self._admission.ends)
        if ends and exchange.is_whole:
            self._close()
        elif ends:
            self._end()

    def _admitting(self) -> Admission:
        if self._admission is None:
            assert self.link is not None
            self._admission = Admission(self._access, self.link, self._watch, self.unwatch)
        return self._admission

    def _watch(self, identity: Identity) -> None:
        if self.link is not None and not self.link.is_closed:  # else nobody would end the watch
            self.watch(self._access.authenticator.reauthorization, identity)

    def _without_route(self, path: str) -> Answer:
        if path == "*":
            return Answer(HTTPStatus.NO_CONTENT, [allow(self._access.site.methods | {"OPTIONS"})])
        # RFC 9110 section 15.5.20: the path exists, under another name than the one that the client asked for.
        elsewhere = self._access.site.is_elsewhere(path)
        return Answer(HTTPStatus.MISDIRECTED_REQUEST if elsewhere else HTTPStatus.NOT_FOUND)

    def _is_misdirected(self, head: RequestHead) -> bool:
        """Whether the request is for a name under which clients are asked for a certificate, and its connection for another one,
        or the other way round (RFC 9110 section 7.4)."""
        link, asking = self.link, self._access.asking_names
        assert link is not None
        if not asking or link.seal is None or head.host == link.server_name:
            return False
        return head.host in asking or link.server_name in asking

    def _look(self, head: RequestHead, route: Route) -> Answer | None:
        """Returns the refusal that needs no caller; None to go on."""
        assert self.link is not None
        if self.link.seal is None and not passes_clear(route.guard):
            if head.method in ("GET", "HEAD"):
                return Answer(HTTPStatus.MOVED_PERMANENTLY, [(b"location", self._in_tls(head))])
            return self._admitting().refuse_clear(route.guard)
        if head.method not in route.methods:
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, [allow(route.methods)])
        if head.method not in _SAFE and _is_from_another_site(head):
            return self._admitting().refuse_site(route.guard)
        if head.length is not None and head.length > route.body:
            return Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ends=True)
        return _refuse_kind(head, route) if route.kinds and head.length != 0 else None

    def _in_tls(self, head: RequestHead) -> bytes:
        """Returns the address of the same page at the door with TLS, under the name that the client asked for if it is ours."""
        assert self.link is not None
        access = self._access
        host = head.host if head.host and access.is_ours(head.host) else access.host
        port = "" if access.https == 443 else f":{access.https}"
        return f"https://{host}{port}{quote(head.target, safe=_VISIBLE)}".encode()

    async def _run(self, exchange: Exchange, route: Route, path: str, caller: Caller) -> None:
        if exchange.is_gone:
            return
        try:
            await route.application(self._scope(exchange.head, path, caller), exchange.receive, exchange.send)
            if not exchange.is_done and not exchange.is_gone:
                raise RuntimeError("the application did not finish its answer")
        except Exception as error:
            if exchange.is_gone:
                return  # the client has left, or has its answer: that is no fault of the application
            log(Event.HTTP_FAILED, path=caller.row.id, target=path[:MAX_TOLD], error=repr(error), exc_info=error)
            exchange.break_off(Answer(HTTPStatus.INTERNAL_SERVER_ERROR))

    def _scope(self, head: RequestHead, path: str, caller: Caller) -> Scope:
        link = self.link
        assert link is not None
        raw, _, query = head.target.partition(b"?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": head.version,
            "method": head.method,
            "scheme": "http" if link.seal is None else "https",
            "path": path,
            "raw_path": raw,
            "query_string": query,
            "root_path": "",
            "headers": head.fields,
            "server": (link.local.host, link.local.port),
            "client": (link.peer.host, link.peer.port),
            "extensions": {"postern": caller},
        }
        return scope

    async def _refuse_request(self, exchange: Exchange, route: Route | None, answer: Answer) -> None:
        """Answers in the application's place, behind the body: many clients read no answer while they send. By NTLM and Negotiate
        they log on with several requests of one connection, so that it must go on behind 401, whatever the body."""
        if answer.status is HTTPStatus.UNAUTHORIZED and route is not None:
            await exchange.discard(max(MAX_DISCARDED, route.body), invites=True)
        elif not answer.ends:
            await exchange.discard()
        if not exchange.is_gone:
            admission = self._admission
            ends = answer.ends or (admission is not None and admission.ends)
            exchange.answer(Answer(answer.status, answer.fields, ends))

    def _record(
        self, exchange: Exchange, route: Route | None, caller: Caller | None, path: str | None, began: float
    ) -> None:
        """Counts the request, and writes it down."""
        link = self.link
        assert link is not None
        seconds = monotonic() - began
        status = exchange.status
        kind = f"{status // 100}xx" if status else ""
        observe(Metric.HTTP_SECONDS, seconds, route.prefix if route is not None else "", kind)
        row = caller.row.id if caller is not None else route.guard.door if route is not None else ""
        log(
            Event.HTTP_REQUEST,
            path=row,
            peer=str(link.peer),
            name=caller.identity.name if caller is not None else "",
            method=exchange.head.method,
            target=(path or "")[:MAX_TOLD],
            status=status,
            seconds=round(seconds, 4),
            octets=exchange.sent,
        )


def _refuse_kind(head: RequestHead, route: Route) -> Answer | None:
    """Refuses a body of a media type that the route does not take (RFC 9110 section 15.5.16)."""
    said = head.field(b"content-type")
    if said is None or parse_content_type(said).media.lower() in route.kinds:
        return None
    return Answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, [(b"accept", ", ".join(sorted(route.kinds)).encode())])


def _is_from_another_site(head: RequestHead) -> bool:
    """Whether a page of another site had a browser send this (RFC 6454 section 7): the browser adds what it knows of the user by
    itself, Negotiate in a domain above all. Other programs send no Origin, or that of the server itself (Thunderbird)."""
    origin = head.field(b"origin")
    return origin is not None and origin.partition(b"://")[2].lower() != (head.field(b"host") or b"").lower()
