"""BODY[...] and BINARY[...]: parts by number, headers by name, and that parts tile the message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.mime.sections import Missing, binary, header_fields, section

INNER = (
    b"Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\n"
    b"first\r\n--i\r\nX: y\r\n\r\nsecond\r\n--i--\r\n"
)
MIXED = (
    b"From: a@b.c\r\nSubject: two\r\n lines\r\nsubject: again\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
    b"--o\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n"
    + INNER
    + b"\r\n--o--\r\n"
)
PLAIN = b"Subject: x\r\n\r\nbody\r\n"


@pytest.mark.parametrize(
    ("part", "what", "expected"),
    [
        ((), "", MIXED),
        ((1,), "", b"aGVsbG8="),
        ((1,), "MIME", b"Content-Transfer-Encoding: base64\r\n\r\n"),
        ((1,), "HEADER", None),
        ((2,), "", INNER),
        ((2,), "MIME", b"Content-Type: message/rfc822\r\n\r\n"),
        ((2,), "HEADER", INNER[: INNER.index(b"\r\n\r\n") + 4]),
        ((2,), "TEXT", INNER[INNER.index(b"\r\n\r\n") + 4 :]),
        ((2, 1), "", b"first"),
        ((2, 2), "", b"second"),
        ((2, 2), "MIME", b"X: y\r\n\r\n"),
        ((2, 3), "", None),
        ((3,), "", None),
        ((1, 1), "", None),
        ((0,), "", None),
    ],
)
def test_parts_of_a_multipart(part: tuple[int, ...], what: str, expected: bytes | None) -> None:
    assert section(MIXED, part, what) == expected


def test_a_plain_message_is_its_own_part_1() -> None:
    assert section(PLAIN, (1,)) == b"body\r\n"
    assert section(PLAIN, (1, 1)) is None
    assert section(PLAIN, (), "TEXT") == b"body\r\n"
    assert section(PLAIN, (), "HEADER") == b"Subject: x\r\n\r\n"


def test_a_message_within_that_is_no_multipart_has_part_1() -> None:
    content = b"Content-Type: message/rfc822\r\n\r\n" + PLAIN
    assert section(content, (1,)) == PLAIN
    assert section(content, (1, 1)) == b"body\r\n"
    assert section(content, (1,), "HEADER") == b"Subject: x\r\n\r\n"


def test_header_fields_keep_their_lines() -> None:
    assert section(MIXED, (), "HEADER.FIELDS", [b"SUBJECT"]) == b"Subject: two\r\n lines\r\nsubject: again\r\n\r\n"
    assert section(MIXED, (), "HEADER.FIELDS.NOT", [b"subject", b"Content-Type"]) == b"From: a@b.c\r\n\r\n"
    assert section(MIXED, (), "HEADER.FIELDS", [b"nothing"]) == b"\r\n"
    assert section(MIXED, (2,), "HEADER.FIELDS", [b"Subject"]) == b"Subject: inner\r\n\r\n"


def test_no_empty_line_is_made_up_where_others_are_asked_for() -> None:
    """RFC 9051 section 6.4.5: "except in the case of a message that has no body and no blank line"."""
    assert section(b"From: a\r\nX: b\r\n", (), "HEADER.FIELDS.NOT", [b"from"]) == b"X: b\r\n"
    assert section(b"From: a\r\nX: b\r\n\r\n", (), "HEADER.FIELDS.NOT", [b"from"]) == b"X: b\r\n\r\n"


def test_binary_decodes() -> None:
    assert binary(MIXED, (1,)) == b"hello"
    assert binary(MIXED, (9,)) is Missing.NO_PART
    assert binary(b"Content-Transfer-Encoding: x-secret\r\n\r\nabc", (1,)) is Missing.UNKNOWN_CTE
    assert binary(b"Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc", (1,)) == b"a=bc"


@given(
    st.binary(max_size=200), st.lists(st.integers(0, 3), max_size=4), st.sampled_from(["", "HEADER", "TEXT", "MIME"])
)
def test_never_raises(content: bytes, part: list[int], what: str) -> None:
    section(content, part, what)
    binary(content, part)


@given(st.binary(max_size=200))
def test_header_and_text_are_the_message(content: bytes) -> None:
    header, text = section(content, (), "HEADER"), section(content, (), "TEXT")
    assert header is not None and text is not None
    assert header + text == content


@given(
    st.binary(max_size=120).filter(
        lambda b: b"\n\r\n" not in b and b"\n\n" not in b and not b.startswith((b"\r\n", b"\n"))
    )
)
def test_chosen_and_not_chosen_fields_are_all(header: bytes) -> None:
    header = (b"x: y\r\n" + header).rstrip(b"\r\n") + b"\r\n\r\n"
    chosen = header_fields(header, [b"a"])[:-2]
    rest = header_fields(header, [b"a"], exclude=True)[:-2]
    assert len(chosen) + len(rest) == len(header) - 2
