"""Client and server of different minor versions of an interface: what both have is called, what the server lacks is CANNOT."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol
from uuid import UUID

import pytest

from postern.model.mailbox import MailboxError
from postern.protocols.dcerpc.codecs import Parameter
from postern.protocols.dcerpc.interface import Interface, Operation, Refusals, Syntax
from postern.protocols.dcerpc.interfaces.mailbox_codecs import REFUSALS
from postern.protocols.dcerpc.ndr import U32
from postern.services.rpc.call import Call, Procedure
from postern.services.rpc.client import OlderServer, RpcClient
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.stub import stub
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.rpc_parts import ROWS, Served, serve

pytestmark = pytest.mark.slow
ROW = ROWS["hub-to-mailbox-mapi"]
SYNTAX = Syntax(UUID("3c1de8ea-6f5f-4ad4-8a59-0ff35f6c1d77"), 1)


class Growing(Protocol):
    async def first(self) -> int: ...
    async def second(self) -> int: ...


class Both:
    async def first(self) -> int:
        return 1

    async def second(self) -> int:
        return 2


def growing(sizes: tuple[int, ...], refusals: Refusals | None = REFUSALS) -> Interface[Growing]:
    methods = (Growing.first, Growing.second)[: sizes[-1]]
    operations = {n: Operation(m, "", (), Parameter("number", U32), refusals) for n, m in enumerate(methods)}
    return Interface("growing", SYNTAX, operations, "", Growing, sizes)


OLD, NEW = growing((1,)), growing((1, 2))


class Noting(InterfaceService):
    """Notes the minor version that each call's client bound."""

    def __init__(self, interface: Interface[Growing]) -> None:
        super().__init__(interface, ROW, Both())
        self.minors: list[int] = []

    def procedure(self, opnum: int) -> Procedure | None:
        inner = super().procedure(opnum)
        if inner is None:
            return None

        async def noting(call: Call) -> bytes | bytearray:
            self.minors.append(call.minor)
            return await inner(call)

        return noting


def run(
    served_interface: Interface[Growing],
    account: str,
    test: Callable[[Served], Awaitable[None]],
    service: InterfaceService | None = None,
) -> None:
    async def whole() -> None:
        service_here = service or InterfaceService(served_interface, ROW, Both())
        async with serve(FakeMailboxes(), [service_here]) as served:
            await test(served)

    asyncio.run(asyncio.wait_for(whole(), 30))


# Over the unix socket; and over TCP, where the endpoint mapper is asked and each call has a trailer that names its version.
ACCOUNTS = pytest.mark.parametrize("account", ["", "HUB1$"])


@ACCOUNTS
def test_a_newer_client_calls_what_an_older_server_has(account: str) -> None:
    async def test(served: Served) -> None:
        rpc = RpcClient(NEW, served.target(ROW.id, account), served.observed)
        calls = stub(rpc, NEW)
        assert await calls.first() == 1
        with pytest.raises(MailboxError, match=r"has version 1\.0, without second") as refused:
            await calls.second()
        assert refused.value.code == "CANNOT"
        assert await calls.first() == 1
        await rpc.close()
        bare = growing((1, 2), None)
        rpc = RpcClient(bare, served.target(ROW.id, account), served.observed)
        with pytest.raises(OlderServer) as unknown:
            await stub(rpc, bare).second()
        assert not unknown.value.executed
        await rpc.close()

    run(OLD, account, test)


@ACCOUNTS
def test_an_older_client_calls_a_newer_server(account: str) -> None:
    async def test(served: Served) -> None:
        rpc = RpcClient(OLD, served.target(ROW.id, account), served.observed)
        assert await stub(rpc, OLD).first() == 1
        with pytest.raises(MailboxError) as refused:
            await stub(rpc, OLD).second()
        assert refused.value.code == "CANNOT"
        await rpc.close()

    run(NEW, account, test)


@ACCOUNTS
def test_equals_call_everything(account: str) -> None:
    async def test(served: Served) -> None:
        rpc = RpcClient(NEW, served.target(ROW.id, account), served.observed)
        calls = stub(rpc, NEW)
        assert [await calls.first(), await calls.second()] == [1, 2]
        await rpc.close()

    run(NEW, account, test)


@ACCOUNTS
def test_a_procedure_knows_the_minor_version_that_its_client_bound(account: str) -> None:
    service = Noting(NEW)

    async def test(served: Served) -> None:
        for interface in (OLD, NEW):
            rpc = RpcClient(interface, served.target(ROW.id, account), served.observed)
            assert await stub(rpc, interface).first() == 1
            await rpc.close()

    run(NEW, account, test, service)
    assert service.minors == [0, 1]
