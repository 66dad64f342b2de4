"""Reads and writes the parts of NTLM messages (MS-NLMP 2.2): headers, fields, target information. Bounded; keeps nothing."""

from __future__ import annotations

import struct
from enum import IntEnum

SIGNATURE = b"NTLMSSP\0"
MAX_TOKEN = 12_000
"""Bytes of one token; real ones are under 1 KB."""


class Av(IntEnum):
    """Attribute-value pairs of the target information: MS-NLMP 2.2.2.1."""

    EOL = 0
    NB_COMPUTER = 1
    NB_DOMAIN = 2
    DNS_COMPUTER = 3
    DNS_DOMAIN = 4
    FLAGS = 6
    TIMESTAMP = 7
    TARGET_NAME = 9
    CHANNEL_BINDINGS = 10


class NtlmError(ValueError):
    """A token that does not obey MS-NLMP, or asks for something that is not done here. The text of the error holds no secret."""


def take_header(token: bytes, kind: int, size: int, at: int = 12) -> tuple[int]:
    """Checks that a message has this kind and at least this size. Returns the number at `at`. Raises NtlmError."""
    if not size <= len(token) <= MAX_TOKEN or not token.startswith(SIGNATURE + struct.pack("<I", kind)):
        raise NtlmError(f"not an NTLM message of type {kind}")
    return struct.unpack_from("<I", token, at)


def put_field(size: int, at: int) -> bytes:
    """Writes the length, room and offset of a value in the payload."""
    return struct.pack("<HHI", size, size, at)


def take_field(token: bytes, at: int) -> bytes:
    """Returns the value that the field at `at` points to. Raises NtlmError."""
    size, _, offset = struct.unpack_from("<HHI", token, at)
    if offset + size > len(token):
        raise NtlmError("a field points outside the token")
    return token[offset : offset + size]


def put_pairs(pairs: dict[int, bytes]) -> bytes:
    """Writes target information, with its end."""
    body = b"".join(struct.pack("<HH", key, len(value)) + value for key, value in pairs.items() if key != Av.EOL)
    return body + bytes(4)


def take_pairs(data: bytes) -> dict[int, bytes]:
    """Reads target information. Raises NtlmError where a pair is cut off."""
    pairs: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        key, size = struct.unpack_from("<HH", data, at)
        if key == Av.EOL:
            break
        if at + 4 + size > len(data):
            raise NtlmError("target information is cut off")
        pairs[key] = data[at + 4 : at + 4 + size]
        at += 4 + size
    return pairs


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def take_text(data: bytes) -> str:
    """Decodes a text in UTF-16. Raises NtlmError."""
    try:
        return data.decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise NtlmError("a name is not UTF-16") from error


def filetime(seconds: float) -> int:
    """Converts epoch seconds to steps of 100 nanoseconds since 1601: MS-DTYP 2.3.3."""
    return int((seconds + 11_644_473_600) * 10_000_000)
