"""The e-mail address policies that an organization keeps in Active Directory: listed, added, changed and removed.

`address_policy` says what a policy means, `recipient_update` gives recipients their addresses by it.
"""

from __future__ import annotations

from postern.directory import entries
from postern.directory.ad import address_policy, names
from postern.directory.ad.address_policy import AddressPolicy
from postern.directory.ldap.client import (
    BASE,
    ONE_LEVEL,
    REPLACE,
    SUBTREE,
    AlreadyThere,
    Client,
    NoSuchEntry,
    Refused,
    escape_rdn,
)
from postern.directory.settings import AdministrationError, NotConfigured, NotFound

RECIPIENTS = "(&(mailNickname=*)(|(objectCategory=person)(objectCategory=group)))"
"""The filter of recipients: objects with a mail nickname, which an administrator gives, as in Exchange."""


class AddressPolicies:
    """Every method may raise DirectoryUnavailable, and those that write AdministrationError."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._configuration = ""

    async def all(self) -> list[AddressPolicy]:
        """In the order in which they count."""
        found = await self._client.search(
            await self.place(names.ADDRESS_POLICIES),
            ONE_LEVEL,
            f"(objectClass={names.ADDRESS_POLICY_CLASS})",
            ("cn", names.POLICY_ORDER, names.PURPORTED_SEARCH, names.GATEWAY_PROXY),
        )
        return address_policy.by_name(entry.attributes for entry in found)

    async def get(self, name: str) -> AddressPolicy:
        for one in await self.all():
            if one.name.lower() == name.lower():
                return one
        raise NotFound(f'there is no address policy "{name}": `postern policy address list` names them')

    async def add(self, one: AddressPolicy) -> None:
        await self._check_filter(one)
        values = {
            "objectClass": [names.ADDRESS_POLICY_CLASS.encode()],
            "cn": [one.name.encode()],
            **address_policy.attributes(one),
        }
        try:
            await self._client.add(await self._dn(one.name), values)
        except AlreadyThere:
            raise AdministrationError(
                f'there is an address policy "{one.name}" already: `postern policy address edit` changes it'
            ) from None
        except NoSuchEntry:
            raise NotConfigured("the forest is not prepared for Postern: `postern setup ad` prepares it") from None

    async def change(self, one: AddressPolicy) -> None:
        """To what `one` says; its name says which."""
        await self._check_filter(one)
        values = address_policy.attributes(one)
        try:
            await self._client.modify(await self._dn(one.name), [(REPLACE, name, new) for name, new in values.items()])
        except NoSuchEntry:
            raise NotFound(
                f'there is no address policy "{one.name}": `postern policy address list` names them'
            ) from None

    async def remove(self, name: str) -> None:
        """Recipients keep the addresses that it gave them."""
        await self._client.delete(await self._dn((await self.get(name)).name))

    async def matched(self, one: AddressPolicy, base: str) -> int:
        """How many recipients below `base` its filter matches."""
        which = f"(&{RECIPIENTS}{one.filter})"
        return sum([len(page) async for page in self._client.pages(base, SUBTREE, which, ("cn",))])

    async def domains(self) -> list[str]:
        """Accepted domains beyond those of postern.toml, in which a policy may make addresses too."""
        which = f"(objectClass={names.ACCEPTED_DOMAIN_CLASS})"
        found = await self._client.search(await self.place(names.ACCEPTED_DOMAINS), ONE_LEVEL, which, ("cn",))
        return sorted(entries.text(entry.attributes, "cn") for entry in found)

    async def place(self, relative: str) -> str:
        """The distinguished name of one of `names`' containers."""
        if not self._configuration:
            found = await self._client.search("", BASE, "(objectClass=*)", ("configurationNamingContext",))
            self._configuration = entries.text(found[0].attributes, "configurationNamingContext") if found else ""
        return f"{relative},{self._configuration}"

    async def _dn(self, name: str) -> str:
        return f"CN={escape_rdn(name)},{await self.place(names.ADDRESS_POLICIES)}"

    async def _check_filter(self, one: AddressPolicy) -> None:
        """The directory itself judges it, before it is kept."""
        place = await self.place(names.ADDRESS_POLICIES)
        try:
            await self._client.search(place, BASE, f"(|(cn=*){one.filter})", ("cn",))
        except Refused as error:
            raise AdministrationError(f"Active Directory does not take the filter {one.filter}: {error}") from None
