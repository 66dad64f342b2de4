"""Compares the sockets of our processes with the table, and raises the alarm for each that fits no row.

Reads `sockets`; `paths.fit` finds the rows that allow a socket. Alarms go to the log and to alarms.jsonl in the state folder,
which `postern paths observed` shows.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from postern.host.supervision import sockets
from postern.model.organization import Organization, Server, StateFolder
from postern.paths import fit
from postern.paths.row import Wire
from postern.paths.table import OF_THE_MACHINE
from postern.telemetry.log import Event, log

QUESTION_LASTS = 60.0
"""Seconds after which a UDP socket on an ephemeral port is no longer taken for a question (`net.dns` gives up after ten). A
listener that chose such a port looks the same, but stays."""
MAX_ALARMS = 1000
"""The most alarms that one run writes into the file; later ones go to the log only."""
_NO_PORTS = (0, -1)
_Key = tuple[int, int]
"""The pid and the inode of a socket."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm. `process` is the child's name, `socket` a text such as "TCP 127.0.0.1:31337 listening", `time` seconds since the
    epoch."""

    time: float
    process: str
    pid: int
    socket: str


class Watch:
    """Looks at the sockets whenever the supervisor calls it, every few seconds. It reports a socket once for as long as it
    exists."""

    def __init__(
        self,
        organization: Organization,
        server: Server,
        state: StateFolder,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._organization = organization
        self._server = server
        self._file = file(state)
        self._told: set[_Key] = set()
        self._count = 0
        self._ephemeral = sockets.ephemeral()
        self._clock = clock
        self._questions: dict[_Key, float] = {}
        """The times at which UDP sockets that look like questions were first seen."""

    def __call__(self, children: Mapping[int, str]) -> None:
        family = sockets.with_descendants(children)
        seen: set[_Key] = set()
        former, self._questions = self._questions, {}
        for pid, held in sockets.of_processes(family).items():
            doors = {socket.local_port for socket in held if socket.listening and socket.wire == "TCP"}
            for socket in held:
                # A connection that came in at a door belongs to the door, and only the door is judged.
                if not socket.listening and socket.wire == "TCP" and socket.local_port in doors:
                    continue
                key = (pid, socket.inode)
                if self._fits(socket, self._ephemeral) and not self._stays(key, socket, former):
                    continue
                seen.add(key)
                if key not in self._told:
                    self._raise(Alarm(time.time(), family[pid], pid, str(socket)))
        self._told = seen

    def _stays(self, key: _Key, socket: sockets.KernelSocket, former: Mapping[_Key, float]) -> bool:
        """Whether a UDP socket that fits only as a question, on an ephemeral port, has been there for too long to be one."""
        if socket.wire != Wire.UDP or not socket.listening or self._fits(socket, _NO_PORTS):
            return False
        now = self._clock()
        since = self._questions[key] = former.get(key, now)
        return now >= since + QUESTION_LASTS

    def _fits(self, socket: sockets.KernelSocket, ephemeral: tuple[int, int]) -> bool:
        asked = fit.KernelSocket(
            wire=Wire(socket.wire),
            local=socket.local,
            local_port=socket.local_port,
            remote=socket.remote or "0.0.0.0",  # noqa: S104 (as the kernel writes "nobody")
            remote_port=socket.remote_port,
            listening=socket.listening and socket.wire == Wire.TCP,
        )
        rows = fit.fits(self._organization, self._server, asked, ephemeral)
        return not OF_THE_MACHINE.issuperset(rows)

    def _raise(self, alarm: Alarm) -> None:
        log(Event.ROGUE_SOCKET, child=alarm.process, pid=alarm.pid, socket=alarm.socket)
        self._count += 1
        if self._count > MAX_ALARMS:
            return
        with contextlib.suppress(OSError):
            handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "a", encoding="utf-8") as out:
                out.write(json.dumps(asdict(alarm)) + "\n")


def file(state: StateFolder) -> Path:
    return state.root / "alarms.jsonl"


def read(state: StateFolder) -> Iterator[Alarm]:
    """All alarms of this state folder, oldest first. Incomplete and damaged lines are skipped."""
    try:
        lines = file(state).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield Alarm(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue
