"""Keeps a process up to date with its directory: the mechanisms that are enabled, and the domains that are accepted."""

from __future__ import annotations

import asyncio
import contextlib

from postern.model.directory import DirectoryPolicy, DirectoryUnavailable
from postern.paths.guard import Guard
from postern.paths.row import Path
from postern.services.organization_feed import OrganizationFeed
from postern.telemetry.log import Event, log
from postern.telemetry.rounds import rounds
from postern.trust.authenticator import Authenticator

REFRESH = 3.0
"""Seconds until an enabled mechanism or a new domain is known everywhere."""


class DirectoryRefresh:
    """Asks the directory every REFRESH seconds. The guards that it makes follow the mechanisms. `feed` is told the accepted
    domains: those of postern.toml, and those that the directory adds to them."""

    def __init__(self, authenticator: Authenticator, directory: DirectoryPolicy, feed: OrganizationFeed) -> None:
        self._authenticator = authenticator
        self._directory = directory
        self._feed = feed
        self._configured = feed.current
        self._guards: list[Guard] = []
        self._task: asyncio.Task[None] | None = None

    def guard(self, *rows: Path) -> Guard:
        """Makes a guard for the door of these rows."""
        guard = Guard(rows, self._authenticator.available)
        self._guards.append(guard)
        return guard

    async def start(self) -> None:
        """Asks for the first time. Raises DirectoryUnavailable for our own directory only, which was started before: Active
        Directory may be away."""
        in_domain = self._configured.active_directory is not None
        with contextlib.suppress(*([DirectoryUnavailable] if in_domain else [])):
            await self._refresh()
        self._task = asyncio.create_task(
            rounds(REFRESH, self._refresh, "refresh of the directory", expected=(DirectoryUnavailable,))
        )

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _refresh(self) -> None:
        before = self._authenticator.available
        available = await self._authenticator.refresh()
        self._feed.tell(self._configured.with_domains(await self._directory.accepted_domains()))
        if available != before:
            log(Event.STARTED, mechanisms=sorted(available))
        for guard in self._guards:
            guard.available = available
