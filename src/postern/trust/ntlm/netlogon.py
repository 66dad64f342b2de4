"""The Netlogon secure channel (MS-NRPC 3.1.4) and its security context for RPC (MS-NRPC 3.3), with AES only.

Reads the machine account's NT hash and the challenges of both sides; `services.netlogon.client` makes the calls. There is no RC4
or DES, as older versions have it: a controller without AES is refused.
"""

from __future__ import annotations

import hmac
import secrets
import struct
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.modes import CFB8
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from postern.model.security import Mechanism
from postern.protocols.dcerpc.protection import AuthType, Level
from postern.trust.contexts import SecurityFailure

FLAGS = 0x612FFFFF
"""NegotiateFlags that are asked for (MS-NRPC 3.1.4.2). Two of them must be granted."""
_AES_FLAG, _SECURE_RPC_FLAG = 0x01000000, 0x40000000
_NEEDED = _AES_FLAG | _SECURE_RPC_FLAG
_DOMAIN_AND_COMPUTER = 0x3
_SIGN_ONLY, _SIGN_AND_SEAL = bytes.fromhex("1300ffffffff0000"), bytes.fromhex("13001a00ffff0000")
"""HMAC-SHA256, and AES-128 or nothing: the first eight bytes of NL_AUTH_SHA2_SIGNATURE (MS-NRPC 2.2.1.3.3)."""
_SIGNATURE_SIZE = 56
_FROM_CLIENT = 0x80


@dataclass(frozen=True, slots=True)
class Handshake:
    """The member's part of the handshake: it proves one secret under two challenges. `nt_hash` (16 octets) is that of the machine
    account."""

    nt_hash: bytes = field(repr=False)
    challenge: bytes = field(default_factory=lambda: secrets.token_bytes(8))

    def session_key(self, server_challenge: bytes) -> bytes:
        """Returns the session key: MS-NRPC 3.1.4.3.1."""
        return hmac.digest(self.nt_hash, self.challenge + server_challenge, "sha256")[:16]

    def credential(self, session_key: bytes) -> bytes:
        return _cfb8(session_key, bytes(16), self.challenge)

    def accept(self, session_key: bytes, server_challenge: bytes, credential: bytes, flags: int) -> None:
        """Checks the controller's own proof and the flags that it granted. Raises SecurityFailure."""
        if flags & _NEEDED != _NEEDED:
            raise SecurityFailure("the domain controller does not speak AES and secure RPC")
        if not hmac.compare_digest(_cfb8(session_key, bytes(16), server_challenge), credential):
            raise SecurityFailure("the domain controller does not know this machine account's secret")


@dataclass(frozen=True, slots=True)
class SecureChannel:
    """A channel that both sides agreed on. `domain` is the NetBIOS domain, `computer` this machine's NetBIOS name."""

    domain: str
    computer: str
    session_key: bytes = field(repr=False)

    def user_session_key(self, sealed: bytes) -> bytes:
        """Unseals the UserSessionKey of a validation: MS-NRPC 3.5.4.5.1. Zeros mean no key, and are not sealed."""
        return sealed if sealed == bytes(16) else _cfb8_open(self.session_key, bytes(16), sealed)


class NetlogonContext:
    """The member's side of one RPC connection on a secure channel. Requests and answers share one sequence of numbers, so only
    one call may be under way at a time."""

    auth_type = AuthType.NETLOGON
    mechanism = Mechanism.NETLOGON
    cipher = "Netlogon AES-128-CFB8"

    def __init__(self, channel: SecureChannel) -> None:
        self._channel = channel
        self._seal_key = bytes(byte ^ 0xF0 for byte in channel.session_key)
        self._sequence = 0
        self.complete = False
        self.groups: frozenset[str] = frozenset()
        self.lifetime: float | None = None

    @property
    def session_key(self) -> bytes:
        return self._channel.session_key

    async def step(self, token: bytes) -> bytes:
        """Sends and takes NL_AUTH_MESSAGE: MS-NRPC 2.2.1.3.1."""
        if not token:
            names = f"{self._channel.domain}\0{self._channel.computer}\0".encode()
            return struct.pack("<II", 0, _DOMAIN_AND_COMPUTER) + names
        if len(token) < 8 or token[:4] != b"\x01\0\0\0":
            raise SecurityFailure("not a Netlogon answer")
        self.complete = True
        return b""

    def token_size(self, level: Level, size: int) -> int:
        return _SIGNATURE_SIZE

    def protect(self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes) -> tuple[bytes, bytes]:
        message = b"".join((head, stub, trailer)) if sign_header else stub
        confounder = secrets.token_bytes(8) if level == Level.PRIVACY else b""
        checksum = self._checksum(confounder, message)
        sequence = self._next(_FROM_CLIENT)
        sealed, hidden = stub, bytes(8)
        if confounder:
            both = _cfb8(self._seal_key, sequence * 2, confounder + stub)
            hidden, sealed = both[:8], both[8:]
        number = _cfb8(self._channel.session_key, checksum * 2, sequence)
        return sealed, self._head(confounder) + number + checksum + hidden + bytes(24)

    def unprotect(
        self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes, token: bytes
    ) -> bytes | None:
        """Takes a message as MS-NRPC 3.3.4.2.2 says."""
        sequence = self._next(0)
        sealing = level == Level.PRIVACY
        if len(token) != _SIGNATURE_SIZE or token[:8] != (_SIGN_AND_SEAL if sealing else _SIGN_ONLY):
            return None
        number, checksum, hidden = token[8:16], token[16:24], token[24:32]
        in_order = hmac.compare_digest(_cfb8_open(self._channel.session_key, checksum * 2, number), sequence)
        confounder, clear = b"", stub
        if sealing:
            both = _cfb8_open(self._seal_key, sequence * 2, hidden + stub)
            confounder, clear = both[:8], both[8:]
        message = b"".join((head, clear, trailer)) if sign_header else clear
        intact = hmac.compare_digest(self._checksum(confounder, message), checksum)
        return clear if in_order and intact else None

    def sign(self, message: bytes) -> bytes:
        raise SecurityFailure("Netlogon is never inside SPNEGO")

    def verify(self, message: bytes, signature: bytes) -> bool:
        return False

    def _head(self, confounder: bytes) -> bytes:
        return _SIGN_AND_SEAL if confounder else _SIGN_ONLY

    def _checksum(self, confounder: bytes, message: bytes) -> bytes:
        covered = self._head(confounder) + confounder + message
        return hmac.digest(self._channel.session_key, covered, "sha256")[:8]

    def _next(self, direction: int) -> bytes:
        """Returns the next sequence number: low half, then high half with the mark of the direction, each big-endian (MS-NRPC
        3.3.4.2.1)."""
        number = self._sequence
        self._sequence += 1
        low, high = number & 0xFFFFFFFF, number >> 32
        return struct.pack(">II", low, high | direction << 24)


def _cfb8(key: bytes, start: bytes, data: bytes) -> bytes:
    return Cipher(AES(key), CFB8(start)).encryptor().update(data)


def _cfb8_open(key: bytes, start: bytes, data: bytes) -> bytes:
    return Cipher(AES(key), CFB8(start)).decryptor().update(data)
