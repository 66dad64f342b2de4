"""Recipient update: e-mail address policies and address lists applied to recipients of Active Directory.

Reads policies, lists and recipients, and writes on recipients what `address_policy` says. Whoever runs it has the rights of
Postern's servers. Which recipients changed is found by update sequence numbers (MS-ADTS 3.1.1.1.9), which are one controller's
own: at another one all is looked at again.
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
    """Addresses that a recipient would have, the primary first."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rules:
    policies: tuple[AddressPolicy, ...]
    lists: tuple[tuple[str, str], ...]
    """Distinguished name and filter."""
    ours: str


class RecipientUpdate:
    """Every method may raise DirectoryUnavailable. `row` is who is told of in the log: recipient-update-to-ad."""

    def __init__(self, client: Client, domain: ActiveDirectory, row: str) -> None:
        self.policies = AddressPolicies(client)
        self._client = client
        self._base = base_of(domain.domain)
        self._row = row
        self._seen = ("", -1)
        self._mark = ""

    # Updating

    async def changed(self) -> RecipientsUpdated:
        """Those that changed since the last time; all at first, at another controller, and when policies or lists changed."""
        invocation, highest = await self._position()
        rules = await self._rules()
        mark = repr((rules.policies, rules.lists))
        known, since = self._seen
        if known != invocation or mark != self._mark:
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
        """Recipients by any address, logon name or short name."""
        rules, done = await self._rules(), RecipientsUpdated()
        for start in range(0, len(addresses), _BATCH):
            found = await self._named(addresses[start : start + _BATCH])
            done += await self._update(rules, found)
        return done

    async def preview(self, one: AddressPolicy | None = None, addresses: Sequence[str] = ()) -> list[Preview]:
        """What an update would make of the addresses: of these recipients or of all, with `one` instead of the policy that is
        kept under its name."""
        rules = await self._rules()
        if one is not None:
            others = [known for known in rules.policies if known.name != one.name]
            policies = sorted([*others, one], key=lambda known: (known.order, known.name))
            rules = _Rules(tuple(policies), rules.lists, rules.ours)
        found = []
        pages = _one(await self._named(addresses)) if addresses else self._pages(RECIPIENTS)
        async for page in pages:
            for entry, changes in await self._planned(rules, page):
                after = {**entry.attributes, **{name: values or [] for _, name, values in changes}}
                found.append(
                    Preview(
                        entries.text(entry.attributes, "mailNickname"),
                        entries.addresses_of(entry.attributes),
                        entries.addresses_of(after),
                    )
                )
        return found

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
                continue  # removed or renamed meanwhile: its own change tells of it
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
            given: dict[str, UUID] = {}
            for entry in batch:
                guid = entries.guid_of(entry.attributes)
                one = policies.get(guid)
                wanted = await self._wanted(one, entry, given) if one else []
                given.update(dict.fromkeys(wanted, guid))
                hidden = entries.flag(entry.attributes, "msExchHideFromAddressLists")
                inside = () if hidden else lists.get(guid, ())
                planned.append((entry, address_policy.changes(entry.attributes, one, wanted, inside, rules.ours)))
        return planned

    async def _wanted(self, one: AddressPolicy, entry: Entry, given: dict[str, UUID]) -> list[str]:
        """The policy's addresses, of which none is somebody else's: as the directory has them, and as this batch gives them."""
        known: set[str] = set()
        while True:
            asked: list[str] = []

            def taken(address: str, asked: list[str] = asked) -> bool:
                if address not in known:
                    asked.append(address)
                return address in known or given.get(address) is not None

            wanted = address_policy.wanted_addresses(one, entry.attributes, taken)
            new = [address for address in asked if await self._is_taken(address, entry)]
            if not new:
                return wanted
            known.update(new)

    async def _is_taken(self, address: str, entry: Entry) -> bool:
        found = await self._client.search(
            self._base, SUBTREE, either("proxyAddresses=smtp:", address), ("cn",), limit=2
        )
        return any(fold(one.dn) != fold(entry.dn) for one in found)

    async def _policies_of(self, rules: _Rules, batch: Sequence[Entry]) -> dict[UUID, AddressPolicy]:
        found: dict[UUID, AddressPolicy] = {}
        for one in rules.policies:
            rest = [entry for entry in batch if entries.guid_of(entry.attributes) not in found]
            found.update(dict.fromkeys(await self._matching(one.filter, rest), one))
        return found

    async def _lists_of(self, rules: _Rules, batch: Sequence[Entry]) -> dict[UUID, list[str]]:
        found: dict[UUID, list[str]] = {}
        for dn, which in rules.lists:
            for guid in await self._matching(which, batch):
                found.setdefault(guid, []).append(dn)
        return found

    async def _matching(self, which: str, batch: Sequence[Entry]) -> list[UUID]:
        """Those of the batch that the filter matches: the directory's own judgement. None, if the filter means nothing."""
        if not batch or not which:
            return []
        some = "".join(f"(objectGUID={_octets(entry.attributes['objectGUID'][0])})" for entry in batch)
        try:
            found = await self._client.search(self._base, SUBTREE, f"(&(|{some}){which})", ("objectGUID",))
        except Refused as error:
            log(Event.RECIPIENT_UPDATE_FAILED, path=self._row, recipient=which, error=str(error))
            return []
        return [entries.guid_of(entry.attributes) for entry in found]

    async def _named(self, addresses: Sequence[str]) -> list[Entry]:
        parts = [
            either("proxyAddresses=smtp:", one)
            + either("userPrincipalName=", one)
            + f"(sAMAccountName={escape(fold(one))})(mailNickname={escape(fold(one))})"
            for one in addresses
        ]
        return await self._client.search(self._base, SUBTREE, f"(&{RECIPIENTS}(|{''.join(parts)}))", _READ)

    def _pages(self, which: str) -> AsyncIterator[list[Entry]]:
        return self._client.pages(self._base, SUBTREE, which, _READ)

    async def _rules(self) -> _Rules:
        ours = await self.policies.place(names.ADDRESS_LISTS)
        which = f"(&(objectClass={names.ADDRESS_LIST_CLASS})({names.PURPORTED_SEARCH}=*))"
        found = await self._client.search(ours, SUBTREE, which, (names.PURPORTED_SEARCH,))
        lists = sorted((entry.dn, entries.text(entry.attributes, names.PURPORTED_SEARCH)) for entry in found)
        return _Rules(tuple(await self.policies.all()), tuple(lists), ours)

    async def _position(self) -> tuple[str, int]:
        """Which copy of the domain answers, and its highest update sequence number."""
        asked = ("dsServiceName", "highestCommittedUSN")
        found = await self._client.search("", BASE, "(objectClass=*)", asked)
        values = found[0].attributes if found else {}
        service = entries.text(values, "dsServiceName")
        found = await self._client.search(service, BASE, "(objectClass=*)", ("invocationId",))
        invocation = found[0].attributes.get("invocationId", [b""])[0].hex() if found else service
        return invocation, entries.number(values, "highestCommittedUSN")


async def _one(page: list[Entry]) -> AsyncIterator[list[Entry]]:
    yield page


def _octets(value: bytes) -> str:
    """RFC 4515 section 3: octets in a filter."""
    return "".join(f"\\{octet:02x}" for octet in value)
