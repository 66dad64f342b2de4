"""The routes of the rows `caldav` and `carddav`, for calendars and for address books, with one application behind them.

The root and the principals, which clients of both ask, are on the row `caldav`.
"""

from __future__ import annotations

from collections.abc import Sequence

from postern.paths.row import Path
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.dav.application import METHODS, DavApplication
from postern.services.dav.mailbox import MAX_RESOURCE, DavAccess, DavServer
from postern.services.dav.places import ROOT, Space
from postern.services.http.site import Route

PREFIXES = {"caldav": ROOT, "carddav": f"{ROOT}{Space.ADDRESSBOOKS}/"}


def dav_routes(runtime: Runtime, logon: ServerLogon, rows: Sequence[Path]) -> list[Route]:
    calls, items = logon.rpc.calls, logon.shared.stores
    servers = {name: DavServer(mailboxes, items[name]) for name, mailboxes in calls.opened.items()}

    def server(database: str) -> DavServer | None:
        here = calls.server_of(database)
        return servers.get(here.name) if here is not None else None

    def domains() -> frozenset[str]:
        return runtime.feed.current.authoritative_domains()

    quota = runtime.organization.limits.mailbox_quota
    application = DavApplication(DavAccess(logon.directory, server, logon.shared.sharing, quota, domains))
    # One octet more, so that the application names the precondition that a larger resource does not meet.
    return [Route(PREFIXES[row.id], logon.guard(row), application, METHODS, body=MAX_RESOURCE + 1) for row in rows]
