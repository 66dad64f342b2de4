"""A forest as `directory.ad.setup` reads it, made by hand: fresh, or after steps were carried out on it in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID, uuid5

from postern.directory.ad import schema as ad_schema
from postern.directory.ad import security_descriptor as sd
from postern.directory.ad.setup import Forest, Known
from postern.directory.ad.steps import Add, Delete, Modify, NewSecret, Rights, SetupStep

DOMAIN = "DC=corp,DC=test"
CONFIGURATION = f"CN=Configuration,{DOMAIN}"
SCHEMA = f"CN=Schema,{CONFIGURATION}"
SID = bytes.fromhex("010500000000000515000000010000000200000003000000e8030000")
_BASE = ("proxyAddresses", "mail", "displayName", "legacyExchangeDN", "showInAddressBook")
_CLASSES = ("user", "group", "contact", "mailRecipient", "addressBookContainer")
EMPTY = sd.granted(bytes.fromhex("010004800000000000000000000000001400000002000800" + "00" * 4), SID, [])


def fresh() -> Forest:
    def known(name: str, syntax: str = "") -> Known:
        return Known(f"CN={name},{SCHEMA}", name, uuid5(UUID(int=1), name), syntax, catalogue=True)

    attributes = {name: known(name, "2.5.5.12") for name in _BASE}
    return Forest(DOMAIN, CONFIGURATION, SCHEMA, attributes, {name: known(name) for name in _CLASSES})


def after(forest: Forest, steps: Iterable[SetupStep]) -> Forest:
    """The forest as it would be: Active Directory's own part in it is the group's SID, and the accounts' version."""
    attributes, classes = dict(forest.attributes), dict(forest.classes)
    objects: dict[str, Mapping[str, Sequence[bytes]]] = dict(forest.objects)
    access, sid = dict(forest.access), forest.sid
    for step in steps:
        match step.action:
            case Add(dn, values) if dn.endswith(SCHEMA):
                name = values["lDAPDisplayName"][0].decode()
                number = (values.get("attributeID") or values["governsID"])[0].decode()
                sets = values.get("attributeSecurityGUID")
                (attributes if "attributeID" in values else classes)[name] = Known(
                    dn,
                    number,
                    UUID(bytes_le=values["schemaIDGUID"][0]),
                    values.get("attributeSyntax", [b""])[0].decode(),
                    UUID(bytes_le=sets[0]) if sets else None,
                    catalogue=values.get("isMemberOfPartialAttributeSet") == [b"TRUE"],
                )
            case Add(dn, values):
                objects[dn.lower()] = {**values, "distinguishedName": [dn.encode()], "msDS-KeyVersionNumber": [b"1"]}
                if dn == forest.group:
                    sid = SID
                access.setdefault(dn, EMPTY)
            case Modify(dn, changes) if dn.endswith(SCHEMA):
                for _, name, new in changes:
                    (key,) = (key for key, one in classes.items() if one.dn == dn)
                    field = {"mayContain": "may", "possSuperiors": "superiors"}[name]
                    have = getattr(classes[key], field) | {value.decode() for value in new or ()}
                    classes[key] = replace(classes[key], **{field: have})
            case Modify(dn, changes):
                entry = dict(objects[dn.lower()])
                for kind, name, new in changes:
                    entry[name] = [*(entry.get(name, ()) if kind == 0 else ()), *(new or ())]
                objects[dn.lower()] = entry
            case Delete(dn):
                del objects[dn.lower()]
                sid = b"" if dn == forest.group else sid
            case Rights(dn, grants):
                access[dn] = sd.granted(access.get(dn, EMPTY), sid, grants)
            case NewSecret():
                pass
    return replace(forest, attributes=attributes, classes=classes, objects=objects, access=access, sid=sid)


EXCHANGE = [one for one in ad_schema.ATTRIBUTES if not one.oid.startswith(ad_schema.ARC)]
