"""One question by UDP: its answer, silence, a closed port, and strangers' datagrams."""

from __future__ import annotations

import asyncio
import dataclasses
import socket

import pytest

from postern.net.datagram import ask
from postern.paths.row import Port, Wire
from postern.paths.table import TABLE


def row_on(number: int):
    port = Port(number, Wire.UDP, label="ldap")
    return dataclasses.replace(TABLE["hub-to-ad"], ports=(port,)), port


class Echo(asyncio.DatagramProtocol):
    """Answers backwards; a stranger's socket speaks first."""

    def __init__(self) -> None:
        self.stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.stranger.sendto(b"mine", address)
        if data != b"silence":
            self.transport.sendto(data[::-1], address)


def test_the_answer_is_the_asked_ones() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        transport, echo = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        row, port = row_on(transport.get_extra_info("sockname")[1])
        try:
            answers = await asyncio.gather(*(ask(row, port, "127.0.0.1", b"%d" % n, 2.0) for n in range(100, 120)))
            assert answers == [str(n).encode()[::-1] for n in range(100, 120)]
            with pytest.raises(TimeoutError):
                await ask(row, port, "127.0.0.1", b"silence", 0.1)
        finally:
            transport.close()
            echo.stranger.close()

    asyncio.run(run())


def test_a_closed_port_says_so_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        row, port = row_on(probe.getsockname()[1])
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(ask(row, port, "127.0.0.1", b"x", 30.0))


def test_only_for_a_port_of_the_row() -> None:
    row = TABLE["hub-to-ad"]
    for port in (Port(123, Wire.UDP), row.port("ldap", Wire.TCP)):
        with pytest.raises(ValueError):
            asyncio.run(ask(row, port, "127.0.0.1", b"x", 1.0))
