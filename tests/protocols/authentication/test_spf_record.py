"""SPF records to terms: what is one, what is a syntax error anywhere, and that nothing raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.authentication.spf_record import is_spf1, is_spf2_pra, parse_record


def test_terms_in_order() -> None:
    record = parse_record(
        "v=spf1 +a:%{d2}.x.test/24//64 -ip4:192.0.2.0/24 ?ip6:2001:db8::/32 ~all redirect=r.test exp=e.test"
    )
    assert record is not None
    shown = [(one.qualifier, one.mechanism, one.domain, one.four, one.six) for one in record.directives]
    assert shown == [
        ("+", "a", "%{d2}.x.test", 24, 64),
        ("-", "ip4", "", 32, 128),
        ("?", "ip6", "", 32, 128),
        ("~", "all", "", 32, 128),
    ]
    assert str(record.directives[1].network) == "192.0.2.0/24" and str(record.directives[2].network) == "2001:db8::/32"
    assert (record.redirect, record.explanation) == ("r.test", "e.test")


GOOD = """
a | MX/0 | a//0 | a:x.test | ip4:192.0.2.1 | ip6:::1/128 | unknown=%{c} | exists:%{ir}.x.test | a:%{d} | include:_spf.x.test.
ptr:x.test | a:x.123abc | redirect=%{h} | all  a
"""
MALFORMED = """
all:x | all/8 | include | include: | exists:x | a:x.123 | a/33 | a//129 | a/032 | ip4:1.2.3 | ip4:1.2.3.4/33 | ip4 | mx: | ptr:
ip6:1.2.3.4 | ip6:fe80::1%eth0 | redirect= | exp= | redirect=a.test redirect=a.test | bogus | a b:c | exists:%{c}.x.test
exists:%{d0}.x.test | exists:%.x.test | exists:%{dx.test | a:x.test\t | - | =x | u=% | a:x y=\u00e4 | a:x.-test-
"""


def _terms(lines: str) -> list[str]:
    return [term.strip(" ") for line in lines.strip().split("\n") for term in line.split("|")]


@pytest.mark.parametrize("terms", ["", *_terms(GOOD)])
def test_good(terms: str) -> None:
    assert parse_record(f"v=spf1 {terms}") is not None


@pytest.mark.parametrize("terms", _terms(MALFORMED))
def test_malformed(terms: str) -> None:
    assert parse_record(f"v=spf1 {terms}") is None


def test_versions() -> None:
    assert is_spf1("v=spf1") and is_spf1("V=SPF1 all") and not is_spf1("v=spf10 all") and not is_spf1("v=spf1\tall")
    assert is_spf2_pra("spf2.0/mfrom,pra +all") and not is_spf2_pra("spf2.0/mfrom +all")


def test_a_huge_record_is_malformed_and_costs_nothing() -> None:
    assert parse_record("v=spf1 " + "a " * 600) is None
    assert parse_record("v=spf1 " + "a" * 100_000) is None
    assert parse_record("v=spf1 exists:" + "%{d}" * 3000 + "%") is None


@given(st.text(max_size=200))
def test_whatever_comes_nothing_raises(text: str) -> None:
    parse_record("v=spf1 " + text)


@given(st.lists(st.sampled_from(["a", ":", "/", "%", "{", "d", "}", "x.test", "=", "//", "24", "-", " "]), max_size=20))
def test_what_looks_like_a_record_does_not_raise_either(parts: list[str]) -> None:
    parse_record("v=spf1 " + "".join(parts))
