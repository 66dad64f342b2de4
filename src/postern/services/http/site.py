"""The web space of a door: which row answers for a path, and which application speaks behind it.

Applications are ASGI 3.0 (`scope`, `receive`, `send`); any ASGI test client can drive them. What the door knows of the caller is
in `caller_of(scope)`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from postern.model.security import Identity, Peer, Seal
from postern.paths.guard import Guard
from postern.paths.row import Path

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 1_048_576
"""Octets of a request's body where the route says nothing else."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request as the door has proven it. `row` is the path that the request is on."""

    identity: Identity
    row: Path
    peer: Peer
    seal: Seal | None


def caller_of(scope: Scope) -> Caller:
    """The caller of this request. An application is called with one only, after its row has admitted it."""
    caller: Caller = scope["extensions"]["postern"]
    return caller


@dataclass(frozen=True, slots=True)
class Route:
    """A part of the web space. `prefix` is a path in small letters: "/dav/" has all below it, "/autodiscover/autodiscover.xml"
    is one page; letters' case is ignored, as IIS does. `guard` speaks for the rows that answer there, which decide the
    challenges, who may call, and whether port 80 serves (else it redirects to 443). `methods` are those that the application
    has (others: 405). `hosts` are names in small letters for which alone the route exists; () for any. `body` bounds a
    request's body (413)."""

    prefix: str
    guard: Guard
    application: Application
    methods: frozenset[str]
    hosts: tuple[str, ...] = ()
    body: int = MAX_BODY


class Site:
    """The routes of a door."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)

    def route(self, host: str, path: str) -> Route | None:
        """The route with the longest prefix that fits; one with the host's name comes before one for any host."""
        raise NotImplementedError
