"""Streaming subscriptions of Exchange Web Services: `python -m bench.ews_streams [STREAMS]` (200).

They belong to ten users of a whole organization of ours: TLS, a logon, RPC and PostgreSQL. Prints the memory of all processes for
each waiting connection, what of it the connection alone takes, the CPU of the organization while nothing happens, and the time
from a message that is put into each inbox until the last of the streams has told of it.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import sys
import tempfile
import time
from imaplib import IMAP4_SSL
from pathlib import Path

from bench import accounting
from bench.ews_load import MESSAGES, TYPES
from bench.ours import OFFSET, organization
from bench.peers import PASSWORD

USERS = [f"user{number}@example.test" for number in range(10)]
QUIET = 20.0
"""Seconds for which the organization is watched while nothing happens."""
PER_ADDRESS = 20
"""Connections of one source address: a process works on 64 requests of one at a time."""
SUBSCRIBE = (
    '<m:Subscribe><m:StreamingSubscriptionRequest SubscribeToAllFolders="true"><t:EventTypes>'
    "<t:EventType>NewMailEvent</t:EventType></t:EventTypes></m:StreamingSubscriptionRequest></m:Subscribe>"
)
STREAM = (
    "<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>{}</t:SubscriptionId></m:SubscriptionIds>"
    "<m:ConnectionTimeout>30</m:ConnectionTimeout></m:GetStreamingEvents>"
)


class Connection:
    """One connection of a user."""

    def __init__(self, number: int) -> None:
        self._user = USERS[number % len(USERS)]
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        source = (f"127.0.0.{2 + number // PER_ADDRESS}", 0)
        self._socket = tls.wrap_socket(
            socket.create_connection(("127.0.0.1", OFFSET + 443), 30, source), server_hostname="localhost"
        )

    def ask(self, body: str) -> None:
        document = (
            f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}">'
            f'<s:Header><t:RequestServerVersion Version="Exchange2013"/></s:Header><s:Body>{body}</s:Body></s:Envelope>'
        ).encode()
        basic = base64.b64encode(f"{self._user}:{PASSWORD}".encode()).decode()
        self._socket.sendall(
            f"POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n"
            f"Content-Type: text/xml; charset=utf-8\r\nContent-Length: {len(document)}\r\n\r\n".encode()
            + document
        )

    def until(self, mark: bytes) -> bytes:
        data = b""
        while mark not in data:
            piece = self._socket.recv(65_536)
            if not piece or b'ResponseClass="Error"' in data:
                raise RuntimeError(data[-1_000:])
            data += piece
        return data


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp") as temporary:
        folder = Path(temporary)
        folder.chmod(0o711)
        with organization(folder / "ours", USERS) as ours:
            print(json.dumps(_measured(count, ours.roots)))
    return 0


def _measured(count: int, roots: list[int]) -> dict[str, float]:
    first = [Connection(number) for number in range(4 * len(USERS))]  # what a process does once is done
    for connection in first:
        connection.ask(STREAM.format(_subscribed(connection)))
        connection.until(b"ConnectionStatus")
    time.sleep(2)
    empty = accounting.pss_bytes(roots)
    connections, ids = [], []
    for number in range(count):
        connections.append(Connection(number))
        ids.append(_subscribed(connections[-1]))
    connected = accounting.pss_bytes(roots)
    half = 0
    for number, (connection, subscription) in enumerate(zip(connections, ids, strict=True)):
        if number == count // 2:
            half = accounting.pss_bytes(roots)
        connection.ask(STREAM.format(subscription))
        connection.until(b"ConnectionStatus")
    waiting = accounting.pss_bytes(roots)
    began = accounting.cpu_seconds(roots)
    time.sleep(QUIET)
    quiet = accounting.cpu_seconds(roots) - began
    mailboxes = [_logged_on(user) for user in USERS]
    began, started = accounting.cpu_seconds(roots), time.perf_counter()
    for mailbox in mailboxes:
        mailbox.append("INBOX", "", "", b"Subject: x\r\n\r\n")
    for connection in connections:
        connection.until(b"NewMailEvent")
    return {
        "KB of each": round((waiting - empty) / count / 1e3, 1),
        "KB of its connection and subscription": round((connected - empty) / count / 1e3, 1),
        "KB of the waiting, in the first half": round((half - connected) / (count // 2) / 1e3, 1),
        "KB of the waiting, in the second half": round((waiting - half) / (count - count // 2) / 1e3, 1),
        "CPU-seconds a minute, quiet": round(quiet * 60 / QUIET, 2),
        "seconds until all have told": round(time.perf_counter() - started, 3),
        "CPU-seconds of telling": round(accounting.cpu_seconds(roots) - began, 2),
    }


def _subscribed(connection: Connection) -> str:
    connection.ask(SUBSCRIBE)
    match = re.search(rb"<m:SubscriptionId>([^<]+)<", connection.until(b"</s:Envelope>"))
    assert match is not None
    return match[1].decode()


def _logged_on(user: str) -> IMAP4_SSL:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    mailbox = IMAP4_SSL("127.0.0.1", OFFSET + 993, ssl_context=tls)
    mailbox.login(user, PASSWORD)
    return mailbox


if __name__ == "__main__":
    sys.exit(main())
