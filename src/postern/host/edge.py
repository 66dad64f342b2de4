"""Edge subscriptions as an administrator makes them: the file on the edge, the subscription on a hub.

Reads and writes the state folder's secrets and certificates; the edge's accounts are `directory.adam.accounts`', the
organization's side `model.edge.SubscriptionStore`'s.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

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
    """It cannot be done; the text says why and what to do."""


class WrongHost(EdgeError):
    """This host has not the role that does it."""


def prepare_edge(organization: Organization, server: Server, state: StateFolder) -> None:
    """The secrets that an edge's processes read."""
    for name in (Secret.ADAM, Secret.ADAM_SERVICE):
        secret_files.obtain(state, name)


def prepare_hub(state: StateFolder) -> bytes:
    """This hub's key, made where there is none yet."""
    file = state.secrets / Secret.EDGESYNC_KEY
    if not file.exists():
        secret_files.keep(state, Secret.EDGESYNC_KEY, new_key().decode().strip())
    return file.read_bytes()


@asynccontextmanager
async def accounts(organization: Organization, state: StateFolder) -> AsyncIterator[AdamAccounts]:
    """The edge's own directory, as its administrator."""
    row = settle(organization.profile)["edge-adam"]
    password = secret_files.obtain(state, Secret.ADAM)
    client = AdamClient(row, adam.socket_uri(state), simple(ADMINISTRATOR, password), Mechanism.BASIC, timeout=30.0)
    try:
        yield AdamAccounts(client)
    finally:
        await client.close()


@asynccontextmanager
async def replica(organization: Organization, server: Server, state: StateFolder) -> AsyncIterator[AdamDirectory]:
    """What was replicated to this edge, read as its own processes read it."""
    address = adam.local_address(server)
    found = AdamDirectory.open(
        settle(organization.profile)["edge-adam"],
        adam.socket_uri(state),
        f"ldap://{address}:{organization.port(50389)}",
        certificate_der(certificates.place(state)),
        secret_files.obtain(state, Secret.ADAM_SERVICE),
    )
    try:
        yield found
    finally:
        await found.close()


async def seed(organization: Organization, state: StateFolder) -> None:
    """What an edge's directory holds before anybody replicates."""
    async with accounts(organization, state) as found:
        await found.seed(secret_files.obtain(state, Secret.ADAM_SERVICE))


async def new_subscription(organization: Organization, server: Server, state: StateFolder) -> bytes:
    """The subscription file. An earlier file's account is gone, if no hub has used it yet. Raises EdgeError."""
    if Role.EDGE not in server.roles:
        raise WrongHost(f"{server.name} is no edge: write the subscription file on the edge, and subscribe it on a hub")
    password, now = secrets.token_urlsafe(32), time.time()
    async with accounts(organization, state) as found:
        for one in await found.replicators():
            if one.bootstrap:
                await found.remove(one.dn)
        try:
            # Begun a little earlier: the hub reads the file at once, by a clock of its own.
            dn = await found.add("", password, now - 60, now + BOOTSTRAP_LIFE, new_name(""), bootstrap=True)
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
    """On an edge: ends all accounts and deletes what was replicated; says how many accounts that were."""
    async with accounts(organization, state) as found:
        ended = await found.replicators()
        for one in ended:
            await found.remove(one.dn)
        await found.forget()
    log(Event.EDGE_UNSUBSCRIBED, path="edgesync")
    return len(ended)


@dataclass
class HubSide:
    """What commands on a hub work with."""

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
        """Whether there was such a subscription. Its certificate is trusted no more from this moment."""
        removed = await self.sources.store.remove(name)
        if removed:
            log(Event.EDGE_UNSUBSCRIBED, path="edgesync", edge=name)
        return removed

    async def logins(self) -> Mapping[str, tuple[str, tuple[tuple[str, str], ...]]]:
        """By subscribed edge: the site whose hubs replicate to it, and this hub's accounts there (DN and password) that are good
        now, in the order in which EdgeSync tries them."""
        found, now = await self.sources.store.subscriptions(), time.time()
        return {
            one.name: (one.site, tuple((a.credential.username, a.password) for a in self.pairs.logins(one, now)))
            for one in found
        }

    def _check(self, file: SubscriptionFile, now: float) -> None:
        edges = self.runtime.organization.with_role(Role.EDGE)
        known = [one for one in edges if one.name == file.server_name]
        if not known or known[0].fqdn.lower() != file.server_fqdn:
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
    """That it is one, is good now, and carries the edge's name. Who signed it does not matter: it will be in the directory."""
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
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [name.lower() for name in found.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        names = [str(one.value).lower() for one in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    if fqdn.lower() not in names:
        raise EdgeError(
            f"the certificate in the file does not name {fqdn}: write a new file on the edge with its own certificate"
        )


@asynccontextmanager
async def hub_side(organization: Organization, server: Server, state: StateFolder) -> AsyncIterator[HubSide]:
    """`organization` with URLs in place of "private" (`engines.resolved`). Raises EdgeError on a server that is no hub."""
    if Role.HUB not in server.roles:
        raise WrongHost(f"{server.name} is no hub: say this on a hub, where EdgeSync runs")
    runtime = Runtime.outside(organization, server, state)
    key = prepare_hub(state)
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
