"""What submission makes of a user's header, and whom it lets a user be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.authentication.header import addresses
from postern.transport.submission import NotAllowed, Submitter, fix_header, recipients

ALICE = Submitter("alice@example.test", frozenset({"alice@example.test", "sales@example.test"}))
NOW = 1_790_000_000.0
WHOLE = b"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@x>\r\n"


def fix(header: bytes) -> bytes | NotAllowed:
    return fix_header(header, ALICE, NOW, "unique", "hub.example.test")


def test_what_is_missing_is_added_in_front() -> None:
    assert fix(b"From: alice@example.test\r\nSubject: x\r\n\tfolded\r\n") == (
        b"Date: Mon, 21 Sep 2026 14:13:20 +0000\r\nMessage-ID: <unique@hub.example.test>\r\n"
        b"From: alice@example.test\r\nSubject: x\r\n\tfolded\r\n"
    )
    assert fix(b"") == (
        b"From: <alice@example.test>\r\nDate: Mon, 21 Sep 2026 14:13:20 +0000\r\n"
        b"Message-ID: <unique@hub.example.test>\r\n"
    )


def test_what_is_right_stays() -> None:
    header = b"From: Alice <ALICE@example.test>\r\n" + WHOLE
    assert fix(header) == header


def test_blind_copies_and_return_path_go() -> None:
    blind = (
        b"Bcc: x@y.test,\r\n z@y.test\r\nResent-Bcc: x@y.test\r\nrESENT-bCC :\r\n z@y.test\r\nReturn-Path: <a@b>\r\n"
    )
    assert fix(blind + b"From: alice@example.test\r\n" + WHOLE) == b"From: alice@example.test\r\n" + WHOLE


@pytest.mark.parametrize(
    ("sender", "kept"),
    [
        (b"sales@example.test", b"Sender: sales@example.test\r\n"),
        (b"bob@example.test", b"Sender: <alice@example.test>\r\n"),
        (b"nonsense", b"Sender: <alice@example.test>\r\n"),
    ],
)
def test_sender_tells_the_truth(sender: bytes, kept: bytes) -> None:
    author = b"From: alice@example.test\r\n"
    assert fix(b"Sender: " + sender + b"\r\n" + author + WHOLE) == kept + author + WHOLE


def test_several_authors_need_a_sender() -> None:
    authors = b"From: alice@example.test, Sales <sales@example.test>\r\n"
    assert fix(authors + WHOLE) == b"Sender: <alice@example.test>\r\n" + authors + WHOLE


@pytest.mark.parametrize(
    "author",
    [
        b"alice@example.test",
        b" <alice@example.test>",
        b'"bob@example.test" <alice@example.test>',
        b"Alice Smith <sales@example.test>",
        b"=?utf-8?B?7JWg?= <alice@example.test> (a (nested) comment)",
        b"\r\n Alice\r\n <alice@example.test>",
        "앨리스 <alice@example.test>".encode(),
        b'"Smith, \\"Al\\" <x@y>" <alice@example.test>',
    ],
)
def test_authors_that_are_alice(author: bytes) -> None:
    assert isinstance(fix(b"From: " + author + b"\r\n"), bytes)


@pytest.mark.parametrize(
    "author",
    [
        b"bob@example.test",
        b"alice@example.test, bob@example.test",
        b'"alice@example.test" <bob@example.test>',
        b"(<alice@example.test>) bob@example.test",
        b"alice@example.test <bob@example.test>",
        b"bob@example.test <alice@example.test>",
        b"<bob@example.test> <alice@example.test>",
        b"<alice@example.test> bob@example.test",
        b"Friends: alice@example.test;",
        b"alice@example.test\r\nFrom: alice@example.test",
        b"alice@example.test\r\nfrom : bob@example.test",
        b"",
        b"alice",
        b"<alice@example.test",
        b'"alice@example.test',
        b"(alice@example.test",
        b"alice@example.test)",
        b"<@evil.test:alice@example.test>",
        b"alice@example.test\r\nResent-From: bob@example.test",
        b"alice@example.test\r\nResent-Sender: Boss <bob@example.test>",
        b"alice@example.test\r\nResent-From: alice@example.test\r\nResent-From: bob@example.test",
        b"alice@example.test\r\nResent-From: bob",
        b"alice@example.test\r\nFr\0om: bob@example.test",
        b"alice@example.test\r\nFr om: bob@example.test",
        b"<" + b" " * 60_000,
        b"a" * 60_000 + b"<" + b" " * 60_000 + b">",
    ],
)
def test_authors_that_are_not(author: bytes) -> None:
    assert isinstance(fix(b"From: " + author + b"\r\n"), NotAllowed)


DELEGATE = replace(ALICE, behalf=frozenset({"boss@example.test"}))


@pytest.mark.parametrize(
    ("sender", "written"),
    [
        (b"", b"Sender: <alice@example.test>\r\n"),
        (b"Sender: Alice <alice@example.test>\r\n", b"Sender: Alice <alice@example.test>\r\n"),
        (b"Sender: sales@example.test\r\n", b"Sender: sales@example.test\r\n"),
        # On whose behalf one sends, one is not.
        (b"Sender: boss@example.test\r\n", b"Sender: <alice@example.test>\r\n"),
        (b"Sender: bob@example.test\r\n", b"Sender: <alice@example.test>\r\n"),
    ],
)
@pytest.mark.parametrize("author", [b"The Boss <Boss@example.test>", b"alice@example.test, boss@example.test"])
def test_on_behalf_of_another_sender_names_the_user(author: bytes, sender: bytes, written: bytes) -> None:
    header = b"From: " + author + b"\r\n"
    fixed = fix_header(sender + header + WHOLE, DELEGATE, NOW, "unique", "hub.example.test")
    assert fixed == written + header + WHOLE


@pytest.mark.parametrize("also", [b", bob@example.test", b"\r\nResent-From: boss@example.test"])
def test_on_behalf_of_one_is_not_of_all(also: bytes) -> None:
    fixed = fix_header(b"From: boss@example.test" + also + b"\r\n", DELEGATE, NOW, "unique", "hub.example.test")
    assert isinstance(fixed, NotAllowed) and fixed.claimed == (("bob@example.test",) if b"bob" in also else ())


def test_a_refusal_names_the_addresses_that_were_claimed() -> None:
    refused = fix(b"From: alice@example.test, Bob@example.test, boss@example.test\r\n")
    assert isinstance(refused, NotAllowed)
    assert refused.claimed == ("Bob@example.test", "boss@example.test")


def test_who_resends_may_be_the_submitter() -> None:
    fixed = fix(b"From: alice@example.test\r\nResent-From: Sales <sales@example.test>\r\n")
    assert isinstance(fixed, bytes) and b"Resent-From: Sales <sales@example.test>\r\n" in fixed


def test_the_first_line_continues_nothing() -> None:
    assert isinstance(fix(b" From: alice@example.test\r\n"), NotAllowed)


@given(
    st.lists(
        st.sampled_from([b"alice@example.test", b"bob@example.test", *map(bytes, zip(b'<>()",;:@[]. \\'))]), max_size=12
    )
)
def test_what_is_allowed_is_what_dmarc_and_imap_read(parts: list[bytes]) -> None:
    value = b"".join(parts)
    if value.strip() and not isinstance(fix(b"From: " + value + b"\r\n"), NotAllowed):
        assert set(addresses([value])) == {"alice@example.test"}


@given(st.binary(max_size=120))
def test_no_header_makes_it_fail(author: bytes) -> None:
    fix(b"From: " + author + b"\r\n")
    fix(author)


@pytest.mark.parametrize(
    ("field", "written", "whom"),
    [
        (b"To: bob@x.test,\r\n (c) carol@y.test\r\n", None, ["bob@x.test", "carol@y.test"]),
        (b"TO: bob\r\n", b"To: bob@d.test\r\n", ["bob@d.test"]),
        (
            b'Cc: "Lee, Bob \\"B\\"" <bob>, a@x.test\r\n',
            b'Cc: "Lee, Bob \\"B\\"" <bob@d.test>,\r\n\ta@x.test\r\n',
            ["bob@d.test", "a@x.test"],
        ),
        (
            b"To: Team: =?utf-8?q?B?= <bob>, c;, undisclosed:;, e\r\n",
            b"To: Team:\r\n\t=?utf-8?q?B?= <bob@d.test>,\r\n\tc@d.test;,\r\n\tundisclosed:;,\r\n\te@d.test\r\n",
            ["bob@d.test", "c@d.test", "e@d.test"],
        ),
        (b"To: undisclosed-recipients:;\r\n", None, []),
        (b"Reply-To: bob\r\n", None, []),
    ],
)
def test_recipients_are_written_in_full(field: bytes, written: bytes | None, whom: list[str]) -> None:
    header = b"From: a@d.test\r\n" + field
    named = recipients(header, "d.test")
    assert named == (whom, header if written is None else b"From: a@d.test\r\n" + written)
    assert recipients(named[1], "other.test") == named, "written in full, it says the same"


FIRST = b"Resent-From: a@d.test\r\nResent-To: bob\r\n"
BEFORE = b"Resent-From: e@x.test\r\nResent-To: e\r\nResent-Cc: f\r\n"
BODY = b"From: a@d.test\r\nTo: x@y.test, g\r\nBcc: h\r\n"


@pytest.mark.parametrize(
    ("header", "whom"),
    [
        (FIRST + BODY, ["bob@d.test"]),
        (BODY + FIRST, ["bob@d.test"]),
        (
            FIRST + b"Resent-Cc: carol@x.test\r\nRESENT-BCC : dan\r\n" + BODY,
            ["bob@d.test", "carol@x.test", "dan@d.test"],
        ),
        (FIRST + BEFORE + BODY, ["bob@d.test"]),
        (FIRST + b"Received: from x\r\nResent-Cc: f\r\n" + BODY, ["bob@d.test"]),
        (b"Received: from x\r\n" + FIRST + BODY, ["bob@d.test"]),
        (b"Resent-From: a@d.test\r\n" + BODY, []),
    ],
)
def test_what_is_sent_again_goes_to_whom_its_latest_resending_names(header: bytes, whom: list[str]) -> None:
    """RFC 5322 section 3.6.6; what it was before stays as it is written."""
    assert recipients(header, "d.test") == (
        whom,
        header.replace(b": bob\r", b": bob@d.test\r").replace(b"RESENT-BCC : dan", b"Resent-Bcc: dan@d.test"),
    )


@pytest.mark.parametrize(
    "value",
    [
        b"Big bob",
        b"<Big bob@x.test>",
        b"bob@",
        b"<>",
        b"@x.test",
        b"bob@x..test",
        b"a@b@c.test",
        b"<bob@x.test y.test>",
    ],
)
def test_a_recipient_that_is_no_address_is_told_not_left_out(value: bytes) -> None:
    named = recipients(b"To: a@x.test, " + value + b"\r\n", "d.test")
    assert isinstance(named, NotAllowed) and "no address: " in named.text
