"""The client's own behaviour: which way it goes, what it does when the server is away, and that it believes nobody blindly."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import pytest

from postern.model.mailbox import MailboxError
from postern.model.organization import Profile
from postern.model.security import Mechanism, PrincipalKind
from postern.net.door import Door
from postern.paths.table import settle
from postern.protocols.dcerpc.interfaces.endpoint import Endpoint
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS
from postern.services.mailbox.client import MailboxClient, mailbox_client
from postern.services.rpc.client import RpcClient, RpcError, RpcTarget
from postern.services.rpc.endpoint_mapper import EndpointMapper
from postern.services.rpc.server import RpcServer
from postern.telemetry.observed import Observed
from postern.trust.authenticator import Authenticator
from postern.trust.contexts import SecurityContext, SecurityFailure
from postern.trust.host import HostCredentials
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.rpc_parts import (
    DOMAIN,
    MAILBOX,
    ROWS,
    SERVER,
    MachineDirectory,
    initiators,
    may_call,
    serve,
)
from tests.support.ports import free_port

pytestmark = pytest.mark.slow
ROW = ROWS["cas-to-mailbox"]
HARDENED = settle(Profile.HARDENED)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))


def client_of(target: RpcTarget, connections: int = 2) -> MailboxClient:
    return mailbox_client(RpcClient(MAILBOX_ACCESS, target, Observed(None), connections), MAILBOX_ACCESS)


def test_the_unix_socket_is_taken_where_there_is_one() -> None:
    async def test() -> None:
        async with serve(FakeMailboxes(), local_account="CAS1$") as served:
            client = client_of(served.target("cas-to-mailbox"))
            await client.logon(MAILBOX)
            assert client.rpc.seal is not None
            assert (client.rpc.mechanism, client.rpc.seal.protocol) == (Mechanism.PEER, "local")
            await client.close()
            sealed = client_of(served.target("cas-to-mailbox", "CAS1$"))
            await sealed.logon(MAILBOX)
            assert sealed.rpc.seal is not None
            assert (sealed.rpc.mechanism, sealed.rpc.seal.protocol) == (Mechanism.NTLM, "RPC privacy")
            await sealed.close()

    run(test)


def test_while_a_worker_is_away_its_callers_go_to_its_neighbour() -> None:
    async def test() -> None:
        async with serve(FakeMailboxes(), local_account="CAS1$") as served:
            target = served.target("cas-to-mailbox")
            away = served.socket.with_name("nobody")
            client = client_of(dataclasses.replace(target, sockets=(away, *target.sockets)))
            assert (await client.logon(MAILBOX)).mailbox == MAILBOX
            await client.close()

    run(test)


def test_a_lost_connection_is_made_anew() -> None:
    async def test() -> None:
        async with serve(FakeMailboxes()) as served:
            client = client_of(served.target("cas-to-mailbox", "CAS1$"), connections=1)
            await client.logon(MAILBOX)
            (connection,) = client.rpc._pool
            assert connection is not None and connection.link is not None
            connection.link.abort()
            while connection.alive:  # noqa: ASYNC110 - until the loop has told it
                await asyncio.sleep(0)
            await client.logon(MAILBOX)
            assert client.rpc._pool[0] is not connection
            await client.close()

    run(test)


def test_calls_under_way_fail_when_the_connection_is_lost() -> None:
    class Silent(FakeMailboxes):
        entered = asyncio.Event()

        async def folders(self, mailbox):
            self.entered.set()
            await asyncio.Event().wait()

    async def test() -> None:
        silent = Silent()
        async with serve(silent) as served:
            client = client_of(served.target("cas-to-mailbox", "CAS1$"), connections=1)
            call = asyncio.create_task(client.folders(MAILBOX))
            await silent.entered.wait()
            connection = client.rpc._pool[0]
            assert connection is not None and connection.link is not None
            connection.link.abort()
            with pytest.raises(MailboxError) as lost:
                await call
            assert lost.value.code == "UNAVAILABLE"
            await client.close()

    run(test)


def test_a_server_that_is_away_is_not_asked_again_at_once() -> None:
    async def test() -> None:
        target = RpcTarget(ROW, "127.0.0.1", SERVER.fqdn, free_port(), initiators("CAS1$"))
        client = client_of(target)
        with pytest.raises(MailboxError) as first:
            await client.logon(MAILBOX)
        with pytest.raises(MailboxError) as second:
            await client.logon(MAILBOX)
        assert (first.value.code, second.value.code) == ("UNAVAILABLE", "UNAVAILABLE")
        assert "a moment ago" in str(second.value)
        client.rpc._not_before = 0.0
        async with serve(FakeMailboxes(), mapper=target.mapper):
            await client.logon(MAILBOX)
            assert client.rpc._failures == 0
            await client.close()

    run(test)


def test_a_call_without_an_answer_ends_in_time() -> None:
    class Silent(FakeMailboxes):
        async def folders(self, mailbox):
            await asyncio.Event().wait()

    async def test() -> None:
        async with serve(Silent()) as served:
            rpc = RpcClient(MAILBOX_ACCESS, served.target("cas-to-mailbox", "CAS1$"), Observed(None))
            with pytest.raises(RpcError):
                await rpc.call("folders", (MAILBOX,), timeout=0.05)
            assert await rpc.call("logon", (MAILBOX, 0))
            await rpc.close()

    run(test)


def test_nothing_is_sent_without_something_to_prove_it_with() -> None:
    async def test() -> None:
        async with serve(FakeMailboxes()) as served:
            kerberos_only = dataclasses.replace(
                ROW, default_auth=(Mechanism.KERBEROS,), supported_auth=(Mechanism.KERBEROS,)
            )
            target = dataclasses.replace(served.target("cas-to-mailbox", "CAS1$"), row=kerberos_only)
            with pytest.raises(MailboxError) as refused:
                await client_of(target).logon(MAILBOX)
            assert refused.value.code == "UNAVAILABLE" and "prove itself" in str(refused.value)

    run(test)


class Recorded:
    """Initiators that note what is tried; Kerberos has no key distribution centre that answers."""

    def __init__(self) -> None:
        self.tried: list[Mechanism] = []
        self._real = initiators("CAS1$")

    def begin(self, mechanism: Mechanism, host: str) -> SecurityContext | None:
        self.tried.append(mechanism)
        if mechanism is Mechanism.KERBEROS:
            return NoTicket()  # type: ignore[return-value]  # it never comes to more
        return self._real.begin(mechanism, host)


class NoTicket:
    async def step(self, token: bytes) -> bytes:
        raise SecurityFailure("Cannot contact any KDC")


def test_without_a_ticket_the_next_mechanism_of_the_row_is_tried() -> None:
    async def test() -> None:
        async with serve(FakeMailboxes()) as served:
            for row, succeeds in ((ROW, True), (HARDENED["cas-to-mailbox"], False)):
                recorded = Recorded()
                target = dataclasses.replace(served.target("cas-to-mailbox", "CAS1$"), row=row, initiators=recorded)
                client = client_of(target, connections=1)
                if succeeds:
                    await client.logon(MAILBOX)
                    assert recorded.tried == [Mechanism.KERBEROS, Mechanism.PEER, Mechanism.NTLM]
                    assert client.rpc.mechanism is Mechanism.NTLM
                else:
                    with pytest.raises(MailboxError, match="Cannot contact any KDC"):
                        await client.logon(MAILBOX)
                    assert Mechanism.NTLM not in recorded.tried
                await client.close()

    run(test)


def test_a_person_tries_ntlm_where_the_row_lists_both() -> None:
    async def test() -> None:
        async with serve(FakeMailboxes()) as served:
            both = dataclasses.replace(ROW, default_auth=(Mechanism.NTLM, Mechanism.KERBEROS))
            for kind, first in ((PrincipalKind.SERVER, Mechanism.KERBEROS), (PrincipalKind.USER, Mechanism.NTLM)):
                recorded = Recorded()
                target = served.target("cas-to-mailbox", "CAS1$")
                client = client_of(dataclasses.replace(target, row=both, initiators=recorded, kind=kind), connections=1)
                await client.logon(MAILBOX)
                assert recorded.tried[0] is first
                await client.close()

    run(test)


def test_a_mapper_that_does_not_know_us_and_a_server_that_does_not_serve_us() -> None:
    async def test() -> None:
        acceptors = Authenticator(MachineDirectory(), HostCredentials("mbx1", DOMAIN))
        for endpoints, words in (([], "does not know"), ([MAILBOX_ACCESS.syntax], "does not have this interface")):
            number = free_port()
            mapper = EndpointMapper([Endpoint(syntax, number) for syntax in endpoints])
            server = RpcServer([mapper], acceptors, may_call, Observed(None), "MBX1$")
            door = Door([ROW], ROW.port("epm"), server.session, None)
            await door.open("127.0.0.1", number)
            try:
                target = RpcTarget(ROW, "127.0.0.1", SERVER.fqdn, number, initiators("CAS1$"))
                with pytest.raises(MailboxError) as refused:
                    await client_of(target).logon(MAILBOX)
                assert words in str(refused.value) or "refused" in str(refused.value)
            finally:
                await door.close(0.5)

    run(test)
