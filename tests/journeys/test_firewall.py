"""The journeys of one mail between two hosts, the server under the firewall that `postern paths firewall` writes for it, on the
true ports; the client under a default deny of its own. Nothing of the journeys is dropped; what has no row is, and is counted.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import organization
from tests.journeys.remote import Remote
from tests.journeys.traveller import Traveller, from_a_stranger, submitted
from tests.organization import POSTERN, Organization
from tests.paths.test_firewall import Host, with_namespaces

pytestmark = [pytest.mark.postgres, pytest.mark.slapd, pytest.mark.root, pytest.mark.slow, with_namespaces]

SERVER, CLIENT = "192.0.2.1", "192.0.2.99"
CONFIGURATION = {
    'addresses = ["127.0.0.1"]': f'addresses = ["{SERVER}"]',
    "# dns-servers = []": f'dns-servers = ["{CLIENT}"] #',
}
CLIENTS_OWN = """
table inet client {
    counter dropped-in {}
    counter dropped-out {}
    chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iifname "lo" accept
        meta l4proto ipv6-icmp accept
        tcp dport 25 accept
        udp dport 53 accept
        counter name "dropped-in"
    }
    chain output {
        type filter hook output priority filter; policy drop;
        ct state established,related accept
        oifname "lo" accept
        meta l4proto ipv6-icmp accept
        ip daddr 192.0.2.1 tcp dport { 25, 110, 143, 465, 587, 993, 995 } accept
        counter name "dropped-out"
    }
}
"""
"""The client is the other organization too: its mail server on 25, its name server on 53."""


@dataclass
class Network:
    server: Host
    client: Host
    here: Organization


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    mark = f"pj{os.getpid() % 100000}"
    server, client = Host(f"{mark}s"), Host(f"{mark}c")
    here: Organization | None = None
    try:
        for host in (server, client):
            subprocess.run(["ip", "netns", "add", host.name], check=True)
        pair = f"ip link add eth0 netns {server.name} type veth peer name eth0 netns {client.name}"
        subprocess.run(pair.split(), check=True)
        for host, address in ((server, SERVER), (client, CLIENT)):
            host.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                host.run("ip", "link", "set", link, "up")
        inside = ("ip", "netns", "exec", server.name, POSTERN)
        here = organization.start(offset=0, configuration=CONFIGURATION, command=inside)
        for name in ("alice", "bob"):
            here.add_user(name)
        server.run("nft", "-f", "-", text=here.command("paths", "firewall", "--host", "server1").stdout)
        yield Network(server, client, here)
    finally:
        if here is not None:
            organization.remove(here)
        for host in (server, client):
            for child in host.children:
                child.kill()
                child.wait()
            subprocess.run(["ip", "netns", "del", host.name], capture_output=True, check=False)


def test_the_journeys_pass_and_nothing_of_them_is_dropped(network: Network) -> None:
    server, client = network.server, network.client
    client.run("nft", "-f", "-", text=CLIENTS_OWN)
    prefix = ("ip", "netns", "exec", client.name)
    traveller = Traveller(network.here, SERVER, prefix)
    remote = Remote(CLIENT, 25, 53, prefix)
    try:
        from_a_stranger(traveller, "alice@example.test")
        submitted(traveller, "alice@example.test", "bob@example.test", remote)
    finally:
        remote.stop()
        theirs = client.counters("client")
        client.run("nft", "delete", "table", "inet", "client")
    counters = server.counters()
    for row in ("in-internet-to-hub", "in-client-to-hub-smtp", "in-imap4", "in-pop3"):
        assert counters[row] > 0, row
    for row in ("out-hub-to-internet", "out-any-server-to-dns"):
        assert counters[row] > 0, row
    lost = {name: count for name, count in counters.items() if name.startswith(("dropped-", "invalid-")) and count}
    assert lost == {}
    assert theirs == {"dropped-in": 0, "dropped-out": 0}


def test_what_has_no_row_is_dropped_and_counted_both_ways(network: Network) -> None:
    server, client = network.server, network.client
    before = server.counters()
    server.start("listen", "10999")
    client.start("listen", "9999")
    assert not client.reaches(SERVER, 10999)
    assert not client.reaches(SERVER, 135), "the endpoint mapper listens, but for no client"
    middle = server.counters()
    assert middle["dropped-in"] >= before["dropped-in"] + 2
    assert middle["dropped-out"] == before["dropped-out"]
    assert not server.reaches(CLIENT, 9999)
    after = server.counters()
    assert after["dropped-out"] > middle["dropped-out"]
    assert after["dropped-in"] == middle["dropped-in"]
