"""The endpoint mapper's interface (C706 appendix O, MS-RPCE 2.2.1.2): towers, ept_lookup and ept_map, both sides' stubs."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.ndr import NdrError, Reader, Writer
from postern.protocols.dcerpc.pdu import NDR

ENDPOINT_MAPPER = Syntax(UUID("e1af8308-5d1f-11c9-91a4-08002b14a0fa"), 3)
LOOKUP, MAP = 2, 3
NOT_REGISTERED = 0x16C9A0D6
MAX_ENTRIES = 500
NO_HANDLE = bytes(20)
_FLOOR_UUID, _FLOOR_RPC, _FLOOR_TCP, _FLOOR_IP = 0x0D, 0x0B, 0x07, 0x09
_REFERENT = 0x00020000
_ANNOTATION = 64


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An interface and the TCP port where it is served; `annotation` is for people."""

    syntax: Syntax
    port: int
    annotation: str = ""


@dataclass(frozen=True, slots=True)
class Tower:
    """The members of a protocol tower that matter here. `address` is an IPv4 address (4 bytes)."""

    syntax: Syntax
    transfer: Syntax
    port: int
    address: bytes = bytes(4)


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """A request of ept_lookup. `inquiry`: 0 all, 1 by interface, 2 by object, 3 by both; `option`: 1 all versions, 2 compatible,
    3 exact, 4 major, 5 up to."""

    inquiry: int
    syntax: Syntax | None
    option: int
    handle: bytes
    most: int


@dataclass(frozen=True, slots=True)
class MapRequest:
    tower: Tower
    handle: bytes
    most: int


def tower_bytes(tower: Tower) -> bytes:
    """Writes a tower: five floors, ncacn_ip_tcp."""
    floors = (
        (struct.pack("<B", _FLOOR_UUID) + _versioned(tower.syntax), struct.pack("<H", tower.syntax.minor)),
        (struct.pack("<B", _FLOOR_UUID) + _versioned(tower.transfer), struct.pack("<H", tower.transfer.minor)),
        (bytes([_FLOOR_RPC]), b"\0\0"),
        (bytes([_FLOOR_TCP]), struct.pack(">H", tower.port)),
        (bytes([_FLOOR_IP]), tower.address),
    )
    out = struct.pack("<H", len(floors))
    for left, right in floors:
        out += struct.pack("<H", len(left)) + left + struct.pack("<H", len(right)) + right
    return out


def read_tower(data: bytes) -> Tower | None:
    """Reads a tower; None for one of another protocol sequence. Raises NdrError for one that is cut off.

    Bound: linear; at most 8 floors.
    """
    floors = []
    at = 2
    for _ in range(min(int.from_bytes(data[:2], "little"), 8)):
        floor = []
        for _ in range(2):
            size = int.from_bytes(data[at : at + 2], "little")
            if at + 2 + size > len(data):
                raise NdrError("a tower that is cut off")
            floor.append(data[at + 2 : at + 2 + size])
            at += 2 + size
        floors.append(floor)
    if len(floors) < 4 or floors[2][0][:1] != bytes([_FLOOR_RPC]) or floors[3][0][:1] != bytes([_FLOOR_TCP]):
        return None
    address = floors[4][1] if len(floors) > 4 and floors[4][0][:1] == bytes([_FLOOR_IP]) else bytes(4)
    return Tower(
        _read_floor(floors[0]),
        _read_floor(floors[1]),
        int.from_bytes(floors[3][1][:2], "big"),
        address.ljust(4, b"\0")[:4],
    )


def _versioned(syntax: Syntax) -> bytes:
    return syntax.uuid.bytes_le + struct.pack("<H", syntax.major)


def _read_floor(floor: Sequence[bytes]) -> Syntax:
    left, right = floor
    if len(left) != 19 or left[0] != _FLOOR_UUID or len(right) < 2:
        raise NdrError("a floor that names no syntax")
    return Syntax(UUID(bytes_le=left[1:17]), int.from_bytes(left[17:], "little"), int.from_bytes(right[:2], "little"))


# ept_lookup


def read_lookup(stub: bytes | memoryview) -> LookupRequest:
    """Reads a request of ept_lookup. Raises NdrError.

    Bound: linear.
    """
    data = Reader(stub)
    inquiry = data.u32()
    if data.u32():
        data.take(16)
    syntax = None
    if data.u32():
        uuid = UUID(bytes_le=data.take(16))
        syntax = Syntax(uuid, data.u16(), data.u16())
    option = data.u32()
    return LookupRequest(inquiry, syntax, option, data.take(20), data.u32())


def lookup_reply(handle: bytes, entries: Sequence[tuple[Endpoint, Tower]], most: int, status: int) -> bytes:
    out = Writer()
    out.raw(handle)
    out.u32(len(entries))
    _varying(out, most, len(entries))
    for i, (endpoint, _) in enumerate(entries):
        out.align(4)
        out.raw(bytes(16))
        out.u32(_REFERENT + 4 * i)
        note = endpoint.annotation.encode("ascii", "replace")[: _ANNOTATION - 1] + b"\0"
        out.u32(0)
        out.u32(len(note))
        out.raw(note)
    for _, tower in entries:
        _put_tower(out, tower)
    out.u32(status)
    return bytes(out.data)


# ept_map


def map_request(syntax: Syntax) -> bytes:
    out = Writer()
    out.u32(0)
    out.u32(_REFERENT)
    _put_tower(out, Tower(syntax, NDR, 0))
    out.align(4)
    out.raw(NO_HANDLE)
    out.u32(4)
    return bytes(out.data)


def read_map(stub: bytes | memoryview) -> MapRequest | None:
    """Reads a request of ept_map; None for a tower that is not ncacn_ip_tcp. Raises NdrError.

    Bound: linear; at most 8 floors.
    """
    data = Reader(stub)
    if data.u32():
        data.take(16)
    if not data.u32():
        raise NdrError("no tower")
    tower = read_tower(_take_tower(data))
    data.align(4)
    handle = data.take(20)
    most = data.u32()
    return MapRequest(tower, handle, most) if tower is not None else None


def map_reply(towers: Sequence[Tower], most: int, status: int) -> bytes:
    out = Writer()
    out.raw(NO_HANDLE)
    out.u32(len(towers))
    _varying(out, most, len(towers))
    for i in range(len(towers)):
        out.u32(_REFERENT + 4 * i)
    for tower in towers:
        _put_tower(out, tower)
    out.u32(status)
    return bytes(out.data)


def read_map_reply(stub: bytes | memoryview) -> list[Tower]:
    """Reads the towers of an answer to ept_map; [] if it has none. Raises NdrError.

    Bound: linear; at most 500 towers.
    """
    data = Reader(stub)
    data.take(20)
    count = data.u32()
    data.u32(), data.u32()
    if data.u32() != count or count > MAX_ENTRIES:
        raise NdrError("counts that differ")
    pointers = [data.u32() for _ in range(count)]
    towers = [read_tower(_take_tower(data)) for pointer in pointers if pointer]
    return [tower for tower in towers if tower is not None]


def _varying(out: Writer, most: int, count: int) -> None:
    """Writes the head of a conformant varying array."""
    out.u32(max(most, count))
    out.u32(0)
    out.u32(count)


def _put_tower(out: Writer, tower: Tower) -> None:
    octets = tower_bytes(tower)
    out.u32(len(octets))
    out.u32(len(octets))
    out.raw(octets)


def _take_tower(data: Reader) -> bytes:
    most, size = data.u32(), data.u32()
    if size > most:
        raise NdrError("a tower larger than it says")
    return data.take(size)
