"""The server programs that this host's roles need: PostgreSQL for mailboxes, slapd for the directory.

The organization says which of them are private and which URLs they have; `postgres` and `slapd` run them.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from postern.host import configuration, secret_files
from postern.host.engines import adam
from postern.host.engines.health import Question
from postern.host.engines.postgres import PrivateCluster
from postern.host.engines.slapd import PrivateSlapd, SlapdEngine, uri
from postern.host.supervision.supervisor import Engine
from postern.model.organization import Organization, Role, Server, StateFolder
from postern.roles.secrets import Secret

DATABASE = "postern"
"""The private cluster's mailbox database."""


class PostgresEngine:
    """The private cluster; its start makes the database."""

    name = "postgresql"

    def __init__(self, state: StateFolder) -> None:
        self.cluster = PrivateCluster(state.postgres, state.sockets / "postgresql", state.logs / "postgresql.log")

    @property
    def pid(self) -> int | None:
        return self.cluster.pid

    def start(self) -> None:
        self.cluster.start(timeout=10.0)
        self.cluster.create_database(DATABASE)

    def stop(self) -> None:
        self.cluster.stop(timeout=1.2)

    @property
    def question(self) -> Question:
        return self.cluster.question

    def kill(self, hard: bool) -> None:
        self.cluster.kill(hard)


class DirectoryEngine(SlapdEngine):
    """The private directory."""

    name = "slapd"

    def __init__(self, state: StateFolder) -> None:
        password = secret_files.obtain(state, Secret.DIRECTORY)
        super().__init__(PrivateSlapd(state.slapd, state.sockets / "slapd", state.logs / "slapd.log", password))


def needed(organization: Organization, server: Server, state: StateFolder) -> list[Engine]:
    """The private engines of this host, in the order in which they start."""
    engines: list[Engine] = []
    if not all(database.url for database in organization.databases_of(server)):
        engines.append(PostgresEngine(state))
    if has_private_directory(organization, server):
        engines.append(DirectoryEngine(state))
    if Role.EDGE in server.roles:
        engines.append(adam.AdamEngine(organization, server, state))
    return engines


def has_private_directory(organization: Organization, server: Server) -> bool:
    """Whether this host runs a private slapd with the organization's directory, and uses neither Active Directory nor an
    edge's."""
    return not organization.directory and organization.active_directory is None and Role.EDGE not in server.roles


def resolved(organization: Organization, state: StateFolder, server: Server | None = None) -> Organization:
    """The organization with URLs in place of "private", to which roles and commands of this host's `server` connect. `server`
    None means the server that was started here last. Private databases of other servers stay without a URL."""
    here = server.name if server is not None else configuration.recorded(state)
    directory = "" if organization.active_directory is not None else uri(state.sockets / "slapd")
    if server is not None and Role.EDGE in server.roles:
        directory = adam.socket_uri(state)
    # libpq: a host that begins with a slash is the folder of a unix socket.
    folder = quote(str(state.sockets / "postgresql"), safe="")
    private = f"postgresql://postern@{folder}/{DATABASE}"
    return replace(
        organization,
        written_databases=tuple(
            database if database.url or database.server != (here or database.server) else replace(database, url=private)
            for database in organization.databases
        ),
        directory=organization.directory or directory,
        keytab=organization.keytab or (str(state.keytab) if organization.active_directory is not None else ""),
    )
