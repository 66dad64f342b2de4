"""Header fields octet for octet, their addresses, and the purported responsible address of RFC 4407."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.authentication.dmarc import dmarc
from postern.protocols.authentication.header import (
    addresses,
    ascii_domain,
    domains,
    fields,
    named,
    purported_responsible,
    without,
)
from postern.protocols.mime.address import address_list
from postern.protocols.mime.header import MAX_FIELDS

HEADER = b"Received: x\r\n\tfor y\r\nFrom : Bob <bob@other.test>\r\nno field\r\nSUBJECT: a\r\n b\r\n"


def test_fields_keep_their_octets() -> None:
    found = fields(HEADER)
    assert [one.name for one in found] == ["received", "from", "", "subject"]
    assert b"".join(one.raw for one in found) == HEADER
    assert found[3].value == b"a b"


@given(st.lists(st.sampled_from([b"a: b", b"\r\n", b"\r", b"\n", b" x", b"\t", b":", b"\xff\x00", b"From: x@y.test"])))
def test_nothing_is_lost(parts: list[bytes]) -> None:
    header = b"".join(parts) + b"\r\n"
    assert b"".join(one.raw for one in fields(header)) == header


def test_a_flood_of_fields_is_one_nameless_rest() -> None:
    header = b"X: y\r\n" * (MAX_FIELDS + 500)
    found = fields(header)
    assert len(found) == MAX_FIELDS + 1 and not found[-1].name and b"".join(one.raw for one in found) == header


def test_without() -> None:
    assert without(HEADER, lambda one: one.name == "from") == (
        HEADER.replace(b"From : Bob <bob@other.test>\r\n", b""),
        ("from",),
    )
    assert without(HEADER, lambda one: False) == (HEADER, ())


def test_addresses_are_those_a_reader_would_answer() -> None:
    values = [b'"boss@corp.test" <thief@evil.test>, two@d.test', b"Group: three@e.test;"]
    assert addresses(values) == ["thief@evil.test", "two@d.test", "three@e.test"]
    assert domains(["A@Corp.TEST", "b@m\u00fcnchen.test"]) == ["corp.test", "xn--mnchen-3ya.test"]
    assert ascii_domain("\u00e4" * 70) == "\u00e4" * 70


@pytest.mark.parametrize(
    ("value", "read"),
    [
        # RFC 5322 section 3.2.2: a comment ends at its closing parenthesis; escapes, quotes and brackets in it are text.
        (rb'"Boss" (\() <boss@good.test>', ["boss@good.test"]),
        (b'(") <boss@good.test> (" <x@attacker.test>)', ["boss@good.test"]),
        (b"([) <boss@good.test> (])", ["boss@good.test"]),
        (rb"foo@bar.test (Foo \) Bar), second@bar.test", ["foo@bar.test", "second@bar.test"]),
        (b'tall@bar.test (6" tall), second@bar.test', ["tall@bar.test", "second@bar.test"]),
        (b"a@b.test (" + b"(" * 5000 + b")" * 5001 + b", c@d.test", ["a@b.test", "c@d.test"]),
        # IMAP's marks for what is missing are nobody's domain.
        (b"boss", []),
        (b"<@>", []),
    ],
)
def test_comments_hide_no_address_and_make_none(value: bytes, read: list[str]) -> None:
    assert addresses([value]) == read


@pytest.mark.parametrize(
    "value",
    [
        b"<boss@good.test=?utf-8?q?=2Eattacker.test?=>",
        b"Boss <boss@=?utf-8?q?attacker.test?=>",
        b"boss@=?utf-8?b?YXR0YWNrZXIudGVzdA==?=",
        b"<boss@m\xfcnchen.test>",
    ],
)
def test_the_domain_that_is_asked_about_is_the_one_that_imap_tells(value: bytes) -> None:
    """RFC 2047 section 5: no encoded word stands in an address; who decodes one asks an attacker's domain for its policy."""
    [one], _ = address_list(value)
    assert one.host is not None
    assert domains(addresses([value])) == [one.host.decode("utf-8", "replace").lower()]
    machine = dmarc(domains(addresses([value])), "", [], lambda name: name, 0.5)
    assert machine.question is None and machine.result is not None and machine.result.unreadable
    assert purported_responsible(fields(b"From: " + value + b"\r\n")) == addresses([value])[0]


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b"From: a@x.test\r\n", "a@x.test"),
        (b"From: a@x.test\r\nSender: s@x.test\r\n", "s@x.test"),
        (b"From: a@x.test\r\nResent-From: r@x.test\r\n", "r@x.test"),
        (b"Resent-Sender: q@x.test\r\nResent-From: r@x.test\r\nFrom: a@x.test\r\n", "q@x.test"),
        (b"Resent-From: r@x.test\r\nReceived: z\r\nResent-Sender: q@x.test\r\n", "r@x.test"),
        (b"Resent-From: r@x.test\r\nResent-Sender: q@x.test\r\n", "q@x.test"),
        (b"From: a@x.test\r\nFrom: b@x.test\r\n", ""),
        (b"From: a@x.test, b@x.test\r\n", ""),
        (b"Sender: s@x.test\r\nSender: t@x.test\r\nFrom: a@x.test\r\n", ""),
        (b"Sender:\r\nFrom: a@x.test\r\n", "a@x.test"),
        (b"To: a@x.test\r\n", ""),
    ],
)
def test_purported_responsible_address(header: bytes, address: str) -> None:
    assert purported_responsible(fields(header)) == address


@given(st.binary(max_size=300))
def test_whatever_comes_nothing_raises(data: bytes) -> None:
    found = fields(data)
    addresses([one.value for one in named(found, "from")])
    purported_responsible(found)


def test_a_domain_longer_than_any_name_is_none() -> None:
    assert ascii_domain("é" * 300 + ".test") == "é" * 300 + ".test"
    assert ascii_domain("é.test") == "xn--9ca.test"
