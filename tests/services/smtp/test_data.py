"""Gathering content in memory and on disk; the trace line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postern.model.mail import BodyType, Envelope, EnvelopeRecipient
from postern.model.organization import Limits
from postern.model.security import NOBODY, Identity, Mechanism, Peer, PrincipalKind, Seal
from postern.services.smtp.data import (
    READ,
    Clock,
    Gathering,
    SpoolError,
    prepended,
    received_field,
    with_actual_body_type,
    with_protocol,
)

TWO = Envelope("a@x.test", (EnvelopeRecipient("b@y.test"), EnvelopeRecipient("c@y.test")))
TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")
ALICE = Identity(PrincipalKind.USER, "alice", Mechanism.BASIC)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=12), st.integers(8, 200))
def test_what_goes_in_comes_out(tmp_path: Path, pieces: list[bytes], threshold: int) -> None:
    gathering = Gathering(tmp_path, threshold)
    head = b"A: b\r\n\r\n"
    for piece in (head, *pieces):
        gathering.add(piece)
    parts = gathering.split()
    assert parts is not None and parts[0] == b"A: b\r\n"
    content = gathering.content(b"X" + parts[0] + parts[1])
    assert content.bytes() == b"X" + (head + b"".join(pieces)).replace(b"\0", b"")
    assert content.size == len(content.bytes())
    assert list(tmp_path.iterdir()) == []
    gathering.close()


def test_many_chunks_are_read_from_the_file(tmp_path: Path) -> None:
    gathering = Gathering(tmp_path, 10)
    body = bytes(range(256)) * (READ // 100)
    gathering.add(b"A: b\r\n\r\nxx")
    gathering.add(body)
    content = gathering.content(b"first")
    assert len(content.chunks) > 3
    assert b"".join(content.chunks) == b"first" + body.replace(b"\0", b"")
    assert content.chunks[-1] == content.chunks[len(content.chunks) - 1]
    assert content.chunks[0:1] == [b"first"]
    with pytest.raises(IndexError):
        content.chunks[len(content.chunks)]


def test_content_outlives_the_session_that_gathered_it(tmp_path: Path) -> None:
    gathering = Gathering(tmp_path, 8)
    gathering.add(b"A: b\r\n\r\nspooled")
    content = gathering.content(b"first ")
    gathering.close()
    assert content.bytes() == b"first spooled"


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"\r\nbody\r\n", (b"", b"\r\nbody\r\n")),
        (b"A: b\r\n\r\nbody\r\n", (b"A: b\r\n", b"\r\nbody\r\n")),
        (b"A: b\r\n", (b"A: b\r\n", b"")),
        (b"", (b"", b"")),
        # What is no field must not continue the field that we put in front.
        (b" From: a@x.test\r\nB: c\r\n\r\nd\r\n", (b"", b"\r\n From: a@x.test\r\nB: c\r\n\r\nd\r\n")),
        (b"just text\r\n", (b"", b"\r\njust text\r\n")),
        (b"two words: text\r\n", (b"", b"\r\ntwo words: text\r\n")),
        (b"From : a@x.test\r\n\r\n", (b"From : a@x.test\r\n", b"\r\n")),
        # The line that an mbox file has in front of a message.
        (b"From a@x.test Mon Jan  1 00:00:00 2024\r\nA: b\r\n\r\nc\r\n", (b"A: b\r\n", b"\r\nc\r\n")),
        (b">From a@x.test\r\n\r\nc\r\n", (b"", b"\r\nc\r\n")),
    ],
)
def test_header_and_body(tmp_path: Path, content: bytes, parts: tuple[bytes, bytes]) -> None:
    gathering = Gathering(tmp_path, 1000)
    gathering.add(content)
    assert gathering.split() == parts


def test_a_header_that_does_not_end_in_memory(tmp_path: Path) -> None:
    gathering = Gathering(tmp_path, 10)
    for _ in range(3):
        gathering.add(b"A: bbbbbbb\r\n")
    assert gathering.split() is None
    gathering.close()


def test_a_spool_that_takes_nothing(tmp_path: Path) -> None:
    gathering = Gathering(tmp_path / "missing", 0)
    gathering.add(b"A: b\r\n\r\n")
    with pytest.raises(SpoolError):
        gathering.split()


def test_the_trace_line() -> None:
    one = Envelope("a@x.test", (EnvelopeRecipient("b@y.test"),))
    date = Clock().date(0.0)
    assert received_field("c.test", Peer("192.0.2.1", 9), TLS, "hub.test", "ESMTPSA", one, date) == (
        b"Received: from c.test ([192.0.2.1])\r\n\tby hub.test (Postern) with ESMTPSA\r\n"
        b"\t(TLSv1.3) tls TLS_AES_256_GCM_SHA384\r\n\tfor <b@y.test>;\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n"
    )
    several = received_field("c.test", Peer("2001:db8::1", 9), None, "hub.test", "SMTP", TWO, date)
    assert b"([IPv6:2001:db8::1])" in several and b"b@y.test" not in several


def test_words_for_protocols() -> None:
    utf8 = Envelope("a@x.test", (), smtputf8=True)
    assert with_protocol(False, TWO, NOBODY, TLS) == "SMTP"
    assert with_protocol(True, TWO, NOBODY, None) == "ESMTP"
    assert with_protocol(True, TWO, NOBODY, TLS) == "ESMTPS"
    assert with_protocol(True, TWO, ALICE, TLS) == "ESMTPSA"
    assert with_protocol(True, utf8, ALICE, TLS) == "UTF8SMTPSA"


def test_a_message_may_have_come_a_long_way() -> None:
    """RFC 5321 section 6.3 wants at least 100 Received fields taken."""
    assert Limits().received_headers >= 100


def test_an_envelope_that_says_what_the_content_is_is_left_alone() -> None:
    assert with_actual_body_type(TWO, True) is TWO
    assert with_actual_body_type(TWO, False).body is BodyType.EIGHT_BIT_MIME


def test_chunks_are_a_sequence(tmp_path: Path) -> None:
    gathering = Gathering(tmp_path, 10)
    gathering.add(b"Subject: x\r\n\r\nbody\r\n")
    chunks = prepended(b"Received: y\r\n", gathering.content(b"Subject: x")).chunks
    assert len(chunks) == 3 and chunks[0] == b"Received: y\r\n" and chunks[-1] == b"\r\n\r\nbody\r\n"
    assert chunks[1:] == [b"Subject: x", b"\r\n\r\nbody\r\n"] == list(chunks)[1:]
    with pytest.raises(IndexError):
        chunks[3]
