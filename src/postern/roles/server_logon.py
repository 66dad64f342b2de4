"""What a role that asks who is there needs: the directory, the authenticator, and a guard per door that follows both.

The directory is asked every few seconds which mechanisms an administrator enabled, and which domains are ours.
"""

from __future__ import annotations

import asyncio
import contextlib

from postern.model.directory import DirectoryUnavailable
from postern.net.tls import Certificate
from postern.paths.guard import Guard
from postern.paths.row import Path
from postern.roles.credentials import host_credentials
from postern.roles.open_directory import open_directory
from postern.roles.organization_feed import OrganizationFeed
from postern.roles.rpc import Rpc
from postern.roles.runtime import Part, Runtime
from postern.telemetry.log import Event, log
from postern.trust.authenticator import Authenticator

REFRESH = 3.0
"""Seconds until an enabled mechanism or a new domain is known everywhere."""


class ServerLogon:
    """What one process knows of who logs on. `start` is called first, `stop` last."""

    def __init__(self, runtime: Runtime, part: Part) -> None:
        organization, state = runtime.organization, runtime.state
        salt_key = (state.secrets / "scram-salts").read_text(encoding="utf-8").strip().encode()
        self.open_directory = open_directory(runtime, part)
        self.directory = self.open_directory.directory
        self.authenticator = Authenticator(
            self.directory, host_credentials(runtime), self.directory, self.open_directory.domain_logons, salt_key
        )
        self.rpc = Rpc(runtime, self.authenticator)
        self._in_domain = organization.active_directory is not None
        self.certificate = Certificate(state.certificates / "server.pem", state.certificates / "server.key")
        self._configured = organization
        self.feed = OrganizationFeed(organization)
        """Tells of accepted domains: those of postern.toml, and those that the directory adds to them."""
        self._guards: list[Guard] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises DirectoryUnavailable where the directory is our own: it was started before us."""
        with contextlib.suppress(*([DirectoryUnavailable] if self._in_domain else [])):
            await self._refresh()
        self._task = asyncio.create_task(self._refresh_always())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.rpc.close()
        self.authenticator.close()
        await self.open_directory.close()

    def guard(self, *rows: Path) -> Guard:
        guard = Guard(rows, self.authenticator.available)
        self._guards.append(guard)
        return guard

    async def _refresh_always(self) -> None:
        while True:
            await asyncio.sleep(REFRESH)
            with contextlib.suppress(DirectoryUnavailable):
                await self._refresh()

    async def _refresh(self) -> None:
        before = self.authenticator.available
        available = await self.authenticator.refresh()
        self.feed.tell(self._configured.with_domains(await self.directory.accepted_domains()))
        if available != before:
            log(Event.STARTED, mechanisms=sorted(available))
        for guard in self._guards:
            guard.available = available
