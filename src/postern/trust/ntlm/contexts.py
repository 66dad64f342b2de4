"""NTLM as a security context: the handshake of MS-NLMP, then its signatures and sealing of RPC's PDUs."""

from __future__ import annotations

from postern.model.security import Mechanism
from postern.protocols.dcerpc.protection import AuthType, Level
from postern.trust.contexts import MalformedToken, SecurityFailure
from postern.trust.ntlm.fields import NtlmError
from postern.trust.ntlm.handshake import SEALING, NtlmAcceptor, NtlmInitiator, NtlmKeys, NtlmResult


class _NtlmSealed:
    """Seals the stub and signs the whole clear PDU (MS-RPCE 2.2.2.11.1 over MS-NLMP 3.4), whether header signing was negotiated
    or not: extended session security always covers the header."""

    auth_type = AuthType.NTLM
    mechanism = Mechanism.NTLM
    cipher = "NTLM RC4-128"
    lifetime: float | None = None

    def __init__(self, seals: bool = True) -> None:
        self._seals = seals
        self.complete = False
        self.result: NtlmResult | None = None

    @property
    def groups(self) -> frozenset[str]:
        return self.result.groups if self.result is not None else frozenset()

    @property
    def session_key(self) -> bytes:
        return self.result.session_key if self.result is not None else b""

    def _begin(self, result: NtlmResult, client: bool) -> None:
        if result.flags & SEALING != SEALING and self._seals:
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

    def end(self) -> float | None:
        return None

    def sign(self, message: bytes) -> bytes:
        signature = self._sending.signature(message)
        self._sending.reset_cipher()
        return signature

    def verify(self, message: bytes, signature: bytes) -> bool:
        if self.result is None or self.result.flags & SEALING != SEALING:
            return False
        good = self._receiving.verify(message, signature)
        self._receiving.reset_cipher()
        return good


class NtlmAcceptorContext(_NtlmSealed):
    """The server's side of raw NTLM. Without `seals` the keys protect nothing after the handshake, and a client need not
    have agreed on strong ones."""

    def __init__(self, acceptor: NtlmAcceptor, seals: bool = True) -> None:
        super().__init__(seals)
        self._acceptor = acceptor
        self._challenged = False

    async def step(self, token: bytes) -> bytes:
        try:
            if not self._challenged:
                self._challenged = True
                return self._acceptor.negotiate(token)
            result = await self._acceptor.authenticate(token)
        except NtlmError as error:
            raise MalformedToken(str(error)) from error
        if result is None:
            raise SecurityFailure("an answer for another channel or service, or changed on the way")
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
