"""A constant load of mail, and the account of it: what was acknowledged, what was put off, what was refused, what arrived."""

from __future__ import annotations

import contextlib
import imaplib
import itertools
import json
import random
import re
import smtplib
import ssl
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tests.journeys.traveller import until
from tests.organization import PASSWORD, Organization

PACE = 0.03
"""Seconds between two messages of one sender: four senders give 100 messages a second at most."""
BODY = b"Every acknowledged message arrives, once or twice, never zero times.\r\n"
LARGE = 300_000
"""Bytes; more than the hub keeps in memory while it takes a message."""
PEOPLE = ("alice@example.test", "bob@example.test")
_MESSAGE_ID = re.compile(rb"<[^>]+>")


class Load:
    """Strangers on 25, in clear text and over TLS, and a client on 587. `with Load(...)` sends until the end of the block."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.acknowledged: dict[str, tuple[str, ...]] = {}
        """Message-IDs that were answered 250, and for whom."""
        self.put_off: Counter[int] = Counter()
        """4xx, by number."""
        self.refused: list[str] = []
        """5xx: each is a defect."""
        self.cut_short = 0
        """Conversations that a dying process ended: what became of their message is for its sender to find out."""
        self._mark = uuid.uuid4().hex[:8]
        self._numbers = itertools.count()
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._send_always, args=arguments, daemon=True)
            for arguments in ((25, False), (25, False), (25, True), (587, True))
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.more(20)
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(60)

    def more(self, count: int) -> None:
        """Returns once so many further messages are acknowledged: mail is taken."""
        wanted = len(self.acknowledged) + count
        until(lambda: len(self.acknowledged) >= wanted, f"{count} further messages: {self.account()}", 45)

    def account(self) -> str:
        return (
            f"{len(self.acknowledged)} acknowledged, {self.put_off.total()} put off {dict(self.put_off)}, "
            f"{len(self.refused)} refused, {self.cut_short} cut short"
        )

    # Sending

    def _send_always(self, port: int, tls: bool) -> None:
        while not self._end.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.organization.port(port), timeout=40) as smtp:
                    self._converse(smtp, tls, login=port == 587)
            except smtplib.SMTPResponseException as error:
                self._answered(error.smtp_code, f"{error.smtp_error!r}")
                time.sleep(0.2)
            except (OSError, smtplib.SMTPServerDisconnected):
                self.cut_short += 1
                time.sleep(0.1)

    def _converse(self, smtp: smtplib.SMTP, tls: bool, login: bool) -> None:
        smtp.ehlo("load.test")
        if tls:
            smtp.starttls(context=ssl.create_default_context(cafile=str(self.organization.authority)))
            smtp.ehlo("load.test")
        if login:
            smtp.login(PEOPLE[0], PASSWORD)
        for _ in range(50):
            if self._end.is_set():
                return
            self._send(smtp, PEOPLE[0] if login else "stranger@elsewhere.test")
            time.sleep(PACE)

    def _send(self, smtp: smtplib.SMTP, sender: str) -> None:
        number = next(self._numbers)
        message_id = f"<{self._mark}.{number}@load.test>"
        recipients = (PEOPLE[:1], PEOPLE[1:], PEOPLE)[number % 3]
        size = LARGE if number % 200 == 77 else random.randrange(200, 9000)
        head = f"From: {sender}\r\nTo: {', '.join(recipients)}\r\nSubject: {number}\r\nMessage-ID: {message_id}\r\n\r\n"
        answers = self._answers(smtp, sender, recipients, head.encode() + BODY * (size // len(BODY)))
        for code, text in answers:
            self._answered(code, f"{text!r}")
        if answers[-1][0] != 250:
            smtp.rset()
        else:
            self.acknowledged[message_id] = recipients

    def _answers(
        self, smtp: smtplib.SMTP, sender: str, recipients: Sequence[str], content: bytes
    ) -> list[tuple[int, bytes]]:
        """Up to the first that is not 250."""
        answers = [smtp.mail(sender)]
        for recipient in recipients:
            if answers[-1][0] != 250:
                return answers
            answers.append(smtp.rcpt(recipient))
        return [*answers, smtp.data(content)] if answers[-1][0] == 250 else answers

    def _answered(self, code: int, text: str) -> None:
        if 400 <= code < 500:
            self.put_off[code] += 1
        elif code >= 500:
            self.refused.append(f"{code} {text}")

    # Arriving

    def waiting(self) -> list[dict[str, Any]]:
        """What is in the queues."""
        return json.loads(self.organization.command("queue", "list", "--json").stdout)

    def check(self, patience: float = 90.0) -> str:
        """After the end: every acknowledged message is in its mailboxes. Returns the account with the duplicates."""
        assert not self.refused, self.refused[:5]
        want = {(person, one) for one, people in self.acknowledged.items() for person in people}
        found: Counter[tuple[str, str]] = Counter()
        seen = dict.fromkeys(PEOPLE, 0)

        def look() -> bool:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                for person in PEOPLE:
                    for uid, message_id in _received(self.organization, person, seen[person]):
                        seen[person] = uid
                        found[person, message_id] += 1
            return want <= found.keys()

        begin = time.monotonic()
        with contextlib.suppress(AssertionError):
            until(look, "all of it", patience)
        missing = want - found.keys()
        assert not missing, f"{len(missing)} of {len(want)} are not there: {sorted(missing)[:5]}; {self.waiting()[-5:]}"
        took = time.monotonic() - begin
        until(lambda: not self.waiting(), "empty queues", 30)
        look()
        twice = sum(count - 1 for key, count in found.items() if key in want)
        return f"{self.account()}; {len(want)} deliveries, all there after {took:.1f} s, {twice} of them twice"


def _received(organization: Organization, person: str, after: int) -> Iterator[tuple[int, str]]:
    """UID and Message-ID of INBOX's messages above the UID `after`, in order."""
    context = ssl.create_default_context(cafile=str(organization.authority))
    with imaplib.IMAP4_SSL("127.0.0.1", organization.port(993), ssl_context=context, timeout=30) as imap:
        imap.login(person, PASSWORD)
        imap.select("INBOX", readonly=True)
        _, rows = imap.uid("FETCH", f"{after + 1}:*", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        for row in rows:
            if isinstance(row, tuple) and (message_id := _MESSAGE_ID.search(row[1])):
                uid = int(re.search(rb"UID (\d+)", row[0])[1])
                if uid > after:
                    yield uid, message_id[0].decode()
