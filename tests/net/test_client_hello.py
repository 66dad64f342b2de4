"""The host name in a ClientHello, as OpenSSL writes it, whole and in pieces."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from postern.net.client_hello import MAX_HELLO, MAX_RECORDS, indicated_name, server_name
from tests.net.client_hellos import extension, hello, hello_of, records

NAME = "certificate.example.test"
LOOPS = [asyncio.run, uvloop.run]
Runs = Callable[[Coroutine[Any, Any, None]], None]


def test_the_name_is_what_openssl_was_told() -> None:
    assert server_name(hello_of(NAME)) == NAME
    assert server_name(hello_of(NAME.upper())) == NAME
    assert server_name(hello_of(None)) == server_name(hello_of("127.0.0.1")) == ""


def test_each_piece_of_a_hello_tells_how_much_is_missing() -> None:
    whole = hello_of(NAME)
    for size in range(len(whole)):
        needed = server_name(whole[:size])
        assert isinstance(needed, int) and size < needed <= len(whole)
    assert server_name(whole + b"GET / HTTP/1.1") == NAME, "what comes behind is not looked at"


def test_a_hello_may_be_spread_over_a_few_records() -> None:
    message = hello_of(NAME)[5:]
    spread = records(message, len(message) // (MAX_RECORDS - 1))
    assert server_name(spread) == NAME
    seen, asked = 0, 0
    while isinstance(needed := server_name(spread[:seen]), int):
        assert needed > seen
        seen, asked = needed, asked + 1
    assert needed == NAME and asked <= 2 * MAX_RECORDS
    assert server_name(records(message, 16)) == "", "nobody needs so many"


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x00",
        records(b"\x02" + bytes(60), 64),
        b"\x16\x03\x01\xff\xff" + bytes(MAX_HELLO + 5),
        records(hello(b"\x00\x00\xff\xff"), 4096),
        records(hello(extension(0, b"")), 4096),
        records(hello(extension(0, b"\x00\x04\x01\x00\x01a")), 4096),
        records(hello(extension(0, b"\x00\x04\x00\x00\x01\xff")), 4096),
        records(hello(extension(0, b"\x00\x05\x00\x00\x04abc")), 4096),
        records(b"\x01\x00\x00\x02\x03\x03", 4096),
    ],
)
def test_all_else_has_no_name(octets: bytes) -> None:
    assert server_name(octets) == ""


@pytest.mark.parametrize("run", LOOPS)
def test_nothing_is_taken_from_the_socket(run: Runs) -> None:
    async def steps() -> None:
        here, there = _pair()
        whole = hello_of(NAME)
        there.send(whole[:1])
        task = asyncio.create_task(indicated_name(here))
        await asyncio.sleep(0)
        there.send(whole[1:50])
        there.send(whole[50:] + b"more")
        assert await task == NAME
        assert here.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1
        assert here.recv(65_536) == whole + b"more"
        here.close()
        there.close()

    run(steps())


@pytest.mark.parametrize("run", LOOPS)
@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
def test_a_client_that_leaves_has_no_name(run: Runs, sent: bytes) -> None:
    async def steps() -> None:
        here, there = _pair()
        there.send(sent)
        there.close()
        assert await indicated_name(here) == ""
        here.close()

    run(steps())


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a connection of TCP: other sockets know no lowest number of octets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = socket.create_connection(listening.getsockname())
        here, _ = listening.accept()
    here.setblocking(False)
    return here, there
