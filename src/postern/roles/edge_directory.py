"""The edge's own directory as an edge process uses it: the servers that it trusts, and the organization that EdgeSync wrote."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from postern.directory.adam.adapter import AdamDirectory
from postern.model.mail import Intake
from postern.model.organization import Role
from postern.net.tls import Certificate, authorities_file, certificate_der
from postern.paths.guard import Guard
from postern.roles.runtime import Runtime
from postern.roles.secrets import Secret
from postern.services.edge.organization import EdgeOrganization
from postern.services.smtp.receive_connector import (
    Agents,
    CallerProofs,
    ConnectorPolicy,
    ConnectorStores,
    ReceiveConnector,
)
from postern.trust.certificates.authorities import Authorities
from postern.trust.certificates.direct_trust import DirectTrust
from postern.trust.certificates.owners import PeerCertificates

ADAM = 50389


class EdgeDirectory:
    """The edge's directory in one process. Call `start` first and `stop` last."""

    def __init__(self, runtime: Runtime) -> None:
        organization, state = runtime.organization, runtime.state
        self.certificate = Certificate(state.certificates / "server.pem", state.certificates / "server.key")
        self.directory = AdamDirectory.open(
            runtime.rows["edge-adam"],
            organization.directory,
            f"ldap://{runtime.server.loopback}:{organization.port(ADAM)}",
            partial(certificate_der, self.certificate),
            runtime.secrets.read(Secret.ADAM_SERVICE),
            runtime.observed,
        )
        self._trust = DirectTrust(self.directory, Role.HUB)
        authorities = authorities_file(organization.authorities)
        self.certificates = PeerCertificates(self._trust, Authorities(authorities) if authorities else None)
        self._runtime = runtime
        self._organization = EdgeOrganization(self.directory, runtime.feed, runtime.server.site)

    async def start(self) -> None:
        await self._trust.start()
        await self._organization.start()

    async def stop(self) -> None:
        await self._organization.stop()
        await self._trust.stop()
        await self.directory.close()

    def connector(self, rows: Sequence[str], intake: Intake, agents: Agents | None) -> ReceiveConnector:
        """The connector of the edge's door. It asks no directory: the recipient filter knows the organization's recipients."""
        runtime = self._runtime
        guard = Guard([runtime.rows[name] for name in rows], frozenset())
        connector = ReceiveConnector(
            guard,
            runtime.server.fqdn,
            ConnectorPolicy.of(runtime.organization),
            ConnectorStores(intake, runtime.state.spool, runtime.observed, runtime.tracker),
            CallerProofs(certificates=self.certificates),
            agents=agents,
        )
        runtime.feed.follow(connector.reorganize)
        return connector
