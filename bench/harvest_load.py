"""Strangers who ask an edge for recipients: harvesters by the hundred, or one honest sender who measures how long it takes.

    python -m bench.harvest_load harvest PORT CONNECTIONS SECONDS PIPELINED
    python -m bench.harvest_load honest PORT SECONDS PAUSE RECIPIENT

A harvester greets once and then asks for one unknown address after the other, so many at once (RFC 2920 allows it). The honest
one sends a message of 4 KB, waits PAUSE seconds, and so on. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import resource
import secrets
import statistics
import sys
import time
from functools import partial
from typing import cast

import uvloop

from bench.smtp_load import Sender, message


class Harvester(asyncio.Protocol):
    """`answers` counts 550 5.1.1; whatever else is said after the greeting is counted in `others`."""

    def __init__(self, pipelined: int) -> None:
        self._pipelined = pipelined
        self._waiting = 0
        self._steps = [b"EHLO harvest.invalid\r\n", b"MAIL FROM:<>\r\n"]
        self.answers = 0
        self.others = 0
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def data_received(self, data: bytes) -> None:
        if self._waiting:
            unknown = data.count(b"550 5.1.1")
            lines = data.count(b"\r\n")
            self.answers += unknown
            self.others += lines - unknown
            self._waiting -= lines
        elif data[-2:] != b"\r\n" or data[data.rfind(b"\n", 0, -1) + 4 :][:1] == b"-":
            return
        if self._steps:
            self.transport.write(self._steps.pop(0))
        elif self._waiting <= 0:
            self._waiting = self._pipelined
            unique = secrets.token_hex(6)
            names = (b"RCPT TO:<%s%d@example.test>\r\n" % (unique.encode(), n) for n in range(self._pipelined))
            self.transport.write(b"".join(names))


def _itself(harvester: Harvester) -> Harvester:
    return harvester


async def harvest(port: int, connections: int, seconds: float, pipelined: int) -> dict[str, float]:
    loop, harvesters = asyncio.get_running_loop(), []
    for number in range(connections):
        harvester = Harvester(pipelined)
        # Each from an address of its own: who counts by address sees as many callers.
        source = f"127.1.{number // 250}.{number % 250 + 1}"
        await loop.create_connection(partial(_itself, harvester), "127.0.0.1", port, local_addr=(source, 0))
        harvesters.append(harvester)
    before, begin = sum(h.answers for h in harvesters), time.perf_counter()
    await asyncio.sleep(seconds)
    count, elapsed = sum(h.answers for h in harvesters) - before, time.perf_counter() - begin
    usage = resource.getrusage(resource.RUSAGE_SELF)
    for harvester in harvesters:
        harvester.transport.abort()
    return {
        "operations": count,
        "seconds": elapsed,
        "lost": sum(h.lost for h in harvesters),
        "others": sum(h.others for h in harvesters),
        "cpu": usage.ru_utime + usage.ru_stime,
    }


async def honest(port: int, seconds: float, pause: float, recipient: str) -> dict[str, float]:
    sender = Sender()
    greeted = sender.send(iter([b"EHLO honest.invalid\r\n"]), greeted=False)
    await asyncio.get_running_loop().create_connection(lambda: sender, "127.0.0.1", port)
    await greeted
    times, begin = [], time.perf_counter()
    while time.perf_counter() - begin < seconds:
        body = message(4096, len(times), recipient)
        start = time.perf_counter()
        envelope = [b"MAIL FROM:<load@stranger.invalid>\r\n", b"RCPT TO:<%s>\r\n" % recipient.encode(), b"DATA\r\n"]
        await sender.send(iter([*envelope, body + b".\r\n"]))
        times.append(time.perf_counter() - start)
        await asyncio.sleep(pause)
    elapsed = time.perf_counter() - begin
    sender.close()
    return {
        "messages": len(times),
        "seconds": elapsed,
        "median": statistics.median(times),
        "p99": sorted(times)[int(len(times) * 0.99)],
    }


def main() -> None:
    kind, *words = sys.argv[1:]
    if kind == "harvest":
        work = harvest(int(words[0]), int(words[1]), float(words[2]), int(words[3]))
    else:
        work = honest(int(words[0]), float(words[1]), float(words[2]), words[3])
    print(json.dumps(uvloop.run(work)))


if __name__ == "__main__":
    main()
