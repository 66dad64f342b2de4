"""A flood of hostile mails and a user's poison, beside people who log on and servers that say hello: what becomes of each, and
how long the others waited.

`python -m tests.journeys.hostile [MAILS [SECONDS]]` runs it once and prints the times; after SECONDS it waits no longer for what
has not arrived.
"""

from __future__ import annotations

import contextlib
import imaplib
import json
import re
import smtplib
import socket
import ssl
import statistics
import sys
import threading
import time
from base64 import encodebytes
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests import organization
from tests.organization import PASSWORD, Organization

SIZE = 1_000_000
FLOODERS = 3
PATIENCE = 30.0
"""Seconds that a client waits for an answer."""
_FAILURES = (OSError, imaplib.IMAP4.error, smtplib.SMTPException)
VICTIM, AUTHOR, OTHER = "alice@example.test", "mallory@example.test", "bob@example.test"
BEHIND = "<behind@poison.test>"
_HEAD = "From: a@elsewhere.test\r\nTo: alice@example.test\r\n"


def _much(piece: str, size: int) -> bytes:
    """So many octets of a piece, on one line."""
    octets = piece.encode()
    return octets * (size // len(octets))


def _text(piece: str) -> bytes:
    """A megabyte of a piece without a line's end, which would break its run, in base64."""
    return b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encodebytes(
        _much(piece, SIZE)
    )


def _multipart(body: bytes) -> bytes:
    return b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n' + body + b"--b--\r\n"


def _nested(depth: int) -> bytes:
    opened = (b'--%d\r\nContent-Type: multipart/mixed; boundary="%d"\r\n\r\n' % (n, n + 1) for n in range(depth))
    return b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="0"\r\n\r\n' + b"".join(opened)


MAILS: dict[str, Callable[[], bytes]] = {
    "combining marks": lambda: _text("\u0300\u0316"),
    "marks in the subject": lambda: b"Subject: " + _much("\u0300\u0316", 60_000) + b"\r\n\r\ntext\r\n",
    "U+FDFA": lambda: _text("\ufdfa"),
    "uuencode": lambda: b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\r\n" + b"M\r\n" * (SIZE // 3),
    "parameters": lambda: b"Content-Type: text/plain" + _much("; ", 60_000) + b"\r\n\r\ntext\r\n",
    "parameters of a part": lambda: _multipart(
        b"--b\r\nContent-Type: text/plain" + _much("; ", SIZE) + b"\r\n\r\ntext\r\n"
    ),
    "nested multiparts": lambda: _nested(15_000),
    "parts": lambda: _multipart(b"--b\r\n\r\nx\r\n" * (SIZE // 10)),
    "DKIM tag of blanks": lambda: b"DKIM-Signature: v=1; a" + _much(" ", 31_000) + b"\r\n\r\ntext\r\n",
    "Sender of blanks": lambda: b"Sender: <" + _much(" ", 3000) + b"\r\n\r\ntext\r\n",
    "nested comments": lambda: b"Cc: " + _much("(", 50_000) + b"\r\n\r\ntext\r\n",
    "references": lambda: b"References: " + _much("<a", 60_000) + b"\r\n\r\ntext\r\n",
    "encoded words": lambda: b"Subject: " + _much("=?utf-8?Q?=", 60_000) + b"\r\n\r\n" + _much("=?=", SIZE),
    "quoted-printable": lambda: b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + _much("= \t", SIZE),
    "HTML": lambda: b"Content-Type: text/html\r\n\r\n" + _much("<!--<a ", SIZE),
}
"""Each kind that once stopped a worker, and their siblings: what follows the other fields."""

POISON = (
    b"From: mallory@example.test\r\nTo: alice@example.test\r\nSender: <"
    + _much(" ", 3000)
    + b"\r\nSubject: 1\r\n\r\ntext\r\n",
    b"From: mallory@example.test\r\nTo: " + _much("(", 5000) + b" alice@example.test\r\nSubject: 2\r\n\r\ntext\r\n",
)
"""What lies in the author's Outbox before the message that is to leave."""


@dataclass
class Waits:
    """Seconds that somebody waited for something; `failed` tells of what never came."""

    name: str
    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.seconds:
            return f"{self.name}: none"
        last = statistics.quantiles(self.seconds, n=20)[-1] if len(self.seconds) > 1 else self.seconds[0]
        middle, longest = statistics.median(self.seconds), max(self.seconds)
        failed = f"; {len(self.failed)} failed, {self.failed[0]}" if self.failed else ""
        return f"{self.name}: {len(self.seconds)}, median {middle:.3f} s, 95 % {last:.3f} s, longest {longest:.3f} s{failed}"


class Flood:
    """`with Flood(here, mails):` sends them all, and everybody else goes on until the end of the block."""

    def __init__(self, here: Organization, mails: int) -> None:
        self.here = here
        self.answers: dict[str, int] = {}
        """The code that each mail was answered with, by its Message-ID; 0 where the connection broke."""
        self.log_ins, self.greetings, self.turns = Waits("log-ins"), Waits("greetings"), Waits("turns (NOOP)")
        self._end = threading.Event()
        kinds = list(MAILS)
        self._left = iter([(number, kinds[number % len(kinds)]) for number in range(mails)])
        self._taking = threading.Lock()
        self._flooders = [threading.Thread(target=self._flood, daemon=True) for _ in range(FLOODERS)]
        measures = ((self.log_ins, self._log_in), (self.greetings, self._greet))
        self._others = [threading.Thread(target=self._measure, args=pair, daemon=True) for pair in measures]
        # The kernel spreads connections over the workers: with several, each worker has one.
        self._others += [
            threading.Thread(target=self._turn, args=(port,), daemon=True) for port in (25, 993) for _ in range(4)
        ]

    def __enter__(self) -> Flood:
        with self._imap(AUTHOR) as imap:
            for message in (*POISON, _behind()):
                imap.append("Outbox", "", "", message)
        for thread in (*self._others, *self._flooders):
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        for thread in (*self._flooders, *self._others):
            thread.join(2 * PATIENCE)

    @contextlib.contextmanager
    def _imap(self, user: str) -> Iterator[imaplib.IMAP4_SSL]:
        context = ssl.create_default_context(cafile=str(self.here.authority))
        with imaplib.IMAP4_SSL("127.0.0.1", self.here.port(993), ssl_context=context, timeout=PATIENCE) as imap:
            imap.login(user, PASSWORD)
            yield imap

    def _flood(self) -> None:
        while True:
            with self._taking:
                number, kind = next(self._left, (0, ""))
            if not kind or self._end.is_set():
                return
            message_id = f"<{number}.hostile@elsewhere.test>"
            content = f"Message-ID: {message_id}\r\n{_HEAD}".encode() + MAILS[kind]()
            self.answers[message_id] = 0
            with contextlib.suppress(*_FAILURES):
                self.answers[message_id] = _sent(self.here.port(25), content)

    def _measure(self, waits: Waits, once: Callable[[], None]) -> None:
        while not self._end.is_set():
            begun = time.monotonic()
            try:
                once()
            except _FAILURES as error:
                waits.failed.append(repr(error))
            waits.seconds.append(time.monotonic() - begun)
            self._end.wait(0.05)

    def _log_in(self) -> None:
        with self._imap(OTHER):
            pass

    def _greet(self) -> None:
        with smtplib.SMTP("127.0.0.1", self.here.port(25), timeout=PATIENCE) as smtp:
            smtp.ehlo("friend.test")

    def _turn(self, port: int) -> None:
        """A connection on which nothing is to be done: the answer comes with the event loop's next turn."""
        try:
            self._ask(port)
        except _FAILURES as error:
            self.turns.failed.append(repr(error))

    def _ask(self, port: int) -> None:
        if port == 25:
            with smtplib.SMTP("127.0.0.1", self.here.port(25), timeout=PATIENCE) as smtp:
                self._measure(self.turns, lambda: _must(smtp.noop()[0] == 250))
        else:
            with self._imap(OTHER) as imap:
                self._measure(self.turns, lambda: _must(imap.noop()[0] == "OK"))

    # What became of them

    def account(self) -> str:
        return "\n".join(
            (
                f"{len(self.answers)} hostile mails: {dict(Counter(self.answers.values()))}",
                *map(str, (self.log_ins, self.greetings, self.turns)),
            )
        )

    def events(self) -> dict[str, int]:
        """What the supervisor had to do."""
        file = self.here.state / "logs" / "supervisor.jsonl"
        return dict(
            Counter(json.loads(line)["event"] for line in file.read_text().splitlines()) if file.exists() else {}
        )

    def stored(self, user: str, folder: str) -> list[str]:
        """Message-IDs of a folder, without that of what has none."""
        with self._imap(user) as imap:
            imap.select(folder, readonly=True)
            _, rows = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])") if _exists(imap) else ("", [])
        found = (re.search(rb"<[^>]+>", row[1]) for row in rows if isinstance(row, tuple))
        return [one[0].decode() for one in found if one]

    def count(self, user: str, folder: str) -> int:
        with self._imap(user) as imap:
            _, rows = imap.select(folder, readonly=True)
            return int(rows[0])

    def waiting(self) -> list[dict[str, object]]:
        return json.loads(self.here.command("queue", "list", "--json").stdout)

    def settled(self) -> bool:
        """Everything was answered, and nothing is under way any more."""
        sent = not any(thread.is_alive() for thread in self._flooders)
        return sent and not self.count(AUTHOR, "Outbox") and not self.waiting()

    def wait(self, patience: float) -> bool:
        """Whether it settled within so many seconds. It is looked at now and then only: looking is work too."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            with contextlib.suppress(*_FAILURES):
                if self.settled():
                    return True
            self._end.wait(1.0)
        return False


def _must(true: bool) -> None:
    if not true:
        raise OSError("another answer")


def _exists(imap: imaplib.IMAP4) -> bool:
    return imap.response("EXISTS")[1] != [b"0"]


def _behind() -> bytes:
    return f"From: {AUTHOR}\r\nTo: {VICTIM}\r\nMessage-ID: {BEHIND}\r\nSubject: behind\r\n\r\ntext\r\n".encode()


def _sent(port: int, content: bytes) -> int:
    """What a stranger's mail was answered with. smtplib's own way of sending would itself be slow on such lines."""
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as smtp:
        smtp.ehlo("elsewhere.test")
        smtp.mail("a@elsewhere.test", ["BODY=8BITMIME"])
        code, _ = smtp.rcpt(VICTIM)
        if code == 250 and smtp.docmd("DATA")[0] == 354:
            assert isinstance(smtp.sock, socket.socket)
            smtp.sock.sendall(content + b"\r\n.\r\n")
            code, _ = smtp.getreply()
        return code


def main() -> int:
    with organization.with_users(VICTIM, AUTHOR, OTHER) as here:
        flood = Flood(here, int(sys.argv[1]) if len(sys.argv) > 1 else 2 * len(MAILS))
        begun = time.monotonic()
        with flood:
            settled = flood.wait(float(sys.argv[2]) if len(sys.argv) > 2 else 60.0)
        print(f"{time.monotonic() - begun:.1f} s, {'settled' if settled else 'not settled'}\n{flood.account()}")
        print(
            f"{len(flood.waiting())} still in the queue, {flood.count(AUTHOR, 'Outbox')} in the outbox; {flood.events()}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
