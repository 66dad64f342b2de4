"""The lab's postern.toml: what is written is what the lab's plan says, for the inside and for the edge. covers: plan"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.host import configuration
from postern.lab import organization
from postern.lab.folder import Folder
from postern.lab.plan import CLIENTS, CONTROLLERS, EDGE1, MACHINES, NETWORKS, SERVERS, LabError, check_name, machine
from postern.model.organization import Profile, Role


@pytest.mark.parametrize("profile", Profile)
def test_the_inside_has_every_host(profile: Profile) -> None:
    found = configuration.parse(organization.inside_text(MACHINES, profile))
    assert found.profile is profile
    assert {one.name for one in found.servers} == {one.name for one in SERVERS}
    assert {one.name for one in found.hosts} == {one.name for one in MACHINES} - {one.name for one in SERVERS}
    assert found.active_directory is not None
    assert found.active_directory.domain == "corp.test"
    assert all(server.workers == 1 for server in found.servers)
    sites = {server.name: server.site for server in found.servers}
    assert (sites["hub1"], sites["hub2"]) == ("Headquarters", "Branch")


def test_the_edge_knows_the_hubs_and_the_internet_and_no_domain() -> None:
    found = configuration.parse(organization.edge_text(MACHINES, Profile.PRACTICAL))
    assert found.active_directory is None
    assert {one.name for one in found.with_role(Role.HUB)} == {"hub1", "hub2"}
    assert {one.name for one in found.servers} == {"edge1", "hub1", "hub2"}
    assert {one.name for one in found.hosts} == {"internet1"}


def test_addresses_lie_in_their_networks_and_occur_once() -> None:
    assert len({one.address for one in MACHINES}) == len(MACHINES)
    assert all(one.address.startswith(one.network.prefix) and one.address != one.network.router for one in MACHINES)
    assert len({network.cidr for network in NETWORKS}) == len(NETWORKS) == 5
    assert CLIENTS.router == "10.77.3.1"
    assert not EDGE1.inside
    assert all(one.inside for one in CONTROLLERS)


@pytest.mark.parametrize("name", ["", "a" * 13, "-a", "a-", "Lab", "a/b", "..", "1lab", "a b"])
def test_a_name_that_is_no_folder_s_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="no name for a lab"):
        check_name(name)


def test_an_unknown_host_is_told_with_the_known_ones() -> None:
    with pytest.raises(LabError, match=r"hub3.*dc1, dc2, hub1"):
        machine("hub3")


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that the account which serves may pass to; pytest's own are their maker's alone."""
    folder = Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_one_authority_signs_for_all_inside_and_its_key_stays_away(reachable: Path) -> None:
    text = organization.inside_text(MACHINES, Profile.PRACTICAL)
    folder = Folder("lab", reachable)
    folder.create(MACHINES)
    organization.make_authority(folder, text)
    for one in (machine("hub1"), machine("cas1")):
        organization.prepare(folder, one, text)
        certificates = folder.state(one.name) / "certificates"
        assert (certificates / "ca.pem").read_bytes() == folder.authority.read_bytes()
        assert not (certificates / "ca.key").exists()
        assert (certificates / "server.pem").stat().st_uid == folder.state(one.name).stat().st_uid
    assert organization.inside(folder).name == "Corp"
