"""Sends one question by UDP and returns its answer, for a row that has a UDP port.

The protocol knows what both mean. An answer counts only if it comes from the address and port that were asked.
"""

from __future__ import annotations

import asyncio

from postern.paths.row import Path, Port, Wire


class _Question(asyncio.DatagramProtocol):
    def __init__(self, answer: asyncio.Future[bytes]) -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)


async def ask(row: Path, port: Port, host: str, data: bytes, timeout: float) -> bytes:
    """Sends one datagram to `host` (an address literal) on `port` of `row`, and returns the first that comes back. The port
    belongs to another program and is not shifted. Raises OSError, TimeoutError, and ValueError where the row has no such port."""
    if port not in row.ports or port.wire is not Wire.UDP or port.number is None:
        raise ValueError(f"{row.id} has no port {port}")
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    # Connected (RFC 1122 section 4.1.3.5): the kernel drops what others send, and reports a closed port.
    transport, _ = await loop.create_datagram_endpoint(lambda: _Question(answer), remote_addr=(host, port.number))
    try:
        transport.sendto(data)
        async with asyncio.timeout(timeout):
            return await answer
    finally:
        transport.close()
        if answer.done() and not answer.cancelled():
            answer.exception()  # marks it as retrieved: the caller may have gone
