"""postern.toml: read into an Organization, and written for a new one.

Reads the file in the state folder. A mistake is told as: file and line, key, what is wrong, what would be right; all
mistakes at once. What single values look like stands in `schema`.
"""

from __future__ import annotations

import difflib
import os
import platform
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from postern.host import account
from postern.host.schema import Shapes
from postern.host.state import CONFIGURATION
from postern.model.organization import (
    AcceptedDomain,
    Limits,
    Organization,
    Profile,
    Role,
    SendConnector,
    Server,
    StateFolder,
)
from postern.paths.table import TABLE

RPC_PORTS = (20000, 20019)
"""Used, with the offset added, where the file gives no rpc-ports."""

Key = tuple[str | int, ...]

_FIXED = {port.number for row in TABLE.values() for port in row.ports if port.number is not None}


@dataclass(frozen=True, slots=True)
class Problem:
    """`key` as pydantic locates it: ("server", 0, "roles", 1)."""

    key: Key
    text: str


class ConfigurationError(Exception):
    """One line for each mistake: "postern.toml:12: server.roles: what is wrong; what would be right"."""


def path(state: StateFolder) -> Path:
    """Where the organization's file is."""
    return state.root / CONFIGURATION


def load(state: StateFolder) -> Organization:
    """The organization of this state folder. Raises ConfigurationError; also when there is no file yet."""
    file = path(state)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(f"{file}: there is none yet; «postern run» writes the first") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}") from None
    return parse(text, str(file))


def parse(text: str, name: str = CONFIGURATION) -> Organization:
    """The organization that this text describes; `name` is what messages call the file. Raises ConfigurationError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name}: this is no TOML: {error}") from None
    try:
        shapes = Shapes.model_validate(data)
    except ValidationError as error:
        raise _told([_problem(detail) for detail in error.errors()], name, text) from None
    organization = _organization(shapes)
    problems = list(_misfits(organization))
    if problems:
        raise _told(problems, name, text)
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
    text, count = re.subn(r"(?m)^offset\s*=\s*\d+", f"offset = {offset}", file.read_text(encoding="utf-8"), count=1)
    if not count:
        raise ConfigurationError(f"{file}: organization.offset: is not written; add the line «offset = {offset}»")
    organization = parse(text, str(file))
    write(state, text)
    return organization


def write(state: StateFolder, text: str) -> None:
    """Replaces the file at once, so that a reader sees the old or the new. Raises OSError."""
    temporary = state.root / (CONFIGURATION + ".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        owner = account.owner(state.root)
        os.fchown(out.fileno(), owner.uid, owner.gid)
        out.write(text)
    os.replace(temporary, path(state))


def this_server(organization: Organization, name: str | None = None, host_name: str | None = None) -> Server:
    """Which of the organization's servers this host is: the named one, the only one, or the one called like the host."""
    only = organization.servers[0].name if len(organization.servers) == 1 else ""
    named = name or only or host_name or platform.node()
    for server in organization.servers:
        if named.lower() in (server.name, server.fqdn, server.fqdn.partition(".")[0]):
            return server
    known = ", ".join(server.name for server in organization.servers)
    raise ConfigurationError(f"no server is called {named}; say which one this host is: --server, one of {known}")


def _organization(shapes: Shapes) -> Organization:
    main = shapes.organization
    ports = main.rpc_ports or [port + main.offset for port in RPC_PORTS]
    given = {key: value for key, value in shapes.limits.model_dump().items() if value is not None}
    if "queue_retry" in given:
        given["queue_retry"] = tuple(given["queue_retry"])
    connectors: tuple[SendConnector, ...] = (SendConnector("internet"),)
    if shapes.send_connector is not None:
        connectors = tuple(
            SendConnector(c.name, tuple(c.domains), tuple(c.smart_hosts), c.server) for c in shapes.send_connector
        )
    return Organization(
        name=main.name,
        domains=tuple(AcceptedDomain(domain.name, domain.type) for domain in shapes.domain),
        servers=tuple(
            Server(s.name, s.fqdn, frozenset(s.roles), tuple(s.addresses), s.site, s.workers) for s in shapes.server
        ),
        profile=main.profile,
        realm=main.realm,
        keytab=main.keytab,
        offset=main.offset,
        rpc_ports=(ports[0], ports[1]),
        postgres=main.postgres,
        directory=main.directory,
        send_connectors=connectors,
        limits=Limits(**given),
        dns_servers=tuple(main.dns_servers),
    )


def _misfits(organization: Organization) -> Iterator[Problem]:
    """What no single value shows."""
    yield from _twice("domain", [domain.name for domain in organization.domains])
    yield from _twice("server", [server.name for server in organization.servers])
    yield from _twice("send-connector", [connector.name for connector in organization.send_connectors])
    low, high = organization.rpc_ports
    if low > high:
        yield Problem(("organization", "rpc-ports"), f"{low} is above {high}; write [{high}, {low}]")
    inside = [organization.port(number) for number in sorted(_FIXED) if low <= organization.port(number) <= high]
    if inside:
        yield Problem(
            ("organization", "rpc-ports"), f"hold {inside[0]}, which is a door of its own; choose a range without it"
        )
    if organization.profile is Profile.HARDENED and not organization.realm:
        yield Problem(
            ("organization", "profile"),
            '"hardened" rests on Kerberos, and organization.realm is empty; set realm and keytab, or choose "practical"',
        )
    if organization.realm and not organization.keytab:
        yield Problem(
            ("organization", "realm"), "a realm needs a keytab; set organization.keytab to its file's absolute path"
        )
    if organization.keytab and not organization.keytab.startswith("/"):
        yield Problem(("organization", "keytab"), f'"{organization.keytab}" is no absolute path; write it from "/" on')
    hubs = {server.name for server in organization.servers if server.roles & {Role.HUB, Role.EDGE}}
    for index, connector in enumerate(organization.send_connectors):
        if connector.server and connector.server not in hubs:
            text = (
                f'"{connector.server}" is no server with the hub or edge role{_nearest(connector.server, sorted(hubs))}'
            )
            yield Problem(("send-connector", index, "server"), text)
    for index, server in enumerate(organization.servers):
        if Role.EDGE in server.roles and len(server.roles) > 1:
            yield Problem(
                ("server", index, "roles"),
                "edge stands alone, in the perimeter network; give the other roles to another server",
            )


def _twice(table: str, names: Sequence[str]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem((table, index, "name"), f'"{name}" is there twice; give each {table} a name of its own')


# How mistakes are told


def _problem(detail: Any) -> Problem:
    """One of pydantic's errors in our words: what is wrong; what would be right."""
    key, kind, value, context = tuple(detail["loc"]), detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return Problem(key, str(context["error"]))
    if kind == "extra_forbidden":
        known = _known_keys(key[:-1])
        return Problem(key, f"there is no such key{_nearest(str(key[-1]), known)}")
    if kind == "missing":
        return Problem(key, "is missing; " + _MISSING.get(str(key[-1]), "add it"))
    if kind == "enum":
        known = [word.strip(" '") for word in re.split(r",| or ", context["expected"])]
        return Problem(key, f'"{value}" is not known{_nearest(str(value), known)}')
    return Problem(key, _SHORT[kind].format(value=_shown(value), **context) if kind in _SHORT else detail["msg"])


_SHORT = {
    "string_type": '{value} is no text; write it in quotes: "…"',
    "int_type": "{value} is no whole number; write it without quotes",
    "float_type": "{value} is no number; write it without quotes",
    "bool_type": "{value} is neither true nor false; write one of them, without quotes",
    "list_type": "{value} is no list; write it in brackets: […]",
    "model_type": "{value} is no table; write it as [table]",
    "greater_than_equal": "{value} is too small; {ge} is the least",
    "less_than_equal": "{value} is too large; {le} is the most",
    "too_short": "holds {actual_length}; {min_length} is the least",
    "too_long": "holds too many; {max_length} is the most",
    "string_too_short": "is empty; write at least one letter",
    "string_too_long": "is too long; {max_length} letters are the most",
}

_MISSING = {
    "organization": 'add [organization] with a line name = "…"',
    "domain": 'add [[domain]] with a line name = "example.test"',
    "server": "add [[server]] with name, fqdn, roles and addresses",
    "name": 'add name = "…"',
    "fqdn": 'add the name in DNS, such as fqdn = "hub1.example.test"',
    "roles": 'add such as roles = ["hub", "mailbox", "client-access"]',
    "addresses": 'add such as addresses = ["192.0.2.1"]',
}


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else "a list" if isinstance(value, list) else str(value)


def _nearest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word.lower().replace("_", "-"), known, 1, 0.5)
    return f'; did you mean "{close[0]}"?' if close else f"; one of: {', '.join(known)}"


def _known_keys(parents: Key) -> list[str]:
    """The keys of the table at `parents`."""
    shape: type[BaseModel] = Shapes
    for name in parents:
        if isinstance(name, str):
            field = shape.model_fields[name.replace("-", "_")]
            shape = next(_shapes_in(field.annotation))
    return [name.replace("_", "-") for name in shape.model_fields]


def _shapes_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _shapes_in(argument)


def _told(problems: Sequence[Problem], name: str, text: str) -> ConfigurationError:
    lines = _lines(text)
    told = []
    for problem in problems:
        line = next((lines[problem.key[:n]] for n in range(len(problem.key), 0, -1) if problem.key[:n] in lines), 0)
        key = ".".join(part for part in problem.key if isinstance(part, str))
        told.append(f"{name}{f':{line}' if line else ''}: {key}: {problem.text}")
    return ConfigurationError("\n".join(told))


def _lines(text: str) -> dict[Key, int]:
    """On which line each table and key stands, for files written in the plain way (one key a line)."""
    lines: dict[Key, int] = {}
    table: Key = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[\s*([\w-]+)\s*\]\]", line):
            index = sum(1 for key in lines if len(key) == 2 and key[0] == header[1] and isinstance(key[1], int))
            table = (header[1], index)
            lines[table] = number
        elif header := re.match(r"\s*\[\s*([\w-]+)\s*\]", line):
            table = (header[1],)
            lines[table] = number
        elif key := re.match(r"\s*([\w-]+)\s*=", line):
            lines[(*table, key[1])] = number
    return lines


DEFAULT = (Path(__file__).parent / "postern.toml").read_text(encoding="utf-8")
