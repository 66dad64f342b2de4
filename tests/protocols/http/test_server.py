"""Requests on one connection: what is a request, what is none and why, and that nobody who cuts octets finds a difference.

covers: protocols.http.body, protocols.http.events, protocols.http.head
"""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.http.body import MAX_CHUNK_LINE, MAX_TRAILER
from postern.protocols.http.events import BodyPiece, Event, Malformed, RequestEnd, RequestHead
from postern.protocols.http.head import MAX_FIELDS, MAX_HEAD, MAX_TARGET
from postern.protocols.http.server import ServerMachine

HOST = b"Host: server1.example.test\r\n"
LINE = b"GET / HTTP/1.1\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"

METHODS = (
    *(
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "MKCALENDAR",
        "REPORT",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
        "ACL",
        "SEARCH",
        "PUT",
    ),
    *("DELETE", "PATCH", "TRACE", "BPROPFIND", "POLL", "SUBSCRIBE", "X-MS-ENUMATTS", "RPC_IN_DATA", "RPC_OUT_DATA"),
)


def events_of(wire: bytes, cut: int = 0) -> list[Event]:
    """All events of these octets, however they are cut; pieces of one body are put together. Each request is answered when it
    has ended."""
    machine = ServerMachine()
    events: list[Event] = []
    for start in range(0, len(wire), cut or len(wire) or 1):
        machine.receive(wire[start : start + (cut or len(wire))])
        while (event := machine.next_event()) is not None:
            if isinstance(event, BodyPiece) and events and isinstance(before := events[-1], BodyPiece):
                events[-1] = BodyPiece(before.data + event.data)
            else:
                events.append(event)
            if isinstance(event, RequestEnd):
                machine.respond(204, [])
                machine.finish()
    return events


def heads(events: list[Event]) -> list[tuple[str, bytes, str]]:
    return [(event.method, event.target, event.host) for event in events if isinstance(event, RequestHead)]


def body(events: list[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, BodyPiece))


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (LINE + HOST + b"\r\n", ("GET", b"/", "server1.example.test")),
        (b"\r\n" + LINE + HOST + b"\r\n", ("GET", b"/", "server1.example.test")),
        (
            b"GET /a?b=c HTTP/1.1\r\nhOST: Server1.Example.Test.:8443\r\n\r\n",
            ("GET", b"/a?b=c", "server1.example.test"),
        ),
        (b"GET / HTTP/1.1\r\nHost:[::1]:443 \r\n\r\n", ("GET", b"/", "[::1]")),
        (b"HEAD /healthz HTTP/1.0\r\n\r\n", ("HEAD", b"/healthz", "")),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", ("OPTIONS", b"*", "server1.example.test")),
        (b"OPTIONS http://other.test HTTP/1.1\r\n" + HOST + b"\r\n", ("OPTIONS", b"*", "other.test")),
        (b"GET HTTPS://Other.test:443?x HTTP/1.1\r\n" + HOST + b"\r\n", ("GET", b"/?x", "other.test")),
        (b"GET http://other.test/a/b HTTP/1.0\r\n\r\n", ("GET", b"/a/b", "other.test")),
        (b"GET //other.test/a HTTP/1.1\r\n" + HOST + b"\r\n", ("GET", b"//other.test/a", "server1.example.test")),
        *(
            (f"{method} /x HTTP/1.1\r\n".encode() + HOST + b"\r\n", (method, b"/x", "server1.example.test"))
            for method in METHODS
        ),
    ],
)
def test_requests(wire: bytes, expected: tuple[str, bytes, str]) -> None:
    events = events_of(wire)
    assert heads(events) == [expected]
    assert events[1:] == [RequestEnd()]
    assert events_of(wire, 1) == events


def test_the_fields_come_in_order_with_small_names_and_trimmed_values() -> None:
    (head, _) = events_of(LINE + HOST + b"Accept:  */* \t\r\nX-Empty:\r\nAccept: \xc3\xa9\r\n\r\n")
    assert isinstance(head, RequestHead)
    assert list(head.fields) == [
        (b"host", b"server1.example.test"),
        (b"accept", b"*/*"),
        (b"x-empty", b""),
        (b"accept", b"\xc3\xa9"),
    ]
    assert head.field(b"accept") == b"*/*" and head.field(b"cookie") is None


def _with(fields: bytes, begin: bytes = LINE + HOST) -> bytes:
    return begin + fields + b"\r\n"


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        # The request line
        (b"GET /metrics\r\n\r\n", 400),
        (b"EHLO client.example.test\r\n", 400),
        (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
        (b"GET /\tHTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / http/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\r\n" + HOST + b"\r\n", 400),
        (b"GET ftp://other.test/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET http:///a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET http://user@other.test/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"\r\n\r\n" + LINE + HOST + b"\r\n", 400),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"A" * 33, 400),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 505),
        (b"GET / HTTP/0.9\r\n\r\n", 505),
        (b"CONNECT other.test:443 HTTP/1.1\r\n" + HOST + b"\r\n", 501),
        (b"GET /" + b"a" * MAX_TARGET + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET /" + b"a" * 2 * MAX_TARGET, 414),
        # Host
        (LINE + b"\r\n", 400),
        (_with(HOST), 400),
        (LINE + b"Host:\r\n\r\n", 400),
        (LINE + b"Host: a b\r\n\r\n", 400),
        (LINE + b"Host: a/b\r\n\r\n", 400),
        (LINE + b"Host: a@b\r\n\r\n", 400),
        (LINE + b"Host: a,b\r\n\r\n", 400),
        (LINE + b"Host: a:b\r\n\r\n", 400),
        (LINE + b"Host: [::1\r\n\r\n", 400),
        (LINE + b"Host: " + b"a" * 256 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n" + HOST + HOST + b"\r\n", 400),
        # Fields
        (_with(b" folded\r\n"), 400),
        (_with(b"A: b\r\n folded\r\n"), 400),
        (_with(b"A: b\r\n\tfolded\r\n"), 400),
        (_with(b"A : b\r\n"), 400),
        (_with(b"A\r\n"), 400),
        (_with(b": b\r\n"), 400),
        (_with(b"A(b): c\r\n"), 400),
        (_with(b"A: b\nC: d\r\n"), 400),
        (_with(b"A: b\rC: d\r\n"), 400),
        (_with(b"A: b\x00c\r\n"), 400),
        (_with(b"A: b\x7f\r\n"), 400),
        (LINE + b" " + HOST + b"\r\n", 400),
        (_with(b"A: b\r\n" * MAX_FIELDS), 431),
        (_with(b"A: " + b"b" * MAX_HEAD + b"\r\n"), 431),
        (_with(b"A: b\r\n" * (MAX_HEAD // 6 + 1)), 431),
        # Where the body ends
        (_with(b"Content-Length: 1\r\nContent-Length: 1\r\n"), 400),
        (_with(b"Content-Length: 1, 1\r\n"), 400),
        (_with(b"Content-Length: +1\r\n"), 400),
        (_with(b"Content-Length: -1\r\n"), 400),
        (_with(b"Content-Length: 0x1\r\n"), 400),
        (_with(b"Content-Length: 1 1\r\n"), 400),
        (_with(b"Content-Length:\r\n"), 400),
        (_with(b"Content-Length: " + b"9" * 19 + b"\r\n"), 400),
        (_with(b"Content-Length: " + b"9" * 99 + b"\r\n"), 400),
        (_with(b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400),
        (_with(b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400),
        (_with(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400),
        (_with(b"Transfer-Encoding: chunked, gzip\r\n"), 400),
        (_with(b"Transfer-Encoding: gzip\r\n"), 400),
        (_with(b"Transfer-Encoding: identity\r\n"), 400),
        (_with(b"Transfer-Encoding: xchunked\r\n"), 400),
        (_with(b"Transfer-Encoding: \x0bchunked\r\n"), 400),
        (_with(b"Transfer-Encoding:\r\n"), 400),
        (_with(b"Transfer-Encoding:\r\n chunked\r\n"), 400),
        (_with(b"Transfer-Encoding: gzip, chunked\r\n"), 501),
        (_with(b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 501),
        (_with(b"Transfer-Encoding: chunked\r\n", b"POST / HTTP/1.0\r\n" + HOST), 400),
        (_with(b"Expect: a-miracle\r\nContent-Length: 1\r\n"), 417),
    ],
)
def test_what_is_none(wire: bytes, status: int) -> None:
    assert events_of(wire) == [Malformed(HTTPStatus(status))]
    step = 1 if len(wire) < 10_000 else 4001
    assert events_of(wire, step) == [Malformed(HTTPStatus(status))]


def test_a_large_ticket_fits() -> None:
    (head, _) = events_of(_with(b"Authorization: Negotiate " + b"a" * 98_304 + b"\r\n"))
    assert isinstance(head, RequestHead) and len(head.field(b"authorization") or b"") == 98_314


def test_bodies_of_a_known_length() -> None:
    wire = _with(b"Content-Length: 5\r\n") + b"hello" + _with(b"Content-Length: 0\r\n") + LINE + HOST + b"\r\n"
    events = events_of(wire)
    assert [event.length for event in events if isinstance(event, RequestHead)] == [5, 0, 0]
    assert body(events) == b"hello" and events.count(RequestEnd()) == 3
    assert all(events_of(wire, cut) == events for cut in range(1, 40))


@pytest.mark.parametrize(
    ("wire", "content"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"00005\r\nhello\r\n000\r\n\r\n", b"hello"),
        (b'3;a=b;c="d"\r\nhel\r\n2 ;e\r\nlo\r\n0;f\r\n\r\n', b"hello"),
        (b"A\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\nX-Trailer: y\r\nZ:\r\n\r\n", b"0\r\n\r\n0\r\n\r\n"),
        (b"1\r\na\r\n" * 1000 + b"0\r\n" + b"A: b\r\n" * 1000 + b"\r\n", b"a" * 1000),
        (b"20000\r\n" + b"a" * 131_072 + b"\r\n0\r\n\r\n", b"a" * 131_072),
    ],
)
def test_chunked_bodies(wire: bytes, content: bytes) -> None:
    wire = CHUNKED + wire + LINE + HOST + b"\r\n"
    events = events_of(wire)
    assert body(events) == content
    assert [event.length for event in events if isinstance(event, RequestHead)] == [None, 0]
    assert isinstance(events[-1], RequestEnd)
    assert all(events_of(wire, cut) == events for cut in ((1, 2, 3, 7) if len(wire) < 20_000 else (4001,)))


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"\r\n", 400),
        (b"g\r\n", 400),
        (b"0x1\r\na\r\n", 400),
        (b"-1\r\n", 400),
        (b" 1\r\na\r\n", 400),
        (b"1 \r\na\r\n", 400),
        (b"1\na\r\n", 400),
        (b"1;a\rb\r\na\r\n", 400),
        (b"1;a\x00\r\na\r\n", 400),
        (b"1" * 16 + b"\r\n", 400),
        (b"1;" + b"a" * MAX_CHUNK_LINE, 400),
        (b"0\r\nA : b\r\n\r\n", 400),
        (b"0\r\nA: b\n\r\n", 400),
        (b"0\r\n folded\r\n\r\n", 400),
        (b"0\r\nGET / HTTP/1.1\r\n\r\n", 400),
        (b"0\r\nA: " + b"b" * MAX_TRAILER, 431),
        (b"0\r\n" + b"A: b\r\n" * MAX_TRAILER, 431),
        (b"1\r\nab\r\n0\r\n\r\n", 400),
        (b"1\r\na\n0\r\n\r\n", 400),
        (b"1\r\na\rb0\r\n\r\n", 400),
        (b"2\r\na\r\n0\r\n\r\n", 400),
    ],
)
def test_bodies_that_are_none(wire: bytes, status: int) -> None:
    events = events_of(CHUNKED + wire)
    assert events[-1] == Malformed(HTTPStatus(status)) and RequestEnd() not in events
    assert events_of(CHUNKED + wire, 1)[-1] == Malformed(HTTPStatus(status))


def test_an_upgrade_is_ignored_and_the_next_request_stands_behind_it() -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    wire = (
        _with(upgrade) + _with(upgrade + b"Content-Length: 2\r\n") + b"ab" + b"PUT /next HTTP/1.1\r\n" + HOST + b"\r\n"
    )
    events = events_of(wire)
    assert [method for method, _, _ in heads(events)] == ["GET", "GET", "PUT"] and body(events) == b"ab"
    assert events_of(wire, 1) == events


def test_the_next_request_waits_for_the_answer() -> None:
    machine = ServerMachine()
    machine.receive((LINE + HOST + b"\r\n") * 2)
    assert isinstance(machine.next_event(), RequestHead) and machine.next_event() == RequestEnd()
    assert machine.next_event() is None and not machine.is_reading_head
    machine.respond(200, [(b"content-length", b"0")])
    assert machine.next_event() is None
    machine.finish()
    assert not machine.ends and isinstance(machine.next_event(), RequestHead)


WIRES = st.lists(
    st.sampled_from(
        [
            b"GET / HTTP/1.1\r\n",
            b"POST /a HTTP/1.1\r\n",
            b" HTTP/1.1",
            b"\r\n",
            HOST,
            b"\r",
            b"\n",
            b"Content-Length: 1\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"1\r\na\r\n",
            b"0\r\n",
            b"a: b\r\n",
            b"a" * 4000,
            b"\xff",
        ]
    ),
    max_size=14,
).map(b"".join)


@given(WIRES | st.binary(max_size=100), st.integers(1, 50))
def test_cuts_make_no_difference_and_nothing_raises(wire: bytes, cut: int) -> None:
    assert events_of(wire, cut) == events_of(wire)
