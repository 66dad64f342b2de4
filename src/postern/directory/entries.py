"""Reads entries, which have Active Directory's attribute names, into the values of `model.directory`, and makes attributes of
values.

Pure. Both adapters read through it. An adapter's Dialect says where its directory differs in the name of an attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from postern.model.directory import Account, CertificateNames, Recipient, RecipientType
from postern.model.domains import fold
from postern.model.organization import Database

GUIDS_AT_ONCE = 100
"""objectGUIDs in one filter."""
ACCOUNT_DISABLED = 0x0002
NORMAL_ACCOUNT = 0x0200
WORKSTATION_ACCOUNT = 0x1000
"""MS-ADTS 2.2.16: bits of userAccountControl. A server has the kind of account that workstations have."""

LOCKED_OUT = 0x0010
"""A bit of msDS-User-Account-Control-Computed, MS-ADTS 3.1.1.4.5.17: it takes the domain's lock-out time into account."""
_NEVER = (0, 0x7FFF_FFFF_FFFF_FFFF)
_FILETIME_EPOCH = 11_644_473_600
"""Seconds from 1601 to 1970 (MS-DTYP 2.3.3)."""

ROOM, EQUIPMENT = "ResourceType:Room", "ResourceType:Equipment"
"""Values of msExchResourceMetaData. Both are resources that take bookings (`RecipientType.ROOM`)."""

DELEGATES = "publicDelegates"
"""The attribute that names those who may send mail on behalf of a recipient."""
VERIFIER_ATTRIBUTES = {
    "argon2id": "posternArgon2id",
    "nt": "posternNTHash",
    "scram-sha-256": "posternScramSha256",
    "digest": "posternRealmHashes",
}

RECIPIENT_ATTRIBUTES = (
    *("objectGUID", "objectClass", "displayName", "proxyAddresses", "homeMDB", "msExchHomeServerName", "targetAddress"),
    *("altRecipient", "deliverAndRedirect", "member", "delivContLength", "submissionContLength"),
    *("mDBOverHardQuotaLimit", "msExchRequireAuthToSendTo", "msExchResourceMetaData", DELEGATES),
)
ACCOUNT_ATTRIBUTES = (
    *("objectGUID", "objectClass", "userPrincipalName", "sAMAccountName", "userAccountControl"),
    *("proxyAddresses", "posternSendAs"),
)

ACTIVE_DIRECTORY_ACCOUNT_ATTRIBUTES = (
    *ACCOUNT_ATTRIBUTES,
    *("memberOf", "accountExpires", "msDS-User-Account-Control-Computed", "pwdLastSet"),
    "msDS-UserPasswordExpiryTimeComputed",
)

_LOGON_STATE = (
    *("pwdLastSet", "userAccountControl", "msDS-User-Account-Control-Computed", "accountExpires"),
    *("userPrincipalName", "sAMAccountName"),
)
"""The attributes that make an account's `change` in Active Directory: all that decide whether a password is still right."""

Values = Mapping[str, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The differences between directories: the attribute that changes with an entry, and the one that matches its own name."""

    change: str
    name: str


OPENLDAP = Dialect("entryCSN", "entryDN")
ACTIVE_DIRECTORY = Dialect("uSNChanged", "distinguishedName")


def primary_of(values: Values) -> str:
    """Returns the address behind "SMTP:" in proxyAddresses, "" if there is none."""
    for value in values.get("proxyAddresses", ()):
        if value.startswith(b"SMTP:"):
            return fold(value[5:].decode())
    return ""


def addresses_of(values: Values) -> tuple[str, ...]:
    """Returns the primary address, then the others in their order."""
    primary = primary_of(values)
    pairs = (value.decode().partition(":") for value in values.get("proxyAddresses", ()))
    others = [fold(rest) for scheme, _, rest in pairs if scheme.lower() == "smtp"]
    return (primary, *(other for other in others if other != primary)) if primary else tuple(others)


def kept(values: Values, name: str, folded: str) -> bytes:
    """Returns the value of an attribute that is `folded` when compared, as the entry spells it; `folded` itself where there is
    none."""
    equal = (value for value in values.get(name, ()) if fold(value.decode()) == folded)
    return next(equal, folded.encode())


def proxy_addresses(primary: str, others: Iterable[str]) -> list[bytes]:
    return [b"SMTP:" + primary.encode(), *(b"smtp:" + other.encode() for other in others)]


def recipient(values: Values, addresses_by_name: Mapping[str, str]) -> Recipient:
    """Reads a recipient. `addresses_by_name` holds the primary addresses of what `references` names, by `fold`ed name."""
    classes = {value.lower() for value in values.get("objectClass", ())}
    if b"group" in classes:
        kind = RecipientType.GROUP
    elif b"contact" in classes:
        kind = RecipientType.CONTACT
    elif not {ROOM.encode(), EQUIPMENT.encode()}.isdisjoint(values.get("msExchResourceMetaData", ())):
        kind = RecipientType.ROOM
    else:
        kind = RecipientType.USER

    def addresses(attribute: str) -> tuple[str, ...]:
        named = (addresses_by_name.get(fold(name.decode()), "") for name in values.get(attribute, ()))
        return tuple(address for address in named if address)

    target = text(values, "targetAddress")
    return Recipient(
        guid=guid_of(values),
        type=kind,
        display_name=text(values, "displayName"),
        primary=primary_of(values),
        addresses=addresses_of(values),
        database=database_of(values),
        target=fold(target[5:]) if target[:5].lower() == "smtp:" else fold(target),
        forward_to=addresses_by_name.get(fold(text(values, "altRecipient")), ""),
        deliver_and_forward=flag(values, "deliverAndRedirect"),
        members=addresses("member"),
        delegates=addresses(DELEGATES),
        max_receive=number(values, "delivContLength") * 1024,
        max_send=number(values, "submissionContLength") * 1024,
        quota=number(values, "mDBOverHardQuotaLimit") * 1024,
        accept_from_authenticated_only=flag(values, "msExchRequireAuthToSendTo"),
    )


DATABASES = "CN=Databases,CN=Configuration"
"""The container of mailbox databases below the private directory's suffix. homeMDB holds the distinguished name of a database."""
DATABASES_OF_DOMAIN = "CN=Databases,CN=Postern,CN=Services,CN=Configuration"
"""The same below a forest's root domain (`ad.names.DATABASES`). Exchange's databases stand in a `CN=Databases` elsewhere."""


def database_of(values: Values) -> str:
    """Returns the database that homeMDB names, if it is one of ours. A mailbox from before databases had names, or one that is
    not ours, has its server's name instead; `Organization.database` understands that."""
    name, _, container = text(values, "homeMDB").partition(",")
    if container.lower().startswith((f"{DATABASES},".lower(), f"{DATABASES_OF_DOMAIN},".lower())):
        return name[3:].lower()
    return text(values, "msExchHomeServerName").rpartition("/cn=")[2]


def home(database: Database | None, container: str) -> dict[str, list[bytes]]:
    """Returns the attributes of a mailbox's home as Exchange writes them: its database (in `container`; "" where the directory
    has none), and its server, which is read only where there is no database."""
    if database is None:
        return {}
    server = f"/o=Postern/ou=Exchange Administrative Group/cn=Configuration/cn=Servers/cn={database.server}"
    values = {"msExchHomeServerName": [server.encode()]}
    if container:
        values["homeMDB"] = [f"CN={database.name},{container}".encode()]
    return values


def account(values: Values, dialect: Dialect) -> Account:
    is_server = any(value.lower() == b"computer" for value in values.get("objectClass", ()))
    name = text(values, "sAMAccountName")
    return Account(
        guid=guid_of(values),
        name=name if is_server else text(values, "userPrincipalName") or name,
        enabled=not number(values, "userAccountControl") & ACCOUNT_DISABLED,
        is_server=is_server,
        change=text(values, dialect.change),
        recipient=primary_of(values),
        send_as=tuple(fold(value.decode()) for value in values.get("posternSendAs", ())),
    )


def domain_account(values: Values, servers_group: str, now: float) -> Account:
    """Reads an account of Active Directory. `servers_group` is the distinguished name of our servers' group ("" for none): only
    computers that are its members are servers of ours. `now`, in seconds since 1970, tells whether the account has expired."""
    groups = {fold(value.decode()) for value in values.get("memberOf", ())}
    plain = account(values, ACTIVE_DIRECTORY)
    locked = bool(number(values, "msDS-User-Account-Control-Computed") & LOCKED_OUT)
    alive = plain.enabled and not _expired(number(values, "accountExpires"), now)
    return replace(
        plain,
        is_server=plain.is_server and bool(servers_group) and fold(servers_group) in groups,
        enabled=alive and not locked,
        locked=alive and locked,
        credentials=text(values, "pwdLastSet"),
        password_ends=_moment(number(values, "msDS-UserPasswordExpiryTimeComputed")),
        # uSNChanged would not do: it differs between controllers, and every logon, right or wrong, moves it.
        change="@".join(text(values, name) for name in _LOGON_STATE),
    )


def owner(names: CertificateNames, candidates: Sequence[Values], says: Callable[[Values], bool]) -> Values | None:
    """Returns the account to which a certificate belongs: the only one with one of its altSecurityIdentities, which the
    candidates have beside their own attributes; else the only one of which the certificate `says` that it is its own."""
    identities = {value.lower() for value in names.identities}
    owners = [
        values
        for values in candidates
        if identities.intersection(value.decode().lower() for value in values.get("altSecurityIdentities", ()))
    ] or [values for values in candidates if says(values)]
    return owners[0] if len(owners) == 1 else None


def _expired(filetime: int, now: float) -> bool:
    """Returns whether an account has expired. `filetime` is accountExpires (MS-ADA1 2.2), in 100 nanoseconds since 1601."""
    moment = _moment(filetime)
    return moment is not None and moment <= now


def _moment(filetime: int) -> float | None:
    """Returns seconds since 1970 for 100 nanoseconds since 1601; None for a value that stands for never."""
    return None if filetime in _NEVER else filetime / 10_000_000 - _FILETIME_EPOCH


def mailbox_owner(values: Values) -> str:
    """Returns the primary address of somebody who has a mailbox, "" for all else. Needs objectClass and proxyAddresses."""
    classes = {value.lower() for value in values.get("objectClass", ())}
    return "" if classes & {b"group", b"contact"} else primary_of(values)


def references(values: Values) -> list[str]:
    """Returns the distinguished names of the entries that are needed to read this recipient."""
    return [*mail_goes_to(values), *(value.decode() for value in values.get(DELEGATES, ()))]


def is_equipment(values: Values) -> bool:
    return EQUIPMENT.encode() in values.get("msExchResourceMetaData", ())


def mail_goes_to(values: Values) -> list[str]:
    """Returns the distinguished names of the entries that get the mail of this one, by membership or by forwarding."""
    return [value.decode() for name in ("member", "altRecipient") for value in values.get(name, ())]


def guid_of(values: Values) -> UUID:
    """Returns objectGUID; its octets are little-endian (MS-DTYP 2.3.4.2)."""
    return UUID(bytes_le=bytes(values["objectGUID"][0]))


def text(values: Values, name: str) -> str:
    held = values.get(name)
    return held[0].decode() if held else ""


def number(values: Values, name: str) -> int:
    held = values.get(name)
    return int(held[0]) if held else 0


def guid_filters(guids: Sequence[UUID]) -> Iterator[str]:
    """Yields filters for these objects, at most GUIDS_AT_ONCE in each."""
    for start in range(0, len(guids), GUIDS_AT_ONCE):
        yield guid_filter(guids[start : start + GUIDS_AT_ONCE])


def guid_filter(guids: Iterable[UUID]) -> str:
    """Returns a filter for any of these objects (RFC 4515 section 3: octets are written in hexadecimal)."""
    values = ("".join(f"\\{octet:02x}" for octet in guid.bytes_le) for guid in guids)
    return "(|" + "".join(f"(objectGUID={value})" for value in values) + ")"


def flag(values: Values, name: str) -> bool:
    return values.get(name, (b"FALSE",))[0].upper() == b"TRUE"


def unicode_password(password: str) -> bytes:
    """Returns a password in the form of unicodePwd (MS-ADTS 3.1.1.3.1.5.1)."""
    return f'"{password}"'.encode("utf-16-le")
