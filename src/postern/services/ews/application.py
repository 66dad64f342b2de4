"""The ASGI application of Exchange Web Services: it reads an envelope and gives the request to its operation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from http import HTTPStatus

from postern.net.turns import turns_of
from postern.protocols.ews import envelope
from postern.protocols.ews.codes import Code
from postern.protocols.ews.envelope import CONTENT_TYPE, MAX_OCTETS, Fault, Request
from postern.protocols.http.negotiation import parse_content_type
from postern.services.ews.access import Call, EwsAccess
from postern.services.ews.impersonation import acting
from postern.services.ews.operation import Operation
from postern.services.http.long_bodies import LONG_BODY, LongBodies
from postern.services.http.site import Receive, Scope, Send, caller_of
from postern.services.scheduling.aside import aside

METHODS = frozenset({"POST", "GET", "HEAD"})
KINDS = frozenset({"text/xml", "application/xml", "application/soap+xml"})
PIECE = 65_536
"""Octets of an answer that are sent at once."""
_NAMES = {f"{name}Request": name for name in ("GetUserAvailability", "GetUserOofSettings", "SetUserOofSettings")}
"""The operations of MS-OXWAVLS and MS-OXWOOF whose request is not called as they are."""
_HEADERS = [(b"content-type", CONTENT_TYPE.encode()), (b"cache-control", b"private")]


class _ClientLeft(ConnectionError):
    """The client has gone before its request was there."""


class EwsApplication:
    """Answers `/ews/exchange.asmx`. Raises ValueError for two operations of one name."""

    def __init__(self, access: EwsAccess, operations: Sequence[Operation]) -> None:
        self._access = access
        self._operations: Mapping[str, Operation] = {operation.name: operation for operation in operations}
        if len(self._operations) != len(operations):
            raise ValueError("two operations have one name")
        self._long_bodies = LongBodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"EWS does not speak {scope['type']}")
        if scope["method"] != "POST":
            await _send_whole(send, HTTPStatus.OK, b"")
            return
        name = caller_of(scope).identity.name
        body = _Body(receive, self._long_bodies, name)
        try:
            await self._serve(scope, await body.read(), send)
        except _ClientLeft:
            return
        except Fault as fault:
            await _send_whole(send, HTTPStatus.INTERNAL_SERVER_ERROR, envelope.fault(fault))
        finally:
            body.leave()

    async def _serve(self, scope: Scope, octets: bytes, send: Send) -> None:
        request = await _read(octets, _charset(scope))
        # A large request is in memory once while it is worked on.
        del octets
        operation = self._operations.get(_NAMES.get(request.operation, request.operation))
        if operation is None:
            raise Fault(Code.SCHEMA_VALIDATION, f"The operation {request.operation[:80]} is not supported.")
        if operation.since > request.header.version:
            raise Fault(Code.INVALID_REQUEST, f"{operation.name} came with {operation.since.label}.")
        caller = caller_of(scope).identity
        identity = await acting(self._access, caller, request.header.impersonated, operation.name)
        call = Call(self._access, identity, request.header, None if identity is caller else caller)
        async with aclosing(operation.answer(call, request.body)) as pieces:
            await _send_pieces(send, pieces)


async def _read(octets: bytes, charset: str) -> Request:
    return await aside(octets, lambda: envelope.read(octets, charset))


class _Body:
    """The body of a request; a long one is counted until `leave`."""

    def __init__(self, receive: Receive, long_bodies: LongBodies, name: str) -> None:
        self._receive = receive
        self._long_bodies = long_bodies
        self._name = name
        self._is_counted = False

    async def read(self) -> bytes:
        """Reads all of it. Raises Fault: ErrorRequestStreamTooBig; ErrorServerBusy where the caller has too many long ones."""
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _ClientLeft
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > MAX_OCTETS:
                raise Fault(Code.REQUEST_STREAM_TOO_BIG)
            if size > LONG_BODY and not self._is_counted:
                if not self._long_bodies.enter(self._name):
                    raise Fault(Code.SERVER_BUSY)
                self._is_counted = True
            if not message.get("more_body", False):
                return b"".join(pieces)

    def leave(self) -> None:
        if self._is_counted:
            self._is_counted = False
            self._long_bodies.leave(self._name)


async def _send_whole(send: Send, status: HTTPStatus, body: bytes) -> None:
    await send({"type": "http.response.start", "status": int(status), "headers": list(_HEADERS)})
    await send({"type": "http.response.body", "body": body})


async def _send_pieces(send: Send, pieces: AsyncIterator[str]) -> None:
    """Sends an answer as it is made; an empty piece has all sent that is there. What fails before the first piece is a fault."""
    waiting: list[str] = []
    size = 0
    has_begun = False
    async for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE or not piece:
            if not has_begun:
                has_begun = True
                await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
            await send({"type": "http.response.body", "body": "".join(waiting).encode(), "more_body": True})
            waiting.clear()
            size = 0
            await turns_of(asyncio.get_running_loop()).come()
    if not has_begun:
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
    await send({"type": "http.response.body", "body": "".join(waiting).encode()})


def _charset(scope: Scope) -> str:
    value = next((field for name, field in scope["headers"] if name == b"content-type"), b"")
    return parse_content_type(value).charset
