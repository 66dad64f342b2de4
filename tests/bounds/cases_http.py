"""Worst cases of what reads HTTP: protocols.http."""

from __future__ import annotations

from functools import partial

from postern.protocols.http import body, head
from postern.protocols.http.events import RequestHead
from postern.protocols.http.server import ServerMachine
from tests.bounds.growth import Cases, Work, pieces

HOST = b"Host: server1.example.test\r\n"


def _requests(size: int, wire: bytes, begin: bytes = b"", step: int = 65_536) -> Work:
    """A connection whose every request is answered, without reading its body first."""
    data = begin + wire * (size // len(wire))

    def work() -> None:
        machine = ServerMachine()
        for piece in pieces(data, step):
            machine.receive(piece)
            while (event := machine.next_event()) is not None:
                if isinstance(event, RequestHead) and event.length == 0:
                    machine.respond(204, [])
                    machine.finish()
            machine.outgoing()

    return work


def _body(size: int, wire: bytes, chunked: bool, step: int = 65_536) -> Work:
    data = wire * (size // len(wire))

    def work() -> None:
        reader = body.ChunkedBody() if chunked else body.FixedBody(len(data))
        buffer = bytearray()
        for piece in pieces(data, step):
            buffer += piece
            while reader.take(buffer):
                pass

    return work


def _fields(size: int, wire: bytes) -> Work:
    octets = HOST + wire * (size // len(wire)) + b"\r\n"
    return lambda: head.FieldsReader().read(octets)


def _head_of(size: int, name: bytes, value: bytes) -> Work:
    line = head.RequestLine("GET", b"/", None, "1.1")
    fields = [(b"host", b"a"), *[(name, value)] * (size // len(name + value))]
    return lambda: head.head_of(line, fields)


def _persists(size: int, value: bytes) -> Work:
    many = [(b"connection", value * (size // len(value)))]
    request = RequestHead("GET", b"/", "a", "1.1", many, 0, False)
    return lambda: head.persists(request)


POST = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"

CASES: Cases = {
    "protocols.http.body.ChunkedBody": partial(_body, wire=b"1\r\na\r\n", chunked=True),
    "protocols.http.body.ChunkedBody:large": partial(_body, wire=b"10000\r\n" + b"a" * 65_536 + b"\r\n", chunked=True),
    "protocols.http.body.ChunkedBody:one by one": partial(_body, wire=b"1;a=b\r\na\r\n", chunked=True, step=1),
    "protocols.http.body.FixedBody": partial(_body, wire=b"a", chunked=False),
    "protocols.http.body.FixedBody:pieces": partial(_body, wire=b"a", chunked=False, step=50),
    "protocols.http.head.FieldsReader": partial(_fields, wire=b"A: b\r\n"),
    "protocols.http.head.FieldsReader:long": partial(_fields, wire=b"A: " + b" b" * 30_000 + b"\r\n"),
    "protocols.http.head.head_of": partial(_head_of, name=b"a", value=b"b"),
    "protocols.http.head.head_of:lengths": partial(_head_of, name=b"content-length", value=b"1"),
    "protocols.http.head.host_of": lambda size: lambda: head.host_of(b"a." * (size // 2)),
    "protocols.http.head.host_of:address": lambda size: lambda: head.host_of(b"[" + b":" * size),
    "protocols.http.head.may_begin_line": lambda size: lambda: head.may_begin_line(b"A" * size),
    "protocols.http.head.persists": partial(_persists, value=b" ,"),
    "protocols.http.head.read_line": lambda size: lambda: head.read_line(b"GET /" + b"a" * size + b" HTTP/1.1\r\n"),
    "protocols.http.server.ServerMachine": partial(_requests, wire=b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "protocols.http.server.ServerMachine:one by one": partial(
        _requests, wire=b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 100 + b"\r\n", step=1
    ),
    "protocols.http.server.ServerMachine:body": partial(_requests, begin=POST, wire=b"1\r\na\r\n"),
    "protocols.http.server.ServerMachine:ends": partial(_requests, wire=b"\r\n\r"),
}
