"""Worst cases of what reads HTTP: protocols.http."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from postern.protocols.http import body, conditions, dates, head, negotiation, ranges
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


def _content_coding(value: bytes) -> object:
    return negotiation.content_coding(value, ("br", "gzip"))


def _value(size: int, reader: Callable[[bytes], object], wire: bytes, begin: bytes = b"") -> Work:
    value = begin + wire * (size // len(wire))
    return lambda: reader(value)


def _matched(value: bytes) -> object:
    return conditions.condition("PUT", [(b"if-match", value)] * 2, conditions.Validators(b'"a"', 0))


def _ranged(value: bytes) -> object:
    return conditions.range_applies([(b"if-range", value)], conditions.Validators(b'"a"', 0))


POST = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"

CASES: Cases = {
    "protocols.http.body.ChunkedBody": partial(_body, wire=b"1\r\na\r\n", chunked=True),
    "protocols.http.body.ChunkedBody:large": partial(_body, wire=b"10000\r\n" + b"a" * 65_536 + b"\r\n", chunked=True),
    "protocols.http.body.ChunkedBody:one by one": partial(_body, wire=b"1;a=b\r\na\r\n", chunked=True, step=1),
    "protocols.http.body.FixedBody": partial(_body, wire=b"a", chunked=False),
    "protocols.http.body.FixedBody:pieces": partial(_body, wire=b"a", chunked=False, step=50),
    "protocols.http.conditions.condition": lambda size: _value(size // 2, _matched, b'"", '),
    "protocols.http.conditions.parse_tags": partial(_value, reader=conditions.parse_tags, wire=b'W/"a",'),
    "protocols.http.conditions.parse_tags:commas": partial(_value, reader=conditions.parse_tags, wire=b", "),
    "protocols.http.conditions.parse_tags:long": partial(_value, reader=conditions.parse_tags, wire=b"a", begin=b'"'),
    "protocols.http.conditions.range_applies": partial(_value, reader=_ranged, wire=b"a", begin=b'"'),
    "protocols.http.dates.parse_http_date": partial(_value, reader=dates.parse_http_date, wire=b" 1"),
    "protocols.http.head.FieldsReader": partial(_fields, wire=b"A: b\r\n"),
    "protocols.http.head.FieldsReader:long": partial(_fields, wire=b"A: " + b" b" * 30_000 + b"\r\n"),
    "protocols.http.head.head_of": partial(_head_of, name=b"a", value=b"b"),
    "protocols.http.head.head_of:lengths": partial(_head_of, name=b"content-length", value=b"1"),
    "protocols.http.head.host_of": lambda size: lambda: head.host_of(b"a." * (size // 2)),
    "protocols.http.head.host_of:address": lambda size: lambda: head.host_of(b"[" + b":" * size),
    "protocols.http.head.may_begin_line": lambda size: lambda: head.may_begin_line(b"A" * size),
    "protocols.http.head.persists": partial(_persists, value=b" ,"),
    "protocols.http.head.read_line": lambda size: lambda: head.read_line(b"GET /" + b"a" * size + b" HTTP/1.1\r\n"),
    "protocols.http.negotiation.content_coding": partial(_value, reader=_content_coding, wire=b"a;q=1,"),
    "protocols.http.negotiation.content_coding:quotes": partial(_value, reader=_content_coding, wire=b',a;b="\\"'),
    "protocols.http.negotiation.parse_content_type": partial(
        _value, reader=negotiation.parse_content_type, wire=b';a*0="b"', begin=b"text/xml"
    ),
    "protocols.http.negotiation.preferred": partial(
        _value, reader=lambda value: negotiation.preferred(value, ("text/xml", "a/b; c=d")), wire=b"*/*;a=b;q=0.1,"
    ),
    "protocols.http.ranges.parse_range": partial(
        _value, reader=lambda value: ranges.parse_range(value, 1 << 40), wire=b"0-,", begin=b"bytes="
    ),
    "protocols.http.ranges.parse_range:long": partial(
        _value, reader=lambda value: ranges.parse_range(value, 1 << 40), wire=b"1", begin=b"bytes="
    ),
    "protocols.http.server.ServerMachine": partial(_requests, wire=b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "protocols.http.server.ServerMachine:one by one": partial(
        _requests, wire=b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 100 + b"\r\n", step=1
    ),
    "protocols.http.server.ServerMachine:body": partial(_requests, begin=POST, wire=b"1\r\na\r\n"),
    "protocols.http.server.ServerMachine:ends": partial(_requests, wire=b"\r\n\r"),
}
