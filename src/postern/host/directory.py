"""This organization's directory, as commands and the first start need it: opened, with the entries that every start relies on.

Reads the service account's secret; makes and keeps the secrets of machine accounts and of verify's probe account. The
entries themselves are `directory.administration`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from postern.directory.administration import Administration
from postern.directory.ldap import Client
from postern.directory.slapd_adapter import SERVICE, SUFFIX, SlapdDirectory
from postern.host import secret_files
from postern.model.directory import PROBE
from postern.model.organization import Organization, Role, Server, StateFolder
from postern.paths.table import settle
from postern.trust import passwords
from postern.trust.ntlm import nt_hash

PROBE_PASSWORD = "probe-account"  # noqa: S105 (a file's name)
SCRAM_SALTS = "scram-salts"
"""The secret that the Authenticators of all processes take as `salt_key`."""


@dataclass(frozen=True, slots=True)
class OpenDirectory:
    """Reading and writing on one connection."""

    read: SlapdDirectory
    write: Administration

    async def verifiers(self, password: str) -> dict[str, str]:
        """What is kept of a user's new password here and now. Raises ValueError for a password that cannot be one."""
        kinds = await self.read.enabled_verifiers()
        return await asyncio.to_thread(passwords.verifiers, password, kinds)


@asynccontextmanager
async def opened(state: StateFolder, organization: Organization) -> AsyncIterator[OpenDirectory]:
    """The directory of the organization (`engines.resolved`), closed again at the end."""
    row = settle(organization.profile)["private-directory"]
    password = secret_files.obtain(state, secret_files.DIRECTORY)
    client = Client(row, organization.directory, SERVICE, password)
    try:
        yield OpenDirectory(SlapdDirectory(client, SUFFIX), Administration(client, SUFFIX))
    finally:
        await client.close()


async def seed(state: StateFolder, organization: Organization, server: Server) -> None:
    """Containers, this server's machine account, and the probe account. Said again it changes nothing."""
    secret_files.obtain(state, SCRAM_SALTS)
    async with opened(state, organization) as directory:
        await directory.write.seed()
        await ensure_server(directory, state, server)
        await ensure_probe_account(directory, state, organization)
        await _ensure_postmaster(directory, organization)


async def _ensure_postmaster(directory: OpenDirectory, organization: Organization) -> None:
    """RFC 5321 section 4.5.1: postmaster exists from the first moment. Its mailbox opens once it is given a password
    (`postern user passwd`); as an alias of somebody it is nobody's mailbox here."""
    name = f"postmaster@{organization.default_domain}"
    home = organization.with_role(Role.MAILBOX)
    if home and await directory.read.recipient(name) is None:
        await directory.write.add_user(name, {}, display_name="Postmaster", home_server=home[0].name)


async def ensure_server(directory: OpenDirectory, state: StateFolder, server: Server) -> str:
    """The machine account of this host's server; returns its secret, which stays in state.secrets."""
    secret = secret_files.obtain(state, secret_files.MACHINE_ACCOUNT)
    account = await directory.read.account(server.machine_account)
    known = await directory.read.verifier(account, "nt") if account is not None else None
    nt = nt_hash(secret).hex()
    if known != nt or account is None or not account.enabled:
        await directory.write.ensure_server(server, {"nt": nt})
    return secret


async def ensure_probe_account(
    directory: OpenDirectory, state: StateFolder, organization: Organization
) -> tuple[str, str]:
    """The mailbox that `postern verify` logs on to, hidden from address lists; returns name and password.

    Its verifiers follow what an administrator enabled since: a probe must be able to try every mechanism.
    """
    name = f"{PROBE}@{organization.default_domain}"
    password = secret_files.obtain(state, PROBE_PASSWORD)
    kinds = {"argon2id", *await directory.read.enabled_verifiers()}
    account = await directory.read.account(name)
    if account is None:
        mailbox_servers = organization.with_role(Role.MAILBOX)
        await directory.write.add_user(
            name,
            await directory.verifiers(password),
            display_name="Postern's own probe",
            home_server=mailbox_servers[0].name if mailbox_servers else "",
            hidden=True,
        )
        return name, password
    listing = await directory.write.show(name)
    stored = await directory.read.verifier(account, "argon2id")
    if set(listing.verifiers) != kinds or not await asyncio.to_thread(passwords.matches, stored, password):
        await directory.write.set_verifiers(name, await directory.verifiers(password))
    if not account.enabled:
        await directory.write.set_enabled(name, True)
    return name, password
