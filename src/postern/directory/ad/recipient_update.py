"""Recipient update: applies e-mail address policies and address lists to recipients of Active Directory.

Reads policies, lists and recipients, and writes on recipients the changes that `address_policy` computes, with the rights of
Postern's servers. Update sequence numbers (MS-ADTS 3.1.1.1.9) tell which recipients changed. They belong to one controller: with
another one, all recipients are looked at again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from postern.directory import entries
from postern.directory.ad import address_policy, names
from postern.directory.ad.address_policies import RECIPIENTS, AddressPolicies
from postern.directory.ad.address_policy import AddressPolicy
from postern.directory.ad.values import base_of
from postern.directory.ldap.client import (
    BASE,
    SUBTREE,
    AlreadyThere,
    Client,
    Entry,
    NoSuchEntry,
    Refused,
    either,
    escape,
)
from postern.model.directory import RecipientsUpdated
from postern.model.domains import fold
from postern.model.organization import ActiveDirectory
from postern.telemetry.log import Event, log

_READ = (
    *("objectGUID", "objectClass", "cn", "displayName", "givenName", "sn", "initials", "mail", "mailNickname"),
    *("proxyAddresses", "legacyExchangeDN", "msExchHideFromAddressLists", "uSNChanged"),
    *(names.POLICIES_INCLUDED, names.POLICIES_EXCLUDED, names.SHOW_IN_ADDRESS_BOOK),
)
_BATCH = 50
"""Recipients whose policies and lists are asked for in one filter."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The addresses that a recipient has and those that an update would give it, the primary first."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rules:
    policies: tuple[AddressPolicy, ...]
    lists: tuple[tuple[str, str], ...]
    """The distinguished name and the filter of each address list."""
    ours: str


class RecipientUpdate:
    """Updates the recipients of one domain. Every method may raise DirectoryUnavailable. `row` is the row that log lines name:
    recipient-update-to-ad."""

    def __init__(self, client: Client, domain: ActiveDirectory, row: str) -> None:
        self.policies = AddressPolicies(client)
        self._client = client
        self._base = base_of(domain.domain)
        self._row = row
        self._seen = ("", -1)
        self._mark = ""

    # Updating

    async def changed(self) -> RecipientsUpdated:
        """Updates the recipients that changed since the last time; all of them at first, with another controller, and when
        policies or lists changed."""
        invocation, highest = await self._position()
        rules = await self._rules()
        mark = repr((rules.policies, rules.lists))
        former, since = self._seen
        if former != invocation or mark != self._mark:
            done = await self.all()
        else:
            done = RecipientsUpdated()
            if highest > since:
                async for page in self._pages(f"(&{RECIPIENTS}(uSNChanged>={since + 1}))"):
                    done += await self._update(rules, page)
        self._seen, self._mark = (invocation, highest), mark
        return done

    async def all(self) -> RecipientsUpdated:
        rules, done = await self._rules(), RecipientsUpdated()
        async for page in self._pages(RECIPIENTS):
            done += await self._update(rules, page)
        return done

    async def these(self, addresses: Sequence[str]) -> RecipientsUpdated:
        """Updates these recipients, named by any address, logon name or short name."""
        rules, done = await self._rules(), RecipientsUpdated()
        for start in range(0, len(addresses), _BATCH):
            matches = await self._named(addresses[start : start + _BATCH])
            done += await self._update(rules, matches)
        return done

    async def preview(self, policy: AddressPolicy | None = None, addresses: Sequence[str] = ()) -> list[Preview]:
        """Returns the addresses that an update would give to these recipients, or to all. `policy` takes the place of the policy
        that is kept under its name."""
        rules = await self._rules()
        if policy is not None:
            others = [kept for kept in rules.policies if kept.name != policy.name]
            policies = sorted([*others, policy], key=lambda kept: (kept.order, kept.name))
            rules = _Rules(tuple(policies), rules.lists, rules.ours)
        previews = []
        pages = _one(await self._named(addresses)) if addresses else self._pages(RECIPIENTS)
        async for page in pages:
            for entry, changes in await self._planned(rules, page):
                after = {**entry.attributes, **{name: values or [] for _, name, values in changes}}
                previews.append(
                    Preview(
                        entries.text(entry.attributes, "mailNickname"),
                        entries.addresses_of(entry.attributes),
                        entries.addresses_of(after),
                    )
                )
        return previews

    # Within

    async def _update(self, rules: _Rules, page: Sequence[Entry]) -> RecipientsUpdated:
        changed, failed = 0, []
        for entry, changes in await self._planned(rules, page):
            if not changes:
                continue
            try:
                await self._client.modify(entry.dn, changes)
                changed += 1
            except NoSuchEntry:
                continue  # removed or renamed meanwhile: that change brings it here again
            except (Refused, AlreadyThere) as error:
                name = entries.text(entry.attributes, "mailNickname")
                log(Event.RECIPIENT_UPDATE_FAILED, path=self._row, recipient=name, error=str(error))
                failed.append(name)
        return RecipientsUpdated(len(page), changed, tuple(failed))

    async def _planned(self, rules: _Rules, page: Sequence[Entry]) -> list[tuple[Entry, list[address_policy.Change]]]:
        planned = []
        for start in range(0, len(page), _BATCH):
            batch = [entry for entry in page[start : start + _BATCH] if "objectGUID" in entry.attributes]
            policies = await self._policies_of(rules, batch)
            lists = await self._lists_of(rules, batch)
            assigned: dict[str, UUID] = {}
            for entry in batch:
                guid = entries.guid_of(entry.attributes)
                policy = policies.get(guid)
                wanted = await self._wanted(policy, entry, assigned) if policy else []
                assigned.update(dict.fromkeys(wanted, guid))
                hidden = entries.flag(entry.attributes, "msExchHideFromAddressLists")
                inside = () if hidden else lists.get(guid, ())
                planned.append((entry, address_policy.changes(entry.attributes, policy, wanted, inside, rules.ours)))
        return planned

    async def _wanted(self, policy: AddressPolicy, entry: Entry, assigned: dict[str, UUID]) -> list[str]:
        """Returns the policy's addresses, of which no other recipient has one in the directory or gets one in this batch."""
        occupied: set[str] = set()
        while True:
            asked: list[str] = []

            def taken(address: str, asked: list[str] = asked) -> bool:
                if address not in occupied:
                    asked.append(address)
                return address in occupied or assigned.get(address) is not None

            wanted = address_policy.wanted_addresses(policy, entry.attributes, taken)
            new = [address for address in asked if await self._is_taken(address, entry)]
            if not new:
                return wanted
            occupied.update(new)

    async def _is_taken(self, address: str, entry: Entry) -> bool:
        holders = await self._client.search(
            self._base, SUBTREE, either("proxyAddresses=smtp:", address), ("cn",), limit=2
        )
        return any(fold(holder.dn) != fold(entry.dn) for holder in holders)

    async def _policies_of(self, rules: _Rules, batch: Sequence[Entry]) -> dict[UUID, AddressPolicy]:
        policy_of: dict[UUID, AddressPolicy] = {}
        for policy in rules.policies:
            rest = [entry for entry in batch if entries.guid_of(entry.attributes) not in policy_of]
            policy_of.update(dict.fromkeys(await self._matching(policy.filter, rest), policy))
        return policy_of

    async def _lists_of(self, rules: _Rules, batch: Sequence[Entry]) -> dict[UUID, list[str]]:
        lists_of: dict[UUID, list[str]] = {}
        for dn, which in rules.lists:
            for guid in await self._matching(which, batch):
                lists_of.setdefault(guid, []).append(dn)
        return lists_of

    async def _matching(self, which: str, batch: Sequence[Entry]) -> list[UUID]:
        """Asks the directory which recipients of the batch the filter matches. A filter that means nothing matches none."""
        if not batch or not which:
            return []
        some = entries.guid_filter(entries.guid_of(entry.attributes) for entry in batch)
        try:
            matches = await self._client.search(self._base, SUBTREE, f"(&{some}{which})", ("objectGUID",))
        except Refused as error:
            log(Event.RECIPIENT_UPDATE_FAILED, path=self._row, recipient=which, error=str(error))
            return []
        return [entries.guid_of(entry.attributes) for entry in matches]

    async def _named(self, addresses: Sequence[str]) -> list[Entry]:
        parts = [
            either("proxyAddresses=smtp:", address)
            + either("userPrincipalName=", address)
            + f"(sAMAccountName={escape(fold(address))})(mailNickname={escape(fold(address))})"
            for address in addresses
        ]
        return await self._client.search(self._base, SUBTREE, f"(&{RECIPIENTS}(|{''.join(parts)}))", _READ)

    def _pages(self, which: str) -> AsyncIterator[list[Entry]]:
        return self._client.pages(self._base, SUBTREE, which, _READ)

    async def _rules(self) -> _Rules:
        ours = await self.policies.place(names.ADDRESS_LISTS)
        which = f"(&(objectClass={names.ADDRESS_LIST_CLASS})({names.PURPORTED_SEARCH}=*))"
        matches = await self._client.search(ours, SUBTREE, which, (names.PURPORTED_SEARCH,))
        lists = sorted((entry.dn, entries.text(entry.attributes, names.PURPORTED_SEARCH)) for entry in matches)
        return _Rules(tuple(await self.policies.all()), tuple(lists), ours)

    async def _position(self) -> tuple[str, int]:
        """Returns the id of the copy of the domain that answers (invocationId), and its highest update sequence number."""
        asked = ("dsServiceName", "highestCommittedUSN")
        root = await self._client.search("", BASE, "(objectClass=*)", asked)
        values = root[0].attributes if root else {}
        service = entries.text(values, "dsServiceName")
        settings = await self._client.search(service, BASE, "(objectClass=*)", ("invocationId",))
        invocation = settings[0].attributes.get("invocationId", [b""])[0].hex() if settings else service
        return invocation, entries.number(values, "highestCommittedUSN")


async def _one(page: list[Entry]) -> AsyncIterator[list[Entry]]:
    yield page
