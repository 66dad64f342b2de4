"""Mails that were once read wrongly (tests/support/mails), each through the real readers, with what is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from postern.protocols.authentication import header as headers
from postern.protocols.mime.header import MAX_FIELDS
from postern.protocols.mime.line_ends import with_line_ends
from postern.protocols.mime.message import Rendered, render
from postern.protocols.mime.sections import binary, header_fields
from postern.protocols.mime.stored import made_fit
from postern.services.smtp.data import Gathering, header_and_rest
from postern.store.threads import Message, references
from postern.transport.submission import NotAllowed, Submitter, fix_header, recipients
from tests.protocols.mime.imap_grammar import check_structure, parse

MAILS = Path(__file__).parents[1] / "support" / "mails"


def mail(number: str) -> bytes:
    (found,) = MAILS.glob(f"{number}-*.eml")
    return found.read_bytes()


def header_of(number: str) -> bytes:
    return mail(number).partition(b"\r\n\r\n")[0] + b"\r\n"


def structure(number: str) -> Any:
    parsed = parse(render(mail(number)).structure)
    check_structure(parsed, extended=True)
    return parsed


@pytest.mark.parametrize("number", ["01", "02"])
def test_everybody_reads_the_same_author_behind_a_comment(number: str) -> None:
    """RFC 5322 section 3.2.2: a comment ends at its closing parenthesis, whatever is escaped or quoted in it."""
    boss = [b"boss", b"good.test"]
    envelope = parse(render(mail(number)).envelope)
    assert [address[2:] for address in envelope[2]] == [boss], "IMAP"
    fields = headers.fields(header_of(number))
    authors = headers.addresses([one.value for one in headers.named(fields, "from")])
    assert headers.domains(authors) == ["good.test"], "DMARC and the sender filter"
    mine = Submitter("boss@good.test", frozenset({"boss@good.test"}))
    assert isinstance(fix_header(header_of(number), mine, 0.0, "u", "x.test"), bytes), "submission"
    others = Submitter("x@attacker.test", frozenset({"x@attacker.test"}))
    assert isinstance(fix_header(header_of(number), others, 0.0, "u", "x.test"), NotAllowed)


def test_a_from_behind_more_fields_than_are_read_is_refused() -> None:
    gathering = Gathering(Path("/nonexistent"), 1 << 20)
    fields = b"".join(b"X-%d: v\r\n" % number for number in range(MAX_FIELDS))
    gathering.add(b"To: bob@example.test\r\n" + fields + b"From: Boss <boss@good.test>\r\n\r\nx\r\n")
    reply = header_and_rest(gathering, 100)
    assert not isinstance(reply, tuple) and reply.words == "554 5.6.0 The header has more than 2000 fields"


@pytest.mark.parametrize(
    ("number", "to", "cc"),
    [
        ("06", [[b"Foo ) Bar", None, b"foo", b"bar.test"], [None, None, b"second", b"bar.test"]], None),
        ("07", [[b'6" tall', None, b"tall", b"bar.test"], [None, None, b"second", b"bar.test"]], None),
        (
            "08",
            [[b"Big Bug", None, b"bug", b"bar.test"]],
            [[None, None, b"one", b"bar.test"], [None, None, b"two", b"bar.test"]],
        ),
    ],
)
def test_no_recipient_is_lost_glued_or_moved(number: str, to: list[Any], cc: list[Any] | None) -> None:
    envelope = parse(render(mail(number)).envelope)
    assert (envelope[5], envelope[6]) == (to, cc)
    sent = recipients(header_of(number), "example.test")
    assert not isinstance(sent, NotAllowed)
    assert sent[0] == [(one[2] + b"@" + one[3]).decode() for one in (*to, *(cc or ()))], "the Outbox sends to the same"


def test_a_part_within_may_have_its_parents_boundary() -> None:
    inner, attachment, kind = structure("10")[:3]
    assert ([part[:2] for part in inner[:2]], inner[2], kind) == (
        [[b"text", b"plain"], [b"text", b"html"]],
        b"alternative",
        b"mixed",
    )
    assert attachment[:3] == [b"application", b"zip", [b"name", b"a.zip"]]


def test_comments_are_no_part_of_parameters() -> None:
    """RFC 2045 section 5.1."""
    assert structure("11")[0][:2] == [b"text", b"html"]
    assert structure("12")[:3] == [b"text", b"plain", [b"charset", b"us-ascii"]]


def test_a_delimiter_may_have_text_behind_it() -> None:
    assert structure("14")[0][:2] == [b"text", b"html"]


def test_a_missing_semicolon_costs_the_subtype_nothing() -> None:
    assert structure("15")[:2] == [b"application", b"pdf"]


def test_no_empty_line_is_invented_for_a_header_without_one() -> None:
    whole = header_fields(mail("17"), [b"X-A"], exclude=True)
    assert whole == b"From: a@example.test\r\nSubject: t\r\n"


def test_quoted_printable_has_no_trailing_blanks() -> None:
    """RFC 2045 section 6.7, rule 3: what transport padded is deleted, behind a soft line break too."""
    assert binary(mail("18"), (1,)) == b"softbreak\r\nend\r\n"
    assert "softbreak" in render(mail("18")).body


@pytest.mark.parametrize(
    ("number", "header", "rest"),
    [
        ("20", b"", b"\r\n From: a@example.test\r\nSubject: ws\r\n\r\nbody\r\n"),
        ("21", b"From: a@example.test\r\nSubject: mbox\r\n", b"\r\nbody\r\n"),
    ],
)
def test_the_first_line_neither_continues_our_field_nor_is_one_of_mbox(number: str, header: bytes, rest: bytes) -> None:
    gathering = Gathering(Path("/nonexistent"), 1 << 20)
    gathering.add(mail(number))
    assert gathering.split() == (header, rest)


def threaded(*numbers: str) -> bytes:
    def message(uid: int, one: Rendered) -> Message:
        ids = tuple(each.encode() for each in one.references)
        return Message(uid, one.sent, one.message_id.encode(), ids, one.base_subject.encode(), one.is_reply)

    mails = [(MAILS / f"{number}.eml").read_bytes() for number in numbers]
    return references([message(uid, render(content)) for uid, content in enumerate(mails, 1)])


def test_threads() -> None:
    """RFC 5256 section 3: without references there is no parent; what is no message id joins nobody."""
    assert threaded("30-thread-noparent-1", "30-thread-noparent-2", "30-thread-noparent-3") == b"(3 2)(1)"
    assert threaded("31-thread-yes-1", "31-thread-yes-2") == b"(1)(2)"


def test_lines_that_end_in_lf_alone_are_told_with_crlf() -> None:
    lines = [b"From: a@example.test", b"Subject: lf", b"", b"first", b".", b"second", b"third", b""]
    assert mail("40") == b"\n".join(lines)
    assert made_fit(mail("40")) == with_line_ends(mail("40")) == b"\r\n".join(lines)


def test_the_first_of_january_1970_is_a_date() -> None:
    rendered = render(mail("41"))
    assert (rendered.sent, rendered.sent_day) == (0, 0)
