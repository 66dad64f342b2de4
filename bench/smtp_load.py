"""Sends messages and times them: the same load for every server.

    python -m bench.smtp_load PORT CONNECTIONS MESSAGES BYTES RECIPIENT [--tls]

Each connection greets once (and says STARTTLS with --tls, untimed), then sends its share, waiting for every answer: what a
server's clients do. It shares the machine with the server, so it is a bare protocol that looks only at the reply codes.
Prints one JSON object: messages, seconds, and cpu, the seconds of processor that sending took here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import ssl
import time
from collections.abc import Iterator
from typing import cast

import uvloop


def message(size: int, number: int, recipient: str) -> bytes:
    """A plain message of about `size` bytes, dot-stuffed by construction (no line begins with a dot)."""
    head = (
        f"From: Load <load@stranger.invalid>\r\nTo: <{recipient}>\r\nSubject: load {number}\r\n"
        f"Message-ID: <{time.time_ns()}.{number}@stranger.invalid>\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode()
    line = b"The quick brown fox jumps over the lazy dog and the queue stays calm.\r\n"
    return head + line * max(1, (size - len(head)) // len(line))


class Sender(asyncio.Protocol):
    """One connection. Each complete reply lets the next of `steps` go out; `done` is set when none is left."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._steps: Iterator[bytes] = iter(())
        self._reply = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        reply = self._reply + data
        if not reply.endswith(b"\r\n") or reply[reply.rfind(b"\n", 0, -1) + 4 :][:1] == b"-":
            self._reply = reply
            return
        self._reply = b""
        if reply[:1] not in (b"2", b"3"):
            self._fail(RuntimeError(reply.decode(errors="replace")))
            return
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("the server closed the connection"))

    def send(self, steps: Iterator[bytes], greeted: bool = True) -> asyncio.Future[None]:
        """Begins; with `greeted` False the server speaks first."""
        self._steps = steps
        self.done = asyncio.get_running_loop().create_future()
        if greeted:
            self._next()
        return self.done

    async def start_tls(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        assert self._transport is not None
        self._transport = await asyncio.get_running_loop().start_tls(self._transport, self, context)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.write(b"QUIT\r\n")
        self._transport.close()

    def _next(self) -> None:
        assert self._transport is not None
        step = next(self._steps, None)
        if step is not None:
            self._transport.write(step)
        elif not self.done.done():
            self.done.set_result(None)

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


async def _connect(port: int, tls: bool) -> Sender:
    sender = Sender()
    greeted = sender.send(iter([b"EHLO load.invalid\r\n"]), greeted=False)
    await asyncio.get_running_loop().create_connection(lambda: sender, "127.0.0.1", port)
    await greeted
    if tls:
        await sender.send(iter([b"STARTTLS\r\n"]))
        await sender.start_tls()
        await sender.send(iter([b"EHLO load.invalid\r\n"]))
    return sender


def _steps(recipient: str, bodies: list[bytes]) -> Iterator[bytes]:
    rcpt = b"RCPT TO:<%s>\r\n" % recipient.encode()
    for body in bodies:
        yield b"MAIL FROM:<load@stranger.invalid>\r\n"
        yield rcpt
        yield b"DATA\r\n"
        yield body


async def run(port: int, connections: int, messages: int, size: int, recipient: str, tls: bool) -> dict[str, float]:
    share = max(1, messages // connections)
    bodies = [[message(size, c * share + i, recipient) + b".\r\n" for i in range(share)] for c in range(connections)]
    senders = [await _connect(port, tls) for _ in range(connections)]
    begin, cpu = time.perf_counter(), _cpu()
    await asyncio.gather(*(s.send(_steps(recipient, b)) for s, b in zip(senders, bodies, strict=True)))
    seconds, cpu = time.perf_counter() - begin, _cpu() - cpu
    for sender in senders:
        sender.close()
    return {"messages": share * connections, "seconds": seconds, "cpu": cpu}


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("messages", type=int)
    parser.add_argument("size", type=int)
    parser.add_argument("recipient")
    parser.add_argument("--tls", action="store_true")
    given = parser.parse_args()
    result = uvloop.run(run(given.port, given.connections, given.messages, given.size, given.recipient, given.tls))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
