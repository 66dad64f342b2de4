"""Who may call what: every refusal beside the call that succeeds, over real sockets.

covers: protocols.dcerpc.interfaces.management
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import pytest

from postern.model.organization import Profile
from postern.model.security import Identity, Mechanism
from postern.net.door import dial
from postern.net.link import Link
from postern.paths.table import settle
from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.interfaces.mail_submission import MAIL_SUBMISSION
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.protocols.dcerpc.interfaces.management import INQ_IF_IDS, IS_SERVER_LISTENING, MANAGEMENT
from postern.protocols.dcerpc.pdu import Status
from postern.protocols.dcerpc.protection import Level
from postern.services.rpc import server as rpc_server
from postern.services.rpc.client import RpcConnection, RpcError
from postern.telemetry.metrics import Metric, Metrics
from postern.trust.authenticator import Authenticator
from postern.trust.contexts import SecurityContext
from postern.trust.host import HostCredentials
from postern.trust.ntlm.contexts import NtlmInitiatorContext
from postern.trust.ntlm.handshake import NtlmInitiator, nt_hash
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.rpc_parts import DOMAIN, MAILBOX, PASSWORDS, ROWS, MachineDirectory, Served, serve
from tests.support.counts import refusals

pytestmark = pytest.mark.slow
LOGON = bytes(MAILBOX_ACCESS.operations[0].request.encode((MAILBOX, 0)))
ACCESS = MAILBOX_ACCESS.syntax


def ntlm(account: str, password: str | None = None) -> SecurityContext:
    secret = PASSWORDS[account] if password is None else password
    return NtlmInitiatorContext(NtlmInitiator(account, "EXAMPLE", nt_hash(secret)))


class Caller(RpcConnection):
    """A connection over TCP whose outgoing bytes may be changed on the way."""

    async def open(
        self, served: Served, context: SecurityContext | None, level: Level, syntax: Syntax = ACCESS
    ) -> Caller:
        row = ROWS["cas-to-mailbox"]
        await dial(row, self, "127.0.0.1", served.port, row.port("rpc"))
        await self.bind(syntax, context, level)
        return self


def run(test: Callable[[Served], Awaitable[None]], **options: object) -> None:
    async def whole() -> None:
        async with serve(FakeMailboxes(), **options) as served:
            await test(served)

    asyncio.run(asyncio.wait_for(whole(), 30))


async def outcome(
    served: Served, context: SecurityContext | None, level: Level, syntax: Syntax = ACCESS, opnum: int = 0
) -> int | str:
    """0 for a call that succeeded, the fault's status, or the words of a refusal before it."""
    connection = Caller()
    try:
        await connection.open(served, context, level, syntax)
        await connection.call(opnum, LOGON)
        return 0
    except RpcError as error:
        return error.status or str(error)
    finally:
        connection.close()


def test_who_may_call_the_mailbox_store() -> None:
    async def test(served: Served) -> None:
        assert await outcome(served, ntlm("CAS1$"), Level.PRIVACY) == 0
        assert await outcome(served, ntlm("HUB1$"), Level.PRIVACY, MAILBOX_DELIVERY.syntax) == 0
        # Not proven, or proven wrongly.
        assert await outcome(served, None, Level.NONE) == Status.ACCESS_DENIED
        assert await outcome(served, ntlm("CAS1$", "wrong"), Level.PRIVACY) == Status.ACCESS_DENIED
        # A user, with the right password, is no server.
        assert await outcome(served, ntlm("alice"), Level.PRIVACY) == Status.ACCESS_DENIED
        # A server, but not of the role that the row names.
        assert await outcome(served, ntlm("HUB1$"), Level.PRIVACY) == Status.ACCESS_DENIED
        assert await outcome(served, ntlm("CAS1$"), Level.PRIVACY, MAILBOX_DELIVERY.syntax) == Status.ACCESS_DENIED

    run(test)


def test_a_connection_ends_with_its_account() -> None:
    directory = MachineDirectory()
    acceptors = Authenticator(directory, HostCredentials("mbx1", DOMAIN))

    async def test(served: Served) -> None:
        gone = await Caller().open(served, ntlm("CAS1$"), Level.PRIVACY)
        stays = await Caller().open(served, ntlm("CAS1$"), Level.PRIVACY)
        await gone.call(0, LOGON)
        directory.removed.add("CAS1$")
        await acceptors.reauthorization.round()
        directory.removed.clear()
        await acceptors.reauthorization.round()
        await gone.call(0, LOGON)
        directory.disabled.add("CAS1$")
        for _ in range(2):
            await acceptors.reauthorization.round()
        for connection in (gone, stays):
            with pytest.raises(RpcError):
                await connection.call(0, LOGON)
        directory.disabled.clear()
        assert await outcome(served, ntlm("CAS1$"), Level.PRIVACY) == 0

    run(test, acceptors=acceptors)


def test_a_connection_ends_with_its_ticket_and_not_before_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[rpc_server.RpcConversation] = []
    really = rpc_server.RpcConversation._stays

    def stays(self: rpc_server.RpcConversation, identity: Identity, lifetime: float | None) -> None:
        sessions.append(self)
        really(self, identity, 3600.0)

    monkeypatch.setattr(rpc_server.RpcConversation, "_stays", stays)

    async def test(served: Served) -> None:
        caller = await Caller().open(served, ntlm("CAS1$"), Level.PRIVACY)
        await caller.call(0, LOGON)
        (session,) = sessions
        (timer,) = session._timers
        call = asyncio.create_task(caller.call(0, LOGON))
        while not session._calls:  # noqa: ASYNC110 (nothing says that a call has begun)
            await asyncio.sleep(0)
        session._outlived()
        await call
        with pytest.raises(RpcError):
            await caller.call(0, LOGON)
        assert timer.cancelled()  # the connection is gone, and its timer with it

    run(test)


@pytest.mark.parametrize("level", [Level.CONNECT, Level.CALL, Level.PACKET, Level.INTEGRITY])
def test_less_than_privacy_is_refused_where_the_row_requires_it(level: Level) -> None:
    async def test(served: Served) -> None:
        assert await outcome(served, ntlm("CAS1$"), level) == Status.ACCESS_DENIED
        assert await outcome(served, ntlm("CAS1$"), Level.PRIVACY) == 0

    run(test)


def test_a_mechanism_that_the_row_does_not_list_is_refused() -> None:
    rows = dict(ROWS)
    for name in ("cas-to-mailbox", "hub-to-mailbox-mapi"):
        rows[name] = dataclasses.replace(rows[name], supported_auth=(Mechanism.KERBEROS,))

    async def test(served: Served) -> None:
        assert await outcome(served, ntlm("CAS1$"), Level.PRIVACY) == "the bind was refused"

    run(test, rows=rows)


def test_under_the_reference_profile_there_is_no_unix_socket() -> None:
    async def test(served: Served) -> None:
        assert not served.socket.exists()
        assert await outcome(served, ntlm("CAS1$"), Level.PRIVACY) == 0

    run(test, rows=settle(Profile.REFERENCE))


def test_interfaces_and_operations_that_are_not_here() -> None:
    async def test(served: Served) -> None:
        unlisted = MAIL_SUBMISSION.syntax
        assert (
            await outcome(served, ntlm("CAS1$"), Level.PRIVACY, unlisted) == "the server does not have this interface"
        )
        assert await outcome(served, ntlm("CAS1$"), Level.PRIVACY, opnum=999) == Status.OP_RANGE
        newer = Syntax(ACCESS.uuid, 2)
        assert await outcome(served, ntlm("CAS1$"), Level.PRIVACY, newer) == "the server does not have this interface"

    run(test)


def test_a_disabled_account_is_refused() -> None:
    from postern.trust.authenticator import Authenticator

    directory = MachineDirectory()

    async def test(served: Served) -> None:
        assert await outcome(served, ntlm("CAS1$"), Level.PRIVACY) == 0
        directory.disabled.add("CAS1$")
        assert await outcome(served, ntlm("CAS1$"), Level.PRIVACY) == Status.ACCESS_DENIED

    run(test, acceptors=Authenticator(directory, HostCredentials("mbx1", DOMAIN)))


@pytest.mark.parametrize("at", [2, 20, 30, -3])
def test_a_changed_request_is_not_executed(at: int) -> None:
    async def test(served: Served) -> None:
        connection = await Caller().open(served, ntlm("CAS1$"), Level.PRIVACY)
        await connection.call(0, LOGON)

        class Changing:
            def __init__(self, link: Link) -> None:
                self.write_on = link.write

            def write(self, data: bytes) -> None:
                changed = bytearray(data)
                changed[at] ^= 0x40
                self.write_on(bytes(changed))

            def abort(self) -> None:
                pass

        assert connection.link is not None
        connection.link = Changing(connection.link)
        with pytest.raises(RpcError):
            async with asyncio.timeout(10):
                await connection.call(0, LOGON)

    run(test)


def test_a_broken_stub_is_a_fault_and_the_connection_goes_on(counted: Metrics) -> None:
    async def test(served: Served) -> None:
        connection = await Caller().open(served, ntlm("CAS1$"), Level.PRIVACY)
        with pytest.raises(RpcError) as broken:
            await connection.call(0, b"\1\2")
        assert broken.value.status == Status.BAD_STUB
        assert await connection.call(0, LOGON)
        connection.close()

    run(test)
    times = {labels: sum(seconds.counts) for (_, labels), seconds in counted.distributions.items()}
    assert times == {("cas-to-mailbox", "fault"): 1, ("cas-to-mailbox", "reply"): 1}


def test_refusals_are_counted_by_path_and_reason(counted: Metrics) -> None:
    async def test(served: Served) -> None:
        assert await outcome(served, ntlm("CAS1$", "wrong"), Level.PRIVACY) == Status.ACCESS_DENIED
        assert await outcome(served, ntlm("CAS1$"), Level.PRIVACY, MAILBOX_DELIVERY.syntax) == Status.ACCESS_DENIED
        assert await outcome(served, ntlm("CAS1$"), Level.INTEGRITY) == Status.ACCESS_DENIED

    run(test)
    assert refusals(counted) == {
        ("cas-to-mailbox", "authentication-failed"): 1,
        ("hub-to-mailbox-mapi", "not a caller of this path"): 1,
        ("cas-to-mailbox", "encryption-required"): 1,
    }
    assert counted.values[Metric.LOGONS, ("cas-to-mailbox", Mechanism.NTLM, "denied")] == 1


def test_management_answers_anyone() -> None:
    async def test(served: Served) -> None:
        connection = await Caller().open(served, None, Level.NONE, MANAGEMENT)
        assert bytes(await connection.call(IS_SERVER_LISTENING, b"")) == b"\0\0\0\0\1\0\0\0"
        ids = bytes(await connection.call(INQ_IF_IDS, b""))
        assert ACCESS.uuid.bytes_le in ids and MAILBOX_DELIVERY.syntax.uuid.bytes_le in ids
        connection.close()

    run(test)


def test_the_unix_socket_is_for_our_own_user_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from postern.services.mailbox.client import mailbox_client
    from postern.services.rpc.client import RpcClient

    async def test(served: Served) -> None:
        target = served.target("cas-to-mailbox")
        client = mailbox_client(RpcClient(MAILBOX_ACCESS, target, served.observed), MAILBOX_ACCESS)
        assert (await client.logon(MAILBOX)).mailbox == MAILBOX
        await client.close()
        monkeypatch.setattr(rpc_server.os, "getuid", lambda: 4242)
        refused = RpcClient(MAILBOX_ACCESS, target, served.observed)
        with pytest.raises(RpcError):
            await refused.call("logon", (MAILBOX, 0))

    run(test, local_account="CAS1$")


def test_an_orphaned_call_is_stopped_and_others_go_on() -> None:
    class Slow(FakeMailboxes):
        stopped = asyncio.Event()
        entered = asyncio.Event()

        async def logon(self, mailbox, quota=0):
            if quota == 1:
                self.entered.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    self.stopped.set()
            return await super().logon(mailbox, quota)

    async def whole() -> None:
        slow = Slow()
        async with serve(slow) as served:
            connection = await Caller().open(served, ntlm("CAS1$"), Level.PRIVACY)
            stub = bytes(MAILBOX_ACCESS.operations[0].request.encode((MAILBOX, 1)))
            call = asyncio.create_task(connection.call(0, stub))
            await slow.entered.wait()
            assert await connection.call(0, LOGON)
            call.cancel()
            await slow.stopped.wait()
            assert await connection.call(0, LOGON)
            connection.close()

    asyncio.run(asyncio.wait_for(whole(), 30))


def test_a_call_that_is_orphaned_before_it_began_leaves_its_place_free() -> None:
    async def test(served: Served) -> None:
        connection = await Caller().open(served, ntlm("CAS1$"), Level.PRIVACY)
        for _ in range(rpc_server.MAX_CALLS + 1):
            connection.machine.orphan(connection.machine.call(0, 0, LOGON))
        assert connection.link is not None
        connection.link.write(connection.machine.outgoing())
        assert await connection.call(0, LOGON)
        connection.close()

    run(test)


def test_more_calls_than_allowed_wait_their_turn() -> None:
    class Gated(FakeMailboxes):
        running = most = 0
        full = asyncio.Event()
        gate = asyncio.Event()

        async def logon(self, mailbox, quota=0):
            self.running += 1
            self.most = max(self.most, self.running)
            if self.running == rpc_server.MAX_CALLS:
                self.full.set()
            await self.gate.wait()
            self.running -= 1
            return await super().logon(mailbox, quota)

    async def whole() -> None:
        gated = Gated()
        async with serve(gated) as served:
            connection = await Caller().open(served, ntlm("CAS1$"), Level.PRIVACY)
            calls = [asyncio.create_task(connection.call(0, LOGON)) for _ in range(3 * rpc_server.MAX_CALLS)]
            await gated.full.wait()
            gated.gate.set()
            await asyncio.gather(*calls)
            assert gated.most == rpc_server.MAX_CALLS
            connection.close()

    asyncio.run(asyncio.wait_for(whole(), 30))
