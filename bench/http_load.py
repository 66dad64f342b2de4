"""Asks for a small page again and again: `python -m bench.http_load PORT PATH CONNECTIONS COUNT TLS|CLEAR [USER:PASSWORD]`.

With a COUNT of 0 the connections are made, ask once, and stand until standard input ends. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import sys
import time
from typing import cast

import uvloop


class Client(asyncio.Protocol):
    """One connection, which asks anew as soon as it has its answer."""

    def __init__(self, request: bytes, count: int) -> None:
        self.request, self.left = request, count
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.seen += data
        if not self.seen.endswith(b"As you like it.\n"):
            return
        if not self.seen.startswith(b"HTTP/1.1 200 "):
            self.ended.set_exception(RuntimeError(repr(self.seen[:200])))
            return
        self.seen = b""
        self.left -= 1
        if self.left > 0:
            self.transport.write(self.request)
        elif not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or RuntimeError("the connection was closed"))


async def main() -> None:
    port, path, connections, count, seal, *credentials = sys.argv[1:]
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n"
    if credentials:
        request += f"Authorization: Basic {base64.b64encode(credentials[0].encode()).decode()}\r\n"
    tls = None
    if seal == "TLS":
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    loop = asyncio.get_running_loop()
    each = max(1, int(count) // int(connections))
    clients = []
    for start in range(0, int(connections), 50):
        places = range(start, min(start + 50, int(connections)))
        made = [
            loop.create_connection(lambda: Client((request + "\r\n").encode(), 1), "127.0.0.1", int(port), ssl=tls)
            for _ in places
        ]
        clients += [client for _, client in await asyncio.gather(*made)]
        await asyncio.gather(*(client.ended for client in clients[start:]))
    began = time.monotonic()
    if int(count):
        for client in clients:
            client.left, client.ended = each, loop.create_future()
            client.transport.write(client.request)
        await asyncio.gather(*(client.ended for client in clients))
        print(json.dumps({"operations": each * len(clients), "seconds": time.monotonic() - began}), flush=True)
    else:
        print(json.dumps({"operations": len(clients), "seconds": 1.0}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
