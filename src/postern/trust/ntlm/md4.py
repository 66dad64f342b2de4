"""MD4 (RFC 1320), only for the NT hash of a password. OpenSSL 3 no longer has it. Nothing but NTLM itself depends on its
strength."""

from __future__ import annotations

import struct

_SHIFTS = ((3, 7, 11, 19), (3, 5, 9, 13), (3, 9, 11, 15))
_ORDERS = (
    tuple(range(16)),
    (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
    (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
)
_CONSTANTS = (0, 0x5A827999, 0x6ED9EBA1)


def md4(data: bytes) -> bytes:
    """Returns the digest of `data`, 16 octets."""
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + struct.pack("<Q", len(data) * 8)
    for block in struct.iter_unpack("<16I", padded):
        work = list(state)
        for turn in range(48):
            _step(work, block, turn)
        state = [(old + new) & 0xFFFFFFFF for old, new in zip(state, work, strict=True)]
    return struct.pack("<4I", *state)


def _step(work: list[int], block: tuple[int, ...], turn: int) -> None:
    """Does one operation of RFC 1320 section 3.4. The four words change places instead of names."""
    kind, number = divmod(turn, 16)
    a, b, c, d = work
    if kind == 0:
        mixed = (b & c) | (~b & d)
    elif kind == 1:
        mixed = (b & c) | (b & d) | (c & d)
    else:
        mixed = b ^ c ^ d
    total = (a + mixed + block[_ORDERS[kind][number]] + _CONSTANTS[kind]) & 0xFFFFFFFF
    shift = _SHIFTS[kind][number % 4]
    work[:] = d, ((total << shift) | (total >> (32 - shift))) & 0xFFFFFFFF, b, c
