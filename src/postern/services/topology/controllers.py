"""Which domain controllers there are and how they fare: found by DNS, asked by CLDAP every few seconds.

Reads SRV records (MS-ADTS 6.3.2.3) and controllers' answers (MS-ADTS 6.3.3.2), remembers the list in a file for the time when
DNS is down, and tells `changed` when the order changes. One a host: others ask it (`server`, `client`).
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

PING_EVERY = 3.0
PING_TIMEOUT = 1.0
FAR_EVERY = 5
"""Rounds after which controllers of other sites are asked too, while one of our own site answers."""
LOOK_EVERY = 60.0
LOOK_AGAIN = 5.0
"""Seconds until DNS is asked again after it said nothing."""
MISSES = 2
"""Unanswered pings in turn after which a controller counts as down."""
GRUDGE = 5.0
"""Seconds in which a controller that somebody could not use stays behind the others, though it answers pings."""
MAX_CONTROLLERS = 64
_FIRST_LOOK = 5.0
"""Seconds that who asks waits for the very first answer."""


@dataclass(slots=True)
class _Controller:
    """One that is known by name. `addresses` in the order in which they are tried; the first is the one that answered last."""

    fqdn: str
    addresses: list[str]
    site: str = ""
    catalogue: bool = False
    up: bool = False
    misses: int = 0
    latency: float = 0.0
    grudge_until: float = 0.0


class Topology:
    """A `model.directory.Locator`. `row` is one to Active Directory (its 389/UDP is used); `site` is this host's as configured,
    which a controller's answer overrules. `known` are controllers that the organization's file names (name and address), asked
    beside those that DNS names. `memory` is a file that the list is kept in."""

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
        self._first = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        remembered = topology_memory.read(memory, self._domain) if memory is not None else None
        for one in remembered.controllers if remembered is not None else ():
            self._controllers[one.fqdn] = _Controller(one.fqdn, [one.address], one.site, one.global_catalogue)
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
        known = self._controllers.get(controller.fqdn.lower())
        if known is not None:
            known.up = False
            known.grudge_until = time.monotonic() + GRUDGE
            self._tell()

    def now(self) -> tuple[DomainController, ...]:
        """What is known at this moment, best first."""
        return tuple(
            DomainController(
                one.fqdn, one.addresses[0], one.site, self._in_site(one), one.catalogue, one.up, one.latency
            )
            for one in sorted(self._controllers.values(), key=self._rank)
        )

    # Life

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._look_always()), asyncio.create_task(self._ping_always())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def look(self) -> tuple[DomainController, ...]:
        """One look at DNS and one ping to each controller: for whoever has no running topology yet."""
        await self._discover()
        await self._ping_all(self._controllers.values())
        self._settled()
        return self.now()

    async def _look_always(self) -> None:
        while True:
            found = await self._discover()
            self._tell()
            await asyncio.sleep(LOOK_EVERY if found else LOOK_AGAIN)

    async def _ping_always(self) -> None:
        while True:
            if self._controllers:
                near = [one for one in self._controllers.values() if self._in_site(one)]
                far = self._round % FAR_EVERY == 0 or not any(one.up for one in near)
                await self._ping_all(self._controllers.values() if far else near)
                self._round += 1
                self._settled()
            await asyncio.sleep(PING_EVERY if self._controllers else PING_TIMEOUT / 4)

    def _settled(self) -> None:
        self._first.set()
        self._tell()

    def _tell(self) -> None:
        """Tells the waiting clients of a new order, and remembers the list."""
        controllers = self.now()
        order = (self.site, *((one.fqdn, one.address, one.up, one.site, one.global_catalogue) for one in controllers))
        if order == self._told:
            return
        self._told = order
        log(Event.TOPOLOGY_CHANGED, site=self.site, up=[c.fqdn for c in controllers if c.up], path=self.row.id)
        if self._memory is not None and controllers:
            with contextlib.suppress(OSError):  # a full disk: what is known stays known
                topology_memory.write(self._memory, self._domain, self.site, controllers)
        self._changed(controllers)

    # What is known

    def _in_site(self, one: _Controller) -> bool:
        return one.site.lower() == self.site.lower()

    def _rank(self, one: _Controller) -> tuple[object, ...]:
        """Quick before slow counts by doublings only, and among equals each host prefers others: so nobody flaps, and not
        everybody asks the same one."""
        turn = zlib.crc32(f"{self._host}/{one.fqdn}".encode())
        return (not one.up, not self._in_site(one), int(math.log2(one.latency * 250 + 1)), turn, one.fqdn)

    def _add_configured(self) -> None:
        for fqdn, address in self._configured:
            name = fqdn.lower().rstrip(".")
            known = self._controllers.setdefault(name, _Controller(name, []))
            if address not in known.addresses:
                known.addresses.append(address)

    async def _discover(self) -> bool:
        """Takes up what DNS says; False if it says nothing, and what was known stays."""
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
        found = await asyncio.gather(*(self._addresses(name) for name in list(names)[:MAX_CONTROLLERS]))
        for name, addresses in zip(names, found, strict=False):
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
        await asyncio.gather(*(self._ping(one) for one in list(controllers)))

    async def _ping(self, one: _Controller) -> None:
        for address in list(one.addresses[:2]):
            answer, took = await self._question(address)
            if answer is not None and answer.serves and answer.fqdn in ("", one.fqdn):
                self._answered(one, address, answer, took)
                return
        one.misses += 1
        if one.misses >= MISSES or not one.latency:
            one.up = False

    def _answered(self, one: _Controller, address: str, answer: cldap.Pong, took: float) -> None:
        one.addresses.remove(address)
        one.addresses.insert(0, address)
        one.misses = 0
        one.latency = took if not one.latency else 0.75 * one.latency + 0.25 * took
        one.site, one.catalogue = answer.site, answer.global_catalogue
        one.up = time.monotonic() >= one.grudge_until
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
