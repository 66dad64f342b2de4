"""Organizations that the tests of this folder share."""

from __future__ import annotations

from dataclasses import replace

from postern.model.organization import AcceptedDomain, Organization, Role, SendConnector, Server

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
    postgres="postgresql://postern@mb1.example.test:6432/mail",
    send_connectors=(SendConnector("out", smart_hosts=("relay.example.net:587",)),),
)
"""Everything that a URL or a list can name stands outside of Postern's own processes."""
