"""Blocked senders, domains and all that is below a domain, in the envelope and in From."""

from __future__ import annotations

import pytest

from postern.protocols.authentication.header import fields
from postern.transport.agents.sender_filter import Addresses, SenderFilter, SenderFilterSettings, checked_sender

AGENT = SenderFilter(SenderFilterSettings(("spam@bulk.test", "junk.test", "*.evil.test"), blank=True))


@pytest.mark.parametrize(
    ("sender", "refused"),
    [
        ("spam@bulk.test", True),
        ("SPAM@Bulk.Test", True),
        ("ham@bulk.test", False),
        ("any@junk.test", True),
        ("any@sub.junk.test", False),
        ("any@evil.test", True),
        ("any@deep.sub.evil.test", True),
        ("any@notevil.test", False),
        ("", False),
    ],
)
def test_senders(sender: str, refused: bool) -> None:
    assert (AGENT.mail(sender) is not None) == refused


@pytest.mark.parametrize(
    "listed", ["a@회사.test", "a@xn--vf4b131b.test", "회사.test", "xn--VF4B131B.test", "*.회사.test"]
)
@pytest.mark.parametrize("sender", ["a@회사.test", "A@XN--vf4b131b.test"])
def test_a_domain_is_blocked_in_either_spelling(listed: str, sender: str) -> None:
    agent = SenderFilter(SenderFilterSettings((listed,)))
    assert agent.mail(sender) is not None
    assert agent.header("b@b.test", fields(f"From: {sender}\r\n".encode())) is not None
    assert agent.mail("a@회의.test") is None


@pytest.mark.parametrize(
    ("sender", "header", "refused"),
    [
        ("a@b.test", b"From: x@junk.test\r\n", True),
        ("a@b.test", b"From: a@b.test, x@junk.test\r\n", True),
        ("a@b.test", b'From: "x@junk.test" <a@b.test>\r\n', False),
        ("", b"From: mailer@b.test\r\n", False),
        ("", b"Subject: nobody\r\n", True),
        ("a@b.test", b"Subject: nobody\r\n", False),
    ],
)
def test_header(sender: str, header: bytes, refused: bool) -> None:
    assert (AGENT.header(sender, fields(header)) is not None) == refused


def test_blank_is_asked_for() -> None:
    assert SenderFilter(SenderFilterSettings()).header("", fields(b"Subject: x\r\n")) is None


@pytest.mark.parametrize("text", ["", "a b@x.test", "@x.test", "a@b@x.test", "x.*.test"])
def test_what_is_no_sender(text: str) -> None:
    with pytest.raises(ValueError):
        checked_sender(text)


def test_an_empty_list_is_false() -> None:
    assert not Addresses(()) and Addresses(("*.x.test",))
