"""Turns of a loop: a peer that pipelines commands for as long as it is read has a bounded part of each turn, at every door."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest

from postern.net import turns
from postern.net.link import Link
from postern.net.turns import FULL_READ, turns_of
from postern.protocols.dcerpc.interfaces.endpoint import ENDPOINT_MAPPER
from postern.protocols.dcerpc.pdu import NDR, WHOLE, Bind, Kind, Offer, bind_body, pdu
from postern.protocols.dcerpc.server import ServerMachine as RpcMachine
from postern.protocols.imap.machine import ServerMachine as ImapMachine
from postern.protocols.pop3.machine import ServerMachine as Pop3Machine
from postern.protocols.smtp.bounds import STEPS, ServerBounds
from postern.protocols.smtp.server import Server
from postern.services.conversation import EVENTS, Conversation
from tests.services.test_conversation import Echo, FakeLink, opened, settled

COMMANDS = 100_000


class Machine(Protocol):
    def receive(self, data: bytes) -> None: ...
    def next_event(self) -> Any: ...
    def outgoing(self) -> bytes: ...


class Pipelined(Conversation):
    """A conversation whose machine is one of a door; its events need no answer."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine
        self.taken = 0

    def feed(self, data: bytes) -> None:
        self.machine.receive(data)

    def next_event(self) -> Any:
        return self.machine.next_event()

    def outgoing(self) -> bytes:
        return self.machine.outgoing()

    def handle(self, event: Any) -> Awaitable[None] | None:
        self.taken += 1
        return None


def _rpc(kind: Kind) -> bytes:
    return pdu(kind, WHOLE, 1, bind_body(Bind(4280, 4280, 0, (Offer(0, ENDPOINT_MAPPER, (NDR,)),))))


FLOODS: dict[str, tuple[Callable[[], Machine], bytes, bytes]] = {
    "smtp": (lambda: Server(ServerBounds()), b"NOOP\r\n", b""),
    "pop3": (Pop3Machine, b"CAPA\r\n", b""),
    "imap": (ImapMachine, b"a NOOP\r\n", b""),
    "imap, empty lines": (ImapMachine, b"\r\n", b""),
    "rpc": (lambda: RpcMachine([ENDPOINT_MAPPER]), _rpc(Kind.ALTER_CONTEXT), _rpc(Kind.BIND)),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_commands_has_a_bounded_part_of_each_turn(flood: str) -> None:
    async def test() -> None:
        make, command, first = FLOODS[flood]
        machine = make()
        session, link = Pipelined(machine), FakeLink()
        session.opened(link)  # type: ignore[arg-type]  # a link that stays in memory
        answers = 0
        session.received(first + command * COMMANDS)
        for _ in range(50):
            # What is between two turns of the loop: EVENTS events, each with STEPS answers of the machine's own at most.
            assert session.taken <= EVENTS
            assert link.written.count(b"\n") - answers <= EVENTS * STEPS
            assert link.paused
            session.taken, answers = 0, link.written.count(b"\n")
            await asyncio.sleep(0)
        session.closed(None)
        taken = session.taken
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert session.taken == taken, "who is gone has no turn"

    asyncio.run(test())


def test_all_that_was_pipelined_is_answered_in_order() -> None:
    async def test() -> None:
        session, link = await opened()
        session.go.set()
        session.received(b"sw" * 500)
        session.received(b"s" * 1000)
        await settled(session)
        assert link.written == b"hello " + b"sw" * 500 + b"s" * 1000
        assert not link.paused

    asyncio.run(test())


def test_a_hundred_floods_leave_room_for_another_session() -> None:
    async def test() -> None:
        floods = [Pipelined(Server(ServerBounds())) for _ in range(100)]
        for flood in floods:
            flood.opened(FakeLink())  # type: ignore[arg-type]  # a link that stays in memory
            flood.received(b"NOOP\r\n" * 40_000)
        for _ in range(30):
            before = sum(flood.taken for flood in floods)
            session, link = await opened()
            session.received(b"s")
            assert link.written == b"hello s"
            await asyncio.sleep(0)
            assert sum(flood.taken for flood in floods) - before <= turns.AT_ONCE * EVENTS
        assert all(flood.taken for flood in floods)

    asyncio.run(test())


def test_a_session_that_is_revoked_while_it_waits_for_its_turn_ends() -> None:
    async def test() -> None:
        session, link = await opened()
        session.received(b"s" * 1000)
        session.revoke()
        await settled(session)
        assert link.is_closed
        assert link.written.count(b"s") == EVENTS

    asyncio.run(test())


class Transport(asyncio.Transport):
    """Counts as read what is given while it is not paused."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True

    def is_closing(self) -> bool:
        return False

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None: ...


def test_a_socket_that_stays_full_is_read_once_a_turn() -> None:
    async def test() -> None:
        link, transport = Link(Echo()), Transport()
        link.connection_made(transport)
        link.data_received(b"s" * (FULL_READ - 1))
        await settled(link.session)  # type: ignore[arg-type]  # a link that stays in memory
        assert transport.reading, "what a peer sends now and then costs no turn"
        link.data_received(b"w" + b"s" * FULL_READ)
        assert not transport.reading
        await asyncio.sleep(0)
        assert transport.reading
        # The session's own pause outlasts the turn.
        link.data_received(b"s" * FULL_READ)
        link.pause()
        await asyncio.sleep(0)
        assert not transport.reading
        link.resume()
        assert transport.reading
        link.connection_lost(None)

    asyncio.run(test())


def test_the_line_goes_on_after_one_that_raises() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        came: list[int] = []

        def fail() -> None:
            raise RuntimeError("a defect")

        turns_of(loop).wait(fail)
        given_up = turns_of(loop).wait(lambda: came.append(1))
        turns_of(loop).wait(lambda: came.append(2))
        given_up.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert came == [2]

    asyncio.run(test())


def test_of_long_works_one_is_done_in_a_turn() -> None:
    async def test() -> None:
        done: list[int] = []

        async def work(number: int) -> None:
            await turns_of(asyncio.get_running_loop()).come()
            done.append(number)

        works = [asyncio.create_task(work(number)) for number in range(6)]
        await asyncio.sleep(0)
        works[1].cancel()
        before = 0
        for _ in range(20):
            await asyncio.sleep(0)
            assert len(done) - before <= 1
            before = len(done)
        assert done == [0, 2, 3, 4, 5]

    asyncio.run(test())
