"""The SASL bind of LDAP (RFC 4511 section 4.2) by GSSAPI (RFC 4752), and the layer of sealed packets that follows it (RFC 4422
section 3.7). Sans-I/O: octets in and out; the caller has the security context.
"""

from __future__ import annotations

from dataclasses import dataclass

from postern.protocols.ber import ENUMERATED, INTEGER, OCTETS, SEQUENCE, BerError, element, integer, size, take

SUCCESS, IN_PROGRESS = 0, 14
"""RFC 4511 appendix A.1: success, saslBindInProgress."""
MAX_ANSWER = 65_536
"""Octets of one answer to a bind."""
MAX_PACKET = 0xFF_FFFF
"""Octets of a sealed packet that we take, and tell the server of."""
_BIND, _ANSWER, _SASL, _CREDENTIALS = 0x60, 0x61, 0xA3, 0x87
_PRIVACY = 4
"""RFC 4752 section 3.3: the security layers' bits; this one is confidentiality."""


@dataclass(frozen=True, slots=True)
class BindAnswer:
    """An answer to a bind. `text` is the server's diagnostic message."""

    code: int
    text: str
    credentials: bytes


def bind_request(number: int, credentials: bytes) -> bytes:
    """A SASL bind request with an empty DN, since the ticket names the user; with its message id."""
    sasl = element(_SASL, element(OCTETS, b"GSSAPI") + element(OCTETS, credentials))
    return element(SEQUENCE, integer(number) + element(_BIND, integer(3) + element(OCTETS, b"") + sasl))


class BindAnswers:
    """Collects octets until an answer is whole.

    Bound: linear; an answer has 65,536 octets at most.
    """

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> None:
        self._data += data

    def next_answer(self, number: int) -> BindAnswer | None:
        """The answer to this message, or None while it is not whole. Anything else has the code -1."""
        try:
            if self._data and self._data[0] != SEQUENCE:
                raise BerError("no message")
            whole = size(self._data)
            if whole is not None and whole > MAX_ANSWER:
                raise BerError("too large")
            if whole is None or len(self._data) < whole:
                return None
            message = bytes(self._data[:whole])
            del self._data[:whole]
            return _answer(message, number)
        except (BerError, UnicodeDecodeError):
            return BindAnswer(-1, "no answer to a bind", b"")


def _answer(message: bytes, number: int) -> BindAnswer:
    content, _ = take(message, 0, SEQUENCE)
    identity, at = take(content, 0, INTEGER)
    if int.from_bytes(identity, "big", signed=True) != number:
        raise BerError("of another message")
    answer, _ = take(content, at, _ANSWER)
    code, at = take(answer, 0, ENUMERATED)
    _, at = take(answer, at, OCTETS)
    text, at = take(answer, at, OCTETS)
    credentials = b""
    if at < len(answer) and answer[at] == _CREDENTIALS:
        credentials, at = take(answer, at, _CREDENTIALS)
    return BindAnswer(int.from_bytes(code, "big"), text.decode(errors="replace"), credentials)


def chosen_layer(offer: bytes) -> tuple[bytes, int] | None:
    """The client's choice of confidentiality, to be wrapped, and the largest packet that the server takes; None if the server
    does not offer it. RFC 4752 section 3.1; no other authorization identity is asked for."""
    if len(offer) != 4 or not offer[0] & _PRIVACY:
        return None
    return bytes((_PRIVACY,)) + MAX_PACKET.to_bytes(3, "big"), int.from_bytes(offer[1:], "big")


def packet(sealed: bytes) -> bytes:
    return len(sealed).to_bytes(4, "big") + sealed


class Packets:
    """Cuts what comes into sealed packets.

    Bound: linear; a packet has 16 MB at most.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0
        self.broken = False

    def feed(self, data: bytes) -> None:
        if self._at:
            del self._data[: self._at]
            self._at = 0
        self._data += data

    def next_packet(self) -> bytes | None:
        """A sealed packet, or None while none is whole. `broken` is set if the peer sends one that is larger than we take."""
        left = len(self._data) - self._at
        if left < 4 or self.broken:
            return None
        length = int.from_bytes(self._data[self._at : self._at + 4], "big")
        if length > MAX_PACKET:
            self.broken = True
            return None
        if left < 4 + length:
            return None
        start = self._at + 4
        self._at = start + length
        return bytes(self._data[start : self._at])
