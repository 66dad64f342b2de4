"""The ruleset: what stands in it, whether nft takes it, and, between two network namespaces, whether it does what it says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath

import pytest

from postern.model.organization import Organization, Profile
from postern.paths.firewall import LOG_GROUP, ruleset
from postern.paths.openings import openings
from postern.paths.places import standings
from postern.paths.table import settle
from tests.paths.organizations import (
    BOTH,
    CORP,
    CORP_OF_THE_EDGE,
    MAILBOX,
    MONITOR,
    NETWORKS,
    ONE,
    OUTSIDE,
    THREE,
    WITH_EDGE,
)

PROBE = FilePath(__file__).parent / "probe.py"


def chain(text: str, name: str) -> list[str]:
    return text.partition(f"chain {name} {{")[2].partition("\n\t}")[0].split("\n")


def test_everything_is_denied_that_no_rule_admits() -> None:
    text = ruleset(THREE, "mb1")
    for name in ("input", "output", "forward"):
        assert f"type filter hook {name} priority filter; policy drop;" in text
    accepting = [line for line in text.splitlines() if line.endswith("accept") and "counter" not in line]
    assert len(accepting) == 4  # what belongs to a connection, and the loopback, in each direction


def test_rules_name_ports_peers_and_rows() -> None:
    text = ruleset(THREE, "mb1")
    incoming = "\n".join(chain(text, "input"))
    inward = [opening for opening in openings(THREE, MAILBOX, settle(THREE.profile).values()) if opening.inward]
    for family, address, rows in (
        ("ip", "192.0.2.3", {"hub-to-mailbox-mapi", "cas-to-mailbox"}),
        ("ip6", "2001:db8::1", {"hub-to-mailbox-mapi"}),
    ):
        head = re.escape(f"{family} saddr {address} tcp dport {{ 10135, 30000-30019 }} ")
        (rule,) = re.findall(head + "(.*) accept", incoming)
        counted = set(re.findall(r'counter name "in-(\S+)"', rule))
        assert counted >= rows
        assert counted == {opening.row for opening in inward if opening.first == 10135 and opening.admits(address)}
    assert "in-cas-to-mailbox" not in rule, "no client access server has that address"
    assert "10025" not in text
    assert "2001:db8::2" not in text  # its own address is nobody's peer


def test_the_metrics_port_is_open_to_monitors_where_metrics_are_switched_on() -> None:
    assert "metrics" not in ruleset(THREE, "mb1")
    text = ruleset(replace(THREE, metrics=True, hosts=(MONITOR,)), "mb1")
    incoming = "\n".join(chain(text, "input"))
    assert '192.0.2.99 } tcp dport 19464 counter name "in-metrics" accept' in incoming


def test_every_counter_that_is_used_is_there_and_the_other_way_round() -> None:
    for organization, server in (
        (THREE, "hub1"),
        (THREE, "mb1"),
        (ONE, "server1"),
        (OUTSIDE, "all1"),
        (WITH_EDGE, "hub1"),
        *((CORP, name) for name in ("edge1", "mbx1", "dc1", "client1", "internet1")),
        (NETWORKS, "clients"),
    ):
        text = ruleset(organization, server)
        declared = set(re.findall(r"^\tcounter (\S+) \{", text, re.MULTILINE))
        assert declared == set(re.findall(r'counter name "(\S+)"', text))
        assert {"dropped-in", "dropped-out"} <= declared


def test_rules_with_known_peers_stand_before_those_for_anyone() -> None:
    lines = [line for line in chain(ruleset(THREE, "hub1"), "input") if "tcp dport" in line]
    known = [index for index, line in enumerate(lines) if "saddr" in line]
    anyone = [index for index, line in enumerate(lines) if "saddr" not in line]
    assert max(known) < min(anyone)


def test_a_single_host_shows_the_world_its_clients_doors_only() -> None:
    incoming = "\n".join(chain(ruleset(ONE, "server1"), "input"))
    assert "10135" not in incoming
    assert "30000" not in incoming
    for number in (10025, 10110, 10143, 10465, 10587, 10993, 10995):
        assert str(number) in incoming


def test_a_host_that_is_no_server_of_ours_has_one_too() -> None:
    text = ruleset(CORP, "client1")
    assert text.startswith("#!/usr/sbin/nft -f\n# client1 (client1.corp.test): client; ")
    outgoing = "\n".join(chain(text, "output"))
    assert 'ip daddr 10.77.1.40 tcp dport { 143, 993 } counter name "out-imap4" accept' in outgoing
    assert (
        'ip daddr { 10.77.1.10, 10.77.4.10 } udp dport { 88, 53 } counter name "out-client-to-kdc" accept' in outgoing
    )
    assert "echo-request" in outgoing
    assert "10.77.1.30" not in text and "10.77.2.20" not in text


def test_networks_stand_behind_hosts_and_swallow_the_addresses_in_them() -> None:
    lines = [line for line in chain(ruleset(NETWORKS, "hub1"), "input") if "tcp dport" in line]
    known = [line for line in lines if "/" in line]
    assert known and lines.index(known[0]) > max(
        index for index, line in enumerate(lines) if "saddr" in line and line not in known
    )
    text = ruleset(NETWORKS, "hub1")
    assert "ip saddr 10.77.3.0/24 tcp dport { 25, 587, 465 }" in text
    assert "ip6 saddr 2001:db8:3::/64 tcp dport { 25, 587, 465 }" in text
    assert "10.77.3.50" not in text


def test_an_unknown_host_has_no_firewall() -> None:
    with pytest.raises(KeyError):
        ruleset(THREE, "nobody")


# From here on with the kernel.


def can_make_namespaces() -> bool:
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("nft") is None:
        return False
    return subprocess.run(["unshare", "-n", "nft", "list", "ruleset"], capture_output=True, check=False).returncode == 0


with_namespaces = pytest.mark.skipif(
    not can_make_namespaces(), reason="needs root, iproute2 and nftables in a network namespace"
)


@pytest.mark.root
@with_namespaces
@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    "organization",
    [ONE, THREE, OUTSIDE, WITH_EDGE, CORP, CORP_OF_THE_EDGE, NETWORKS],
    ids=["one", "three", "outside", "edge", "corp", "edge's", "networks"],
)
def test_nft_takes_it_for_every_host(organization: Organization, profile: Profile) -> None:
    for one in standings(organization):
        text = ruleset(replace(organization, profile=profile), one.name)
        done = subprocess.run(
            ["unshare", "-n", "nft", "-c", "-f", "-"],
            input=text,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr


class Host:
    """A network namespace with some addresses, and what runs in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.children: list[subprocess.Popen[str]] = []

    def run(self, *words: str, text: str | None = None, timeout: float = 20) -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *words],
            input=text,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Starts the probe in this host and waits until it says that it is ready."""
        child = subprocess.Popen(
            ["ip", "netns", "exec", self.name, sys.executable, str(PROBE), *words], stdout=subprocess.PIPE, text=True
        )
        self.children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    def reaches(self, address: str, port: int, source: str = "") -> bool:
        words = ["connect", address, str(port), *([source] if source else [])]
        return self.run(sys.executable, str(PROBE), *words).strip() == "answered"

    def counters(self, table: str = "postern") -> dict[str, int]:
        listing = json.loads(self.run("nft", "-j", "list", "counters", "table", "inet", table))
        return {one["counter"]["name"]: one["counter"]["packets"] for one in listing["nftables"] if "counter" in one}


@contextlib.contextmanager
def joined(first: tuple[str, ...], second: tuple[str, ...]) -> Iterator[tuple[Host, Host]]:
    """Two hosts on one link, with these addresses."""
    mark = f"pf{os.getpid() % 100000}"
    one, other = Host(f"{mark}h"), Host(f"{mark}o")

    def outside(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True, timeout=20)

    try:
        for host in (one, other):
            outside("ip", "netns", "add", host.name)
        outside(
            "ip", "link", "add", "eth0", "netns", one.name, "type", "veth", "peer", "name", "eth0", "netns", other.name
        )
        for host, addresses in ((one, first), (other, second)):
            host.run("ip", "link", "set", "lo", "up")
            for address in addresses:
                host.run("ip", "address", "add", address, "dev", "eth0", *(("nodad",) if ":" in address else ()))
            host.run("ip", "link", "set", "eth0", "up")
        yield one, other
    finally:
        for host in (one, other):
            for child in host.children:
                child.kill()
                child.wait()
            subprocess.run(["ip", "netns", "del", host.name], capture_output=True, check=False)


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """hub1 under its firewall, and a neighbour that is a stranger (192.0.2.99) and mb1 (192.0.2.2) at once."""
    with joined(("192.0.2.1/24", "2001:db8::1/64"), ("192.0.2.99/24", "192.0.2.2/24", "2001:db8::99/64")) as (
        hub,
        other,
    ):
        hub.run("nft", "-f", "-", text=ruleset(THREE, "hub1"))
        yield hub, other


@pytest.mark.root
@pytest.mark.slow
@with_namespaces
class TestBetweenTwoHosts:
    def test_a_row_passes_and_is_counted_over_both_families(self, hosts: tuple[Host, Host]) -> None:
        hub, other = hosts
        hub.start("listen", "10025", "10587")
        assert other.reaches("192.0.2.1", 10025)
        assert other.reaches("2001:db8::1", 10587)
        counters = hub.counters()
        assert counters["in-internet-to-hub"] == 1
        assert counters["in-client-to-hub-smtp"] == 2
        assert counters["dropped-in"] == counters["dropped-out"] == counters["invalid-in"] == 0

    def test_a_port_without_a_row_is_dropped_counted_and_logged(self, hosts: tuple[Host, Host]) -> None:
        hub, other = hosts
        hub.start("listen", "10999")
        log = hub.start("log", str(LOG_GROUP))
        assert not other.reaches("192.0.2.1", 10999)
        assert not other.reaches("2001:db8::1", 10999)
        assert hub.counters()["dropped-in"] >= 2
        assert log.stdout is not None
        assert log.stdout.readline() == "postern dropped-in: \n"

    def test_nothing_leaves_without_a_row_either(self, hosts: tuple[Host, Host]) -> None:
        hub, other = hosts
        other.start("listen", "25", "9999")
        log = hub.start("log", str(LOG_GROUP))
        assert hub.reaches("192.0.2.99", 25)
        assert not hub.reaches("192.0.2.99", 9999)
        counters = hub.counters()
        assert counters["out-hub-to-internet"] == 1
        assert counters["dropped-out"] >= 1
        assert log.stdout is not None
        assert log.stdout.readline() == "postern dropped-out: \n"

    def test_a_servers_row_is_open_to_that_server_only(self, hosts: tuple[Host, Host]) -> None:
        hub, other = hosts
        hub.start("listen", "10135", "30007")
        for port in (10135, 30007):
            assert other.reaches("192.0.2.1", port, source="192.0.2.2")
            assert not other.reaches("192.0.2.1", port, source="192.0.2.99")
        assert hub.counters()["in-mailbox-to-hub-submission"] == 2

    def test_hosts_that_are_no_servers_of_ours_keep_to_their_rows_too(self) -> None:
        with joined(("10.77.3.50/8",), ("10.77.1.10/8", "10.77.2.20/8")) as (client, controller):
            client.run("nft", "-f", "-", text=ruleset(CORP, "client1"))
            controller.run("nft", "-f", "-", text=ruleset(CORP, "dc1"))
            controller.start("listen", "88", "389", "25")
            client.start("listen", "88")
            assert client.reaches("10.77.1.10", 88)
            assert not client.reaches("10.77.1.10", 389)  # the client itself does not let it out
            assert not client.reaches("10.77.2.20", 25)
            assert not controller.reaches("10.77.3.50", 88)
            assert client.counters()["out-client-to-kdc"] == controller.counters()["in-client-to-kdc"] == 1
            assert controller.counters()["dropped-in"] == 0
            client.run("nft", "flush", "ruleset")
            assert not client.reaches("10.77.1.10", 389)  # and the controller does not let it in
            assert controller.counters()["dropped-in"] >= 1

    def test_loading_it_again_replaces_it(self, hosts: tuple[Host, Host]) -> None:
        hub, other = hosts
        hub.start("listen", "10143", "10025")
        hub.run("nft", "-f", "-", text=ruleset(THREE, BOTH.name))
        assert other.reaches("192.0.2.1", 10143)
        hub.run("nft", "-f", "-", text=ruleset(THREE, MAILBOX.name))
        assert not other.reaches("192.0.2.1", 10143)
        assert not other.reaches("192.0.2.1", 10025)
