"""Writes what the directory keeps for the whole organization: its containers, accepted domains beyond postern.toml, the kinds of
verifiers that are kept of users' passwords, and the servers' machine accounts.

Writes through `directory.ldap.client`; secrets come in as verifiers only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from uuid import uuid4

from postern.directory.entries import VERIFIER_ATTRIBUTES, WORKSTATION_ACCOUNT
from postern.directory.ldap.client import (
    ADD,
    BASE,
    DELETE,
    REPLACE,
    SUBTREE,
    AlreadyThere,
    Change,
    Client,
    NoSuchEntry,
    either,
    escape_rdn,
)
from postern.model.domains import domain_name, fold, mail_domain, spellings
from postern.model.organization import AcceptedDomain, Server
from postern.model.words import counted

VERIFIER_KINDS = frozenset({"nt", "scram-sha-256", "digest"})
"""The kinds of verifiers that can be enabled beside argon2id."""

_CONTAINERS = ("Users", "Groups", "Contacts", "Rooms", "Servers")
_DOMAINS = "cn=Accepted Domains,cn=Configuration"
_POLICY = "cn=Authentication,cn=Configuration"
# RFC 5321 sections 4.1.2 and 4.5.3.1, RFC 6531: strict enough to keep out what cannot be an address.
_ADDRESS = re.compile(r"[^\s@\x00-\x1f\x7f<>()\[\],;:\\\"]{1,64}@[^\s@\x00-\x1f\x7f<>()\[\],;:\\\"_]{1,255}")


class AdministrationError(Exception):
    """A request of an administrator cannot be done; the text says why and what to do."""


class NotFound(AdministrationError):
    """The directory has nothing with the name that was asked for."""


class NotConfigured(AdministrationError):
    """This organization, host or forest is not set up for what was asked."""


class NotPermitted(AdministrationError):
    """The directory does not let this account do what was asked."""


class Settings:
    """Administers the organization's settings. Every method may raise DirectoryUnavailable, and AdministrationError for what
    cannot be done."""

    def __init__(self, client: Client, suffix: str) -> None:
        self._client = client
        self._suffix = suffix

    async def seed(self) -> None:
        """Makes the containers; those that are there already stay as they are."""
        organization = self._suffix.partition("=")[2]
        await self._ensure(self._suffix, {"objectClass": [b"organization"], "o": [organization.encode()]})
        for name in _CONTAINERS:
            await self._ensure(
                f"ou={name},{self._suffix}", {"objectClass": [b"organizationalUnit"], "ou": [name.encode()]}
            )
        for dn, kind in (
            ("cn=Configuration", b"container"),
            (_DOMAINS, b"container"),
            (_POLICY, b"authenticationPolicy"),
        ):
            name = dn.partition(",")[0][3:]
            await self._ensure(f"{dn},{self._suffix}", {"objectClass": [kind], "cn": [name.encode()]})

    # Servers

    async def ensure_server(self, server: Server, verifiers: Mapping[str, str]) -> None:
        """Makes or updates the machine account of a server, enabled and with these verifiers of its secret (at least "nt")."""
        dn = f"cn={escape_rdn(server.name)},ou=Servers,{self._suffix}"
        secret = {VERIFIER_ATTRIBUTES[kind]: [value.encode()] for kind, value in verifiers.items()}
        host = server.fqdn.encode()
        settled = {
            "dNSHostName": [host],
            "userAccountControl": [str(WORKSTATION_ACCOUNT).encode()],
            "servicePrincipalName": [b"HOST/" + host, b"SMTP/" + host, b"exchangeMDB/" + host],
            **secret,
        }
        try:
            await self._client.add(
                dn,
                {
                    "objectClass": [b"computer"],
                    "cn": [server.name.encode()],
                    "objectGUID": [uuid4().bytes_le],
                    "sAMAccountName": [server.machine_account.encode()],
                    **settled,
                },
            )
        except AlreadyThere:
            matches = await self._client.search(dn, BASE, "(objectClass=computer)", tuple(settled))
            if not matches:
                raise AdministrationError(
                    f"another server's account is called {server.machine_account}: rename {server.name}"
                ) from None
            changes: list[Change] = [
                (REPLACE, name, values)
                for name, values in settled.items()
                if sorted(matches[0].attributes.get(name, [])) != sorted(values)
            ]
            if changes:
                await self._client.modify(dn, changes)

    # Configuration

    async def add_domain(self, domain: AcceptedDomain) -> None:
        name = checked_domain(domain.name)
        try:
            await self._client.add(
                f"cn={escape_rdn(name)},{_DOMAINS},{self._suffix}",
                {
                    "objectClass": [b"acceptedDomain"],
                    "cn": [name.encode()],
                    "posternDomainType": [domain.type.value.encode()],
                },
            )
        except AlreadyThere:
            raise AdministrationError(
                f"{name} is an accepted domain already: `postern domain list` names them"
            ) from None

    async def remove_domain(self, name: str) -> None:
        which = either("proxyAddresses=smtp:*@", name)
        used = sum([len(page) async for page in self._client.pages(self._suffix, SUBTREE, which, ("cn",))])
        if used:
            have = counted(used, "entry still has", "entries still have")
            raise AdministrationError(f"{have} addresses in {name}: remove those first")
        container = await self._domains()
        for spelling in spellings(name):
            with suppress(NoSuchEntry):
                await self._client.delete(f"cn={escape_rdn(spelling)},{container}")
                return
        raise NotFound(f"{name} is not among the directory's domains: those of `postern.toml` are removed there")

    async def _domains(self) -> str:
        """Returns the distinguished name of the container of the accepted domains."""
        return f"{_DOMAINS},{self._suffix}"

    async def enable_verifier(self, kind: str, realm: str = "") -> None:
        """Has a kind of verifier kept of passwords that are set from now on. The hashes of "digest" are made in the `realm`,
        which stays the same until the kind is disabled."""
        changes: list[Change] = [(ADD, "posternVerifier", [kind.encode()])]
        if kind == "digest":
            changes.append((ADD, "posternDigestRealm", [realm.encode("ascii")]))
        await self._change_policy(kind, changes)

    async def disable_verifier(self, kind: str) -> int:
        """Disables a kind of verifier, and removes those that users have, for unused ones are not kept. Servers keep theirs.
        Returns the number of users who had one."""
        changes: list[Change] = [(DELETE, "posternVerifier", [kind.encode()])]
        if kind == "digest":
            changes.append((REPLACE, "posternDigestRealm", None))
        await self._change_policy(kind, changes)
        attribute = VERIFIER_ATTRIBUTES[kind]
        users = await self._client.search(self._suffix, SUBTREE, f"(&(objectClass=user)({attribute}=*))", ("cn",))
        for entry in users:
            await self._client.modify(entry.dn, [(REPLACE, attribute, None)])
        return len(users)

    # Within

    async def _ensure(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> None:
        try:
            await self._client.add(dn, attributes)
        except AlreadyThere:
            pass

    async def _change_policy(self, kind: str, changes: Sequence[Change]) -> None:
        if kind not in VERIFIER_KINDS:
            raise AdministrationError(f'"{kind}" cannot be enabled or disabled: name digest, ntlm or scram')
        try:
            await self._client.modify(f"{_POLICY},{self._suffix}", changes)
        except (AlreadyThere, NoSuchEntry):
            pass  # it was so already


def checked(address: str) -> str:
    """Returns the address as it is kept. Raises AdministrationError for what cannot be one."""
    folded = fold(address)
    try:
        if _ADDRESS.fullmatch(folded) is None or ".." in folded or folded.startswith(".") or ".@" in folded:
            raise ValueError
        if domain_name(domain_of := folded.rpartition("@")[2]) != domain_of:
            raise ValueError
    except ValueError:
        raise AdministrationError(f'"{address}" is no mail address: write one such as alice@example.org') from None
    return folded


def checked_domain(domain: str) -> str:
    """Returns the domain as it is kept. Raises AdministrationError for what cannot be one."""
    try:
        return mail_domain(domain)
    except ValueError:
        raise AdministrationError(f'"{domain}" is no domain name: write one such as example.org') from None
