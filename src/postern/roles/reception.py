"""A hub's receive connectors: port 25 for strangers, our own servers and clients; 587 and 465 for clients alone."""

from __future__ import annotations

from functools import partial

from postern.model.mail import Intake
from postern.net.tls import server_context
from postern.paths.row import Path
from postern.roles.doors import Doors
from postern.roles.logon import Logon
from postern.roles.runtime import Runtime
from postern.services.receive_connector import ReceiveConnector
from postern.services.smtp_receive import ReceiveSession

ON_25 = ("internet-to-hub", "hub-to-hub", "um-to-hub", "client-to-hub-smtp")


class Reception:
    """`open` once the queue takes messages."""

    def __init__(self, runtime: Runtime, logon: Logon, intake: Intake) -> None:
        self._runtime = runtime
        self._logon = logon
        self._intake = intake

    async def open(self, doors: Doors) -> None:
        """Raises OSError."""
        tls = server_context(self._logon.certificate)
        clients = self._runtime.rows["client-to-hub-smtp"]
        everybody = self._connector(*(self._runtime.rows[name] for name in ON_25))
        alone = self._connector(clients)
        for port in clients.ports:
            connector = everybody if port.number == 25 else alone
            await doors.open(connector.guard.rows, port, partial(ReceiveSession, connector), tls)

    def _connector(self, *rows: Path) -> ReceiveConnector:
        runtime, logon = self._runtime, self._logon
        organization = runtime.organization
        connector = ReceiveConnector(
            logon.guard(*rows),
            logon.authenticator,
            logon.directory,
            organization.domains,
            self._intake,
            organization.limits,
            runtime.observed,
            runtime.tracker,
            runtime.server.fqdn,
            runtime.state.spool,
        )
        logon.follow(connector.domains)
        return connector
