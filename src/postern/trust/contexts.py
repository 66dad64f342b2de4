"""Security contexts for RPC: a handshake of tokens, then signing and sealing of PDUs (protocols.dcerpc.protection.Protection).

`Acceptors` begins the server's side for a mechanism's number, `Initiators` the client's. NTLM is here and in `ntlm`, Kerberos
in `kerberos` (only where the gssapi extra is installed), SPNEGO in `spnego`. Who a proven name is stands in the directory.
"""

from __future__ import annotations

from typing import Protocol

from postern.model.directory import Directory
from postern.model.security import Identity, Mechanism, PrincipalKind
from postern.protocols.dcerpc.protection import AuthType, Level
from postern.trust.ntlm import SEALING, NtlmAcceptor, NtlmError, NtlmInitiator, NtlmKeys, NtlmResult


class SecurityFailure(Exception):
    """The handshake cannot succeed: a wrong secret, a broken token, an unknown account. Which of them is not said."""


class SecurityContext(Protocol):
    """One side of one handshake. Complete contexts are a `Protection`."""

    auth_type: AuthType
    mechanism: Mechanism
    complete: bool
    cipher: str
    """What seals, for the record: "NTLM RC4-128", "Kerberos AES256-CTS-HMAC-SHA1-96"."""

    @property
    def name(self) -> str:
        """The other side's name as proven; "" before that, and for a client."""
        ...

    @property
    def session_key(self) -> bytes: ...

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


class _NtlmSealed:
    """MS-RPCE 2.2.2.11.1 over MS-NLMP 3.4: the stub is sealed, the signature covers the whole clear PDU, whether header
    signing was negotiated or not (extended session security always does)."""

    auth_type = AuthType.NTLM
    mechanism = Mechanism.NTLM
    cipher = "NTLM RC4-128"

    def __init__(self) -> None:
        self.complete = False
        self.result: NtlmResult | None = None

    @property
    def name(self) -> str:
        return self.result.name if self.result is not None else ""

    @property
    def session_key(self) -> bytes:
        return self.result.session_key if self.result is not None else b""

    def _begin(self, result: NtlmResult, client: bool) -> None:
        if result.flags & SEALING != SEALING:
            raise SecurityFailure("NTLM without 128-bit sealing")
        self.result = result
        self._sending = NtlmKeys(result.session_key, client)
        self._receiving = NtlmKeys(result.session_key, not client)
        self.complete = True

    def token_size(self, level: Level, size: int) -> int:
        return 16

    def protect(self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes) -> tuple[bytes, bytes]:
        sealed = self._sending.cipher(stub) if level == Level.PRIVACY else stub
        return sealed, self._sending.signature(b"".join((head, stub, trailer)))

    def unprotect(
        self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes, token: bytes
    ) -> bytes | None:
        clear = self._receiving.cipher(stub) if level == Level.PRIVACY else stub
        return clear if self._receiving.verify(b"".join((head, clear, trailer)), token) else None

    # What SPNEGO's mechListMIC needs: MS-SPNG 3.2.5.1

    def sign(self, message: bytes) -> bytes:
        signature = self._sending.signature(message)
        self._sending.reset_cipher()
        return signature

    def verify(self, message: bytes, signature: bytes) -> bool:
        good = self._receiving.verify(message, signature)
        self._receiving.reset_cipher()
        return good


class NtlmAcceptorContext(_NtlmSealed):
    """The server's side of raw NTLM."""

    def __init__(self, acceptor: NtlmAcceptor) -> None:
        super().__init__()
        self._acceptor = acceptor
        self._challenged = False

    async def step(self, token: bytes) -> bytes:
        try:
            if not self._challenged:
                self._challenged = True
                return self._acceptor.negotiate(token)
            result = await self._acceptor.authenticate(token)
        except NtlmError as error:
            raise SecurityFailure(str(error)) from error
        if result is None:
            raise SecurityFailure("logon failed")
        self._begin(result, client=False)
        return b""


class NtlmInitiatorContext(_NtlmSealed):
    """The client's side of raw NTLM."""

    def __init__(self, initiator: NtlmInitiator) -> None:
        super().__init__()
        self._initiator = initiator

    async def step(self, token: bytes) -> bytes:
        if not token:
            return self._initiator.negotiate()
        try:
            answer = self._initiator.authenticate(token)
        except NtlmError as error:
            raise SecurityFailure(str(error)) from error
        assert self._initiator.result is not None
        self._begin(self._initiator.result, client=True)
        return answer


class Acceptors:
    """The server's side of every mechanism this host can verify, for one server name.

    `server_name` is the host's name, `domain` the organization's DNS domain; `directory` says who may log on and holds the
    NT hashes of the machine accounts; `keytab` is a file's path, "" where there is no realm.
    """

    def __init__(self, server_name: str, domain: str, directory: Directory, keytab: str = "") -> None:
        self._server_name = server_name
        self._domain = domain
        self._directory = directory
        self._keytab = keytab
        from postern.trust import kerberos  # the extra may be missing: the module itself says so

        self._kerberos = bool(keytab) and kerberos.AVAILABLE
        known = {Mechanism.NTLM} | ({Mechanism.KERBEROS} if self._kerberos else set())
        self.available: frozenset[Mechanism] = frozenset(known)

    def begin(self, auth_type: int) -> SecurityContext | None:
        """A new handshake, None for a mechanism that cannot be verified here."""
        if auth_type == AuthType.NTLM:
            return NtlmAcceptorContext(NtlmAcceptor(self._server_name, self._domain, self._nt_hash))
        return None

    async def identity(self, context: SecurityContext) -> Identity | None:
        """Whom a complete context's name belongs to; None if there is no such enabled account (any more).
        Raises DirectoryUnavailable."""
        account = await self._directory.account(context.name)
        if account is None or not account.enabled:
            return None
        kind = PrincipalKind.SERVER if account.is_server else PrincipalKind.USER
        return Identity(kind, account.name, context.mechanism, account.guid)

    async def _nt_hash(self, name: str) -> bytes | None:
        account = await self._directory.account(name)
        if account is None or not account.enabled:
            return None
        known = await self._directory.verifier(account, "nt")
        return bytes.fromhex(known) if known else None
