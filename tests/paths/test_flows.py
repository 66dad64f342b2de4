"""Who calls whom, as the map shows it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from postern.model.organization import Host, Organization, Profile
from postern.paths.deployment import within_hosts
from postern.paths.flows import Zone, flows, nodes
from postern.paths.openings import openings
from postern.paths.places import standings
from postern.paths.table import OF_THE_MACHINE, TABLE, settle
from tests.paths.organizations import CORP, CORP_OF_THE_EDGE, NETWORKS, ONE, OUTSIDE, THREE, WITH_EDGE

ALL = [ONE, THREE, OUTSIDE, WITH_EDGE, CORP, CORP_OF_THE_EDGE, NETWORKS]
NAMES = ["one", "three", "outside", "edge", "corp", "edge's", "networks"]


def pairs(organization: Organization, row: str) -> set[tuple[str, str]]:
    found = flows(organization, settle(organization.profile).values())
    return {(flow.caller, flow.callee) for flow in found if flow.row.id == row}


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("organization", ALL, ids=NAMES)
def test_every_arrow_between_hosts_is_an_opening_and_the_other_way_round(
    organization: Organization, profile: Profile
) -> None:
    rows = settle(profile).values()
    arrows = [flow for flow in flows(organization, rows) if flow.caller != flow.callee]
    drawn = {(flow.row.id, name) for flow in arrows for name in (flow.caller, flow.callee)}
    known = {one.name for one in standings(organization)}
    opened = {
        (one.row, who.name)
        for who in standings(organization)
        for one in openings(organization, who, rows)
        if one.remote != () and one.row not in OF_THE_MACHINE
    }
    assert {(row, name) for row, name in drawn if name in known} == opened


@pytest.mark.parametrize("organization", ALL, ids=NAMES)
def test_every_end_of_an_arrow_is_a_box(organization: Organization) -> None:
    arrows = flows(organization, settle(organization.profile).values())
    names = [node.name for node in nodes(organization, arrows)]
    assert len(names) == len(set(names))
    assert {name for flow in arrows for name in (flow.caller, flow.callee)} <= set(names)
    assert {one.name for one in standings(organization)} <= set(names)


def test_one_host_speaks_with_itself_over_sockets_and_with_whoever_comes() -> None:
    assert pairs(ONE, "hub-to-mailbox-mapi") == pairs(ONE, "private-directory") == {("server1", "server1")}
    assert pairs(ONE, "imap4") == {("clients", "server1")}
    assert pairs(ONE, "internet-to-hub") == {("the internet", "server1")}
    assert pairs(ONE, "hub-to-internet") == {("server1", "the internet")}
    assert pairs(ONE, "any-server-to-dns") == {("server1", "name servers")}
    assert pairs(ONE, "hub-to-hub") == pairs(ONE, "ssh") == set()


def test_mail_between_two_organizations_goes_both_ways() -> None:
    assert pairs(CORP, "edge-to-edge") == {("internet1", "edge1"), ("edge1", "internet1")}


def test_what_stays_within_a_host_is_an_arrow_to_itself() -> None:
    assert pairs(CORP, "edge-adam") == pairs(CORP, "recipient-filter") == {("edge1", "edge1")}
    assert pairs(CORP, "ad-topology") == {(name, name) for name in ("hub1", "hub2", "mbx1", "cas1")}
    assert pairs(CORP, "rus-rpc") == {("mbx1", "mbx1")}
    assert pairs(replace(CORP, profile=Profile.REFERENCE), "rus-rpc") == set()  # the reference has no socket for it
    assert within_hosts(CORP, TABLE["postgresql"]) and not within_hosts(OUTSIDE, TABLE["postgresql"])
    assert not within_hosts(CORP, TABLE["private-directory"]) and within_hosts(THREE, TABLE["private-directory"])


def test_hosts_stand_in_their_zones() -> None:
    arrows = flows(CORP, settle(CORP.profile).values())
    found = {node.name: (node.zone, node.site) for node in nodes(CORP, arrows)}
    assert found["internet1"] == (Zone.INTERNET, "")
    assert found["edge1"] == (Zone.PERIMETER, "")
    assert found["dc2"] == found["hub2"] == (Zone.INSIDE, "Branch")
    assert found["client1"] == (Zone.CLIENTS, "")
    clock = replace(CORP, hosts=(Host("clock", frozenset({"time-server"}), ("192.0.2.123",)),))
    assert {node.name: node.zone for node in nodes(clock, [])}["clock"] is Zone.AROUND


def test_whoever_is_not_named_stands_as_one_box_with_what_is_known_of_it() -> None:
    arrows = flows(OUTSIDE, settle(OUTSIDE.profile).values())
    found = {node.name: node for node in nodes(OUTSIDE, arrows)}
    assert not found["clients"].named and found["clients"].addresses == ()
    assert found["name servers"].named and found["name servers"].addresses == ("192.0.2.53", "2001:db8::53")
    assert found["controllers"].zone is Zone.INSIDE
