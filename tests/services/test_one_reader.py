"""Whom From names is the same for everybody: for who reads by IMAP, for DMARC, the sender filter, submission and outboxes.

covers: services.mailbox.outbox
"""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from postern.protocols.authentication.header import addresses, fields, named
from postern.protocols.mime.address import Address
from postern.protocols.mime.message import render
from postern.protocols.smtp.address import parse_mailbox
from postern.services.mailbox.outbox import _addresses
from postern.transport.agents.sender_filter import SenderFilter, SenderFilterSettings
from postern.transport.submission import NotAllowed, Submitter, fix_header
from tests.protocols.mime.imap_grammar import parse

PEOPLE = ("alice@example.test", "boss@good.test", "x@attacker.test")
ALICE = Submitter(PEOPLE[0], frozenset({PEOPLE[0]}))
PIECES = [person.encode() for person in PEOPLE] + [b"<" + person.encode() + b">" for person in PEOPLE]
MARKS = [bytes([octet]) for octet in b'<>()",;:@[]. \\'] + [
    rb"\(",
    rb"\)",
    b'"Boss"',
    b"Group:",
    b"MISSING_DOMAIN",
    b"\r\n ",
]


def in_imap(header: bytes) -> list[Address]:
    """Whom a mail client shows, and answers to: RFC 9051 section 7.5.2, groups' marks and what is missing left out."""
    shown = parse(render(header + b"\r\n").envelope)[2] or []
    whole = [Address(*one) for one in shown if one[2] and one[3]]
    return [one for one in whole if one.mailbox != b"MISSING_MAILBOX" and one.host != b"MISSING_DOMAIN"]


def sender_filter_finds(header: bytes, person: str) -> bool:
    return SenderFilter(SenderFilterSettings(block=(person,))).header("y@z.test", fields(header)) is not None


@given(st.lists(st.sampled_from(PIECES + MARKS), max_size=12).map(b"".join))
@example(rb'"Boss" (\() <boss@good.test>')
@example(b'(") <boss@good.test> (" <x@attacker.test>)')
@example(b"([) <boss@good.test> (])")
@example(rb"alice@example.test (Foo \) Bar), boss@good.test")
@example(b"boss@good.test\r\nFrom: x@attacker.test")
def test_everybody_reads_the_same_authors(value: bytes) -> None:
    header = b"From: " + value + b"\r\n"
    seen = in_imap(header)
    shown = [f"{one.mailbox.decode()}@{one.host.decode()}" for one in seen if one.mailbox and one.host]
    assert shown == addresses([one.value for one in named(fields(header), "from")])
    for person in PEOPLE:
        assert sender_filter_finds(header, person) == (person in shown), person
    # Outboxes write a local part as SMTP does: in quotes where it needs them.
    assert set(_addresses(header, b"from")) == {one for one in (parse_mailbox(two.spec) for two in seen) if one}
    if value.strip() and not isinstance(fix_header(header, ALICE, 0.0, "id", "hub.example.test"), NotAllowed):
        assert set(shown) == {PEOPLE[0]}
