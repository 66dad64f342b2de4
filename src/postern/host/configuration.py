"""postern.toml: read into an Organization, and written for a new one.

Reads the file in the state folder and reports all mistakes at once, each with file and line, key, what is wrong and what would
be right. `schema` checks single values, `contradictions` finds values that do not fit together, and `mistakes` words the
messages.
"""

from __future__ import annotations

import os
import platform
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from postern.host import account
from postern.host.contradictions import contradictions
from postern.host.mistakes import Key, Problem, format_problems, problem, unquoted
from postern.host.schema import FileShape
from postern.host.small_files import read_small
from postern.host.state import CONFIGURATION
from postern.model.availability import AvailabilitySpace
from postern.model.domains import a_labels, netbios_name
from postern.model.organization import (
    AcceptedDomain,
    ActiveDirectory,
    ClientCertificates,
    Database,
    Host,
    Impersonation,
    Limits,
    Organization,
    PushNotifications,
    Role,
    SendConnector,
    Server,
    StateFolder,
)
from postern.paths.fit import EPHEMERAL

RPC_PORTS = (20000, 20019)
"""The range of RPC ports, before the offset is added, for a file without rpc-ports."""
LOW_RPC_PORTS = (5080, 5099)
"""The range for offsets at which RPC_PORTS would lie in the range that the kernel lends to outgoing connections. With the offset
added it lies above all doors and below the RPC ports of smaller offsets: organizations a thousand apart never meet."""

MAX_SIZE = 1_048_576
"""Octets of the file."""
_SERVER = "server"


class ConfigurationError(Exception):
    """One line for each mistake: "postern.toml:12: server.roles: what is wrong; what would be right"."""


def path(state: StateFolder) -> Path:
    """The path of the organization's postern.toml."""
    return state.root / CONFIGURATION


def load(state: StateFolder) -> Organization:
    """The organization of this state folder. Raises ConfigurationError, also if there is no file yet."""
    file = path(state)
    try:
        text = _text(file)
    except FileNotFoundError:
        raise ConfigurationError(
            f"there is no {file} yet: `postern run` writes it, or name another state folder with --state"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}") from None
    return parse(text, str(file))


def parse(text: str, name: str = CONFIGURATION) -> Organization:
    """The organization that this text describes; `name` is what messages call the file. Raises ConfigurationError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name}: this is no TOML: {error}{unquoted(str(error), text)}") from None
    try:
        shapes = FileShape.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(format_problems([problem(detail) for detail in error.errors()], name, text)) from None
    organization = _organization(shapes)
    problems = [*_urls(shapes), *contradictions(organization)]
    if problems:
        raise ConfigurationError(format_problems(problems, name, text))
    return organization


def default(state: StateFolder, offset: int = 0) -> Organization:
    """The organization of a first start: `example.test` on this machine. It is written into the state folder."""
    text = DEFAULT.format(offset=offset)
    organization = parse(text)
    write(state, text)
    return organization


def move(state: StateFolder, offset: int) -> Organization:
    """Writes another offset into the file, so that all commands agree. Raises ConfigurationError if it has no such line."""
    file = path(state)
    text, count = re.subn(r"(?m)^offset\s*+=\s*+\d++", f"offset = {offset}", _text(file), count=1)
    if not count:
        raise ConfigurationError(f"{file}: organization.offset: is not written; add the line `offset = {offset}`")
    organization = parse(text, str(file))
    write(state, text)
    return organization


def write(state: StateFolder, text: str) -> None:
    """Replaces the file at once, so that a reader sees the old or the new. Raises OSError."""
    temporary = state.root / (CONFIGURATION + ".new")
    # Root may write into another account's folder here, so it writes only into a file that it has just made.
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        owner = account.owner(state.root)
        os.fchown(out.fileno(), owner.uid, owner.gid)
        out.write(text)
    os.replace(temporary, path(state))


def record(state: StateFolder, server: Server) -> None:
    """Notes which server this host is, so that commands need not be told. Raises OSError."""
    file = state.root / _SERVER
    if not file.exists() or file.read_text(encoding="utf-8") != server.name:
        file.write_text(server.name, encoding="utf-8")


def recorded(state: StateFolder) -> str | None:
    """The server that was started here last; None if there was none."""
    try:
        return read_small(state.root / _SERVER).decode("utf-8") or None
    except (OSError, UnicodeDecodeError):
        return None


def _text(file: Path) -> str:
    """The file's text. The file may be a symbolic link, for administrators use them. Raises OSError, UnicodeDecodeError."""
    return read_small(file, MAX_SIZE, follow=True).decode("utf-8")


def objection(state: StateFolder, key: Key, text: str) -> ConfigurationError:
    """Returns the error for a value that does not suit this host. Like other mistakes it names file and line."""
    file = path(state)
    return ConfigurationError(format_problems([Problem(key, text)], str(file), _text(file)))


def this_server(organization: Organization, name: str | None = None, host_name: str | None = None) -> Server:
    """The organization's server that this host is: the named one, the only one, or the one with the host's name."""
    only = organization.servers[0].name if len(organization.servers) == 1 else ""
    named = name or only or host_name or platform.node()
    for server in organization.servers:
        if named.lower() in (server.name, server.fqdn, server.fqdn.partition(".")[0]):
            return server
    names = ", ".join(server.name for server in organization.servers)
    raise ConfigurationError(f"no server is called {named}: say which one this host is: --server, one of {names}")


def _urls(shapes: FileShape) -> Iterator[Problem]:
    """Mistakes in the URLs of databases: a URL given in two places, or one for two databases. URLs hold passwords, so that no
    message repeats one."""
    if shapes.organization.postgres and shapes.database:
        yield Problem(
            ("organization", "postgres"),
            "is the url of all databases where there is no [[database]]; write it as url there, and leave this line out",
        )
    urls = [database.url for database in shapes.database]
    for index, url in enumerate(urls):
        if url and url in urls[:index]:
            other = shapes.database[urls.index(url)].name
            yield Problem(("database", index, "url"), f'is where "{other}" is; give each database a place of its own')


def _databases(shapes: FileShape) -> tuple[Database, ...]:
    """The databases in the file. Its former key `postgres` gives each mailbox server one database."""
    url = shapes.organization.postgres
    if url and not shapes.database:
        return tuple(dict.fromkeys(Database(s.name, s.name, url) for s in shapes.server if Role.MAILBOX in s.roles))
    return tuple(Database(d.name, d.server, d.url) for d in shapes.database)


def _organization(shapes: FileShape) -> Organization:
    main = shapes.organization
    ports = main.rpc_ports or rpc_ports(main.offset)
    limits = {key: value for key, value in shapes.limits.model_dump().items() if value is not None}
    if "queue_retry" in limits:
        limits["queue_retry"] = tuple(limits["queue_retry"])
    connectors: tuple[SendConnector, ...] = (SendConnector("internet"),)
    if shapes.send_connector is not None:
        connectors = tuple(
            SendConnector(c.name, tuple(c.domains), tuple(c.smart_hosts), c.server) for c in shapes.send_connector
        )
    domain = None
    if shapes.active_directory is not None:
        given_name = shapes.active_directory.domain
        domain = ActiveDirectory(given_name, shapes.active_directory.netbios or netbios_name(given_name))
    certified = None
    if (shape := shapes.client_certificates) is not None:
        certified = ClientCertificates(tuple(map(a_labels, shape.names)), shape.authorities, shape.revoked)
    pushing = None
    if (push := shapes.push_notifications) is not None:
        pushing = PushNotifications(tuple(push.networks), push.clear)
    return Organization(
        name=main.name,
        domains=tuple(AcceptedDomain(domain.name, domain.type) for domain in shapes.domain),
        servers=tuple(
            Server(s.name, s.fqdn, frozenset(s.roles), tuple(s.addresses), s.site, s.workers) for s in shapes.server
        ),
        profile=main.profile,
        realm=main.realm or (domain.domain.upper() if domain is not None else ""),
        keytab=main.keytab,
        authorities=main.authorities,
        metrics=main.metrics,
        acme=main.acme,
        language=main.language,
        client_certificates=certified,
        availability=tuple(AvailabilitySpace(a.domain, a.url, a.user, a.password_file) for a in shapes.availability),
        push_notifications=pushing,
        impersonations=tuple(Impersonation(tuple(i.by), tuple(i.of)) for i in shapes.impersonation),
        offset=main.offset,
        rpc_ports=(ports[0], ports[1]),
        directory=main.directory,
        send_connectors=connectors,
        limits=Limits(**limits),
        dns_servers=tuple(main.dns_servers),
        active_directory=domain,
        hosts=tuple(Host(h.name, frozenset(h.parties), tuple(h.addresses), h.fqdn, h.site) for h in shapes.host),
        written_databases=_databases(shapes),
    )


def rpc_ports(offset: int) -> list[int]:
    """The range of RPC endpoints where the file gives none."""
    usual = RPC_PORTS[1] + offset < EPHEMERAL[0]
    return [port + offset for port in (RPC_PORTS if usual else LOW_RPC_PORTS)]


DEFAULT = (Path(__file__).parent / "postern.toml").read_text(encoding="utf-8")
