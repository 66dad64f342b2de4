"""Who plays which party, and where: the hosts that the organization's file names beside its servers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from postern.model.organization import Database, Host, Organization, Server
from postern.paths.openings import openings
from postern.paths.places import ANYONE, Standing, standing, within
from postern.paths.row import Wire
from postern.paths.table import settle
from tests.paths.organizations import (
    CLIENT,
    CORP,
    CORP_CLIENT_ACCESS,
    CORP_EDGE,
    CORP_HUB,
    CORP_HUB2,
    CORP_MAILBOX,
    CORP_OF_THE_EDGE,
    DC1,
    DC2,
    INTERNET,
)

MACHINE = {"ssh", "ntp", "dhcp", "neighbour-discovery"}
CONTROLLERS = ("10.77.1.10", "10.77.4.10")


def side(organization: Organization, who: Standing, other: Standing, inward: bool) -> set[tuple[Wire, int]]:
    """What the firewall of `who` lets pass between the two, the machine's own rows aside."""
    rows = [row for row in settle(organization.profile).values() if row.id not in MACHINE]
    return {
        (one.wire, one.first)
        for one in openings(organization, who, rows)
        if one.inward == inward and any(one.admits(address) for address in other.addresses)
    }


def tcp(*numbers: int) -> set[tuple[Wire, int]]:
    return {(Wire.TCP, number) for number in numbers}


def both(*numbers: int) -> set[tuple[Wire, int]]:
    return tcp(*numbers) | {(Wire.UDP, number) for number in numbers}


SUBMISSION = tcp(25, 587, 465)
DIRECTORY = both(389, 88, 53) | tcp(3268, 135, 49152)
RPC = tcp(135, 20000)
EXPECTED: dict[tuple[str, str], set[tuple[Wire, int]]] = {
    **{(hub, "mbx1"): RPC for hub in ("hub1", "hub2")},
    **{("mbx1", hub): RPC for hub in ("hub1", "hub2")},
    ("cas1", "mbx1"): RPC,
    ("hub1", "hub2"): tcp(25),
    ("hub2", "hub1"): tcp(25),
    **{(hub, "edge1"): tcp(25, 50636) for hub in ("hub1", "hub2")},
    **{("edge1", hub): tcp(25) for hub in ("hub1", "hub2")},
    **{(server, dc): DIRECTORY for server in ("hub1", "hub2", "mbx1", "cas1") for dc in ("dc1", "dc2")},
    **{("client1", hub): SUBMISSION for hub in ("hub1", "hub2")},
    ("client1", "cas1"): tcp(110, 995, 143, 993, 80, 443),
    **{("client1", dc): both(88, 53) for dc in ("dc1", "dc2")},
    **{pair: both(389, 88, 53, 464) | tcp(3268, 135, 445, 49152) for pair in (("dc1", "dc2"), ("dc2", "dc1"))},
    ("internet1", "edge1"): tcp(25),
    ("edge1", "internet1"): tcp(25, 80) | both(53, 389),
}
"""The whole lab, pair by pair; a pair that is not here has no door at all."""
EVERYBODY = (*CORP.servers, *CORP.hosts)


@pytest.mark.parametrize("callee", EVERYBODY, ids=lambda one: one.name)
@pytest.mark.parametrize("caller", EVERYBODY, ids=lambda one: one.name)
def test_who_reaches_whom_in_a_whole_organization(caller: Standing, callee: Standing) -> None:
    if caller is not callee:
        expected = EXPECTED.get((caller.name, callee.name), set())
        assert side(CORP, caller, callee, False) == expected
        assert side(CORP, callee, caller, True) == expected


@pytest.mark.parametrize("other", [CORP_HUB, CORP_HUB2, INTERNET], ids=lambda one: one.name)
def test_the_edges_own_file_says_the_same_of_the_edge(other: Standing) -> None:
    assert side(CORP_OF_THE_EDGE, CORP_EDGE, other, True) == EXPECTED[other.name, "edge1"]
    assert side(CORP_OF_THE_EDGE, CORP_EDGE, other, False) == EXPECTED["edge1", other.name]


def peers(organization: Organization, who: Standing, row: str, inward: bool) -> set[tuple[str, ...] | None]:
    rows = settle(organization.profile).values()
    return {one.remote for one in openings(organization, who, rows) if one.row == row and one.inward == inward}


def test_a_party_that_no_host_plays_is_anyone() -> None:
    bare = replace(CORP, hosts=())
    for who, row, inward in (
        (CORP_HUB, "client-to-hub-smtp", True),
        (CORP_EDGE, "edge-to-edge", True),
        (CORP_EDGE, "edge-to-edge", False),
        (CORP_HUB, "hub-to-ad", False),
        (CORP_HUB, "any-server-to-dns", False),
        (CORP_HUB, "ntp", False),
        (CORP_HUB, "ssh", True),
    ):
        assert peers(bare, who, row, inward) == {ANYONE}


def test_networks_are_peers_as_they_stand() -> None:
    clients = Host("clients", frozenset({"client"}), ("10.77.3.0/24", "2001:db8:3::/64"))
    office = Host("office", frozenset({"administrator"}), ("10.77.9.0/24",))
    organization = replace(CORP, hosts=(DC1, DC2, clients, office))
    assert peers(organization, CORP_CLIENT_ACCESS, "imap4", True) == {clients.addresses}
    assert peers(organization, CORP_MAILBOX, "ssh", True) == {office.addresses}
    assert peers(organization, clients, "imap4", False) == {CORP_CLIENT_ACCESS.addresses}
    assert within("10.77.9.4", office.addresses)
    assert not within("10.78.9.4", office.addresses) and not within("2001:db8::1", clients.addresses)


def test_a_directory_is_prepared_from_our_servers_and_by_named_administrators_only() -> None:
    servers = (*CORP_HUB.addresses, *CORP_HUB2.addresses, *CORP_MAILBOX.addresses, *CORP_CLIENT_ACCESS.addresses)
    assert peers(CORP, DC1, "setup-ad", True) == {servers}
    admin = Host("admin1", frozenset({"administrator"}), ("10.77.1.99",))
    organization = replace(CORP, hosts=(*CORP.hosts, admin))
    assert peers(organization, DC1, "setup-ad", True) == {(*servers, "10.77.1.99")}
    assert peers(organization, admin, "setup-ad", False) == {CONTROLLERS}
    assert peers(organization, CLIENT, "ssh", False) == set()
    assert peers(organization, DC1, "ssh", True) == {("10.77.1.99",)}


def test_name_and_time_servers_of_the_inside_are_for_the_inside() -> None:
    asked = {who.name: peers(CORP, who, "any-server-to-dns", False) for who in CORP.servers}
    assert asked.pop("edge1") == {INTERNET.addresses}
    assert set(map(frozenset, asked.values())) == {frozenset({CONTROLLERS})}
    clock = Host("dc1", frozenset({"active-directory", "time-server"}), DC1.addresses)
    organization = replace(CORP, hosts=(clock, DC2))
    assert peers(organization, CORP_HUB, "ntp", False) == {DC1.addresses}
    assert peers(organization, CORP_EDGE, "ntp", False) == {ANYONE}  # its clock stands in no file of ours
    assert peers(organization, clock, "ntp", True) and CORP_EDGE.addresses[0] not in {
        address for found in peers(organization, clock, "ntp", True) for address in found or ()
    }


def test_name_servers_that_are_listed_are_asked_and_nobody_else() -> None:
    organization = replace(CORP, dns_servers=("10.77.1.10", "192.0.2.53:5353"))
    assert peers(organization, CORP_HUB, "any-server-to-dns", False) == {("10.77.1.10", "192.0.2.53")}
    assert peers(organization, CORP_EDGE, "any-server-to-dns", False) == {("192.0.2.53",)}
    (inward,) = peers(organization, DC1, "any-server-to-dns", True)
    assert inward is not None and CORP_EDGE.addresses[0] not in inward
    assert peers(organization, DC2, "any-server-to-dns", True) == set()


def test_a_host_may_be_named_by_a_url() -> None:
    database = Host("db1", frozenset({"monitor"}), ("10.77.1.60",), "db1.corp.test")
    served = Database("mail", "mbx1", "postgresql://postern@db1.corp.test/mail")
    organization = replace(CORP, hosts=(*CORP.hosts, database), written_databases=(served,))
    assert peers(organization, CORP_MAILBOX, "postgresql", False) == {("10.77.1.60",)}
    assert peers(organization, database, "postgresql", True) == {CORP_MAILBOX.addresses}
    assert peers(organization, CORP_HUB, "postgresql", False) == set()


def test_servers_and_hosts_are_found_by_name() -> None:
    assert isinstance(standing(CORP, "edge1"), Server)
    assert standing(CORP, "dc2") is DC2
    with pytest.raises(KeyError):
        standing(CORP, "dc3")
