"""The bind by Kerberos against servers that do not do their part; real ones answer in test_active_directory."""

from __future__ import annotations

import asyncio

import pytest

from postern.directory.ldap.connection import Refused
from postern.directory.ldap.sealed_layer import SealedLayer, sealed
from postern.directory.ldap.tickets import TicketError
from postern.protocols.ber import ENUMERATED, OCTETS, SEQUENCE, element, integer
from postern.protocols.ldap.bind import packet


class Context:
    """Seals by a letter in front, and is complete after one answer."""

    token = b"first"

    def __init__(self) -> None:
        self.complete = False

    def step(self, token: bytes) -> bytes:
        if token != b"proof":
            raise TicketError("no proof")
        self.complete = True
        return b""

    def wrap(self, data: bytes) -> bytes:
        return b"S" + data

    def unwrap(self, data: bytes, sealed: bool = True) -> bytes:
        if data[:1] != b"S" and (sealed or data[:1] != b"I"):
            raise ValueError("altered")
        return data[1:]

    @staticmethod
    def room(largest: int) -> int:
        return largest - 1


class Server:
    """Answers each request with the next of its answers, in pieces."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers = list(answers)
        self.pieces: list[bytes] = []
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        if self.answers:
            code, credentials = self.answers.pop(0)
            content = integer(code, ENUMERATED) + element(OCTETS, b"") * 2 + element(0x87, credentials)
            whole = element(SEQUENCE, integer(len(self.sent)) + element(0x61, content))
            self.pieces += [whole[:5], whole[5:]]

    async def receive(self) -> bytes:
        if not self.pieces:
            raise ConnectionResetError
        return self.pieces.pop(0)


PROOF, OFFER = (14, b"proof"), (14, b"I\x07\0\1\0")


def bound(*answers: tuple[int, bytes]) -> tuple[SealedLayer, Server]:
    server = Server(*answers)
    return asyncio.run(sealed(server, Context())), server  # type: ignore[arg-type]  # it does what a context does


def test_confidentiality_is_chosen() -> None:
    layer, server = bound(PROOF, OFFER, (0, b""))
    assert b"first" in server.sent[0] and b"S\x04\xff\xff\xff" in server.sent[2]
    assert layer.outgoing(b"x" * 300) == packet(b"S" + b"x" * 255) + packet(b"S" + b"x" * 45)
    assert layer.incoming(packet(b"Sab")[:4]) == b""
    assert layer.incoming(b"Sab" + packet(b"Sc")) == b"abc"
    with pytest.raises(ValueError):
        layer.incoming(packet(b"Ionly signed"))
    with pytest.raises(ValueError):
        layer.incoming(b"\x7f\xff\xff\xff")


@pytest.mark.parametrize(
    "answers",
    [
        [(49, b"")],
        [(0, b"")],  # at once: nobody proved anything
        [PROOF, (0, b"")],  # no layer was agreed
        [PROOF, (14, b"I\x03\0\1\0")],  # signs only
        [PROOF, (14, b"I\x01\0\0\0")],
        [PROOF, (14, b"forged")],
        [PROOF, OFFER, (49, b"")],
        [PROOF, OFFER, (14, b"more")],
    ],
)
def test_a_server_that_does_not_do_its_part_is_refused(answers: list[tuple[int, bytes]]) -> None:
    with pytest.raises(Refused):
        bound(*answers)


def test_a_server_without_proof_or_without_an_answer() -> None:
    with pytest.raises(TicketError):
        bound((14, b"forged"))
    with pytest.raises(ConnectionError):
        bound(PROOF)
