"""Fuzz target for what DNS and signatures say: `python tests/fuzz/fuzz_authentication.py -max_total_time=300`, with atheris.

The first octet says which reader gets the rest. None may raise; questions to DNS are few and for names that there can be.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern.protocols.authentication"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.protocols.authentication import dkim, dkim_records, dmarc, header, results, spf, tags
    from postern.protocols.authentication.canonical import CanonicalBody, Canonicalization, canonical_field
    from postern.protocols.authentication.questions import Answer, Found, Question, answered
    from postern.services.mailbox import authorship

from ipaddress import ip_address

QUESTIONS = 250
"""Ten look-ups that count, ten names of each, and what none of them counts (RFC 7208 section 4.6.4)."""


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a reader does what it must not."""
    if not data:
        return
    seed, rest = data[0], data[1:]
    match seed % 4:
        case 0:
            _signature(rest)
        case 1:
            _policies(rest.decode("latin-1"))
        case 2:
            _results(rest)
        case _:
            _body(rest, 1 + seed // 4)


def _signature(rest: bytes) -> None:
    found = header.fields(b"From: a@b.test\r\nDKIM-Signature: " + rest + b"\r\n")
    for one in dkim.signatures(found):
        if isinstance(one, dkim_records.Signature):
            hashed = dkim.body_hashes([(one.body, one.length)], [b"x\r\n"])
            key = Answer(Found.YES, (rest.decode("latin-1"),))
            assert dkim.verify(one, found, hashed, key, 0.0).result is not dkim.DkimResult.PASS
            assert dkim.signed_octets(one, found).isascii() or not rest.isascii()
    dkim_records.parse_key(rest.decode("latin-1"))
    parsed = tags.parse_tags(rest.decode("latin-1"))
    assert parsed is None or len(parsed) <= tags.MAX_TAGS


def _policies(text: str) -> None:
    records = tuple(f"v=spf1 {line}" for line in text.split("\n"))
    asked = 0

    def answer(question: Question) -> Answer:
        nonlocal asked
        asked += 1
        assert asked <= QUESTIONS and spf.is_name(question.name), question
        return Answer(Found.YES, records[asked % len(records) :][:1])

    verdict = answered(spf.spf(ip_address("192.0.2.1"), "h.test", "local.part@x.test", explain=True), answer)
    assert len(verdict.explanation) <= spf.MAX_EXPLANATION and verdict.explanation.isascii()
    dmarc.parse_dmarc("v=DMARC1;" + text)
    answered(
        dmarc.dmarc([text], "x.test", [], lambda name: name, 0.0),
        lambda question: Answer(Found.YES, ("v=DMARC1;" + text,)),
    )


def _results(rest: bytes) -> None:
    for field in header.fields(b"Authentication-Results: " + rest + b"\r\n"):
        results.claims_to_be(field, frozenset({"mx.good.test"}))
        results.read_results(field)
        relaxed = canonical_field(field.raw, Canonicalization.RELAXED)
        assert canonical_field(relaxed, Canonicalization.RELAXED) == relaxed
        assert canonical_field(field.raw, Canonicalization.SIMPLE) == field.raw
    trace = b"Received: from x by mx.good.test (Postern) with "
    assert authorship.is_denied(trace + rest + b"\r\n\r\n", "a@b.test", {"mx.good.test"}) in (True, False)
    proven = authorship.proven_author(trace + rest + b"\r\n\r\n", {"mx.good.test"})
    assert proven == "" or "@" in proven
    left = results.without_claims(b"Authentication-Results: " + rest + b"\r\n", ("mx.good.test",))
    assert not any(results.speaks_as(field, frozenset({"mx.good.test"})) for field in header.fields(left))
    header.purported_responsible(header.fields(rest))
    shown = results.authentication_results(
        "mx.good.test",
        [results.MethodResult("spf", "pass", (("smtp.helo", rest.decode("latin-1")),), rest.decode("latin-1"))],
    )
    assert len(header.fields(shown)) == 1


def _body(rest: bytes, step: int) -> None:
    for how in Canonicalization:
        whole, cut = bytearray(), bytearray()
        for out, size in ((whole, len(rest) or 1), (cut, step)):
            body = CanonicalBody(how, out.extend)
            for start in range(0, len(rest), size):
                body.add(rest[start : start + size])
            body.finish()
        assert whole == cut and len(whole) <= len(rest) + 2


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
