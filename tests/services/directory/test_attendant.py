"""Whose turn it is, what a call does, and who may call: over marshalled calls, over TCP with NTLM, and with Samba's Kerberos.
covers: recipient_update, protocols.dcerpc.interfaces.recipient_update
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from postern.directory.ldap.connection import Refused
from postern.model.directory import DirectoryUnavailable, RecipientsUpdated
from postern.model.security import Identity, Mechanism
from postern.net.door import Door
from postern.paths.row import Path
from postern.protocols.dcerpc.groups import Group
from postern.protocols.dcerpc.interfaces.endpoint import Endpoint
from postern.protocols.dcerpc.interfaces.recipient_update import RECIPIENT_UPDATE
from postern.services.directory.attendant import Attendant
from postern.services.directory.recipient_update import MOST, NobodyUpdates, RecipientUpdateService, ask
from postern.services.rpc.call import Call
from postern.services.rpc.client import RpcClient, RpcError, RpcTarget
from postern.services.rpc.endpoint_mapper import EndpointMapper
from postern.services.rpc.server import RpcServer
from postern.telemetry.observed import Observed
from postern.trust.authenticator import Authenticator
from postern.trust.host import HostCredentials
from postern.trust.initiators import Initiators
from tests.directory.samba import Domain
from tests.services.domain_member import Locate, Member, kerberos
from tests.services.rpc_parts import DOMAIN, ROWS, MachineDirectory, initiators
from tests.support.ports import free_port

ROW = ROWS["rus-rpc"]


class Updates:
    """A RecipientUpdate that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.down = False
        self.refuses = False
        self.heard = asyncio.Event()

    async def all(self) -> RecipientsUpdated:
        return self._did("all")

    async def changed(self) -> RecipientsUpdated:
        return self._did("changed")

    async def these(self, addresses: Sequence[str]) -> RecipientsUpdated:
        return self._did(list(addresses))

    def _did(self, what: Any) -> RecipientsUpdated:
        self.heard.set()
        if self.down:
            raise DirectoryUnavailable
        if self.refuses:
            raise Refused(50, "insufficient access rights")
        self.asked.append(what)
        return RecipientsUpdated(3, 2, ("carol",))


class Near:
    """An RpcClient of a service in this process: parameters and answers go through their wire form."""

    def __init__(self, attendant: Attendant, fqdn: str) -> None:
        self.service = RecipientUpdateService(ROW, attendant)
        self.target = SimpleNamespace(fqdn=fqdn)
        self.up = True

    async def call(self, name: str, values: Sequence[Any], timeout: float | None = None) -> list[Any]:
        if not self.up:
            raise RpcError("no connection", executed=False)
        number = RECIPIENT_UPDATE.numbers[name]
        operation, procedure = RECIPIENT_UPDATE.operations[number], self.service.procedure(number)
        assert procedure is not None
        reply: list[Any] = operation.reply.decode(
            await procedure(Call(bytes(operation.request.encode(values)), None, Group(1)))
        )  # type: ignore[arg-type]  # it does not ask who calls
        return reply

    async def close(self) -> None:
        pass


class Pair:
    """Two mailbox servers' attendants; mbx1 is before mbx2."""

    def __init__(self) -> None:
        self.updates = (Updates(), Updates())
        self.told: list[tuple[str, bool]] = []
        first = Attendant("row", self.updates[0], [], self._registrar("mbx1"))  # type: ignore[arg-type]  # it has what is asked
        self.near = Near(first, "mbx1.corp.test")
        second = Attendant("row", self.updates[1], [self.near], self._registrar("mbx2"))  # type: ignore[arg-type, list-item]  # as above
        self.attendants = (first, second)
        self.clients: list[Any] = [self.near, Near(second, "mbx2.corp.test")]

    def _registrar(self, name: str) -> Any:
        async def register(works: bool) -> None:
            self.told.append((name, works))

        return register

    async def once(self) -> None:
        for attendant in self.attendants if self.near.up else self.attendants[1:]:
            await attendant.once()


def test_one_works_and_the_next_takes_over() -> None:
    async def run() -> None:
        pair = Pair()
        await pair.once()
        assert [one.works for one in pair.attendants] == [True, False]
        assert (pair.updates[0].asked, pair.updates[1].asked) == (["changed"], [])
        pair.near.up = False
        await pair.once()
        assert pair.updates[1].asked == ["changed"]
        pair.near.up = True
        await pair.once()
        assert pair.updates[1].asked == ["changed"], "it rests again"
        assert pair.told == [("mbx1", True), ("mbx2", False), ("mbx2", True), ("mbx2", False)]

    asyncio.run(run())


def test_an_attendant_that_fails_does_not_claim_to_work_and_the_next_takes_over() -> None:
    async def run() -> None:
        pair = Pair()
        first, second = pair.attendants
        await pair.once()
        pair.updates[0].refuses = True
        with pytest.raises(Refused):
            await first.once()
        assert not first.works and pair.told[-1] == ("mbx1", False)
        with capture_logs() as lines, pytest.raises(Refused):
            await first.once()
        assert lines == [], "nor before its next round has succeeded"
        await second.once()
        assert second.works and pair.updates[1].asked == ["changed"]
        pair.updates[0].refuses = False
        await first.once()
        await second.once()
        assert (first.works, second.works) == (True, False)
        assert pair.told[-2:] == [("mbx1", True), ("mbx2", False)]

    asyncio.run(run())


def test_a_started_attendant_goes_on_after_a_refusal() -> None:
    async def run() -> None:
        updates = Updates()
        updates.refuses = True
        attendant = Attendant("row", updates, [], _no_register, interval=0.01)  # type: ignore[arg-type]  # it has what is asked
        attendant.start()
        await asyncio.wait_for(updates.heard.wait(), 10)
        updates.refuses = False
        updates.heard.clear()
        await asyncio.wait_for(updates.heard.wait(), 10)
        await attendant.close()
        assert updates.asked == ["changed"] * len(updates.asked) != []

    asyncio.run(run())


async def _no_register(works: bool) -> None:
    pass


def test_a_call_is_done_by_whose_turn_it_is() -> None:
    async def run() -> None:
        pair = Pair()
        assert await ask(pair.clients, ["alice@corp.test", "bob"]) == (
            "mbx1.corp.test",
            RecipientsUpdated(3, 2, ("carol",)),
        )
        assert pair.updates[0].asked == [["alice@corp.test", "bob"]]
        with pytest.raises(NobodyUpdates, match=r"mbx2\.corp\.test: rests"):
            await ask(pair.clients[1:])
        pair.near.up = False
        assert (await ask(pair.clients))[0] == "mbx2.corp.test"
        assert pair.updates[1].asked == ["all"]
        pair.updates[1].down = True
        with pytest.raises(NobodyUpdates, match=r"no connection; .* does not answer"):
            await ask(pair.clients)
        with pytest.raises(NobodyUpdates, match="no mailbox server"):
            await ask([])

    asyncio.run(run())


def test_more_recipients_than_a_call_may_name_are_all() -> None:
    async def run() -> None:
        pair = Pair()
        await ask(pair.clients, [f"u{number}" for number in range(MOST + 1)])
        assert pair.updates[0].asked == ["all"]

    asyncio.run(run())


def test_a_directory_that_is_down_ends_nothing() -> None:
    async def run() -> None:
        pair = Pair()
        first = pair.attendants[0]
        first._interval = 0.0
        pair.updates[0].down = True
        first.start()
        await pair.updates[0].heard.wait()
        assert first.total.changed == 0
        pair.updates[0].down = False
        for _ in range(2):  # the second is heard after the first was counted
            pair.updates[0].heard.clear()
            await pair.updates[0].heard.wait()
        await first.close()
        assert first.total.changed >= 2

    asyncio.run(run())


@asynccontextmanager
async def over_tcp(acceptors: Authenticator, account: str) -> AsyncIterator[tuple[int, Observed]]:
    attendant = Pair().attendants[0]
    observed = Observed(None)

    def may_call(identity: Identity, row: Path) -> bool:
        return identity.name == account and row is ROW

    port, mapper = free_port(), free_port()
    server = RpcServer([RecipientUpdateService(ROW, attendant)], acceptors, may_call, observed, account)
    known = EndpointMapper([Endpoint(RECIPIENT_UPDATE.syntax, port, "attendant")])
    epm = RpcServer([known], acceptors, may_call, observed, account)
    doors = [Door([ROW], ROW.port("rpc"), server.session, None), Door([ROW], ROW.port("epm"), epm.session, None)]
    try:
        for door, number in zip(doors, (port, mapper), strict=True):
            await door.open("127.0.0.1", number)
        yield mapper, observed
    finally:
        for door in doors:
            await door.close(0.2)


def test_ntlm_is_not_enough() -> None:
    """The row knows Kerberos alone: a caller that has only NTLM does not call, and one that tries is refused."""

    async def run() -> None:
        async with over_tcp(Authenticator(MachineDirectory(), HostCredentials("mbx1", DOMAIN)), "MBX1$") as (
            mapper,
            observed,
        ):
            for row in (ROW, ROWS["hub-to-mailbox-mapi"]):  # as we are, and as one that does not keep to the row
                target = RpcTarget(row, "127.0.0.1", f"mbx1.{DOMAIN}", mapper, initiators("MBX1$"))
                client = RpcClient(RECIPIENT_UPDATE, target, observed, connections=1)
                with pytest.raises(RpcError):
                    await client.call("standing", ())
                await client.close()

    asyncio.run(run())


@pytest.mark.slow
@pytest.mark.root
def test_a_mailbox_server_calls_by_kerberos(samba_domain: Domain) -> None:
    member = Member(samba_domain, "rus1")

    async def run() -> None:
        locator = Locate([samba_domain.controller()])
        directory = member.directory(locator)
        host = HostCredentials("rus1", Domain.name, "", Domain.realm, str(member.keytab))
        acceptors = Authenticator(directory, host)
        async with over_tcp(acceptors, "RUS1$") as (mapper, observed):
            proof = Initiators("RUS1$", host)
            target = RpcTarget(ROW, "127.0.0.1", member.fqdn, mapper, proof)
            client = RpcClient(RECIPIENT_UPDATE, target, observed, connections=1)
            assert await ask([client], ["alice"]) == (member.fqdn, RecipientsUpdated(3, 2, ("carol",)))
            assert (
                client.mechanism is Mechanism.KERBEROS
                and client.seal is not None
                and client.seal.protocol == "RPC privacy"
            )
            await client.close()
        await directory.close()

    with kerberos(samba_domain, member.keytab):
        asyncio.run(run())
