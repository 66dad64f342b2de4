"""Which controllers there are, as DNS and their own answers say; who fails, who comes back, and DNS gone.

covers: memory
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import pytest

from postern.model.directory import DomainController
from postern.paths.row import Path
from postern.services.topology import controllers as topology
from postern.services.topology import memory as topology_memory
from postern.services.topology.controllers import Topology
from tests.services.controllers import DOMAIN, FakeController, Names, standing


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"PING_EVERY": 0.03, "PING_TIMEOUT": 0.3, "LOOK_AGAIN": 0.05, "GRUDGE": 0.1}.items():
        monkeypatch.setattr(topology, name, seconds)


class Watched:
    """A running topology whose changes can be waited for."""

    def __init__(self, row: Path, names: Names, **more: object) -> None:
        self.changes = asyncio.Event()
        self.heard: tuple[DomainController, ...] = ()
        self.topology = Topology(row, DOMAIN, names, "Headquarters", "hub1", changed=self._changed, **more)  # type: ignore[arg-type]  # as the topology uses a resolver

    def _changed(self, controllers: tuple[DomainController, ...]) -> None:
        self.heard = controllers
        self.changes.set()

    def up(self) -> list[str]:
        return [one.fqdn.partition(".")[0] for one in self.topology.now() if one.up]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changes.clear()
                await self.changes.wait()

    async def __aenter__(self) -> Watched:
        self.topology.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.topology.close()


def test_controllers_are_found_and_say_where_they_and_we_stand() -> None:
    async def run() -> None:
        near, far = FakeController("dc2.corp.test", flags=0x3F9), FakeController("dc1.corp.test", "Headquarters")
        async with standing(near, far) as (row, names), Watched(row, names) as watched:
            found = await watched.topology.controllers()
            assert [(one.fqdn, one.site, one.in_site, one.global_catalogue, one.up) for one in found] == [
                ("dc2.corp.test", "Branch", True, False, True),
                ("dc1.corp.test", "Headquarters", False, True, True),
            ]
            assert found[0].address == "127.0.1.1" and 0 < found[0].latency < 1
            assert watched.topology.site == "Branch"
            assert "_ldap._tcp.dc._msdcs.corp.test" in names.asked

    asyncio.run(run())


def test_who_is_silent_goes_behind_and_comes_back() -> None:
    async def run() -> None:
        first, second = FakeController("dc1.corp.test"), FakeController("dc2.corp.test", "Elsewhere")
        async with standing(first, second) as (row, names), Watched(row, names) as watched:
            await watched.until(lambda: watched.up() == ["dc1", "dc2"])
            first.silent = True
            await watched.until(lambda: watched.up() == ["dc2"])
            assert [one.fqdn for one in watched.heard] == ["dc2.corp.test", "dc1.corp.test"]
            first.silent = False
            await watched.until(lambda: watched.up() == ["dc1", "dc2"])

    asyncio.run(run())


def test_whom_somebody_could_not_use_goes_behind_though_it_answers_pings() -> None:
    async def run() -> None:
        first, second = FakeController("dc1.corp.test"), FakeController("dc2.corp.test")
        async with standing(first, second) as (row, names), Watched(row, names) as watched:
            await watched.until(lambda: sorted(watched.up()) == ["dc1", "dc2"])
            best = watched.topology.now()[0]
            watched.topology.failed(best)
            assert watched.topology.now()[-1].fqdn == best.fqdn and not watched.topology.now()[-1].up
            watched.topology.failed(DomainController("unknown.corp.test", "", "", True, True))
            await watched.until(lambda: sorted(watched.up()) == ["dc1", "dc2"])

    asyncio.run(run())


def test_another_host_at_the_address_is_not_the_controller() -> None:
    async def run() -> None:
        impostor = FakeController("dc1.corp.test")
        async with standing(impostor) as (row, names):
            impostor.fqdn = "dc9.corp.test"
            found = await Topology(row, DOMAIN, names, "Branch", "hub1").look()  # type: ignore[arg-type]  # as above
            assert [(one.fqdn, one.up) for one in found] == [("dc1.corp.test", False)]

    asyncio.run(run())


def test_without_dns_the_remembered_and_the_configured_serve(tmp_path: FilePath) -> None:
    async def run() -> None:
        memory = tmp_path / "topology.json"
        one, two = FakeController("dc1.corp.test"), FakeController("dc2.corp.test")
        async with standing(one, two) as (row, names):
            del names.by_name["dc2.corp.test"]
            async with Watched(row, names, memory=memory) as watched:
                await watched.until(lambda: watched.up() == ["dc1"])
            assert memory.stat().st_mode & 0o777 == 0o600
            names.down = True
            known = [("DC2.corp.test", "127.0.1.2")]
            async with Watched(row, names, memory=memory, known=known) as watched:
                assert watched.topology.site == "Branch"
                await watched.until(lambda: sorted(watched.up()) == ["dc1", "dc2"])
            async with Watched(row, names) as watched:
                watched.topology._first.set()
                assert await watched.topology.controllers() == ()

    asyncio.run(run())


def test_dns_that_comes_back_is_heard(tmp_path: FilePath) -> None:
    async def run() -> None:
        one = FakeController("dc1.corp.test")
        async with standing(one) as (row, names):
            names.down = True
            async with Watched(row, names) as watched:
                await asyncio.sleep(0)
                names.down = False
                await watched.until(lambda: watched.up() == ["dc1"])

    asyncio.run(run())


def test_who_is_gone_from_dns_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topology, "LOOK_EVERY", 0.05)

    async def run() -> None:
        one, two = FakeController("dc1.corp.test"), FakeController("dc2.corp.test")
        async with standing(one, two) as (row, names), Watched(row, names) as watched:
            await watched.until(lambda: len(watched.up()) == 2)
            del names.by_name["dc1.corp.test"]
            await watched.until(lambda: [c.fqdn for c in watched.topology.now()] == ["dc2.corp.test"])

    asyncio.run(run())


def test_hosts_do_not_all_prefer_the_same_controller() -> None:
    async def run() -> None:
        several = [FakeController(f"dc{n}.corp.test") for n in range(4)]
        async with standing(*several) as (row, names):
            best = set()
            for host in ("hub1", "hub2", "mbx1", "cas1", "cas2", "mbx2"):
                one = Topology(row, DOMAIN, names, "Branch", host)  # type: ignore[arg-type]  # as above
                await one._discover()
                best.add(one.now()[0].fqdn)
            assert len(best) > 1

    asyncio.run(run())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"domain": "other.test", "site": "S", "controllers": []}',
        '{"domain": "corp.test", "site": "S", "controllers": [["dc1", "no address", "S", true]]}',
        '{"domain": "corp.test", "site": "S", "controllers": [["dc1"]]}',
        '{"domain": "corp.test", "site": "S", "controllers": 5}',
    ],
)
def test_a_memory_that_is_none(tmp_path: FilePath, text: str) -> None:
    file = tmp_path / "topology.json"
    assert topology_memory.read(file, "corp.test") is None
    file.write_text(text)
    assert topology_memory.read(file, "corp.test") is None


def test_what_is_remembered_counts_as_down(tmp_path: FilePath) -> None:
    file = tmp_path / "topology.json"
    known = DomainController("dc1.corp.test", "192.0.2.1", "S", True, True, True, 0.5)
    topology_memory.write(file, "corp.test", "S", [known])
    assert json.loads(file.read_text())["site"] == "S"
    remembered = topology_memory.read(file, "corp.test")
    assert remembered is not None
    assert remembered.controllers == (DomainController("dc1.corp.test", "192.0.2.1", "S", False, True, False),)


def test_an_address_that_dns_took_back_during_the_ping_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        controller = FakeController("dc1.corp.test")
        async with standing(controller) as (row, names):
            process = Watched(row, names).topology
            ask = topology.ask

            async def meanwhile(*args: Any) -> bytes:
                answer = await ask(*args)
                for known in process._controllers.values():
                    known.addresses = ["192.0.2.1"]
                return answer

            monkeypatch.setattr(topology, "ask", meanwhile)
            (answered,) = await process.look()
            assert (answered.address, answered.up) == ("192.0.2.1", True)

    asyncio.run(run())
