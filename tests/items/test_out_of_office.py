"""Which messages are answered while their recipient is away, and the answers."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest

from postern.items.imip import Letter
from postern.items.out_of_office import Answered, Unanswered, answer, asked, harmless, plain
from postern.model.out_of_office import MAX_TEXT

MINE = frozenset({"bob@corp.test", "robert@corp.test"})
LETTER = Letter("bob@corp.test", ("ann@away.test",), "", "oof.1@corp.test", 1_800_000_000)


def message(more: str = "", path: str = "ann@away.test", to: str = "bob@corp.test") -> bytes:
    return (
        f"Return-Path: <{path}>\r\nFrom: ann@away.test\r\nTo: {to}\r\nSubject: =?utf-8?q?L=C3=BCnch?=\r\n"
        f"Message-ID: <2@away.test>\r\n{more}\r\nbody\r\n"
    ).encode()


def test_a_letter_of_a_person_is_answered() -> None:
    assert asked(message(), MINE) == Answered("ann@away.test", "Lünch", "<2@away.test>", ("<2@away.test>",))
    for to in ('"Bob" <BOB@corp.test>, x@y.test', "x@y.test\r\nCc: robert@corp.test", "Team: bob@corp.test;"):
        assert asked(message(to=to), MINE).sender == "ann@away.test"
    old = asked(message("References: <0@x.test>\r\n <1@x.test>\r\n"), MINE)
    assert old.references == ("<0@x.test>", "<1@x.test>", "<2@away.test>")
    assert asked(message("Auto-Submitted: no\r\nPrecedence: first-class\r\n"), MINE)
    assert asked(message("X-Auto-Response-Suppress: DR, NDR, RN\r\n"), MINE)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (message(path=""), "it has no reverse-path"),
        (message(path="not an address"), "it has no reverse-path"),
        (message(path="robert@CORP.test"), "its recipient wrote it"),
        (message(path="MAILER-DAEMON@away.test"), "nobody reads at the reverse-path"),
        (message(path="owner-list@away.test"), "nobody reads at the reverse-path"),
        (message(path="list-bounces@away.test"), "nobody reads at the reverse-path"),
        (message(path="no-reply@away.test"), "nobody reads at the reverse-path"),
        (message("Auto-Submitted: auto-generated (x)\r\n"), "a program sent it"),
        (message("Auto-Submitted: auto-replied; owner-email=a@b\r\n"), "a program sent it"),
        (message("Precedence: Bulk\r\n"), "it is bulk mail"),
        (message("List-Id: <x.away.test>\r\n"), "it came by a list"),
        (message("List-Unsubscribe: <mailto:x@away.test>\r\n"), "it came by a list"),
        (message("X-Auto-Response-Suppress: DR, OOF\r\n"), "its sender wants no automatic answer"),
        (message("X-Auto-Response-Suppress: All\r\n"), "its sender wants no automatic answer"),
        (message("X-Spam-Flag: YES\r\n"), "it is spam"),
        (message("Content-Type: Multipart/Report; report-type=delivery-status\r\n"), "it is a report"),
        (message(to="everybody@corp.test"), "it does not name its recipient"),
        (message(to="undisclosed-recipients:;"), "it does not name its recipient"),
        (b"Return-Path: <a@b.test>\r\n" + b"X: y\r\n" * 100_000 + message(), "its header is too long"),
        (b"\r\n", "it has no reverse-path"),
        (b"", "its header is too long"),
    ],
)
def test_what_is_not_answered(content: bytes, why: str) -> None:
    with pytest.raises(Unanswered) as refused:
        asked(content, MINE)
    assert str(refused.value) == why


def test_an_answer_says_what_it_is_and_what_it_answers() -> None:
    read = asked(message("References: <1@x.test>\r\n"), MINE)
    made = message_from_bytes(answer(LETTER, read, "Back on Monday.\nÄnne"), policy=policy.default)
    assert made["Subject"] == "Automatic reply: Lünch"
    assert (made["From"], made["To"]) == ("bob@corp.test", "ann@away.test")
    assert (made["In-Reply-To"], made["References"]) == ("<2@away.test>", "<1@x.test> <2@away.test>")
    assert (made["Auto-Submitted"], made["X-Auto-Response-Suppress"]) == ("auto-replied", "All")
    assert made["Message-ID"] == "<oof.1@corp.test>" and made["Date"]
    assert made.get_content_type() == "text/plain" and made.get_content() == "Back on Monday.\r\nÄnne"
    # An answer of another who is away is not answered in turn.
    with pytest.raises(Unanswered):
        asked(b"Return-Path: <>\r\n" + answer(LETTER, read, "x"), frozenset({"ann@away.test"}))
    with pytest.raises(Unanswered):
        asked(b"Return-Path: <bob@corp.test>\r\n" + answer(LETTER, read, "x"), frozenset({"ann@away.test"}))


def test_html_goes_beside_its_text() -> None:
    read = asked(message("", to="bob@corp.test"), MINE)
    made = message_from_bytes(answer(LETTER, read, "<p>Back on <b>Monday</b></p>"), policy=policy.default)
    assert made.get_content_type() == "multipart/alternative"
    text, html = [part.get_content().strip() for part in made.iter_parts()]
    assert text == "Back on Monday" and "<body><p>Back on <b>Monday</b></p></body>" in html


def test_what_is_active_is_taken_out() -> None:
    assert harmless("a < b & c") == "a < b & c"
    assert len(harmless("&" * MAX_TEXT)) == MAX_TEXT
    for text in ("a" * (MAX_TEXT + 1), "<b>" + "&" * 30_000):
        with pytest.raises(ValueError, match="too long"):
            harmless(text)
    for text in ("Ask <anna@example.test> or call.", "<a@b.test> & <ü@ü.test>"):
        assert harmless(text) == plain(text) == text
    for text in ("<a@b onclick=x>c</a@b>", "<a@b/onclick=x>c", "<script>x</script>c", "<p>c <a@b.test>"):
        assert "<a@b" not in harmless(text) and "script" not in harmless(text), text
    assert harmless('<p onclick="x()">a</p><script>x()</script>') == "<p>a</p>"
    assert harmless("<b><p>" * 10_000 + "&lt;script>a").strip() == "<div>&lt;script&gt;a</div>"
    assert plain("<p>a</p>").strip() == "a" and plain("a < b") == "a < b"


def test_a_field_of_a_stranger_does_not_make_another() -> None:
    read = asked(message("References: <a@b\r\n\tc> <d@e>x\r\n"), MINE)
    assert read.references == ("<d@e>", "<2@away.test>")
    header = answer(LETTER, read._replace(subject="a\r\nBcc: c@d.test"), "x").partition(b"\r\n\r\n")[0]
    assert b"\nBcc" not in header
