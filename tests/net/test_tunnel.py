"""Octets through a tunnel: a handshake first, then a library's descriptor; large amounts, slow ends, ends that go."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from postern.net.tunnel import Tunnel, tunnel
from postern.paths.row import Port
from postern.paths.table import TABLE

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connected(handler: Handler) -> AsyncIterator[Tunnel]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    port = Port(server.sockets[0].getsockname()[1], label="ldap")
    made = await tunnel(dataclasses.replace(TABLE["hub-to-ad"], ports=(port,)), port, "127.0.0.1")
    try:
        yield made
    finally:
        made.close()
        server.close()


def flipped(data: bytes) -> bytes:
    return bytes(octet ^ 0x55 for octet in data)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readexactly(5))
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def through(fd: int, data: bytes) -> bytes:
    """Sends all, and reads as much."""
    loop = asyncio.get_running_loop()
    with socket.socket(fileno=fd) as sock:
        sending = asyncio.create_task(loop.sock_sendall(sock, data))
        got = bytearray()
        while len(got) < len(data):
            piece = await loop.sock_recv(sock, 65536)
            assert piece, "ended early"
            got += piece
        await sending
    return bytes(got)


def test_a_handshake_then_octets_as_they_are_sealed() -> None:
    async def run() -> None:
        async with connected(echo) as made:
            made.send(b"hello")
            assert await made.receive() == b"hello"
            assert made.address == "127.0.0.1"
            data = bytes(range(256)) * 20_000
            assert await through(await made.start(flipped, flipped), data) == data

    asyncio.run(run())


def test_what_came_early_is_not_lost() -> None:
    async def speaks_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(flipped(b"early"))
        await reader.read()
        writer.close()

    async def run() -> None:
        async with connected(speaks_first) as made:
            while not made._outside._early:  # noqa: ASYNC110 (nothing tells of octets that nobody waits for)
                await asyncio.sleep(0)
            with socket.socket(fileno=await made.start(flipped, flipped)) as sock:
                assert await asyncio.get_running_loop().sock_recv(sock, 100) == b"early"

    asyncio.run(run())


@pytest.mark.parametrize("started", [False, True])
def test_an_end_that_goes_ends_both(started: bool) -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async def run() -> None:
        async with connected(hangs_up) as made:
            if not started:
                made.send(b"x")
                with pytest.raises(ConnectionError):
                    await made.receive()
                return
            with socket.socket(fileno=await made.start(flipped, flipped)) as sock:
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(sock, b"x")
                assert await asyncio.wait_for(loop.sock_recv(sock, 100), 5) == b""

    asyncio.run(run())


def test_a_library_that_closes_ends_the_connection() -> None:
    ended = asyncio.Event()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            pass
        ended.set()
        writer.close()

    async def run() -> None:
        async with connected(waits) as made:
            socket.socket(fileno=await made.start(flipped, flipped)).close()
            await asyncio.wait_for(ended.wait(), 5)

    asyncio.run(run())


def test_what_cannot_be_unsealed_ends_the_connection() -> None:
    def broken(data: bytes) -> bytes:
        raise ValueError("altered")

    async def run() -> None:
        async with connected(echo) as made:
            loop = asyncio.get_running_loop()
            with socket.socket(fileno=await made.start(flipped, broken)) as sock:
                await loop.sock_sendall(sock, b"12345")
                assert await asyncio.wait_for(loop.sock_recv(sock, 100), 5) == b""

    asyncio.run(run())


def test_only_for_a_port_of_the_row() -> None:
    with pytest.raises(ValueError):
        asyncio.run(tunnel(TABLE["hub-to-ad"], Port(390), "127.0.0.1"))
