"""Streaming subscriptions of Exchange Web Services: `python -m bench.ews_streams [STREAMS]` (200).

They belong to ten users of a whole organization of ours: TLS, a logon, RPC and PostgreSQL. Prints the memory of all processes for
each waiting connection, what of it the connection alone takes, the CPU of the organization while nothing happens, and the time
from a message that is put into each inbox until the last of the streams has told of it.
"""

from __future__ import annotations

import json
import ssl
import sys
import tempfile
import time
from http.client import HTTPResponse
from imaplib import IMAP4_SSL
from pathlib import Path

from bench import accounting
from bench.ews_load import Client
from bench.ours import OFFSET, organization
from bench.peers import PASSWORD

USERS = [f"user{number}@example.test" for number in range(10)]
QUIET = 20.0
"""Seconds for which the organization is watched while nothing happens."""
PER_ADDRESS = 20
"""Connections of one source address: a process works on 64 requests of one at a time."""


def connection(number: int) -> Client:
    """One connection of a user."""
    user = USERS[number % len(USERS)]
    return Client(OFFSET + 443, f"{user}:{PASSWORD}", f"127.0.0.{2 + number // PER_ADDRESS}")


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp") as temporary:
        folder = Path(temporary)
        folder.chmod(0o711)
        with organization(folder / "ours", USERS) as ours:
            print(json.dumps(_measured(count, ours.roots)))
    return 0


def _measured(count: int, roots: list[int]) -> dict[str, float]:
    first = [connection(number) for number in range(4 * len(USERS))]  # what a process does once is done
    begun = [each.stream(each.subscribe()) for each in first]
    time.sleep(2)
    empty = accounting.pss_bytes(roots)
    connections = [connection(number) for number in range(count)]
    ids = [each.subscribe() for each in connections]
    connected = accounting.pss_bytes(roots)
    half = 0
    streams = []
    for number, (each, subscription) in enumerate(zip(connections, ids, strict=True)):
        if number == count // 2:
            half = accounting.pss_bytes(roots)
        streams.append(each.stream(subscription))
    waiting = accounting.pss_bytes(roots)
    began = accounting.cpu_seconds(roots)
    time.sleep(QUIET)
    quiet = accounting.cpu_seconds(roots) - began
    mailboxes = [_logged_on(user) for user in USERS]
    began, started = accounting.cpu_seconds(roots), time.perf_counter()
    for mailbox in mailboxes:
        mailbox.append("INBOX", "", "", b"Subject: x\r\n\r\n")
    for stream in streams:
        _wait_for(stream, b"NewMailEvent")
    del begun, first  # they have waited, too
    return {
        "KB of each": round((waiting - empty) / count / 1e3, 1),
        "KB of its connection and subscription": round((connected - empty) / count / 1e3, 1),
        "KB of the waiting, in the first half": round((half - connected) / (count // 2) / 1e3, 1),
        "KB of the waiting, in the second half": round((waiting - half) / (count - count // 2) / 1e3, 1),
        "CPU-seconds a minute, quiet": round(quiet * 60 / QUIET, 2),
        "seconds until all have told": round(time.perf_counter() - started, 3),
        "CPU-seconds of telling": round(accounting.cpu_seconds(roots) - began, 2),
    }


def _wait_for(stream: HTTPResponse, mark: bytes) -> None:
    data = b""
    while mark not in data:
        piece = stream.read1(65_536)
        if not piece:
            raise RuntimeError(data[-1_000:])
        data += piece


def _logged_on(user: str) -> IMAP4_SSL:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    mailbox = IMAP4_SSL("127.0.0.1", OFFSET + 993, ssl_context=tls)
    mailbox.login(user, PASSWORD)
    return mailbox


if __name__ == "__main__":
    sys.exit(main())
