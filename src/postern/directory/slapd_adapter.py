"""The directory as roles need it, answered by the private slapd.

Reads through `directory.ldap.client`. `directory.entries` knows what attributes mean; `directory.administration` writes.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import replace
from typing import Literal
from uuid import UUID

from postern.directory import address_book, entries, mailbox_owners, memberships
from postern.directory.ad import names as ad_names
from postern.directory.ad.values import certificates_of_edges
from postern.directory.entries import OPENLDAP, VERIFIER_ATTRIBUTES
from postern.directory.ldap.client import SUBTREE, Client, either, escape
from postern.directory.recipient_cache import RecipientCache
from postern.model.address_book import AddressBookEntry
from postern.model.directory import Account, CertificateNames, Recipient, TrustedCertificate, Unknown
from postern.model.domains import a_labels, fold
from postern.model.organization import AcceptedDomain, DomainType
from postern.paths.row import Path
from postern.telemetry.observed import Observed

SUFFIX = "o=postern"
"""The name below which the private directory's entries stand."""
SERVICE = f"cn=postern,{SUFFIX}"
"""Postern's own account in the private directory: the only one that reads secrets, and the only one that writes."""

_MAX_NAMES = 100
"""Distinguished names in one filter."""
_MAX_NAME = 512
"""The longest logon name that is looked up at all, in characters; RFC 5321 section 4.5.3.1 allows 320 octets."""


class SlapdDirectory:
    """Implements `model.directory.Directory`, `Groups`, `MailboxOwners`, `AddressBook`, `DirectoryPolicy` and `Certificates`."""

    def __init__(self, client: Client, suffix: str, cache_known: float = 5.0, cache_unknown: float = 2.0) -> None:
        self._client = client
        self._suffix = suffix
        self._cache = RecipientCache(self._fetch, cache_known, cache_unknown)
        self._key = secrets.token_bytes(32)
        self.digest_realm = ""
        """The realm in which hashes for HTTP Digest are made, as `enabled_verifiers` found it last; "" for none."""

    @staticmethod
    def open(row: Path, uri: str, password: str, observed: Observed | None = None) -> SlapdDirectory:
        """Opens the private directory behind `uri` on the row `private-directory`, with the password of the service account."""
        return SlapdDirectory(Client(row, uri, SERVICE, password, observed=observed), SUFFIX)

    async def recipients(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        return await self._cache.get(addresses)

    async def recipient(self, address: str) -> Recipient | None:
        answer = self._cache.peek(address)
        if isinstance(answer, Unknown):
            return (await self._cache.get((address,))).get(address)
        return answer

    def cached_recipient(self, address: str) -> Recipient | Literal[Unknown.UNKNOWN] | None:
        return self._cache.peek(address)

    async def account(self, name: str) -> Account | None:
        if not name or len(name) > _MAX_NAME:
            return None
        short = name.rpartition("\\")[2]
        if "@" in name:
            which = f"(|{either('userPrincipalName=', short)}{either('proxyAddresses=smtp:', short)})"
        else:
            which = f"(sAMAccountName={escape(short)})"
        matches = await self._client.search(self._suffix, SUBTREE, which, _ACCOUNT)
        accounts = [self._account(entry.attributes) for entry in matches if "userAccountControl" in entry.attributes]
        if "@" not in name:
            return accounts[0] if len(accounts) == 1 else None
        folded = fold(name)
        for account in accounts:
            if fold(account.name) == folded:
                return account
        return next((account for account in accounts if account.recipient == folded), None)

    async def account_of_certificate(self, names: CertificateNames) -> Account | None:
        """Believes the user principal name in a certificate: the authorities that it may come from are named for this purpose."""
        principal = names.principal if len(names.principal) <= _MAX_NAME else ""
        which = "".join(f"(altSecurityIdentities={escape(value)})" for value in names.identities)
        if principal:
            which += either("userPrincipalName=", principal)
        matches = await self._client.search(self._suffix, SUBTREE, f"(|{which})", (*_ACCOUNT, "altSecurityIdentities"))
        accounts = [entry.attributes for entry in matches if "userAccountControl" in entry.attributes]
        owner = entries.owner(
            names,
            accounts,
            lambda values: bool(principal) and fold(entries.text(values, "userPrincipalName")) == fold(principal),
        )
        return self._account(owner) if owner is not None else None

    async def accounts_by_guid(self, guids: Sequence[UUID]) -> dict[UUID, Account]:
        answer: dict[UUID, Account] = {}
        for which in entries.guid_filters(guids):
            matches = await self._client.search(self._suffix, SUBTREE, which, _ACCOUNT)
            accounts = (
                self._account(entry.attributes) for entry in matches if "userAccountControl" in entry.attributes
            )
            answer.update({account.guid: account for account in accounts})
        return answer

    async def mailbox_owners(self, guids: Sequence[UUID]) -> dict[UUID, str]:
        return await mailbox_owners.in_tree(self._client, self._suffix, guids)

    async def groups_of(self, guid: UUID) -> tuple[UUID, ...]:
        return await memberships.groups_of(self._client, self._suffix, guid)

    async def resolve(self, text: str, most: int = 100) -> list[AddressBookEntry]:
        return await address_book.resolve(self._client, self._suffix, text, most, within=True)

    async def rooms(self, most: int = 100) -> list[AddressBookEntry]:
        return await address_book.rooms(self._client, self._suffix, most)

    async def address_book_entries(self, guids: Sequence[UUID]) -> dict[UUID, AddressBookEntry]:
        return await address_book.with_guids(self._client, self._suffix, guids)

    def everybody(self, page: int = 500) -> AsyncGenerator[list[AddressBookEntry], None]:
        return address_book.everybody(self._client, self._suffix, page)

    def _account(self, values: entries.Values) -> Account:
        """Reads an account. `credentials` is a keyed digest of the verifier that every new password changes, for its salt is new;
        an administrator may enable and disable the other verifiers. A server has an NT hash only."""
        mark = next((values[name][0] for name in _MARKS if values.get(name)), b"")
        digest = hashlib.blake2b(mark, key=self._key, digest_size=16).hexdigest()
        return replace(entries.account(values, OPENLDAP), credentials=digest)

    async def verifier(self, account: Account, kind: str) -> str | None:
        attribute = VERIFIER_ATTRIBUTES[kind]
        matches = await self._client.search(self._suffix, SUBTREE, entries.guid_filter([account.guid]), (attribute,))
        return entries.text(matches[0].attributes, attribute) or None if matches else None

    async def enabled_verifiers(self) -> frozenset[str]:
        matches = await self._client.search(
            self._suffix, SUBTREE, "(objectClass=authenticationPolicy)", ("posternVerifier", "posternDigestRealm")
        )
        self.digest_realm = next(
            (realm for e in matches if (realm := entries.text(e.attributes, "posternDigestRealm"))), ""
        )
        return frozenset(value.decode() for entry in matches for value in entry.attributes.get("posternVerifier", ()))

    async def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        matches = await self._client.search(
            self._suffix, SUBTREE, "(objectClass=acceptedDomain)", ("cn", "posternDomainType")
        )
        domains = (
            AcceptedDomain(
                a_labels(entries.text(e.attributes, "cn")), DomainType(entries.text(e.attributes, "posternDomainType"))
            )
            for e in matches
        )
        return tuple(sorted(domains, key=lambda domain: domain.name))

    async def trusted_certificates(self) -> tuple[TrustedCertificate, ...]:
        """Returns the certificates of the subscribed edges."""
        which = f"(objectClass={ad_names.EDGE_SUBSCRIPTION_CLASS})"
        attributes = ("cn", ad_names.SERVER_FQDN, ad_names.CERTIFICATE)
        matches = await self._client.search(self._suffix, SUBTREE, which, attributes)
        return certificates_of_edges(entry.attributes for entry in matches)

    async def _fetch(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        """Asks slapd. `addresses` are folded, and few enough for one filter."""
        which = "".join(either("proxyAddresses=smtp:", address) for address in addresses)
        matches = await self._client.search(self._suffix, SUBTREE, f"(|{which})", entries.RECIPIENT_ATTRIBUTES)
        names = await self._addresses_of(name for entry in matches for name in entries.references(entry.attributes))
        answer: dict[str, Recipient] = {}
        for entry in matches:
            recipient = entries.recipient(entry.attributes, names)
            answer.update(dict.fromkeys(recipient.addresses, recipient))
        return answer

    async def _addresses_of(self, names: Iterable[str]) -> dict[str, str]:
        """Returns primary addresses by folded distinguished name; names without an address are missing."""
        wanted = list(dict.fromkeys(names))
        answer: dict[str, str] = {}
        for start in range(0, len(wanted), _MAX_NAMES):
            which = "".join(f"({OPENLDAP.name}={escape(name)})" for name in wanted[start : start + _MAX_NAMES])
            matches = await self._client.search(self._suffix, SUBTREE, f"(|{which})", ("proxyAddresses",))
            answer.update({fold(entry.dn): entries.primary_of(entry.attributes) for entry in matches})
        return answer

    async def close(self) -> None:
        await self._client.close()


_MARKS = (VERIFIER_ATTRIBUTES["argon2id"], VERIFIER_ATTRIBUTES["nt"])
_ACCOUNT = (*entries.ACCOUNT_ATTRIBUTES, OPENLDAP.change, *_MARKS)
