"""Opens this organization's directory for commands and for the start, and makes the entries that every start relies on.

Reads the service account's secret; `seed`, which a start calls, makes the secrets of the directory, of machine accounts and
of verify's probe account.
`directory.administration` writes the entries.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path as FilePath

from postern.directory.ad.adapter import DomainDirectory
from postern.directory.ad.administration import PASSWORD, DomainAdministration
from postern.directory.administration import Administration
from postern.directory.ldap.client import Client
from postern.directory.slapd_adapter import SERVICE, SUFFIX, SlapdDirectory
from postern.directory.user_certificates import UserCertificates
from postern.host import configuration, secret_files
from postern.model.directory import CLOSED_PROBE, PROBE, RecipientType
from postern.model.domains import a_labels, fold, shown
from postern.model.organization import Organization, Role, Server, StateFolder
from postern.paths.table import settle
from postern.roles.domain import Domain
from postern.roles.runtime import Runtime
from postern.roles.secrets import Secret, Secrets
from postern.roles.topology_client import local_topology, locator
from postern.services.topology.client import TopologyClient
from postern.trust.ntlm.handshake import nt_hash
from postern.trust.passwords.verifiers import matches, verifiers

_PROBE_NAME = "Postern's own probe"
_CLOSED_NAME = "Postern's own probe, closed"


_MOST_STRANDED = 100
"""The number of recipients outside the accepted domains at which counting stops."""
_MOST_NAMES = 100
"""The number of names in the tables of impersonation that a start looks up."""


class SeedError(Exception):
    """The directory is not ready for this server; the text says what to do."""


@dataclass(frozen=True, slots=True)
class OpenDirectory:
    """The directory, opened for reading and writing on one connection."""

    read: SlapdDirectory | DomainDirectory
    write: Administration
    locator: TopologyClient | None = None
    """The service that knows the domain's controllers."""
    certificates: UserCertificates | None = None
    """The certificates of users; None in Active Directory, whose own tools write them."""

    async def verifiers(self, name: str, password: str) -> dict[str, str]:
        """The verifiers that this directory now stores for the new password of a user with this logon name. Raises
        ValueError for a password that may not be used."""
        if isinstance(self.read, DomainDirectory):
            return {PASSWORD: password}
        kinds = await self.read.enabled_verifiers()
        return await asyncio.to_thread(verifiers, password, kinds, name, self.read.digest_realm)


@asynccontextmanager
async def opened(state: StateFolder, organization: Organization) -> AsyncIterator[OpenDirectory]:
    """Opens the directory of the organization (`engines.resolved`), and closes it at the end. Active Directory is asked as this
    host's server, on the row of its role. Raises ConfigurationError if it is not known which server this host is, and
    NotStarted."""
    if organization.active_directory is not None:
        server = configuration.this_server(organization, configuration.recorded(state))
        async with _in_domain(Runtime.outside(organization, server, state)) as directory:
            yield directory
        return
    row = settle(organization.profile)["private-directory"]
    password = secret_files.known(state, Secret.DIRECTORY)
    client = Client(row, organization.directory, SERVICE, password)
    try:
        write = Administration(client, SUFFIX)
        yield OpenDirectory(SlapdDirectory(client, SUFFIX), write, certificates=UserCertificates(client, SUFFIX))
    finally:
        await client.close()


@asynccontextmanager
async def _in_domain(runtime: Runtime) -> AsyncIterator[OpenDirectory]:
    domain = Domain(runtime)
    domain.use_kerberos()
    part = next(role for role in (Role.HUB, Role.MAILBOX, Role.CLIENT_ACCESS) if role in runtime.server.roles)
    here = local_topology(runtime)
    controllers = locator(runtime, here)
    read = domain.directory(part, controllers)
    try:
        yield OpenDirectory(read, DomainAdministration(read.controller, domain.settings), controllers)
    finally:
        await read.close()
        await controllers.close()
        await here.close()


async def seed(state: StateFolder, organization: Organization, server: Server) -> str:
    """Makes the containers, this server's machine account and the probe account, where they are missing. In Active Directory
    `setup ad` makes all of that, and this only checks that it was done. Returns the warnings of `stranded` and `unknown`, each on
    a line. Raises SeedError."""
    secret_files.obtain(state, Secret.SCRAM_SALTS)
    if organization.active_directory is not None:
        for name in (state.secrets / Secret.MACHINE_ACCOUNT, FilePath(organization.keytab)):
            if not name.exists():
                raise SeedError(f"{name} is missing: `postern setup ad` makes this server's account and its files")
        return ""
    for secret in (Secret.DIRECTORY, Secret.PROBE_ACCOUNT, Secret.DIGEST_NONCES):
        secret_files.obtain(state, secret)
    async with opened(state, organization) as directory:
        await directory.write.seed()
        await ensure_server(directory, state, server)
        await ensure_probe_account(directory, state, organization)
        await ensure_postmaster(directory, organization)
        warnings = [await stranded(directory, organization), await unknown(directory, organization)]
        return "\n".join(filter(None, warnings))


async def stranded(directory: OpenDirectory, organization: Organization) -> str:
    """A warning if recipients have addresses in no accepted domain, for mail to them leaves the organization or is refused; "" if
    there are none. It costs one search, and names only a few of them."""
    accepted = {
        a_labels(accepted_domain.name)
        for accepted_domain in (*organization.domains, *await directory.read.accepted_domains())
    }
    addresses = await directory.write.outside(sorted(accepted), _MOST_STRANDED)
    if not addresses:
        return ""
    number = f"{len(addresses)} or more" if len(addresses) == _MOST_STRANDED else str(len(addresses))
    number += " recipient has an address" if len(addresses) == 1 else " recipients have addresses"
    domains = sorted({shown(address.rpartition("@")[2]) for address in addresses})
    return (
        f"{number} in no accepted domain ({_few(map(shown, addresses), ', ')}): mail to them "
        "leaves this organization, or is refused. Add their domain to postern.toml, below the first one: "
        + _few((f'[[domain]] name = "{domain}"' for domain in domains), "; ")
    )


async def unknown(directory: OpenDirectory, organization: Organization) -> str:
    """A warning if the right to act in the place of others names accounts, groups or users that are not there; "" if all are."""
    names = {name for grant in organization.impersonations for name in (*grant.by, *grant.of)} - {"everybody"}
    asked = sorted(names)[:_MOST_NAMES]
    recipients = await directory.read.recipients([fold(name) for name in asked])
    missing = [name for name in asked if fold(name) not in recipients and await directory.read.account(name) is None]
    if not missing:
        return ""
    return (
        f"[[impersonation]] in postern.toml names {_few(missing, ', ')}, and nobody has that name: mend it, or add who is "
        "meant (`postern user add`, `postern group add`)."
    )


def _few(items: Iterable[str], between: str) -> str:
    first = list(islice(items, 4))
    return between.join(first[:3]) + (" …" if len(first) > 3 else "")


async def ensure_postmaster(directory: OpenDirectory, organization: Organization) -> None:
    """Makes postmaster's account, for RFC 5321 section 4.5.1 wants that address from the first moment. One can log on to it
    once it has a password (`postern user passwd`). It is not made if the address is an alias of somebody."""
    name = f"postmaster@{organization.default_domain}"
    home = next(iter(organization.databases), None)
    if home and await directory.read.recipient(name) is None and not await _moved(directory, "Postmaster", name):
        await directory.write.add_user(name, {}, display_name="Postmaster", database=home)


async def _moved(directory: OpenDirectory, display_name: str, name: str) -> bool:
    """Moves an account of ours to the default domain from the domain that was the default before. False if there is no such
    account. Called only while the default domain has none: at the first start, and after the default domain changed."""
    local = name.partition("@")[0]
    for listing in await directory.write.listings(RecipientType.USER):
        if listing.name.partition("@")[0] == local and listing.display_name == display_name:
            await directory.write.move(listing.name, name)
            return True
    return False


async def ensure_server(directory: OpenDirectory, state: StateFolder, server: Server) -> str:
    """Makes or corrects the machine account of this host's server. Returns its secret, which is stored in state.secrets."""
    secret = secret_files.obtain(state, Secret.MACHINE_ACCOUNT)
    account = await directory.read.account(server.machine_account)
    stored = await directory.read.verifier(account, "nt") if account is not None else None
    nt = nt_hash(secret).hex()
    if stored != nt or account is None or not account.enabled:
        await directory.write.ensure_server(server, {"nt": nt})
    return secret


async def ensure_probe_account(
    directory: OpenDirectory, state: StateFolder, organization: Organization
) -> tuple[str, str]:
    """Makes the mailbox that `postern verify` logs on to, hidden from address lists. Returns its name and password.

    It has the verifiers that are enabled now, for a probe must be able to try every mechanism. In Active Directory `setup ad`
    makes it; then this raises SeedError if this host does not have its password.
    """
    name = f"{PROBE}@{organization.default_domain}"
    if organization.active_directory is not None:
        file = state.secrets / Secret.PROBE_ACCOUNT
        if not file.exists():
            raise SeedError(f"{file} is missing: `postern setup ad` makes the account that verify logs on with")
        return name, Secrets(state.secrets).read(Secret.PROBE_ACCOUNT)
    password = secret_files.known(state, Secret.PROBE_ACCOUNT)
    kinds = {"argon2id", *await directory.read.enabled_verifiers()}
    account = await directory.read.account(name)
    if account is None and await _moved(directory, _PROBE_NAME, name):
        account = await directory.read.account(name)
    if account is None:
        await directory.write.add_user(
            name,
            await directory.verifiers(name, password),
            display_name=_PROBE_NAME,
            database=next(iter(organization.databases), None),
            hidden=True,
        )
        return name, password
    listing = await directory.write.show(name)
    stored = await directory.read.verifier(account, "argon2id")
    if set(listing.verifiers) != kinds or not await asyncio.to_thread(matches, stored, password):
        await directory.write.set_verifiers(name, await directory.verifiers(name, password))
    if not account.enabled:
        await directory.write.set_enabled(name, True)
    return name, password


async def ensure_closed_probe(directory: OpenDirectory, organization: Organization) -> str:
    """Makes the account by which `postern verify` tries that a certificate of a disabled account is refused. Returns its name; ""
    where clients show no certificates, and in Active Directory, where this server may make no accounts."""
    if organization.client_certificates is None or organization.active_directory is not None:
        return ""
    name = f"{CLOSED_PROBE}@{organization.default_domain}"
    account = await directory.read.account(name)
    if account is None and not await _moved(directory, _CLOSED_NAME, name):
        await directory.write.add_user(name, {}, display_name=_CLOSED_NAME, hidden=True)
    if account is None or account.enabled:
        await directory.write.set_enabled(name, False)
    return name
