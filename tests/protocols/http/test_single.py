"""One request a connection: what is a request, what is none and why, and that nobody who cuts octets finds a difference."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.http.single import MAX_HEAD, Malformed, Request, SingleRequest

HOST = b"Host: server1.example.test\r\n"


def event_of(wire: bytes, cut: int = 0) -> Request | Malformed | None:
    machine = SingleRequest()
    for start in range(0, len(wire), cut or len(wire) or 1):
        machine.receive(wire[start : start + (cut or len(wire))])
        if (event := machine.next_event()) is not None:
            assert machine.next_event() is None, "one request a connection"
            return event
    return None


@pytest.mark.parametrize(
    ("wire", "method", "path"),
    [
        (b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n", "GET", "/metrics"),
        (b"\r\nGET /metrics?name=x HTTP/1.1\r\n" + HOST + b"Accept: */*\r\n\r\n", "GET", "/metrics"),
        (b"HEAD /healthz HTTP/1.0\r\n\r\n", "HEAD", "/healthz"),
        (b"DELETE /x HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n", "DELETE", "/x"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Empty:\r\n\r\nGET /second HTTP/1.1\r\n", "GET", "/"),
    ],
)
def test_requests(wire: bytes, method: str, path: str) -> None:
    assert event_of(wire) == Request(method, path)


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"GET /metrics\r\n\r\n", 400),
        (b"GET  /metrics HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"\r\n\r\nGET /metrics HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"\x16\x03\x01 TLS HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n" + HOST + b" folded\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n" + HOST + b"X: a\nY: b\r\n\r\n", 400),
        (b"GET http://else.test/metrics HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /metrics HTTP/2.0\r\n\r\n", 505),
        (b"POST /metrics HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello", 413),
        (b"POST /metrics HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", 413),
        (b"GET /" + b"a" * MAX_HEAD, 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * MAX_HEAD + b"\r\n\r\n", 431),
    ],
)
def test_what_is_none(wire: bytes, status: int) -> None:
    assert event_of(wire) == Malformed(HTTPStatus(status))
    assert event_of(wire, 1) == Malformed(HTTPStatus(status))


_WIRES = st.lists(
    st.sampled_from(
        [
            b"GET ",
            b"/metrics",
            b" HTTP/1.1",
            b"\r\n",
            HOST,
            b"\r",
            b"\n",
            b"Content-Length: 1\r\n",
            b"a" * 4000,
            b"\xff",
        ]
    ),
    max_size=12,
).map(b"".join)


@given(_WIRES | st.binary(max_size=100), st.integers(1, 50))
def test_cuts_make_no_difference_and_nothing_raises(wire: bytes, cut: int) -> None:
    assert event_of(wire, cut) == event_of(wire)


def test_the_answer_to_head_has_no_body() -> None:
    for method, body in (("GET", b"hello"), ("HEAD", b"")):
        machine = SingleRequest()
        machine.answer(Request(method, "/"), HTTPStatus.OK, "text/plain", b"hello", ("Allow", "GET"))
        assert machine.outgoing() == (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\nAllow: GET\r\n\r\n"
            + body
        )
        assert machine.outgoing() == b""
