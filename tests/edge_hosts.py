"""A hub and an edge on one machine, each with a state folder, secrets, certificates and directory server of its own: what
EdgeSync needs of two hosts, on 127.0.0.1 and 127.0.0.2 with ports shifted.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from postern.directory.adam.adapter import AdamDirectory
from postern.directory.administration import Administration
from postern.directory.ldap.client import Client
from postern.directory.slapd_adapter import SERVICE, SUFFIX
from postern.host import account, certificates, edge, secret_files, state
from postern.host.directory import OpenDirectory, opened
from postern.host.edge import HubSide
from postern.host.engines import adam
from postern.host.engines import start as engines
from postern.model.organization import AcceptedDomain, Organization, Profile, Role, SendConnector, Server, StateFolder
from postern.paths.table import TABLE, settle
from postern.roles.secrets import Secret
from postern.services.edge.credentials import AccountKeeper
from tests.support.ports import free_offset

T = TypeVar("T")

EDGE = Server("edge1", "edge1.corp.test", frozenset({Role.EDGE}), ("127.0.0.2",), "Headquarters")
HUBS = tuple(
    Server(name, f"{name}.corp.test", frozenset({Role.HUB, Role.MAILBOX}), ("127.0.0.1",), "Headquarters")
    for name in ("hub1", "hub2")
)


@dataclass
class TwoHosts:
    """`hub_state` is hub1's; hub2 shares its directory, as hubs of a site do."""

    organization: Organization
    hub_state: StateFolder
    hub2_state: StateFolder
    edge_state: StateFolder
    hub_slapd: engines.DirectoryEngine
    edge_slapd: adam.AdamEngine

    @property
    def resolved(self) -> Organization:
        return engines.resolved(self.organization, self.hub_state)

    def ldaps(self, address: str = "127.0.0.2") -> str:
        return f"ldaps://{address}:{self.organization.port(50636)}"

    def ldap(self, address: str = "127.0.0.2") -> str:
        return f"ldap://{address}:{self.organization.port(50389)}"

    @asynccontextmanager
    async def hub(self, number: int = 1) -> AsyncIterator[HubSide]:
        folder = self.hub_state if number == 1 else self.hub2_state
        async with edge.hub_side(self.resolved, HUBS[number - 1], folder) as side:
            yield side

    @asynccontextmanager
    async def directory(self) -> AsyncIterator[OpenDirectory]:
        async with opened(self.hub_state, self.resolved) as found:
            yield found

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[Client]:
        """The organization's directory, for what no command writes yet."""
        password = secret_files.obtain(self.hub_state, Secret.DIRECTORY)
        client = Client(TABLE["private-directory"], self.resolved.directory, SERVICE, password)
        try:
            yield client
        finally:
            await client.close()

    @asynccontextmanager
    async def keeper(self) -> AsyncIterator[AccountKeeper]:
        """The edge's process that makes accounts, at work."""
        async with edge.accounts(self.organization, self.edge_state) as accounts:
            key = certificates.place(self.edge_state).key
            keeper = AccountKeeper(accounts, EDGE.name, key.read_bytes)
            keeper.start()
            try:
                yield keeper
            finally:
                await keeper.stop()

    @asynccontextmanager
    async def edge_directory(self, profile: Profile | None = None) -> AsyncIterator[AdamDirectory]:
        """As the edge's roles have it."""
        found = AdamDirectory.open(
            settle(profile or self.organization.profile)["edge-adam"],
            adam.socket_uri(self.edge_state),
            self.ldap(EDGE.loopback),
            leaf(self.edge_state),
            secret_files.obtain(self.edge_state, Secret.ADAM_SERVICE),
        )
        found._cache._known = found._cache._unknown = -1.0  # no answer is remembered
        try:
            yield found
        finally:
            await found.close()

    async def subscription_file(self) -> bytes:
        return await edge.new_subscription(self.organization, EDGE, self.edge_state)

    async def subscribe(self) -> None:
        data = await self.subscription_file()
        async with self.hub() as hub:
            await hub.subscribe(data)


def leaf(folder: StateFolder) -> bytes:
    from postern.services.edge.schedule import leaf as of_chain

    return of_chain(certificates.place(folder).chain.read_bytes())


@contextmanager
def two_hosts(profile: Profile = Profile.PRACTICAL) -> Iterator[TwoHosts]:
    folder = Path(tempfile.mkdtemp(prefix="ed-", dir="/tmp"))
    folder.chmod(0o711)
    organization = Organization(
        name="Corp",
        domains=(AcceptedDomain("corp.test"),),
        servers=(*HUBS, EDGE),
        profile=profile,
        offset=free_offset((50389, 50636), "127.0.0.2"),
        send_connectors=(SendConnector("internet"), SendConnector("partner", ("p.test",), ("b.p.test", "a.p.test:26"))),
    )
    hub_state, hub2_state, edge_state = (state.create(folder / name) for name in ("h", "i", "e"))
    now = datetime.datetime.now(datetime.UTC)
    for server, its in ((HUBS[0], hub_state), (HUBS[1], hub2_state), (EDGE, edge_state)):
        certificates.ensure(its, organization, server, now)
    secret_files.keep(hub2_state, Secret.DIRECTORY, secret_files.obtain(hub_state, Secret.DIRECTORY))
    for its in (hub_state, hub2_state):
        edge.prepare_hub(its)
    for its in (hub_state, hub2_state, edge_state):
        _give(its)
    hosts = TwoHosts(
        organization,
        hub_state,
        hub2_state,
        edge_state,
        engines.DirectoryEngine(hub_state),
        adam.AdamEngine(organization, EDGE, edge_state),
    )
    try:
        hosts.hub_slapd.start()
        hosts.edge_slapd.start()
        asyncio.run(_seed(hosts))
        yield hosts
    finally:
        hosts.edge_slapd.stop()
        hosts.hub_slapd.stop()
        for its in (hub_state, hub2_state, edge_state):
            shutil.rmtree(its.sockets, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _give(folder: StateFolder) -> None:
    """Root made these files; the servers run as the folder's owner."""
    owner = account.owner(folder.root)
    for part in (folder.certificates, folder.secrets):
        for file in part.iterdir():
            os.chown(file, owner.uid, owner.gid)


async def _seed(hosts: TwoHosts) -> None:
    await edge.seed(hosts.organization, hosts.edge_state)
    async with hosts.directory() as directory:
        await directory.write.seed()
        for hub in HUBS:
            await directory.write.ensure_server(hub, {"nt": "0" * 32})


def empty(hosts: TwoHosts) -> None:
    """As after `two_hosts`: nobody, no subscription, nothing replicated, no account."""

    async def run() -> None:
        from postern.directory.adam import layout
        from postern.directory.ldap.client import SUBTREE

        async with hosts.raw() as client:
            for kind in ("proxyAddresses", "posternAdamPort", "posternDomainType"):
                for entry in await client.search(SUFFIX, SUBTREE, f"({kind}=*)", ("cn",)):
                    await client.delete(entry.dn)
            for hub in HUBS:
                await client.modify(f"cn={hub.name},ou=Servers,{SUFFIX}", [(2, "posternCertificate", None)])
            await Administration(client, SUFFIX).seed()
        async with edge.accounts(hosts.organization, hosts.edge_state) as accounts:
            client = accounts._client
            which = "(&(!(objectClass=container))(!(objectClass=organizationalUnit)))"
            for base in (layout.REPLICATED, layout.REQUESTS):
                for entry in await client.search(base, SUBTREE, which, ("cn",)):
                    await client.delete(entry.dn)
            for one in await accounts.replicators():
                await accounts.remove(one.dn)
            await client.modify(layout.STATE, [(2, "posternLease", None), (2, "posternState", None)])

    asyncio.run(run())


def run(work: Callable[[], Awaitable[T]]) -> T:
    async def inner() -> T:
        return await work()

    return asyncio.run(inner())
