"""One sealed connection to Samba, and controllers that refuse, hang, or are far from home.

covers: directory.ldap.tickets, directory.ldap.connection
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from postern.directory.ad import client as domain_client
from postern.directory.ad.client import DomainClient
from postern.directory.ldap.client import SUBTREE
from postern.directory.ldap.tickets import MachineTickets
from postern.model.directory import DirectoryUnavailable, DomainController
from postern.model.security import Mechanism
from postern.net.tunnel import Tunnel, tunnel
from postern.paths.row import Port
from postern.telemetry.observed import Observed, read
from tests.directory.domain_reader import LDAP, ROW, Known, Prepared
from tests.directory.samba import Domain

pytestmark = [pytest.mark.slow, pytest.mark.root]


async def nobodys_port() -> asyncio.Server:
    """Takes connections and says nothing."""
    return await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)


def run(
    prepared: Prepared,
    steps: Callable[[DomainClient, Known], Coroutine[Any, Any, None]],
    *first: DomainController,
    **more: Any,
) -> None:
    async def inside() -> None:
        known = Known(*first, prepared.domain.controller())
        client = prepared.client(known, **more)
        try:
            await steps(client, known)
        finally:
            await client.close()

    asyncio.run(inside())


ADMINISTRATOR = (Domain.base, SUBTREE, "(sAMAccountName=Administrator)", ("objectGUID",))


def test_one_sealed_connection_carries_everything_at_once(prepared: Prepared, tmp_path: Path) -> None:
    observed = Observed(tmp_path / "hub.jsonl")

    async def steps(client: DomainClient, known: Known) -> None:
        async def ask(number: int) -> int:
            name = "Administrator" if number % 2 else f"nobody{number}"
            return len(await client.search(Domain.base, SUBTREE, f"(sAMAccountName={name})", ("objectGUID",)))

        large = "(|" + "".join(f"(proxyAddresses=smtp:a.long.address.{n}@example.test)" for n in range(100)) + ")"
        answers, everything, nothing = await asyncio.gather(
            asyncio.gather(*(ask(number) for number in range(600))),
            asyncio.gather(*(client.search(Domain.base, SUBTREE, "(objectClass=*)", ("*",)) for _ in range(4))),
            asyncio.gather(*(client.search(Domain.base, SUBTREE, large, ("cn",)) for _ in range(100))),
        )
        assert answers == [number % 2 for number in range(600)]
        assert {len(found) for found in everything} == {len(everything[0])} and len(everything[0]) > 100
        assert nothing == [[]] * 100
        schema, pages = f"CN=Schema,{Domain.configuration}", 0
        async for page in client.pages(schema, SUBTREE, "(objectClass=attributeSchema)", ("cn",), 300):
            assert len(page) <= 300
            pages += 1
        assert pages > 3 and known.complaints == []

    run(prepared, steps, observed=observed, timeout=10.0)
    observed.flush()
    (one,) = read(tmp_path)
    assert (one.path, one.mechanism, one.seal, one.cipher) == ("hub-to-ad", Mechanism.KERBEROS, "Kerberos", "SSF 256")
    assert one.peer == prepared.domain.controllers["dc1"].address


def test_controllers_that_refuse_or_hang_are_passed_over(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dial(row: Any, port: Any, host: str) -> Any:
        if host != "127.0.0.1":
            return await tunnel(row, port, host)
        silent = Port(server.sockets[0].getsockname()[1], label="ldap")
        return await tunnel(dataclasses.replace(ROW, ports=(silent,)), silent, host)

    hanging = DomainController(prepared.domain.controllers["dc1"].fqdn, "127.0.0.1", "S", True, True)
    refusing = DomainController("dc8.corp.test", "127.0.9.9", "S", True, True)
    foreign = DomainController("dc9.corp.test", prepared.domain.controllers["dc1"].address, "S", True, True)

    async def inside() -> None:
        nonlocal server
        server = await nobodys_port()
        known = Known(refusing, foreign, hanging, prepared.domain.controller())
        client = DomainClient(ROW, LDAP, known, dial, prepared.tickets, timeout=0.5)
        try:
            assert len(await client.search(*ADMINISTRATOR)) == 1
            assert (await client.controller()).address == prepared.domain.controllers["dc1"].address
        finally:
            await client.close()
            server.close()
        # That there is no ticket for dc9 is not dc9's fault.
        assert known.complaints == ["dc8.corp.test", "dc1.corp.test"]

    server: Any = None
    asyncio.run(inside())


def test_a_controller_that_hangs_later_is_left_for_another(prepared: Prepared) -> None:
    tunnels: list[Tunnel] = []

    async def dial(*arguments: Any) -> Tunnel:
        tunnels.append(await tunnel(*arguments))
        return tunnels[-1]

    async def inside() -> None:
        known = Known(prepared.domain.controller())
        client = DomainClient(ROW, LDAP, known, dial, prepared.tickets, timeout=0.5)
        try:
            assert len(await client.search(*ADMINISTRATOR)) == 1
            tunnels[0]._outside.transport.pause_reading()
            found = await asyncio.gather(*(client.search(*ADMINISTRATOR) for _ in range(20)))
            assert [len(one) for one in found] == [1] * 20 and len(tunnels) == 2
            assert set(known.complaints) == {"dc1.corp.test"}
            tunnels[1]._outside.transport.abort()
            assert len(await client.search(*ADMINISTRATOR)) == 1
        finally:
            await client.close()

    asyncio.run(inside())


def test_without_a_ticket_or_a_controller_the_directory_is_unavailable(prepared: Prepared, tmp_path: Path) -> None:
    async def inside() -> None:
        there = Known(prepared.domain.controller())
        stranger = MachineTickets("NOBODY$", Domain.realm, tmp_path / "no-keytab")
        for known, tickets_of in ((there, stranger), (Known(), prepared.tickets)):
            client = DomainClient(ROW, LDAP, known, tunnel, tickets_of)
            with pytest.raises(DirectoryUnavailable):
                await client.search(*ADMINISTRATOR)
            await client.close()

    asyncio.run(inside())


def test_home_again_once_the_own_site_answers(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain_client, "_REVIEW", 0.0)
    home = prepared.domain.controller()
    away = dataclasses.replace(home, fqdn=home.fqdn, in_site=False)

    async def inside() -> None:
        known = Known(away)
        client = prepared.client(known)
        try:
            await client.search(*ADMINISTRATOR)
            assert not (await client.controller()).in_site
            known.all = [dataclasses.replace(home, fqdn=home.fqdn.upper()), away]
            async with asyncio.timeout(10):
                while not (await client.controller()).in_site:
                    assert len(await client.search(*ADMINISTRATOR)) == 1
        finally:
            await client.close()

    asyncio.run(inside())
