"""Requests that this server makes of others by HTTP, each on a connection of its own, dialled for a row of the table."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from postern.net.dns import DnsError, Resolver
from postern.net.door import dial
from postern.net.link import Link, TlsContext
from postern.paths.row import Path
from postern.protocols.http.client import MAX_ANSWER, ClientMachine, NoResponse, Response
from postern.protocols.http.events import Field
from postern.telemetry.observed import Observed

MAX_ADDRESSES = 4
"""Addresses of one host that are tried."""
MAX_URL = 2000
HTTPS, HTTP = 443, 80
_HOST = re.compile(r"[0-9a-z._-]{1,255}+|[0-9a-f:.]{2,45}+")


_UNICAST = ipaddress.ip_network("2000::/3")
"""The addresses of IPv6 that are given to hosts of the Internet (RFC 4291 section 2.4). Beside them lie old ones of sites, and
those with an address of IPv4 in them."""
_EMBEDDING = tuple(map(ipaddress.ip_network, ("2002::/16", "2001::/32")))
"""Networks of addresses that stand for others (6to4, Teredo), which may be private. That of NAT64 is not in 2000::/3."""


def is_public(address: str) -> bool:
    """Whether an address is one host's on the Internet."""
    known = ipaddress.ip_address(address)
    if known.version == 6 and known not in _UNICAST:
        return False
    return known.is_global and not known.is_multicast and not any(known in network for network in _EMBEDDING)


class Permitted:
    """The addresses that may be dialled: public ones on the ports 443 and 80, and those of the configured `networks` on any."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self._networks = tuple(map(ipaddress.ip_network, networks))

    def __call__(self, address: str, port: int) -> bool:
        if any(ipaddress.ip_address(address) in network for network in self._networks):
            return True
        return port in (HTTPS, HTTP) and is_public(address)


class OutgoingError(Exception):
    """There was no answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a URL. `host` is a name or an address, in small letters, `path` has the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The host and port as the field Host has them (RFC 9110 section 7.2)."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (HTTPS if self.scheme == "https" else HTTP) else f"{name}:{self.port}"


def target_of(url: str) -> Target | None:
    """Takes a URL of http or https apart; None for what is none, or has a user in it.

    Bound: linear; at most MAX_URL characters.
    """
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or _HOST.fullmatch(host) is None or "@" in parts.netloc or port == 0:
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or (HTTPS if parts.scheme == "https" else HTTP), path)


class Outgoing:
    """Makes requests on one row, which has the ports 443 and, for http, 80. By its mechanism the caller proves itself.
    `tls` validates the certificates of peers. `allows` says of an address and a port whether they may be dialled. An answer has
    at most `most` octets."""

    def __init__(
        self,
        row: Path,
        resolver: Resolver,
        observed: Observed,
        tls: TlsContext,
        allows: Callable[[str, int], bool],
        seconds: float = 30.0,
        most: int = MAX_ANSWER,
    ) -> None:
        self._row = row
        self._resolver = resolver
        self._observed = observed
        self._tls = tls
        self._allows = allows
        self._seconds = seconds
        self._most = most

    async def post(self, target: Target, body: bytes, fields: Sequence[Field]) -> Response:
        """Posts a body, and returns the answer. Redirections are not followed. Raises OutgoingError."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(target, body, fields)
        except TimeoutError:
            raise OutgoingError(f"{target.host} gave no answer within {self._seconds:.0f} seconds") from None

    async def _post(self, target: Target, body: bytes, fields: Sequence[Field]) -> Response:
        trouble = f"{target.host} has no address that may be dialled"
        for address in await self._addresses(target):
            machine = ClientMachine("POST", target.path, target.authority, fields, body, self._most)
            call = Exchange(machine)
            port = self._row.port(HTTPS if target.scheme == "https" else HTTP)
            try:
                link = await dial(self._row, call, address, target.port, port, self._tls, target.host)
            except OSError as error:
                trouble = f"{target.host}[{address}]:{target.port}: {error.strerror or error}"
                continue
            self._observed.seen(self._row.id, address, self._row.default_auth[0], link.seal, time.time())
            try:
                event = await call.answer
            finally:
                link.abort()
            if isinstance(event, NoResponse):
                raise OutgoingError(f"{target.host} {event.why}")
            return event
        raise OutgoingError(trouble)

    async def _addresses(self, target: Target) -> list[str]:
        """The addresses of a host that may be dialled. They are looked up for each request, and dialled as they were judged: a
        name cannot come to mean another address between the two."""
        try:
            addresses = await self._resolver.addresses(target.host)
        except DnsError as error:
            raise OutgoingError(error.text) from None
        return [address for address in addresses if self._allows(address, target.port)][:MAX_ADDRESSES]


class Exchange:
    """The session of one request on a link."""

    def __init__(self, machine: ClientMachine) -> None:
        self._machine = machine
        self.answer: asyncio.Future[Response | NoResponse] = asyncio.get_running_loop().create_future()

    def opened(self, link: Link) -> None:
        link.write(self._machine.outgoing())

    def received(self, data: bytes) -> None:
        self._machine.receive(data)
        self._settle()

    def closed(self, error: Exception | None) -> None:
        self._machine.ended()
        self._settle()

    def _settle(self) -> None:
        event = self._machine.next_event()
        if event is not None and not self.answer.done():
            self.answer.set_result(event)
