"""check_host() against zones of our own: every mechanism, every result, the limits, and what attackers would make of them.

covers: spf_macros, questions
"""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.authentication.questions import Answer, Found, Kind, Question, answered
from postern.protocols.authentication.spf import SpfResult, SpfVerdict, sender_id, spf
from postern.protocols.authentication.spf_macros import Facts, expanded
from postern.protocols.authentication.spf_record import is_spf2_pra
from tests.protocols.authentication.zone import Zone, look_up


def check(zone: Zone, address: str = "192.0.2.7", sender: str = "bob@d.test", helo: str = "h.test") -> SpfVerdict:
    return answered(spf(ipaddress.ip_address(address), helo, sender, explain=True), look_up(zone))


def of(terms: str, **more: list[str]) -> dict[tuple[str, str], list[str]]:
    """`more` by "name__KIND" with _ for a dot."""
    zone = {("d.test", "TXT"): [f"v=spf1 {terms}"]}
    for key, records in more.items():
        name, _, kind = key.rpartition("__")
        zone[name.replace("_", "."), kind] = records
    return zone


@pytest.mark.parametrize(
    ("zone", "result"),
    [
        (of("ip4:192.0.2.0/24 -all"), "pass"),
        (of("-ip4:192.0.2.7"), "fail"),
        (of("~all"), "softfail"),
        (of("?all"), "neutral"),
        (of("ip4:198.51.100.0/24"), "neutral"),
        (of("a -all", d_test__A=["192.0.2.7"]), "pass"),
        (of("a/24 -all", d_test__A=["192.0.2.200"]), "pass"),
        (of("a:x.test -all", x_test__A=["192.0.2.9"]), "fail"),
        (of("mx -all", d_test__MX=["m.test"], m_test__A=["192.0.2.7"]), "pass"),
        (of("mx -all", d_test__MX=["m.test"], m_test__A=["192.0.2.8"]), "fail"),
        (of("exists:%{i}.x.test -all", **{"192_0_2_7_x_test__A": ["127.0.0.2"]}), "pass"),
        (of("exists:%{i}.x.test -all"), "fail"),
        (of("include:i.test -all", i_test__TXT=["v=spf1 ip4:192.0.2.7 -all"]), "pass"),
        (of("include:i.test ~all", i_test__TXT=["v=spf1 -all"]), "softfail"),
        (of("include:i.test -all"), "permerror"),
        (of("redirect=r.test", r_test__TXT=["v=spf1 -all"]), "fail"),
        (of("redirect=r.test"), "permerror"),
        (of("ptr -all", **{"7_2_0_192_in-addr_arpa__PTR": ["m.d.test"], "m_d_test__A": ["192.0.2.7"]}), "pass"),
        (of("ptr -all", **{"7_2_0_192_in-addr_arpa__PTR": ["m.d.test"], "m_d_test__A": ["192.0.2.8"]}), "fail"),
        (of("ptr -all", **{"7_2_0_192_in-addr_arpa__PTR": ["m.other.test"], "m_other_test__A": ["192.0.2.7"]}), "fail"),
        (of("bogus"), "permerror"),
        (of("a -all", d_test__A=["?"]), "temperror"),
        ({("d.test", "TXT"): ["?"]}, "temperror"),
        ({("d.test", "TXT"): ["v=spf1 all", "v=spf1 all"]}, "permerror"),
        ({("d.test", "TXT"): ["other", "v=spf1 ip4:192.0.2.7"]}, "pass"),
        ({("d.test", "TXT"): ["other"]}, "none"),
        ({}, "none"),
    ],
)
def test_results(zone: Zone, result: str) -> None:
    assert check(zone).result == result


def test_addresses_of_version_6() -> None:
    zone = of("a -all", d_test__AAAA=["2001:db8::7"], d_test__A=["192.0.2.7"])
    assert check(zone, "2001:db8::7").result is SpfResult.PASS
    assert check(zone, "2001:db8::8").result is SpfResult.FAIL
    assert check(zone, "::ffff:192.0.2.7").result is SpfResult.PASS


def test_the_null_sender_is_the_greeting() -> None:
    zone = {
        ("h.test", "TXT"): ["v=spf1 exists:%{l}.%{o}.x.test -all"],
        ("postmaster.h.test.x.test", "A"): ["127.0.0.2"],
    }
    assert check(zone, sender="").result is SpfResult.PASS
    assert check(zone, sender="", helo="[192.0.2.7]").result is SpfResult.NONE


def test_ten_look_ups_and_no_more() -> None:
    names = {(f"i{n}.test", "TXT"): ["v=spf1 ip4:203.0.113.1 ?all"] for n in range(11)}
    ten = {("d.test", "TXT"): ["v=spf1 " + " ".join(f"include:i{n}.test" for n in range(10)) + " -all"], **names}
    assert check(ten).result is SpfResult.FAIL
    eleven = {("d.test", "TXT"): ["v=spf1 " + " ".join(f"include:i{n}.test" for n in range(11)) + " -all"], **names}
    assert check(eleven).result is SpfResult.PERM_ERROR


def test_a_loop_ends() -> None:
    asked: list[Question] = []
    loop = {("d.test", "TXT"): ["v=spf1 include:d.test -all"]}
    verdict = answered(spf(ipaddress.ip_address("192.0.2.7"), "h", "x@d.test"), look_up(loop, asked))
    assert verdict.result is SpfResult.PERM_ERROR and len(asked) == 11
    assert check({("d.test", "TXT"): ["v=spf1 redirect=d.test"]}).result is SpfResult.PERM_ERROR


def test_two_void_look_ups_and_no_more() -> None:
    assert check(of("a:n1.test a:n2.test -all")).result is SpfResult.FAIL
    assert check(of("a:n1.test a:n2.test a:n3.test -all")).result is SpfResult.PERM_ERROR


def test_eleven_mail_hosts_are_too_many() -> None:
    hosts = [f"m{n}.test" for n in range(11)]
    zone = of("mx -all", d_test__MX=hosts) | {(host, "A"): ["203.0.113.1"] for host in hosts}
    assert check(zone).result is SpfResult.PERM_ERROR


def test_names_of_a_client_are_bounded() -> None:
    """Whoever holds the reverse zone decides how many there are."""
    names = [f"n{n}.evil.test" for n in range(1000)]
    zone = of("ptr:d.test -all") | {("7.2.0.192.in-addr.arpa", "PTR"): names} | {(n, "A"): ["192.0.2.7"] for n in names}
    asked: list[Question] = []
    verdict = answered(spf(ipaddress.ip_address("192.0.2.7"), "h", "x@d.test"), look_up(zone, asked))
    assert verdict.result is SpfResult.FAIL and len(asked) == 12


def test_an_explanation() -> None:
    zone = of("-all exp=e.test", e_test__TXT=["%{i} is not one of %{d}'s; see http://%{d}/?s=%{S}"])
    assert check(zone).explanation == "192.0.2.7 is not one of d.test's; see http://d.test/?s=bob%40d.test"


@pytest.mark.parametrize("text", ["bad\r\n250 Ok", "caf\u00e9", "%{x}", "% alone"])
def test_an_explanation_that_cannot_be_said_is_none(text: str) -> None:
    verdict = check(of("-all exp=e.test", e_test__TXT=[text]))
    assert (verdict.result, verdict.explanation) == (SpfResult.FAIL, "")


def test_the_examples_of_the_specification() -> None:
    """RFC 7208 section 7.4."""
    facts = Facts(ipaddress.ip_address("192.0.2.3"), "h.test", "strong-bad@email.example.com")
    domain = "email.example.com"
    for text, said in {
        "%{s}": "strong-bad@email.example.com",
        "%{d4}": "email.example.com",
        "%{d1}": "com",
        "%{dr}": "com.example.email",
        "%{d2r}": "example.email",
        "%{l-}": "strong.bad",
        "%{lr-}": "bad.strong",
        "%{l1r-}": "strong",
        "%{ir}.%{v}._spf.%{d2}": "3.2.0.192.in-addr._spf.example.com",
        "%{d2}.trusted-domains.example.net": "example.com.trusted-domains.example.net",
        "%%%_%-": "% %20",
    }.items():
        assert expanded(text, facts, domain, ()) == said
    six = Facts(ipaddress.ip_address("2001:db8::cb01"), "h.test", "x@y.test")
    nibbles = ".".join("10bc" + "0" * 20 + "8bd01002")
    assert expanded("%{ir}.%{v}", six, domain, ()) == f"{nibbles}.ip6"


def test_a_name_that_grows_too_long_loses_labels_in_front() -> None:
    facts = Facts(ipaddress.ip_address("192.0.2.3"), "h.test", "x@" + "l." * 120 + "test")
    long = expanded("%{o}.%{o}", facts, "d.test", ())
    assert len(long) <= 253 and long.endswith(".test")


def test_sender_id_reads_its_own_records() -> None:
    zone = {("d.test", "TXT"): ["v=spf1 -all", "spf2.0/pra ip4:192.0.2.7 -all"]}
    machine = sender_id(ipaddress.ip_address("192.0.2.7"), "h.test", "bob@d.test", is_spf2_pra)
    assert answered(machine, look_up(zone)).result is SpfResult.PASS


ANSWERS = st.builds(
    Answer,
    st.sampled_from(Found),
    st.lists(st.text(max_size=40) | st.sampled_from(["v=spf1 mx a ptr", "x.test"])).map(tuple),
)


@given(st.lists(ANSWERS, max_size=40), st.text(max_size=30), st.text(max_size=30))
def test_whatever_dns_says_it_ends(answers: list[Answer], sender: str, helo: str) -> None:
    left = iter(answers)
    machine = spf(ipaddress.ip_address("192.0.2.7"), helo, f"{sender}@d.test", explain=True)
    asked = 0
    while machine.question is not None:
        asked += 1
        assert asked < 300
        assert machine.question.kind in Kind
        machine.answer(next(left, Answer(Found.YES, ("v=spf1 include:d.test mx ptr",))))
    assert machine.result.result in SpfResult


def test_macros_make_no_more_than_a_bound() -> None:
    facts = Facts(ipaddress.ip_address("192.0.2.1"), "a.test", "a." * 100 + "@x.test")
    with pytest.raises(ValueError, match="too much"):
        expanded("%{s}" * 4000, facts, "x.test", ())


def test_a_long_name_loses_its_first_labels_at_once() -> None:
    facts = Facts(ipaddress.ip_address("192.0.2.1"), "a.test", "a@x.test")
    name = expanded("ab." * 5000 + "x.test", facts, "x.test", ())
    assert name == "ab." * 82 + "x.test" and len(name) <= 253 < len(name) + 3
