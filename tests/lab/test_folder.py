"""The lab's folder: what a host finds in its /etc, what is mounted over, and that only one `up` holds it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from postern.lab.folder import Folder, furnish
from postern.lab.plan import MACHINES, LabError, machine


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder("lab", tmp_path)
    folder.create(MACHINES)
    return folder


def etc(folder: Folder, host: str, name: str) -> str:
    furnish(folder, machine(host))
    return (folder.host(host) / "etc" / name).read_text()


def test_the_near_controller_is_asked_first(folder: Folder) -> None:
    assert etc(folder, "hub1", "resolv.conf").index("10.77.1.10") < etc(folder, "hub1", "resolv.conf").index(
        "10.77.4.10"
    )
    krb5 = etc(folder, "hub2", "krb5.conf")
    assert krb5.index("kdc = 10.77.4.10") < krb5.index("kdc = 10.77.1.10")
    assert "dns_lookup_kdc = false" in krb5


def test_the_edge_asks_the_internet_and_knows_no_realm(folder: Folder) -> None:
    assert etc(folder, "edge1", "resolv.conf").startswith("nameserver 203.0.113.25\n")
    krb5 = folder.host("edge1") / "etc" / "krb5.conf"
    assert not krb5.exists() or "CORP.TEST" not in krb5.read_text()


def test_a_host_knows_itself_and_the_rest_of_etc_is_the_machine_s(folder: Folder) -> None:
    assert "10.77.1.30 mbx1.corp.test mbx1" in etc(folder, "mbx1", "hosts")
    assert (folder.host("mbx1") / "etc" / "hostname").read_text() == "mbx1\n"
    link = folder.host("mbx1") / "etc" / "passwd"
    assert link.readlink() == folder.host("mbx1") / "machine-etc" / "passwd"
    assert not (folder.host("mbx1") / "etc" / "krb5.keytab").is_symlink()


def test_what_is_mounted(folder: Folder) -> None:
    furnish(folder, machine("dc1"))
    mounts = json.loads((folder.host("dc1") / "mounts.json").read_text())
    targets = [one["target"] for one in mounts]
    assert {"/etc", "/run", "/tmp", "/dev/shm", "/var/log", "/var/tmp"} <= set(targets)
    # The machine's /etc is kept in sight before ours covers it.
    assert targets.index(str(folder.host("dc1") / "machine-etc")) < targets.index("/etc")


def test_a_client_trusts_the_organization_s_authority_beside_the_machine_s(folder: Folder) -> None:
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if not bundle.exists():
        pytest.skip("needs the package ca-certificates")
    furnish(folder, machine("client1"), b"-----OURS-----\n")
    text = (folder.host("client1") / "etc/ssl/certs/ca-certificates.crt").read_bytes()
    assert text == bundle.read_bytes() + b"-----OURS-----\n"


def test_only_one_holds_it(folder: Folder) -> None:
    with folder.held(), pytest.raises(LabError, match="by another process"), Folder("lab", folder.root.parent).held():
        pass
    with folder.held():
        pass


def test_the_last_lab_takes_the_folder_of_all_with_it(tmp_path: Path) -> None:
    one, two = Folder("one", tmp_path / "labs"), Folder("two", tmp_path / "labs")
    for folder in (one, two):
        folder.create(MACHINES)
    one.remove()
    assert (tmp_path / "labs" / "two").exists()
    two.remove()
    assert not (tmp_path / "labs").exists()
