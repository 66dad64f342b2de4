"""Values of properties in the binary form in which bags keep them (MS-OXCDATA section 2.11): little-endian, text in UTF-16 with
its terminator, counts of 32 bits."""

from __future__ import annotations

import struct

from postern.items.properties import Type, Value

_EPOCH = 11_644_473_600
"""Seconds from 1601, where PtypTime begins, to 1970."""
_TICKS = 10_000_000
MAX_VALUES = 1_000
"""Values of a multiple property that are read."""
_NUMBERS = {Type.INTEGER16: "<h", Type.INTEGER32: "<i", Type.FLOATING64: "<d", Type.BOOLEAN: "<?"}


def encoded(type_: Type, value: Value) -> bytes:
    """A value as a bag keeps it. Raises ValueError for one that is not of this type."""
    try:
        if type_ in _NUMBERS and not isinstance(value, (str, bytes, tuple)):
            return struct.pack(_NUMBERS[type_], value)
        if type_ is Type.TIME and isinstance(value, int):
            return struct.pack("<Q", (value + _EPOCH) * _TICKS)
        if type_ is Type.STRING and isinstance(value, str):
            return _text(value)
        if type_ is Type.BINARY and isinstance(value, bytes):
            return struct.pack("<I", len(value)) + value
        if type_ is Type.STRINGS and isinstance(value, tuple):
            return struct.pack("<I", len(value)) + b"".join(map(_text, value))
    except struct.error:
        pass
    raise ValueError(f"{value!r:.40} is no {type_.name}")


def decoded(type_: Type, octets: bytes) -> Value | None:
    """Reads a value of a bag; None: it is not of this type.

    Bound: linear in the octets; at most MAX_VALUES values.
    """
    if type_ in _NUMBERS:
        form = struct.Struct(_NUMBERS[type_])
        value: Value = form.unpack(octets)[0] if len(octets) == form.size else b""
        return value if len(octets) == form.size else None
    if type_ is Type.TIME:
        return struct.unpack("<Q", octets)[0] // _TICKS - _EPOCH if len(octets) == 8 else None
    if type_ is Type.STRING:
        return _read_text(octets)
    if len(octets) < 4:
        return None
    count, rest = struct.unpack_from("<I", octets)[0], octets[4:]
    if type_ is Type.BINARY:
        return rest if len(rest) == count else None
    texts = rest.decode("utf-16-le", "replace").split("\0", MAX_VALUES)
    return tuple(texts[:-1]) if len(texts) - 1 == count and not texts[-1] else None


def _text(value: str) -> bytes:
    return value.replace("\0", "").encode("utf-16-le", "replace") + b"\0\0"


def _read_text(octets: bytes) -> str | None:
    if len(octets) % 2 or not octets.endswith(b"\0\0"):
        return None
    return octets[:-2].decode("utf-16-le", "replace")
