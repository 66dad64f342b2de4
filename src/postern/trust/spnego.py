"""The acceptor of SPNEGO (RFC 4178, MS-SPNG): finds the mechanism inside and leaves the proof to the context of that mechanism.

The mechListMIC is checked and answered if the client sends one. It is demanded only where the client's first choice was
not taken, since only then could someone on the way have changed the outcome. Clients of DCE/RPC often leave it out.
"""

from __future__ import annotations

from collections.abc import Callable

from postern.model.security import Mechanism
from postern.protocols.ber import ENUMERATED, OCTETS, SEQUENCE, BerError, element, elements, next_element, take
from postern.protocols.dcerpc.protection import AuthType, Level
from postern.trust import gss_token
from postern.trust.contexts import AcceptorContext, MalformedToken, SecurityFailure

_OIDS: dict[bytes, Mechanism] = {
    bytes.fromhex("2b06010401823702020a"): Mechanism.NTLM,
    gss_token.KERBEROS: Mechanism.KERBEROS,
    bytes.fromhex("2a864882f712010202"): Mechanism.KERBEROS,  # an old misprint that is still sent: MS-SPNG 2.2.1
}
_OID = 0x06
_COMPLETED, _INCOMPLETE = 0, 1
_MAX_TOKEN = 65_536


class SpnegoAcceptor:
    """The server's side. `begin` makes the inner context of a mechanism; None if it is not available.

    Bound: linear; a token has 65,536 octets at most.
    """

    auth_type = AuthType.SPNEGO

    def __init__(self, begin: Callable[[Mechanism], AcceptorContext | None]) -> None:
        self._begin = begin
        self._inner: AcceptorContext | None = None
        self._mech_types = b""
        self._mic_needed = False
        self.complete = False

    @property
    def mechanism(self) -> Mechanism:
        return self._inner.mechanism if self._inner is not None else Mechanism.NEGOTIATE

    @property
    def cipher(self) -> str:
        return self._inner.cipher if self._inner is not None else ""

    @property
    def groups(self) -> frozenset[str]:
        return self._inner.groups if self._inner is not None else frozenset()

    @property
    def session_key(self) -> bytes:
        return self._inner.session_key if self._inner is not None else b""

    @property
    def lifetime(self) -> float | None:
        return self._inner.lifetime if self._inner is not None else None

    async def step(self, token: bytes) -> bytes:
        if not token or len(token) > _MAX_TOKEN:
            raise MalformedToken("no SPNEGO token")
        chosen = b""
        try:
            if self._inner is None:
                chosen, inner_token, mic = self._choose(token)
            else:
                fields = _fields(token, 0xA1)
                inner_token, mic = _octets(fields, 0xA2), _octets(fields, 0xA3)
        except BerError as error:
            raise MalformedToken("a broken SPNEGO token") from error
        inner = self._inner
        assert inner is not None
        answer = await inner.step(inner_token) if inner_token and not inner.complete else b""
        own_mic = b""
        if mic and inner.complete:
            if not inner.verify(self._mech_types, mic):
                raise SecurityFailure("the list of mechanisms was changed on the way")
            self._mic_needed = False
            own_mic = inner.sign(self._mech_types)
        self.complete = inner.complete and not self._mic_needed
        if inner.complete and not self.complete:
            raise SecurityFailure("the list of mechanisms is not proven")
        return _response(_COMPLETED if self.complete else _INCOMPLETE, chosen, answer, own_mic)

    def _choose(self, token: bytes) -> tuple[bytes, bytes, bytes]:
        """Chooses from a NegTokenInit. Returns the mechanism, its token if it was the client's first choice, and the MIC."""
        framed = gss_token.unframed(token)
        if framed is None or framed[0] != gss_token.SPNEGO:
            raise MalformedToken("not SPNEGO")
        fields = _fields(framed[1], 0xA0)
        self._mech_types = fields.get(0xA0, b"")
        _, listed, _ = next_element(self._mech_types, 0)
        for rank, (_, oid) in enumerate(elements(listed)):
            inner = self._begin(_OIDS[oid]) if oid in _OIDS else None
            if inner is not None:
                self._inner = inner
                self._mic_needed = rank > 0
                return oid, b"" if rank else _octets(fields, 0xA2), _octets(fields, 0xA3)
        raise SecurityFailure("no mechanism of the client is available")

    def end(self) -> float | None:
        return self._inner.end() if self._inner is not None else None

    # A Protection, by the inner context

    def token_size(self, level: Level, size: int) -> int:
        assert self._inner is not None
        return self._inner.token_size(level, size)

    def protect(self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes) -> tuple[bytes, bytes]:
        assert self._inner is not None
        return self._inner.protect(level, sign_header, head, stub, trailer)

    def unprotect(
        self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes, token: bytes
    ) -> bytes | None:
        assert self._inner is not None
        return self._inner.unprotect(level, sign_header, head, stub, trailer, token)

    def sign(self, message: bytes) -> bytes:
        assert self._inner is not None
        return self._inner.sign(message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        assert self._inner is not None
        return self._inner.verify(message, signature)


def _fields(data: bytes, outer: int) -> dict[int, bytes]:
    """Reads the context-tagged fields of a SEQUENCE inside the tag `outer`."""
    body, _ = take(data, 0, outer)
    sequence, _ = take(body, 0, SEQUENCE)
    return dict(elements(sequence))


def _octets(fields: dict[int, bytes], tag: int) -> bytes:
    return next_element(fields[tag], 0)[1] if tag in fields else b""


def _response(state: int, chosen: bytes, token: bytes, mic: bytes) -> bytes:
    """Writes a NegTokenResp."""
    body = element(0xA0, element(ENUMERATED, bytes([state])))
    body += element(0xA1, element(_OID, chosen)) if chosen else b""
    body += element(0xA2, element(OCTETS, token)) if token else b""
    body += element(0xA3, element(OCTETS, mic)) if mic else b""
    return element(0xA1, element(SEQUENCE, body))
