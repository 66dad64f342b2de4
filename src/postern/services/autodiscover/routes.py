"""The places of Autodiscover and of the client configuration in the web space of a door."""

from __future__ import annotations

from postern.paths.guard import Guard
from postern.services.autodiscover import configuration, pox, soap
from postern.services.autodiscover.application import Autodiscover
from postern.services.autodiscover.configuration import ClientConfiguration
from postern.services.http.site import Route

_READ = frozenset({"GET", "HEAD"})
_DAV = _READ | {"OPTIONS", "PROPFIND"}
"""Clients look for DAV by PROPFIND (RFC 6764 section 6)."""


def autodiscover_routes(guard: Guard, service: Autodiscover) -> tuple[Route, ...]:
    """The routes on the row `autodiscover`, for which `guard` speaks."""
    return (
        Route("/autodiscover/autodiscover.xml", guard, service.answer_pox, _READ | {"POST"}, body=pox.BOUNDS.octets),
        Route(
            "/autodiscover/autodiscover.svc", guard, service.answer_soap, frozenset({"POST"}), body=soap.BOUNDS.octets
        ),
    )


def configuration_routes(guard: Guard, service: ClientConfiguration) -> tuple[Route, ...]:
    """The routes on the row `client-configuration`, for which `guard` speaks. None of them reads a body."""
    places = (
        (configuration.AUTOCONFIG, service.autoconfig, _READ),
        (configuration.WELL_KNOWN_AUTOCONFIG, service.autoconfig, _READ),
        (configuration.MOBILECONFIG, service.mobileconfig, _READ),
        (configuration.CALDAV, service.well_known, _DAV),
        (configuration.CARDDAV, service.well_known, _DAV),
    )
    return tuple(Route(place, guard, application, methods, body=4_096) for place, application, methods in places)
