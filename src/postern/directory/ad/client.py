"""LDAP to Active Directory: connections to the best domain controller, bound by Kerberos and sealed (RFC 4752, SSF 256).

Asks a Locator which controllers there are, and tells it of those that could not be used; the next one is tried at once. Names
are never looked up here: the connection goes to the controller's address, the ticket is for its FQDN. The event loop does bind
and sealing, and not libldap, which would make the whole process wait for name servers and for a server that hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import ldap
from ldap.ldapobject import SimpleLDAPObject

from postern.directory.ldap.client import BASE, Client
from postern.directory.ldap.connection import Connection, NoSuchEntry, Refused, describe
from postern.directory.ldap.sealed_layer import sealed
from postern.directory.ldap.tickets import TicketError, Tickets
from postern.model.directory import DirectoryUnavailable, DomainController, Locator
from postern.model.security import Mechanism, Seal
from postern.paths.row import Path, Port
from postern.telemetry.log import Event, log
from postern.telemetry.observed import Observed


class Tunnel(Protocol):
    """The connection that `net.tunnel` makes, as this module uses it."""

    def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes: ...

    async def start(self, outgoing: Callable[[bytes], bytes], incoming: Callable[[bytes], bytes]) -> int: ...

    def close(self) -> None: ...


Dial = Callable[[Path, Port, str], Awaitable[Tunnel]]
"""Connects: (row, port, address) to a connection, as `net.tunnel.tunnel`. Raises OSError, TimeoutError."""

SEALED = 256
"""The security strength factor of Kerberos' AES sealing, as SASL counts it. No weaker sealing is used."""
_TRIED = 4
"""Controllers that one attempt to connect tries."""
_ATTEMPT = 8.0
"""Seconds that one attempt to connect takes at most, over all controllers."""
_REVIEW = 30.0
"""Seconds after which a connection is compared with what the Locator says now, to return to the own site once it is back."""
_ROOT = (
    *("defaultNamingContext", "configurationNamingContext", "schemaNamingContext", "dnsHostName", "dsServiceName"),
    *("isSynchronized", "isGlobalCatalogReady", "highestCommittedUSN"),
)


class DomainClient(Client):
    """A client whose requests go to the best controller, on `port` ("ldap" or "global catalogue") of `row`. A request without an
    answer within `timeout` seconds fails, and its connection with it; a search is then made once more, at the next controller."""

    def __init__(
        self,
        row: Path,
        port: Port,
        locator: Locator,
        dial: Dial,
        tickets: Tickets,
        timeout: float = 2.0,
        observed: Observed | None = None,
    ) -> None:
        super().__init__(row, "", "", "", timeout, observed)
        self._port = port
        self._catalogue = port.label == "global catalogue"
        self._locator = locator
        self._dial = dial
        self._tickets = tickets
        self._controller: DomainController | None = None
        self._root: Mapping[str, Sequence[bytes]] = {}
        self._review_at = 0.0
        self._reviewing: asyncio.Task[None] | None = None

    async def root(self) -> Mapping[str, Sequence[bytes]]:
        """Returns the rootDSE of the controller that serves now (MS-ADTS 3.1.1.3.2). Raises DirectoryUnavailable."""
        await self._connected()
        return self._root

    async def controller(self) -> DomainController:
        """Returns the controller that serves now. Raises DirectoryUnavailable."""
        await self._connected()
        assert self._controller is not None
        return self._controller

    def apart(self) -> DomainClient:
        return DomainClient(
            self.row, self._port, self._locator, self._dial, self._tickets, self._timeout, self._observed
        )

    async def close(self) -> None:
        if self._reviewing is not None:
            self._reviewing.cancel()
            await asyncio.gather(self._reviewing, return_exceptions=True)
        await super().close()

    async def _connected(self) -> Connection:
        connection = await super()._connected()
        if self._reviewing is None and time.monotonic() > self._review_at:
            self._review_at = time.monotonic() + _REVIEW
            self._reviewing = asyncio.create_task(self._review(connection))
            self._reviewing.add_done_callback(self._reviewed)
        return connection

    async def _open(self) -> Connection:
        controllers = await self._controllers()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ATTEMPT):
                for controller in controllers[:_TRIED]:
                    if (connection := await self._reach(controller)) is not None:
                        self._connection = connection
                        return connection
        if not controllers:
            log(Event.DIRECTORY_UNAVAILABLE, path=self.row.id, error="no domain controller is known")
        raise DirectoryUnavailable(self.row.id)

    async def _controllers(self) -> list[DomainController]:
        """Returns the controllers that have this client's port, in the order of the Locator."""
        controllers = await self._locator.controllers()
        return [controller for controller in controllers if controller.global_catalogue or not self._catalogue]

    async def _reach(self, controller: DomainController) -> Connection | None:
        """Returns a bound connection, or None. The Locator hears of a controller that cannot be used now, but not of a missing
        ticket: that is the fault of the key distribution centres or of the keytab."""
        try:
            return await self._bound(controller)
        except TicketError as error:
            log(Event.DIRECTORY_UNAVAILABLE, path=self.row.id, peer=controller.address, error=str(error))
            return None
        except (OSError, TimeoutError, DirectoryUnavailable, Refused, NoSuchEntry) as error:
            problem = str(error) or type(error).__name__
        except ldap.LDAPError as error:
            problem = describe(error)
        log(Event.DIRECTORY_UNAVAILABLE, path=self.row.id, peer=controller.address, error=problem)
        self._locator.failed(controller)
        return None

    async def _bound(self, controller: DomainController) -> Connection:
        async with asyncio.timeout(self._timeout):
            tunnel = await self._dial(self.row, self._port, controller.address)
        try:
            context = await self._tickets.begin(controller.fqdn)
            async with asyncio.timeout(self._timeout):
                layer = await sealed(tunnel, context)
            if context.strength < SEALED:
                raise Refused(f"sealed with SSF {context.strength} only")
            connection = self._handle(await tunnel.start(layer.outgoing, layer.incoming), controller)
        except BaseException:
            tunnel.close()
            raise
        try:
            root = await self._read_root(connection)
        except BaseException:
            connection.close()
            raise
        self._controller, self._root = controller, root
        if self._observed is not None:
            seal = Seal("Kerberos", f"SSF {context.strength}")
            self._observed.seen(self.row.id, controller.address, Mechanism.KERBEROS, seal, time.time())
        return connection

    async def _read_root(self, connection: Connection) -> Mapping[str, Sequence[bytes]]:
        result = await connection.search("", BASE, "(objectClass=*)", _ROOT)
        root = {name: values for _, entry in result.rows for name, values in entry.items()}
        ready = "isGlobalCatalogReady" if self._catalogue else "isSynchronized"
        if root.get(ready, [b""])[0].upper() != b"TRUE":
            raise Refused(f"{ready} is not TRUE")
        return root

    def _handle(self, fd: int, controller: DomainController) -> Connection:
        def ended(why: str) -> None:
            if why:
                self._locator.failed(controller)

        try:
            handle = SimpleLDAPObject(f"ldap://{controller.fqdn}:{self._port.number}", fileno=fd)
        except BaseException:
            os.close(fd)
            raise
        handle.protocol_version = ldap.VERSION3
        handle.set_option(ldap.OPT_REFERRALS, ldap.OPT_OFF)
        handle.set_option(ldap.OPT_TIMEOUT, self._timeout)
        return Connection(handle, self.row.id, self._timeout, ended)

    # A better controller

    async def _review(self, connection: Connection) -> None:
        controllers = await self._controllers()
        if not controllers or self._controller is None or connection.closed:
            return
        best, now = controllers[0], self._controller
        better = best.up and best.fqdn != now.fqdn and (best.in_site and not now.in_site)
        if not better:
            return
        moved = await self._reach(best)
        if moved is None:
            return
        if self._connection is connection:
            self._connection = moved
            connection.retire()
        else:
            moved.close()

    def _reviewed(self, task: asyncio.Task[None]) -> None:
        self._reviewing = None
        if not task.cancelled():
            task.exception()
