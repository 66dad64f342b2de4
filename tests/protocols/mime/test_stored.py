"""Messages made fit to be stored: lines, NUL, binary parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.mime.sections import binary
from postern.protocols.mime.stored import made_fit

DATA = b"\0 \xff\n\r\0\r\n\rend"
HEAD = b"Subject: a\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nX: y\r\n\r\n"


def test_what_is_fit_stays_the_same_object() -> None:
    for content in (b"", b"A: b\r\n\r\nbody without an end", b"A: b\r\n\r\na lone \r is text\r\n"):
        assert made_fit(content) is content


def test_bare_lf_becomes_crlf() -> None:
    assert made_fit(b"A: b\nC: d\r\n\nbody\r\n\nend") == b"A: b\r\nC: d\r\n\r\nbody\r\n\r\nend"


def test_a_binary_part_is_encoded_and_comes_back_as_it_was() -> None:
    """RFC 3516 section 4.4."""
    fit = made_fit(HEAD + DATA)
    assert fit.startswith(HEAD.replace(b"binary", b"base64")) and b"\0" not in fit
    assert binary(fit, (1,)) == DATA


def test_parts_of_parts() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n" + HEAD + DATA + b"\r\n--i\n\ntext\r\n--i--\r\n"
    whole = (
        b"Content-Type: multipart/mixed; boundary=o\r\nContent-Transfer-Encoding: binary\r\n\r\n--o\r\n"
        b"Content-Type: message/rfc822\r\n\r\n"
        + inner
        + b"--o\r\n"
        + HEAD
        + DATA * 40
        + b"\r\n--o\r\n\r\nlast\n--o--\r\n"
    )
    fit = made_fit(whole)
    assert b"\0" not in fit and fit.count(b"\n") == fit.count(b"\r\n")
    assert binary(fit, (1, 1)) == DATA and binary(fit, (2,)) == DATA * 40
    assert binary(fit, (1, 2)) == b"text" and binary(fit, (3,)) == b"last"


@pytest.mark.parametrize(("body", "expected"), [(b"a\nb\n", b"a\r\nb\r\n"), (b"a\r\n\0b", b"a\r\n\0b")])
def test_binary_text_is_lines_unless_it_holds_nul(body: bytes, expected: bytes) -> None:
    fit = made_fit(HEAD.replace(b"application/octet-stream", b"text/plain") + body)
    assert binary(fit, (1,)) == expected and b"\0" not in fit


@given(st.binary(max_size=200), st.booleans())
def test_the_outcome_is_always_fit(content: bytes, headed: bool) -> None:
    fit = made_fit(HEAD + content if headed else content)
    assert b"\0" not in fit and fit.count(b"\n") == fit.count(b"\r\n") and made_fit(fit) is fit
    if headed:
        assert binary(fit, (1,)) == content
