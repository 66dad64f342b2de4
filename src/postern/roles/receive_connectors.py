"""A hub's receive connectors: port 25 for servers, clients and, where there is no edge, strangers; 587 and 465 for clients."""

from __future__ import annotations

from functools import partial

from postern.model.mail import Intake
from postern.model.organization import Role
from postern.model.security import Identity, Mechanism, PrincipalKind
from postern.net.mutual import MutualContext
from postern.net.tls import server_context
from postern.paths.row import Path
from postern.roles.carriers import Carriers
from postern.roles.doors import Doors
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.smtp.receive import ReceiveConversation
from postern.services.smtp.receive_connector import (
    CallerProofs,
    ConnectorPolicy,
    ConnectorStores,
    ReceiveConnector,
    RecipientSources,
)

OUR_OWN = ("hub-to-hub", "um-to-hub", "client-to-hub-smtp")
"""Rows of callers that may speak to any hub on port 25."""


class ReceiveConnectors:
    """Opens the doors once the queue takes messages. `carriers` has the certificates by which edges are known or, where there are
    no edges, the agents that filter strangers' mail."""

    def __init__(self, runtime: Runtime, logon: ServerLogon, intake: Intake, carriers: Carriers) -> None:
        self._runtime = runtime
        self._logon = logon
        self._intake = intake
        self._certificates = carriers.certificates
        self._room = carriers.room
        self._agents = carriers.agents.pipeline if carriers.certificates is None else None

    async def open(self, doors: Doors) -> None:
        """Opens 25, 587 and 465. Raises OSError."""
        certificate, on_25 = self._logon.certificate, self._on_25()
        tls, asking = server_context(certificate), MutualContext(certificate, server=True)
        clients = self._runtime.rows["client-to-hub-smtp"]
        alone = self._connector(clients)
        for port in clients.ports:
            if port.number == 25:
                everybody = self._connector(*on_25, strangers=True)
                session = partial(ReceiveConversation, everybody)
                await doors.open(on_25, port, session, asking if self._certificates else tls)
            else:
                await doors.open(alone.guard.rows, port, partial(ReceiveConversation, alone), tls)

    def _on_25(self) -> list[Path]:
        """The rows of port 25. With an edge, a stranger's mail is refused at MAIL."""
        first = "edge-to-hub" if self._runtime.organization.with_role(Role.EDGE) else "internet-to-hub"
        return [self._runtime.rows[name] for name in (first, *OUR_OWN)]

    def _connector(self, *rows: Path, strangers: bool = False) -> ReceiveConnector:
        runtime, logon = self._runtime, self._logon
        connector = ReceiveConnector(
            logon.guard(*rows),
            runtime.server.fqdn,
            ConnectorPolicy.of(runtime.organization),
            ConnectorStores(self._intake, runtime.state.spool, runtime.observed, runtime.tracker),
            CallerProofs(logon.authenticator, self._certificates if strangers else None, self._may_call),
            RecipientSources(logon.directory, self._room),
            self._agents if strangers else None,
        )
        runtime.feed.follow(connector.reorganize)
        return connector

    def _may_call(self, identity: Identity, row: Path) -> bool:
        """Whether the roles of a server allow it the row: a mailbox server is no hub, though both prove themselves by Kerberos.
        A certificate needs no such check, for it proves the role, too."""
        proven = identity.kind is not PrincipalKind.SERVER or identity.mechanism is Mechanism.DIRECT_TRUST
        return proven or self._logon.rpc.may_call(identity, row)
