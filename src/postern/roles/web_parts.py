"""The rows of the web, and what makes the routes of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from postern.paths.row import Path
from postern.roles.acme import challenge_routes
from postern.roles.autodiscover import autodiscover_routes, configuration_routes
from postern.roles.dav import dav_routes
from postern.roles.ews import ews_routes
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.http.site import Route

Parts = Callable[[Runtime, ServerLogon, Sequence[Path]], list[Route]]
PARTS: Mapping[str, Parts] = MappingProxyType(
    {
        "autodiscover": autodiscover_routes,
        "availability": ews_routes,
        "client-configuration": configuration_routes,
        "caldav": dav_routes,
        "carddav": dav_routes,
        "acme-challenge": challenge_routes,
    }
)
"""By row, what makes the routes that it answers for. It is called once, with all its rows that are deployed."""
