"""The routes of the rows `caldav` and `carddav`: the homes of calendars and of address books, with the application behind them.

The root and the principals, which clients of both ask, are on the row `caldav`.
"""

from __future__ import annotations

from postern.paths.row import Path
from postern.protocols.dcerpc.interfaces.mailbox_items import MAILBOX_ITEMS
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.dav.application import METHODS, DavApplication
from postern.services.dav.mailbox import MAX_RESOURCE, DavAccess, DavServer
from postern.services.dav.places import ROOT, Space
from postern.services.http.site import Application, Route

ADDRESS_BOOKS = f"{ROOT}{Space.ADDRESSBOOKS}/"


def caldav_routes(runtime: Runtime, logon: ServerLogon, row: Path) -> list[Route]:
    return [_route(ROOT, _application(runtime, logon), logon, row)]


def carddav_routes(runtime: Runtime, logon: ServerLogon, row: Path) -> list[Route]:
    return [_route(ADDRESS_BOOKS, _application(runtime, logon), logon, row)]


def _route(prefix: str, application: Application, logon: ServerLogon, row: Path) -> Route:
    # One octet more, so that the application names the precondition that a larger resource does not meet.
    return Route(prefix, logon.guard(row), application, METHODS, body=MAX_RESOURCE + 1)


def _application(runtime: Runtime, logon: ServerLogon) -> DavApplication:
    calls = logon.rpc.calls
    items = calls.items(runtime.rows["cas-to-mailbox"], MAILBOX_ITEMS)

    def server(database: str) -> DavServer | None:
        here = calls.server_of(database)
        return DavServer(calls.opened[here.name], items[here.name]) if here is not None else None

    return DavApplication(DavAccess(logon.directory, server, runtime.organization.limits.mailbox_quota))
