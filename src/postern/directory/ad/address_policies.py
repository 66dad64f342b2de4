"""Lists, adds, changes and removes the e-mail address policies that an organization keeps in Active Directory.

`address_policy` knows what a policy means; `recipient_update` gives recipients the addresses that the policies make.
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
    """The policies of one organization. Every method may raise DirectoryUnavailable, and those that write AdministrationError."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._configuration = ""

    async def all(self) -> list[AddressPolicy]:
        """Returns all policies, in the order in which they count."""
        matches = await self._client.search(
            await self.place(names.ADDRESS_POLICIES),
            ONE_LEVEL,
            f"(objectClass={names.ADDRESS_POLICY_CLASS})",
            ("cn", names.POLICY_ORDER, names.PURPORTED_SEARCH, names.GATEWAY_PROXY),
        )
        return address_policy.by_name(entry.attributes for entry in matches)

    async def get(self, name: str) -> AddressPolicy:
        for policy in await self.all():
            if policy.name.lower() == name.lower():
                return policy
        raise NotFound(f'there is no address policy "{name}": `postern policy address list` names them')

    async def add(self, policy: AddressPolicy) -> None:
        await self._check_filter(policy)
        values = {
            "objectClass": [names.ADDRESS_POLICY_CLASS.encode()],
            "cn": [policy.name.encode()],
            **address_policy.attributes(policy),
        }
        try:
            await self._client.add(await self._dn(policy.name), values)
        except AlreadyThere:
            raise AdministrationError(
                f'there is an address policy "{policy.name}" already: `postern policy address edit` changes it'
            ) from None
        except NoSuchEntry:
            raise NotConfigured("the forest is not prepared for Postern: `postern setup ad` prepares it") from None

    async def change(self, policy: AddressPolicy) -> None:
        """Changes the policy of this name to `policy`. Raises NotFound where there is none."""
        await self._check_filter(policy)
        values = address_policy.attributes(policy)
        try:
            await self._client.modify(
                await self._dn(policy.name), [(REPLACE, name, new) for name, new in values.items()]
            )
        except NoSuchEntry:
            raise NotFound(
                f'there is no address policy "{policy.name}": `postern policy address list` names them'
            ) from None

    async def remove(self, name: str) -> None:
        """Removes a policy; recipients keep the addresses that it gave them. Raises NotFound."""
        await self._client.delete(await self._dn((await self.get(name)).name))

    async def matched(self, policy: AddressPolicy, base: str) -> int:
        """Returns the number of recipients below `base` that the policy's filter matches."""
        which = f"(&{RECIPIENTS}{policy.filter})"
        return sum([len(page) async for page in self._client.pages(base, SUBTREE, which, ("cn",))])

    async def domains(self) -> list[str]:
        """Returns the accepted domains beyond those of postern.toml; a policy may make addresses in them too."""
        which = f"(objectClass={names.ACCEPTED_DOMAIN_CLASS})"
        matches = await self._client.search(await self.place(names.ACCEPTED_DOMAINS), ONE_LEVEL, which, ("cn",))
        return sorted(entries.text(entry.attributes, "cn") for entry in matches)

    async def place(self, relative: str) -> str:
        """Returns the distinguished name of one of the containers that `names` lists."""
        if not self._configuration:
            root = await self._client.search("", BASE, "(objectClass=*)", ("configurationNamingContext",))
            self._configuration = entries.text(root[0].attributes, "configurationNamingContext") if root else ""
        return f"{relative},{self._configuration}"

    async def _dn(self, name: str) -> str:
        return f"CN={escape_rdn(name)},{await self.place(names.ADDRESS_POLICIES)}"

    async def _check_filter(self, policy: AddressPolicy) -> None:
        """Lets the directory itself judge the filter before it is kept. Raises AdministrationError."""
        container = await self.place(names.ADDRESS_POLICIES)
        try:
            await self._client.search(container, BASE, f"(|(cn=*){policy.filter})", ("cn",))
        except Refused as error:
            raise AdministrationError(f"Active Directory does not take the filter {policy.filter}: {error}") from None
