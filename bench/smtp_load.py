"""Sends messages and times them: the same load for every server.

    python -m bench.smtp_load PORT CONNECTIONS MESSAGES BYTES RECIPIENT [--tls] [--offset N]

Each connection greets once (and says STARTTLS with --tls, untimed), then sends its share, waiting for every answer: what a
server's clients do. Prints one JSON object: messages, seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import time

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


async def _connect(port: int, tls: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    await _answer(reader)
    writer.write(b"EHLO load.invalid\r\n")
    await _answer(reader)
    if tls:
        writer.write(b"STARTTLS\r\n")
        await _answer(reader)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        await writer.start_tls(context)
        writer.write(b"EHLO load.invalid\r\n")
        await _answer(reader)
    return reader, writer


async def _answer(reader: asyncio.StreamReader) -> None:
    while True:
        line = await reader.readuntil(b"\n")
        if line[3:4] != b"-":
            if line[:1] not in (b"2", b"3"):
                raise RuntimeError(line.decode(errors="replace"))
            return


async def _send(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recipient: str, bodies: list[bytes]
) -> None:
    for body in bodies:
        for command in (
            b"MAIL FROM:<load@stranger.invalid>\r\n",
            b"RCPT TO:<%s>\r\n" % recipient.encode(),
            b"DATA\r\n",
        ):
            writer.write(command)
            await _answer(reader)
        writer.write(body + b".\r\n")
        await _answer(reader)


async def run(port: int, connections: int, messages: int, size: int, recipient: str, tls: bool) -> dict[str, float]:
    share = max(1, messages // connections)
    bodies = [[message(size, c * share + i, recipient) for i in range(share)] for c in range(connections)]
    streams = [await _connect(port, tls) for _ in range(connections)]
    begin = time.perf_counter()
    await asyncio.gather(*(_send(r, w, recipient, b) for (r, w), b in zip(streams, bodies, strict=True)))
    seconds = time.perf_counter() - begin
    for _, writer in streams:
        writer.write(b"QUIT\r\n")
        writer.close()
    return {"messages": share * connections, "seconds": seconds}


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
