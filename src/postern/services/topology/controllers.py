"""Finds the domain controllers by DNS, and asks them by CLDAP every few seconds how they are.

It reads SRV records (MS-ADTS 6.3.2.3) and the controllers' answers (MS-ADTS 6.3.3.2), keeps the list in a file for the time when
DNS is down, and tells `changed` when the order changes. A host has one; its other processes ask it (`server`, `client`).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

from postern.model.directory import DomainController
from postern.model.organization import ActiveDirectory
from postern.net.datagram import ask
from postern.net.dns import DnsError, Resolver
from postern.paths.row import Path, Port, Wire
from postern.protocols.ldap import cldap
from postern.services.topology import memory as topology_memory
from postern.telemetry.log import Event, log
from postern.telemetry.rounds import rounds

PING_EVERY = 3.0
PING_TIMEOUT = 1.0
FAR_EVERY = 5
"""Every so many rounds the controllers of other sites are asked, too, while one of our own site answers."""
LOOK_EVERY = 60.0
LOOK_AGAIN = 5.0
"""Seconds until DNS is asked again after it did not answer."""
MISSES = 2
"""Unanswered pings in turn after which a controller counts as down."""
GRUDGE = 5.0
"""Seconds for which a controller that failed a caller is the last choice, though it answers pings."""
MAX_CONTROLLERS = 64
_FIRST_LOOK = 5.0
"""Seconds that a caller waits for the very first answer."""


@dataclass(slots=True)
class _Controller:
    """A controller that is known by name. `addresses` are tried in their order; the first is the one that answered last."""

    fqdn: str
    addresses: list[str]
    site: str = ""
    catalogue: bool = False
    up: bool = False
    misses: int = 0
    latency: float = 0.0
    grudge_until: float = 0.0


class Topology:
    """A `model.directory.Locator`. `row` is a row to Active Directory (its 389/UDP is used). `site` is this host's configured
    site; a controller's answer replaces it. `known` are controllers that the organization's file names (name and address); they
    are asked beside those that DNS names. `memory` is the file that the list is kept in."""

    def __init__(
        self,
        row: Path,
        domain: ActiveDirectory,
        resolver: Resolver,
        site: str,
        host: str,
        known: Iterable[tuple[str, str]] = (),
        memory: FilePath | None = None,
        changed: Callable[[tuple[DomainController, ...]], None] = lambda controllers: None,
    ) -> None:
        self.site = site
        self.row = row
        self._port: Port = row.port("ldap", Wire.UDP)
        self._domain = domain.domain
        self._resolver = resolver
        self._host = host
        self._memory = memory
        self._changed = changed
        self._told: tuple[object, ...] = ()
        self._controllers: dict[str, _Controller] = {}
        self._configured = tuple(known)
        self._round = 0
        self._dns_answers = False
        self._first = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        remembered = topology_memory.read(memory, self._domain) if memory is not None else None
        for controller in remembered.controllers if remembered is not None else ():
            self._controllers[controller.fqdn] = _Controller(
                controller.fqdn, [controller.address], controller.site, controller.global_catalogue
            )
        if remembered is not None and remembered.site:
            self.site = remembered.site
        self._add_configured()

    # model.directory.Locator

    async def controllers(self) -> Sequence[DomainController]:
        if not self._first.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._first.wait(), _FIRST_LOOK)
        return self.now()

    def failed(self, controller: DomainController) -> None:
        entry = self._controllers.get(controller.fqdn.lower())
        if entry is not None:
            entry.up = False
            entry.grudge_until = time.monotonic() + GRUDGE
            self._tell()

    def now(self) -> tuple[DomainController, ...]:
        """Returns the controllers as they are known at this moment, best first."""
        return tuple(
            DomainController(
                controller.fqdn,
                controller.addresses[0],
                controller.site,
                self._in_site(controller),
                controller.catalogue,
                controller.up,
                controller.latency,
            )
            for controller in sorted(self._controllers.values(), key=self._rank)
        )

    # Life

    def start(self) -> None:
        looks = rounds(
            lambda: LOOK_EVERY if self._dns_answers else LOOK_AGAIN, self._look, "search for controllers", at_once=True
        )
        pings = rounds(
            lambda: PING_EVERY if self._controllers else PING_TIMEOUT / 4,
            self._ping_due,
            "pings of controllers",
            at_once=True,
        )
        self._tasks = [asyncio.create_task(looks), asyncio.create_task(pings)]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def look(self) -> tuple[DomainController, ...]:
        """Asks DNS once, and pings each controller once: for commands, which run no topology."""
        await self._discover()
        await self._ping_all(self._controllers.values())
        self._settled()
        return self.now()

    async def _look(self) -> None:
        self._dns_answers = False
        self._dns_answers = await self._discover()
        self._tell()

    async def _ping_due(self) -> None:
        """Pings the controllers of our own site and, when it is their turn or none of those is up, the others."""
        if self._controllers:
            near = [controller for controller in self._controllers.values() if self._in_site(controller)]
            far = self._round % FAR_EVERY == 0 or not any(controller.up for controller in near)
            await self._ping_all(self._controllers.values() if far else near)
            self._round += 1
            self._settled()

    def _settled(self) -> None:
        self._first.set()
        self._tell()

    def _tell(self) -> None:
        """Tells the waiting clients of a new order, and remembers the list."""
        controllers = self.now()
        order = (
            self.site,
            *(
                (controller.fqdn, controller.address, controller.up, controller.site, controller.global_catalogue)
                for controller in controllers
            ),
        )
        if order == self._told:
            return
        self._told = order
        log(Event.TOPOLOGY_CHANGED, site=self.site, up=[c.fqdn for c in controllers if c.up], path=self.row.id)
        if self._memory is not None and controllers:
            with contextlib.suppress(OSError):  # a full disk: the file stays as it was
                topology_memory.write(self._memory, self._domain, self.site, controllers)
        self._changed(controllers)

    # What is known

    def _in_site(self, controller: _Controller) -> bool:
        return controller.site.lower() == self.site.lower()

    def _rank(self, controller: _Controller) -> tuple[object, ...]:
        """The sort key of a controller. Latencies count by doublings only, so that the order is stable; among equals each host
        has an order of its own, so that not every host asks the same controller."""
        turn = zlib.crc32(f"{self._host}/{controller.fqdn}".encode())
        return (
            not controller.up,
            not self._in_site(controller),
            int(math.log2(controller.latency * 250 + 1)),
            turn,
            controller.fqdn,
        )

    def _add_configured(self) -> None:
        for fqdn, address in self._configured:
            name = fqdn.lower().rstrip(".")
            known = self._controllers.setdefault(name, _Controller(name, []))
            if address not in known.addresses:
                known.addresses.append(address)

    async def _discover(self) -> bool:
        """Takes over the controllers that DNS names. Returns False, and keeps those that are known, if it names none."""
        names: dict[str, None] = {}
        for name in (
            f"_ldap._tcp.{self.site}._sites.dc._msdcs.{self._domain}",
            f"_ldap._tcp.dc._msdcs.{self._domain}",
        ):
            try:
                for service in await self._resolver.services(name):
                    names[service.host] = None
            except DnsError as error:
                log(Event.DNS_UNAVAILABLE, path=self._resolver.row.id, error=error.text)
                return False
        if not names:
            return False
        answers = await asyncio.gather(*(self._addresses(name) for name in list(names)[:MAX_CONTROLLERS]))
        for name, addresses in zip(names, answers, strict=False):
            known = self._controllers.get(name)
            if known is None and addresses:
                self._controllers[name] = _Controller(name, addresses)
            elif known is not None and addresses:
                stale = known.addresses[0] if known.addresses and known.addresses[0] in addresses else None
                known.addresses = [stale, *(a for a in addresses if a != stale)] if stale else addresses
        for name in self._controllers.keys() - names.keys():
            del self._controllers[name]
        self._add_configured()
        return True

    async def _addresses(self, name: str) -> list[str]:
        try:
            return await self._resolver.addresses(name)
        except DnsError:
            return []

    # Health

    async def _ping_all(self, controllers: Iterable[_Controller]) -> None:
        await asyncio.gather(*(self._ping(controller) for controller in list(controllers)))

    async def _ping(self, controller: _Controller) -> None:
        for address in list(controller.addresses[:2]):
            answer, took = await self._question(address)
            if answer is not None and answer.serves and answer.fqdn in ("", controller.fqdn):
                self._answered(controller, address, answer, took)
                return
        controller.misses += 1
        if controller.misses >= MISSES or not controller.latency:
            controller.up = False

    def _answered(self, controller: _Controller, address: str, answer: cldap.Pong, took: float) -> None:
        if address in controller.addresses:  # DNS may have named others since the question
            controller.addresses.remove(address)
            controller.addresses.insert(0, address)
        controller.misses = 0
        controller.latency = took if not controller.latency else 0.75 * controller.latency + 0.25 * took
        controller.site, controller.catalogue = answer.site, answer.global_catalogue
        controller.up = time.monotonic() >= controller.grudge_until
        if answer.client_site:
            self.site = answer.client_site

    async def _question(self, address: str) -> tuple[cldap.Pong | None, float]:
        number = secrets.randbelow(0x7FFF_FFFF) + 1
        begin = time.monotonic()
        try:
            data = await ask(self.row, self._port, address, cldap.ping(number, self._domain), PING_TIMEOUT)
        except (OSError, TimeoutError):
            return None, 0.0
        return cldap.pong(data, number), time.monotonic() - begin
