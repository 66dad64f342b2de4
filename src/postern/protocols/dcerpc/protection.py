"""The interface by which the RPC machines use a security context, with its types and levels (MS-RPCE 2.2.1.1.7 and 2.2.1.1.8).

`trust` has the contexts themselves (NTLM, Kerberos).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class AuthType(IntEnum):
    """RPC_C_AUTHN_*: MS-RPCE 2.2.1.1.7."""

    NONE = 0
    SPNEGO = 9
    NTLM = 10
    KERBEROS = 16
    NETLOGON = 68


class Level(IntEnum):
    """RPC_C_AUTHN_LEVEL_*: MS-RPCE 2.2.1.1.8. CALL is treated as PACKET, and PACKET is signed like INTEGRITY."""

    NONE = 1
    CONNECT = 2
    CALL = 3
    PACKET = 4
    INTEGRITY = 5
    PRIVACY = 6


class Protection(Protocol):
    """A complete security context, as PDUs need it. `head` is the PDU before its stub, `trailer` the sec_trailer behind it. The
    signature covers both if `sign_header` is true (NTLM always covers them)."""

    def token_size(self, level: Level, size: int) -> int:
        """Bytes of the auth_value for a stub of `size` bytes (padding included)."""
        ...

    def protect(self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes) -> tuple[bytes, bytes]:
        """The stub as it goes on the wire (sealed at PRIVACY) and the auth_value."""
        ...

    def unprotect(
        self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes, token: bytes
    ) -> bytes | None:
        """The clear stub; None if anything was changed."""
        ...


@dataclass(slots=True)
class Association:
    """One security context of a connection, by its auth_context_id. `protection` is set once the handshake is complete."""

    id: int
    type: int
    level: Level
    protection: Protection | None = None
    failed: bool = False
