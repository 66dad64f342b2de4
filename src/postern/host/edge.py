"""Edge subscriptions as an administrator makes them: the file on the edge, the subscription on a hub.

Reads and writes the state folder's secrets and certificates. `directory.adam.accounts` has the edge's accounts, and
`model.edge.SubscriptionStore` the organization's subscriptions.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from postern.directory.adam.accounts import AccountError, AdamAccounts, new_name
from postern.directory.adam.adapter import AdamDirectory
from postern.directory.adam.client import AdamClient, simple
from postern.directory.adam.layout import ADMINISTRATOR
from postern.host import certificates, secret_files
from postern.host.engines import adam
from postern.model.edge import BOOTSTRAP_LIFE, EdgeCredential, Subscription, SubscriptionFile
from postern.model.organization import Organization, Role, Server, StateFolder
from postern.model.security import Mechanism
from postern.net.tls import certificate_der
from postern.paths.table import settle
from postern.protocols.edge import subscription as edge_subscription
from postern.protocols.edge.subscription import SubscriptionFileError
from postern.roles import edge_sources, edgesync
from postern.roles.runtime import Runtime
from postern.roles.secrets import Secret
from postern.roles.topology_client import local_topology
from postern.services.edge.edgesync import EdgeSync
from postern.services.edge.pairs import EdgePairs, purpose
from postern.telemetry.log import Event, log
from postern.trust.certificates.sealed_secrets import new_key, seal

PRODUCT, VERSION = "postern", "1"


class EdgeError(Exception):
    """A subscription cannot be made or used; the text says why and what to do."""


class WrongHost(EdgeError):
    """This host does not have the role that the command needs."""


def prepare_edge(state: StateFolder) -> None:
    """Makes the secrets that an edge's processes read."""
    for name in (Secret.ADAM, Secret.ADAM_SERVICE):
        secret_files.obtain(state, name)


def prepare_hub(state: StateFolder) -> None:
    """Makes this hub's key, if there is none yet."""
    if not (state.secrets / Secret.EDGESYNC_KEY).exists():
        secret_files.keep(state, Secret.EDGESYNC_KEY, new_key().decode().strip())


@asynccontextmanager
async def accounts(organization: Organization, state: StateFolder) -> AsyncIterator[AdamAccounts]:
    """Opens the edge's own directory as its administrator."""
    row = settle(organization.profile)["edge-adam"]
    password = secret_files.known(state, Secret.ADAM)
    client = AdamClient(row, adam.socket_uri(state), simple(ADMINISTRATOR, password), Mechanism.BASIC, timeout=30.0)
    try:
        yield AdamAccounts(client)
    finally:
        await client.close()


@asynccontextmanager
async def replica(organization: Organization, server: Server, state: StateFolder) -> AsyncIterator[AdamDirectory]:
    """Opens the replicated part of this edge's directory as the edge's own processes read it."""
    directory = AdamDirectory.open(
        settle(organization.profile)["edge-adam"],
        adam.socket_uri(state),
        f"ldap://{server.loopback}:{organization.port(50389)}",
        partial(certificate_der, certificates.place(state)),
        secret_files.known(state, Secret.ADAM_SERVICE),
    )
    try:
        yield directory
    finally:
        await directory.close()


async def seed(organization: Organization, state: StateFolder) -> None:
    """Makes the entries that an edge's directory needs before anybody replicates."""
    prepare_edge(state)
    async with accounts(organization, state) as administration:
        await administration.seed(secret_files.known(state, Secret.ADAM_SERVICE))


async def new_subscription(organization: Organization, server: Server, state: StateFolder) -> bytes:
    """Makes a subscription file. The account of an earlier file is deleted if no hub has used it yet. Raises EdgeError."""
    if Role.EDGE not in server.roles:
        raise WrongHost(f"{server.name} is no edge: write the subscription file on the edge, and subscribe it on a hub")
    password, now = secrets.token_urlsafe(32), time.time()
    async with accounts(organization, state) as administration:
        for replicator in await administration.replicators():
            if replicator.bootstrap:
                await administration.remove(replicator.dn)
        try:
            # Begun a little earlier: the hub reads the file at once, by a clock of its own.
            dn = await administration.add("", password, now - 60, now + BOOTSTRAP_LIFE, new_name(""), bootstrap=True)
        except AccountError as error:
            raise EdgeError(str(error)) from None
    leaf = x509.load_pem_x509_certificate(certificates.place(state).chain.read_bytes())
    return edge_subscription.write(
        SubscriptionFile(
            server_name=server.name,
            server_fqdn=server.fqdn,
            certificate=leaf.public_bytes(Encoding.DER),
            username=dn,
            password=password,
            effective=now,
            duration=BOOTSTRAP_LIFE,
            ssl_port=organization.port(50636),
            product_id=PRODUCT,
            version=VERSION,
            serial=f"{leaf.serial_number:x}"[:40],
        )
    )


async def forget(organization: Organization, state: StateFolder) -> int:
    """Deletes, on an edge, all accounts and everything that was replicated. Returns the number of accounts."""
    async with accounts(organization, state) as administration:
        ended = await administration.replicators()
        for replicator in ended:
            await administration.remove(replicator.dn)
        await administration.forget()
    log(Event.EDGE_UNSUBSCRIBED, path="edgesync")
    return len(ended)


@dataclass
class HubSide:
    """EdgeSync and the subscriptions, for commands on a hub."""

    runtime: Runtime
    sources: edge_sources.Sources
    sync: EdgeSync
    pairs: EdgePairs

    async def subscribe(self, data: bytes) -> Subscription:
        """Publishes the edge of a subscription file. Raises EdgeError."""
        try:
            file = edge_subscription.read(data)
        except SubscriptionFileError as error:
            raise EdgeError(f"the file {error}") from None
        organization, hub = self.runtime.organization, self.runtime.server
        self._check(file, time.time())
        use = purpose(file.server_name, hub.name, file.username)
        ends = file.effective + min(file.duration, BOOTSTRAP_LIFE)
        for_hub = seal(self.pairs.key, file.password, use)
        bootstrap = EdgeCredential(hub.name, file.username, file.effective - 60, ends, for_hub, b"", True)
        site = next(s.site for s in organization.servers if s.name == hub.name)
        subscription = Subscription(
            file.server_name,
            file.server_fqdn,
            site,
            file.certificate,
            file.ssl_port,
            (bootstrap,),
            ((hub.name, self.pairs.key),),
        )
        await self.sources.store.publish(subscription)
        log(Event.EDGE_SUBSCRIBED, path="edgesync", edge=file.server_name, site=site)
        return subscription

    async def unsubscribe(self, name: str) -> bool:
        """Deletes a subscription; its certificate is not trusted any more from this moment. False if there is no such
        subscription."""
        removed = await self.sources.store.remove(name)
        if removed:
            log(Event.EDGE_UNSUBSCRIBED, path="edgesync", edge=name)
        return removed

    async def logins(self) -> Mapping[str, tuple[str, tuple[tuple[str, str], ...]]]:
        """For each subscribed edge, the site whose hubs replicate to it, and this hub's accounts there (DN and password) that
        are valid now, in the order in which EdgeSync tries them."""
        subscriptions, now = await self.sources.store.subscriptions(), time.time()
        return {
            subscription.name: (
                subscription.site,
                tuple((a.credential.username, a.password) for a in self.pairs.logins(subscription, now)),
            )
            for subscription in subscriptions
        }

    def _check(self, file: SubscriptionFile, now: float) -> None:
        edges = self.runtime.organization.with_role(Role.EDGE)
        declared = [edge for edge in edges if edge.name == file.server_name]
        if not declared or declared[0].fqdn.lower() != file.server_fqdn:
            raise EdgeError(
                f"postern.toml has no edge {file.server_name} ({file.server_fqdn}): add it as a [[server]] with the role edge, "
                "so that the firewalls let the two meet"
            )
        if now >= file.effective + min(file.duration, BOOTSTRAP_LIFE):
            raise EdgeError("the file has expired: write a new one on the edge with `postern edge subscription new`")
        if file.effective > now + 300:
            raise EdgeError("the file is from the future: compare the clocks of this host and of the edge")
        check_certificate(file.certificate, file.server_fqdn, now)


def check_certificate(der: bytes, fqdn: str, now: float) -> None:
    """Checks that `der` is a certificate, is valid now, and carries the edge's name. Any authority may have signed it, for the
    directory will hold the certificate itself. Raises EdgeError."""
    try:
        certificate = x509.load_der_x509_certificate(der)
    except ValueError:
        raise EdgeError(
            "the file has no valid certificate: write a new one on the edge with `postern edge subscription new`"
        ) from None
    begins, ends = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    if not begins <= now < ends:
        raise EdgeError("the edge's certificate is not valid today: let the edge make a new one, then a new file")
    names: list[str] = []
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [name.lower() for name in alternatives.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        names = [
            str(common_name.value).lower()
            for common_name in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        ]
    if fqdn.lower() not in names:
        raise EdgeError(
            f"the certificate in the file does not name {fqdn}: write a new file on the edge with its own certificate"
        )


@asynccontextmanager
async def hub_side(organization: Organization, server: Server, state: StateFolder) -> AsyncIterator[HubSide]:
    """Opens the subscriptions of `organization` (`engines.resolved`: it has URLs in place of "private"). Raises EdgeError on a
    server that is no hub, and NotStarted."""
    if Role.HUB not in server.roles:
        raise WrongHost(f"{server.name} is no hub: say this on a hub, where EdgeSync runs")
    key = secret_files.known(state, Secret.EDGESYNC_KEY).encode()
    runtime = Runtime.outside(organization, server, state)
    # A command finds the domain controllers by itself where the host's topology service does not run.
    here = local_topology(runtime) if organization.active_directory is not None else None
    sources = edge_sources.sources(runtime, here)
    try:
        pairs = EdgePairs(server.name, key, sources.store)
        yield HubSide(runtime, sources, edgesync.edgesync(runtime, key, sources), pairs)
    finally:
        await sources.close()
        if here is not None:
            await here.close()
