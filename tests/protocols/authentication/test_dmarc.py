"""DMARC: records, alignment, the organizational domain, sampling, and From fields that try to confuse."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.authentication.dmarc import DmarcPolicy, DmarcResult, DmarcVerdict, dmarc, parse_dmarc
from postern.protocols.authentication.questions import Question, answered
from tests.protocols.authentication.zone import Zone, look_up

ZONE: Zone = {
    ("_dmarc.d.test", "TXT"): ["v=DMARC1; p=reject; sp=quarantine"],
    ("_dmarc.strict.test", "TXT"): ["v=DMARC1; p=reject; adkim=s; aspf=s"],
    ("_dmarc.half.test", "TXT"): ["v=DMARC1; p=reject; pct=50"],
    ("_dmarc.two.test", "TXT"): ["v=DMARC1; p=reject", "v=DMARC1; p=none"],
    ("_dmarc.bad.test", "TXT"): ["v=DMARC1; p=perhaps"],
    ("_dmarc.down.test", "TXT"): ["?"],
    ("_dmarc.xn--vf4b131b.test", "TXT"): ["v=DMARC1; p=reject; adkim=s; aspf=s"],
    ("_dmarc.none.test", "TXT"): ["v=DMARC1; p=none"],
    ("_dmarc.blanks.test", "TXT"): ["v = DMARC1 ; p=reject;;", "v=DMARC10; p=none"],
}


def organizational(name: str) -> str:
    return ".".join(name.split(".")[-2:])


def check(
    authors: Sequence[str],
    spf: str = "",
    dkim: Sequence[str] = (),
    sample: float = 0.0,
    unsure: Sequence[str] = (),
    asked: list[Question] | None = None,
) -> DmarcVerdict:
    return answered(dmarc(authors, spf, dkim, organizational, sample, unsure), look_up(ZONE, asked))


@pytest.mark.parametrize(
    ("authors", "spf", "dkim", "result", "policy"),
    [
        (["d.test"], "d.test", [], "pass", "none"),
        (["d.test"], "bounce.d.test", [], "pass", "none"),
        (["d.test"], "", ["D.test"], "pass", "none"),
        (["news.d.test"], "", ["d.test"], "pass", "none"),
        (["d.test"], "evil.test", ["evil.test"], "fail", "reject"),
        (["news.d.test"], "evil.test", [], "fail", "quarantine"),
        (["strict.test"], "m.strict.test", ["m.strict.test"], "fail", "reject"),
        (["strict.test"], "strict.test", [], "pass", "none"),
        (["xn--vf4b131b.test"], "회사.test", [], "pass", "none"),
        (["회사.test"], "", ["xn--vf4b131b.test"], "pass", "none"),
        (["nothing.test"], "", [], "none", "none"),
        (["two.test"], "", [], "none", "none"),
        (["bad.test"], "", [], "permerror", "none"),
        (["down.test"], "", [], "temperror", "none"),
        (["none.test"], "", [], "fail", "none"),
        (["blanks.test"], "", [], "fail", "reject"),
        ([], "d.test", [], "permerror", "none"),
        (["a..b"], "", [], "permerror", "none"),
        # Two authors: the strictest verdict, whichever stands first (RFC 7489 section 6.6.1).
        (["evil.test", "d.test"], "evil.test", ["evil.test"], "fail", "reject"),
        (["d.test", "evil.test"], "evil.test", ["evil.test"], "fail", "reject"),
        (["a.test", "b.test", "c.test", "e.test", "d.test"], "", [], "permerror", "none"),
    ],
)
def test_verdicts(authors: list[str], spf: str, dkim: list[str], result: str, policy: str) -> None:
    verdict = check(authors, spf, dkim)
    assert (verdict.result, verdict.policy) == (result, policy)


def test_what_is_wrong_with_the_number_of_records_is_said() -> None:
    assert check(["nothing.test"]).why == "nothing.test publishes no record"
    assert check(["two.test"]).why == "two.test publishes 2 records"


def test_two_questions_at_most() -> None:
    asked: list[Question] = []
    check(["a.b.c.d.test"], asked=asked)
    assert [one.name for one in asked] == ["_dmarc.a.b.c.d.test", "_dmarc.d.test"]


def test_sampling() -> None:
    assert check(["half.test"], sample=0.4).policy is DmarcPolicy.REJECT
    assert check(["half.test"], sample=0.6).policy is DmarcPolicy.QUARANTINE


def test_who_could_not_be_asked_is_not_condemned() -> None:
    assert check(["d.test"], unsure=["d.test"]).result is DmarcResult.TEMP_ERROR
    # A forger's own dead domain is no excuse.
    assert check(["d.test"], unsure=["evil.test"]).result is DmarcResult.FAIL


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("v=DMARC1; p=none", True),
        ("v=DMARC1;p=reject;", True),
        ("p=none; v=DMARC1", False),
        ("v=DMARC1", False),
        ("v=DMARC1; rua=mailto:x@d.test", True),
        ("v=DMARC1; p=none; sp=what", False),
        ("v=DMARC2; p=none", False),
        ("v=DMARC1; p=none; p=reject", False),
        # RFC 7489 section 6.4: blanks around the equals sign; a semicolon too many separates nothing.
        ("v = DMARC1 ; p = reject", True),
        ("v=DMARC1; p=reject;;", True),
        ("v=DMARC1;;p=reject; ;", True),
    ],
)
def test_records(text: str, good: bool) -> None:
    assert (parse_dmarc(text) is not None) == good


@pytest.mark.parametrize(("percent", "read"), [("0", 0), ("200", 100), ("x", 100), ("", 100), ("\u0664", 100)])
def test_percent(percent: str, read: int) -> None:
    record = parse_dmarc(f"v=DMARC1; p=reject; pct={percent}")
    assert record is not None and record.percent == read


@given(st.text(max_size=200))
def test_whatever_comes_nothing_raises(text: str) -> None:
    parse_dmarc(text)
    parse_dmarc("v=DMARC1; " + text)


@given(st.lists(st.text(max_size=20), max_size=6), st.text(max_size=10), st.lists(st.text(max_size=10), max_size=3))
def test_whatever_from_names_it_ends(authors: list[str], spf: str, dkim: list[str]) -> None:
    assert check(authors, spf, dkim).result in DmarcResult
