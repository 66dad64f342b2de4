"""Words for who someone is and how bytes are protected.

Read by every layer; knows nothing of rows (`paths`) or of how an identity is proven (`trust`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Mechanism(StrEnum):
    """How a caller proves itself; the values are the Data Path Security Reference's own words."""

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
    """A member server's secure channel to its domain controller (MS-NRPC): the machine account's own proof on port 135's RPC."""
    PEER = "Peer credentials"
    """The kernel's word (SO_PEERCRED) for who is at the other end of a unix socket: ncalrpc."""


class Encryption(StrEnum):
    """What a settled row asks of the bytes. `OFFERED`: always possible, never demanded."""

    NEVER = "never"
    OFFERED = "offered"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Seal:
    """What protects one connection now: `protocol` is "TLSv1.3", "TLSv1.2", "RPC privacy", "SASL" or "local"
    (a unix socket, which never leaves the host); `cipher` is the cipher suite's or mechanism's name."""

    protocol: str
    cipher: str


@dataclass(frozen=True, slots=True)
class Channel:
    """Our own end of a connection, for mechanisms that bind to it. `binding` is TLS' `tls-server-end-point` (RFC 5929
    section 4), b"" without TLS; `names` are the hosts, in lower case, that this end answers to: addresses and the certificate's
    names, which may begin with a wildcard label. Without names a target's host is not looked at. `exported` is `tls-exporter`
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
    the objectGUID of the directory entry. `groups` are SIDs ("S-1-5-21-...") as a domain controller said them in a ticket or
    verdict; empty where none did.
    """

    kind: PrincipalKind
    name: str
    mechanism: Mechanism
    guid: UUID | None = None
    groups: frozenset[str] = frozenset()
    credentials: str = field(default="", repr=False, compare=False)
    """`Account.credentials` when it was proven."""
    ends: float | None = field(default=None, compare=False)
    """When what proved it ends, in seconds since 1970: a ticket's end. None for a proof without an end."""


NOBODY = Identity(PrincipalKind.ANONYMOUS, "", Mechanism.ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end's transport address. For a unix socket `host` is "local", and uid and pid are the kernel's."""

    host: str
    port: int
    uid: int | None = None
    pid: int | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
