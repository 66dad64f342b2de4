"""The surroundings of a process of a host: the organization, its server and worker number, the settled table, its telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from postern.model.organization import HostService, Organization, Role, Server, StateFolder
from postern.paths.row import Path
from postern.paths.table import settle
from postern.roles.secrets import Secrets
from postern.services.organization_feed import OrganizationFeed
from postern.telemetry.observed import Observed
from postern.telemetry.snapshots import SnapshotFile
from postern.telemetry.tracking import Tracker

Part = Role | HostService
"""The part of a host that a process runs."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The surroundings of one process. `worker` counts from 0 within the part, which has `workers` processes on this host (a
    HostService has one). `rows` is the table as the organization's profile settles it, by id.

    `organization` is the content of postern.toml. `feed` has the organization as the directory completes it: one service of the
    process reads the directory and feeds it, all others follow it.
    """

    organization: Organization
    server: Server
    state: StateFolder
    worker: int
    workers: int
    rows: Mapping[str, Path]
    observed: Observed
    tracker: Tracker
    feed: OrganizationFeed
    secrets: Secrets
    metrics: SnapshotFile

    @classmethod
    def of_worker(
        cls,
        organization: Organization,
        server: Server,
        state: StateFolder,
        name: str,
        worker: int = 0,
        workers: int = 1,
    ) -> Runtime:
        """A Runtime for the process of this name ("hub.0"), which writes what it observes and tracks into the state folder."""
        return cls(
            organization=organization,
            server=server,
            state=state,
            worker=worker,
            workers=workers,
            rows=settle(organization.profile),
            observed=Observed(state.observed / f"{name}.jsonl"),
            tracker=Tracker(state.tracking, name, server.name),
            feed=OrganizationFeed(organization),
            secrets=Secrets(state.secrets),
            metrics=SnapshotFile(state.metrics / f"{name}.json" if organization.metrics else None),
        )

    @classmethod
    def outside(cls, organization: Organization, server: Server, state: StateFolder) -> Runtime:
        """A Runtime for a command, which runs outside the processes of the host. What it observes and counts is not kept."""
        runtime = cls.of_worker(organization, server, state, "command")
        return replace(runtime, observed=Observed(None), metrics=SnapshotFile(None))


class Running(Protocol):
    """A started role: its doors are open until `stop` returns."""

    async def stop(self) -> None: ...
