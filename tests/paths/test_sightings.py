"""Observations, laid upon the arrows that are declared."""

from __future__ import annotations

import pytest

from postern.model.organization import Organization
from postern.paths.flows import flows, nodes
from postern.paths.sightings import Sighting, matched
from postern.paths.table import settle
from tests.paths.organizations import CORP, NETWORKS, ONE


def hits(organization: Organization, seer: str, path: str, peer: str) -> set[tuple[str, str]]:
    arrows = flows(organization, settle(organization.profile).values())
    found, strays = matched(arrows, nodes(organization, arrows), [Sighting(seer, path, peer, 1, "")])
    assert bool(found) != bool(strays)
    return {(flow.caller, flow.callee) for flow in found}


@pytest.mark.parametrize(
    ("seer", "path", "peer", "expected"),
    [
        ("cas1", "imap4", "10.77.3.50", {("client1", "cas1")}),
        ("cas1", "imap4", "::ffff:10.77.3.50", {("client1", "cas1")}),
        ("hub1", "hub-to-ad", "10.77.4.10", {("hub1", "dc2")}),
        ("hub1", "hub-to-ad", "DC2.corp.test.", {("hub1", "dc2")}),
        ("hub1", "hub-to-hub", "10.77.4.20", {("hub1", "hub2"), ("hub2", "hub1")}),
        ("mbx1", "postgresql", "local", {("mbx1", "mbx1")}),
        ("edge1", "edge-adam", "127.0.0.1", {("edge1", "edge1")}),
        ("hub1", "ad-topology", "10.77.1.20", {("hub1", "hub1")}),
    ],
)
def test_a_sighting_is_the_arrow_between_the_two(
    seer: str, path: str, peer: str, expected: set[tuple[str, str]]
) -> None:
    assert hits(CORP, seer, path, peer) == expected


@pytest.mark.parametrize(
    ("seer", "path", "peer"),
    [
        ("cas1", "imap4", "198.51.100.7"),
        ("cas1", "imap4", "others"),
        ("mbx1", "imap4", "10.77.3.50"),
        ("cas1", "no-such-path", "10.77.3.50"),
        ("nobody", "imap4", "10.77.3.50"),
    ],
)
def test_what_no_arrow_declares_is_a_stray(seer: str, path: str, peer: str) -> None:
    assert hits(CORP, seer, path, peer) == set()


def test_strangers_are_whoever_the_file_names_nobody_for() -> None:
    assert hits(ONE, "server1", "imap4", "198.51.100.7") == {("clients", "server1")}
    assert hits(ONE, "server1", "imap4", "127.0.0.1") == {("clients", "server1")}
    assert hits(ONE, "server1", "hub-to-mailbox-mapi", "local") == {("server1", "server1")}


def test_a_network_is_known_by_its_addresses() -> None:
    assert hits(NETWORKS, "cas1", "imap4", "10.77.3.77") == {("clients", "cas1")}


def test_a_server_that_verifies_its_own_door_is_neither_an_arrow_nor_strange() -> None:
    arrows = flows(CORP, settle(CORP.profile).values())
    own, other = Sighting("cas1", "imap4", "10.77.1.40", 1, ""), Sighting("cas1", "imap4", "10.77.1.41", 1, "")
    assert matched(arrows, nodes(CORP, arrows), [own, other]) == ({}, [other])
