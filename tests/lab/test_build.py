"""Labs come and go: hosts and networks only, with nothing running on them. Nothing is left, however they end.

covers: keeper, namespaces, network
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.lab.live import BASE, Lab, eventually, with_namespaces

pytestmark = [pytest.mark.lab, pytest.mark.root, pytest.mark.slow, with_namespaces]


SAYS_WHOSE = """
import socket
with socket.create_server(("10.77.1.20", 25)) as door:
    while True:
        door.accept()[0].sendall(open("/etc/whose", "rb").read())
"""
ASKS = """
import socket
print(socket.create_connection(("10.77.1.20", 25), 2).recv(100).decode(), end="")
"""


def traces(lab: Lab) -> dict[str, set[str]]:
    """What of a lab can be seen on this machine."""
    mark = str(lab.folder)
    found: dict[str, set[str]] = {"processes": set(), "mounts": set(), "files": set(), "interfaces": set()}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if mark in words.split("\0"):
                found["processes"].add(entry)
    found["mounts"] = {line for line in Path("/proc/self/mounts").read_text().splitlines() if mark in line}
    found["files"] = {str(lab.folder)} if lab.folder.exists() else set()
    return found


def machine_wide() -> tuple[set[str], set[str], set[str]]:
    """Interfaces and addresses of this machine, named network namespaces, shared memory; without those that tests of other
    processes may make and remove meanwhile."""
    mark = f"pt{os.getpid()}"
    links = subprocess.run(["ip", "-brief", "address"], capture_output=True, text=True, check=True).stdout
    return (
        {line for line in links.splitlines() if not re.match(r"ad[0-9a-f]{6}@", line)},  # tests/directory/samba.py
        {path.name for path in Path("/etc/netns").glob(f"{mark}*")},
        {path.name for path in Path("/dev/shm").iterdir() if mark in path.name},
    )


@pytest.fixture
def labs() -> Iterator[list[Lab]]:
    found = [Lab(f"pt{os.getpid()}-{letter}") for letter in "ab"]
    try:
        yield found
    finally:
        for lab in found:
            lab.command("down")


def test_two_labs_have_the_same_addresses_and_never_meet(labs: list[Lab]) -> None:
    one, two = labs
    for lab in labs:
        lab.command("up", "--bare")
    for lab in labs:
        lab.shell("hub1", "sh", "-c", f"echo {lab.name} >/etc/whose")
        lab.shell("hub1", "sh", "-c", f"setsid {sys.executable} -c '{SAYS_WHOSE}' >/dev/null 2>&1 &")
    for lab in labs:
        # From another network: through the lab's own router.
        assert eventually("an answer", partial(lab.shell, "client1", sys.executable, "-c", ASKS, check=False)) == (
            f"{lab.name}\n"
        )
    assert not Path("/etc/whose").exists()
    assert one.shell("hub1", "hostname") == "hub1\n"
    one.command("down")
    assert not any(traces(one).values())
    assert two.status()["hub1"]["running"]


def test_hosts_see_their_own_processes_and_interfaces_only(labs: list[Lab]) -> None:
    lab = labs[0]
    before = machine_wide()
    lab.command("up", "--bare")
    assert machine_wide() == before
    first = lab.shell("mbx1", "cat", "/proc/1/cmdline").split("\0")
    assert first[-2:-1] == ["mbx1"]
    links = lab.shell("mbx1", "ip", "-brief", "link").splitlines()
    assert {line.split()[0].partition("@")[0] for line in links} == {"lo", "eth0"}
    lab.command("down")
    assert machine_wide() == before
    assert not any(traces(lab).values())


@pytest.mark.parametrize("moment", ["hosts/mbx1/mounts.json", "logs/dc1-samba.log"])
def test_up_that_is_killed_leaves_what_down_takes_away(labs: list[Lab], moment: str) -> None:
    lab = labs[0]
    starting = lab.start("up", "--no-servers") if "samba" in moment else lab.start("up", "--bare")
    try:
        eventually(moment, lambda: (lab.folder / moment).exists() or starting.poll() is not None, 120)
        starting.send_signal(signal.SIGKILL)
    finally:
        starting.kill()
        starting.communicate()
    # With `up` everything that it started ends by itself; files remain.
    eventually("no process of the lab", lambda: not traces(lab)["processes"])
    lab.command("down")
    assert not any(traces(lab).values())


def test_the_lab_ends_with_its_router_also_when_that_is_killed(labs: list[Lab]) -> None:
    lab = labs[0]
    lab.command("up", "--bare")
    keepers = [int(pid) for pid in traces(lab)["processes"]]
    router = next(pid for pid in keepers if b"\0router\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(router, signal.SIGKILL)
    eventually("no process of the lab", lambda: not traces(lab)["processes"])
    done = lab.command("status", check=False)
    assert "is not up" in done.stderr
    lab.command("up", "--bare")  # what the dead one left is no obstacle
    assert lab.status()["dc1"]["running"]


def test_down_ends_an_up_that_is_at_work(labs: list[Lab]) -> None:
    lab = labs[0]
    starting = lab.start("up", "--bare")
    try:
        eventually("the folder", lambda: (lab.folder / "hosts/hub1/mounts.json").exists())
        lab.command("down")
        assert not any(traces(lab).values()) or starting.poll() is None
    finally:
        starting.kill()
        starting.communicate()
        lab.command("down")


def test_a_second_up_of_the_same_name_is_refused(labs: list[Lab]) -> None:
    lab = labs[0]
    lab.command("up", "--bare")
    done = lab.command("up", "--bare", check=False)
    assert done.returncode == 69  # EX_UNAVAILABLE
    assert f"postern: the lab {lab.name} is up" in done.stderr
    assert lab.status()["client1"]["running"]


def test_down_of_nothing_is_no_mistake() -> None:
    assert "there is no lab" in Lab("pt-nothing").command("down").stdout
    assert not (BASE / "pt-nothing").exists()
