"""The client access role: mail clients read and sort their mailboxes by IMAP4 and POP3, and find their settings by HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from postern.model.organization import Role
from postern.net.link import LinkSession
from postern.net.tls import server_context
from postern.paths.row import Path, Tls
from postern.roles.doors import Doors
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.roles.web import Web
from postern.services.access.logon import ClientAccess, MailboxServer
from postern.services.imap.session import ImapSession
from postern.services.pop3.session import Pop3Session


class Access:
    """A client access process. It serves from `start` until `stop` returns."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.logon = ServerLogon(runtime, Role.CLIENT_ACCESS)
        self.doors = Doors(runtime)
        self.rpc = self.logon.rpc
        self.servers = self.logon.shared.servers

    async def start(self) -> None:
        await self.logon.start()
        await self._open(self.runtime.rows["imap4"], ImapSession)
        await self._open(self.runtime.rows["pop3"], Pop3Session)
        await Web(self.runtime, self.logon, self.doors).open()

    async def _open(self, row: Path, session: Callable[[ClientAccess], LinkSession]) -> None:
        runtime, logon = self.runtime, self.logon
        limits, fqdn = runtime.organization.limits, runtime.server.fqdn
        access = ClientAccess(
            logon.guard(row),
            logon.authenticator,
            logon.directory,
            self._server,
            runtime.observed,
            limits,
            fqdn,
            logon.shared.sharing,
        )
        tls = server_context(logon.certificate)
        for port in row.ports:
            if port.tls is not Tls.NONE:
                await self.doors.open([row], port, lambda: session(access), tls)

    def _server(self, database: str) -> MailboxServer | None:
        server = self.rpc.calls.server_of(database)
        return self.servers.get(server.name) if server is not None else None

    async def stop(self) -> None:
        await self.doors.close()
        await asyncio.gather(*(server.changes.close() for server in self.servers.values()))
        await self.logon.stop()


async def start(runtime: Runtime) -> Access:
    access = Access(runtime)
    await access.start()
    return access
