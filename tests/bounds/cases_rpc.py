"""Worst cases of what reads DCE/RPC: protocols.dcerpc."""

from __future__ import annotations

import struct
from contextlib import suppress
from functools import partial

from postern.protocols.dcerpc import pdu, trailer
from postern.protocols.dcerpc.client import ClientMachine
from postern.protocols.dcerpc.interfaces import (
    endpoint,
    item_codecs,
    mailbox_codecs,
    netlogon,
    search_codecs,
    validation,
)
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.protocols.dcerpc.ndr import NdrError, Reader
from postern.protocols.dcerpc.ndr_constructed import Constructed
from postern.protocols.dcerpc.pdu import CALL_HEADER, DREP, WHOLE, Kind, PduError, Pfc
from postern.protocols.dcerpc.receiving import Splitter
from postern.protocols.dcerpc.server import ServerMachine
from postern.protocols.dcerpc.server_events import Request
from tests.bounds.growth import Cases, Work, pieces
from tests.protocols.dcerpc.nspi_types import RESTRICTION, ROW_SET
from tests.protocols.dcerpc.play import ECHO, unbound

D = "protocols.dcerpc."
U32 = struct.Struct("<I")
OPERATIONS = {one.name: one for interface in (MAILBOX_ACCESS, MAILBOX_DELIVERY) for one in interface.operations}


def _but(*errors: type[Exception]):  # type: ignore[no-untyped-def]  # a decorator of builders
    """What is no such structure is refused by one of these."""

    def build(function, *arguments) -> Work:  # type: ignore[no-untyped-def]  # any reader
        def work() -> None:
            with suppress(*errors):
                function(*arguments)

        return work

    return build


_ndr, _pdu = _but(NdrError), _but(PduError)


def _fragment(kind: Kind, flags: int, stub: bytes) -> bytes:
    size = CALL_HEADER.size + len(stub)
    return CALL_HEADER.pack(5, 0, kind, flags, DREP, size, 0, 2, 0, 0, 0) + stub


def _server(size: int, stub: bytes, step: int) -> Work:
    fragment = _fragment(Kind.REQUEST, 0, stub)
    wire = _fragment(Kind.REQUEST, Pfc.FIRST, stub) + fragment * (size // len(fragment))

    def work() -> None:
        machine: ServerMachine = unbound().server
        for piece in pieces(wire, step):
            machine.receive(piece)
            while isinstance(machine.next_event(), Request):
                pass

    return work


def _client(size: int) -> Work:
    fragment = _fragment(Kind.RESPONSE, 0, b"x")
    wire = _fragment(Kind.RESPONSE, Pfc.FIRST, b"x") + fragment * (size // len(fragment))

    def work() -> None:
        machine: ClientMachine = unbound().client
        machine.call(0, 0, b"")
        for piece in pieces(wire, 100):
            machine.receive(piece)
            while machine.next_event() is not None:
                pass

    return work


def _splitter(size: int) -> Work:
    wire = pdu.pdu(Kind.REQUEST, WHOLE, 1, bytes(60_000)) * (size // 60_000 + 1)

    def work() -> None:
        splitter = Splitter()
        for piece in pieces(wire, 7):
            splitter.receive(piece)
            while splitter.next() is not None:
                pass

    return work


def _term(size: int) -> Work:
    count = size // 80
    sizes, blobs = U32.pack(0) * count, [b"not"] * count
    values = [blobs, [b""] * count, [b""] * count, bytes(8) * count, U32.pack(1) * count, sizes, b""]
    return _but(ValueError)(search_codecs.read_term, *values)


def _deliveries(size: int) -> Work:
    count = size // 60
    values = [
        [b"i"] * count,
        [b""] * count,
        bytes(8) * count,
        [b""] * count,
        U32.pack(1) * count,
        bytes(16) * count,
        bytes(8) * count,
    ]
    return partial(mailbox_codecs.read_deliveries, *values)


def _folders(size: int) -> Work:
    count = size // 80
    row = (1, 1, 0, 1, 1, 0, 0, 0, 1, 7, 0, 1, 1)
    return partial(mailbox_codecs.FOLDERS.read, [row] * count, [b"n"] * 2 * count)


def _get(type_: Constructed, data: bytes) -> None:
    type_.get(Reader(data))


def _nodes(size: int) -> Work:
    count = size // 40
    words, long_words, texts = U32.pack(1) * count, bytes(8) * count, [b"n"] * count
    return partial(item_codecs.nodes().read, long_words, long_words, texts, texts, words, long_words)


def _blobs(size: int) -> Work:
    count = size // 4
    head = struct.pack("<III", count, 1, count) + bytes(4 * count) + struct.pack("<III", 0, 1, 0)
    return _ndr(OPERATIONS["deliver"].request.decode, head * 3)


CASES: Cases = {
    D + "client.ClientMachine": _client,
    D + "interfaces.endpoint.read_tower": lambda size: _ndr(endpoint.read_tower, b"\xff\xff" + bytes(size)),
    D + "interfaces.endpoint.read_lookup": lambda size: _ndr(endpoint.read_lookup, bytes(size)),
    D + "interfaces.endpoint.read_map": lambda size: _ndr(
        endpoint.read_map, struct.pack("<IIII", 0, 1, size, size) + b"\x08\0" + bytes(size)
    ),
    D + "interfaces.endpoint.read_map_reply": lambda size: _ndr(
        endpoint.read_map_reply, bytes(20) + struct.pack("<IIII", 500, 500, 0, 500) + b"\1" * size
    ),
    D + "interfaces.search_codecs.read_term": _term,
    D + "interfaces.mailbox_codecs.read_deliveries": _deliveries,
    D + "codecs.Rows": _folders,
    D + "codecs.Columns": _nodes,
    D + "ndr.Message.decode: empty blobs": _blobs,
    D + "ndr.Message.decode: numbers": lambda size: _ndr(
        OPERATIONS["search"].request.decode, b"\1\0\0\0" * (size // 4)
    ),
    D + "interfaces.netlogon.read_logon": lambda size: _ndr(netlogon.read_logon, b"\1\0\0\0" * (size // 4)),
    D + "ndr_constructed.Constructed.get: pointers": lambda size: _ndr(
        _get, ROW_SET, struct.pack("<II", size // 12, size // 12) + struct.pack("<III", 0, 0, 0) * (size // 12)
    ),
    D + "ndr_constructed.Constructed.get: itself": lambda size: _ndr(
        _get, RESTRICTION, struct.pack("<II", 2, 1) * (size // 8)
    ),
    D + "pdu.read_bind": lambda size: _pdu(
        pdu.read_bind,
        memoryview(struct.pack("<HHIBxxx", 1, 1, 1, 255) + (b"\0\0\xff\0" + bytes(20 * 256)) * (size // 5124)),
    ),
    D + "pdu.read_bind_answer": lambda size: _pdu(pdu.read_bind_answer, memoryview(b"\xff\0" * (size // 2))),
    D + "receiving.Splitter: small pieces": _splitter,
    D + "server.ServerMachine: fragments of one octet": lambda size: _server(size, b"x", 1000),
    D + "server.ServerMachine: empty fragments": lambda size: _server(size, b"", 65_536),
    D + "server.ServerMachine: octet by octet": lambda size: _server(size // 4, b"x" * 64, 1),
    D + "trailer.strip": lambda size: partial(
        trailer.strip, bytes(size) + bytes.fromhex("8ae3137102f43671") * 100, ECHO, 1, 0, 0, True
    ),
    D + "interfaces.validation.read_validation": lambda size: _ndr(
        validation.read_validation, Reader(b"\1\0\0\0" * (size // 4)), True
    ),
}
