"""Durable intake against Postfix, and intake until readable over IMAP against Postfix with Dovecot's LMTP.

Postfix discards what it has taken; Postern delivers meanwhile into a mailbox, as it always does: the comparison is not in its
favour.
"""

from __future__ import annotations

import itertools
import time

from bench.compare import Figure, Sample, compare, load, sample
from bench.imap_load import Client
from bench.peers import PASSWORD, Peer

ALICE = "alice@example.test"


def intake(ours: Peer, postfix: Peer) -> list[Figure]:
    figures = []
    for size, tls, connections in itertools.product((4096, 102_400), (False, True), (1, 10, 50)):
        count = {1: 300, 10: 2000, 50: 2000}[connections] if size == 4096 else {1: 100, 10: 400, 50: 400}[connections]
        arguments = (connections, count, size, ALICE, *(["--tls"] if tls else []))
        name = f"intake {size // 1024} KB, {connections} connections{', TLS' if tls else ''}"

        def run(peer: Peer, arguments: tuple[object, ...] = arguments) -> Sample:
            return sample(peer.roots, lambda: load("bench.smtp_load", peer.ports["smtp"], *arguments))

        aim = 4.0 if (size, tls, connections) == (4096, False, 10) else 0.0
        settle(ours)
        figures.append(compare(name, lambda: run(ours), lambda: run(postfix), "Postfix", aim))
        settle(ours)
    return figures


def settle(ours: Peer, quiet: float = 0.5, limit: float = 60.0) -> None:
    """Waits until what was taken is delivered: the number of messages in the inbox stands still."""
    client = _reader(ours)
    last, since, end = -1, time.monotonic(), time.monotonic() + limit
    while time.monotonic() < end:
        count = _count(client)
        if count != last:
            last, since = count, time.monotonic()
        elif time.monotonic() - since > quiet:
            return
        time.sleep(0.05)


def readable(ours: Peer, postfix: Peer, dovecot: Peer) -> list[Figure]:
    figures = []
    for connections, count in ((1, 200), (10, 1500), (50, 1500)):

        def run(taker: Peer, reader: Peer, count: int = count, connections: int = connections) -> Sample:
            client = _reader(reader)
            before = _count(client)

            def until_readable() -> dict[str, float]:
                begin = time.perf_counter()
                load("bench.smtp_load", taker.ports["smtp"], connections, count, 4096, ALICE)
                while _count(client) < before + count:
                    time.sleep(0.005)
                return {"messages": count, "seconds": time.perf_counter() - begin}

            return sample(list({*taker.roots, *reader.roots}), until_readable)

        figures.append(
            compare(
                f"until readable 4 KB, {connections} connections",
                lambda run=run: run(ours, ours),
                lambda run=run: run(postfix, dovecot),
                "Postfix+Dovecot",
                5.0 if connections == 10 else 0.0,
            )
        )
    return figures


def _reader(peer: Peer) -> Client:
    client = Client(peer.ports["imaps"])
    client.login(ALICE, PASSWORD)
    return client


def _count(client: Client) -> int:
    answer = client.command(b"STATUS INBOX (MESSAGES)")
    return int(answer.partition(b"MESSAGES ")[2].split(b")")[0])
