"""What the table means for one host: who may reach which of its ports, and whom it may reach.

covers: deployment
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from postern.model.organization import Database, Host, Organization, Profile, Role, Server
from postern.paths.deployment import closed, filtering_role
from postern.paths.openings import ANYONE, Opening, openings, plain
from postern.paths.row import Party, Wire
from postern.paths.table import TABLE, settle
from tests.paths.organizations import (
    BOTH,
    CORP,
    CORP_EDGE,
    CORP_HUB,
    CORP_OF_THE_EDGE,
    DC1,
    DC2,
    EDGE,
    HUB,
    MAILBOX,
    MONITOR,
    ONE,
    OUTSIDE,
    THREE,
    WITH_EDGE,
)


def of(organization: Organization, server: Server | Host, row: str, inward: bool) -> list[Opening]:
    rows = settle(organization.profile).values()
    return [one for one in openings(organization, server, rows) if one.row == row and one.inward == inward]


def numbers(found: list[Opening]) -> set[tuple[int, int]]:
    return {(one.first, one.last) for one in found}


def test_only_rows_that_a_host_plays_a_part_in() -> None:
    ids = {opening.row for opening in openings(THREE, MAILBOX, settle(THREE.profile).values())}
    assert ids >= {
        "hub-to-mailbox-mapi",
        "mailbox-to-hub-submission",
        "cas-to-mailbox",
        "any-server-to-dns",
        "ssh",
        "ntp",
        "dhcp",
        "neighbour-discovery",
    }
    ours = {Party.MAILBOX, Party.ANY_SERVER}
    assert ids == {row.id for row in TABLE.values() if ours & {*row.caller, row.callee} and not closed(THREE, row)}


def test_rpc_between_the_right_servers_only() -> None:
    found = of(THREE, MAILBOX, "cas-to-mailbox", inward=True)
    assert numbers(found) == {(10135, 10135), (30000, 30019)}
    assert all(one.remote == ("192.0.2.3",) and not one.at_home for one in found)
    found = of(THREE, BOTH, "cas-to-mailbox", inward=False)
    assert all(one.remote == ("192.0.2.2", "2001:db8::2") for one in found)
    assert of(THREE, HUB, "cas-to-mailbox", inward=False) == []


def test_clients_are_anyone_and_our_ports_are_shifted() -> None:
    found = of(THREE, HUB, "client-to-hub-smtp", inward=True)
    assert numbers(found) == {(10025, 10025), (10587, 10587), (10465, 10465)}
    assert all(one.remote is ANYONE for one in found)


def test_a_strangers_port_is_never_shifted() -> None:
    assert numbers(of(THREE, HUB, "hub-to-internet", inward=False)) == {(25, 25)}
    assert numbers(of(THREE, HUB, "internet-to-hub", inward=True)) == {(10025, 10025)}
    assert numbers(of(THREE, HUB, "ssh", inward=True)) == {(22, 22)}
    assert numbers(of(THREE, HUB, "any-server-to-dns", inward=False)) == {(53, 53)}


def test_one_host_that_plays_both_ends_needs_nobody_outside() -> None:
    found = of(ONE, ONE.servers[0], "hub-to-mailbox-mapi", inward=True)
    assert found and all(one.remote == () and one.at_home for one in found)


def test_what_the_organization_names_is_taken_from_it() -> None:
    assert {one.remote for one in of(OUTSIDE, HUB, "any-server-to-dns", inward=False)} == {
        ("192.0.2.53", "2001:db8::53")
    }
    assert numbers(of(OUTSIDE, HUB, "any-server-to-dns", inward=False)) == {(53, 53), (5353, 5353)}
    assert of(OUTSIDE, HUB, "private-directory", inward=False) == [
        Opening("private-directory", False, Wire.TCP, 636, 636, ("192.0.2.9",), False)
    ]
    assert numbers(of(OUTSIDE, HUB, "hub-to-internet", inward=False)) == {(25, 25), (587, 587)}
    assert {one.remote for one in of(OUTSIDE, HUB, "any-server-to-kdc", inward=False)} == {ANYONE}


def test_a_database_on_one_of_our_hosts_is_reached_from_mailbox_servers_only() -> None:
    second = Server("mb2", "mb2.example.test", frozenset({Role.MAILBOX}), ("192.0.2.4",))
    organization = replace(OUTSIDE, servers=(*OUTSIDE.servers, second))
    (inward,) = of(organization, MAILBOX, "postgresql", inward=True)
    assert (inward.first, inward.remote, inward.at_home) == (6432, ("192.0.2.4",), True)
    (outward,) = of(organization, second, "postgresql", inward=False)
    assert (outward.first, outward.remote) == (6432, ("192.0.2.2", "2001:db8::2"))
    assert of(organization, HUB, "postgresql", inward=False) == []


def test_a_database_known_by_name_only_may_be_anywhere_on_its_port() -> None:
    url = "postgresql://db.example.net,db2.example.net:6543/mail"
    organization = replace(OUTSIDE, written_databases=(Database("mail", "mb1", url),))
    found = of(organization, MAILBOX, "postgresql", inward=False)
    assert numbers(found) == {(5432, 5432), (6543, 6543)}
    assert {one.remote for one in found} == {ANYONE}


@pytest.mark.parametrize("url", ["postgresql:///mail?host=/run/postgresql", ""])
def test_a_database_behind_a_socket_opens_nothing(url: str) -> None:
    assert (
        of(replace(THREE, written_databases=(Database("mail", "mb1", url),)), MAILBOX, "postgresql", inward=False) == []
    )


def test_with_an_edge_strangers_never_meet_the_hub() -> None:
    assert of(WITH_EDGE, HUB, "internet-to-hub", inward=True) == []
    assert of(WITH_EDGE, HUB, "hub-to-internet", inward=False) == []


def test_what_is_not_built_or_not_wanted_is_closed_with_its_reason() -> None:
    assert closed(OUTSIDE, TABLE["vss-backup"]) == "waits for backup"
    for row in TABLE.values():
        if row.waits_for:
            assert closed(OUTSIDE, row) == f"waits for {row.waits_for}"
    open_rows = {row_id for row_id, row in TABLE.items() if not closed(THREE, row)}
    for row_id in ("any-server-to-kdc", "private-directory", "postgresql"):
        assert row_id not in open_rows
        assert closed(OUTSIDE, TABLE[row_id]) == ""
    assert {"internet-to-hub", "client-to-hub-smtp", "imap4", "pop3", "hub-to-hub", "cas-to-mailbox"} <= open_rows


EDGES = ("hub-to-edge", "edge-to-hub", "edge-to-edge", "edgesync", "edge-adam")
DOMAINS = (
    *("hub-to-ad", "mailbox-to-ad", "client-access-to-ad", "attendant-to-ad", "recipient-update-to-ad"),
    *("dsaccess-to-ad", "rus-rpc", "ad-topology", "setup-ad", "client-to-kdc", "ad-replication"),
)


@pytest.mark.parametrize("row_id", EDGES)
def test_edges_rows_are_open_where_an_edge_is(row_id: str) -> None:
    assert closed(THREE, TABLE[row_id]) == "the organization has no edge"
    assert closed(WITH_EDGE, TABLE[row_id]) == closed(CORP_OF_THE_EDGE, TABLE[row_id]) == ""


@pytest.mark.parametrize("row_id", DOMAINS)
def test_the_domains_rows_are_open_where_a_domain_is(row_id: str) -> None:
    assert closed(OUTSIDE, TABLE[row_id]) == "the organization has no Active Directory"
    assert closed(CORP_OF_THE_EDGE, TABLE[row_id]) != ""
    assert closed(CORP, TABLE[row_id]) == ""


@pytest.mark.parametrize("row_id", ["recipient-filter", "dnsbl"])
def test_filters_work_where_strangers_mail_comes_in(row_id: str) -> None:
    assert (filtering_role(THREE), filtering_role(WITH_EDGE)) == (Role.HUB, Role.EDGE)
    assert closed(replace(THREE, servers=(MAILBOX,)), TABLE[row_id]) == "no server here takes mail from strangers"
    assert closed(THREE, TABLE[row_id]) == closed(WITH_EDGE, TABLE[row_id]) == ""


def test_block_lists_are_asked_by_the_edge_and_by_hubs_without_one() -> None:
    assert of(THREE, HUB, "dnsbl", inward=False)
    assert of(WITH_EDGE, EDGE, "dnsbl", inward=False)
    assert of(WITH_EDGE, HUB, "dnsbl", inward=False) == []


def test_with_a_domain_no_private_directory_is_reached() -> None:
    assert closed(replace(CORP, directory="ldaps://192.0.2.9"), TABLE["private-directory"]) == (
        "the directory is Active Directory"
    )


def test_an_edge_reaches_no_directory_of_the_inside() -> None:
    organization = replace(OUTSIDE, servers=(*OUTSIDE.servers, EDGE))
    assert of(organization, HUB, "private-directory", inward=False)
    for row in ("private-directory", "recipient-filter", "any-server-to-kdc"):
        assert of(organization, EDGE, row, inward=False) == []


def test_the_topology_service_is_asked_within_a_host_only() -> None:
    found = of(CORP, CORP_HUB, "ad-topology", inward=True)
    assert numbers(found) == {(135, 135), (20000, 20019)}
    assert all(one.remote == () and one.at_home for one in found)
    assert of(CORP, CORP_EDGE, "ad-topology", inward=True) == []
    assert of(CORP, DC1, "ad-topology", inward=True) == []


def test_the_edges_directory_is_open_to_hubs_and_without_tls_under_the_reference_only() -> None:
    (found,) = of(CORP, CORP_EDGE, "edgesync", inward=True)
    assert (found.first, found.remote) == (50636, ("10.77.1.20", "10.77.4.20"))
    reference = replace(CORP, profile=Profile.REFERENCE)
    assert numbers(of(reference, CORP_EDGE, "edgesync", inward=True)) == {(50636, 50636), (50389, 50389)}
    (local,) = of(CORP, CORP_EDGE, "edge-adam", inward=True)
    assert (local.first, local.remote, local.at_home) == (50389, (), True)


def test_domain_controllers_speak_with_each_other_in_their_own_range() -> None:
    for inward in (True, False):
        found = of(CORP, DC1, "ad-replication", inward=inward)
        assert {one.remote for one in found} == {DC2.addresses}
        assert {(445, 445), (389, 389), (49152, 65535)} <= numbers(found)
    alone = replace(CORP, hosts=(DC1,))
    assert {one.remote for one in of(alone, DC1, "ad-replication", inward=True)} == {()}


def test_465_is_open_only_where_the_profile_has_it() -> None:
    reference = replace(THREE, profile=Profile.REFERENCE)
    assert (10465, 10465) not in numbers(of(reference, HUB, "client-to-hub-smtp", inward=True))


def test_a_dhcp_servers_answer_comes_to_our_own_port() -> None:
    assert numbers(of(THREE, HUB, "dhcp", inward=True)) == {(68, 68), (546, 546)}
    assert numbers(of(THREE, HUB, "dhcp", inward=False)) == {(67, 67), (547, 547)}


@pytest.mark.parametrize(
    ("written", "meant"),
    [("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1"), ("2001:DB8:0::1", "2001:db8::1")],
)
def test_one_address_is_compared_in_one_form(written: str, meant: str) -> None:
    assert plain(written) == meant


def test_metrics_are_open_to_monitors_and_to_our_own_servers_where_they_are_switched_on() -> None:
    row = TABLE["metrics"]
    assert closed(THREE, row) == "metrics are not switched on"
    assert not of(THREE, MAILBOX, "metrics", inward=True)
    watched = replace(THREE, metrics=True, hosts=(MONITOR,))
    [inward] = of(watched, MAILBOX, "metrics", inward=True)
    assert (inward.first, inward.last) == (watched.port(9464), watched.port(9464)), "it is our own port, and shifted"
    others = {address for server in watched.servers if server != MAILBOX for address in server.addresses}
    assert set(inward.remote or ()) == {"192.0.2.99", *others} and inward.at_home
    assert not inward.admits("198.51.100.1")
    assert of(watched, MAILBOX, "metrics", inward=False), "our servers may read each other's"
    [outward] = of(watched, MONITOR, "metrics", inward=False)
    assert (outward.first, outward.last) == (watched.port(9464), watched.port(9464))
    assert not of(watched, MONITOR, "metrics", inward=True)


def test_an_edge_is_monitored_and_monitors_nobody() -> None:
    watched = replace(WITH_EDGE, metrics=True)
    [inward] = of(watched, EDGE, "metrics", inward=True)
    assert set(inward.remote or ()) == {
        address for server in watched.servers if server != EDGE for address in server.addresses
    }
    assert not of(watched, EDGE, "metrics", inward=False)
    hub = next(server for server in watched.servers if server != EDGE)
    for opening in of(watched, hub, "metrics", inward=True):
        assert not any(opening.admits(plain(address)) for address in EDGE.addresses)
