"""Keeps up to date what an edge knows of its organization: its postern.toml, and what EdgeSync wrote into its own directory.

Hubs and send connectors that EdgeSync wrote replace those of postern.toml; accepted domains are added to them.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from postern.directory.adam.adapter import AdamDirectory
from postern.model.directory import DirectoryUnavailable
from postern.model.organization import Organization, Role, Server
from postern.services.organization_feed import OrganizationFeed
from postern.telemetry.rounds import rounds
from postern.trust.certificates.direct_trust import REFRESH


class EdgeOrganization:
    """Asks the edge's directory every REFRESH seconds and tells `feed`. While the directory does not answer, the last
    answer counts. `site` is the site of this edge; all hubs that it knows belong to it."""

    def __init__(self, directory: AdamDirectory, feed: OrganizationFeed, site: str) -> None:
        self._directory = directory
        self._feed = feed
        self._configured = feed.current
        self._site = site
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._refresh()
        self._task = asyncio.create_task(rounds(REFRESH, self._refresh, "refresh of the organization"))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _refresh(self) -> None:
        with contextlib.suppress(DirectoryUnavailable):
            self._feed.tell(await self._read())

    async def _read(self) -> Organization:
        known, directory = self._configured, self._directory
        hubs = [
            Server(hub.name, hub.fqdn, frozenset({Role.HUB}), hub.addresses, self._site)
            for hub in await directory.hubs()
        ]
        others = [server for server in known.servers if not hubs or Role.HUB not in server.roles]
        return replace(
            known.with_domains(await directory.accepted_domains()),
            servers=(*others, *hubs),
            send_connectors=await directory.send_connectors() or known.send_connectors,
        )
