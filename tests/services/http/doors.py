"""HTTP doors on loopback, in TLS and in clear, with a directory in memory and applications for the tests."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import trustme

from postern.model.organization import Profile
from postern.net.by_name import ContextsByName
from postern.net.door import Door
from postern.net.tls import ServerContext
from postern.paths.guard import Guard
from postern.paths.row import Path, Port, Tls
from postern.paths.table import settle
from postern.services.http.access import HttpAccess, HttpLimits
from postern.services.http.session import HttpSession
from postern.services.http.site import Application, Receive, Route, Scope, Send, Site, caller_of
from postern.telemetry.observed import Observed
from postern.trust.authenticator import Authenticator
from postern.trust.certificates.client_certificates import ClientCertificateOwners
from postern.trust.host import HostCredentials
from tests.services.client_doors import HANGS, bound_tls
from tests.support.ports import free_port
from tests.trust.people import People

ROWS = settle(Profile.PRACTICAL)
ROW = ROWS["autodiscover"]
"""A row with Basic, NTLM and Negotiate, inside TLS alone."""
ANONYMOUS = replace(ROW, supported_auth=ROWS["metrics"].supported_auth, encryption=ROWS["metrics"].encryption)
"""A row that lets anybody in, in clear text too."""
HOST = "localhost"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT"})


async def body_of(receive: Receive) -> bytes:
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client left")
        pieces.append(message["body"])
        if not message["more_body"]:
            return b"".join(pieces)


async def answer(send: Send, body: bytes, status: int = 200, *fields: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(fields)})
    await send({"type": "http.response.body", "body": body})


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells the caller who he is, and the body that he sent."""
    body = await body_of(receive)
    caller = caller_of(scope)
    told = f"{caller.identity.name} {caller.identity.mechanism} {caller.row.id} {scope['path']} ".encode()
    await answer(send, told + body, 200, (b"content-type", b"text/plain"))


class WebDoor:
    """Alice (wonderland) may call. `port` is in TLS, `clear` is not."""

    def __init__(self, *routes: Route, limits: HttpLimits | None = None, host: HostCredentials | None = None) -> None:
        self.people = People()
        self.people.enabled = {"nt"}
        self.people.add("alice@example.test", "wonderland")
        self.authenticator = Authenticator(
            self.people, host or HostCredentials("mail", "example.test"), policy=self.people
        )
        self.observed = Observed(None)
        self.authority = trustme.CA()
        self.tls: ServerContext | ContextsByName = bound_tls(self.authority)
        self.owners: ClientCertificateOwners | None = None
        self.routes = routes
        self.limits = limits or HttpLimits()
        self.port, self.clear = free_port(), free_port()
        self.doors: list[Door] = []
        self.access: HttpAccess

    def route(
        self,
        prefix: str = "/",
        application: Application = hello,
        rows: Sequence[Path] = (ROW,),
        methods: frozenset[str] = METHODS,
        **more: Any,
    ) -> Route:
        return Route(prefix, Guard(rows, self.authenticator.available), application, methods, **more)

    @asynccontextmanager
    async def opened(self, *routes: Route) -> AsyncIterator[WebDoor]:
        """The doors, for 30 seconds at most; without routes one for `hello` everywhere."""
        await self.authenticator.refresh()
        for route in routes:
            route.guard.available = self.authenticator.available
        self.access = HttpAccess(
            Site(routes or [self.route()]),
            self.authenticator,
            self.observed,
            "mail",
            HOST,
            lambda host: host in (HOST, "mail.example.test", "127.0.0.1"),
            self.port,
            self.limits,
            owners=self.owners,
            asking_names=self.tls.asking_names if isinstance(self.tls, ContextsByName) else frozenset(),
        )
        for number, port in ((self.port, Port(443, tls=Tls.IMPLICIT)), (self.clear, Port(80))):
            tls = self.tls if port.tls is Tls.IMPLICIT else None
            door = Door([ROW], port, lambda: HttpSession(self.access), tls)
            await door.open("127.0.0.1", number)
            self.doors.append(door)
        try:
            async with asyncio.timeout(HANGS):
                yield self
        finally:
            for door in self.doors:
                await door.close(0.5)
            self.authenticator.close()

    def client_tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    def client(self, **more: Any) -> httpx.AsyncClient:
        """A client of the door in TLS."""
        more.setdefault("auth", ("alice", "wonderland"))
        return httpx.AsyncClient(base_url=f"https://{HOST}:{self.port}", verify=self.client_tls(), **more)

    def in_clear(self, **more: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://{HOST}:{self.clear}", **more)

    @asynccontextmanager
    async def dialled(self, clear: bool = False) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        tls = None if clear else self.client_tls()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.clear if clear else self.port, ssl=tls)
        try:
            yield reader, writer
        finally:
            writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes], bytes]:
    """Reads an answer with a Content-Length: its status, its fields and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    pairs = (line.partition(b": ")[::2] for line in lines)
    fields = {name.lower(): value for name, value in pairs}
    return int(first.split()[1]), fields, await reader.readexactly(int(fields.get(b"content-length", b"0")))
