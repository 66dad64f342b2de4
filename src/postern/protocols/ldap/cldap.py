"""The CLDAP ping (MS-ADTS 6.3.3): one datagram that asks a domain controller whether it lives, and where it and we stand.

Bytes to values and back, with no time and no network. The question is an LDAP search of the root for the attribute Netlogon
(RFC 4511 in a datagram, RFC 1798); the answer's one value is a NETLOGON_SAM_LOGON_RESPONSE_EX (MS-ADTS 6.3.1.9). Nothing
raises on an answer; None means that it is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from postern.protocols.ber import BOOLEAN, ENUMERATED, INTEGER, OCTETS, SEQUENCE, SET, BerError, element, integer, take

MAX_ANSWER = 4096
"""Bytes of an answer that are looked at: a real one has about 200."""
VERSION_5_EX, VERSION_IP = 0x0000_0004, 0x2000_0000
"""NETLOGON_NT_VERSION bits: MS-ADTS 6.3.1.1; the answer tells sites."""
_RESPONSE_EX = 23
"""LOGON_SAM_LOGON_RESPONSE_EX, MS-ADTS 6.3.1.3."""
_PAUSED_EX = 24
"""LOGON_SAM_PAUSE_RESPONSE_EX: the controller lives but does not serve."""

GLOBAL_CATALOGUE, DIRECTORY, TIME, CLOSEST, WRITABLE = 0x4, 0x8, 0x40, 0x80, 0x100
"""DS_FLAG bits: MS-ADTS 6.3.1.2."""


@dataclass(frozen=True, slots=True)
class Pong:
    """A controller's answer about itself. `client_site` is the site of the asking address ("" if it is in no known subnet)."""

    serves: bool
    flags: int
    domain_guid: UUID
    forest: str
    domain: str
    fqdn: str
    netbios: str
    site: str
    client_site: str

    @property
    def global_catalogue(self) -> bool:
        return bool(self.flags & GLOBAL_CATALOGUE)


def ping(number: int, domain: str) -> bytes:
    """The request for the controllers of `domain` (a DNS name). `number` is the message id, 1 to 2^31-1; the answer repeats
    it."""
    version = (VERSION_5_EX | VERSION_IP).to_bytes(4, "little")
    conditions = _equals(b"DnsDomain", domain.encode()) + _equals(b"NtVer", version)
    search = (
        element(OCTETS, b"")
        + element(ENUMERATED, b"\0")  # baseObject
        + element(ENUMERATED, b"\0")  # neverDerefAliases
        + element(INTEGER, b"\0") * 2
        + element(BOOLEAN, b"\0")
        + element(0xA0, conditions)
        + element(SEQUENCE, element(OCTETS, b"Netlogon"))
    )
    return element(SEQUENCE, integer(number) + element(0x63, search))


def pong(data: bytes, number: int) -> Pong | None:
    """The answer to the ping of this number; None for anything else.

    Bound: linear; at most 4,096 octets.
    """
    if len(data) > MAX_ANSWER:
        return None
    try:
        value = _netlogon(data, number)
        return _response(value) if value is not None else None
    except (BerError, UnicodeDecodeError):
        return None


def _equals(name: bytes, value: bytes) -> bytes:
    return element(0xA3, element(OCTETS, name) + element(OCTETS, value))


def _netlogon(data: bytes, number: int) -> bytes | None:
    """The first value of the entry that was found. Samba puts both messages into one datagram, Windows too."""
    message, _ = take(data, 0, SEQUENCE)
    identity, at = take(message, 0, INTEGER)
    if int.from_bytes(identity, "big", signed=True) != number:
        return None
    entry, _ = take(message, at, 0x64)
    _, at = take(entry, 0, OCTETS)
    attributes, _ = take(entry, at, SEQUENCE)
    attribute, _ = take(attributes, 0, SEQUENCE)
    name, at = take(attribute, 0, OCTETS)
    if name.lower() != b"netlogon":
        return None
    values, _ = take(attribute, at, SET)
    value, _ = take(values, 0, OCTETS)
    return value


# NETLOGON_SAM_LOGON_RESPONSE_EX


def _response(value: bytes) -> Pong | None:
    if len(value) < 24:
        return None
    operation = int.from_bytes(value[:2], "little")
    if operation not in (_RESPONSE_EX, _PAUSED_EX):
        return None
    names, at = [], 24
    for _ in range(8):
        name, at = _name(value, at)
        names.append(name)
    forest, domain, fqdn, netbios, _computer, _user, site, client_site = names
    return Pong(
        serves=operation == _RESPONSE_EX,
        flags=int.from_bytes(value[4:8], "little"),
        domain_guid=UUID(bytes_le=value[8:24]),
        forest=forest,
        domain=domain,
        fqdn=fqdn.lower(),
        netbios=netbios,
        site=site,
        client_site=client_site,
    )


def _name(data: bytes, at: int) -> tuple[str, int]:
    """A compressed name (RFC 1035 section 4.1.4) in UTF-8, and where what follows it begins. A pointer leads backwards only, so
    that it ends; one name has 255 octets at most."""
    labels: list[bytes] = []
    after, size = 0, 0
    while True:
        if at >= len(data):
            raise BerError("a name that is none")
        length = data[at]
        if length & 0xC0 == 0xC0:
            if at + 1 >= len(data):
                raise BerError("a name that is none")
            target = (length & 0x3F) << 8 | data[at + 1]
            if target >= at:
                raise BerError("a name that is none")
            after, at = after or at + 2, target
            continue
        if length & 0xC0 or at + 1 + length > len(data):
            raise BerError("a name that is none")
        at += 1
        if not length:
            return b".".join(labels).decode(), after or at
        size += length + 1
        if size > 255:
            raise BerError("a name that is none")
        labels.append(data[at : at + length])
        at += length
