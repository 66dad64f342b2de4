"""The services that clients are told of: only those that run, with the names, ports and mechanisms that they answer to.

`client_services` computes them from the organization and its settled rows. Every answer of this package is made from them, and
so are the records of `postern domain dns`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from postern.model.organization import Organization, Role, Server
from postern.model.security import Encryption, Mechanism, Seal
from postern.paths.deployment import closed
from postern.paths.guard import Guard
from postern.paths.row import Party, Path, Tls, Wire

_SEALED = Seal("TLSv1.3", "")
_ORDER = (Tls.IMPLICIT, Tls.UPGRADE, Tls.NONE)
"""RFC 8314 section 3: TLS from the first byte before TLS by a command."""
_RELAY = 25
"""The port of other servers: a client is sent to another one where the row has one."""
HTTPS = 443
AUTODISCOVER = "/autodiscover/autodiscover.xml"
DAV = "/dav/"
EWS = "/EWS/Exchange.asmx"
ACTIVESYNC = "/Microsoft-Server-ActiveSync"


@dataclass(frozen=True, slots=True)
class MailService:
    """A port for mail programs. `mechanisms` are those that it offers inside TLS, best first."""

    host: str
    port: int
    tls: Tls
    mechanisms: tuple[Mechanism, ...]


@dataclass(frozen=True, slots=True)
class ClientServices:
    """The services of an organization as a client near one site reaches them. Each of `imap`, `pop3` and `smtp` has the best
    port first, and none if the service does not run. `web` is the root of the web services, "https://cas1.example.test"; the URLs
    are "" where nothing answers. `ews_mechanisms` are those of Exchange Web Services. Users log on to all of them by their
    primary address."""

    organization: str
    domains: tuple[str, ...]
    imap: tuple[MailService, ...] = ()
    pop3: tuple[MailService, ...] = ()
    smtp: tuple[MailService, ...] = ()
    web: str = ""
    autodiscover: str = ""
    calendars: str = ""
    contacts: str = ""
    activesync: str = ""
    ews: str = ""
    ews_mechanisms: tuple[Mechanism, ...] = ()


def client_services(
    organization: Organization, rows: Mapping[str, Path], available: frozenset[Mechanism], near: Server | None = None
) -> ClientServices:
    """The services as clients of `near` reach them: by that server itself if it has the role, else by one in its site, else by
    any. `rows` are settled, by id; `available` are the mechanisms that servers can verify now."""

    def runs(id: str) -> bool:
        return id in rows and not closed(organization, rows[id])

    def mail(id: str, role: Role) -> tuple[MailService, ...]:
        server = _nearest(organization, role, near)
        if server is None or not runs(id):
            return ()
        return _ports(organization, rows[id], server.fqdn, available)

    client_access = _nearest(organization, Role.CLIENT_ACCESS, near)
    web = _root(organization, client_access.fqdn) if client_access is not None else ""
    if not any(runs(row.id) for row in rows.values() if _is_web(row)):
        web = ""

    def url(id: str, path: str) -> str:
        return web + path if web and runs(id) else ""

    return ClientServices(
        organization.name,
        tuple(domain.name for domain in organization.domains),
        mail("imap4", Role.CLIENT_ACCESS),
        mail("pop3", Role.CLIENT_ACCESS),
        mail("client-to-hub-smtp", Role.HUB),
        web,
        url("autodiscover", AUTODISCOVER),
        url("caldav", DAV),
        url("carddav", DAV),
        url("activesync", ACTIVESYNC),
        url("availability", EWS),
        Guard([rows["availability"]], available).offer(_SEALED, can_upgrade=False).mechanisms
        if runs("availability")
        else (),
    )


def _is_web(row: Path) -> bool:
    return (
        Party.CLIENT in row.caller and row.callee is Party.CLIENT_ACCESS and any(p.number == HTTPS for p in row.ports)
    )


def _nearest(organization: Organization, role: Role, near: Server | None) -> Server | None:
    servers = organization.with_role(role)
    if near is not None:
        servers = tuple(sorted(servers, key=lambda server: (server.name != near.name, server.site != near.site)))
    return next(iter(servers), None)


def _ports(
    organization: Organization, row: Path, host: str, available: frozenset[Mechanism]
) -> tuple[MailService, ...]:
    mechanisms = Guard([row], available).offer(_SEALED, can_upgrade=False).mechanisms
    ports = [port for port in row.ports if port.wire is Wire.TCP and port.number is not None]
    own = [port for port in ports if port.number != _RELAY] or ports
    services = (
        MailService(
            host,
            organization.port(port.number or 0),
            Tls.NONE if row.encryption is Encryption.NEVER else port.tls,
            mechanisms,
        )
        for port in own
    )
    return tuple(sorted(services, key=lambda service: _ORDER.index(service.tls)))


def _root(organization: Organization, fqdn: str) -> str:
    port = organization.port(HTTPS)
    return f"https://{fqdn}" if port == HTTPS else f"https://{fqdn}:{port}"
