"""An edge's door on a free port with all agents behind it, a directory of a few recipients, and a name server."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from postern.model.organization import AcceptedDomain, Organization, Role, Server
from postern.net.dns import Resolver
from postern.net.door import Door
from postern.paths.guard import Guard
from postern.paths.table import TABLE
from postern.services.agents.look_ups import BlockLists, LookUps
from postern.services.agents.pipeline import AgentPipeline, AgentServices
from postern.services.agents.state import AgentFile, AgentState, Statistics
from postern.services.smtp.receive import ReceiveConversation
from postern.services.smtp.receive_connector import ConnectorPolicy, ConnectorStores, ReceiveConnector
from postern.telemetry.tracking import Tracker
from tests.services.name_server import NameServer, Zone, serving
from tests.services.smtp_doors import MemoryQueue, SmtpDirectory, SmtpDoors
from tests.support.ports import free_port

EDGE = "edge1.example.test"
ORGANIZATION = Organization(
    "test", (AcceptedDomain("example.test"),), (Server("edge1", EDGE, frozenset({Role.EDGE}), ("127.0.0.1",)),)
)


class AgentDoors:
    """`set` changes settings as the command line does, and is known at once."""

    def __init__(self, names: NameServer, folder: Path) -> None:
        self.names = names
        self.state = folder
        self.queue = MemoryQueue()
        self.directory = SmtpDirectory()
        resolver = Resolver(TABLE["any-server-to-dns"], [f"127.0.0.1:{names.port}"], timeout=0.3, lifetime=0.5)
        look_ups = LookUps(resolver.look_up)
        self.statistics = Statistics(None)
        services = AgentServices(look_ups, BlockLists(look_ups), self.statistics, self.directory)
        self.agents = AgentPipeline(folder, services, EDGE, ORGANIZATION, True)
        self._doors = SmtpDoors()
        self.port = 0

    def set(self, agent: str, enabled: bool | None = None, **settings: Any) -> None:
        def change(state: AgentState) -> None:
            if enabled is not None:
                state.enabled[agent] = enabled
            state.settings.setdefault(agent, {}).update({k.replace("_", "-"): v for k, v in settings.items()})

        AgentFile(self.state).change(change)
        self.agents.reorganize(ORGANIZATION)

    async def open(self) -> None:
        rows = [TABLE["edge-to-edge"]]
        connector = ReceiveConnector(
            Guard(rows, frozenset()),
            EDGE,
            ConnectorPolicy(ORGANIZATION.domains, self._doors.limits),
            ConnectorStores(self.queue, self.state, self._doors.observed, Tracker(None, "test")),
            agents=self.agents,
        )
        self._door = Door(rows, rows[0].port(25), lambda: ReceiveConversation(connector), None)
        self.port = free_port()
        await self._door.open("127.0.0.1", self.port)

    async def close(self) -> None:
        await self._door.close(0.5)
        await self._doors.close()


@contextlib.asynccontextmanager
async def open_doors(zone: Zone | None = None) -> AsyncIterator[AgentDoors]:
    with tempfile.TemporaryDirectory(prefix="ag-", dir="/tmp") as folder:
        async with serving(zone or {}) as names:
            doors = AgentDoors(names, Path(folder))
            await doors.open()
            try:
                yield doors
            finally:
                await doors.close()


class Client:
    """Says one line after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def say(self, line: str) -> str:
        self.writer.write(line.encode() + b"\r\n")
        return await self.hear()

    async def hear(self) -> str:
        async with asyncio.timeout(20):
            while (line := (await self._reader.readline()).decode())[3:4] == "-":
                pass
        return line.rstrip("\r\n")

    async def send(self, sender: str, recipient: str, message: bytes) -> str:
        """The first answer that refuses, else the last."""
        for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"):
            answer = await self.say(line)
            if answer[0] in "45":
                await self.say("RSET")
                return answer
        self.writer.write(message + b".\r\n")
        return await self.hear()


async def client(port: int, helo: str = "mx.other.test", source: str = "127.0.0.1") -> Client:
    one = Client(*await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0)))
    assert (await one.hear()).startswith("220")
    assert (await one.say(f"EHLO {helo}")).startswith("250")
    return one
