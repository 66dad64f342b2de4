"""Writes into Active Directory for an administrator of mail: the same commands as in the private directory, for accounts that
Active Directory keeps.

An existing user, group or contact gets mail attributes, and keeps everything else; `remove` takes them away again and leaves the
account. A missing one is made, where the caller has the right to. Postern's servers have no right to make or enable accounts,
change members or set passwords; the error says who does that instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from uuid import UUID

from postern.directory import entries
from postern.directory.ad import names
from postern.directory.ad.values import base_of
from postern.directory.administration import Administration, account_names, kilobytes
from postern.directory.entries import (
    ACCOUNT_DISABLED,
    ACTIVE_DIRECTORY,
    EQUIPMENT,
    NORMAL_ACCOUNT,
    ROOM,
    unicode_password,
)
from postern.directory.ldap.client import (
    BASE,
    ONE_LEVEL,
    REPLACE,
    SUBTREE,
    AlreadyThere,
    Attributes,
    Change,
    Client,
    Entry,
    NoSuchEntry,
    Refused,
    escape,
    escape_rdn,
)
from postern.directory.listing import Listing
from postern.directory.settings import AdministrationError, NotConfigured, NotPermitted, checked, checked_domain
from postern.model.directory import RecipientType
from postern.model.organization import AcceptedDomain, ActiveDirectory, Database, Server

PASSWORD = "password"  # noqa: S105 (a kind of verifier)
"""The only "verifier" that Active Directory takes: the password itself, from which it makes its own verifiers."""

_PERSON = "(&(objectCategory=person)(objectClass=user))"
_ROOMS = f"(|(msExchResourceMetaData={ROOM})(msExchResourceMetaData={EQUIPMENT}))"
_KINDS = {
    RecipientType.USER: f"(&{_PERSON}(!{_ROOMS}))",
    RecipientType.ROOM: f"(&{_PERSON}{_ROOMS})",
    RecipientType.GROUP: "(objectCategory=group)",
    RecipientType.CONTACT: "(&(objectCategory=person)(objectClass=contact))",
}
_MAIL = (
    *("proxyAddresses", "mail", "mailNickname", "targetAddress", "altRecipient", "deliverAndRedirect"),
    *(
        "homeMDB",
        "msExchHomeServerName",
        "mDBOverHardQuotaLimit",
        "mDBStorageQuota",
        "delivContLength",
        "submissionContLength",
    ),
    *("msExchRequireAuthToSendTo", "msExchHideFromAddressLists", "msExchResourceMetaData", "posternSendAs"),
    *("legacyExchangeDN", names.SHOW_IN_ADDRESS_BOOK, names.POLICIES_INCLUDED, names.POLICIES_EXCLUDED),
)
_UNIVERSAL_DISTRIBUTION = 8
"""groupType, MS-ADTS 2.2.12."""
_NICKNAME = 64


class DomainAdministration(Administration):
    """Administers the recipients of one domain. Every method may raise DirectoryUnavailable, and AdministrationError for what
    cannot be done or is not permitted.

    `client` is bound as the caller: a server's account, or an administrator. `verifiers` of a new account are {PASSWORD: …}.
    New entries are made in `place` (CN=Users of the domain).
    """

    def __init__(self, client: Client, domain: ActiveDirectory, place: str = "") -> None:
        super().__init__(_Permitted(client), base_of(domain.domain))
        self._dialect = ACTIVE_DIRECTORY
        self._place = place or f"CN=Users,{self._suffix}"
        self._configuration = ""

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
        """Gives the account with this logon name or short name a mailbox; makes the account if there is none."""
        address = checked(address)
        aliases = [checked(alias) for alias in aliases]
        mail: dict[str, list[bytes]] = {
            **_addressed(address, aliases),
            **entries.home(database, await self._database_container(database)),
            "mDBOverHardQuotaLimit": [str(kilobytes(quota)).encode()] if quota else [],
            "msExchHideFromAddressLists": [b"TRUE"] if hidden else [],
            "msExchResourceMetaData": [(EQUIPMENT if equipment else ROOM).encode()] if room else [],
        }
        entry = await self._existing(address, _PERSON)
        await self.refuse_taken([address, *aliases], entry.dn if entry else "")
        if entry is not None:
            return await self._enable_mail(entry, mail, display_name or address.partition("@")[0])
        password = verifiers.get(PASSWORD, "")
        control = NORMAL_ACCOUNT | (0 if password else ACCOUNT_DISABLED)
        account: dict[str, list[bytes]] = {
            "objectClass": [b"user"],
            "userPrincipalName": [address.encode()],
            "displayName": [(display_name or address.partition("@")[0]).encode()],
            "userAccountControl": [str(control).encode()],
            "unicodePwd": [unicode_password(password)] if password else [],
            **mail,
        }
        return await self._make(address, account, "user")

    async def set_verifiers(self, name: str, verifiers: Mapping[str, str]) -> None:
        """Sets the password, if the caller may reset it."""
        entry = await self._find(name, "user")
        if PASSWORD not in verifiers:
            raise NotConfigured("Active Directory keeps passwords in its own way: there is nothing else to store")
        with _explained(_PASSWORDS):
            await self._client.modify(entry.dn, [(REPLACE, "unicodePwd", [unicode_password(verifiers[PASSWORD])])])

    async def set_enabled(self, name: str, enabled: bool) -> None:
        with _explained(_ACCOUNTS):
            await super().set_enabled(name, enabled)

    # Groups and contacts

    async def add_member(self, group: str, member: str) -> None:
        with _explained(_MEMBERS):
            await super().add_member(group, member)

    async def remove_member(self, group: str, member: str) -> None:
        with _explained(_MEMBERS):
            await super().remove_member(group, member)

    async def _add_plain(
        self, kind: RecipientType, address: str, display_name: str, more: Mapping[str, Sequence[bytes]]
    ) -> UUID:
        address = checked(address)
        entry = await self._existing(address, _KINDS[kind])
        await self.refuse_taken([address], entry.dn if entry else "")
        mail = {**_addressed(address, ()), **{name: list(values) for name, values in more.items() if name != "member"}}
        if entry is not None:
            guid = await self._enable_mail(entry, mail, display_name or address.partition("@")[0])
            for member in more.get("member", ()):
                with _explained(_MEMBERS), contextlib.suppress(AlreadyThere):
                    await self._client.modify(entry.dn, [(0, "member", [member])])
            return guid
        made: dict[str, list[bytes]] = {
            "objectClass": [kind.value.encode()],
            "displayName": [(display_name or address.partition("@")[0]).encode()],
            **mail,
            "member": list(more.get("member", ())),
        }
        if kind is RecipientType.GROUP:
            made["groupType"] = [str(_UNIVERSAL_DISTRIBUTION).encode()]
        return await self._make(address, made, kind.value)

    # What all have

    async def remove(self, name: str, kind: RecipientType) -> Listing:
        """Removes the mail attributes from the entry. The account, group or contact stays in Active Directory."""
        listing = await self.show(name, kind)
        entry = await self._find(name)
        matches = await self._client.search(entry.dn, BASE, "(objectClass=*)", _MAIL)
        held = [attribute for attribute in _MAIL if matches and attribute in matches[0].attributes]
        await self._client.modify(entry.dn, [(REPLACE, attribute, None) for attribute in held])
        return listing

    async def listings(self, kind: RecipientType) -> list[Listing]:
        """Lists those of this kind that have mail."""
        which = f"(&(proxyAddresses=smtp:*){_KINDS[kind]})"
        matches = [
            entry async for page in self._client.pages(self._suffix, SUBTREE, which, self._listed) for entry in page
        ]
        return sorted(await self._listings(matches), key=lambda listing: listing.name)

    # The organization

    async def seed(self) -> None:
        """Makes nothing, for `postern setup ad` makes the containers. Raises NotConfigured if they are missing."""
        container = await self._domains()
        if not await self._client.search(container, BASE, "(objectClass=*)", ("cn",)):
            raise NotConfigured(_NOT_PREPARED)

    async def ensure_server(self, server: Server, verifiers: Mapping[str, str]) -> None:
        raise AdministrationError(f"the account of {server.name} is made by `postern setup ad`")

    async def add_domain(self, domain: AcceptedDomain) -> None:
        name = checked_domain(domain.name)
        values = {
            "objectClass": [names.ACCEPTED_DOMAIN_CLASS.encode()],
            "cn": [name.encode()],
            names.DOMAIN_TYPE: [domain.type.value.encode()],
        }
        try:
            await self._client.add(f"CN={escape_rdn(name)},{await self._domains()}", values)
        except AlreadyThere:
            raise AdministrationError(
                f"{name} is an accepted domain already: `postern domain list` names them"
            ) from None
        except NoSuchEntry:
            raise NotConfigured(_NOT_PREPARED) from None

    async def _domains(self) -> str:
        return await self._below(names.ACCEPTED_DOMAINS)

    async def enable_verifier(self, kind: str, realm: str = "") -> None:
        raise NotConfigured(_NO_DIGEST if kind == "digest" else _NO_VERIFIERS)

    async def disable_verifier(self, kind: str) -> int:
        raise NotConfigured(_NO_DIGEST if kind == "digest" else _NO_VERIFIERS)

    async def add_delegate(self, name: str, delegate: str) -> None:
        """Lets `delegate` send mail on behalf of `name`, if the schema has the attribute for it, which Exchange's setup adds."""
        root = await self._client.search("", BASE, "(objectClass=*)", ("schemaNamingContext",))
        schema = entries.text(root[0].attributes, "schemaNamingContext") if root else ""
        which = f"(&(objectClass=attributeSchema)(lDAPDisplayName={entries.DELEGATES}))"
        if not schema or not await self._client.search(schema, ONE_LEVEL, which, ("cn",)):
            raise AdministrationError(
                f"send on behalf is not supported here: the schema of this forest has no {entries.DELEGATES}, which Exchange adds"
            )
        await super().add_delegate(name, delegate)

    # Within

    async def _below(self, relative: str) -> str:
        if not self._configuration:
            root = await self._client.search("", BASE, "(objectClass=*)", ("configurationNamingContext",))
            self._configuration = entries.text(root[0].attributes, "configurationNamingContext") if root else ""
        return f"{relative},{self._configuration}"

    async def _database_container(self, database: Database | None) -> str:
        """Returns the container of databases, "" if this database has no object there: homeMDB is a link, which needs its target
        (MS-ADTS 3.1.1.1.6). `setup ad` makes the object. Until it was run again after an upgrade, the server's name says where
        a mailbox is."""
        if database is None:
            return ""
        container = await self._below(names.DATABASES)
        dn = f"CN={escape_rdn(database.name)},{container}"
        return container if await self._client.search(dn, BASE, "(objectClass=*)", ("cn",)) else ""

    async def _existing(self, address: str, kind: str) -> Entry | None:
        """Finds the entry whose logon name is the address or, if it has no mail yet, whose short name or cn is the local part."""
        local = escape(address.partition("@")[0])
        for which in (f"(userPrincipalName={escape(address)})", f"(sAMAccountName={local})", f"(cn={local})"):
            narrowed = f"(&{kind}(!(objectClass=computer)){which})"
            matches = await self._client.search(self._suffix, SUBTREE, narrowed, self._listed)
            by_logon_name = which.startswith("(userP")
            if len(matches) == 1 and (by_logon_name or not entries.primary_of(matches[0].attributes)):
                return matches[0]
        return None

    async def _enable_mail(self, entry: Entry, mail: Mapping[str, Sequence[bytes]], display_name: str) -> UUID:
        if entries.primary_of(entry.attributes):
            raise AdministrationError(
                f"{entries.primary_of(entry.attributes)} is its address already: see `postern alias`"
            )
        changes: list[Change] = [(REPLACE, name, list(values)) for name, values in mail.items() if values]
        if "displayName" not in entry.attributes:
            changes.append((REPLACE, "displayName", [display_name.encode()]))
        await self._client.modify(entry.dn, changes)
        return entries.guid_of(entry.attributes)

    async def _make(self, address: str, values: Mapping[str, Sequence[bytes]], kind: str) -> UUID:
        with _explained(f"there is no {kind} {address} in Active Directory, and {_ACCOUNTS}"):
            for short in account_names(address):
                dn = f"CN={escape_rdn(address[:_NICKNAME])},{self._place}"
                named = {} if kind == "contact" else {"sAMAccountName": [short.encode()]}
                try:
                    await self._client.add(dn, {**values, "cn": [address[:_NICKNAME].encode()], **named})
                except AlreadyThere:
                    if kind == "contact" or await self._client.search(dn, BASE, "(objectClass=*)", ("cn",)):
                        raise AdministrationError(f"{address} is taken: choose another address") from None
                    continue
                made = await self._client.search(dn, BASE, "(objectClass=*)", ("objectGUID",))
                return entries.guid_of(made[0].attributes)
        raise AdministrationError(f"no short logon name (sAMAccountName) is left for {address}: choose another address")


def _addressed(address: str, aliases: Sequence[str]) -> dict[str, list[bytes]]:
    return {
        "proxyAddresses": entries.proxy_addresses(address, aliases),
        "mail": [address.encode()] if address.isascii() else [],
        "mailNickname": [address.partition("@")[0][:_NICKNAME].encode()],
    }


_PASSWORDS = (
    "passwords are Active Directory's: users change their own, administrators set them (samba-tool user setpassword, Active "
    "Directory Users and Computers)"
)
_ACCOUNTS = (
    "Postern's servers may not make, enable or disable accounts: an administrator does that (samba-tool user, Active Directory "
    "Users and Computers)"
)
_MEMBERS = (
    "Postern's servers may not change a group's members: an administrator or its manager does that in Active Directory"
)
_NOT_PREPARED = "the forest is not prepared for Postern: `postern setup ad` prepares it"
_NO_VERIFIERS = "Active Directory judges NTLM and Kerberos by itself: there is nothing to enable or disable"
_NO_DIGEST = (
    "Active Directory hands out no hashes for Digest: clients log on by Negotiate, NTLM or a password inside TLS"
)


@contextlib.contextmanager
def _explained(explanation: str) -> Iterator[None]:
    """Adds to the error about a lack of rights an explanation of who has them."""
    try:
        yield
    except NotPermitted as error:
        raise NotPermitted(f"{explanation} ({error})") from None


@contextlib.contextmanager
def _rights() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        if str(error).startswith("INSUFFICIENT_ACCESS"):  # insufficientAccessRights, RFC 4511 appendix A
            raise NotPermitted("Active Directory: " + " ".join(str(error).split())) from None
        raise


class _Permitted(Client):
    """A client that passes requests to another one, and raises NotPermitted for a lack of rights."""

    def __init__(self, client: Client) -> None:
        self._inner = client

    async def search(
        self, base: str, scope: int, filter_text: str, attributes: Sequence[str], limit: int = 0
    ) -> list[Entry]:
        return await self._inner.search(base, scope, filter_text, attributes, limit)

    def pages(
        self, base: str, scope: int, filter_text: str, attributes: Sequence[str], size: int = 500
    ) -> AsyncGenerator[list[Entry], None]:
        return self._inner.pages(base, scope, filter_text, attributes, size)

    async def add(self, dn: str, attributes: Attributes) -> None:
        with _rights():
            await self._inner.add(dn, attributes)

    async def modify(self, dn: str, changes: Sequence[Change]) -> None:
        with _rights():
            await self._inner.modify(dn, changes)

    async def delete(self, dn: str) -> None:
        with _rights():
            await self._inner.delete(dn)
