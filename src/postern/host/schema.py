"""The shape of postern.toml: pydantic's models of its tables, and the rules for each value.

Checks single values. `contradictions` checks how they fit together, and `mistakes` words the messages.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from postern.model.domains import domain_name, mail_domain
from postern.model.folder_names import LANGUAGES
from postern.model.organization import DomainType, Profile, Role
from postern.model.words import quoted
from postern.protocols.smtp.address import parse_mailbox
from postern.services.http.outgoing import HTTPS, target_of

MAX_OFFSET = 65535 - 50636
"""50636 (EdgeSync) is the highest port number of the table."""


def _domain_name(value: str) -> str:
    try:
        return mail_domain(value)
    except ValueError:
        raise ValueError(f'{quoted(value)} is no domain name; write one such as "example.test"') from None


def _connector_domain(value: str) -> str:
    if value == "*":
        return value
    try:
        return "*." + _domain_name(value[2:]) if value.startswith("*.") else _domain_name(value)
    except ValueError:
        raise ValueError(f'{quoted(value)} is no domain; write "*", "example.test" or "*.example.test"') from None


def _server_name(value: str) -> str:
    if not re.fullmatch(r"(?!-)[a-z0-9-]{1,15}(?<!-)", value):
        raise ValueError(f'{quoted(value)} is no server name; write 1 to 15 of a-z, 0-9 and "-", such as "hub1"')
    return value


def _address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError(f'{quoted(value)} is no IP address; write one such as "192.0.2.1" or "2001:db8::1"') from None
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"{quoted(value)} is no address of one host; write the address that others reach it by")
    return str(address)


def _address_or_network(value: str) -> str:
    if "/" not in value:
        return _address(value)
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError(
            f'{quoted(value)} is no network; write one such as "192.0.2.0/24" or "2001:db8::/64"'
        ) from None
    if str(network) != value.lower():
        raise ValueError(
            f'{quoted(value)} has bits of a host in it; write the network "{network}", or the address alone'
        )
    return str(network)


def _netbios(value: str) -> str:
    if not re.fullmatch(r"[A-Z0-9][A-Z0-9-]{0,14}", value):
        raise ValueError(f'{quoted(value)} is no NetBIOS name; write 1 to 15 of A-Z, 0-9 and "-", such as "EXAMPLE"')
    return value


def _party(value: object) -> object:
    if value in list(Role):
        raise ValueError(f"{quoted(str(value))} is a role; give it to a [[server]]")
    return value


def _address_and_port(value: str) -> str:
    host, _, port = value.rpartition(":") if value.count(":") == 1 or "]:" in value else (value, "", "53")
    try:
        ipaddress.ip_address(host.strip("[]"))
        if not 0 < int(port) < 65536:
            raise ValueError
    except ValueError:
        raise ValueError(
            f'{quoted(value)} is no name server; write "192.0.2.53", "192.0.2.53:5353" or "[2001:db8::1]:53"'
        ) from None
    return value


def _smart_host(value: str) -> str:
    match = re.fullmatch(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:(?P<port>\d{1,5}))?", value)
    if match is None or not 0 < int(match["port"] or 25) < 65536 or not _is_host(match["host"]):
        raise ValueError(f'{quoted(value)} is no smart host; write "host", "host:port" or "[address]:port"')
    return value


def _mailbox(value: str) -> str:
    address = parse_mailbox(value)
    if not address:
        raise ValueError(f'{quoted(value)} is no address; write it whole, such as "alice@example.test"')
    return address


def _mailbox_or_everybody(value: str) -> str:
    return value if value == "everybody" else _mailbox(value)


def _is_host(name: str) -> bool:
    """Whether `name` is an address, in brackets or not, or a name in DNS."""
    for read in (ipaddress.ip_address, domain_name):
        with contextlib.suppress(ValueError):
            return bool(read(name.strip("[]")))
    return False


def _realm(value: str) -> str:
    if value and not re.fullmatch(r"[A-Z0-9][A-Z0-9.-]*", value):
        raise ValueError(
            f"{quoted(value)} is no Kerberos realm; realms are written in capitals, such as {quoted(value.upper())}"
        )
    return value


def _database_name(value: str) -> str:
    if not re.fullmatch(r"(?!-)[a-z0-9-]{1,64}(?<!-)", value):
        raise ValueError(f'{quoted(value)} is no database name; write 1 to 64 of a-z, 0-9 and "-", such as "sales"')
    return value


def _postgres_url(value: str) -> str:
    """Checks the URL of a database before libpq sees it. URLs hold passwords, so that no message repeats a part of one."""
    if value and not value.startswith(("postgresql://", "postgres://")):
        raise ValueError(
            'is no PostgreSQL URL; write "postgresql://host/database", or leave it out for the private cluster'
        )
    if value and not _is_postgres_url(value):
        raise ValueError(
            "cannot be read as a PostgreSQL URL; write "
            '"postgresql://user:password@host:5432/database?parameter=value", with parameters that libpq knows, and '
            'with "%40" for "@" and likewise for other signs in a name or password (RFC 3986 section 2.1)'
        )
    return value


def _is_postgres_url(value: str) -> bool:
    """Whether libpq and RFC 3986 read the same user, password, hosts and ports in this URL.

    A sign that must be encoded is read differently by the two: libpq takes the end of "u:pass@word@host" for a host, and
    says it in an error.
    """
    import psycopg  # slow to import, and most files have no URL
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = urlsplit(value)
        ports = str(conninfo_to_dict(value).get("port") or "").split(",")
    except (psycopg.Error, ValueError):
        return False
    misread = (
        parts.netloc.count("@") > 1 or "@" in parts.path or "#" in value or ("@" in parts.query and not parts.path)
    )
    return not misread and all(port == "" or _is_port(port) for port in ports)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError(
            f"{quoted(value)} is no language that folders are named in; write one of {', '.join(LANGUAGES)}"
        )
    return value


def _directory_url(value: str) -> str:
    """Checks the URLs of a directory, of which LDAP takes several with spaces between them."""
    if value and not value.startswith(("ldap://", "ldaps://", "ldapi://")):
        raise ValueError('is no LDAP URL; write "ldaps://host", or leave it out for the private directory')
    if not all(map(_is_directory_url, value.split())):
        raise ValueError(
            'cannot be read as an LDAP URL; write "ldaps://host" or "ldaps://host:636", without user and password'
        )
    return value


def _is_directory_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("ldap", "ldaps", "ldapi") and "@" not in value and parts.port != 0
    except ValueError:
        return False


DomainName = Annotated[str, AfterValidator(_domain_name)]
Bytes = Annotated[int, Field(ge=1024, le=2**40)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seconds = Annotated[float, Field(ge=0.1, le=31_536_000)]
PortNumber = Annotated[int, Field(ge=1024, le=65535)]
HostParty = Literal[
    "active-directory",
    "client",
    "administrator",
    "internet",
    "name-server",
    "time-server",
    "monitor",
    "gateway",
    "legacy-mailbox",
]
"""Values of `paths.row.Party`."""


class Shape(BaseModel):
    """The base of all tables. Keys are written with hyphens; an unknown key is a mistake; "5" is no number and 1 no truth
    value."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=lambda name: name.replace("_", "-"))


class OrganizationShape(Shape):
    name: Annotated[str, Field(min_length=1, max_length=64)]
    profile: Annotated[Profile, Field(strict=False)] = Profile.PRACTICAL
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0
    rpc_ports: Annotated[list[PortNumber], Field(min_length=2, max_length=2)] | None = None
    realm: Annotated[str, AfterValidator(_realm)] = ""
    keytab: str = ""
    authorities: str = ""
    metrics: bool = False
    acme: bool = False
    language: Annotated[str, AfterValidator(_language)] = "en"
    postgres: Annotated[str, AfterValidator(_postgres_url)] = ""
    """The URL of every database. Files had it before there was `[[database]]`."""
    directory: Annotated[str, AfterValidator(_directory_url)] = ""
    dns_servers: list[Annotated[str, AfterValidator(_address_and_port)]] = []


class DomainShape(Shape):
    name: DomainName
    type: Annotated[DomainType, Field(strict=False)] = DomainType.AUTHORITATIVE


class ServerShape(Shape):
    name: Annotated[str, AfterValidator(_server_name)]
    fqdn: DomainName
    roles: Annotated[list[Annotated[Role, Field(strict=False)]], Field(min_length=1)]
    addresses: Annotated[list[Annotated[str, AfterValidator(_address)]], Field(min_length=1)]
    site: Annotated[str, Field(min_length=1, max_length=64)] = "Default-First-Site-Name"
    workers: Annotated[int, Field(ge=0, le=64)] = 0


class DatabaseShape(Shape):
    name: Annotated[str, AfterValidator(_database_name)]
    server: str
    url: Annotated[str, AfterValidator(_postgres_url)] = ""


class ActiveDirectoryShape(Shape):
    domain: DomainName
    netbios: Annotated[str, AfterValidator(_netbios)] | None = None


class ClientCertificatesShape(Shape):
    names: Annotated[list[DomainName], Field(min_length=1)]
    authorities: Annotated[str, Field(min_length=1)]
    revoked: str = ""


def _https(value: str) -> str:
    target = target_of(value)
    if target is None or target.scheme != "https":
        raise ValueError(
            f'{quoted(value)} is no https URL; write one such as "https://mail.other.test/EWS/Exchange.asmx"'
        )
    if target.port != HTTPS:
        raise ValueError(
            f"{quoted(value)} has another port than {HTTPS}, and the row availability-to-organization has no other; "
            "name a URL without a port"
        )
    return value


class AvailabilityShape(Shape):
    domain: DomainName
    url: Annotated[str, Field(max_length=2000), AfterValidator(_https)]
    user: Annotated[str, Field(min_length=1, max_length=256)]
    password_file: Annotated[str, Field(min_length=1)]


class PushNotificationsShape(Shape):
    networks: list[Annotated[str, AfterValidator(_address_or_network)]] = []
    clear: bool = False


class ImpersonationShape(Shape):
    by: Annotated[list[Annotated[str, AfterValidator(_mailbox)]], Field(min_length=1, max_length=1000)]
    of: Annotated[list[Annotated[str, AfterValidator(_mailbox_or_everybody)]], Field(min_length=1, max_length=1000)]


class HostShape(Shape):
    """A host that is no server of ours. It has no roles; hosts that lists and URLs of the file name (a database) need no such
    table."""

    name: Annotated[str, AfterValidator(_server_name)]
    parties: Annotated[list[Annotated[HostParty, BeforeValidator(_party)]], Field(min_length=1)]
    addresses: Annotated[list[Annotated[str, AfterValidator(_address_or_network)]], Field(min_length=1)]
    fqdn: DomainName = ""
    site: Annotated[str, Field(min_length=1, max_length=64)] = "Default-First-Site-Name"


class SendConnectorShape(Shape):
    name: Annotated[str, Field(min_length=1, max_length=64)]
    domains: Annotated[list[Annotated[str, AfterValidator(_connector_domain)]], Field(min_length=1)] = ["*"]
    smart_hosts: list[Annotated[str, AfterValidator(_smart_host)]] = []
    server: str = ""


class LimitsShape(Shape):
    """The table of limits. None means that the file does not have the limit; its default is in `model.organization.Limits`."""

    message_size: Bytes | None = None
    recipients: Count | None = None
    received_headers: Annotated[int, Field(ge=1, le=1000)] | None = None
    line_length: Annotated[int, Field(ge=1000, le=1_048_576)] | None = None
    connections: Count | None = None
    connections_per_address: Count | None = None
    idle_timeout: Seconds | None = None
    imap_idle_timeout: Annotated[float, Field(ge=1800, le=31_536_000)] | None = None
    errors_per_connection: Count | None = None
    spool_threshold: Bytes | None = None
    mailbox_quota: Annotated[int, Field(ge=0, le=2**50)] | None = None
    mailbox_retention: Annotated[float, Field(ge=3600, le=3_153_600_000)] | None = None
    queue_expiry: Seconds | None = None
    queue_retry: Annotated[list[Seconds], Field(min_length=1, max_length=50)] | None = None
    connections_per_destination: Count | None = None


class FileShape(Shape):
    """The whole file."""

    organization: OrganizationShape
    domain: Annotated[list[DomainShape], Field(min_length=1)]
    server: Annotated[list[ServerShape], Field(min_length=1)]
    database: list[DatabaseShape] = []
    active_directory: ActiveDirectoryShape | None = None
    client_certificates: ClientCertificatesShape | None = None
    availability: list[AvailabilityShape] = []
    push_notifications: PushNotificationsShape | None = None
    impersonation: list[ImpersonationShape] = []
    host: list[HostShape] = []
    send_connector: list[SendConnectorShape] | None = None
    limits: LimitsShape = LimitsShape()
