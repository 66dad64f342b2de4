"""Writes users, groups, contacts and rooms into the private directory for an administrator (`settings` writes the rest). The
command line and the first start (`host.accounts`) call it.

Writes through `directory.ldap.client`. Passwords never come here: `trust.passwords.verifiers` makes verifiers of them. slapd
itself keeps an address or a name to one entry only (slapo-unique), whoever writes at the same time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID, uuid4

from postern.directory import entries
from postern.directory.entries import (
    ACCOUNT_DISABLED,
    EQUIPMENT,
    NORMAL_ACCOUNT,
    OPENLDAP,
    ROOM,
    VERIFIER_ATTRIBUTES,
)
from postern.directory.ldap.client import (
    ADD,
    BASE,
    DELETE,
    ONE_LEVEL,
    REPLACE,
    SUBTREE,
    AlreadyThere,
    Change,
    Entry,
    NoSuchEntry,
    either,
    escape,
    escape_rdn,
)
from postern.directory.listing import Listing, listing_of
from postern.directory.settings import AdministrationError, NotFound, Settings, checked
from postern.model.directory import RecipientType
from postern.model.domains import fold
from postern.model.organization import Database

_CONTAINER_OF = {
    RecipientType.USER: "Users",
    RecipientType.ROOM: "Rooms",
    RecipientType.GROUP: "Groups",
    RecipientType.CONTACT: "Contacts",
}
MAX_WAY = 1000
"""The most entries that are looked at in search of forwarding that leads back."""
_LISTED = (
    *(*entries.RECIPIENT_ATTRIBUTES, "userPrincipalName", "sAMAccountName", "userAccountControl"),
    *("msExchHideFromAddressLists", "posternSendAs", *VERIFIER_ATTRIBUTES.values()),
)


class Administration(Settings):
    """Administers the recipients of the private directory. Every method may raise DirectoryUnavailable, and AdministrationError
    for what cannot be done."""

    _dialect = OPENLDAP
    _listed: Sequence[str] = _LISTED

    # People and rooms

    async def add_user(
        self,
        address: str,
        verifiers: Mapping[str, str],
        display_name: str = "",
        aliases: Sequence[str] = (),
        database: Database | None = None,
        quota: int = 0,
        hidden: bool = False,
        room: bool = False,
        equipment: bool = False,
    ) -> UUID:
        """Adds an account with a mailbox; `address` is the logon name, too. `quota` is in bytes; 0 means the organization's
        limit. A room's account is disabled; with `equipment` it is no room, but is booked like one. Without `database` the
        mailbox has no home, and needs one before mail comes. Returns the objectGUID."""
        address = checked(address)
        guid = uuid4()
        attributes: dict[str, list[bytes]] = {
            "objectClass": [b"user"],
            "cn": [address.encode()],
            "objectGUID": [guid.bytes_le],
            "userPrincipalName": [address.encode()],
            "userAccountControl": [str(NORMAL_ACCOUNT | (ACCOUNT_DISABLED if room else 0)).encode()],
            "displayName": [(display_name or address.partition("@")[0]).encode()],
            "proxyAddresses": entries.proxy_addresses(address, [checked(alias) for alias in aliases]),
            "mail": [address.encode()] if address.isascii() else [],
            **entries.home(database, f"{entries.DATABASES},{self._suffix}"),
            "mDBOverHardQuotaLimit": [str(kilobytes(quota)).encode()] if quota else [],
            "msExchHideFromAddressLists": [b"TRUE"] if hidden else [],
            "msExchResourceMetaData": [(EQUIPMENT if equipment else ROOM).encode()] if room else [],
            **{VERIFIER_ATTRIBUTES[kind]: [value.encode()] for kind, value in verifiers.items()},
        }
        container = _CONTAINER_OF[RecipientType.ROOM if room else RecipientType.USER]
        dn = f"cn={escape_rdn(address)},ou={container},{self._suffix}"
        await self.refuse_taken([address, *aliases])
        for account_name in account_names(address):
            attributes["sAMAccountName"] = [account_name.encode()]
            try:
                await self._client.add(dn, attributes)
                return guid
            except AlreadyThere:
                await self.refuse_taken([address, *aliases])  # else only the short name is taken
        raise AdministrationError(f"no short logon name (sAMAccountName) is left for {address}: choose another address")

    async def move(self, name: str, address: str) -> None:
        """Makes `address` the primary address and logon name of a user, who gives up the former. The mailbox stays the same. The
        hashes for Digest go, for the former name stands in them."""
        entry, address = await self._find(name, "user"), checked(address)
        await self.refuse_taken([address], but=entry.dn)
        others = entries.addresses_of(entry.attributes)[1:]
        await self._client.modify(
            entry.dn,
            [
                (REPLACE, "userPrincipalName", [address.encode()]),
                (REPLACE, "proxyAddresses", entries.proxy_addresses(address, others)),
                (REPLACE, "mail", [address.encode()] if address.isascii() else None),
                (REPLACE, VERIFIER_ATTRIBUTES["digest"], None),
            ],
        )

    async def set_verifiers(self, name: str, verifiers: Mapping[str, str]) -> None:
        """Sets the verifiers of a new password, and removes the other kinds, for they belong to the old password."""
        entry = await self._find(name, "user")
        await self._client.modify(
            entry.dn,
            [
                (REPLACE, attribute, [verifiers[kind].encode()] if kind in verifiers else None)
                for kind, attribute in VERIFIER_ATTRIBUTES.items()
            ],
        )

    async def set_enabled(self, name: str, enabled: bool) -> None:
        """Enables or disables an account. A disabled account cannot log on; mail still reaches its mailbox."""
        entry = await self._find(name, "user")
        bits = entries.number(entry.attributes, "userAccountControl")
        bits = bits & ~ACCOUNT_DISABLED if enabled else bits | ACCOUNT_DISABLED
        await self._client.modify(entry.dn, [(REPLACE, "userAccountControl", [str(bits).encode()])])

    async def set_quota(self, name: str, quota: int) -> None:
        """Sets the quota in bytes, rounded up to KB as mDBOverHardQuotaLimit counts; 0 is the organization's limit again."""
        entry = await self._find(name, "user")
        value = [str(kilobytes(quota)).encode()] if quota else None
        await self._client.modify(entry.dn, [(REPLACE, "mDBOverHardQuotaLimit", value)])

    async def set_forwarding(self, name: str, to: str, keep: bool) -> None:
        """Forwards mail for `name` to the recipient `to` of this organization (altRecipient); "" ends that. With `keep` the
        mailbox gets the mail too."""
        entry = await self._find(name, "user")
        destination = await self._find(to) if to else None
        if destination is not None and fold(destination.dn) == fold(entry.dn):
            raise AdministrationError(f"{name} cannot forward to itself: name another recipient")
        if destination is not None and (way := await self._way(destination, entry)):
            raise AdministrationError(f"mail for {name} would come back to it: {' → '.join([name, *way])}")
        target = destination.dn.encode() if destination is not None else None
        await self._client.modify(
            entry.dn,
            [
                (REPLACE, "altRecipient", [target] if target else None),
                (REPLACE, "deliverAndRedirect", [b"TRUE"] if target and keep else None),
            ],
        )

    async def add_send_as(self, name: str, address: str) -> None:
        entry = await self._find(name, "user")
        await self._change(entry, (ADD, "posternSendAs", [checked(address).encode()]))

    async def remove_send_as(self, name: str, address: str) -> None:
        entry = await self._find(name, "user")
        kept = entries.kept(entry.attributes, "posternSendAs", fold(address))
        await self._change(entry, (DELETE, "posternSendAs", [kept]))

    async def add_delegate(self, name: str, delegate: str) -> None:
        """Lets `delegate`, a user or a group, send mail on behalf of `name`."""
        entry, other = await self._find(name), await self._find(delegate)
        if fold(other.dn) == fold(entry.dn):
            raise AdministrationError(f"{name} sends for itself anyway: name another recipient")
        await self._change(entry, (ADD, entries.DELEGATES, [other.dn.encode()]))

    async def remove_delegate(self, name: str, delegate: str) -> None:
        other = await self._find(delegate)
        await self._change(await self._find(name), (DELETE, entries.DELEGATES, [other.dn.encode()]))

    # Groups and contacts

    async def add_group(self, address: str, display_name: str = "", members: Sequence[str] = ()) -> UUID:
        names = [(await self._find(member)).dn.encode() for member in members]
        return await self._add_plain(RecipientType.GROUP, address, display_name, {"member": names})

    async def add_contact(self, address: str, target: str, display_name: str = "") -> UUID:
        """Adds an address of ours whose mail goes to `target` outside."""
        values = {"targetAddress": [f"SMTP:{checked(target)}".encode()]}
        return await self._add_plain(RecipientType.CONTACT, address, display_name, values)

    async def add_member(self, group: str, member: str) -> None:
        """Puts a member into a group. Groups may hold each other, for mail reaches everybody once. A recipient that forwards to
        the group, directly or by others, is refused as its member."""
        entry = await self._find(group, "group")
        recipient = await self._find(member)
        if fold(recipient.dn) == fold(entry.dn):
            raise AdministrationError(f"{group} cannot be a member of itself: name another recipient")
        if recipient.attributes.get("altRecipient") and (way := await self._way(recipient, entry)):
            raise AdministrationError(f"mail for {group} would come back to it: {' → '.join([group, *way])}")
        await self._change(entry, (ADD, "member", [recipient.dn.encode()]))

    async def remove_member(self, group: str, member: str) -> None:
        entry = await self._find(group, "group")
        await self._change(entry, (DELETE, "member", [(await self._find(member)).dn.encode()]))

    # What all have

    async def add_alias(self, name: str, alias: str) -> None:
        entry = await self._find(name)
        await self.refuse_taken([alias])
        await self._change(entry, (ADD, "proxyAddresses", [f"smtp:{checked(alias)}".encode()]))

    async def remove_alias(self, name: str, alias: str) -> None:
        entry = await self._find(name)
        if fold(alias) == entries.primary_of(entry.attributes):
            raise AdministrationError(f"{alias} is the primary address of {name}: it goes only with the entry")
        kept = entries.kept(entry.attributes, "proxyAddresses", f"smtp:{fold(alias)}")
        await self._change(entry, (DELETE, "proxyAddresses", [kept]))

    async def remove(self, name: str, kind: RecipientType) -> Listing:
        """Removes the entry, and returns it as it was. The content of a mailbox stays until the store is told."""
        listing = await self.show(name, kind)
        await self._client.delete((await self._find(name)).dn)
        return listing

    async def show(self, name: str, kind: RecipientType | None = None) -> Listing:
        entry = await self._find(name)
        listing = (await self._listings([entry]))[0]
        if kind is not None and listing.type is not kind:
            raise NotFound(f"{name} is a {listing.type}, not a {kind}: see `postern {listing.type} show {name}`")
        return listing

    async def listings(self, kind: RecipientType) -> list[Listing]:
        base = f"ou={_CONTAINER_OF[kind]},{self._suffix}"
        matches = await self._client.search(base, ONE_LEVEL, "(objectGUID=*)", _LISTED)
        return sorted(await self._listings(matches), key=lambda listing: listing.name)

    async def outside(self, domains: Iterable[str], limit: int) -> list[str]:
        """Returns the primary addresses, at most `limit`, of recipients who have theirs in none of these domains (in A-labels).
        Makes one search."""
        within = "".join(
            f"(userPrincipalName=*@{name})(mail=*@{name})(&(!(mail=*))(!(userPrincipalName=*))(proxyAddresses=smtp:*@{name}))"
            for name in map(escape, domains)
        )
        which = f"(&(proxyAddresses=*)(!(|{within})))"
        async for page in self._client.pages(self._suffix, SUBTREE, which, ("proxyAddresses",), limit):
            return sorted(entries.primary_of(entry.attributes) for entry in page)
        return []

    # Within

    async def _add_plain(
        self, kind: RecipientType, address: str, display_name: str, more: Mapping[str, Sequence[bytes]]
    ) -> UUID:
        address = checked(address)
        guid = uuid4()
        await self.refuse_taken([address])
        try:
            await self._client.add(
                f"cn={escape_rdn(address)},ou={_CONTAINER_OF[kind]},{self._suffix}",
                {
                    "objectClass": [kind.value.encode()],
                    "cn": [address.encode()],
                    "objectGUID": [guid.bytes_le],
                    "displayName": [(display_name or address.partition("@")[0]).encode()],
                    "proxyAddresses": entries.proxy_addresses(address, ()),
                    "mail": [address.encode()] if address.isascii() else [],
                    **more,
                },
            )
        except AlreadyThere:
            raise AdministrationError(f"{address} is taken: choose another address") from None
        return guid

    async def _change(self, entry: Entry, change: Change) -> None:
        try:
            await self._client.modify(entry.dn, [change])
        except AlreadyThere:
            raise AdministrationError("it has that already: nothing was changed") from None
        except NoSuchEntry:
            raise NotFound("it does not have that: nothing was changed") from None

    async def refuse_taken(self, addresses: Iterable[str], but: str = "") -> None:
        """Raises AdministrationError for an address that an entry has, other than the one with the distinguished name `but`."""
        for address in addresses:
            which = f"(|{either('proxyAddresses=smtp:', address)}{either('userPrincipalName=', address)})"
            for entry in await self._client.search(self._suffix, SUBTREE, which, ("cn",), limit=2):
                if fold(entry.dn) == fold(but):
                    continue
                raise AdministrationError(
                    f"{address} is taken by {entries.text(entry.attributes, 'cn')}: choose another address"
                )

    async def _way(self, start: Entry, goal: Entry) -> list[str]:
        """Returns the addresses over which mail for `start` reaches `goal` by forwarding and groups; empty if it does not.

        Bound: MAX_WAY entries are looked at; mail stops at fewer (`transport.categorize`).
        """
        ways = {fold(start.dn): [entries.primary_of(start.attributes)]}
        waiting = [start]
        while waiting and len(ways) <= MAX_WAY:
            entry = waiting.pop()
            way = ways[fold(entry.dn)]
            for dn in map(fold, entries.mail_goes_to(entry.attributes)):
                if dn == fold(goal.dn):
                    return [*way, entries.primary_of(goal.attributes)]
                if dn in ways:
                    continue
                for referred in await self._client.search(dn, BASE, "(objectClass=*)", self._listed):
                    ways[dn] = [*way, entries.primary_of(referred.attributes)]
                    waiting.append(referred)
        return []

    async def _find(self, name: str, of_class: str = "") -> Entry:
        """Finds the entry with this address, logon name or short name. An entry without a short name is found by what stands
        before the @ of its primary address. Aliases are found in full only: one word must not mean somebody who merely gets the
        mail for it."""
        wanted = escape(fold(name))
        which = (
            f"(|{either('proxyAddresses=smtp:', name)}{either('userPrincipalName=', name)}(sAMAccountName={wanted}))"
        )
        matches = await self._matching(which, of_class)
        if not matches and "@" not in name:
            alike = await self._matching(f"(proxyAddresses=smtp:{wanted}@*)", of_class)
            matches = [
                entry for entry in alike if entries.primary_of(entry.attributes).rpartition("@")[0] == fold(name)
            ]
        what = f"{of_class or 'entry'} with the name or address {name}"
        if not matches:
            raise NotFound(
                f"there is no {what}: `postern user list`, `postern room list` and `postern group list` show them"
            )
        if len(matches) > 1:
            raise AdministrationError(f"there is more than one {what}: write the whole address")
        return matches[0]

    async def _matching(self, which: str, of_class: str) -> list[Entry]:
        narrowed = f"(&{f'(objectClass={of_class})' if of_class else ''}(!(objectClass=computer)){which})"
        return list(await self._client.search(self._suffix, SUBTREE, narrowed, self._listed))

    async def _listings(self, matches: Sequence[Entry]) -> list[Listing]:
        names = [name for entry in matches for name in entries.references(entry.attributes)]
        addresses: dict[str, str] = {}
        for start in range(0, len(names), 100):
            which = "".join(f"({self._dialect.name}={escape(name)})" for name in names[start : start + 100])
            for entry in await self._client.search(self._suffix, SUBTREE, f"(|{which})", ("proxyAddresses",)):
                addresses[fold(entry.dn)] = entries.primary_of(entry.attributes)
        return [listing_of(entry, addresses) for entry in matches]


def account_names(address: str) -> Iterable[str]:
    """Yields candidates for sAMAccountName: the local part within 20 characters (MS-ADA3 2.222), then with a number."""
    stem = re.sub(r"[\"/\\\[\]:;|=,+*?<>@\s]", "_", address.partition("@")[0])[:20].rstrip(".")
    yield stem
    for number in range(2, 1000):
        yield f"{stem[: 20 - len(str(number))]}{number}"


def kilobytes(size: int) -> int:
    return -(-size // 1024)
