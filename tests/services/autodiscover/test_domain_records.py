"""The records that a domain should publish, and what is said of those that it publishes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from postern.model.organization import AcceptedDomain, ClientCertificates, Role, SendConnector, Server
from postern.services.autodiscover.client_services import ClientServices
from postern.services.autodiscover.domain_records import Comparison, Publication, RecordSet, compare, domain_records
from tests.services.autodiscover.callers import organization, services

WEB = ("autodiscover", "client-configuration", "caldav", "carddav")
EVERYTHING = services(*WEB)
KEY = ("one._domainkey.example.test", "v=DKIM1; k=rsa; p=" + "A" * 300)


def lines(sets: Sequence[RecordSet]) -> list[str]:
    return [line for each in sets for line in each.zone_lines]


def test_every_record_is_ready_to_paste() -> None:
    servers = (replace(organization().servers[0], addresses=("192.0.2.1", "2001:db8::1")), *organization().servers[1:3])
    sets = domain_records("example.test", organization(servers=servers), EVERYTHING, [KEY], signing=True)
    assert lines(sets) == [
        "example.test. IN MX 10 hub1.example.test.",
        'example.test. IN TXT "v=spf1 mx -all"',
        f'one._domainkey.example.test. IN TXT ( "{KEY[1][:255]}" "{KEY[1][255:]}" )',
        '_dmarc.example.test. IN TXT "v=DMARC1; p=quarantine; rua=mailto:postmaster@example.test"',
        "_imaps._tcp.example.test. IN SRV 0 1 993 cas1.example.test.",
        "_imap._tcp.example.test. IN SRV 0 1 143 cas1.example.test.",
        "_pop3s._tcp.example.test. IN SRV 10 1 995 cas1.example.test.",
        "_pop3._tcp.example.test. IN SRV 10 1 110 cas1.example.test.",
        "_submissions._tcp.example.test. IN SRV 0 1 465 hub1.example.test.",
        "_submission._tcp.example.test. IN SRV 0 1 587 hub1.example.test.",
        "autodiscover.example.test. IN CNAME cas1.example.test.",
        "autoconfig.example.test. IN CNAME cas1.example.test.",
        "_autodiscover._tcp.example.test. IN SRV 0 0 443 cas1.example.test.",
        "_caldavs._tcp.example.test. IN SRV 0 1 443 cas1.example.test.",
        '_caldavs._tcp.example.test. IN TXT "path=/dav/"',
        "_carddavs._tcp.example.test. IN SRV 0 1 443 cas1.example.test.",
        '_carddavs._tcp.example.test. IN TXT "path=/dav/"',
        "hub1.example.test. IN A 192.0.2.1",
        "hub1.example.test. IN AAAA 2001:db8::1",
        "; cas1.example.test. IN A (its address on the internet)",
    ]


def test_names_that_ask_for_certificates_lead_to_the_server() -> None:
    certified = ClientCertificates(("certificate.example.test", "certificate.another.test"), "/people.pem")
    known = replace(organization(), client_certificates=certified)
    named = [each.name for each in domain_records("example.test", known, EVERYTHING) if "certificate" in each.name]
    assert named == ["certificate.example.test"]


def test_only_what_runs_has_records() -> None:
    names = {each.name for each in domain_records("example.test", organization(), services())}
    assert not {name for name in names if "dav" in name or "auto" in name}
    without = replace(services(), pop3=())
    told = {each.name: each.values for each in domain_records("example.test", organization(), without)}
    assert told["_pop3._tcp.example.test"] == told["_pop3s._tcp.example.test"] == ("0 0 0 .",)
    shifted = domain_records("example.test", organization(offset=10_000), services(*WEB, offset=10_000))
    told = {each.name: each.values for each in shifted}
    assert told["_autodiscover._tcp.example.test"] == ("0 0 10443 cas1.example.test.",)
    assert "autodiscover.example.test" not in told, "a browser finds 443 alone by a name"


def test_the_edge_is_where_mail_comes_in() -> None:
    edge = Server("edge1", "Edge1.example.test", frozenset({Role.EDGE}), ("192.0.2.9",))
    values = organization(servers=(*organization().servers, edge))
    told = {(each.name, each.kind): each for each in domain_records("sales.test", values, services())}
    assert told["sales.test", "MX"].values == ("10 edge1.example.test.",)
    assert not any(kind == "A" for _, kind in told), "the servers' names are in another domain of ours"
    elsewhere = replace(values, domains=(AcceptedDomain("sales.test"),))
    told = {(each.name, each.kind): each for each in domain_records("sales.test", elsewhere, services())}
    assert told["edge1.example.test", "A"].values == ("192.0.2.9",)
    assert "p=none" in told["_dmarc.sales.test", "TXT"].values[0], "no key signs yet"


def test_an_edge_says_nothing_about_servers_that_it_does_not_know() -> None:
    edge = Server("edge1", "edge1.example.test", frozenset({Role.EDGE}), ("192.0.2.9",))
    told = domain_records("example.test", organization(servers=(edge,)), ClientServices("", ()), [KEY])
    assert [(each.name, each.kind) for each in told] == [
        ("example.test", "MX"),
        ("example.test", "TXT"),
        (KEY[0], "TXT"),
        ("_dmarc.example.test", "TXT"),
        ("edge1.example.test", "A"),
    ]


def test_smart_hosts_may_send() -> None:
    connectors = (
        SendConnector("internet", smart_hosts=("relay.test:587", "relay.test")),
        SendConnector("a", ("b.test",)),
    )
    told = domain_records("example.test", organization(send_connectors=connectors), ClientServices("", ()))
    assert ("v=spf1 mx a:relay.test -all",) in [each.values for each in told]


def compared(wanted: RecordSet, zone: Mapping[tuple[str, str], tuple[str, ...] | None]) -> Comparison:
    async def ask(name: str, kind: str) -> tuple[str, ...] | None:
        return zone.get((name, kind), ())

    (comparison,) = asyncio.run(compare([wanted], ask))
    assert comparison.wanted is wanted
    return comparison


MX = RecordSet("a.test", "MX", ("10 h1.a.test.", "10 h2.a.test."), "")
SPF = RecordSet("a.test", "TXT", ("v=spf1 mx -all",), "", binding=False)
DKIM = RecordSet("k._domainkey.a.test", "TXT", ("v=DKIM1; k=rsa; p=AAAA",), "")
SRV = RecordSet("_imaps._tcp.a.test", "SRV", ("0 1 993 h1.a.test.",), "")
ADDRESS = RecordSet("h1.a.test", "A", (), "", binding=False)


@pytest.mark.parametrize(
    ("wanted", "answer", "published", "verdict", "wrong"),
    [
        (MX, ("20 H2.a.test.", "5 h1.a.test."), 2, "published", False),
        (MX, ("10 h1.a.test.",), 1, "other", True),
        (MX, ("10 h1.a.test.", "10 h2.a.test.", "30 old.a.test."), 3, "other", True),
        (MX, (), 0, "missing", True),
        (MX, None, 0, "no answer", False),
        (SPF, ("google-site=1", "v=spf1  mx -all"), 1, "published", False),
        (SPF, ("google-site=1",), 0, "missing", True),
        (SPF, ("V=SPF1 ip4:192.0.2.1 -all",), 1, "other", False),
        (DKIM, ("v=DKIM1;k=rsa;p=AAAA",), 1, "published", False),
        (DKIM, ("k=rsa; p=BBBB",), 1, "other", True),
        (SRV, ("7 7 993 H1.a.test.",), 1, "published", False),
        (SRV, ("0 1 143 h1.a.test.",), 1, "other", True),
        (ADDRESS, ("192.0.2.1",), 1, "published", False),
        (ADDRESS, (), 0, "missing", True),
    ],
)
def test_what_is_published_is_judged(
    wanted: RecordSet, answer: tuple[str, ...] | None, published: int, verdict: str, wrong: bool
) -> None:
    comparison = compared(wanted, {(wanted.name, wanted.kind): answer})
    assert (len(comparison.published), comparison.verdict, comparison.is_wrong) == (
        published,
        Publication(verdict),
        wrong,
    )


def test_an_alias_may_be_the_host_s_addresses_instead() -> None:
    wanted = RecordSet("autoconfig.a.test", "CNAME", ("h1.a.test.",), "")
    name, host = (wanted.name, "A"), ("h1.a.test.", "A")
    assert compared(wanted, {(wanted.name, "CNAME"): ("H1.a.test.",)}).verdict is Publication.PUBLISHED
    assert compared(wanted, {(wanted.name, "CNAME"): ("h2.a.test.",)}).verdict is Publication.OTHER
    assert compared(wanted, {name: ("192.0.2.1",), host: ("192.0.2.1",)}).verdict is Publication.PUBLISHED
    assert compared(wanted, {name: ("192.0.2.2",), host: ("192.0.2.1",)}).verdict is Publication.OTHER
    assert compared(wanted, {host: ("192.0.2.1",)}).verdict is Publication.MISSING
    assert compared(wanted, {name: ("192.0.2.2",), host: None}).verdict is Publication.NO_ANSWER
