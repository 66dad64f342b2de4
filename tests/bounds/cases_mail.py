"""Worst cases of what reads mails on their way: transport, services, store, and what a terminal shows of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from postern.cli import terminal
from postern.model.delivery import Delivery
from postern.model.mailbox import MailboxError
from postern.protocols.authentication.header import Field
from postern.services.mailbox import authorship, outbox
from postern.services.smtp import data as smtp_data
from postern.store import delivery, rendered, search, threads
from postern.transport import submission
from postern.transport.agents import sender_policy
from tests.bounds.growth import Cases, Work, finished, pieces

ANNA = submission.Submitter("anna@good.test", frozenset({"anna@good.test"}))
_OURS = b"Received: from x by h (Postern) with ESMTPSA;\r\n"


def _fixed(header: bytes) -> Work:
    return partial(submission.fix_header, header + b"\r\n", ANNA, 0.0, "unique", "good.test")


def _named_recipients(header: bytes) -> Work:
    return partial(submission.recipients, header + b"\r\n", "good.test")


def _gathered(size: int, content: bytes) -> Work:
    def work() -> None:
        gathering = smtp_data.Gathering(Path("/nonexistent"), 1 << 23)
        for piece in pieces(content * (size // len(content)), 1000):
            gathering.add(piece)
        gathering.split()

    return work


def _named(size: int) -> Work:
    gathering = smtp_data.Gathering(Path("/nonexistent"), size)
    for piece in pieces(b"x" * size, 1):
        gathering.add(piece)
    return gathering.key


def _needle(text: str) -> Work:
    def work() -> None:
        with suppress(MailboxError):
            search._folded(text)

    return work


def _subjects(size: int) -> Work:
    messages = [threads.Message(n, n % 7, b"m%d" % n, (b"x",), b"s", bool(n % 2)) for n in range(size // 64)]
    return partial(threads.ordered_subject, messages)


def _threaded(references: Callable[[int, int], bytes], step: int = 1) -> Callable[[int], Work]:
    """THREAD=REFERENCES of many messages: what number n of so many refers to. `step` -1: the last message comes first."""

    def build(size: int) -> Work:
        count = size // 32
        messages = [
            threads.Message(n + 1, n, b"%d" % n, tuple(references(n, count).split()), b"", False)
            for n in range(count)[::step]
        ]
        return partial(threads.references, messages)

    return build


def _below_the_end(n: int, count: int) -> bytes:
    """A third is a chain; of the others every second has a child already when it is told to be below the chain's end."""
    if n < count // 3:
        return b"%d" % (n - 1)
    return b"%d" % (n + 1) if (n - count // 3) % 2 == 0 else b"%d" % (count // 3 - 1)


CASES: Cases = {
    "cli.terminal.visible": lambda size: partial(terminal.visible, "\u202e\x1b" * (size // 4)),
    "cli.terminal.one_line": lambda size: partial(terminal.one_line, "\n\x1b" * (size // 2)),
    "services.mailbox.authorship.proven_author": lambda size: partial(
        authorship.proven_author, b"From: a@b.test\r\n" + _OURS * (size // len(_OURS)) + b"\r\n", {"h"}
    ),
    "services.mailbox.authorship.is_denied": lambda size: partial(
        authorship.is_denied, _OURS * (size // len(_OURS)) + b"\r\n", "a@b.test", {"h"}
    ),
    "services.mailbox.authorship.proven_author: comments": lambda size: partial(
        authorship.proven_author, _OURS + b"From: " + b"(" * size + b"\r\n\r\n", {"h"}
    ),
    "services.mailbox.outbox._bare_subject": lambda size: partial(outbox._bare_subject, b"subject" * (size // 7)),
    "services.smtp.data.refused_header": lambda size: partial(
        smtp_data.refused_header, b"received:a\n" * 1999 + b"a" * size, 1 << 20
    ),
    "services.smtp.data.Gathering: a header without an end": lambda size: _gathered(size, b"a:b\r\n"),
    "services.smtp.data.Gathering.key": _named,
    "services.smtp.data.Gathering: no field": lambda size: _gathered(size, b"From "),
    "store.delivery.with_return_path": lambda size: partial(
        delivery.with_return_path, Delivery("d", b"return-path:\n" * (size // 13), (), "a@b.test")
    ),
    # Up to 64 KB are rendered at once, so the larger input is some messages.
    "store.rendered.Batch.of": lambda size: (
        lambda: [finished(rendered.Batch.of([b"\r\n" + b"<a" * (1 << 14)])) for _ in range(size >> 15)]
    ),
    "store.search._folded: marks": lambda size: _needle("\u0300\u0316" * (size // 4)),
    "store.search._folded: ligatures": lambda size: _needle("\ufdfa" * min(size // 3, 8192)),
    "store.threads.ordered_subject": _subjects,
    "store.threads.references: a chain": _threaded(lambda n, count: b"%d" % (n - 1)),
    "store.threads.references: a chain from its end": _threaded(lambda n, count: b"%d %d" % (n - 2, n - 1), -1),
    "store.threads.references: all want a chain in a circle": _threaded(
        lambda n, count: b"%d" % (n - 1) if 0 < n < count // 2 else b"%d 0" % (count // 2 - 1) if n else b""
    ),
    "store.threads.references: trees below the end of a chain": _threaded(_below_the_end),
    "store.threads.references: a row of missing messages, each with a child": _threaded(
        lambda n, count: b"x%d x%d" % (n - 1, n)
    ),
    "store.threads.references: children of the last of a row of missing messages": _threaded(
        lambda n, count: b"x%d x%d" % (n - 1, n) if n < count // 2 else b"x%d" % (count // 2 - 1)
    ),
    "store.threads.references: one message refers to all": lambda size: partial(
        threads.references,
        [threads.Message(1, 1, b"m", tuple(b"%d" % n for n in range(size // 8)), b"", False)],
    ),
    "transport.submission.fix_header: blanks behind <": lambda size: _fixed(b"From: <" + b" " * size),
    "transport.submission.fix_header: comments": lambda size: _fixed(b"From: " + b"(" * size),
    "transport.submission.fix_header: quotes": lambda size: _fixed(b"Sender: " + b'"\\' * (size // 2)),
    "transport.submission.fix_header: fields": lambda size: _fixed(b"a:b\r\n" * (size // 5)),
    "transport.submission.fix_header: addresses": lambda size: _fixed(
        b"Resent-From: " + b"anna@good.test," * (size // 15)
    ),
    "transport.agents.sender_policy.is_nobodys": lambda size: partial(
        sender_policy.is_nobodys, "", [Field("from", b"From: " + b"=?utf-8?q?a?= " * (size // 14))]
    ),
    "transport.submission.recipients: names alone": lambda size: _named_recipients(b"To: " + b"b," * (size // 2)),
    "transport.submission.recipients: groups": lambda size: _named_recipients(b"To: " + b"b:c;" * (size // 4)),
    "transport.submission.recipients: comments": lambda size: _named_recipients(b"To: b" + b"(" * size),
    "transport.submission.recipients: words": lambda size: _named_recipients(b"To: b" + b" a" * (size // 2)),
    "transport.submission._mailboxes": lambda size: partial(submission._mailboxes, b"From:" + b" " * size + b"x"),
}
