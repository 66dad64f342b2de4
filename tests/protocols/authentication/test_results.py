"""Authentication-Results: what we write another reader reads, and whose a field claims to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.authentication.header import fields
from postern.protocols.authentication.results import (
    MethodResult,
    authentication_results,
    claims_to_be,
    read_results,
    vouching,
)

NAMES = frozenset({"edge1.corp.test", "corp.test"})


def test_written() -> None:
    results = [
        MethodResult("spf", "pass", (("smtp.mailfrom", "bob@d.test"),), "mx of d.test"),
        MethodResult("dkim", "none"),
    ]
    assert authentication_results("edge1.corp.test", results) == (
        b"Authentication-Results: edge1.corp.test;\r\n\tspf=pass (mx of d.test) smtp.mailfrom=bob@d.test;\r\n\tdkim=none\r\n"
    )
    assert authentication_results("e.test", []) == b"Authentication-Results: e.test; none\r\n"


@given(st.text(max_size=60), st.text(max_size=60))
def test_nothing_that_a_stranger_says_ends_the_field(value: str, comment: str) -> None:
    """Results, comments and properties hold strangers' words: the header stays one field, its results stay what they are."""
    written = authentication_results(
        "e.test", [MethodResult("spf", "fail", (("smtp.mailfrom", value),), comment), MethodResult("dkim", "fail")]
    )
    assert len(fields(written)) == 1 and written.count(b"\r\n") == 3
    outside, depth, quoted = "", 0, False
    for character in written.decode():
        if character == '"' and not depth:
            quoted = not quoted
        elif not quoted:
            depth += (character == "(") - (character == ")")
            outside += character if not depth else ""
    assert not quoted and not depth and outside.count(";") == 2 and "pass" not in outside.replace(value, "")


@pytest.mark.parametrize(
    ("value", "ours"),
    [
        ("edge1.corp.test; dmarc=pass", True),
        (" EDGE1.corp.test. ; x", True),
        ('"edge1.corp.test"; x', True),
        ('"edge1\\.corp.test"; x', True),
        ("(comment (nested)) corp.test; x", True),
        ("corp.test 1; x", True),
        ("\r\n corp.test; x", True),
        ("(never closed corp.test; x", True),
        (";", True),
        ("", True),
        ("mx.other.test; dmarc=pass", False),
        ("notcorp.test; x", False),
    ],
)
def test_whose_it_claims_to_be(value: str, ours: bool) -> None:
    [field] = fields(f"Authentication-Results: {value}\r\n".encode())
    assert claims_to_be(field, NAMES) == ours


@given(st.binary(max_size=200))
def test_whatever_comes_nothing_raises(data: bytes) -> None:
    for field in fields(b"Authentication-Results: " + data + b"\r\n"):
        claims_to_be(field, NAMES)


def test_comments_in_front_hide_no_name() -> None:
    ours = frozenset({"mx.good.test"})
    assert claims_to_be(fields(b"Authentication-Results: (a (b)) (c)\r\n mx.good.test; none\r\n")[0], ours)
    assert not claims_to_be(fields(b"Authentication-Results: (mx.good.test) other.test; none\r\n")[0], ours)
    # More comments than anybody reads: what stands behind them is not believed.
    assert claims_to_be(fields(b"Authentication-Results: " + b"()" * 5000 + b" other.test; none\r\n")[0], ours)


ALIGNED, BELOW, OTHER = "pass d.test", "pass mail.d.test", "pass attacker.test"


@pytest.mark.parametrize(
    ("spf", "dkim", "dmarc", "vouched"),
    [
        ("fail", "none", "fail d.test", False),
        ("fail", "fail d.test", "none", False),
        ("softfail", "none", "none", False),
        ("none", OTHER, "fail d.test", False),
        ("fail", OTHER, "none", False),
        ("fail", "pass notd.test", "none", False),
        ("fail", OTHER, OTHER, False),  # From is the attacker's own, and passes
        ("fail", "pass", "none", False),
        ("pass", "none", "fail d.test", True),  # the envelope's sender is real, whatever From says
        ("fail", ALIGNED, ALIGNED, True),
        ("fail", ALIGNED, "none", True),
        ("fail", BELOW, "none", True),
        ("fail", ALIGNED, "fail other.test", True),  # the envelope's domain has signed
        ("none", "none", "none", None),
        ("neutral", "fail d.test", "none", None),
        ("temperror", "none", "temperror d.test", None),
    ],
)
def test_whether_something_vouches_for_the_sender(spf: str, dkim: str, dmarc: str, vouched: bool | None) -> None:
    def of(method: str, name: str, said: str) -> MethodResult:
        result, _, domain = said.partition(" ")
        return MethodResult(method, result, ((name, domain),), "; dkim=pass header.d=d.test")

    results = [
        MethodResult("spf", spf, (("smtp.mailfrom", "spf=pass; dmarc=pass@d.test"),), "; dkim=pass header.d=d.test"),
        of("dkim", "header.d", dkim),
        of("dmarc", "header.from", dmarc),
        MethodResult("dkim", "fail", (("header.d", 'x" header.d=d.test ; spf=pass'),)),
    ]
    [field] = fields(authentication_results("e.test", results))
    found = read_results(field)
    assert [(one.method, one.result) for one in found] == [(one.method, one.result) for one in results]
    assert vouching(found, "bob@D.test") is vouched


def test_a_domain_is_aligned_in_letters_and_in_a_labels() -> None:
    results = [MethodResult("spf", "fail"), MethodResult("dkim", "pass", (("header.d", "xn--mnchen-3ya.test"),))]
    [field] = fields(authentication_results("e.test", results))
    assert vouching(read_results(field), "bob@m\u00fcnchen.test")
    assert vouching(read_results(field), "postmaster") is False
