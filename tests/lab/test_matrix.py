"""The matrix host x path: what is due by the table, and what each wrong answer of a door makes of its cells."""

from __future__ import annotations

import pytest

from postern.host import configuration
from postern.lab import organization
from postern.lab.matrix import Door, Knocked, Matrix, State, view
from postern.lab.plan import MACHINES, machine
from postern.model.organization import Profile, Role
from postern.paths.row import Wire
from postern.paths.table import settle

Found = dict[Door, Knocked]


def matrix(profile: Profile = Profile.PRACTICAL) -> Matrix:
    inside = configuration.parse(organization.inside_text(MACHINES, profile))
    edge = configuration.parse(organization.edge_text(MACHINES, profile))
    views = [view(edge if one.role is Role.EDGE else inside, one.name, one.address, ()) for one in MACHINES]
    return Matrix(views, settle(profile))


def as_declared(found: Matrix, host: str) -> Found:
    """What the doors say if every firewall is as it should be."""
    return {
        door: Knocked.ANSWERED if found.passes(host, door) else Knocked.SILENT
        for door in found.knocks(host, found.doors)
    }


def door(host: str, port: int, wire: Wire = Wire.TCP) -> Door:
    return Door(host, machine(host).address, wire, port)


@pytest.mark.parametrize("profile", Profile)
def test_nothing_is_wrong_where_all_is_as_declared(profile: Profile) -> None:
    found = matrix(profile)
    for one in MACHINES:
        knocked = as_declared(found, one.name)
        for row in found.doors:
            assert not found.cell(row, one.name, knocked).state.wrong, (row, one.name)


def test_who_passes_where() -> None:
    found = matrix()
    wanted = {
        "hub-to-hub": {"hub1", "hub2"},
        "edge-to-hub": {"edge1"},
        "hub-to-edge": {"hub1", "hub2"},
        "edge-to-edge": {"edge1", "internet1"},
        "imap4": {"client1"},
        "cas-to-mailbox": {"cas1", "cas2"},
        "availability-to-mailbox": {"cas1", "cas2"},
        "hub-to-mailbox-mapi": {"hub1", "hub2"},
    }
    for row, hosts in wanted.items():
        passing = {
            one.name
            for one in MACHINES
            if found.cell(row, one.name, as_declared(found, one.name)).state is State.PASSES
        }
        assert passing == hosts, row


def test_a_door_that_is_open_for_another_row_says_for_which() -> None:
    found = matrix()
    cell = found.cell("hub-to-hub", "client1", as_declared(found, "client1"))
    assert (cell.state, cell.because) == (State.SHARED, ("client-to-hub-smtp",))


def test_a_rule_that_was_removed_fails_the_row() -> None:
    found = matrix()
    knocked = as_declared(found, "client1") | {door("cas1", 993): Knocked.SILENT}
    cell = found.cell("imap4", "client1", knocked)
    assert cell.state is State.FAILS
    assert "cas1 TCP 993" in cell.because[0]
    assert found.cell("pop3", "client1", knocked).state is State.PASSES


def test_a_rule_too_many_leaks_also_if_nothing_listens_behind_it() -> None:
    found = matrix()
    for arrived in (Knocked.ANSWERED, Knocked.REFUSED):
        knocked = as_declared(found, "internet1") | {door("cas1", 993): arrived}
        cell = found.cell("imap4", "internet1", knocked)
        assert (cell.state, cell.because) == (State.LEAKS, ("cas1 TCP 993",))


def test_a_server_that_is_down_fails_but_a_machine_without_sshd_does_not() -> None:
    found = matrix()
    refused = {one: Knocked.REFUSED for one, was in as_declared(found, "client1").items() if was is Knocked.ANSWERED}
    knocked = as_declared(found, "client1") | refused
    assert found.cell("imap4", "client1", knocked).state is State.FAILS
    assert found.cell("ssh", "client1", knocked).state is State.OPEN


def test_silence_proves_nothing_where_no_answer_is_to_be_expected() -> None:
    found = matrix()
    knocked = as_declared(found, "dc1") | {door("dc2", 464, Wire.UDP): Knocked.SILENT}
    assert found.cell("ad-replication", "dc1", knocked).state is State.PASSES
    knocked |= {door("dc2", 53, Wire.UDP): Knocked.SILENT}
    assert found.cell("ad-replication", "dc1", knocked).state is State.FAILS


def test_who_drops_what() -> None:
    found = matrix()
    assert found.drops("client1", door("cas1", 993)) == ""
    assert found.drops("client1", door("mbx1", 135)) == "client1"
    assert found.drops("edge1", door("dc1", 389)) == "edge1"
    # The administrator of client1 may go out to SSH anywhere in the organization; hubs may not.
    assert found.drops("hub1", door("mbx1", 22)) == "hub1"
