"""Writing to the tests' Samba domain as the system itself, over the controller's own socket: what the contract needs, and the
schema that `postern setup ad` makes.

Says nothing about how Postern writes to Active Directory; it is only the other side of what is read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import ldap
from ldap.controls import RequestControl
from ldap.ldapobject import SimpleLDAPObject

from postern.directory.ad import forest as ad_forest
from postern.directory.ad import setup as ad_setup
from postern.directory.ad.administrator_connection import AdministratorClient
from postern.directory.entries import guid_of, proxy_addresses
from postern.directory.ldap.client import ADD, DELETE, REPLACE, SUBTREE, Client, Entry, NoSuchEntry, escape, escape_rdn
from postern.directory.ldap.connection import Connection
from postern.model.directory import DomainController, RecipientType
from postern.model.organization import Database, Server
from postern.paths.table import TABLE

_NOWHERE = DomainController("", "", "", True, False)
_TREE_DELETE = "1.2.840.113556.1.4.805"
"""MS-ADTS 3.1.1.3.4.1.15."""
_NORMAL, _DISABLED, _NO_PASSWORD, _COMPUTER = 0x200, 0x2, 0x20, 0x1000


async def _nothing(*_: object) -> int:
    raise OSError("the system's client dials nothing")


class SystemClient(AdministratorClient):
    """Over `ldapi` of a controller's private folder, where whoever connects is the system. `socket` is the file."""

    def __init__(self, socket: Path) -> None:
        super().__init__(TABLE["hub-to-ad"], _NOWHERE, _nothing)
        self._socket = socket

    async def _open(self) -> Connection:
        handle = SimpleLDAPObject(f"ldapi://{quote(str(self._socket), safe='')}")
        handle.protocol_version = ldap.VERSION3
        handle.set_option(ldap.OPT_REFERRALS, ldap.OPT_OFF)
        handle.search_s("", ldap.SCOPE_BASE, "(objectClass=*)", ["cn"])  # connects
        self._connection = Connection(handle, self.row.id, 30.0)
        return self._connection


async def prepare(client: AdministratorClient, default_domain: str) -> None:
    """Schema, containers, group and rights, as `postern setup ad` makes them."""
    at = await ad_forest.root(client)
    forest = await ad_forest.read(client, at, ())
    executor = ad_forest.Executor(client, at)
    for step in ad_setup.steps(forest, default_domain):
        await executor.carry_out(step)
    forest = await ad_forest.read(client, at, ())
    for step in ad_setup.steps(forest, default_domain):  # rights, once the group has its number
        await executor.carry_out(step)


class DomainWriter:
    """The contract's Writer. All its entries stand below one organizational unit, which `empty` removes."""

    def __init__(self, client: Client, base: str) -> None:
        self.client = client
        self.base = base
        self.unit = f"OU=Contract,{base}"

    async def empty(self) -> None:
        tree = RequestControl(_TREE_DELETE, True, None)
        with contextlib.suppress(NoSuchEntry):
            await self.client._write(lambda handle: handle.delete_ext(self.unit, serverctrls=[tree]))
        found = await self.client.search(f"CN=Computers,{self.base}", SUBTREE, "(description=contract)", ("cn",))
        for entry in found:
            await self.client.delete(entry.dn)
        await self.client.add(self.unit, {"objectClass": [b"organizationalUnit"]})

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
    ) -> UUID:
        folded = address.lower()
        local = folded.partition("@")[0]
        taken = await self.client.search(self.base, SUBTREE, f"(sAMAccountName={escape(local)})", ("cn",))
        short = local if not taken else folded.replace("@", "-")[:20]
        usable = _NORMAL | _NO_PASSWORD | (_DISABLED if room else 0)
        return await self._add(
            f"CN={escape_rdn(folded)},{self.unit}",
            {
                "objectClass": [b"user"],
                "sAMAccountName": [short.encode()],
                "userPrincipalName": [folded.encode()],
                "userAccountControl": [str(usable).encode()],
                "displayName": [(display_name or local).encode()],
                "proxyAddresses": proxy_addresses(folded, [alias.lower() for alias in aliases]),
                "msExchHomeServerName": [f"/o=x/cn={database.server}".encode()] if database is not None else [],
                "mDBOverHardQuotaLimit": [str(quota // 1024).encode()] if quota else [],
                "msExchResourceMetaData": [b"ResourceType:Room"] if room else [],
                "msExchHideFromAddressLists": [b"TRUE"] if hidden else [],
            },
        )

    async def add_group(self, address: str, display_name: str = "", members: Sequence[str] = ()) -> UUID:
        names = [(await self._find(member)).dn.encode() for member in members]
        return await self._add(
            f"CN={escape_rdn(address)},{self.unit}",
            {
                "objectClass": [b"group"],
                "sAMAccountName": [address.replace("@", "-").encode()],
                "groupType": [b"8"],
                "displayName": [(display_name or address).encode()],
                "proxyAddresses": proxy_addresses(address, ()),
                "member": names,
            },
        )

    async def add_member(self, group: str, member: str) -> None:
        name = (await self._find(member)).dn.encode()
        await self.client.modify((await self._find(group)).dn, [(ADD, "member", [name])])

    async def add_contact(self, address: str, target: str, display_name: str = "") -> UUID:
        return await self._add(
            f"CN={escape_rdn(address)},{self.unit}",
            {
                "objectClass": [b"contact"],
                "displayName": [(display_name or address).encode()],
                "proxyAddresses": proxy_addresses(address, ()),
                "targetAddress": [f"SMTP:{target}".encode()],
            },
        )

    async def set_verifiers(self, name: str, verifiers: Mapping[str, str]) -> None:
        """What Active Directory keeps of a new password is its own business; that there is one shows."""
        entry = await self._find(name)
        password = '"{}"'.format("New-password-1" + "".join(verifiers.values())).encode("utf-16-le")
        await self.client.modify(entry.dn, [(REPLACE, "unicodePwd", [password])])

    async def set_enabled(self, name: str, enabled: bool) -> None:
        entry = await self._find(name)
        usable = _NORMAL | _NO_PASSWORD | (0 if enabled else _DISABLED)
        await self.client.modify(entry.dn, [(REPLACE, "userAccountControl", [str(usable).encode()])])

    async def set_forwarding(self, name: str, to: str, keep: bool) -> None:
        entry = await self._find(name)
        target = [(await self._find(to)).dn.encode()] if to else None
        flag = [b"TRUE"] if keep else None
        await self.client.modify(
            entry.dn, [(REPLACE, "altRecipient", target or []), (REPLACE, "deliverAndRedirect", flag or [])]
        )

    async def add_alias(self, name: str, alias: str) -> None:
        entry = await self._find(name)
        await self.client.modify(entry.dn, [(0, "proxyAddresses", [f"smtp:{alias}".encode()])])

    async def remove(self, name: str, kind: RecipientType) -> None:
        await self.client.delete((await self._find(name)).dn)

    async def ensure_server(self, server: Server, verifiers: Mapping[str, str]) -> None:
        dn = f"CN={escape_rdn(server.name.upper())},CN=Computers,{self.base}"
        group = await self.client.search(self.base, SUBTREE, "(sAMAccountName=Postern Servers)", ("member",))
        found = await self.client.search(dn, 0, "(objectClass=*)", ("cn",))
        if not found:
            await self._add(
                dn,
                {
                    "objectClass": [b"computer"],
                    "sAMAccountName": [server.machine_account.encode()],
                    "userAccountControl": [str(_COMPUTER).encode()],
                    "dNSHostName": [server.fqdn.encode()],
                    "description": [b"contract"],
                },
            )
        if dn.encode() not in group[0].attributes.get("member", []):
            await self.client.modify(group[0].dn, [(0, "member", [dn.encode()])])

    async def change(self, name: str, attribute: str, *values: str) -> None:
        entry = await self._find(name)
        kind = REPLACE if values else DELETE
        await self.client.modify(entry.dn, [(kind, attribute, [value.encode() for value in values] or None)])

    async def _add(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> UUID:
        await self.client.add(dn, attributes)
        found = await self.client.search(dn, 0, "(objectClass=*)", ("objectGUID",))
        return guid_of(found[0].attributes)

    async def _find(self, name: str) -> Entry:
        text = escape(name)
        which = f"(|(proxyAddresses=smtp:{text})(sAMAccountName={text})(userPrincipalName={text}))"
        found = await self.client.search(self.base, SUBTREE, which, ("cn",))
        assert len(found) == 1, (name, found)
        return found[0]
