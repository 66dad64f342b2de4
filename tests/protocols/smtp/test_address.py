"""Paths, mailboxes and xtext."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.smtp.address import domain_of, parse_mailbox, parse_path, xtext_decode, xtext_encode


@pytest.mark.parametrize(
    ("text", "address", "rest"),
    [
        ("<>", "", ""),
        ("<bob@example.test> SIZE=3", "bob@example.test", " SIZE=3"),
        ("<@a.test,@b.test:bob@example.test>", "bob@example.test", ""),
        ('<"bob"@example.test>', "bob@example.test", ""),
        ('<"b\\ob"@example.test>', "bob@example.test", ""),
        ('<"bob smith"@example.test>', '"bob smith"@example.test', ""),
        ('<"a>b"@example.test>', '"a>b"@example.test', ""),
        ("<bob@[192.0.2.1]>", "bob@[192.0.2.1]", ""),
        ("<bob@[IPv6:2001:db8::1]>", "bob@[IPv6:2001:db8::1]", ""),
        ("<사용자@예시.테스트>", "사용자@예시.테스트", ""),
        ("<a.b+c=d@x-y.example.test>", "a.b+c=d@x-y.example.test", ""),
    ],
)
def test_a_path_is_read(text: str, address: str, rest: str) -> None:
    assert parse_path(text) == (address, rest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bob@example.test",
        "<bob@example.test",
        "<bob>",
        "<bob@>",
        "<@example.test>",
        "<bob@-a.test>",
        "<bob@a-.test>",
        "<bob@a..test>",
        "<b..ob@a.test>",
        "<bob@a.test.>",
        "<bob@[300.1.1.1]>",
        "<bob@[2001:db8::1]>",
        "<bob@[IPv6:192.0.2.1]>",
        "<bo b@example.test>",
        '<"bob@example.test>',
        "<bob@exam\tple.test>",
        "<" + "a" * 257 + "@example.test>",
        "<bob@" + "a" * 256 + ">",
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    assert parse_path(text) is None


def test_postmaster_needs_no_domain_where_recipients_stand() -> None:
    assert parse_path("<PostMaster>", bare_postmaster=True) == ("postmaster", "")
    assert parse_path("<PostMaster>") is None


def test_a_mailbox_is_all_or_nothing() -> None:
    assert parse_mailbox("bob@example.test") == "bob@example.test"
    assert parse_mailbox("bob@example.test ") is None
    assert domain_of("bob@Example.TEST") == "example.test"
    assert domain_of("") == ""


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
def test_xtext_comes_back(text: str) -> None:
    assert xtext_decode(xtext_encode(text)) == text


@pytest.mark.parametrize("text", ["a b", "a=b", "+4", "+zz", "a+0D+0Ab", "+80", "é"])
def test_xtext_that_hides_something_is_refused(text: str) -> None:
    assert xtext_decode(text) is None


@given(st.text(max_size=80))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    parse_path("<" + text + ">")
    parse_mailbox(text)
    xtext_decode(text)
