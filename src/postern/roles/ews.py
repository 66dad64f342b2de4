"""The route of the row `availability`: Exchange Web Services."""

from __future__ import annotations

from collections.abc import Sequence

from postern.paths.row import Path
from postern.protocols.ews.envelope import MAX_OCTETS
from postern.roles.free_busy import free_busy
from postern.roles.push_notifications import pusher
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.ews.access import EwsAccess, EwsServer
from postern.services.ews.application import KINDS, METHODS, EwsApplication
from postern.services.ews.operations.every import OPERATIONS
from postern.services.http.site import Route

PREFIX = "/ews/exchange.asmx"


def ews_routes(runtime: Runtime, logon: ServerLogon, rows: Sequence[Path]) -> list[Route]:
    calls, items, servers = logon.rpc.calls, logon.shared.stores, logon.shared.servers
    by_name = {name: EwsServer(server.mailboxes, items[name], server.changes) for name, server in servers.items()}

    def server(database: str) -> EwsServer | None:
        here = calls.server_of(database)
        return by_name.get(here.name) if here is not None else None

    def domains() -> frozenset[str]:
        return runtime.feed.current.authoritative_domains()

    access = EwsAccess(
        logon.directory,
        server,
        logon.shared.sharing,
        runtime.server.fqdn,
        runtime.organization.limits.mailbox_quota,
        domains,
        message_size=runtime.organization.limits.message_size,
        free_busy=free_busy(runtime, logon),
        impersonations=lambda: runtime.feed.current.impersonations,
        pushing=pusher(runtime, logon),
    )
    application = EwsApplication(access, OPERATIONS)
    # One octet more, so that the application says by its own error that a request is too large.
    return [Route(PREFIX, logon.guard(*rows), application, METHODS, body=MAX_OCTETS + 1, kinds=KINDS)]
