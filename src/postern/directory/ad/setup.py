"""Plans what `postern setup ad` changes in a forest: schema, containers, address lists, the group and its rights.

Pure: returns the steps that are missing in what was read of the forest (`Forest`), and none once they were carried out. `servers`
plans the servers' accounts, `removal` plans to undo it all, and `forest` reads the forest and carries steps out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from postern.directory.ad import names
from postern.directory.ad import rights as ad_rights
from postern.directory.ad import schema as ad_schema
from postern.directory.ad.rights import Identified
from postern.directory.ad.schema import Attribute, ObjectClass, Syntax
from postern.directory.ad.security_descriptor import Grant, stands
from postern.directory.ad.steps import Add, Modify, Refresh, Rights, SetupStep

ADD, REPLACE = 0, 2
"""RFC 4511 section 4.6: a modification adds values, or puts them in the place of all others."""

_DEFAULT_DESCRIPTOR = "D:(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;DA)(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)(A;;RPLCLORC;;;AU)"
"""The default security descriptor of objects of our classes, besides what they inherit: administrators may do everything, all
users of the domain may read."""
_GLOBAL_SECURITY_GROUP = -2147483646
"""groupType, MS-ADTS 2.2.12. Access-control lists of every domain may name such a group; its members are of its own domain."""

ADDRESS_LISTS: Mapping[str, str] = {
    "Default Global Address List": "(&(mailNickname=*)(|(objectCategory=person)(objectCategory=group)))",
    "All Users": "(&(mailNickname=*)(objectCategory=person)(objectClass=user)(!(msExchResourceMetaData=ResourceType:Room)))",
    "All Groups": "(&(mailNickname=*)(objectCategory=group))",
    "All Contacts": "(&(mailNickname=*)(objectCategory=person)(objectClass=contact))",
    "All Rooms": "(&(mailNickname=*)(msExchResourceMetaData=ResourceType:Room))",
}
DEFAULT_POLICY = "Default Policy"
LAST = 2147483647


class SetupError(Exception):
    """The forest cannot be prepared; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Known:
    """An attribute or class that the schema has. `superiors` and `may` are the possSuperiors and mayContain of a class (with
    those of the system); `syntax` is the attributeSyntax of an attribute."""

    dn: str
    oid: str
    guid: UUID
    syntax: str = ""
    property_set: UUID | None = None
    may: frozenset[str] = frozenset()
    superiors: frozenset[str] = frozenset()
    defunct: bool = False
    catalogue: bool = True
    """isMemberOfPartialAttributeSet."""


@dataclass(frozen=True, slots=True)
class Forest:
    """A forest as it was read. `objects` holds the attributes of objects that are there, by lower-case distinguished name.
    `access` holds the security descriptors of the two objects that the group has rights on. `sid` is the SID of the group (b""
    while there is none)."""

    domain: str
    configuration: str
    schema: str
    attributes: Mapping[str, Known]
    classes: Mapping[str, Known]
    by_oid: Mapping[str, str] = field(default_factory=dict)
    """Names of attributes and classes that hold one of our numbers."""
    objects: Mapping[str, Mapping[str, Sequence[bytes]]] = field(default_factory=dict)
    access: Mapping[str, bytes] = field(default_factory=dict)
    sid: bytes = b""

    def has(self, dn: str) -> bool:
        return dn.lower() in self.objects

    def values(self, dn: str, name: str) -> list[bytes]:
        return list(self.objects.get(dn.lower(), {}).get(name, ()))

    def may(self, dn: str, grants: Sequence[Grant]) -> bool:
        """Whether the group has exactly these rights on the object."""
        return bool(self.sid) and dn in self.access and stands(self.access[dn], self.sid, grants)

    @property
    def group(self) -> str:
        return f"CN={names.SERVERS_GROUP},CN=Users,{self.domain}"

    @property
    def property_set(self) -> str:
        return f"CN={ad_schema.MAIL_PROPERTIES_NAME},CN=Extended-Rights,{self.configuration}"

    def below_configuration(self, relative: str) -> str:
        return f"{relative},{self.configuration}"


def steps(forest: Forest, default_domain: str) -> tuple[SetupStep, ...]:
    """Returns steps for all that the forest lacks, in the order in which it can be made. Raises SetupError for what stands in the
    way."""
    return (*_schema(forest), *_containers(forest, default_domain), *_rights(forest))


# The schema


def _schema(forest: Forest) -> Iterator[SetupStep]:
    attributes = [attribute for attribute in ad_schema.ATTRIBUTES if _lacks(forest, attribute)]
    classes = [each for each in ad_schema.CLASSES if _lacks(forest, each)]
    for attribute in attributes:
        yield SetupStep(
            "schema",
            f"attribute {attribute.name} ({_whose(attribute)})",
            Add(_schema_dn(forest, attribute), _attribute(attribute)),
        )
    if attributes:
        yield SetupStep("schema", "use the attributes", Refresh())
    for wanted in classes:
        yield SetupStep(
            "schema", f"class {wanted.name} ({_whose(wanted)})", Add(_schema_dn(forest, wanted), _class(wanted))
        )
    extensions = [*_extensions(forest), *_catalogued(forest)]
    yield from extensions
    if classes or extensions:
        yield SetupStep("schema", "use the classes", Refresh())


def _catalogued(forest: Forest) -> Iterator[SetupStep]:
    """Returns steps for attributes that were there before us and that the global catalogue does not know yet."""
    for name in ad_schema.IN_CATALOGUE:
        known = forest.attributes.get(name)
        if known is not None and not known.catalogue:
            change = (REPLACE, "isMemberOfPartialAttributeSet", [b"TRUE"])
            yield SetupStep("schema", f"the global catalogue knows {name}", Modify(known.dn, [change]))


def _lacks(forest: Forest, wanted: Attribute | ObjectClass) -> bool:
    """Returns whether an attribute or class must be added. One that is there under its name is used, whoever brought it, if it
    can hold what we write. Raises SetupError if it cannot."""
    known = (forest.attributes if isinstance(wanted, Attribute) else forest.classes).get(wanted.name)
    if known is None:
        if wanted.oid in forest.by_oid:
            raise SetupError(
                f"the schema has {wanted.oid} as {forest.by_oid[wanted.oid]}, which should be {wanted.name}: Postern cannot "
                "be set up beside that"
            )
        return True
    if known.defunct:
        raise SetupError(f"{known.dn} is deactivated: set its isDefunct to FALSE first")
    if isinstance(wanted, Attribute) and known.syntax != wanted.syntax.value[0]:
        raise SetupError(
            f"the schema's {wanted.name} has the syntax {known.syntax}, and {wanted.syntax.value[0]} is needed: another "
            "program brought an attribute of this name"
        )
    return False


def _whose(item: Attribute | ObjectClass) -> str:
    return "Postern's" if item.oid.startswith(ad_schema.ARC) else "Exchange's"


def _schema_dn(forest: Forest, item: Attribute | ObjectClass) -> str:
    return f"CN={item.cn},{forest.schema}"


def _attribute(attribute: Attribute) -> dict[str, list[bytes]]:
    syntax, number = attribute.syntax.value
    values: dict[str, list[bytes]] = {
        "objectClass": [b"attributeSchema"],
        "cn": [attribute.cn.encode()],
        "lDAPDisplayName": [attribute.name.encode()],
        "adminDisplayName": [attribute.cn.encode()],
        "attributeID": [attribute.oid.encode()],
        "attributeSyntax": [syntax.encode()],
        "oMSyntax": [str(number).encode()],
        "isSingleValued": [_flag(attribute.single)],
        "schemaIDGUID": [attribute.guid.bytes_le],
        "searchFlags": [str(attribute.flags).encode()],
        "isMemberOfPartialAttributeSet": [_flag(attribute.catalogue)],
        "showInAdvancedViewOnly": [b"TRUE"],
    }
    if attribute.syntax is Syntax.NAME:
        values["oMObjectClass"] = [ad_schema.NAME_CLASS]
    if attribute.link:
        values["linkID"] = [str(attribute.link).encode()]
    if attribute.upper:
        values |= {"rangeLower": [b"1"], "rangeUpper": [str(attribute.upper).encode()]}
    if attribute in ad_schema.RECIPIENT_ATTRIBUTES:
        values["attributeSecurityGUID"] = [ad_schema.MAIL_PROPERTIES.bytes_le]
    return values


def _class(wanted: ObjectClass) -> dict[str, list[bytes]]:
    return {
        "objectClass": [b"classSchema"],
        "cn": [wanted.cn.encode()],
        "lDAPDisplayName": [wanted.name.encode()],
        "adminDisplayName": [wanted.cn.encode()],
        "governsID": [wanted.oid.encode()],
        "objectClassCategory": [b"1"],
        "subClassOf": [b"top"],
        "rDNAttID": [b"cn"],
        "possSuperiors": [names.CONTAINER_CLASS.encode()],
        "mayContain": [name.encode() for name in wanted.may],
        "schemaIDGUID": [wanted.guid.bytes_le],
        "defaultSecurityDescriptor": [_DEFAULT_DESCRIPTOR.encode()],
        "defaultHidingValue": [b"TRUE"],
        "showInAdvancedViewOnly": [b"TRUE"],
    }


def _extensions(forest: Forest) -> Iterator[SetupStep]:
    """Extends classes of Active Directory: recipients may have our attributes, and address lists may stand in containers."""
    recipients = forest.classes["mailRecipient"]
    has_all = [forest.classes[name].may for name in ad_schema.RECIPIENT_CLASSES]
    wanted = [attribute.name for attribute in ad_schema.RECIPIENT_ATTRIBUTES if attribute.name not in recipients.may]
    lacking = [name for name in wanted if not all(name in may for may in has_all)]
    if lacking:
        change = (ADD, "mayContain", [name.encode() for name in lacking])
        yield SetupStep("schema", f"recipients may have {', '.join(lacking)}", Modify(recipients.dn, [change]))
    lists = forest.classes[names.ADDRESS_LIST_CLASS]
    if names.CONTAINER_CLASS not in lists.superiors:
        change = (ADD, "possSuperiors", [names.CONTAINER_CLASS.encode()])
        yield SetupStep("schema", "address lists may stand in containers", Modify(lists.dn, [change]))


# Containers and what stands in them from the start


def _containers(forest: Forest, default_domain: str) -> Iterator[SetupStep]:
    for relative in names.CONTAINERS:
        kind = names.ADDRESS_LIST_CLASS if relative == names.ADDRESS_LISTS else names.CONTAINER_CLASS
        more = {"displayName": [b"Address Lists"]} if kind == names.ADDRESS_LIST_CLASS else {}
        yield from _object(forest, "containers", forest.below_configuration(relative), kind, more)
    for name, which in ADDRESS_LISTS.items():
        values = {"displayName": [name.encode()], names.PURPORTED_SEARCH: [which.encode()]}
        dn = forest.below_configuration(f"CN={name},{names.ADDRESS_LISTS}")
        yield from _object(forest, "address lists", dn, names.ADDRESS_LIST_CLASS, values)
    policy = {
        names.POLICY_ORDER: [str(LAST).encode()],
        names.PURPORTED_SEARCH: [b"(mailNickname=*)"],
        names.GATEWAY_PROXY: [f"SMTP:%m@{default_domain}".encode()],
    }
    dn = forest.below_configuration(f"CN={DEFAULT_POLICY},{names.ADDRESS_POLICIES}")
    yield from _object(forest, "address policy", dn, names.ADDRESS_POLICY_CLASS, policy)


def _object(
    forest: Forest, area: str, dn: str, kind: str, values: Mapping[str, Sequence[bytes]]
) -> Iterator[SetupStep]:
    """Adds an object that is missing. An existing one stays as it is, for an administrator may have changed it."""
    if not forest.has(dn):
        name = dn.partition(",")[0][3:]
        yield SetupStep(area, name, Add(dn, {"objectClass": [kind.encode()], "cn": [name.encode()], **values}))


# The group and its rights


def _rights(forest: Forest) -> Iterator[SetupStep]:
    if not forest.has(forest.property_set):
        yield SetupStep(
            "rights", "property set of what Postern writes on recipients", Add(forest.property_set, _set(forest))
        )
    if not forest.has(forest.group):
        group = {
            "objectClass": [b"group"],
            "sAMAccountName": [names.SERVERS_GROUP.encode()],
            "groupType": [str(_GLOBAL_SECURITY_GROUP).encode()],
            "description": [b"Postern's servers: they keep mail attributes of recipients and Postern's own container"],
        }
        yield SetupStep("rights", f"group {names.SERVERS_GROUP}", Add(forest.group, group))
    for dn, grants, title in (
        (forest.domain, _on_domain(forest), "read recipients, write their mail attributes"),
        (forest.below_configuration(names.ORGANIZATION), ad_rights.ON_CONTAINER, "keep Postern's own container"),
    ):
        if not forest.may(dn, grants):
            yield SetupStep("rights", f"{names.SERVERS_GROUP} may {title}", Rights(dn, grants))


def _on_domain(forest: Forest) -> tuple[Grant, ...]:
    identified = {name: Identified(known.guid, known.property_set) for name, known in forest.attributes.items()}
    for attribute in ad_schema.RECIPIENT_ATTRIBUTES:
        identified.setdefault(attribute.name, Identified(attribute.guid, ad_schema.MAIL_PROPERTIES))
    return ad_rights.on_domain(identified, {name: forest.classes[name].guid for name in ad_schema.RECIPIENT_CLASSES})


def _set(forest: Forest) -> dict[str, list[bytes]]:
    """Returns the attributes of our property set (MS-ADTS 3.1.1.2.3.3); validAccesses 48 is reading and writing."""
    return {
        "objectClass": [b"controlAccessRight"],
        "displayName": [b"Postern mail information"],
        "rightsGuid": [str(ad_schema.MAIL_PROPERTIES).encode()],
        "validAccesses": [b"48"],
        "appliesTo": [str(forest.classes[name].guid).encode() for name in ad_schema.RECIPIENT_CLASSES],
        "localizationDisplayId": [b"0"],
        "showInAdvancedViewOnly": [b"TRUE"],
    }


def _flag(value: bool) -> bytes:
    return b"TRUE" if value else b"FALSE"
