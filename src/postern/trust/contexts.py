"""Security contexts: a handshake of tokens, then signing and sealing of PDUs (protocols.dcerpc.protection.Protection).

This module has their common interface. The contexts themselves are in `ntlm.contexts`, `kerberos.contexts` (only where the gssapi
extra is installed), `spnego` and `ntlm.netlogon`; `exchanges` and `initiators` begin them.
"""

from __future__ import annotations

from typing import Protocol

from postern.model.security import Mechanism
from postern.protocols.dcerpc.protection import AuthType, Level


class SecurityFailure(Exception):
    """The handshake cannot succeed: a wrong secret, a broken token, an unknown account. The text is for the log, never for the
    peer. With `temporary` the caller did nothing wrong: our keytab or a key distribution centre failed."""

    def __init__(self, reason: str, temporary: bool = False) -> None:
        super().__init__(reason)
        self.temporary = temporary


class MalformedToken(SecurityFailure):
    """The octets are no token of the mechanism."""


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
        """The name of the cipher that seals, for logs: "NTLM RC4-128", "Kerberos AES256-SHA1"."""
        ...

    @property
    def groups(self) -> frozenset[str]:
        """SIDs of the other side's groups, where a domain controller gave them."""
        ...

    @property
    def session_key(self) -> bytes: ...

    @property
    def lifetime(self) -> float | None:
        """Seconds from its completion for which the proof counts; None where it has no end of its own."""
        ...

    async def step(self, token: bytes) -> bytes:
        """Takes a token and returns the next one to send, b"" if there is none. An initiator begins with b"". Raises
        SecurityFailure."""
        ...

    def token_size(self, level: Level, size: int) -> int: ...

    def protect(
        self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes
    ) -> tuple[bytes, bytes]: ...

    def unprotect(
        self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes, token: bytes
    ) -> bytes | None: ...

    def sign(self, message: bytes) -> bytes:
        """Returns SPNEGO's mechListMIC over `message`, and resets the state as both sides do after it."""
        ...

    def verify(self, message: bytes, signature: bytes) -> bool: ...


class AcceptorContext(SecurityContext, Protocol):
    """The server's side."""

    def end(self) -> float | None:
        """Returns the end of the proof in seconds since 1970; None where it has no end. This uses the context up, so it is called
        once, at last. Raises SecurityFailure."""
        ...
