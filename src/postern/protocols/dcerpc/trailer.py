"""The verification trailer (MS-RPCE 2.2.2.13). A client adds it behind its parameters, under the signature, so that a server
notices when the unsigned parts of the handshake or of the header were changed on the way."""

from __future__ import annotations

import struct

from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.pdu import DREP, NDR, Kind, syntax_bytes

_MAGIC = bytes.fromhex("8ae3137102f43671")
_BITMASK, _CONTEXT, _HEADER2 = 1, 2, 3
_END, _MUST = 0x4000, 0x8000
_CLIENT_SUPPORTS_HEADER_SIGNING = 1
_SEARCHED = 1024
"""Octets from the end in which a trailer must begin; a trailer with all three commands has 88."""


def append(stub: bytes | bytearray, abstract: Syntax, call_id: int, context: int, opnum: int) -> bytes:
    """Adds a trailer with every command to the stub."""
    head = struct.pack("<B3x", Kind.REQUEST) + DREP + struct.pack("<IHH", call_id, context, opnum)
    commands = struct.pack("<HHI", _BITMASK, 4, _CLIENT_SUPPORTS_HEADER_SIGNING)
    commands += struct.pack("<HH", _CONTEXT | _MUST, 40) + syntax_bytes((abstract, NDR))
    commands += struct.pack("<HH", _HEADER2 | _MUST | _END, 16) + head
    return bytes(stub) + bytes(-len(stub) % 4) + _MAGIC + commands


def strip(stub: bytes, abstract: Syntax, call_id: int, context: int, opnum: int, header_signing: bool) -> bytes | None:
    """Takes off the trailer of a stub, if it has one, and leaves the padding; None if the trailer contradicts what was received.

    A trailer stands at the very end; bytes elsewhere that look like its magic belong to a parameter.

    Bound: linear in the stub; 1,024 octets at its end are searched.
    """
    at = stub.rfind(_MAGIC, max(0, len(stub) - _SEARCHED))
    if at < 0 or at % 4:
        return stub
    commands = _commands(stub[at + 8 :])
    if commands is None:
        return stub
    for command, value in commands:
        kind = command & 0x3FFF
        if kind == _BITMASK:
            if not _bitmask_holds(value, header_signing):
                return None
        elif kind == _CONTEXT:
            if value[:20] != syntax_bytes((abstract,)) or value[20:40] != syntax_bytes((NDR,)):
                return None
        elif kind == _HEADER2:
            # Reserved bytes 1 to 3 are not read: clients leave anything there.
            if value[:1] != bytes([Kind.REQUEST]) or value[4:] != DREP + struct.pack("<IHH", call_id, context, opnum):
                return None
        elif command & _MUST:
            return None
    return stub[:at]


def _bitmask_holds(value: bytes, header_signing: bool) -> bool:
    """Whether the bitmask fits the connection. If the client supports header signing, and the connection does not have it,
    somebody has removed the client's offer on the way."""
    if len(value) != 4:
        return False
    supports = int.from_bytes(value, "little") & _CLIENT_SUPPORTS_HEADER_SIGNING
    return header_signing or not supports


def _commands(data: bytes) -> list[tuple[int, bytes]] | None:
    """Reads the commands; None if this is no trailer: the last must be marked as the end, and end where the stub ends."""
    commands = []
    at = 0
    while at + 4 <= len(data):
        command, size = struct.unpack_from("<HH", data, at)
        commands.append((command, data[at + 4 : at + 4 + size]))
        at += 4 + size
        if command & _END:
            return commands if at == len(data) else None
    return None
