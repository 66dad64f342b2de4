"""What a role process is given: the organization, which server and worker it is, the settled table, and its telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from postern.model.organization import HostService, Organization, Role, Server, StateFolder
from postern.paths.row import Path
from postern.telemetry.observed import Observed
from postern.telemetry.tracking import Tracker

Part = Role | HostService
"""What a process of a host is."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """`worker` counts from 0 within the part, which has `workers` on this host (a HostService has one);
    `rows` is the table settled by the organization's profile, by id."""

    organization: Organization
    server: Server
    state: StateFolder
    worker: int
    workers: int
    rows: Mapping[str, Path]
    observed: Observed
    tracker: Tracker


class Running(Protocol):
    """A started role: its doors are open until `stop` returns."""

    async def stop(self) -> None: ...
