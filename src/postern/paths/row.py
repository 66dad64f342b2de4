"""The types of the table: a row has the cells of the reference, their values as the program reads them, and further knowledge.

The rows themselves stand in the four table modules, in `ours` and in `surroundings`; `declaration` reads their lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from postern.model.security import Encryption, Mechanism


class Table(StrEnum):
    """The reference's four tables, and ours."""

    TRANSPORT = "transport"
    MAILBOX = "mailbox"
    CLIENT_ACCESS = "client-access"
    UNIFIED_MESSAGING = "unified-messaging"
    OURS = "ours"


class Party(StrEnum):
    """A party at an end of a path: a role, or something outside the organization's roles."""

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
    TIME_SERVER = "time-server"
    NEIGHBOUR = "neighbour"
    """Any host on the same link: routers, DHCP servers, others."""


class Wire(StrEnum):
    TCP = "TCP"
    UDP = "UDP"
    ICMP = "ICMP"
    UNIX = "unix"


class Tls(StrEnum):
    """The start of TLS on a TCP port: from the first byte, by a command (STARTTLS, STLS), or not at all."""

    NONE = "none"
    UPGRADE = "upgrade"
    IMPLICIT = "implicit"


class End(StrEnum):
    """The end of the path at which a port listens."""

    CALLEE = "callee"
    CALLER = "caller"
    """The caller listens: on DHCP's 68, for example, where the answer comes as a datagram of its own."""
    BOTH = "both"
    """Either end may open the conversation: mail between two organizations, media, neighbour discovery."""
    LOCAL = "local"
    """The callee listens for callers on the same host only: no packet leaves the machine."""


@dataclass(frozen=True, slots=True)
class Port:
    """One port of a path. `number` None: dynamic (RPC range, random). `label` tells it apart in configuration and words."""

    number: int | None
    wire: Wire = Wire.TCP
    tls: Tls = Tls.NONE
    label: str = ""
    end: End = End.CALLEE


SEALS = frozenset({"TLS", "RPC privacy", "LDAPS", "Kerberos", "IPsec", "SIP over TLS", "SSH", ""})
"""The protections that encrypt a row's bytes; "" where none does."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The reference's cells of a row, letter by letter as data-paths.tsv has them."""

    ports: str
    default_auth: str
    supported_auth: str
    encryption: str
    encrypted_by_default: str
    notes: str = ""


class Need(StrEnum):
    """A thing that an organization must have for a row to be open. `deployment` says in a sentence what is missing."""

    EDGE = "an edge"
    NO_EDGE = "no edge: the hub itself meets strangers"
    DOMAIN = "an Active Directory"
    REALM = "a Kerberos realm"
    FILTERS = "a server whose agents filter mail from strangers: an edge, or a hub where there is none"
    METRICS = "metrics that are switched on"
    ACME = "ACME that is switched on"
    AVAILABILITY = "another organization that is asked when its people are busy"
    PUSH = "push notifications that are switched on"
    DIRECTORY_URL = "a directory that a URL names; the private one listens on its unix socket only"
    DATABASE_URL = "databases that a URL names; the private cluster listens on its unix socket only"


@dataclass(frozen=True, slots=True)
class Deviation:
    """One change that a profile makes to a row, and why. A field that is None or empty changes nothing."""

    reason: str
    add_ports: tuple[Port, ...] = ()
    drop_ports: tuple[int, ...] = ()
    upgrade_ports: bool = False
    """True to give TCP ports in clear text TLS by a command."""
    default_auth: tuple[Mechanism, ...] | None = None
    same_host: Mechanism | None = None
    """The mechanism that a caller on the same host tries; others keep the first of the default."""
    add_auth: tuple[Mechanism, ...] = ()
    """Mechanisms to append to the supported ones."""
    encryption: Encryption | None = None
    seal: str | None = None
    softens: bool = False
    """Admits something weaker than the reference because clients need it; `hardened` leaves it out."""


class Knowledge(TypedDict, total=False):
    """The fields of Path that a line of the table may set by name, beyond the cells."""

    remark: str
    waits_for: str
    needs: Need
    strangers: bool
    machine: bool
    random_secret: bool
    host_decides: bool
    practical: tuple[Deviation, ...]
    hardened: tuple[Deviation, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """A row. `default_auth[0]` is what a caller tries first. `encryption` is what the row asks for under this
    profile; `reasons` say, deviation by deviation, why it differs from the reference.
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
    cells: Cells
    seal: str = ""
    """The protection that encrypts: one of SEALS, or one that a profile adds ("SMB 3")."""
    reasons: tuple[str, ...] = ()

    remark: str = ""
    """Our words beside the reference's own notes, where its name for a row hides what is on it."""
    waits_for: str = ""
    """The feature that has to be built before the program speaks the row; "" if it does."""
    needs: Need | None = None
    strangers: bool = False
    """True if strangers' mail comes on it: no caller vouches for a sender."""
    machine: bool = False
    """True if the machine's own services use it: the firewall lets it pass, and no process of ours ever opens it."""
    random_secret: bool = False
    """True if Basic carries a service's own 256 random bits on it, never a person's password: there is nothing to guess."""
    host_decides: bool = False
    """True if the cell says that a caller on the callee's host tries the last of the default mechanisms, any other the first."""
    practical: tuple[Deviation, ...] = ()
    """The changes of the profile `practical`, in order."""
    hardened: tuple[Deviation, ...] = ()
    """The changes that `hardened` makes after those."""

    @property
    def notes(self) -> str:
        """The reference's notes on the row, and our remark."""
        return "; ".join(filter(None, (self.cells.notes, self.remark)))

    @property
    def ours(self) -> bool:
        return self.table is Table.OURS

    @property
    def waits(self) -> str:
        """A sentence about what is missing ("waits for backup"); "" where the row is built."""
        return self.waits_for and f"waits for {self.waits_for}"

    def port(self, key: int | str, wire: Wire | None = None) -> Port:
        """The row's own port by number or label (and wire, where both TCP and UDP have it). Raises KeyError."""
        for port in self.ports:
            if (port.label if isinstance(key, str) else port.number) == key and wire in (None, port.wire):
                return port
        raise KeyError(f"{self.id} has no port {key}")
