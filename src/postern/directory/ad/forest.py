"""Reads from a forest what a plan is made from, and carries out the steps of a plan through an administrator's connection.

Makes the passwords of accounts, and returns them to the caller, who keeps them; they are in no step, no log and no error.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from postern.directory.ad import names
from postern.directory.ad import schema as ad_schema
from postern.directory.ad.administrator_connection import AdministratorClient
from postern.directory.ad.security_descriptor import BadDescriptor, granted
from postern.directory.ad.setup import Forest, Known, SetupError
from postern.directory.ad.steps import Action, Add, Delete, Modify, NewSecret, Refresh, Rights, SetupStep
from postern.directory.entries import flag, number, text, unicode_password
from postern.directory.ldap.client import (
    ADD,
    BASE,
    ONE_LEVEL,
    REPLACE,
    SUBTREE,
    AlreadyThere,
    Entry,
    NoSuchEntry,
    Refused,
    escape,
)
from postern.model.organization import Server

_SCHEMA = (
    *("lDAPDisplayName", "attributeID", "governsID", "schemaIDGUID", "attributeSyntax", "attributeSecurityGUID"),
    *("mayContain", "systemMayContain", "possSuperiors", "systemPossSuperiors", "isDefunct", "objectClass"),
    "isMemberOfPartialAttributeSet",
)
_OBJECT = (
    *(
        "distinguishedName",
        "cn",
        "sAMAccountName",
        "userAccountControl",
        "dNSHostName",
        "servicePrincipalName",
        "member",
        "objectSid",
    ),
    *(
        "msDS-SupportedEncryptionTypes",
        "msDS-KeyVersionNumber",
        names.SERVER_FQDN,
        names.SERVER_ROLE,
        names.SITE,
        names.NETWORK_ADDRESS,
    ),
)


@dataclass(frozen=True, slots=True)
class Root:
    """The controller's root entry (MS-ADTS 3.1.1.3.2)."""

    domain: str
    configuration: str
    schema: str
    controller: str


async def root(client: AdministratorClient) -> Root:
    names_of = ("defaultNamingContext", "configurationNamingContext", "schemaNamingContext")
    matches = await client.search("", BASE, "(objectClass=*)", (*names_of, "dnsHostName"))
    values = matches[0].attributes if matches else {}
    if any(name not in values for name in names_of):
        raise SetupError("this server is no domain controller of an Active Directory")
    domain, configuration, schema = (values[name][0].decode() for name in names_of)
    return Root(domain, configuration, schema, values.get("dnsHostName", [b""])[0].decode())


async def schema_master(client: AdministratorClient, at: Root) -> str:
    """Returns the full name of the one controller that takes changes of the schema (MS-ADTS 3.1.1.1.11); "" if it is unknown."""
    heads = await client.search(at.schema, BASE, "(objectClass=*)", ("fSMORoleOwner",))
    owner = heads[0].attributes.get("fSMORoleOwner", [b""])[0].decode() if heads else ""
    masters = await client.search(owner.partition(",")[2], BASE, "(objectClass=*)", ("dNSHostName",)) if owner else []
    return masters[0].attributes.get("dNSHostName", [b""])[0].decode() if masters else ""


async def read(client: AdministratorClient, at: Root, servers: Sequence[Server]) -> Forest:
    """Reads all that `setup`, `servers` and `removal` need."""
    attributes, classes, by_oid = await _schema(client, at)
    objects: dict[str, Mapping[str, Sequence[bytes]]] = {}
    forest = Forest(at.domain, at.configuration, at.schema, attributes, classes, by_oid, objects)
    accounts = [server.machine_account for server in servers]
    wanted = [names.PROBE_ACCOUNT, names.SERVERS_GROUP, *accounts]
    which = "".join(f"(sAMAccountName={escape(name)})" for name in wanted)
    for base, filter_text in (
        (at.domain, f"(|{which})"),
        (forest.below_configuration(names.ORGANIZATION), "(objectClass=*)"),
        (f"CN=Extended-Rights,{at.configuration}", f"(cn={ad_schema.MAIL_PROPERTIES_NAME})"),
    ):
        async for page in client.pages(base, SUBTREE, filter_text, _OBJECT):
            objects.update({entry.dn.lower(): entry.attributes for entry in page})
    sid = forest.values(forest.group, "objectSid")
    container = forest.below_configuration(names.ORGANIZATION)
    access = (
        {dn: descriptor for dn in (at.domain, container) if (descriptor := await client.access_control(dn))}
        if sid
        else {}
    )
    return replace(forest, access=access, sid=sid[0] if sid else b"")


async def _schema(client: AdministratorClient, at: Root) -> tuple[dict[str, Known], dict[str, Known], dict[str, str]]:
    """Reads the attributes and classes that we need or extend, whoever brought them, and who holds one of our numbers."""
    attributes = {each.name for each in ad_schema.ATTRIBUTES} | set(ad_schema.WRITTEN_BY_RECIPIENT_UPDATE)
    classes = {each.name for each in ad_schema.CLASSES}
    classes |= {*ad_schema.RECIPIENT_CLASSES, "mailRecipient", names.ADDRESS_LIST_CLASS}
    wanted = [f"(lDAPDisplayName={name})" for name in sorted(attributes | classes)]
    wanted += [f"(attributeID={each.oid})" for each in ad_schema.ATTRIBUTES]
    wanted += [f"(governsID={each.oid})" for each in ad_schema.CLASSES]
    matches = await client.search(at.schema, ONE_LEVEL, f"(|{''.join(wanted)})", _SCHEMA)
    by_name = {text(entry.attributes, "lDAPDisplayName"): (_known(entry), entry) for entry in matches}
    is_class = {name for name, (_, entry) in by_name.items() if "governsID" in entry.attributes}
    by_oid = {item.oid: name for name, (item, _) in by_name.items()}
    for name in ("mailRecipient", names.ADDRESS_LIST_CLASS, *ad_schema.RECIPIENT_CLASSES):
        if name not in is_class:
            raise SetupError(f"the schema has no class {name}: is this an Active Directory?")
    return (
        {name: item for name, (item, _) in by_name.items() if name not in is_class},
        {name: item for name, (item, _) in by_name.items() if name in is_class},
        by_oid,
    )


def _known(entry: Entry) -> Known:
    values = entry.attributes
    sets = values.get("attributeSecurityGUID")

    def all_of(*attributes: str) -> frozenset[str]:
        return frozenset(value.decode() for name in attributes for value in values.get(name, ()))

    return Known(
        dn=entry.dn,
        oid=text(values, "attributeID") or text(values, "governsID"),
        guid=UUID(bytes_le=values["schemaIDGUID"][0]),
        syntax=text(values, "attributeSyntax"),
        property_set=UUID(bytes_le=sets[0]) if sets else None,
        may=all_of("mayContain", "systemMayContain"),
        superiors=all_of("possSuperiors", "systemPossSuperiors"),
        defunct=flag(values, "isDefunct"),
        catalogue="attributeID" not in values or flag(values, "isMemberOfPartialAttributeSet"),
    )


class Executor:
    """Carries steps out, one after the other. `secrets` holds the passwords that it made, by sAMAccountName."""

    def __init__(self, client: AdministratorClient, at: Root) -> None:
        self.secrets: dict[str, str] = {}
        self._client = client
        self._at = at

    async def carry_out(self, step: SetupStep) -> None:
        """Carries one step out. Raises SetupError with the step and the server's message; earlier steps stay done, and the next
        run goes on from there."""
        try:
            await self._do(step, step.action)
        except AlreadyThere:
            raise SetupError(f"{step.title}: it was made by somebody else just now; say it again") from None
        except NoSuchEntry:
            if isinstance(step.action, Delete):
                return  # it is gone already, as it should be
            raise SetupError(f"{step.title}: an object it needs is gone; say it again") from None
        except Refused as error:
            raise SetupError(f"{step.title}: {_advice(step, str(error))}") from None

    async def _do(self, step: SetupStep, action: Action) -> None:
        match action:
            case Add():
                attributes = dict(action.attributes)
                if action.secret:
                    attributes["unicodePwd"] = [unicode_password(self._secret(step))]
                await self._client.add(action.dn, attributes)
            case Modify():
                await self._client.modify(action.dn, action.changes)
            case Delete():
                await self._client.delete(action.dn)
            case NewSecret():
                await self._client.modify(action.dn, [(REPLACE, "unicodePwd", [unicode_password(self._secret(step))])])
            case Rights():
                await self._set_rights(action)
            case Refresh():
                await self._client.modify("", [(ADD, "schemaUpdateNow", [b"1"])])

    def _secret(self, step: SetupStep) -> str:
        """Makes a password of 256 random bits; its end has the kinds of characters that a domain's policy may want."""
        password = self.secrets[step.account] = secrets.token_urlsafe(32) + "-aA1"
        return password

    async def _set_rights(self, action: Rights) -> None:
        group = f"CN={names.SERVERS_GROUP},CN=Users,{self._at.domain}"
        groups = await self._client.search(group, BASE, "(objectClass=group)", ("objectSid",))
        descriptor = await self._client.access_control(action.dn)
        if not groups or not descriptor:
            raise NoSuchEntry
        try:
            changed = granted(descriptor, groups[0].attributes["objectSid"][0], action.grants)
        except BadDescriptor as error:
            raise SetupError(f"the access-control list of {action.dn} cannot be read: {error}") from None
        await self._client.set_access_control(action.dn, changed)

    async def version(self, dn: str) -> int:
        """Returns the version number of the account's keys as they are now (msDS-KeyVersionNumber)."""
        matches = await self._client.search(dn, BASE, "(objectClass=*)", ("msDS-KeyVersionNumber",))
        return number(matches[0].attributes, "msDS-KeyVersionNumber") if matches else 0


def _advice(step: SetupStep, refusal: str) -> str:
    """Returns a sentence about a refusal that says what the administrator can do."""
    if step.area == "schema" and refusal.startswith("UNWILLING_TO_PERFORM"):
        return (
            "the schema master takes no changes of the schema. Samba: `dsdb:schema update allowed = true` in smb.conf's "
            f"[global] of that controller, restart it, and take the line out afterwards ({refusal})"
        )
    if refusal.startswith("INSUFFICIENT_ACCESS"):
        group = "Schema Admins" if step.area == "schema" else "Enterprise Admins and Domain Admins"
        return f"the account may not do that: it must be a member of {group} ({refusal})"
    return refusal
