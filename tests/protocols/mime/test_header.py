"""One reader of header sections, whoever asks: the same lines are fields for IMAP, DMARC, submission, the outbox and loops."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.authentication import header as authentication
from postern.protocols.mime.header import (
    MAX_FIELDS,
    begins_with_field,
    count_fields,
    first_value,
    has_too_many_fields,
    header_end,
    lines_end,
    parse_fields,
    split_fields,
)
from postern.protocols.mime.sections import header_fields
from postern.services.smtp.data import Gathering
from postern.transport.submission import NotAllowed, Submitter, fix_header

ALICE = Submitter("alice@x.test", frozenset({"alice@x.test"}))

PIECES = (
    *(
        b"From: alice@x.test",
        b"FROM : bob@y.test",
        b"From\t:bob@y.test",
        b"Fr\0om: bob@y.test",
        b"From\xc2\xa0: bob@y.test",
    ),
    *(b" From: bob@y.test", b"\tFrom: bob@y.test", b": From: bob@y.test", b"From", b"From:", b"From bob@y.test Mon"),
    *(
        b"X: from: bob",
        b"Received: a",
        b"received :b",
        b"\rFrom: bob@y.test",
        b"From\r: bob@y.test",
        b"\x0bFrom: bob@y.test",
    ),
)
SECTIONS = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from([b"\r\n", b"\n"])), max_size=8).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


@given(SECTIONS)
def test_all_readers_see_the_same_from(header: bytes) -> None:
    """What IMAP's envelope is made of is what DMARC and the filters ask about, and what submission allows."""
    values = [value for name, value in parse_fields(header, 0, len(header)).ordered if name == b"from"]
    assert [one.value for one in authentication.named(authentication.fields(header), "from")] == values
    assert count_fields(header, b"from") == len(values)
    assert first_value(header, b"from") == (values[0] if values else None)
    chosen = header_fields(header, [b"from"])
    assert [one[1] for one in split_fields(header) if one[0] == b"from"] == [
        one[1] for one in split_fields(chosen[:-2])
    ]
    fixed = fix_header(header, ALICE, 0.0, "unique", "hub.test")
    if not isinstance(fixed, NotAllowed):
        shown = parse_fields(fixed, 0, len(fixed))
        assert [value for name, value in shown.ordered if name == b"from"] == (values or [b"<alice@x.test>"])


@given(SECTIONS, st.sampled_from([b"", b"\r\nbody", b"\nbody", b"\r\n\r\n"]))
def test_all_readers_end_the_header_where_the_empty_line_is(header: bytes, rest: bytes) -> None:
    content = b"A: b\r\n" + header + rest
    end = lines_end(content)
    assert (end < 0) == (not rest)
    assert rest == b"" or (content[:end], content[end:]) == (b"A: b\r\n" + header, rest)
    assert header_end(content, 0, len(content)) == (len(content) if end < 0 else end + (2 if rest[0] == 13 else 1))


@given(SECTIONS)
def test_nothing_is_lost(header: bytes) -> None:
    assert b"".join(field for _, field in split_fields(header)) == header
    assert b"".join(field for _, field in split_fields(header, 3)) == header
    assert all(not name or begins_with_field(field) for name, field in split_fields(header))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"Subject: x", b"subject"),
        (b"Subject \t: x", b"subject"),  # RFC 5322 section 4.5
        (b"Sub ject: x", b""),
        (b"Fr\0om: x", b""),
        (b"From\r: x", b""),
        (b"no field", b""),
        (b": x", b""),
        (b" continued: x", b""),
    ],
)
def test_names(line: bytes, name: bytes) -> None:
    assert split_fields(line + b"\r\n") == [(name, line + b"\r\n")]
    assert split_fields(line) == [(name, line)]


def test_received_fields_are_counted() -> None:
    header = (
        b"Received: a\r\nX: received: no\r\nRECEIVED: b\r\n\tReceived: folded\r\nreceived : c\r\nReceived-SPF: pass\r\n"
    )
    assert count_fields(header, b"received") == 3


def test_a_value_is_unfolded() -> None:
    assert first_value(b"X: y\r\nMessage-ID:\r\n <1@x>\r\nmessage-id: <2@x>\r\n", b"message-id") == b"<1@x>"
    assert first_value(b"X: y\r\n\tMessage-ID: <1@x>", b"message-id") is None


def test_fields_behind_the_bound_are_a_nameless_rest() -> None:
    header = b"X: y\r\n" * MAX_FIELDS + b"From: boss@x.test\r\n"
    assert has_too_many_fields(header) and not has_too_many_fields(header[6:])
    assert split_fields(header)[-1] == (b"", b"From: boss@x.test\r\n")
    assert not has_too_many_fields(b"X: y\r\n" + b"\tmore\r\n" * 2 * MAX_FIELDS)
    assert fix_header(header, ALICE, 0.0, "unique", "hub.test") == NotAllowed(
        554, "5.6.0", f"The header has more than {MAX_FIELDS} fields"
    )


@given(SECTIONS)
def test_what_comes_by_smtp_ends_there_too(header: bytes) -> None:
    content = (b"A: b\r\n" + header + b"\r\nbody").replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    gathering = Gathering(Path(), 1 << 20)
    gathering.add(content)
    assert gathering.split() == (content[: lines_end(content)], content[lines_end(content) :])
