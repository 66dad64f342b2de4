"""The types of the table: a path as the reference words it, and as the program reads it.

Reads nothing; the rows themselves stand in the four table modules and in `ours`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from postern.model.security import Encryption, Mechanism


class Table(StrEnum):
    """The reference's four tables, and ours."""

    TRANSPORT = "transport"
    MAILBOX = "mailbox"
    CLIENT_ACCESS = "client-access"
    UNIFIED_MESSAGING = "unified-messaging"
    OURS = "ours"


class Party(StrEnum):
    """Who stands at an end of a path: a role, or something outside the organization's roles."""

    HUB = "hub"
    EDGE = "edge"
    MAILBOX = "mailbox"
    CLIENT_ACCESS = "client-access"
    UNIFIED_MESSAGING = "unified-messaging"
    ACTIVE_DIRECTORY = "active-directory"
    CLIENT = "client"
    ADMINISTRATOR = "administrator"
    INTERNET = "internet"
    GATEWAY = "gateway"
    """An IP gateway or IP PBX."""
    LEGACY_MAILBOX = "legacy-mailbox"
    PRIVATE_DIRECTORY = "private-directory"
    DATABASE = "database"
    NAME_SERVER = "name-server"
    ANY_SERVER = "any-server"
    """Every host of the organization."""
    MONITOR = "monitor"


class Wire(StrEnum):
    TCP = "TCP"
    UDP = "UDP"
    ICMP = "ICMP"
    UNIX = "unix"


class Tls(StrEnum):
    """How TLS comes to a TCP port: from the first byte, by a command (STARTTLS, STLS), or not at all."""

    NONE = "none"
    UPGRADE = "upgrade"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class Port:
    """One port of a path. `number` None: dynamic (RPC range, random). `label` is what tells it apart in configuration and words."""

    number: int | None
    wire: Wire = Wire.TCP
    tls: Tls = Tls.NONE
    label: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """The reference's cells, letter by letter as data-paths.tsv has them."""

    ports: str
    default_auth: str
    supported_auth: str
    encryption: str
    encrypted_by_default: str
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """A row. `default_auth[0]` is what a caller tries first. `encryption` is what the row asks under this profile;
    `reasons` say, deviation by deviation, why it differs from the reference.
    """

    id: str
    table: Table
    name: str
    caller: tuple[Party, ...]
    callee: Party
    ports: tuple[Port, ...]
    default_auth: tuple[Mechanism, ...]
    supported_auth: tuple[Mechanism, ...]
    encryption: Encryption
    words: Words
    seal: str = ""
    """What encrypts: "TLS", "RPC privacy", "LDAPS", "Kerberos", "IPsec", "SIP over TLS", "local", ""."""
    reasons: tuple[str, ...] = field(default=())

    @property
    def ours(self) -> bool:
        return self.table is Table.OURS
