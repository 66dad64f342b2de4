"""Arguments of MAIL, RCPT, AUTH and BDAT."""

from __future__ import annotations

import pytest

from postern.protocols.smtp.commands import parse_auth, parse_bdat, parse_mail, parse_rcpt
from postern.protocols.smtp.events import Authenticate, Mail, Rcpt
from postern.protocols.smtp.reply import Reply


def code(parsed: object) -> int:
    return parsed.code if isinstance(parsed, Reply) else 250


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM:<a@b.test>", 250),
        ("from: <a@b.test>", 250),
        ("FROM:<a@b.test> SIZE=100", 250),
        ("FROM:<a@b.test>SIZE=100", 501),
        ("FROM <a@b.test>", 501),
        ("FROM:a@b.test", 501),
        ("FROM:<a@b.test> SIZE=101", 552),
        ("FROM:<사@b.test>", 553),
        ("FROM:<사@b.test> SMTPUTF8", 250),
        ("TO:<a@b.test>", 501),
    ],
)
def test_mail(text: str, expected: int) -> None:
    assert code(parse_mail(text, 100)) == expected


def test_mail_s_values() -> None:
    parsed = parse_mail("FROM:<a@b.test> SIZE=5", 100)
    assert isinstance(parsed, Mail) and (parsed.sender, parsed.parameters.size) == ("a@b.test", 5)


@pytest.mark.parametrize(
    ("text", "utf8", "expected"),
    [
        ("TO:<a@b.test>", False, 250),
        ("TO:<postmaster>", False, 250),
        ("TO:<>", False, 501),
        ("TO:<사@b.test>", False, 553),
        ("TO:<사@b.test>", True, 250),
        ("TO:<a@b.test> NOTIFY=NEVER", False, 250),
        ("TO:<a@b.test>,<c@b.test>", False, 501),
    ],
)
def test_rcpt(text: str, utf8: bool, expected: int) -> None:
    parsed = parse_rcpt(text, utf8)
    assert code(parsed) == expected
    assert isinstance(parsed, Rcpt) or expected != 250


def test_auth() -> None:
    assert parse_auth("plain") == Authenticate("PLAIN", None)
    assert parse_auth("PLAIN =") == Authenticate("PLAIN", b"")
    assert parse_auth("PLAIN AGE=") == Authenticate("PLAIN", b"\0a")
    assert code(parse_auth("PLAIN A")) == 501
    assert code(parse_auth("")) == 501
    assert code(parse_auth("B@D")) == 501


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 LAST", (0, True)),
        ("86 last", (86, True)),
        ("7", (7, False)),
        ("", None),
        ("x", None),
        ("-1", None),
        ("٣", None),
    ],
)
def test_bdat(text: str, expected: tuple[int, bool] | None) -> None:
    assert parse_bdat(text) == expected
