"""HTTPS to an ACME server, on the row `acme`: one request a connection, in bounded time and size, and to public addresses only
unless the administrator says otherwise.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Sequence
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from postern.model.security import Mechanism
from postern.net.dns import DnsError, Resolver
from postern.net.door import dial
from postern.net.tls import validating_context
from postern.paths.row import Path
from postern.protocols.http.client import ClientMachine, NoResponse, Response
from postern.protocols.http.events import Field
from postern.services.http.outgoing import Exchange
from postern.telemetry.observed import Observed

HTTPS = 443
SECONDS = 30.0
"""Seconds of one request, from the look-up of the name until its answer."""
MAX_ADDRESSES = 4
MAX_URL = 2000
_HOST = re.compile(r"[0-9a-z._-]{1,255}+|[0-9a-f:.]{2,45}+")


class TransportError(Exception):
    """An ACME server could not be asked; the text says why."""


class AcmeTransport:
    """Asks ACME servers. `authorities` is a PEM file that validates them; None: the machine's own. `private` lets addresses that
    are not public be dialled, and other ports than 443: a firewall made of the table stops those."""

    def __init__(
        self,
        row: Path,
        resolver: Resolver,
        observed: Observed,
        authorities: FilePath | None = None,
        private: bool = False,
    ) -> None:
        self._row = row
        self._resolver = resolver
        self._observed = observed
        self._private = private
        try:
            self._tls = validating_context(authorities)
        except OSError:  # ssl.SSLError is one
            raise TransportError(f"{authorities} has no authorities: name a PEM file of them") from None

    async def exchange(self, method: str, url: str, body: bytes = b"", fields: Sequence[Field] = ()) -> Response:
        """Sends one request and returns its answer. Raises TransportError."""
        host, port, target = self._parts(url)
        try:
            async with asyncio.timeout(SECONDS):
                return await self._exchange(
                    host, port, ClientMachine(method, target, _authority(host, port), fields, body)
                )
        except TimeoutError:
            raise TransportError(f"{host} gave no answer within {SECONDS:.0f} seconds") from None

    async def _exchange(self, host: str, port: int, machine: ClientMachine) -> Response:
        trouble = f"{host} has no address that may be dialled"
        for address in await self._addresses(host):
            call = Exchange(machine)
            try:
                link = await dial(self._row, call, address, port, self._row.port(HTTPS), self._tls, host)
            except OSError as error:
                if problem := getattr(error, "verify_message", ""):
                    raise TransportError(
                        f"the certificate of {host} is not valid here ({problem}): name its authority with --authorities"
                    ) from None
                trouble = f"{host}[{address}]:{port}: {error.strerror or error}"
                continue
            self._observed.seen(self._row.id, address, Mechanism.CERTIFICATE, link.seal, time.time())
            try:
                event = await call.answer
            finally:
                link.abort()
            if isinstance(event, NoResponse):
                raise TransportError(f"{host} {event.why}")
            return event
        raise TransportError(trouble)

    async def _addresses(self, host: str) -> list[str]:
        try:
            addresses = await self._resolver.addresses(host)
        except DnsError as error:
            raise TransportError(error.text) from None
        allowed = [address for address in addresses if self._private or ipaddress.ip_address(address).is_global]
        if not allowed:
            raise TransportError(f"{host} has no public address ({', '.join(addresses)}): say --private if it is yours")
        return allowed[:MAX_ADDRESSES]

    def _parts(self, url: str) -> tuple[str, int, str]:
        """Takes an https URL apart. Raises TransportError."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or HTTPS
        except ValueError:
            host, port, parts = "", 0, urlsplit("")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if parts.scheme != "https" or not host or not (host + target).isascii() or len(url) > MAX_URL:
            raise TransportError(f"{url[:200]} is no https URL")
        if _HOST.fullmatch(host) is None or not target.isprintable() or " " in target or parts.username is not None:
            raise TransportError(f"{url[:200]} is no https URL")
        if port != HTTPS and not self._private:
            raise TransportError(
                f"the row acme has port {HTTPS} only: say --private for an authority of yours on {port}"
            )
        return host, port, target


def _authority(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == HTTPS else f"{name}:{port}"
