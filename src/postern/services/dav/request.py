"""A request to DAV and its answer, between ASGI and the methods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from postern.net.turns import turns_of
from postern.protocols import xml
from postern.protocols.dav.bodies import BOUNDS
from postern.protocols.dav.fields import Preferences, read_preferences
from postern.protocols.dav.multistatus import error_body
from postern.protocols.dav.names import dav, element
from postern.protocols.http.events import Field
from postern.protocols.http.negotiation import ContentType, parse_content_type
from postern.services.http.answers import allow
from postern.services.http.long_bodies import LONG_BODY, LongBodies
from postern.services.http.site import Caller, Receive, Scope, Send, caller_of

XML = b"application/xml; charset=utf-8"
TOO_MANY = element(dav("number-of-matches-within-limits"))
"""The precondition that does not hold where there is more than is told."""
PIECE = 65_536
"""Octets of a long answer that are sent at once."""
_OF_COLLECTION = ("OPTIONS", "PROPFIND", "PROPPATCH", "REPORT")
"""The methods that every collection has."""


class Refusal(Exception):
    """Ends a request. `precondition` is the markup of the one that failed, as `names.element` writes it, and becomes the body;
    `markup` is a whole document in its place."""

    def __init__(
        self,
        status: HTTPStatus,
        precondition: str = "",
        fields: Sequence[Field] = (),
        text: str = "",
        markup: str = "",
    ) -> None:
        super().__init__(text or precondition or status.phrase)
        self.status = status
        self.precondition = precondition
        self.fields = tuple(fields)
        self.text = text
        self.markup = markup


class ClientLeft(ConnectionError):
    """The client has gone before its request was there."""


@dataclass(slots=True)
class Request:
    """A request. `path` is decoded, and has no dot segments. `query` is what stands behind the question mark, as
    it came. `long_bodies` counts its body if that is long, until `leave`."""

    method: str
    path: str
    fields: Sequence[Field]
    caller: Caller
    receive: Receive = field(repr=False)
    query: str = ""
    long_bodies: LongBodies = field(default_factory=LongBodies, repr=False)
    _is_counted: bool = False

    @classmethod
    def of(cls, scope: Scope, receive: Receive, long_bodies: LongBodies) -> Request:
        return cls(
            scope["method"],
            scope["path"],
            list(scope["headers"]),
            caller_of(scope),
            receive,
            scope.get("query_string", b"").decode("latin-1"),
            long_bodies,
        )

    def leave(self) -> None:
        """The request is answered."""
        if self._is_counted:
            self._is_counted = False
            self.long_bodies.leave(self.caller.identity.name)

    def field(self, name: str) -> str | None:
        """Returns the value of a field; of several they are joined by commas."""
        wanted = name.encode()
        values = [value.decode("latin-1") for key, value in self.fields if key == wanted]
        return ", ".join(values) if values else None

    @property
    def host(self) -> str:
        return self.field("host") or ""

    @property
    def content_type(self) -> ContentType:
        value = self.field("content-type")
        return parse_content_type(None if value is None else value.encode("latin-1"))

    @property
    def charset(self) -> str:
        """The charset of an XML body, if the client names one."""
        return self.content_type.charset

    @property
    def preferences(self) -> Preferences:
        return read_preferences(self.field("prefer"), self.field("brief"))

    async def body(self, most: int = BOUNDS.octets, precondition: str = "") -> bytes:
        """Reads the body. Raises Refusal: 413, or 403 with `precondition`, for one that is longer than `most`, and 503 for a long
        one where the caller has MOST_LONG of them already."""
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > most:
                status = HTTPStatus.FORBIDDEN if precondition else HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                raise Refusal(status, precondition, [(b"connection", b"close")])
            if size > LONG_BODY and not self._is_counted:
                if not self.long_bodies.enter(self.caller.identity.name):
                    fields = [(b"retry-after", b"5"), (b"connection", b"close")]
                    raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, fields=fields)
                self._is_counted = True
            if not message.get("more_body", False):
                return b"".join(pieces)


@dataclass(slots=True)
class Answer:
    """An answer. A body that comes piece by piece is sent as it is made, after `begin`."""

    status: HTTPStatus
    fields: list[Field] = field(default_factory=list)
    body: bytes | AsyncIterator[str] = b""
    first: str = ""
    """The beginning of the body, which `begin` has made."""

    async def begin(self) -> None:
        """Makes what is sent of the body at first, PIECE octets: what fails until then is refused by an answer of its own."""
        if isinstance(self.body, bytes):
            return
        pieces: list[str] = []
        size = 0
        async for piece in self.body:
            pieces.append(piece)
            size += len(piece)
            if size >= PIECE:
                break
        self.first = "".join(pieces)

    async def send(self, send: Send) -> None:
        """Sends the answer. Of one to HEAD, the door leaves the body out."""
        await send({"type": "http.response.start", "status": int(self.status), "headers": list(self.fields)})
        if isinstance(self.body, bytes):
            await send({"type": "http.response.body", "body": self.body})
            return
        pieces = [self.first]
        size = len(self.first)
        async for piece in self.body:
            pieces.append(piece)
            size += len(piece)
            if size >= PIECE:
                await send({"type": "http.response.body", "body": "".join(pieces).encode(), "more_body": True})
                pieces.clear()
                size = 0
                await turns_of(asyncio.get_running_loop()).come()
        await send({"type": "http.response.body", "body": "".join(pieces).encode()})


def refused(refusal: Refusal) -> Answer:
    """Returns the answer that a refusal is."""
    fields = list(refusal.fields)
    if refusal.markup:
        return document(refusal.status, refusal.markup, fields)
    if refusal.precondition:
        return Answer(refusal.status, [*fields, (b"content-type", XML)], error_body(refusal.precondition))
    if refusal.status < HTTPStatus.BAD_REQUEST:
        return Answer(refusal.status, fields)
    text = f"{refusal.text or refusal.status.phrase}\n".encode()
    return Answer(refusal.status, [*fields, (b"content-type", b"text/plain; charset=utf-8")], text)


def not_allowed(*methods: str, precondition: str = "") -> Refusal:
    """Returns the refusal of a method that a thing does not have; `methods` are those that it has."""
    return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, precondition, [allow(methods or _OF_COLLECTION)])


def applied(preferences: Preferences) -> list[Field]:
    """Returns the fields that say which preference was obeyed (RFC 7240 section 3)."""
    return [(b"preference-applied", b"return=minimal"), (b"vary", b"Prefer, Brief")] if preferences.is_minimal else []


def multistatus(pieces: AsyncIterator[str], more: Sequence[Field] = ()) -> Answer:
    return Answer(HTTPStatus.MULTI_STATUS, [(b"content-type", XML), *more], pieces)


def whole(markup: str, more: Sequence[Field] = ()) -> Answer:
    """Returns a multistatus answer that is there as a whole."""
    return Answer(HTTPStatus.MULTI_STATUS, [(b"content-type", XML), *more], markup.encode())


def document(status: HTTPStatus, markup: str, more: Sequence[Field] = ()) -> Answer:
    """Returns an answer whose body is this markup, with the declaration of XML before it."""
    return Answer(status, [(b"content-type", XML), *more], (xml.DECLARATION + markup).encode())
