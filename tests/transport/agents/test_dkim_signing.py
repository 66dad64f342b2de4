"""For whom a message is signed, and the record that publishes a key."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from postern.protocols.authentication.dkim_records import Key, parse_key
from postern.protocols.authentication.header import fields
from postern.transport.agents.dkim_signing import SELECTOR, SigningKey, signing_domain


@pytest.mark.parametrize(
    ("header", "sender", "domain"),
    [
        (b"From: a@corp.test\r\n", "a@other.test", "corp.test"),
        (b"From: a@news.Corp.test\r\n", "", "corp.test"),
        (b"From: a@other.test\r\n", "list@corp.test", "corp.test"),
        (b"From: a@other.test\r\n", "a@other.test", ""),
        (b"From: a@notcorp.test\r\n", "", ""),
        (b"Subject: x\r\n", "", ""),
        (b'From: "a@corp.test" <x@evil.test>\r\n', "", ""),
        (b"From: x@evil.test, a@corp.test\r\n", "", ""),
    ],
)
def test_for_whom(header: bytes, sender: str, domain: str) -> None:
    assert signing_domain(fields(header), sender, {"corp.test"}) == domain


@pytest.mark.parametrize("author", ["a@회사.test", "a@xn--vf4b131b.test", "a@NEWS.XN--VF4B131B.test"])
def test_a_domain_in_letters_is_the_one_that_has_the_key(author: str) -> None:
    known = {"xn--vf4b131b.test"}
    assert signing_domain(fields(f"From: {author}\r\n".encode()), "", known) == "xn--vf4b131b.test"
    assert signing_domain([], author, known) == "xn--vf4b131b.test"


def test_records() -> None:
    for made, kind, begin in (
        (rsa.generate_private_key(65537, 2048), "rsa", '( "'),  # several strings stand in parentheses
        (Ed25519PrivateKey.generate(), "ed25519", '"'),
    ):
        key = SigningKey("corp.test", "s1", made)
        parsed = parse_key(key.record)
        assert isinstance(parsed, Key) and parsed.kind == kind
        assert key.zone_line.startswith(f"s1._domainkey.corp.test. IN TXT {begin}")
        assert "".join(key.zone_line.split('"')[1::2]) == key.record
        assert all(len(part) <= 255 for part in key.zone_line.split('"')[1::2])


@pytest.mark.parametrize(
    ("name", "good"), [("202611", True), ("a.b-c", True), ("-a", False), ("a_b", False), ("../x", False), ("", False)]
)
def test_selectors(name: str, good: bool) -> None:
    assert (SELECTOR.match(name) is not None) == good
