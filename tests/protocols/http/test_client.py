"""The client's side of one exchange: answers however they are framed and cut, and what is none."""

from __future__ import annotations

import pytest

from postern.protocols.http.client import MAX_ANSWER, ClientMachine, NoResponse, Response

OK = b"HTTP/1.1 200 OK\r\n"


def answered(wire: bytes, step: int = 0, ends: bool = True) -> Response | NoResponse | None:
    machine = ClientMachine("GET", "/x", "a.test")
    for at in range(0, len(wire), step or len(wire) or 1):
        machine.receive(wire[at : at + (step or len(wire))])
    if ends:
        machine.ended()
    return machine.next_event()


def test_requests_name_their_host_and_end_the_connection() -> None:
    machine = ClientMachine("POST", "/x?y", "a.test:8443", [(b"Accept", b"text/plain")], b"body")
    assert machine.outgoing() == (
        b"POST /x?y HTTP/1.1\r\nHost: a.test:8443\r\nConnection: close\r\nAccept: text/plain\r\nContent-Length: 4\r\n\r\nbody"
    )
    assert machine.outgoing() == b""
    assert b"Content-Length" not in ClientMachine("GET", "/", "a.test").outgoing()
    assert b"Content-Length: 0" in ClientMachine("POST", "/", "a.test").outgoing()


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize(
    ("framed", "ends"),
    [
        (b"Content-Length: 5\r\n\r\nhello", False),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", False),
        (b"\r\nhello", True),
        (b"Content-Length: 5\r\n\r\nhello and more that nobody asked for", False),
    ],
)
def test_an_answer_is_whole_by_its_length_its_last_chunk_or_its_end(framed: bytes, ends: bool, step: int) -> None:
    answer = answered(OK + b"A: b\r\n" + framed, step, ends)
    assert isinstance(answer, Response)
    assert (answer.status, answer.body, answer.field(b"a"), answer.field(b"c")) == (200, b"hello", b"b", b"")


def test_what_comes_behind_the_answer_changes_nothing() -> None:
    for step in (0, 1, 9):
        for more in (b"HTTP/1.1 2P", b"HTTP/1.1 500 Odd\r\nC: d\r\n\r\nx", b"HTTP/1.1 100 Continue\r\n\r\n"):
            answer = answered(b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n" + more, step)
            assert answer == Response(204, ((b"a", b"b"),), b"")


def test_informational_answers_are_passed_over() -> None:
    answer = answered(b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 204 No Content\r\nC: d\r\n\r\n", ends=False)
    assert isinstance(answer, Response) and answer.status == 204 and answer.fields == ((b"c", b"d"),)


def test_a_caller_may_take_longer_answers() -> None:
    wire = OK + b"\r\n" + b"x" * MAX_ANSWER
    machine = ClientMachine("GET", "/x", "a.test", most=len(wire))
    machine.receive(wire)
    machine.ended()
    answer = machine.next_event()
    assert isinstance(answer, Response) and len(answer.body) == MAX_ANSWER
    machine = ClientMachine("GET", "/x", "a.test", most=len(wire) - 1)
    machine.receive(wire)
    assert machine.next_event() == NoResponse(f"sent more than {len(wire) - 1} octets")


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (b"", "ended the connection before"),
        (OK, "ended the connection before"),
        (OK + b"Content-Length: 5\r\n\r\nhell", "ended the connection before"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "ended the connection before"),
        (b"220 mail.example.test ESMTP\r\n", "no answer of HTTP"),
        (OK + b"A b\r\n\r\n", "no answer of HTTP"),
        (OK + b"A: b\r\n" * 200 + b"\r\n", "more than 128 fields"),
        (OK + b"\r\n" + b"x" * MAX_ANSWER, "more than 262144 octets"),
    ],
)
def test_what_is_no_whole_answer_is_said(wire: bytes, why: str) -> None:
    answer = answered(wire)
    assert isinstance(answer, NoResponse) and why in answer.why
