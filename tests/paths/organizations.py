"""Organizations that the tests of this folder share."""

from __future__ import annotations

from dataclasses import replace

from postern.model.organization import (
    AcceptedDomain,
    ActiveDirectory,
    Database,
    Host,
    Organization,
    Role,
    SendConnector,
    Server,
)

HUB = Server("hub1", "hub1.example.test", frozenset({Role.HUB}), ("192.0.2.1", "2001:db8::1"))
MAILBOX = Server("mb1", "mb1.example.test", frozenset({Role.MAILBOX}), ("192.0.2.2", "2001:db8::2"))
BOTH = Server("all1", "all1.example.test", frozenset({Role.HUB, Role.CLIENT_ACCESS}), ("192.0.2.3",))
EDGE = Server("edge1", "edge1.example.test", frozenset({Role.EDGE}), ("198.51.100.1",))

THREE = Organization(
    "Example", (AcceptedDomain("example.test"),), (HUB, MAILBOX, BOTH), offset=10000, rpc_ports=(30000, 30019)
)
"""Three hosts, all roles but the edge's and unified messaging."""
ONE = Organization(
    "Example",
    (AcceptedDomain("example.test"),),
    (
        Server(
            "server1",
            "server1.example.test",
            frozenset({Role.HUB, Role.MAILBOX, Role.CLIENT_ACCESS}),
            ("127.0.0.1",),
        ),
    ),
    offset=10000,
    rpc_ports=(30000, 30019),
)
"""What `postern run` makes with nothing configured."""
WITH_EDGE = replace(THREE, servers=(*THREE.servers, EDGE))
OUTSIDE = replace(
    THREE,
    realm="EXAMPLE.TEST",
    dns_servers=("192.0.2.53", "[2001:db8::53]:5353"),
    directory="ldaps://192.0.2.9",
    written_databases=(Database("mail", "mb1", "postgresql://postern@mb1.example.test:6432/mail"),),
    send_connectors=(SendConnector("out", smart_hosts=("relay.example.net:587",)),),
)
"""Everything that a URL or a list can name stands outside of Postern's own processes."""

MONITOR = Host("prom1", frozenset({"monitor"}), ("192.0.2.99",))
DC1 = Host("dc1", frozenset({"active-directory", "name-server"}), ("10.77.1.10",), "dc1.corp.test", "Headquarters")
DC2 = Host("dc2", frozenset({"active-directory", "name-server"}), ("10.77.4.10",), "dc2.corp.test", "Branch")
CLIENT = Host("client1", frozenset({"client"}), ("10.77.3.50",), "client1.corp.test")
INTERNET = Host("internet1", frozenset({"internet", "name-server"}), ("203.0.113.25",), "mx.other.test")
CORP_HUB = Server("hub1", "hub1.corp.test", frozenset({Role.HUB}), ("10.77.1.20",), "Headquarters")
CORP_HUB2 = Server("hub2", "hub2.corp.test", frozenset({Role.HUB}), ("10.77.4.20",), "Branch")
CORP_MAILBOX = Server("mbx1", "mbx1.corp.test", frozenset({Role.MAILBOX}), ("10.77.1.30",), "Headquarters")
CORP_CLIENT_ACCESS = Server("cas1", "cas1.corp.test", frozenset({Role.CLIENT_ACCESS}), ("10.77.1.40",), "Headquarters")
CORP_EDGE = Server("edge1", "edge1.corp.test", frozenset({Role.EDGE}), ("10.77.2.20",))
CORP = Organization(
    "Corp",
    (AcceptedDomain("corp.test"),),
    (CORP_HUB, CORP_HUB2, CORP_MAILBOX, CORP_CLIENT_ACCESS, CORP_EDGE),
    realm="CORP.TEST",
    active_directory=ActiveDirectory("corp.test", "CORP"),
    hosts=(DC1, DC2, CLIENT, INTERNET),
)
"""The lab: a domain with two controllers, an edge in a perimeter network, a client, and another organization."""
CORP_OF_THE_EDGE = replace(
    CORP,
    servers=(CORP_EDGE, CORP_HUB, CORP_HUB2),
    realm="",
    active_directory=None,
    hosts=(INTERNET,),
    dns_servers=("203.0.113.25",),
)
"""What the edge's own file says of it."""
NETWORKS = replace(
    CORP,
    hosts=(
        DC1,
        CLIENT,
        Host("clients", frozenset({"client"}), ("10.77.3.0/24", "2001:db8:3::/64")),
        Host("office", frozenset({"administrator"}), ("10.77.0.0/16",)),
    ),
)
"""Clients and administrators as networks, one of which holds a host that is named, too."""
