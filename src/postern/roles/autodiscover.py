"""The routes by which clients find their settings: those of the rows `autodiscover` and `client-configuration`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from postern.paths.row import Path
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.autodiscover import configuration, mobileconfig
from postern.services.autodiscover.application import Autodiscover
from postern.services.autodiscover.client_services import ClientServices, client_services
from postern.services.autodiscover.configuration import ClientConfiguration
from postern.services.http.site import Route

READS = frozenset({"GET", "HEAD"})
QUESTIONS = frozenset({"GET", "POST"})
XML = frozenset({"text/xml", "application/xml", "application/soap+xml"})
"""Media types of questions, which are XML by itself or in SOAP."""
REDIRECTED = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})
"""RFC 6764 section 5: a client of DAV may ask the well-known place by any of its methods."""


def autodiscover_routes(runtime: Runtime, logon: ServerLogon, rows: Sequence[Path]) -> list[Route]:
    application = Autodiscover(logon.directory, _services(runtime, logon), runtime.server.fqdn)
    guard = logon.guard(*rows)
    return [
        Route("/autodiscover/autodiscover.xml", guard, application.answer_pox, QUESTIONS, kinds=XML),
        Route("/autodiscover/autodiscover.svc", guard, application.answer_soap, QUESTIONS, kinds=XML),
    ]


def configuration_routes(runtime: Runtime, logon: ServerLogon, rows: Sequence[Path]) -> list[Route]:
    services, certificate, guard = _services(runtime, logon), logon.certificate, logon.guard(*rows)

    def sign(profile: bytes) -> bytes:
        return mobileconfig.signed(profile, certificate.chain.read_bytes(), certificate.key.read_bytes())

    application = ClientConfiguration(lambda: services(""), sign)
    return [
        Route(configuration.AUTOCONFIG, guard, application.autoconfig, READS, compresses=True),
        Route(configuration.WELL_KNOWN_AUTOCONFIG, guard, application.autoconfig, READS, compresses=True),
        Route(configuration.MOBILECONFIG, guard, application.mobileconfig, READS),
        Route(configuration.CALDAV + "/", guard, application.well_known, REDIRECTED),
        Route(configuration.CARDDAV + "/", guard, application.well_known, REDIRECTED),
    ]


def _services(runtime: Runtime, logon: ServerLogon) -> Callable[[str], ClientServices]:
    """Returns what computes the services: as clients of the server with a database reach them, for "" those of this server."""

    def services(database: str) -> ClientServices:
        organization = runtime.feed.current
        near = organization.server_of(database) if database else None
        return client_services(organization, runtime.rows, logon.authenticator.available, near or runtime.server)

    return services
