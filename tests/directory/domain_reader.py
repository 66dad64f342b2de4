"""The tests' Samba domain with Postern's schema, and this process as one of its servers: what the adapter's tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from postern.directory.ad.adapter import DomainDirectory
from postern.directory.ad.client import DomainClient
from postern.directory.ldap import tickets
from postern.directory.ldap.tickets import MachineTickets
from postern.model.directory import DomainController
from postern.model.organization import ActiveDirectory
from postern.net.tunnel import tunnel
from postern.paths.row import Wire
from postern.paths.table import TABLE
from postern.telemetry.observed import Observed
from tests.directory.samba import Domain
from tests.directory.samba_writing import DomainWriter, SystemClient, prepare

ROW = TABLE["hub-to-ad"]
LDAP, CATALOGUE = ROW.port("ldap", Wire.TCP), ROW.port("global catalogue")


class Known:
    """A Locator that knows what it is told: who failed goes to the end."""

    def __init__(self, *controllers: DomainController) -> None:
        self.all = list(controllers)
        self.complaints: list[str] = []

    async def controllers(self) -> Sequence[DomainController]:
        return tuple(self.all)

    def failed(self, controller: DomainController) -> None:
        self.complaints.append(controller.fqdn)
        self.all.sort(key=lambda one: one.fqdn == controller.fqdn)


@dataclass(frozen=True)
class Prepared:
    domain: Domain
    tickets: MachineTickets

    def client(self, locator: Known | None = None, observed: Observed | None = None, **more: Any) -> DomainClient:
        known = locator or Known(self.domain.controller())
        return DomainClient(ROW, more.pop("port", LDAP), known, tunnel, self.tickets, observed=observed, **more)

    @asynccontextmanager
    async def opened(self, locator: Known | None = None) -> AsyncIterator[tuple[DomainDirectory, DomainWriter]]:
        """Reading as a server's account without a cache's delay, writing as the system."""
        known = locator or Known(self.domain.controller())
        system = SystemClient(self.domain.system_socket())
        writer = DomainWriter(system, Domain.base)
        directory = DomainDirectory(
            ActiveDirectory(Domain.name, Domain.netbios),
            self.client(known),
            self.client(known, port=CATALOGUE),
            0.0,
            0.0,
        )
        try:
            await writer.empty()
            yield directory, writer
        finally:
            await directory.close()
            await system.close()


@pytest.fixture(scope="module")
def prepared(samba_domain: Domain) -> Iterator[Prepared]:
    """The domain with Postern's schema, and this process as the server READER of it."""
    keytab = samba_domain.computer("reader")

    async def run() -> None:
        client = SystemClient(samba_domain.system_socket())
        await prepare(client, Domain.name)
        await client.close()

    asyncio.run(run())
    with pytest.MonkeyPatch.context() as patch:
        for name, value in tickets.environment(keytab, samba_domain.krb5_conf).items():
            patch.setenv(name, value)
        yield Prepared(samba_domain, MachineTickets("READER$", Domain.realm, keytab))
