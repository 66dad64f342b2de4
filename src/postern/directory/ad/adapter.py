"""The directory as roles need it, answered by Active Directory. A controller of the domain answers for accounts. The global
catalogue answers for recipients where it has all that they consist of, else a controller does.

Reads through `client`; `entries` knows what attributes mean, and `names` where our own entries stand. `postern setup ad` and the
administration write. The controllers judge passwords (`model.directory.Logons`): Active Directory hands out no verifiers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Literal
from uuid import UUID

from postern.directory import address_book, entries, mailbox_owners, memberships
from postern.directory.ad import names as ad_names
from postern.directory.ad.changes import RecentChanges
from postern.directory.ad.client import Dial, DomainClient
from postern.directory.ad.security_descriptor import sid_octets
from postern.directory.ad.values import base_of, certificates_of_edges, complete, sid_of
from postern.directory.entries import ACTIVE_DIRECTORY
from postern.directory.ldap.client import BASE, ONE_LEVEL, SUBTREE, Client, Entry, Refused, either, escape
from postern.directory.ldap.tickets import Tickets
from postern.directory.recipient_cache import RecipientCache
from postern.model.address_book import AddressBookEntry
from postern.model.directory import (
    Account,
    CertificateNames,
    DirectoryUnavailable,
    Locator,
    Recipient,
    TrustedCertificate,
    Unknown,
)
from postern.model.domains import a_labels, fold
from postern.model.organization import AcceptedDomain, ActiveDirectory, DomainType
from postern.paths.row import Path, Wire
from postern.telemetry.observed import Observed
from postern.telemetry.rounds import rounds

CACHE_KNOWN, CACHE_UNKNOWN, FOLLOW = 30.0, 5.0, 2.0
"""Seconds that roles use: a change is known after FOLLOW, a removal after CACHE_KNOWN at the latest."""
_MAX_NAMES = 100
"""Distinguished names in one filter."""
_MAX_NAME = 512
"""The longest logon name that is looked up at all, in characters; RFC 5321 section 4.5.3.1 allows 320 octets."""
_MAX_MEMBERS = 100_000
"""Members of one group that are followed."""
_REMEMBERED = 30.0
"""Seconds for which the name of the servers' group, and which attributes the catalogue has, are remembered."""


class DomainDirectory:
    """Implements `model.directory.Directory`, `Groups`, `MailboxOwners`, `AddressBook`, `DirectoryPolicy` and `Certificates` for
    a domain. `controller` connects to port 389, `catalogue` to 3268. Recipients are remembered for `cache_known` and absences
    for `cache_unknown` seconds. Every `follow` seconds (0.0: never) the directory forgets the recipients that the domain says to
    have changed. An account is never remembered."""

    def __init__(
        self,
        domain: ActiveDirectory,
        controller: DomainClient,
        catalogue: DomainClient,
        cache_known: float = 5.0,
        cache_unknown: float = 2.0,
        follow: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.controller = controller
        self.catalogue = catalogue
        self._domain = domain
        self._base = base_of(domain.domain)
        self._cache = RecipientCache(self._fetch, cache_known, cache_unknown)
        self._recent = RecentChanges(controller, self._base)
        self._follow = follow
        self._following: asyncio.Task[None] | None = None
        self._clock = clock
        self._group = (("", ""), -_REMEMBERED)
        self._in_catalogue = (False, -_REMEMBERED)

    @staticmethod
    def open(
        row: Path,
        domain: ActiveDirectory,
        locator: Locator,
        dial: Dial,
        tickets: Tickets,
        observed: Observed | None = None,
    ) -> DomainDirectory:
        """Opens the domain on `row` (hub-to-ad and its like). `dial` is `net.tunnel.tunnel`."""
        ldap = DomainClient(row, row.port("ldap", Wire.TCP), locator, dial, tickets, observed=observed)
        catalogue = DomainClient(row, row.port("global catalogue"), locator, dial, tickets, observed=observed)
        return DomainDirectory(domain, ldap, catalogue, CACHE_KNOWN, CACHE_UNKNOWN, FOLLOW)

    # Recipients

    async def recipients(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        return await self._cache.get(addresses)

    async def recipient(self, address: str) -> Recipient | None:
        answer = self._cache.peek(address)
        if isinstance(answer, Unknown):
            return (await self._cache.get((address,))).get(address)
        return answer

    def cached_recipient(self, address: str) -> Recipient | Literal[Unknown.UNKNOWN] | None:
        return self._cache.peek(address)

    async def _forget_changed(self) -> None:
        touched = await self._recent.poll()
        if touched is None:
            self._cache.clear()
        elif touched.guids:
            self._cache.forget(touched.guids, touched.addresses)

    async def _fetch(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        """Asks Active Directory. `addresses` are folded, and few enough for one filter."""
        if self._follow and self._following is None:
            self._following = asyncio.create_task(
                rounds(
                    self._follow,
                    self._forget_changed,
                    "following of changes",
                    expected=(DirectoryUnavailable, Refused),
                    at_once=True,
                )
            )
        client, base = await self._reader()
        which = "".join(either("proxyAddresses=smtp:", address) for address in addresses)
        matches = await client.search(base, SUBTREE, f"(|{which})", entries.RECIPIENT_ATTRIBUTES)
        matches = [await self._with_all_members(client, entry) for entry in matches if "objectGUID" in entry.attributes]
        names = await self._addresses_of(
            client, base, (name for entry in matches for name in entries.references(entry.attributes))
        )
        answer: dict[str, Recipient] = {}
        for entry in matches:
            recipient = entries.recipient(entry.attributes, names)
            answer.update(dict.fromkeys(recipient.addresses, recipient))
        return answer

    async def _reader(self) -> tuple[Client, str]:
        """Returns the client for questions about recipients, and the search base. They are the forest's catalogue if all
        attributes of a recipient are replicated to it, else the domain itself."""
        whole, since = self._in_catalogue
        if time.monotonic() - since > _REMEMBERED:
            schema = entries.text(await self.controller.root(), "schemaNamingContext")
            # Who may send on behalf is not worth asking a controller for everything: without it nobody may.
            needed = (name for name in entries.RECIPIENT_ATTRIBUTES if name != entries.DELEGATES)
            which = "".join(f"(lDAPDisplayName={name})" for name in needed)
            attributes = await self.controller.search(
                schema, ONE_LEVEL, f"(&(objectClass=attributeSchema)(|{which}))", ("isMemberOfPartialAttributeSet",)
            )
            whole = all(entries.flag(entry.attributes, "isMemberOfPartialAttributeSet") for entry in attributes)
            self._in_catalogue = (whole, time.monotonic())
        return (self.catalogue, "") if whole else (self.controller, self._base)

    async def _with_all_members(self, client: Client, entry: Entry) -> Entry:
        """Returns the entry with all members: those of a large group come in ranges (MS-ADTS 3.1.1.3.1.3.3)."""
        values, following = complete(entry.attributes)
        while following and len(values["member"]) < _MAX_MEMBERS:
            name = f"member;range={following}-*"
            more = await client.search(entry.dn, BASE, "(objectClass=*)", (name,))
            before = following
            rest, following = complete(more[0].attributes) if more else ({}, 0)
            values["member"].extend(rest.get("member", ()))
            if following <= before:
                break
        return Entry(entry.dn, values)

    async def _addresses_of(self, client: Client, base: str, names: Iterable[str]) -> dict[str, str]:
        """Returns primary addresses by folded distinguished name; names without an address are missing."""
        wanted = list(dict.fromkeys(names))
        parts = [wanted[start : start + _MAX_NAMES] for start in range(0, len(wanted), _MAX_NAMES)]
        filters = ["".join(f"({ACTIVE_DIRECTORY.name}={escape(name)})" for name in part) for part in parts]
        answers = await asyncio.gather(
            *(
                client.search(base, SUBTREE, f"(&(proxyAddresses=*)(|{which}))", ("proxyAddresses",))
                for which in filters
            )
        )
        return {fold(entry.dn): entries.primary_of(entry.attributes) for matches in answers for entry in matches}

    # Accounts

    async def account(self, name: str) -> Account | None:
        if not name or len(name) > _MAX_NAME:
            return None
        prefix, _, short = name.rpartition("\\")
        if prefix and prefix.lower() not in (self._domain.netbios.lower(), self._domain.domain.lower()):
            return None  # a user of another domain, whom only a trust could find
        local, at, suffix = short.rpartition("@")
        implicit = local if at and fold(suffix) == fold(self._domain.domain) else ""
        if not at:
            which = f"(sAMAccountName={escape(short)})"
        else:
            names = either("userPrincipalName=", short) + either("proxyAddresses=smtp:", short)
            which = f"(|{names}{_called(implicit)})"
        accounts = await self._accounts(which)
        if not at:
            return accounts[0][1] if len(accounts) == 1 else None
        return _named(accounts, fold(short), fold(implicit))

    async def account_of_certificate(self, names: CertificateNames) -> Account | None:
        """Believes what Active Directory calls strong (MS-PKCA section 3.1.5.2.1.5): altSecurityIdentities, and the SID that
        the domain's own authorities put into a certificate. A user principal name alone proves nobody."""
        sid = sid_octets(names.sid)
        which = "".join(f"(altSecurityIdentities={escape(value)})" for value in names.identities)
        if sid:
            which += "(objectSid=" + "".join(f"\\{octet:02x}" for octet in sid) + ")"
        matches = await self.controller.search(
            *(self._base, SUBTREE, f"(&(objectClass=user)(|{which}))"),
            (*entries.ACTIVE_DIRECTORY_ACCOUNT_ATTRIBUTES, "altSecurityIdentities", "objectSid"),
        )
        accounts = [entry.attributes for entry in matches if "userAccountControl" in entry.attributes]
        owner = entries.owner(
            names, accounts, lambda values: bool(sid) and bytes(values.get("objectSid", (b"",))[0]) == sid
        )
        if owner is None:
            return None
        group, _ = await self._servers_group()
        return entries.domain_account(owner, group, self._clock())

    async def accounts_by_guid(self, guids: Sequence[UUID]) -> dict[UUID, Account]:
        answer: dict[UUID, Account] = {}
        for which in entries.guid_filters(guids):
            accounts = await self._accounts(which)
            answer.update({account.guid: account for _, account in accounts})
        return answer

    async def mailbox_owners(self, guids: Sequence[UUID]) -> dict[UUID, str]:
        return await mailbox_owners.in_forest(self.controller, self.catalogue, self._base, guids)

    async def groups_of(self, guid: UUID) -> tuple[UUID, ...]:
        return await memberships.groups_of(self.controller, self._base, guid)

    async def resolve(self, text: str, most: int = 100) -> list[AddressBookEntry]:
        return await address_book.resolve(*await self._reader(), text, most, within=False)

    async def rooms(self, most: int = 100) -> list[AddressBookEntry]:
        return await address_book.rooms(*await self._reader(), most)

    async def address_book_entries(self, guids: Sequence[UUID]) -> dict[UUID, AddressBookEntry]:
        return await address_book.with_guids(*await self._reader(), guids)

    async def everybody(self, page: int = 500) -> AsyncGenerator[list[AddressBookEntry], None]:
        async with aclosing(address_book.everybody(*await self._reader(), page)) as pages:
            async for entries_ in pages:
                yield entries_

    async def _accounts(self, which: str) -> list[tuple[str, Account]]:
        """Returns the accounts that match a filter, each with its sAMAccountName."""
        matches = await self.controller.search(
            *(self._base, SUBTREE, f"(&(objectClass=user){which})"), entries.ACTIVE_DIRECTORY_ACCOUNT_ATTRIBUTES
        )
        group, _ = await self._servers_group()
        return [
            (
                entries.text(entry.attributes, "sAMAccountName"),
                entries.domain_account(entry.attributes, group, self._clock()),
            )
            for entry in matches
            if "userAccountControl" in entry.attributes
        ]

    async def servers_sid(self) -> str | None:
        """Returns the SID of our servers' group, as tickets and verdicts carry it; None before `setup ad` made the group."""
        return (await self._servers_group())[1] or None

    async def _servers_group(self) -> tuple[str, str]:
        """Returns the distinguished name and the SID of our servers' group; both are "" before `setup ad` made it."""
        group, since = self._group
        if not group[0] or time.monotonic() - since > _REMEMBERED:
            which = f"(&(objectClass=group)(sAMAccountName={escape(ad_names.SERVERS_GROUP)}))"
            groups = await self.controller.search(self._base, SUBTREE, which, ("objectSid",))
            group = (groups[0].dn, sid_of(groups[0].attributes)) if len(groups) == 1 else ("", "")
            self._group = (group, time.monotonic())
        return group

    async def verifier(self, account: Account, kind: str) -> str | None:
        return None

    # What an administrator keeps

    async def enabled_verifiers(self) -> frozenset[str]:
        return frozenset()

    async def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        configured = await self._configured(ad_names.ACCEPTED_DOMAINS, ("cn", ad_names.DOMAIN_TYPE))
        types = {kind.value: kind for kind in DomainType}
        domains = (
            AcceptedDomain(a_labels(entries.text(values, "cn")), types[kind])
            for values in configured
            if (kind := entries.text(values, ad_names.DOMAIN_TYPE)) in types
        )
        return tuple(sorted(domains, key=lambda domain: domain.name))

    async def trusted_certificates(self) -> tuple[TrustedCertificate, ...]:
        """Returns the certificates of the subscribed edges."""
        attributes = ("cn", ad_names.SERVER_FQDN, ad_names.CERTIFICATE)
        return certificates_of_edges(await self._configured(ad_names.EDGE_SUBSCRIPTIONS, attributes))

    async def _configured(self, container: str, attributes: Sequence[str]) -> list[entries.Values]:
        """Returns the attributes of the entries in one of our containers; [] where the container is not there yet."""
        configuration = entries.text(await self.controller.root(), "configurationNamingContext")
        matches = await self.controller.search(f"{container},{configuration}", ONE_LEVEL, "(cn=*)", attributes)
        return [entry.attributes for entry in matches]

    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self.controller.close()
        await self.catalogue.close()


def _called(short: str) -> str:
    return f"(sAMAccountName={escape(short)})" if short else ""


def _named(accounts: Sequence[tuple[str, Account]], name: str, implicit: str) -> Account | None:
    """The account that a name belongs to: userPrincipalName before account@domain before a mailbox's address (MS-ADTS
    5.1.1.1.1)."""
    for short, account in accounts:
        if fold(account.name) == name and fold(short) != fold(account.name):
            return account
    for short, account in accounts:
        if implicit and fold(short) == implicit:
            return account
    return next((account for _, account in accounts if account.recipient == name), None)
