"""Fuzz target for the HTTP door: `python tests/fuzz/fuzz_web.py -max_total_time=300`, with atheris.

The first octet says how the rest is cut. A session reads it in clear text: it never fails, answers what it takes for a request,
keeps no more than its bounds, and no path leaves its route.
"""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import nullcontext
from typing import Any, cast

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern.services.http", "postern.protocols.http"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.services.http.session import HttpSession
    from postern.services.http.site import path_of

from postern.model.organization import Profile
from postern.model.security import Channel, Peer
from postern.paths.guard import Guard
from postern.paths.table import settle
from postern.services.http.access import HttpAccess, HttpLimits
from postern.services.http.site import Receive, Route, Scope, Send, Site
from postern.telemetry.observed import Observed
from postern.trust.authenticator import Authenticator
from tests.trust.people import People

_ANSWER = re.compile(rb"HTTP/1\.1 \d{3} ")
_ROWS = settle(Profile.PRACTICAL)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "OPTIONS"})


class _Link:
    """A link whose client reads everything."""

    def __init__(self) -> None:
        self.peer, self.local, self.seal = Peer("192.0.2.1", 40_000), Peer("192.0.2.2", 80), None
        self.is_closed = self.congested = False
        self.sent = b""

    def write(self, data: bytes) -> None:
        self.sent += data

    async def drained(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def channel(self) -> Channel:
        return Channel()


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["path"].lower().startswith("/open/") or scope["path"].lower() == "/open"
    assert ".." not in scope["path"].split("/")
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def _session(data: bytes, step: int) -> bytes:
    authenticator = Authenticator(People())
    routes = [
        Route(
            "/open/", Guard([_ROWS["client-configuration"]], frozenset()), _echo, _METHODS, body=10_000, compresses=True
        ),
        Route("/closed/", Guard([_ROWS["autodiscover"]], authenticator.available), _echo, _METHODS),
    ]
    limits = HttpLimits(head=0.01, part=0.01, idle=0.01, linger=0.0)
    access = HttpAccess(
        Site(routes), authenticator, Observed(None), "fuzz", "a.test", lambda host: host == "a.test", limits=limits
    )
    link = _Link()
    session = HttpSession(access)
    failures: list[BaseException] = []
    session.failed = failures.append  # type: ignore[method-assign]  # a handler that raises is what is looked for
    session.opened(cast(Any, link))
    for start in range(0, len(data), step):
        session.received(data[start : start + step])
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        while session._task is not None:  # noqa: ASYNC110 (nothing announces it)
            await asyncio.sleep(0.001)
    session.closed(None)
    authenticator.close()
    assert not failures, failures
    assert not access.in_flight._counts
    assert not link.sent or _ANSWER.match(link.sent), link.sent[:100]
    return link.sent


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where the door does what it must not."""
    if not data:
        return
    path = path_of(data[1:])
    assert path is None or (path.startswith("/") and not {".", ".."} & set(path.split("/")))
    asyncio.run(_session(data[1:], 1 + data[0] * 8))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
