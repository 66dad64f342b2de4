"""The services that clients are told of are those that run."""

from __future__ import annotations

from postern.model.organization import AcceptedDomain, Profile, Role, Server
from postern.model.security import Mechanism
from postern.paths.row import Tls
from postern.services.autodiscover.client_services import MailService, client_services
from tests.services.autodiscover.callers import MECHANISMS, organization, rows, services


def test_ports_have_their_names_and_the_best_comes_first() -> None:
    offered = (Mechanism.BASIC, Mechanism.KERBEROS)
    told = services()
    assert told.imap == (
        MailService("cas1.example.test", 993, Tls.IMPLICIT, offered),
        MailService("cas1.example.test", 143, Tls.UPGRADE, offered),
    )
    assert [(port.port, port.tls) for port in told.pop3] == [(995, Tls.IMPLICIT), (110, Tls.UPGRADE)]
    assert [(port.host, port.port, port.tls) for port in told.smtp] == [
        ("hub1.example.test", 465, Tls.IMPLICIT),
        ("hub1.example.test", 587, Tls.UPGRADE),
    ], "25 is for other servers"
    assert told.domains == ("example.test", "회사.test")


def test_the_offset_is_in_every_port() -> None:
    told = services("autodiscover", "caldav", offset=10_000)
    assert [port.port for port in told.imap + told.pop3 + told.smtp] == [10993, 10143, 10995, 10110, 10465, 10587]
    assert told.web == "https://cas1.example.test:10443"
    assert told.calendars == "https://cas1.example.test:10443/dav/"


def test_a_server_near_the_client_is_named() -> None:
    assert services(near="mbx1").imap[0].host == "cas1.example.test", "the same site"
    there = services(near="all2")
    assert (there.imap[0].host, there.smtp[0].host) == ("all2.example.test", "all2.example.test")
    anywhere = client_services(organization(), rows(), MECHANISMS)
    assert anywhere.imap[0].host == "cas1.example.test"


def test_what_does_not_run_is_not_told() -> None:
    assert services("autodiscover").autodiscover == "https://cas1.example.test/autodiscover/autodiscover.xml"
    built = services("caldav", "carddav", "activesync")
    assert built.web == "https://cas1.example.test" and built.contacts == built.web + "/dav/"
    assert built.activesync == built.web + "/Microsoft-Server-ActiveSync"
    waiting = {id: row for id, row in rows("imap4").items() if id not in ("caldav", "carddav", "pop3")}
    told = client_services(organization(), waiting, MECHANISMS)
    assert (told.pop3, told.calendars, told.contacts) == ((), "", "") and told.imap
    only_hub = (Server("hub1", "hub1.example.test", frozenset({Role.HUB}), ("10.0.0.1",)),)
    told = client_services(
        organization(servers=only_hub, domains=(AcceptedDomain("example.test"),)), rows("caldav"), MECHANISMS
    )
    assert (told.imap, told.pop3, told.web, told.calendars) == ((), (), "", "") and told.smtp


def test_the_profile_decides_mechanisms_and_ports() -> None:
    everything = frozenset(Mechanism)
    reference = client_services(organization(), rows(profile=Profile.REFERENCE), everything)
    assert [(port.port, port.mechanisms) for port in reference.smtp] == [(587, (Mechanism.NTLM, Mechanism.KERBEROS))], (
        "no Basic in the reference"
    )
    hardened = client_services(organization(), rows(profile=Profile.HARDENED), everything)
    assert Mechanism.BASIC not in hardened.imap[0].mechanisms and Mechanism.SCRAM in hardened.imap[0].mechanisms
