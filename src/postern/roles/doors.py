"""The doors of one role process: opened on every address of the server, closed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path as FilePath

from postern.net.door import Door, DoorTls
from postern.net.link import LinkSession
from postern.paths.row import Path, Port
from postern.roles.runtime import Runtime
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, measure


class Doors:
    """The doors of a process. Call `open` and `open_local` before the role is ready, and `close` when it ends."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._doors: list[Door] = []

    async def open(
        self,
        rows: Sequence[Path],
        port: Port,
        session: Callable[[], LinkSession],
        tls: DoorTls | None = None,
        number: int | None = None,
    ) -> None:
        """Opens a door on every address of the server. `number` is the real number of a dynamic port; None: the number of the
        row's port, shifted by the offset. Raises OSError."""
        limits = self._runtime.organization.limits
        real = number if number is not None else self._runtime.organization.port(port.number or 0)
        for address in self._runtime.server.addresses:
            door = Door(rows, port, session, tls, limits.connections, limits.connections_per_address)
            await door.open(address, real)
            measure(Metric.CONNECTIONS, partial(_connections, door), port.label or str(port.number))
            self._doors.append(door)
            log(Event.DOOR_OPENED, address=address, port=real, paths=[row.id for row in rows])

    async def open_local(
        self, rows: Sequence[Path], port: Port, session: Callable[[], LinkSession], file: FilePath
    ) -> None:
        """Opens a unix socket for the roles of this host (ncalrpc). Raises OSError."""
        door = Door(rows, port, session, None, self._runtime.organization.limits.connections, 0)
        await door.open_local(file)
        measure(Metric.CONNECTIONS, partial(_connections, door), port.label)
        self._doors.append(door)

    async def close(self) -> None:
        await asyncio.gather(*(door.close(0.5) for door in self._doors))


def _connections(door: Door) -> float:
    return len(door.links)
