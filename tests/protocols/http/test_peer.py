"""The machine beside a peer that others wrote (h11): both find the same requests in the same octets, and it reads our answers."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.http.events import BodyPiece, RequestEnd, RequestHead
from postern.protocols.http.server import ServerMachine
from tests.protocols.http.test_server import CHUNKED, HOST, LINE, WIRES, events_of

Request = tuple[str, str, bytes]
"""A method, a target in origin form ("" for another one), and the body."""


def requests_of(wire: bytes) -> list[Request]:
    """The whole requests that our machine finds."""
    requests: list[Request] = []
    method, target, body = "", b"", b""
    for event in events_of(wire):
        if isinstance(event, RequestHead):
            method, target, body = event.method, event.target, b""
        elif isinstance(event, BodyPiece):
            body += event.data
        elif isinstance(event, RequestEnd):
            requests.append((method, target.decode(), body))
    return requests


def requests_of_peer(wire: bytes) -> list[Request]:
    """The whole requests that h11 finds, up to the first that it refuses."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    if wire:  # nothing would be the end of the connection
        connection.receive_data(wire)
    requests: list[Request] = []
    method, target, body = "", b"", b""
    try:
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Request):
                method, target, body = event.method.decode(), event.target, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                requests.append((method, target.decode(), body))
                connection.send(h11.Response(status_code=204, headers=[]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    break
                connection.start_next_cycle()
    except h11.RemoteProtocolError:
        pass
    return requests


def compare(wire: bytes) -> None:
    """Raises AssertionError if both take these octets for requests, but for different ones."""
    for ours, theirs in zip(requests_of(wire), requests_of_peer(wire), strict=False):
        assert ours[0] == theirs[0] and ours[2] == theirs[2]
        assert ours[1] == theirs[1] or not theirs[1].startswith("/")


@pytest.mark.parametrize(
    ("wire", "count"),
    [
        ((LINE + HOST + b"\r\n") * 3, 3),
        (b"PUT /a HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello" + LINE + HOST + b"\r\n", 2),
        (CHUNKED + b"5;x\r\nhello\r\n0\r\nA: b\r\n\r\n" + LINE + HOST + b"Connection: close\r\n\r\n" + LINE, 2),
        (b"GET http://other.test/a HTTP/1.1\r\n" + HOST + b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\n" + CHUNKED, 1),
    ],
)
def test_both_find_the_same_requests(wire: bytes, count: int) -> None:
    compare(wire)
    assert len(requests_of(wire)) == len(requests_of_peer(wire)) == count


@given(WIRES)
def test_both_find_the_same_requests_in_whatever_comes(wire: bytes) -> None:
    compare(wire)


@given(
    st.sampled_from(["GET", "HEAD", "POST", "PROPFIND"]),
    st.sampled_from([200, 204, 207, 304, 404, 500, 599]),
    st.lists(st.binary(max_size=200), max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_the_peer_reads_our_answers(method: str, status: int, pieces: list[bytes], tells: bool, old: bool) -> None:
    client = h11.Connection(h11.CLIENT)
    request = h11.Request(method=method, target="/", headers=[("Host", "server1.example.test")])
    machine = ServerMachine()
    wire = (client.send(request) or b"") + (client.send(h11.EndOfMessage()) or b"")
    machine.receive(wire.replace(b"HTTP/1.1", b"HTTP/1.0") if old else wire)
    assert isinstance(machine.next_event(), RequestHead) and machine.next_event() == RequestEnd()
    fields = [(b"x-answer", "é".encode())]
    if tells:
        fields.append((b"content-length", b"%d" % sum(map(len, pieces))))
    machine.respond(status, fields)
    for piece in pieces:
        machine.write(piece)
    machine.finish()
    client.receive_data(machine.outgoing())
    if machine.ends:
        client.receive_data(b"")
    answer = client.next_event()
    assert isinstance(answer, h11.Response) and answer.status_code == status
    assert (b"x-answer", "é".encode()) in answer.headers
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert body == (b"" if method == "HEAD" or status in (204, 304) else b"".join(pieces))
    assert machine.ends == (client.their_state in (h11.MUST_CLOSE, h11.CLOSED))
