"""NDR of many octet strings or texts as two arrays: a call may have thousands, and each costs a slice."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, TypeVar

from postern.protocols.dcerpc.ndr import HEAD, REFERENT, NdrError, Reader, Variable, Writer, conformance

_NONE = HEAD.pack(0, REFERENT, 0) * 2
_Cut = TypeVar("_Cut", bytes, str)


class Blobs(Variable):
    """Many octet strings as two arrays: their sizes, and all their bytes in one piece. The value is a list of bytes."""

    zero: Any = ()

    def put(self, out: Writer, value: Any) -> None:
        _put_blobs(out, list(map(len, value)), value)

    def get(self, data: Reader) -> Any:
        return _cut(*_blobs(data))

    def idl(self, name: str) -> list[str]:
        return [
            f"unsigned long {name}_count",
            f"[size_is({name}_count)] unsigned long *{name}_sizes",
            f"unsigned long {name}_total",
            f"[size_is({name}_total)] byte *{name}",
        ]


class Texts(Blobs):
    """Many texts, on the wire as Blobs of UTF-8. The value is a list of str. A call has thousands of them, mostly in ASCII, and
    these are encoded and decoded in one piece."""

    def put(self, out: Writer, value: Any) -> None:
        joined = "".join(value)
        if joined.isascii():
            _put_blobs(out, list(map(len, value)), (joined.encode(),))
        else:
            super().put(out, [text.encode("utf-8", "surrogatepass") for text in value])

    def get(self, data: Reader) -> Any:
        sizes, octets = _blobs(data)
        if octets.isascii():
            return tuple(_cut(sizes, octets.decode()))
        try:
            return tuple([blob.decode("utf-8", "surrogatepass") for blob in _cut(sizes, octets)])
        except UnicodeDecodeError:
            raise NdrError("a text that is no UTF-8") from None


def _put_blobs(out: Writer, sizes: Sequence[int], pieces: Sequence[bytes]) -> None:
    """Writes blobs of these sizes, whose octets are those of `pieces` one after the other."""
    out.align(4)
    if not sizes:
        out.data += _NONE
        return
    out.data += HEAD.pack(len(sizes), REFERENT, len(sizes))
    out.data += struct.pack(f"<{len(sizes)}I", *sizes)
    total = sum(sizes)
    out.data += HEAD.pack(total, REFERENT, total)
    for piece in pieces:
        out.data += piece


def _blobs(data: Reader) -> tuple[Sequence[int], bytes]:
    """Reads the sizes of blobs, and the octets of all of them."""
    at = data.at + (-data.at % 4)
    if data.data[at : at + 24] == _NONE:
        data.at = at + 24
        return (), b""
    size = conformance(data, 4)
    sizes = struct.unpack(f"<{size // 4}I", data.take(size))
    total = conformance(data, 1)
    if sum(sizes) != total:
        raise NdrError("sizes do not add up")
    return sizes, data.take(total)


def _cut(sizes: Sequence[int], every: _Cut) -> list[_Cut]:
    """Cuts what stands one after the other into parts of these sizes."""
    if len(sizes) == 1:
        return [every]
    places = list(accumulate(sizes, initial=0))
    return [every[start:end] for start, end in pairwise(places)]
