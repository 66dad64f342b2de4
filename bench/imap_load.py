"""Times IMAP operations over TLS: the same client, byte for byte, for every server.

    python -m bench.imap_load PORT USER PASSWORD OPERATION COUNT [--folder NAME]

Operations: login-select, select, flags, envelopes, sort, bodies, body-each, store-each, append-each, search-subject,
search-text, idle.
Prints one JSON object: operations, seconds (and for idle, that all connections stand).
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import sys
import time


class Client:
    """One IMAP connection on implicit TLS. Answers are read to the tagged line and thrown away, but for the last."""

    def __init__(self, port: int) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", port), timeout=600)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(plain)
        self.number = 0
        self._until(b"\r\n")

    def _until(self, end: bytes) -> bytes:
        tail = b""
        while True:
            data = self.sock.recv(1 << 18)
            if not data:
                raise RuntimeError("connection lost: " + tail.decode(errors="replace"))
            tail = tail[-4096:] + data
            if tail.endswith(b"\r\n") and (end == b"\r\n" or _last_line(tail).startswith(end)):
                return tail

    def command(self, line: bytes, literal: bytes | None = None) -> bytes:
        self.number += 1
        tag = b"T%d " % self.number
        self.sock.sendall(tag + line + b"\r\n" + (literal + b"\r\n" if literal is not None else b""))
        answer = self._until(tag)
        last = _last_line(answer)
        if not last.startswith(tag + b"OK"):
            raise RuntimeError(last.decode(errors="replace"))
        return answer

    def login(self, user: str, password: str) -> None:
        self.command(f'LOGIN "{user}" "{password}"'.encode())


def _last_line(data: bytes) -> bytes:
    before = data.rfind(b"\r\n", 0, len(data) - 2)
    return data[before + 2 :] if before >= 0 else data


MESSAGE = (
    b"From: a@example.test\r\nTo: b@example.test\r\nSubject: appended\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n"
    b"Message-ID: <appended@example.test>\r\n\r\n" + b"A line of an appended message.\r\n" * 120
)


def measure(operation: str, count: int, port: int, user: str, password: str, folder: str) -> dict[str, float]:
    select = b'SELECT "%s"' % folder.encode()
    if operation == "login-select":
        clients = [Client(port) for _ in range(count)]
        begin = time.perf_counter()
        for client in clients:
            client.login(user, password)
            client.command(select)
        return {"operations": count, "seconds": time.perf_counter() - begin}
    if operation == "idle":
        clients = [Client(port) for _ in range(count)]
        for client in clients:
            client.login(user, password)
            client.command(select)
            client.sock.sendall(b"I IDLE\r\n")
            client._until(b"+")
        print(json.dumps({"operations": count, "seconds": 0.0}), flush=True)
        sys.stdin.read()
        return {}
    client = Client(port)
    client.login(user, password)
    client.command(select)
    lines: list[tuple[bytes, bytes | None]]
    each = range(1, count + 1)
    match operation:
        case "flags":
            lines = [(b"FETCH 1:%d (UID FLAGS)" % count, None)]
        case "select":
            lines = [(select, None)] * count
        case "sort":
            lines = [(b"UID SORT (REVERSE ARRIVAL) UTF-8 ALL", None)] * count
        case "envelopes":
            lines = [(b"FETCH 1:%d (ENVELOPE)" % count, None)]
        case "bodies":
            lines = [(b"FETCH 1:%d (BODY.PEEK[])" % count, None)]
        case "body-each":
            lines = [(b"FETCH %d (BODY.PEEK[])" % i, None) for i in each]
        case "store-each":
            client.command(b"STORE 1:%d -FLAGS.SILENT (\\Flagged)" % count)  # a flag that is set already costs less
            lines = [(b"STORE %d +FLAGS.SILENT (\\Flagged)" % i, None) for i in each]
        case "append-each":
            lines = [(b'APPEND "%s" {%d+}' % (folder.encode(), len(MESSAGE)), MESSAGE)] * count
        case "search-subject":
            lines = [(b'SEARCH SUBJECT "message 77"', None)] * count
        case "search-text":
            lines = [(b"SEARCH CHARSET UTF-8 TEXT {9+}", "안녕하".encode())] * count
        case _:
            raise SystemExit(f"no operation {operation}")
    begin = time.perf_counter()
    for line, literal in lines:
        client.command(line, literal)
    return {"operations": count, "seconds": time.perf_counter() - begin}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("operation")
    parser.add_argument("count", type=int)
    parser.add_argument("--folder", default="INBOX")
    given = parser.parse_args()
    result = measure(given.operation, given.count, given.port, given.user, given.password, given.folder)
    if result:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
