"""Worst cases of what reads DNS records and signatures: protocols.authentication."""

from __future__ import annotations

from functools import partial
from ipaddress import ip_address

from postern.protocols.authentication import (
    canonical,
    dkim,
    dkim_records,
    dmarc,
    header,
    results,
    spf,
    spf_macros,
    spf_record,
    tags,
)
from postern.protocols.authentication.canonical import CanonicalBody, Canonicalization
from postern.protocols.authentication.header import Field
from postern.protocols.authentication.questions import Answer, Found, answered
from tests.bounds.growth import Cases, Work, pieces

A = "protocols.authentication."
RELAXED = Canonicalization.RELAXED
FACTS = spf_macros.Facts(ip_address("192.0.2.1"), "a.test", "a." * 100 + "a@x.test")
SIGNATURE = b"DKIM-Signature: v=1; a=rsa-sha256; d=x.test; s=s; bh=AAAA; b=AAAA; h=from"


def _body(size: int, pattern: bytes) -> Work:
    data = pattern * (size // len(pattern))

    def work() -> None:
        body = CanonicalBody(RELAXED, lambda octets: None)
        for piece in pieces(data, 4099):
            body.add(piece)
        body.finish()

    return work


def _signed(size: int) -> Work:
    field = Field("dkim-signature", SIGNATURE + b":from" * 400 + b"; x" + b" ;" * (size // 4) + b"\r\n")
    found = [Field("from", b"From: a\r\n")] * (size // 20)
    signature = dkim_records.parse_signature(Field("dkim-signature", SIGNATURE + b":from" * 400 + b"\r\n"))
    assert isinstance(signature, dkim_records.Signature)
    return partial(dkim.signed_octets, signature, [*found, field])


def _spf(size: int) -> Work:
    record = "v=spf1 " + "exists:%{s}.%{s}.%{s} " * (min(size, 16_000) // 22) + "-all"
    answer = Answer(Found.YES, (record,))

    def work() -> None:
        answered(spf.spf(ip_address("192.0.2.1"), "a.test", "a@x.test"), lambda question: answer)

    return work


def _dmarc(size: int) -> Work:
    answer = Answer(Found.YES, ("v=DMARC1;" + " " * (size // 2) + "p=reject" + ";" * (size // 2),))
    domains = [f"{number}.test" for number in range(size // 8)]

    def work() -> None:
        answered(dmarc.dmarc(domains[:4], "", domains, lambda name: name, 0.0), lambda question: answer)

    return work


CASES: Cases = {
    A + "canonical.canonical_field": lambda size: partial(
        canonical.canonical_field, b"a:" + b"\r\n \t" * (size // 4), RELAXED
    ),
    A + "canonical.CanonicalBody: blanks": lambda size: _body(size, b" \t"),
    A + "canonical.CanonicalBody: empty lines": lambda size: _body(size, b"\r\n"),
    A + "canonical.CanonicalBody: lone returns": lambda size: _body(size, b" \r"),
    A + "dkim.signatures": lambda size: partial(
        dkim.signatures, [Field("dkim-signature", SIGNATURE + b":a" * (size // 40) + b"\r\n")] * 20
    ),
    A + "dkim.body_hashes": lambda size: partial(
        dkim.body_hashes, [(RELAXED, None), (Canonicalization.SIMPLE, 3)], [b" \r\n" * (size // 3)]
    ),
    A + "dkim.signed_octets": _signed,
    A + "dkim_records.parse_signature": lambda size: partial(
        dkim_records.parse_signature, Field("dkim-signature", SIGNATURE + b" " * (size // 5) + b"x;" + b"\r\n")
    ),
    A + "dkim_records.parse_key": lambda size: partial(dkim_records.parse_key, "v=DKIM1; p=" + "A " * (size // 8)),
    A + "dmarc.parse_dmarc": lambda size: partial(dmarc.parse_dmarc, "v=DMARC1" + " ;" * (size // 2)),
    A + "dmarc.dmarc": _dmarc,
    A + "header.fields": lambda size: partial(header.fields, b"\r\n " * (size // 3)),
    A + "header.addresses": lambda size: partial(header.addresses, [b"<" + b"(" * size, b"a@" * (size // 2)]),
    A + "header.ascii_domain: marks": lambda size: partial(header.ascii_domain, "\u0300\u0316" * (size // 4)),
    A + "header.ascii_domain: labels": lambda size: partial(header.ascii_domain, "é." * (min(size, 1 << 21) // 3)),
    A + "results.claims_to_be: comments": lambda size: partial(
        results.claims_to_be, Field("a", b"a:" + b"()" * (size // 2)), frozenset()
    ),
    A + "results.without_claims": lambda size: partial(
        results.without_claims, b"Authentication-Results: x; none\r\n" * (size // 33), ("x", "y")
    ),
    A + "results.read_results": lambda size: partial(
        results.read_results, Field("a", b"a:x;" + b'"a=b";c=d;' * (size // 11))
    ),
    A + "results.claims_to_be: blanks": lambda size: partial(
        results.claims_to_be, Field("a", b"a:x" + b' "\\' * (size // 3)), frozenset()
    ),
    A + "spf.spf": _spf,
    A + "spf_macros.expanded: labels": lambda size: partial(
        spf_macros.expanded, "a." * (size // 2), FACTS, "x.test", ()
    ),
    A + "spf_macros.expanded: macros": lambda size: _unless_too_much("%{S}" * (size // 400)),
    A + "spf_macros.expanded: digits": lambda size: _unless_too_much("%{s" + "0" * (size - 4) + "1}"),
    A + "spf_record.parse_record: macros": lambda size: partial(
        spf_record.parse_record, "v=spf1 a:" + "%{d}" * (min(size, 16_000) // 4) + "%"
    ),
    A + "spf_record.parse_record: slashes": lambda size: partial(
        spf_record.parse_record, "v=spf1 a:x.test" + "/1" * (min(size, 16_000) // 2)
    ),
    A + "tags.parse_tags: blanks": lambda size: partial(tags.parse_tags, "a=b" + " " * (size // 9) + "c d;" * 2),
    A + "tags.parse_tags: a name": lambda size: partial(tags.parse_tags, "a" * (size // 9) + " " * (size // 9)),
}


def _unless_too_much(text: str) -> Work:
    def work() -> None:
        try:
            spf_macros.expanded(text, FACTS, "x.test", ())
        except ValueError:
            return

    return work
