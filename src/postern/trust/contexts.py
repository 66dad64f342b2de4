"""Security contexts: a handshake of tokens, then signing and sealing of PDUs (protocols.dcerpc.protection.Protection).

Here is what every context has. `ntlm.contexts`, `kerberos.contexts` (only where the gssapi extra is installed), `spnego` and
`ntlm.netlogon` have the contexts; `exchanges` and `initiators` begin them.
"""

from __future__ import annotations

from typing import Protocol

from postern.model.security import Mechanism
from postern.protocols.dcerpc.protection import AuthType, Level


class SecurityFailure(Exception):
    """The handshake cannot succeed: a wrong secret, a broken token, an unknown account. The text is for the log, never for the
    peer. With `temporary` it was no fault of the caller: our keytab or a key distribution centre failed."""

    def __init__(self, reason: str, temporary: bool = False) -> None:
        super().__init__(reason)
        self.temporary = temporary


class MalformedToken(SecurityFailure):
    """The token is none of the mechanism's."""


class SecurityContext(Protocol):
    """One side of one handshake. Complete contexts are a `Protection`."""

    @property
    def auth_type(self) -> AuthType: ...

    @property
    def mechanism(self) -> Mechanism: ...

    @property
    def complete(self) -> bool: ...

    @property
    def cipher(self) -> str:
        """What seals, for the record: "NTLM RC4-128", "Kerberos AES256-SHA1"."""
        ...

    @property
    def name(self) -> str:
        """The other side's name as proven; "" before that, and for a client."""
        ...

    @property
    def groups(self) -> frozenset[str]:
        """SIDs of the other side's groups, where a domain controller said them."""
        ...

    @property
    def session_key(self) -> bytes: ...

    @property
    def lifetime(self) -> float | None:
        """Seconds from its completion that the proof counts; None where it has no end of its own."""
        ...

    async def step(self, token: bytes) -> bytes:
        """The next token to send, b"" if there is none. An initiator begins with b"". Raises SecurityFailure."""
        ...

    def token_size(self, level: Level, size: int) -> int: ...

    def protect(
        self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes
    ) -> tuple[bytes, bytes]: ...

    def unprotect(
        self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes, token: bytes
    ) -> bytes | None: ...

    def sign(self, message: bytes) -> bytes:
        """SPNEGO's mechListMIC over `message`, and what both sides do to their state after it."""
        ...

    def verify(self, message: bytes, signature: bytes) -> bool: ...


class AcceptorContext(SecurityContext, Protocol):
    """The server's side."""

    def end(self) -> float | None:
        """When the proof ends, in seconds since 1970; None where it has no end. Called once, at last: it uses the context up."""
        ...
