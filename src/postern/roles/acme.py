"""The routes of the row `acme-challenge`: an authority that issues this host's certificate asks here who has its name."""

from __future__ import annotations

from collections.abc import Sequence

from postern.paths.row import Path
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.acme.challenges import challenge_route
from postern.services.http.site import Route


def challenge_routes(runtime: Runtime, logon: ServerLogon, rows: Sequence[Path]) -> list[Route]:
    return [challenge_route(logon.guard(*rows), runtime.state.certificates)]
