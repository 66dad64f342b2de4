"""Worst cases of what reads directories' answers, tickets and subscription files."""

from __future__ import annotations

import struct
from contextlib import suppress
from functools import partial

from postern.model import domains
from postern.protocols import ber
from postern.protocols.ber import OCTETS, SEQUENCE, element
from postern.protocols.edge import subscription as edge_subscription
from postern.protocols.kerberos import pac
from postern.protocols.ldap import bind as ldap_bind
from postern.protocols.ldap import cldap
from tests.bounds.growth import Cases, Work, pieces
from tests.protocols.ldap.test_cldap import answer, response

P = "protocols."


def _elements(size: int) -> Work:
    data = element(SEQUENCE, b"x") * (size // 3)

    def work() -> None:
        at = 0
        while at < len(data):
            _, at = ber.take(data, at, SEQUENCE)

    return work


def _nested(size: int) -> Work:
    data = element(OCTETS, bytes(size))
    for _ in range(20):
        data = element(SEQUENCE, data)

    def work() -> None:
        inner = data
        with suppress(ber.BerError):
            while True:
                inner, _ = ber.take(inner, 0, SEQUENCE)

    return work


def _binds(size: int) -> Work:
    wire = element(SEQUENCE, bytes(60_000)) * (size // 60_000 + 1)

    def work() -> None:
        answers = ldap_bind.BindAnswers()
        for piece in pieces(wire, 7):
            answers.feed(piece)
            answers.next_answer(1)

    return work


def _packets(size: int, sealed: bytes, step: int) -> Work:
    wire = ldap_bind.packet(sealed) * (size // (4 + len(sealed)))

    def work() -> None:
        packets = ldap_bind.Packets()
        for piece in pieces(wire, step):
            packets.feed(piece)
            while packets.next_packet() is not None:
                pass

    return work


def _pac(size: int) -> Work:
    body = b"\1\0\0\0" * (min(size, 60_000) // 4)
    data = struct.pack("<IIIIQ", 1, 0, 1, len(body), 24) + body

    def work() -> None:
        with suppress(pac.PacError):
            pac.logon_information(data)

    return work


def _subscription(data: bytes) -> Work:
    def work() -> None:
        with suppress(edge_subscription.SubscriptionFileError):
            edge_subscription.read(data[: edge_subscription.MAX_SIZE])

    return work


CASES: Cases = {
    P + "ber.elements": lambda size: lambda: list(ber.elements(b"\x04\x00" * (size // 2))),
    P + "ber.next_element": lambda size: partial(ber.next_element, ber.element(ber.OCTETS, bytes(size)), 0),
    P + "ber.take: many": _elements,
    P + "ber.take: nested": _nested,
    P + "ldap.cldap.pong: pointers": lambda size: partial(
        cldap.pong,
        answer(response(b"\x01a\x00" + b"".join((0xC018 + 2 * n).to_bytes(2, "big") for n in range(min(size, 1800))))),
        5,
    ),
    P + "ldap.cldap.pong: too large": lambda size: partial(cldap.pong, answer(bytes(size)), 5),
    "model.domains.a_labels": lambda size: partial(domains.a_labels, "회.사" * (size // 3)),
    "model.domains.fold": lambda size: partial(domains.fold, "회@사" * (size // 3)),
    "model.domains.shown": lambda size: partial(domains.shown, "xn--vf4b131b." * (size // 13)),
    P + "edge.subscription.read: nesting": lambda size: _subscription(b"<a>" * (size // 3)),
    P + "edge.subscription.read: attributes": lambda size: _subscription(
        b"<a " + b"".join(b'a%d="" ' % number for number in range(size // 10)) + b"/>"
    ),
    P + "edge.subscription.read: labels": lambda size: _subscription(
        b"<EdgeSubscriptionData><EdgeServerName>"
        + b"a." * (size // 2 - 100)
        + b"</EdgeServerName></EdgeSubscriptionData>"
    ),
    P + "ldap.bind.BindAnswers": _binds,
    P + "ldap.bind.Packets: small pieces": lambda size: _packets(size, bytes(60_000), 7),
    P + "ldap.bind.Packets: empty packets": lambda size: _packets(size, b"", 65_536),
    P + "kerberos.pac.logon_information": _pac,
}
