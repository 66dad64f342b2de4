"""The web space of a door: which row answers for a path, and which application speaks behind it.

Applications are ASGI 3.0 (`scope`, `receive`, `send`); any ASGI test client can drive them. What the door knows of the caller is
in `caller_of(scope)`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

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
    """A part of the web space. `prefix` is a path in small letters: "/dav/" has all below it, "/autodiscover/autodiscover.xml" is
    one page; letters' case is ignored, as IIS does. `guard` speaks for the rows that answer there, which decide the challenges,
    who may call, and whether port 80 serves (else it redirects to 443). `methods` are those that the application has (others:
    405). `hosts` are names in small letters for which alone the route exists; () for any. `body` bounds a request's body (413),
    and `kinds` are the media types that it may have, in small letters (415; one that says none is taken, and frozenset() is any).
    `compresses` allows Brotli and gzip: say so only of an application none of whose answers holds a secret beside something that
    the caller's page or mail put there (the lengths of such answers tell the secret, as BREACH showed)."""

    prefix: str
    guard: Guard
    application: Application
    methods: frozenset[str]
    hosts: tuple[str, ...] = ()
    body: int = MAX_BODY
    compresses: bool = False
    kinds: frozenset[str] = frozenset()


class Site:
    """The routes of a door. Raises ValueError if two of them have the same prefix for the same host."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._by_host: dict[str, dict[str, Route]] = {}
        """By host ("" for any) the routes by their prefix."""
        for route in self.routes:
            prefix = route.prefix
            if not prefix.startswith("/") or prefix != _small(prefix) or path_of(prefix.encode()) != prefix:
                raise ValueError(f"{prefix!r} is no path in small letters")
            for host in route.hosts or ("",):
                if self._by_host.setdefault(host, {}).setdefault(prefix, route) is not route:
                    raise ValueError(f"two routes for {host}{prefix}")
        self._depth = max((route.prefix.count("/") for route in self.routes), default=0)
        self.methods = frozenset[str]().union(*(route.methods for route in self.routes))
        """The methods of all routes."""

    def route(self, host: str, path: str) -> Route | None:
        """The route with the longest prefix that fits; one with the host's name comes before one for any host. `path` comes from
        `path_of`. "/dav" is on the route "/dav/" too.

        Bound: linear in the path.
        """
        steps = self._steps(path)
        for name in (host, "") if host else ("",):
            prefixes = self._by_host.get(name)
            if prefixes is not None:
                for step in steps:
                    route = prefixes.get(step)
                    if route is not None:
                        return route
        return None

    def is_elsewhere(self, path: str) -> bool:
        """Whether another host name has a route for this path."""
        steps = self._steps(path)
        return any(step in prefixes for prefixes in self._by_host.values() for step in steps)

    def _steps(self, path: str) -> list[str]:
        """The prefixes that could fit, the longest first: the path itself, then what is above it, as deep as routes are."""
        path = _small(path)
        steps = [path] if path.endswith("/") else [path, path + "/"]
        end = 0
        above: list[str] = []
        while len(above) < self._depth and (end := path.find("/", end) + 1):
            above.append(path[:end])
        steps.extend(reversed(above))
        return steps


def path_of(target: bytes) -> str | None:
    """Reads the path of a request target in origin form: percent-decoded once, and without the segments "." and ".." (RFC 3986
    section 5.2.4). Returns None for a path that is no UTF-8, has control characters, climbs above the root, or hides a ".."
    behind a second percent-encoding: an application that decodes again would leave its route.

    Bound: linear in the target.
    """
    raw = target.partition(b"?")[0]
    if not raw.startswith(b"/"):
        return None
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
        if b"%" in raw and _climbs(unquote_to_bytes(raw)):
            return None
    try:
        path = raw.decode()
    except UnicodeDecodeError:
        return None
    if not path.isprintable() and any(letter < " " or letter == "\x7f" for letter in path):
        return None
    return _without_dots(path) if "/." in path else path


def _climbs(raw: bytes) -> bool:
    return b".." in raw.replace(b"\\", b"/").split(b"/")


def _without_dots(path: str) -> str | None:
    *above, last = path.split("/")[1:]
    kept: list[str] = []
    for segment in (*above, last):
        if segment == "..":
            if not kept:
                return None
            kept.pop()
        elif segment != ".":
            kept.append(segment)
    if last in (".", "..") and kept:
        kept.append("")
    return "/" + "/".join(kept)


def _small(path: str) -> str:
    """Makes small letters of A to Z alone, so that no other letter turns into one of theirs."""
    return path.lower() if path.isascii() else path.encode().lower().decode()
