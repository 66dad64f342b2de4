"""A UDP door on the loopback: answers by both families, and what is beyond its bounds is dropped and counted."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from functools import partial

import pytest
import uvloop

from postern.model.security import Peer
from postern.net import udp_door
from postern.net.udp_door import Dropped, Handler, UdpDoor
from postern.paths.row import Path, Port, Wire
from postern.paths.table import TABLE
from tests.support.waiting import until

PORT = Port(3343, Wire.UDP, label="heartbeat")
ROW = dataclasses.replace(TABLE["internet-to-hub"], id="of-a-test", ports=(PORT,))
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


class Service:
    """Answers what it hears backwards; `gate` closed holds it."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, Peer]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.door: UdpDoor

    async def __call__(self, data: bytes, peer: Peer) -> None:
        self.entered.set()
        await self.gate.wait()
        if data == b"defect":
            raise ZeroDivisionError
        self.heard.append((data, peer))
        self.door.send(data[::-1], peer)


@asynccontextmanager
async def opened(host: str = "127.0.0.1", **bounds: int) -> AsyncIterator[tuple[Service, tuple[str, int]]]:
    service = Service()
    service.door = UdpDoor([ROW], PORT, service, **bounds)
    await service.door.open(host, 0)
    assert service.door._socket is not None
    try:
        yield service, service.door._socket.getsockname()[:2]
    finally:
        await service.door.close()


def caller(to: tuple[str, int], at: str = "") -> socket.socket:
    """A client's connected socket, bound to the address `at`."""
    client = socket.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET, socket.SOCK_DGRAM)
    if at:
        client.bind((at, 0))
    client.connect(to)
    client.setblocking(False)
    return client


async def received(client: socket.socket) -> bytes:
    async with asyncio.timeout(10):
        return await asyncio.get_running_loop().sock_recv(client, 70_000)


def has_dropped(door: UdpDoor, full: int) -> bool:
    return door.dropped.full >= full


def run(
    test: Callable[[], Awaitable[None]], loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(test(), 30))


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_each_sender_gets_its_answers_in_order(host: str, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def test() -> None:
        async with opened(host) as (service, to):
            with closing(caller(to)) as one, closing(caller(to)) as other:
                for number in range(50):
                    one.send(b"one %d" % number)
                    other.send(b"other %d" % number)
                assert [await received(one) for _ in range(50)] == [(b"one %d" % n)[::-1] for n in range(50)]
                assert [await received(other) for _ in range(50)] == [(b"other %d" % n)[::-1] for n in range(50)]
                senders = {peer for _, peer in service.heard}
                assert senders == {Peer(*one.getsockname()[:2]), Peer(*other.getsockname()[:2])}
            assert service.door.dropped == Dropped()

    run(test, loop)


def test_an_empty_datagram_and_the_largest_are_datagrams() -> None:
    async def test() -> None:
        async with opened() as (service, to):
            with closing(caller(to)) as client:
                largest = bytes(65_507)  # what IPv4 leaves of 65,535 octets
                client.send(b"")
                client.send(largest)
                assert [await received(client), await received(client)] == [b"", largest]
            assert service.door.dropped.total == 0

    run(test)


def test_what_is_too_large_is_dropped_and_what_fits_is_not() -> None:
    async def test() -> None:
        async with opened(max_size=100) as (service, to):
            with closing(caller(to)) as client:
                for size in (101, 60_000, 100):
                    client.send(b"x" * size)
                assert await received(client) == b"x" * 100
            assert [len(data) for data, _ in service.heard] == [100]
            assert service.door.dropped == Dropped(oversize=2)

    run(test)


def test_a_flood_from_one_address_leaves_room_for_others() -> None:
    async def test() -> None:
        async with opened(max_queued=20, max_per_address=5) as (service, to):
            service.gate.clear()
            with closing(caller(to)) as flood, closing(caller(to, "127.0.0.2")) as other:
                flood.send(b"first")
                await service.entered.wait()
                for number in range(100):
                    flood.send(b"%d" % number)
                    if number % 20 == 19:
                        await until(partial(has_dropped, service.door, number - 5))
                other.send(b"other")
                await until(lambda: service.door._by_sender["127.0.0.2"] == 1)
                assert service.door.dropped == Dropped(full=95)
                service.gate.set()
                assert await received(other) == b"rehto"
            assert [data for data, _ in service.heard] == [b"first", b"0", b"1", b"2", b"3", b"4", b"other"]
            assert not service.door._by_sender and not service.door._queue

    run(test)


def test_a_flood_from_one_network_of_ipv6_leaves_room_for_others() -> None:
    """A subscriber has a whole /64, and can send from each of its addresses."""

    async def handle(data: bytes, peer: Peer) -> None:
        raise AssertionError("the door is not open")

    async def test() -> None:
        door = UdpDoor([ROW], PORT, handle, max_per_address=5)
        for number in range(1, 10):
            door._take(b"flood", Peer(f"2001:db8:1:2::{number:x}", 88))
        assert (len(door._queue), door.dropped.full) == (5, 4)
        door._take(b"other", Peer("2001:db8:1:3::1", 88))
        assert len(door._queue) == 6

    run(test)


def test_a_flood_from_everywhere_fills_the_queue_and_no_more() -> None:
    async def test() -> None:
        async with opened(max_queued=8, max_per_address=5) as (service, to):
            service.gate.clear()
            with closing(caller(to)) as client:
                client.send(b"first")
                await service.entered.wait()
            for last in range(2, 22):
                with closing(caller(to, f"127.0.0.{last}")) as client:
                    client.send(b"x")
            await until(lambda: service.door.dropped.full == 12)
            assert len(service.door._queue) == len(service.door._by_sender) == 8
            service.gate.set()
            await until(lambda: len(service.heard) == 9)

    run(test)


def test_a_flood_does_not_keep_others_of_the_process_waiting() -> None:
    """Handlers that wait for nothing give the loop its turn between portions."""

    async def test() -> None:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        heard: list[int] = []

        async def handle(data: bytes, peer: Peer) -> None:
            heard.append(turns)

        door = UdpDoor([ROW], PORT, handle, max_per_address=1000)
        await door.open("127.0.0.1", 0)
        assert door._socket is not None
        with closing(caller(door._socket.getsockname())) as client:
            for _ in range(200):
                client.send(b"x")
            busy = asyncio.create_task(others())
            await until(lambda: len(heard) == 200)
            busy.cancel()
        assert max(heard.count(turn) for turn in set(heard)) <= 2 * udp_door.HANDLED_AT_ONCE
        await door.close()

    run(test)


def test_a_defect_of_the_handler_costs_one_datagram() -> None:
    async def test() -> None:
        async with opened() as (_, to):
            with closing(caller(to)) as client:
                client.send(b"defect")
                client.send(b"next")
                assert await received(client) == b"txen"

    run(test)


def test_answers_that_the_kernel_cannot_take_yet_wait_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with opened(max_queued=3) as (service, to):
            with closing(caller(to)) as client:
                peer = Peer(*client.getsockname())
                real, full = service.door._socket, True

                class Full:
                    def __getattr__(self, name: str) -> object:
                        return getattr(real, name)

                    def sendto(self, data: bytes, address: tuple[str, int]) -> int:
                        if full:
                            raise BlockingIOError
                        assert real is not None
                        return real.sendto(data, address)

                service.door._socket = Full()  # type: ignore[assignment]  # as much of a socket as is used
                for number in range(5):
                    service.door.send(b"%d" % number, peer)
                assert service.door.dropped == Dropped(unsent=2)
                full = False
                assert [await received(client) for _ in range(3)] == [b"0", b"1", b"2"]
                service.door._socket = real

    run(test)


def test_what_no_network_takes_is_counted() -> None:
    async def test() -> None:
        async with opened() as (service, _):
            service.door.send(b"x", Peer("127.0.0.1", 0))
            service.door.send(bytes(70_000), Peer("127.0.0.1", 9))
            assert service.door.dropped == Dropped(unsent=2)
            for host in ("mail.example.test", "::1", ""):
                with pytest.raises(ValueError, match="no address that this door can send to"):
                    service.door.send(b"x", Peer(host, 9))

    run(test)


def test_a_closed_door_is_a_closed_port() -> None:
    async def test() -> None:
        async with opened() as (service, to):
            service.gate.clear()
            with closing(caller(to)) as client:
                client.send(b"current")
                client.send(b"waits")
                await until(lambda: bool(service.door._queue) and service.entered.is_set())
                closing_door = asyncio.create_task(service.door.close())
                await asyncio.sleep(0)
                service.gate.set()
                await closing_door
                assert await received(client) == b"tnerruc"
                client.send(b"late")
                with pytest.raises(ConnectionRefusedError):
                    await received(client)
            assert [data for data, _ in service.heard] == [b"current"]
            service.door.send(b"x", service.heard[0][1])
            assert service.door.dropped == Dropped(unsent=1)
            await service.door.close()

    run(test)


def test_a_handler_that_does_not_end_is_ended() -> None:
    async def test() -> None:
        async with opened() as (service, to):
            service.gate.clear()
            with closing(caller(to)) as client:
                client.send(b"x")
                await service.entered.wait()
                await service.door.close(grace=0.01)
            assert service.heard == []

    run(test)


def test_workers_share_a_port_and_each_sender_stays_with_one() -> None:
    async def test() -> None:
        async with opened() as (first, to):
            second = Service()
            second.door = UdpDoor([ROW], PORT, second)
            await second.door.open(*to)
            with ExitStack() as clients:
                for client in [clients.enter_context(closing(caller(to))) for _ in range(20)]:
                    for number in range(3):
                        client.send(b"%d" % number)
                        await received(client)
            by_sender = [{peer for _, peer in service.heard} for service in (first, second)]
            assert by_sender[0].isdisjoint(by_sender[1])
            assert len(by_sender[0]) + len(by_sender[1]) == 20
            await second.door.close()
            with pytest.raises(OSError, match="in use"):
                await UdpDoor([ROW], PORT, second).open(*to, shared=False)

    run(test)


@pytest.mark.parametrize(
    ("rows", "port"),
    [
        ([], PORT),
        ([TABLE["internet-to-hub"]], TABLE["internet-to-hub"].ports[0]),
        ([ROW, TABLE["internet-to-hub"]], PORT),
    ],
)
def test_there_is_no_door_without_a_row(rows: list[Path], port: Port) -> None:
    handler: Handler = Service()
    with pytest.raises(ValueError, match="no row"):
        UdpDoor(rows, port, handler)
