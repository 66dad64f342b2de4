"""The attributes and classes that Postern needs in Active Directory's schema, and the attributes that a recipient may have.

Pure data. Attributes of Exchange have the names, numbers, syntaxes and GUIDs that Exchange gives them: so a schema that Exchange
extended is used as it is, and Exchange finds its own attributes where we came first. All else stands under an arc made from that
of host/postern.schema, with GUIDs that follow from the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from uuid import NAMESPACE_OID, UUID, uuid5

from postern.directory.ad import names

ARC = "1.2.840.113556.1.8000.2554.48387.41675.56948.23413.36345.16152543.10783885"
"""The UUID of host/postern.schema's arc in the form that Microsoft gives to whoever has no number of their own: Active Directory
keeps no arc above 32 bits, so 2.25 with a whole UUID (ITU-T X.667) is none that it can hold."""
MAIL_PROPERTIES = uuid5(NAMESPACE_OID, f"{ARC}.3.1")
"""rightsGuid of our property set (MS-ADTS 3.1.1.2.3.3): one access-control entry grants all attributes of recipients that we
brought."""
MAIL_PROPERTIES_NAME = "Postern-Mail-Information"

_MICROSOFT = "1.2.840.113556.1"
_EXCHANGE = f"{_MICROSOFT}.4.7000.102"

INDEXED, RESOLVED, KEEP_WITH_TOMBSTONE, COPIED, CONFIDENTIAL = 0x1, 0x4, 0x8, 0x10, 0x80
"""searchFlags, MS-ADTS 2.2.10."""


class Syntax(Enum):
    """attributeSyntax and oMSyntax, MS-ADTS 3.1.1.2.2.2."""

    TEXT = ("2.5.5.12", 64)
    FLAG = ("2.5.5.8", 1)
    NUMBER = ("2.5.5.9", 2)
    OCTETS = ("2.5.5.10", 4)
    NAME = ("2.5.5.1", 127)


NAME_CLASS = bytes.fromhex("2b0c0287731c00854a")
"""oMObjectClass of Syntax.NAME: 1.3.12.2.1011.28.0.714."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of the schema. `name` is lDAPDisplayName. `link` is 0 for no link, even for a forward link, and odd for its
    back link. With `catalogue` the global catalogue has the attribute."""

    name: str
    cn: str
    oid: str
    syntax: Syntax
    guid: UUID
    single: bool = True
    upper: int = 0
    flags: int = 0
    link: int = 0
    catalogue: bool = False


@dataclass(frozen=True, slots=True)
class ObjectClass:
    """A structural class below `top` whose objects stand in `container`."""

    name: str
    cn: str
    oid: str
    guid: UUID
    may: tuple[str, ...]


def _exchange(name: str, cn: str, oid: str, syntax: Syntax, guid: str, **more: bool | int) -> Attribute:
    return Attribute(name, cn, oid, syntax, UUID(guid), **more)  # type: ignore[arg-type]  # the keywords are checked by the tests


def _ours(number: int, name: str, syntax: Syntax, **more: bool | int) -> Attribute:
    oid = f"{ARC}.1.{number}"
    return Attribute(name, _cn(name), oid, syntax, uuid5(NAMESPACE_OID, oid), **more)  # type: ignore[arg-type]  # as above


def _class(number: int, name: str, *may: str) -> ObjectClass:
    oid = f"{ARC}.2.{number}"
    return ObjectClass(name, _cn(name), oid, uuid5(NAMESPACE_OID, oid), may)


def _cn(name: str) -> str:
    """Returns the cn for a name: "Postern-Server-Roles" for "posternServerRoles"."""
    hyphenated = "".join(f"-{letter}" if letter.isupper() else letter for letter in name)
    return hyphenated[:1].upper() + hyphenated[1:]


RECIPIENT_ATTRIBUTES: tuple[Attribute, ...] = (
    _exchange(
        "targetAddress",
        "ms-Exch-Target-Address",
        f"{_MICROSOFT}.2.352",
        Syntax.TEXT,
        "f0f8ff9f-1191-11d0-a060-00aa006c33ed",
        upper=1123,
        flags=INDEXED,
        catalogue=True,
    ),
    _exchange(
        "altRecipient",
        "ms-Exch-Alt-Recipient",
        f"{_MICROSOFT}.2.126",
        Syntax.NAME,
        "bf96791e-0de6-11d0-a285-00aa003049e2",
        flags=COPIED,
        link=12,
        catalogue=True,
    ),
    _exchange(
        "altRecipientBL",
        "ms-Exch-Alt-Recipient-BL",
        f"{_MICROSOFT}.2.294",
        Syntax.NAME,
        "bf96791f-0de6-11d0-a285-00aa003049e2",
        single=False,
        link=13,
    ),
    _exchange(
        "deliverAndRedirect",
        "ms-Exch-Deliver-And-Redirect",
        f"{_MICROSOFT}.2.190",
        Syntax.FLAG,
        "bf96794d-0de6-11d0-a285-00aa003049e2",
        flags=COPIED,
        catalogue=True,
    ),
    _exchange(
        "homeMDB",
        "ms-Exch-Home-MDB",
        f"{_MICROSOFT}.2.244",
        Syntax.NAME,
        "bf967987-0de6-11d0-a285-00aa003049e2",
        flags=COPIED,
        link=32,
        catalogue=True,
    ),
    _exchange(
        "msExchHomeServerName",
        "ms-Exch-Home-Server-Name",
        f"{_EXCHANGE}.47",
        Syntax.TEXT,
        "a284f30e-b093-11d2-aa06-00c04f8eedd8",
        flags=INDEXED | KEEP_WITH_TOMBSTONE | COPIED,
        catalogue=True,
    ),
    _exchange(
        "mailNickname",
        "ms-Exch-Mail-Nickname",
        f"{_MICROSOFT}.2.447",
        Syntax.TEXT,
        "bf9679b3-0de6-11d0-a285-00aa003049e2",
        upper=64,
        flags=INDEXED | RESOLVED,
        catalogue=True,
    ),
    _exchange(
        "mDBStorageQuota",
        "ms-Exch-MDB-Storage-Quota",
        f"{_MICROSOFT}.2.266",
        Syntax.NUMBER,
        "f0f8ff92-1191-11d0-a060-00aa006c33ed",
        flags=COPIED,
        catalogue=True,
    ),
    _exchange(
        "mDBOverHardQuotaLimit",
        "ms-Exch-MDB-Over-Hard-Quota-Limit",
        f"{_EXCHANGE}.11037",
        Syntax.NUMBER,
        "8fcf1ec4-b093-11d2-aa06-00c04f8eedd8",
        flags=COPIED,
        catalogue=True,
    ),
    _exchange(
        "delivContLength",
        "ms-Exch-Deliv-Cont-Length",
        f"{_MICROSOFT}.2.138",
        Syntax.NUMBER,
        "bf96794a-0de6-11d0-a285-00aa003049e2",
        flags=COPIED,
        catalogue=True,
    ),
    _exchange(
        "submissionContLength",
        "ms-Exch-Submission-Cont-Length",
        f"{_MICROSOFT}.2.280",
        Syntax.NUMBER,
        "bf967a3e-0de6-11d0-a285-00aa003049e2",
        flags=COPIED,
        catalogue=True,
    ),
    _exchange(
        "msExchRequireAuthToSendTo",
        "ms-Exch-RequireAuthToSendTo",
        f"{_MICROSOFT}.4.5062",
        Syntax.FLAG,
        "f533eb3b-f75b-4fb3-b2fb-08cd537a84d1",
        catalogue=True,
    ),
    _exchange(
        "msExchHideFromAddressLists",
        "ms-Exch-Hide-From-Address-Lists",
        f"{_EXCHANGE}.73",
        Syntax.FLAG,
        "a21c0b96-b093-11d2-aa06-00c04f8eedd8",
        flags=COPIED,
        catalogue=True,
    ),
    _exchange(
        "msExchPoliciesIncluded",
        "ms-Exch-Policies-Included",
        f"{_EXCHANGE}.50050",
        Syntax.TEXT,
        "61c47253-454e-11d3-aa72-00c04f8eedd8",
        single=False,
    ),
    _exchange(
        "msExchPoliciesExcluded",
        "ms-Exch-Policies-Excluded",
        f"{_EXCHANGE}.50051",
        Syntax.TEXT,
        "61c47258-454e-11d3-aa72-00c04f8eedd8",
        single=False,
    ),
    # Exchange's number for this one is not published; its name and meaning are Exchange's.
    _ours(12, "msExchResourceMetaData", Syntax.TEXT, single=False, upper=1024, catalogue=True),
    _ours(13, "posternSendAs", Syntax.TEXT, single=False, upper=1123, catalogue=True),
    # EdgeSync carries these to the edges; Exchange's numbers for them are not published either.
    _ours(50, "msExchSafeSendersHash", Syntax.OCTETS),
    _ours(51, "msExchSafeRecipientsHash", Syntax.OCTETS),
    _ours(52, "msExchBlockedSendersHash", Syntax.OCTETS),
)

CONFIGURATION_ATTRIBUTES: tuple[Attribute, ...] = (
    _exchange(
        "homeMDBBL",
        "ms-Exch-Home-MDB-BL",
        f"{_MICROSOFT}.2.393",
        Syntax.NAME,
        "bf967988-0de6-11d0-a285-00aa003049e2",
        single=False,
        link=33,
    ),
    _exchange(
        "gatewayProxy",
        "ms-Exch-Gateway-Proxy",
        f"{_MICROSOFT}.2.302",
        Syntax.TEXT,
        "16775802-47f3-11d1-a9c3-0000f80367c1",
        single=False,
        upper=1123,
    ),
    _exchange(
        "msExchPolicyOrder",
        "ms-Exch-Policy-Order",
        f"{_EXCHANGE}.50027",
        Syntax.NUMBER,
        "e32977b1-1d31-11d3-aa5e-00c04f8eedd8",
    ),
    _ours(31, names.DOMAIN_TYPE, Syntax.TEXT, upper=64),
    _ours(40, names.SERVER_ROLE, Syntax.TEXT, single=False, upper=64),
    _ours(47, names.SERVER_FQDN, Syntax.TEXT, upper=255),
    _ours(48, names.CERTIFICATE, Syntax.OCTETS, single=False),
    _ours(41, names.SITE, Syntax.TEXT, upper=64),
    _ours(42, names.VERSION, Syntax.TEXT, upper=64),
    _ours(43, names.STATE, Syntax.TEXT),
    _ours(44, names.LEASE, Syntax.TEXT, upper=256),
    _ours(45, names.ADAM_PORT, Syntax.NUMBER),
    _ours(46, names.SECRET, Syntax.OCTETS, single=False, flags=CONFIDENTIAL),
)

ATTRIBUTES = RECIPIENT_ATTRIBUTES + CONFIGURATION_ATTRIBUTES

_ABOUT_A_SERVER = (
    names.SERVER_FQDN,
    names.SERVER_ROLE,
    names.SITE,
    names.CERTIFICATE,
    names.STATE,
    names.VERSION,
    names.LEASE,
)

CLASSES: tuple[ObjectClass, ...] = (
    _class(20, names.SERVER_CLASS, names.NETWORK_ADDRESS, *_ABOUT_A_SERVER),
    _class(21, names.ACCEPTED_DOMAIN_CLASS, names.DOMAIN_TYPE),
    _class(22, names.EDGE_SUBSCRIPTION_CLASS, *_ABOUT_A_SERVER, names.NETWORK_ADDRESS, names.SECRET, names.ADAM_PORT),
    _class(
        *(23, names.ADDRESS_POLICY_CLASS, names.POLICY_ORDER, names.PURPORTED_SEARCH, names.GATEWAY_PROXY),
        *(names.STATE, names.LEASE, "displayName"),
    ),
    _class(24, names.DATABASE_CLASS, "homeMDBBL"),
)

WRITTEN_BY_RECIPIENT_UPDATE = (
    *("proxyAddresses", "mail", "displayName", "legacyExchangeDN", "showInAddressBook"),
    *(attribute.name for attribute in RECIPIENT_ATTRIBUTES if not attribute.link % 2),
)
"""The attributes that Postern's servers may write on users, groups and contacts: Active Directory's own, and those above."""

IN_CATALOGUE = ("proxyAddresses", *(attribute.name for attribute in RECIPIENT_ATTRIBUTES if attribute.catalogue))
"""The attributes that the global catalogue needs to answer for recipients. Exchange's setup adds proxyAddresses too."""

RECIPIENT_CLASSES = ("user", "group", "contact")
