"""Replies, rendered and parsed."""

from __future__ import annotations

import pytest

from postern.protocols.smtp.reply import Reply, ReplyParser


def parse(*lines: bytes) -> Reply | str | None:
    parser = ReplyParser()
    for line in lines[:-1]:
        assert parser.line(line) is None
    return parser.line(lines[-1])


def test_a_reply_comes_back() -> None:
    for reply in (Reply(250, "2.0.0", "Ok"), Reply(354, "", "go"), Reply(550, "5.1.1", "no\nsuch\nuser")):
        assert parse(*reply.encode().removesuffix(b"\r\n").split(b"\r\n")) == reply


@pytest.mark.parametrize("line", [b"", b"25", b"abc", b"150 x", b"650 x", b"250_x", b"250\xff"])
def test_what_is_no_reply(line: bytes) -> None:
    parser = ReplyParser()
    result = parser.line(line)
    assert isinstance(result, str) or line.startswith(b"250")


def test_a_code_that_changes_within_a_reply() -> None:
    assert isinstance(parse(b"250-a", b"550 b"), str)


def test_endless_replies_end() -> None:
    parser = ReplyParser()
    results = [parser.line(b"250-x") for _ in range(300)]
    assert "too many reply lines" in results


def test_status_and_words() -> None:
    assert Reply(550, "", "no").status == "5.0.0"
    assert Reply(450, "5.1.1", "odd").status == "4.0.0"
    assert Reply(550, "5.1.1", "no\nuser").words == "550 5.1.1 no user"
    assert parse(b"250 ok \x1b[31m") == Reply(250, "", "ok ?[31m")
