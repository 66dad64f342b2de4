"""Sockets as the kernel shows them, held against the rows: what fits, and what is a rogue."""

from __future__ import annotations

import pytest

from postern.model.organization import Organization, Server
from postern.paths.fit import KernelSocket, fits, listeners
from postern.paths.row import Wire
from postern.paths.table import settle
from tests.paths.organizations import HUB, MAILBOX, NETWORKS, ONE, OUTSIDE, THREE

HOME = ONE.servers[0]


def listening(number: int, wire: Wire = Wire.TCP, local: str = "0.0.0.0") -> KernelSocket:
    return KernelSocket(wire, local, number, "0.0.0.0", 0, True)


def connected(local: str, local_port: int, remote: str, remote_port: int, wire: Wire = Wire.TCP) -> KernelSocket:
    return KernelSocket(wire, local, local_port, remote, remote_port, False)


def test_listeners_are_the_rows_ports_with_their_rows() -> None:
    names = ("hub-to-hub", "mailbox-to-hub-submission", "hub-to-mailbox-mapi", "client-to-hub-smtp", "cas-to-mailbox")
    rows = [settle(ONE.profile)[name] for name in (*names, "imap4", "pop3", "internet-to-hub")]
    ports = {number: ids for wire, number, ids in listeners(ONE, HOME, rows) if wire is Wire.TCP}
    assert ports[10025] == ["hub-to-hub", "client-to-hub-smtp", "internet-to-hub"]
    assert ports[10993] == ["imap4"]
    assert ports[30019] == ["mailbox-to-hub-submission", "hub-to-mailbox-mapi", "cas-to-mailbox"]
    assert ports.keys() - set(range(30000, 30020)) == {10025, 10110, 10135, 10143, 10465, 10587, 10993, 10995}


def test_a_door_of_the_table_fits_and_any_other_listener_is_a_rogue() -> None:
    assert fits(ONE, HOME, listening(10143)) == ("imap4",)
    assert fits(ONE, HOME, listening(30007, local="127.0.0.1"))
    assert fits(ONE, HOME, listening(10144)) == ()
    assert fits(ONE, HOME, listening(143)) == ()
    assert fits(ONE, HOME, listening(30020)) == ()
    assert fits(ONE, HOME, listening(10143, Wire.UDP)) == ()
    assert fits(THREE, HUB, listening(10143)) == ()  # another host's role


@pytest.mark.parametrize(
    ("organization", "server", "socket", "row"),
    [
        (ONE, HOME, connected("127.0.0.1", 10993, "203.0.113.7", 51000), "imap4"),
        (ONE, HOME, connected("::1", 10025, "2001:db8::77", 51000), "internet-to-hub"),
        (ONE, HOME, connected("127.0.0.1", 40000, "127.0.0.1", 30003), "cas-to-mailbox"),
        (ONE, HOME, connected("192.0.2.1", 40000, "203.0.113.9", 25), "hub-to-internet"),
        (ONE, HOME, connected("192.0.2.1", 40000, "192.0.2.53", 53, Wire.UDP), "any-server-to-dns"),
        (THREE, MAILBOX, connected("192.0.2.2", 30003, "192.0.2.1", 40000), "hub-to-mailbox-mapi"),
        (THREE, HUB, connected("2001:db8::1", 40000, "2001:db8::2", 10135), "hub-to-mailbox-mapi"),
        (THREE, MAILBOX, connected("::ffff:192.0.2.2", 10135, "::ffff:192.0.2.3", 40000), "cas-to-mailbox"),
        (OUTSIDE, HUB, connected("192.0.2.1", 40000, "192.0.2.9", 636), "private-directory"),
        (OUTSIDE, HUB, connected("192.0.2.1", 40000, "203.0.113.9", 587), "hub-to-internet"),
        (OUTSIDE, MAILBOX, connected("127.0.0.1", 40000, "192.0.2.2", 6432), "postgresql"),
    ],
)
def test_connections_of_the_table_fit(
    organization: Organization, server: Server, socket: KernelSocket, row: str
) -> None:
    assert row in fits(organization, server, socket)


@pytest.mark.parametrize(
    ("organization", "server", "socket"),
    [
        (ONE, HOME, connected("127.0.0.1", 40000, "203.0.113.9", 443)),
        (ONE, HOME, connected("127.0.0.1", 40000, "127.0.0.1", 5432)),
        (ONE, HOME, connected("127.0.0.1", 40000, "203.0.113.9", 30003)),
        (THREE, MAILBOX, connected("192.0.2.2", 30003, "203.0.113.9", 40000)),
        (THREE, HUB, connected("192.0.2.1", 10135, "127.0.0.1", 40000)),
        (THREE, MAILBOX, connected("192.0.2.2", 40000, "203.0.113.9", 25)),
        (OUTSIDE, HUB, connected("192.0.2.1", 40000, "203.0.113.9", 53, Wire.UDP)),
        (OUTSIDE, HUB, connected("192.0.2.1", 40000, "192.0.2.9", 389)),
    ],
)
def test_connections_that_no_row_has_are_rogues(
    organization: Organization, server: Server, socket: KernelSocket
) -> None:
    assert fits(organization, server, socket) == ()


def test_a_question_by_udp_fits_while_it_stands_on_an_ephemeral_port() -> None:
    asking = KernelSocket(Wire.UDP, "0.0.0.0", 45000, "0.0.0.0", 0, False)
    assert "any-server-to-dns" in fits(ONE, HOME, asking)
    assert fits(ONE, HOME, asking, ephemeral=(50000, 51000)) == ()
    assert fits(ONE, HOME, KernelSocket(Wire.UDP, "0.0.0.0", 5000, "0.0.0.0", 0, False)) == ()


def test_a_tcp_socket_that_is_bound_but_does_nothing_fits_nothing() -> None:
    assert fits(ONE, HOME, KernelSocket(Wire.TCP, "127.0.0.1", 40000, "0.0.0.0", 0, False)) == ()


def test_a_peer_in_a_network_that_plays_the_party_fits() -> None:
    hub = NETWORKS.server("hub1")
    assert "client-to-hub-smtp" in fits(NETWORKS, hub, connected("10.77.1.20", 587, "10.77.3.77", 40000))
    assert fits(NETWORKS, hub, connected("10.77.1.20", 587, "10.78.3.77", 40000)) == ()
    assert fits(NETWORKS, hub, connected("10.77.1.20", 40000, "10.77.1.10", 389)) == ("hub-to-ad", "setup-ad")
    assert fits(NETWORKS, hub, connected("10.77.1.20", 40000, "10.77.4.10", 389)) == ()  # no controller that is named
