"""PostgreSQL's binary formats of the few types that the store uses, as parameters and in results.

Written by hand because a batch crosses as a dozen arrays, and a fetched folder as packed columns: both are one pass here.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from uuid import UUID

Parameter = bytes | None

_INT8 = struct.Struct(">q")
_ARRAY_HEAD = struct.Struct(">iiIii")
_LENGTH = struct.Struct(">i")
_OID_INT8, _OID_BYTEA, _OID_TEXT, _OID_UUID = 20, 17, 25, 2950
_NULL = b"\xff\xff\xff\xff"

int8 = _INT8.pack


def uuid(value: UUID) -> bytes:
    return value.bytes


def boolean(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


def text(value: str) -> bytes:
    """Encodes a text; lone surrogates become "?" and NULs are left out, for PostgreSQL's text holds neither."""
    return value.encode("utf-8", "replace").replace(b"\0", b"")


def int8s(values: Iterable[int]) -> bytes:
    numbers = list(values)
    head = _ARRAY_HEAD.pack(1, 0, _OID_INT8, len(numbers), 1) if numbers else _empty(_OID_INT8)
    return head + b"".join([b"\x00\x00\x00\x08" + _INT8.pack(number) for number in numbers])


def byteas(values: Sequence[bytes | None]) -> bytes:
    return _array(_OID_BYTEA, values)


def texts(values: Iterable[str | None]) -> bytes:
    """Encodes an array of texts, as `text` does each."""
    return _array(_OID_TEXT, [None if value is None else text(value) for value in values])


def plain_texts(values: Sequence[str]) -> bytes:
    """Encodes an array of texts without NULs and lone surrogates."""
    return _array(_OID_TEXT, [value.encode() for value in values])


def uuids(values: Iterable[UUID]) -> bytes:
    return _array(_OID_UUID, [value.bytes for value in values])


def _empty(oid: int) -> bytes:
    return struct.pack(">iiI", 0, 0, oid)


def _array(oid: int, values: Sequence[bytes | None]) -> bytes:
    if not values:
        return _empty(oid)
    head = _ARRAY_HEAD.pack(1, 1 if None in values else 0, oid, len(values), 1)
    return head + b"".join([_NULL if value is None else _LENGTH.pack(len(value)) + value for value in values])


def to_int8(data: bytes | None) -> int:
    """Decodes an int8; NULL reads as 0."""
    return 0 if data is None else int(_INT8.unpack(data)[0])


def to_array(data: bytes | None) -> list[bytes]:
    """Returns the elements of a one-dimensional array; NULL elements read as empty."""
    if data is None or len(data) < 20:
        return []
    count, place, result = struct.unpack_from(">i", data, 12)[0], 20, []
    for _ in range(count):
        length = _LENGTH.unpack_from(data, place)[0]
        place += 4
        if length < 0:
            result.append(b"")
            continue
        result.append(data[place : place + length])
        place += length
    return result


def to_int8s(data: bytes | None) -> list[int]:
    return [to_int8(element) for element in to_array(data)]


def to_texts(data: bytes | None) -> tuple[str, ...]:
    return tuple(element.decode() for element in to_array(data))


def words64(data: bytes | None) -> array[int]:
    """Decodes packed big-endian int8, as `string_agg(int8send(x), '')` makes them."""
    numbers = array("q", data or b"")
    numbers.byteswap()
    return numbers


def words32(data: bytes | None) -> array[int]:
    """Decodes the low halves of packed big-endian int8."""
    numbers = array("I", data or b"")
    numbers.byteswap()
    return numbers[1::2]


def slices(data: bytes | None, lengths: bytes | None) -> list[bytes]:
    """Cuts `string_agg(column, '')` by `string_agg(int8send(length(column)), '')`."""
    if not data:
        return [b""] * (len(lengths or b"") // 8)
    ends = list(accumulate(words32(lengths)))
    return [data[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
