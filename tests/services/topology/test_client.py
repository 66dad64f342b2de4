"""The topology service asked over its unix socket and over TCP; gone, and back. covers: server"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path as FilePath

import pytest

from postern.model.directory import DomainController
from postern.model.organization import Profile
from postern.net.door import Door
from postern.paths.table import settle
from postern.protocols.dcerpc.interfaces.ad_topology import AD_TOPOLOGY
from postern.services.rpc.client import RpcClient, RpcError, RpcTarget
from postern.services.rpc.server import RpcServer
from postern.services.topology import client as topology_client
from postern.services.topology.client import TopologyClient
from postern.services.topology.controllers import Topology
from postern.services.topology.server import TopologyService
from postern.telemetry.observed import Observed
from postern.trust.authenticator import Authenticator
from postern.trust.host import HostCredentials
from tests.services.controllers import DOMAIN, FakeController, standing
from tests.services.rpc_parts import DOMAIN as MAIL_DOMAIN
from tests.services.rpc_parts import MachineDirectory

ROW = settle(Profile.PRACTICAL)["ad-topology"]
NEAR = DomainController("dc1.corp.test", "192.0.2.1", "S", True, True, True, 0.001)
FAR = DomainController("dc2.corp.test", "192.0.2.2", "T", False, True, True, 0.002)


class Fixed:
    """A Topology that knows what it is told."""

    site = "S"

    def __init__(self, *controllers: DomainController) -> None:
        self.known = controllers
        self.complaints: list[str] = []
        self.complained = asyncio.Event()
        self.asked = 0

    async def controllers(self) -> Sequence[DomainController]:
        self.asked += 1
        return self.known

    def failed(self, controller: DomainController) -> None:
        self.complaints.append(controller.fqdn)
        self.complained.set()


@asynccontextmanager
async def serving(known: Fixed | Topology, file: FilePath) -> AsyncIterator[None]:
    service = TopologyService(ROW, known)  # type: ignore[arg-type]  # it has what is asked of it
    acceptors = Authenticator(MachineDirectory(), HostCredentials("hub1", MAIL_DOMAIN))
    server = RpcServer([service], acceptors, lambda *_: True, Observed(None), "HUB1$")
    door = Door([ROW], ROW.port("ncalrpc"), server.session, None)
    await door.open_local(file)
    try:
        yield
    finally:
        await door.close(0.2)


def client(file: FilePath, otherwise: Fixed | None = None, memory: float = 0.0) -> TopologyClient:
    target = RpcTarget(ROW, "127.0.0.1", "hub1.example.test", 0, None, (file,))
    return TopologyClient(RpcClient(AD_TOPOLOGY, target, Observed(None)), otherwise, memory)


@pytest.fixture
def file() -> FilePath:
    with tempfile.TemporaryDirectory(prefix="tp-", dir="/tmp") as folder:
        yield FilePath(folder) / "topology.0"


def test_what_the_service_knows_is_told(file: FilePath) -> None:
    async def run() -> None:
        known = Fixed(NEAR, FAR)
        asking = client(file)
        async with serving(known, file):
            assert await asking.controllers() == (NEAR, FAR)
            assert asking.site == "S"
            asking.failed(NEAR)
            assert [(one.fqdn, one.up) for one in await asking.controllers()] == [(FAR.fqdn, True), (NEAR.fqdn, False)]
            await asyncio.wait_for(known.complained.wait(), 5)
            assert known.complaints == [NEAR.fqdn]
        await asking.close()

    asyncio.run(run())


def test_an_answer_serves_all_for_a_moment(file: FilePath) -> None:
    async def run() -> None:
        known = Fixed(NEAR)
        asking = client(file, memory=60.0)
        async with serving(known, file):
            answers = await asyncio.gather(*(asking.controllers() for _ in range(50)))
            assert answers == [(NEAR,)] * 50 and known.asked == 1
        await asking.close()

    asyncio.run(run())


def test_while_the_service_is_gone_the_last_answer_counts(file: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        asking = client(file)
        async with serving(Fixed(NEAR), file):
            await asking.controllers()
        for _ in range(3):
            assert await asking.controllers() == (NEAR,)
        monkeypatch.setattr(topology_client, "MEMORY", 0.0)
        async with serving(Fixed(FAR), file), asyncio.timeout(20):
            while await asking.controllers() != (FAR,):  # noqa: ASYNC110 (only asking makes it dial again)
                await asyncio.sleep(0.02)
        await asking.close()

    asyncio.run(run())


def test_where_none_ever_ran_another_locator_serves(file: FilePath) -> None:
    async def run() -> None:
        other = Fixed(FAR)
        asking = client(file, other)
        assert await asking.controllers() == (FAR,)
        asking.failed(FAR)
        assert other.complaints == [FAR.fqdn]
        await asking.close()
        nobody = client(file)
        assert await nobody.controllers() == ()
        await nobody.close()

    asyncio.run(run())


def test_nonsense_is_no_answer(file: FilePath) -> None:
    class Broken(Fixed):
        site = "S"

        async def controllers(self) -> Sequence[DomainController]:
            raise ValueError("a defect")

    async def run() -> None:
        asking = client(file)
        async with serving(Broken(), file):
            assert await asking.controllers() == ()
            rpc = RpcClient(AD_TOPOLOGY, RpcTarget(ROW, "127.0.0.1", "h", 0, None, (file,)), Observed(None))
            with pytest.raises(RpcError):
                await rpc.call("controllers", ())
            await rpc.close()
        await asking.close()

    asyncio.run(run())


def test_a_running_topology_is_told_of_by_its_service(file: FilePath) -> None:
    async def run() -> None:
        async with standing(FakeController("dc1.corp.test")) as (row, names):
            topology = Topology(row, DOMAIN, names, "Branch", "hub1")  # type: ignore[arg-type]  # as it uses a resolver
            topology.start()
            asking = client(file)
            async with serving(topology, file):
                (found,) = await asking.controllers()
                assert (found.fqdn, found.up, found.in_site) == ("dc1.corp.test", True, True)
            await asking.close()
            await topology.close()

    asyncio.run(run())
