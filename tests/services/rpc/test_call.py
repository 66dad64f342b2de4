"""What a server keeps for its callers between calls: context handles, over real connections."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from postern.model.security import NOBODY, Peer
from postern.net.door import dial, dial_local
from postern.protocols.dcerpc import groups
from postern.protocols.dcerpc.pdu import Status
from postern.protocols.dcerpc.protection import Level
from postern.services.rpc.call import Call, Caller, RpcFault
from postern.services.rpc.client import RpcClient, RpcConnection, RpcError
from postern.services.rpc.stub import stub
from postern.trust.ntlm.contexts import NtlmInitiatorContext
from postern.trust.ntlm.handshake import NtlmInitiator, nt_hash
from tests.services.counters import COUNTERS, CountersService
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.rpc_parts import PASSWORDS, ROWS, Served, serve
from tests.support.waiting import until

pytestmark = pytest.mark.slow
ROW = ROWS["hub-to-mailbox-mapi"]


class Calls:
    """COUNTERS on one connection, in a group of its own or in that of another."""

    def __init__(self, connection: RpcConnection) -> None:
        self.connection = connection

    @classmethod
    async def open_as(cls, served: Served, account: str = "HUB1$", beside: Calls | None = None) -> Calls:
        connection = RpcConnection()
        await dial(ROW, connection, "127.0.0.1", served.port, ROW.port("rpc"))
        context = NtlmInitiatorContext(NtlmInitiator(account, "EXAMPLE", nt_hash(PASSWORDS[account])))
        group = beside.connection.group if beside is not None else 0
        await connection.bind(COUNTERS.syntax, context, Level.PRIVACY, group)
        return cls(connection)

    async def __call__(self, name: str, *arguments: object) -> object:
        number = COUNTERS.numbers[name]
        operation = COUNTERS.operations[number]
        request = operation.request.encode(operation.write_arguments(arguments))
        reply = operation.reply.decode(await self.connection.call(number, request))
        return operation.read_result(reply, arguments)

    def close(self) -> None:
        self.connection.close()


def run(test: Callable[[Served, CountersService], Awaitable[None]]) -> None:
    async def whole() -> None:
        service = CountersService(ROW)
        async with serve(FakeMailboxes(), [service]) as served:
            await test(served, service)

    asyncio.run(asyncio.wait_for(whole(), 30))


async def refused(calls: Calls, handle: object) -> int:
    with pytest.raises(RpcError) as error:
        await calls("add", handle, 1)
    return error.value.status


def test_a_handle_is_good_on_every_connection_of_its_group() -> None:
    async def test(served: Served, service: CountersService) -> None:
        first = await Calls.open_as(served)
        second = await Calls.open_as(served, beside=first)
        counter = await first("open", 5)
        assert await second("add", counter, 2) == 7
        first.close()
        assert await second("add", counter, 1) == 8
        assert service.run_down == []
        second.close()
        await until(lambda: service.run_down == [8])

    run(test)


def test_it_is_nothing_in_another_group_or_to_another_caller() -> None:
    async def test(served: Served, service: CountersService) -> None:
        first = await Calls.open_as(served)
        counter = await first("open", 5)
        stranger = await Calls.open_as(served)
        other = await Calls.open_as(served, "HUB2$", beside=first)
        assert await refused(stranger, counter) == Status.CONTEXT_MISMATCH
        assert await refused(other, counter) == Status.CONTEXT_MISMATCH
        assert await refused(first, UUID(int=0)) == Status.CONTEXT_MISMATCH
        assert await first("add", counter, 1) == 6
        for calls in (first, stranger, other):
            calls.close()

    run(test)


def test_a_connection_joins_groups_of_its_own_transport_only() -> None:
    async def test(served: Served, service: CountersService) -> None:
        async def local(group: int) -> RpcConnection:
            connection = RpcConnection()
            await dial_local(ROW, connection, served.socket)
            await connection.bind(COUNTERS.syntax, None, Level.NONE, group)
            return connection

        over_tcp = await Calls.open_as(served)
        first = await local(0)
        second = await local(first.group)
        assert second.group == first.group
        with pytest.raises(RpcError, match="the bind was refused"):
            await local(over_tcp.connection.group)
        with pytest.raises(RpcError, match="the bind was refused"):
            await Calls.open_as(served, beside=Calls(first))
        for connection in (over_tcp.connection, first, second):
            connection.close()

    run(test)


def test_a_closed_handle_is_not_run_down() -> None:
    async def test(served: Served, service: CountersService) -> None:
        first = await Calls.open_as(served)
        kept = await first("open", 1)
        counter = await first("open", 9)
        assert await first("close", counter) == UUID(int=0)
        assert await refused(first, counter) == Status.CONTEXT_MISMATCH
        assert await first("add", kept, 1) == 2
        first.close()
        await until(lambda: service.run_down == [2])

    run(test)


@pytest.mark.parametrize("account", ["", "HUB1$"])
def test_a_procedure_hears_what_a_call_is_about(account: str) -> None:
    about = UUID(int=9)

    async def test(served: Served, service: CountersService) -> None:
        for said in (about, None):
            target = dataclasses.replace(served.target(ROW.id, account), object=said)
            rpc = RpcClient(COUNTERS, target, served.observed, connections=1)
            await stub(rpc, COUNTERS).open(1)
            assert service.objects[-1] == said
            await rpc.close()

    run(test)


def test_a_group_that_is_gone_cannot_be_joined() -> None:
    async def test(served: Served, service: CountersService) -> None:
        first = await Calls.open_as(served)
        await first("open", 3)
        first.close()
        await until(lambda: bool(service.run_down))
        with pytest.raises(RpcError, match="refused"):
            await Calls.open_as(served, beside=first)

    run(test)


def test_a_handle_is_of_its_kind_and_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MAX_HANDLES", 1)
    group = groups.Groups().join(0)
    assert group is not None
    call = Call(b"", Caller(NOBODY, Peer("local", 0), Peer("local", 0), ROW, None), group)
    handle = call.open("text")
    assert call.context(handle, str) == "text"
    with pytest.raises(RpcFault) as fault:
        call.context(handle, int)
    assert fault.value.status == Status.CONTEXT_MISMATCH
    with pytest.raises(RpcFault) as fault:
        call.open("more")
    assert fault.value.status == Status.NO_MEMORY
