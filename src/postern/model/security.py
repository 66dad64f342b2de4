"""Identities, mechanisms and encryption: the vocabulary of security that every layer reads.

It knows nothing of rows (`paths`), nor of how an identity is proven (`trust`).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Mechanism(StrEnum):
    """A mechanism by which a caller proves itself; the values are the Data Path Security Reference's own words."""

    ANONYMOUS = "Anonymous"
    BASIC = "Basic"
    DIGEST = "Digest"
    NTLM = "NTLM"
    KERBEROS = "Kerberos"
    NEGOTIATE = "Negotiate"
    FORMS = "Forms"
    CERTIFICATE = "Certificate"
    DIRECT_TRUST = "Direct trust"
    IP_ADDRESS = "By IP address"
    # Ours: not in the reference.
    SCRAM = "SCRAM-SHA-256"
    NETLOGON = "Netlogon"
    """A member server's secure channel to its domain controller (MS-NRPC): over RPC, the machine account proves itself by it."""
    PEER = "Peer credentials"
    """The kernel names the account at the other end of a unix socket (SO_PEERCRED): ncalrpc."""


class Encryption(StrEnum):
    """The encryption that a settled row asks for. `OFFERED`: always possible, never demanded."""

    NEVER = "never"
    OFFERED = "offered"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Seal:
    """The protection of one connection now: `protocol` is "TLSv1.3", "TLSv1.2", "RPC privacy", "SASL" or "local"
    (a unix socket, which never leaves the host); `cipher` is the name of the cipher suite or the mechanism."""

    protocol: str
    cipher: str


@dataclass(frozen=True, slots=True)
class Channel:
    """Our own end of a connection, for mechanisms that bind to it. `binding` is TLS' `tls-server-end-point` (RFC 5929
    section 4), b"" without TLS; `names` are the hosts, in lower case, that this end answers to: addresses and the certificate's
    names, which may begin with a wildcard label. Without names a target's host is not checked. `exported` is `tls-exporter`
    (RFC 9266), b"" where the TLS layer does not give it."""

    binding: bytes = field(default=b"", repr=False)
    names: frozenset[str] = frozenset()
    exported: bytes = field(default=b"", repr=False)


NO_CHANNEL = Channel()


class PrincipalKind(StrEnum):
    ANONYMOUS = "anonymous"
    USER = "user"
    SERVER = "server"
    """A machine account, member of the Exchange Servers group's equivalent."""
    PEER = "peer"
    """Another organization's server, known by its certificate."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The principal at the other end, and how it was proven. `name` is the logon name (`alice@example.test`, `HUB1$`), `guid`
    the objectGUID of the directory entry. `groups` are the SIDs ("S-1-5-21-...") that a domain controller put into a ticket or
    verdict; empty where there was neither.
    """

    kind: PrincipalKind
    name: str
    mechanism: Mechanism
    guid: UUID | None = None
    groups: frozenset[str] = frozenset()
    credentials: str = field(default="", repr=False, compare=False)
    """`Account.credentials` when it was proven."""
    ends: float | None = field(default=None, compare=False)
    """The end of the ticket that proved it, in seconds since 1970. None for a proof without an end."""


NOBODY = Identity(PrincipalKind.ANONYMOUS, "", Mechanism.ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Peer:
    """The transport address of the other end. For a unix socket `host` is "local", and the kernel gives uid and pid."""

    host: str
    port: int
    uid: int | None = None
    pid: int | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def network(host: str) -> str:
    """Returns the network that counts as one caller. An IPv6 subscriber has a whole /64."""
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False).network_address) + "/64"
