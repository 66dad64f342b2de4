"""The messages of the IMAP benches: deterministic, a third of them Korean, a tenth multipart. Also seeds a folder.

    python -m bench.corpus PORT USER PASSWORD FOLDER COUNT

appends COUNT messages by MULTIAPPEND (RFC 3502), a hundred at a time.
"""

from __future__ import annotations

import base64
import random
import sys
from collections.abc import Iterator

from bench.imap_load import Client

WORDS = [
    *("alpha", "bravo", "castle", "delta", "gate", "harbour", "island", "journey"),
    *("keel", "lantern", "meadow", "night", "orchard", "postern", "quiet", "river"),
]
KOREAN = [
    *("안녕하세요", "회의", "일정", "보고서", "첨부", "파일", "확인", "부탁드립니다"),
    *("감사합니다", "오늘", "내일", "검토", "승인", "서버", "메일", "우편"),
]


def messages(count: int, seed: int = 7) -> Iterator[bytes]:
    """About 2 KB each, CRLF line ends."""
    dice = random.Random(seed)
    for number in range(count):
        korean = number % 3 == 0
        words = KOREAN if korean else WORDS
        text = "\r\n".join(" ".join(dice.choices(words, k=9)) for _ in range(24))
        subject = f"message {number} " + " ".join(dice.choices(words, k=4))
        encoded = "=?UTF-8?B?" + base64.b64encode(subject.encode()).decode() + "?=" if korean else subject
        head = (
            f"Return-Path: <s{number % 97}@example.test>\r\n"
            f"Received: from h{number % 13}.example.test by mx.example.test; Mon, 23 Nov 2026 12:00:00 +0000\r\n"
            f"From: Sender {number % 97} <s{number % 97}@example.test>\r\nTo: Alice <alice@example.test>\r\n"
            f"Subject: {encoded}\r\nDate: Mon, {1 + number % 28} Nov 2026 {number % 24:02}:{number % 60:02}:00 +0000\r\n"
            f"Message-ID: <{number}.{seed}@example.test>\r\nMIME-Version: 1.0\r\n"
        )
        body = base64.encodebytes(text.encode()).decode().replace("\n", "\r\n")
        part = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}"
        if number % 10 == 0:
            part = (
                'Content-Type: multipart/mixed; boundary="=b"\r\n\r\n--=b\r\n'
                + part
                + "\r\n--=b\r\nContent-Type: application/octet-stream; name=a.bin\r\n"
                + 'Content-Disposition: attachment; filename="a.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
                + base64.encodebytes(dice.randbytes(600)).decode().replace("\n", "\r\n")
                + "--=b--\r\n"
            )
        yield (head + part).encode()


def seed(port: int, user: str, password: str, folder: str, count: int) -> None:
    client = Client(port)
    client.login(user, password)
    if folder != "INBOX":
        client.command(b'CREATE "%s"' % folder.encode())
    batch: list[bytes] = []
    for message in messages(count):
        batch.append(message)
        if len(batch) == 100:
            _append(client, folder, batch)
            batch = []
    if batch:
        _append(client, folder, batch)


def _append(client: Client, folder: str, batch: list[bytes]) -> None:
    line = b'APPEND "%s"' % folder.encode()
    parts = [line]
    for message in batch:
        parts.append(b" {%d+}\r\n" % len(message))
        parts.append(message)
    client.command(b"".join(parts))


if __name__ == "__main__":
    seed(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
