"""Types that Windows' interfaces share, in NDR: MS-DTYP's strings and security identifiers. The bytes that are there bound the
work.

The modules of Microsoft's interfaces (`netlogon`, `validation`) use them; our own interfaces have `ndr`'s simpler types.
"""

from __future__ import annotations

import struct

from postern.protocols.dcerpc.ndr import NdrError, Reader, Writer

_REFERENT = 0x00020000
MAX_SUB_AUTHORITIES = 15
"""Sub-authorities of a SID at most (MS-DTYP 2.4.2.3)."""


def put_wide(out: Writer, text: str, unique: bool = False) -> None:
    """Writes `[string] wchar_t *` with its closing zero; `unique` where the pointer may be null, and so has a referent."""
    data = text.encode("utf-16-le", "surrogatepass") + b"\0\0"
    out.align(4)
    if unique:
        out.u32(_REFERENT)
    out.raw(struct.pack("<III", len(data) // 2, 0, len(data) // 2) + data)


def put_counted(out: Writer, size: int, referent: int) -> None:
    """Writes the fixed part of RPC_UNICODE_STRING or STRING: bytes, room, pointer (MS-DTYP 2.3.10, MS-NRPC 2.2.1.1.2)."""
    out.align(4)
    out.raw(struct.pack("<HHI", size, size, _REFERENT + 4 * referent))


def put_counted_units(out: Writer, data: bytes, unit: int) -> None:
    """Writes the target of a counted string's pointer: a conformant varying array of `unit` bytes each."""
    count = len(data) // unit
    out.align(4)
    out.raw(struct.pack("<III", count, 0, count) + data)


class Counted:
    """An RPC_UNICODE_STRING that is read in two steps: `Counted(data)` reads its fixed part, `text()` the target of its
    pointer."""

    __slots__ = ("_data", "_pointer", "_size")

    def __init__(self, data: Reader) -> None:
        self._data = data
        data.align(4)
        self._size, _ = data.u16(), data.u16()
        self._pointer = data.u32()

    def text(self) -> str:
        """Reads the text; "" where the pointer is null. Raises NdrError."""
        if not self._pointer:
            return ""
        data = self._data
        most, offset, count = data.u32(), data.u32(), data.u32()
        if offset or count > most or count * 2 < self._size or self._size % 2:
            raise NdrError("a counted string that is none")
        return data.take(count * 2)[: self._size].decode("utf-16-le", "surrogatepass")


def take_sid(data: Reader) -> str:
    """Reads an RPC_SID (MS-DTYP 2.4.2.3) behind its conformance, as "S-1-5-21-...". Raises NdrError."""
    conformance = data.u32()
    if not data.size >= data.at + 8:
        raise NdrError("a security identifier that is cut off")
    revision, count = data.take(2)
    if revision != 1 or count != conformance or count > MAX_SUB_AUTHORITIES:
        raise NdrError("a security identifier that is none")
    authority = int.from_bytes(data.take(6), "big")
    parts = struct.unpack(f"<{count}I", data.take(4 * count))
    return "-".join(["S", "1", str(authority), *map(str, parts)])
