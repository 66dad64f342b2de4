"""Answers on one connection: how their end is told, when the connection ends, and that no field splits one."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from postern.protocols.http.events import Field, Malformed, RequestEnd, RequestHead
from postern.protocols.http.server import ServerMachine

HOST = b"Host: server1.example.test\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST
PUT = b"PUT / HTTP/1.1\r\n" + HOST


def machine_with(wire: bytes) -> ServerMachine:
    """A machine that has read this request to its end."""
    machine = ServerMachine()
    machine.receive(wire)
    while machine.next_event() not in (None, RequestEnd()):
        pass
    return machine


def answered(wire: bytes, *fields: Field, status: int = 200, body: bytes = b"hello") -> tuple[bytes, bool]:
    """The octets of the answer, and whether the connection ends with it."""
    machine = machine_with(wire)
    machine.respond(status, fields)
    machine.write(body)
    machine.finish()
    return machine.outgoing(), machine.ends


FIVE = (b"content-length", b"5")


@pytest.mark.parametrize(
    ("wire", "fields", "status", "answer", "ends"),
    [
        (GET, (FIVE,), 200, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", False),
        (
            GET,
            (),
            207,
            b"HTTP/1.1 207 Multi-Status\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            False,
        ),
        (GET, (FIVE,), 299, b"HTTP/1.1 299 \r\ncontent-length: 5\r\n\r\nhello", False),
        (b"HEAD" + GET[3:], (FIVE,), 200, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", False),
        (b"HEAD" + GET[3:], (), 200, b"HTTP/1.1 200 OK\r\n\r\n", False),
        (GET, (FIVE,), 204, b"HTTP/1.1 204 No Content\r\n\r\n", False),
        (GET, (FIVE,), 304, b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", False),
        (GET, ((b"etag", b'"a"'),), 304, b'HTTP/1.1 304 Not Modified\r\netag: "a"\r\n\r\n', False),
        (
            GET + b"Connection: te, Close\r\n",
            (FIVE,),
            200,
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nConnection: close\r\n\r\nhello",
            True,
        ),
        (b"GET / HTTP/1.0\r\n", (), 200, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", True),
        (
            b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n",
            (FIVE,),
            200,
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nConnection: keep-alive\r\n\r\nhello",
            False,
        ),
        (
            b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n",
            (),
            200,
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
            True,
        ),
    ],
)
def test_answers(wire: bytes, fields: tuple[Field, ...], status: int, answer: bytes, ends: bool) -> None:
    assert answered(wire + b"\r\n", *fields, status=status) == (answer, ends)


@pytest.mark.parametrize(
    "field",
    [
        (b"x", b"a\r\nset-cookie: b"),
        (b"x", b"a\nb"),
        (b"x", b"a\rb"),
        (b"x", b"a\x00b"),
        (b"x", b"a\x7fb"),
        (b"x: y\r\nz", b"a"),
        (b"x ", b"a"),
        (b"", b"a"),
        (b"content-length", b"+5"),
        (b"content-length", b"5, 5"),
        (b"transfer-encoding", b"chunked"),
        (b"Connection", b"close"),
    ],
)
def test_no_field_can_split_an_answer_or_say_where_it_ends(field: Field) -> None:
    machine = machine_with(GET + b"\r\n")
    with pytest.raises(ValueError, match="answer"):
        machine.respond(200, [field])
    assert machine.outgoing() == b""
    machine.respond(500, [(b"content-length", b"0")])
    machine.finish()
    assert machine.outgoing() == b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"


def test_a_body_is_as_long_as_it_says() -> None:
    machine = machine_with(GET + b"\r\n")
    with pytest.raises(ValueError, match="length"):
        machine.respond(200, [FIVE, FIVE])
    machine.respond(200, [FIVE])
    machine.write(b"hel")
    with pytest.raises(ValueError, match="shorter"):
        machine.finish()
    with pytest.raises(ValueError, match="longer"):
        machine.write(b"lo!")
    machine.write(b"lo")
    machine.finish()
    assert machine.outgoing().endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize("status", [100, 101, 199, 600, 0])
def test_only_final_answers_are_given(status: int) -> None:
    with pytest.raises(ValueError, match="status"):
        machine_with(GET + b"\r\n").respond(status, [])


def test_a_request_is_answered_once() -> None:
    machine = machine_with(GET + b"\r\n")
    with pytest.raises(RuntimeError):
        machine.write(b"a")
    machine.respond(200, [])
    with pytest.raises(RuntimeError):
        machine.respond(200, [])
    machine.finish()
    for again in (machine.finish, lambda: machine.respond(200, [])):
        with pytest.raises(RuntimeError):
            again()


def test_a_body_that_nobody_read_ends_the_connection() -> None:
    for read, ends in ((1, True), (2, True), (3, False)):
        machine = ServerMachine()
        machine.receive(PUT + b"Content-Length: 5\r\n\r\nhello" + GET + b"\r\n")
        for _ in range(read):
            machine.next_event()
        machine.respond(401, [(b"content-length", b"0")])
        machine.finish()
        # Whoever took the last piece has read the request to its end.
        assert machine.ends is (ends and read == 1)
        assert isinstance(machine.next_event(), RequestHead) is not machine.ends
    machine = ServerMachine()
    machine.receive(PUT + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    machine.next_event()
    machine.respond(401, [(b"content-length", b"0")])
    machine.finish()
    machine.receive(b"0\r\n\r\n" + GET + b"\r\n")
    assert machine.ends and machine.next_event() is None


def test_a_client_that_waits_is_told_once_to_go_on() -> None:
    machine = ServerMachine()
    machine.receive(PUT + b"Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n")
    head = machine.next_event()
    assert isinstance(head, RequestHead) and head.expects_continue
    machine.proceed()
    machine.proceed()
    assert machine.outgoing() == b"HTTP/1.1 100 Continue\r\n\r\n"
    machine.receive(b"hello")
    assert machine.next_event() is not None and machine.next_event() == RequestEnd()


@pytest.mark.parametrize(
    ("wire", "expects"),
    [
        (PUT + b"Expect: 100-continue\r\n\r\n", False),
        (PUT + b"Content-Length: 5\r\n\r\n", False),
        (b"PUT / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", False),
        (PUT + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nh", True),
    ],
)
def test_who_does_not_wait_is_told_nothing(wire: bytes, expects: bool) -> None:
    machine = ServerMachine()
    machine.receive(wire)
    head = machine.next_event()
    assert isinstance(head, RequestHead) and head.expects_continue is expects
    machine.proceed()
    assert machine.outgoing() == b""


def test_who_is_answered_at_once_is_not_told_to_go_on() -> None:
    machine = ServerMachine()
    machine.receive(PUT + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    machine.next_event()
    machine.respond(413, [(b"content-length", b"0")])
    machine.proceed()
    machine.finish()
    assert machine.outgoing().startswith(b"HTTP/1.1 413 ") and machine.ends


def test_a_malformed_request_is_answered_and_the_connection_ends() -> None:
    machine = ServerMachine()
    machine.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert machine.next_event() == Malformed(HTTPStatus.BAD_REQUEST) and machine.next_event() is None
    machine.respond(400, [])
    machine.write(b"no")
    machine.finish()
    assert machine.outgoing() == b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nno" and machine.ends


def test_a_head_that_has_begun_is_told() -> None:
    machine = ServerMachine()
    assert not machine.is_reading_head
    machine.receive(b"G")
    assert machine.next_event() is None and machine.is_reading_head
    machine.receive(GET[1:] + b"\r\n")
    assert machine.is_reading_head and machine.next_event() is not None and not machine.is_reading_head
