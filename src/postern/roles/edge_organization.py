"""What an edge knows of the organization behind it: its postern.toml, and what EdgeSync wrote into its own directory.

Polls the edge's directory and calls each follower when the organization changed. Also answers which server a peer's
certificate belongs to. Hubs and send connectors that EdgeSync wrote replace those of postern.toml; accepted
domains are added to them.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Sequence
from dataclasses import replace

from postern.directory.adam.adapter import AdamDirectory
from postern.model.directory import DirectoryUnavailable
from postern.model.mail import Intake
from postern.model.organization import Organization, Role, Server
from postern.net.tls import Certificate, authorities_file, certificate_der
from postern.paths.guard import Guard
from postern.roles.organization_feed import OrganizationFeed
from postern.roles.runtime import Runtime
from postern.services.smtp.receive_connector import (
    Agents,
    CallerProofs,
    ConnectorPolicy,
    ConnectorStores,
    ReceiveConnector,
)
from postern.trust.certificates.authorities import Authorities
from postern.trust.certificates.direct_trust import REFRESH, DirectTrust
from postern.trust.certificates.owners import PeerCertificates

ADAM = 50389


class EdgeOrganization:
    """One a process. `start` first, `stop` last. Without an answer of the directory, what was known goes on to count."""

    def __init__(self, runtime: Runtime) -> None:
        organization, state = runtime.organization, runtime.state
        self.certificate = Certificate(state.certificates / "server.pem", state.certificates / "server.key")
        self.directory = AdamDirectory.open(
            runtime.rows["edge-adam"],
            organization.directory,
            f"ldap://{_local(runtime.server)}:{organization.port(ADAM)}",
            certificate_der(self.certificate),
            (state.secrets / "adam-service").read_text(encoding="utf-8").strip(),
            runtime.observed,
        )
        self._trust = DirectTrust(self.directory, Role.HUB)
        authorities = authorities_file(organization.authorities)
        self.certificates = PeerCertificates(self._trust, Authorities(authorities) if authorities else None)
        self._runtime = runtime
        self.feed = OrganizationFeed(organization)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._trust.start()
        await self._refresh()
        self._task = asyncio.create_task(self._refresh_always())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._trust.stop()
        await self.directory.close()

    def connector(self, rows: Sequence[str], intake: Intake, agents: Agents | None) -> ReceiveConnector:
        """The connector of the edge's door. It asks no directory: the recipient filter knows the organization's recipients."""
        runtime = self._runtime
        organization = runtime.organization
        connector = ReceiveConnector(
            Guard([runtime.rows[name] for name in rows], frozenset()),
            runtime.server.fqdn,
            ConnectorPolicy(organization.domains, organization.limits),
            ConnectorStores(intake, runtime.state.spool, runtime.observed, runtime.tracker),
            CallerProofs(certificates=self.certificates),
            agents=agents,
        )
        self.feed.follow(connector.reorganize)
        return connector

    async def _refresh_always(self) -> None:
        while True:
            await asyncio.sleep(REFRESH)
            await self._refresh()

    async def _refresh(self) -> None:
        with contextlib.suppress(DirectoryUnavailable):
            self.feed.tell(await self._read())

    async def _read(self) -> Organization:
        known, directory = self._runtime.organization, self.directory
        hubs = [
            Server(hub.name, hub.fqdn, frozenset({Role.HUB}), hub.addresses, self._runtime.server.site)
            for hub in await directory.hubs()
        ]
        others = [server for server in known.servers if not hubs or Role.HUB not in server.roles]
        return replace(
            known.with_domains(await directory.accepted_domains()),
            servers=(*others, *hubs),
            send_connectors=await directory.send_connectors() or known.send_connectors,
        )


def _local(server: Server) -> str:
    """Where this host's own processes reach ADAM."""
    return next((one for one in server.addresses if ipaddress.ip_address(one).is_loopback), "127.0.0.1")
