"""The route by which a certificate authority proves that a name leads to this host: that of the row `acme-challenge`."""

from __future__ import annotations

from postern.paths.row import Path
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.acme.challenges import challenge_route
from postern.services.http.site import Route


def challenge_routes(runtime: Runtime, logon: ServerLogon, row: Path) -> list[Route]:
    return [challenge_route(logon.guard(row), runtime.state.certificates)]
