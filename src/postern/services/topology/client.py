"""A Locator for the processes of a host. It asks the host's Active Directory Topology service, and remembers for a second.

While the service starts again its last answer stays valid, so that nothing waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace

from postern.model.directory import DomainController, Locator
from postern.protocols.dcerpc.interfaces.ad_topology import AD_TOPOLOGY
from postern.services.rpc.client import RpcClient, RpcError
from postern.services.rpc.stub import stub

MEMORY = 1.0
"""Seconds for which the last answer is given again."""
_GRUDGE = 5.0
"""Seconds for which a controller that failed us is the last choice, whatever the service says: it may not know yet."""


class TopologyClient:
    """A `model.directory.Locator`. `rpc` calls AD_TOPOLOGY on this host; `otherwise` is asked until the first answer has
    come (a `Topology` that only looks, for commands)."""

    def __init__(self, rpc: RpcClient, otherwise: Locator | None = None, memory: float = MEMORY) -> None:
        self.site = ""
        self._rpc = rpc
        self._service = stub(rpc, AD_TOPOLOGY)
        self._otherwise = otherwise
        self._memory = memory
        self._known: tuple[DomainController, ...] = ()
        self._at = -memory
        self._asking: asyncio.Task[None] | None = None
        self._grudges: dict[str, float] = {}
        self._telling: set[asyncio.Task[None]] = set()

    async def controllers(self) -> Sequence[DomainController]:
        if time.monotonic() - self._at > self._memory:
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask())
                self._asking.add_done_callback(self._asked)
            if not self._known:
                await asyncio.shield(self._asking)
        if not self._known and self._otherwise is not None:
            return await self._otherwise.controllers()
        return self._ordered()

    def failed(self, controller: DomainController) -> None:
        self._grudges[controller.fqdn] = time.monotonic() + _GRUDGE
        if self._otherwise is not None:
            self._otherwise.failed(controller)
        task = asyncio.create_task(self._tell(controller.fqdn))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        tasks = [*self._telling, *([self._asking] if self._asking is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._rpc.close()

    def _ordered(self) -> tuple[DomainController, ...]:
        now = time.monotonic()
        self._grudges = {name: until for name, until in self._grudges.items() if until > now}
        known = [
            replace(controller, up=controller.up and controller.fqdn not in self._grudges) for controller in self._known
        ]
        return tuple(sorted(known, key=lambda controller: not controller.up))

    async def _ask(self) -> None:
        with contextlib.suppress(RpcError):
            self.site, known = await self._service.controllers()
            self._known = known or self._known
        self._at = time.monotonic()

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._asking = None
        if not task.cancelled():
            task.exception()

    async def _tell(self, fqdn: str) -> None:
        with contextlib.suppress(RpcError):
            await self._service.failed(fqdn)
