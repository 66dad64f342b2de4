"""Binds by Kerberos on a new connection, and makes the layer that seals all that follows. `protocols.ldap.bind` has the octets,
`tickets` the security context.
"""

from __future__ import annotations

from typing import Protocol

from postern.directory.ldap.connection import Refused
from postern.directory.ldap.tickets import Context
from postern.protocols.ldap.bind import IN_PROGRESS, SUCCESS, BindAnswers, Packets, bind_request, chosen_layer, packet

_STEPS = 5
"""The most messages of a bind; Kerberos needs three."""


class Wire(Protocol):
    """A connection as the handshake sees it."""

    def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes: ...


class SealedLayer:
    """The layer that seals a connection. `largest` is the size in octets of the largest packet that the server takes."""

    def __init__(self, context: Context, largest: int) -> None:
        self._context = context
        self._room = context.room(largest)
        self._packets = Packets()

    def outgoing(self, data: bytes) -> bytes:
        """Seals octets into packets. Raises ValueError."""
        parts = [data[at : at + self._room] for at in range(0, len(data), self._room)]
        return b"".join([packet(self._context.wrap(part)) for part in parts])

    def incoming(self, data: bytes) -> bytes:
        """Returns the octets of complete packets. Raises ValueError for a packet that is altered, not sealed, or too large."""
        self._packets.feed(data)
        clear = []
        while (sealed_packet := self._packets.next_packet()) is not None:
            clear.append(self._context.unwrap(sealed_packet))
        if self._packets.broken:
            raise ValueError("a packet larger than was agreed")
        return b"".join(clear)


async def sealed(wire: Wire, context: Context) -> SealedLayer:
    """Binds. Raises Refused where the server refuses, TicketError where it does not prove itself, and ConnectionError."""
    answers, token, largest = BindAnswers(), context.token, 0
    for number in range(1, _STEPS + 1):
        wire.send(bind_request(number, token))
        while (answer := answers.next_answer(number)) is None:
            answers.feed(await wire.receive())
        if answer.code == SUCCESS and largest:
            return SealedLayer(context, largest)
        if answer.code != IN_PROGRESS or largest:
            raise Refused(f"bind: result {answer.code}: {answer.text[:200]}")
        if not context.complete:
            token = context.step(answer.credentials)
            continue
        choice, largest = _choice(context, answer.credentials)
        token = choice
    raise Refused("bind: too many steps")


def _choice(context: Context, offer: bytes) -> tuple[bytes, int]:
    try:
        chosen = chosen_layer(context.unwrap(offer, sealed=False))
        if chosen is None:
            raise Refused("bind: the server does not seal")
        return context.wrap(chosen[0]), chosen[1]
    except ValueError as error:
        raise Refused(f"bind: {error}") from None
