"""The agents' files in the state folder: which agents are enabled, their settings, and the counts of each worker.

One JSON file that the command line writes and every worker reads again within seconds; one file of counts a worker. An agent
whose settings are wrong runs with its defaults, and the others keep theirs: no slip switches a filter off.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, count
from postern.transport.agents.catalogue import BUILT
from postern.transport.agents.settings import dump, load
from postern.trust.private_files import replace_file

FOLDER = "agents"
FLUSH = 2.0
"""Seconds between a worker's writings of its counts."""
_MAX_FILE = 16_777_216


@dataclass(frozen=True, slots=True)
class AgentState:
    """`enabled` only holds what an administrator decided; `settings` are those that differ from the defaults, as JSON."""

    enabled: dict[str, bool] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def is_enabled(self, name: str, on_edge: bool) -> bool:
        """Agents filter at an edge; a hub that answers the internet itself has them switched on one by one, except what is on
        everywhere."""
        kind = BUILT[name]
        return self.enabled.get(name, kind.enabled and (on_edge or kind.everywhere))

    def of(self, name: str) -> Any:
        """The agent's settings. Raises ValueError for what the file should not hold."""
        return load(BUILT[name].settings_type, self.settings.get(name, {}))

    def settings_of(self, name: str) -> Any:
        """The settings to run the agent with: its defaults, where the file is wrong."""
        try:
            return self.of(name)
        except ValueError as error:
            log(Event.AGENT_FAILED, agent=name, error=f"its settings are wrong, it runs with its defaults: {error}")
            return AgentState().of(name)


class AgentFile:
    """The settings' file. `read` is cheap while nothing has changed."""

    def __init__(self, state: Path) -> None:
        """`state` is the state folder's root."""
        self._file = state / FOLDER / "settings.json"
        self._seen: tuple[int, int, int] | None = None
        self._state = AgentState()

    def read(self) -> AgentState:
        """Returns the present settings; those read last, if the file cannot be read. Never raises."""
        try:
            status = os.stat(self._file)
            seen = status.st_mtime_ns, status.st_size, status.st_ino
            if seen != self._seen:
                self._state = _parse(self._file.read_bytes()[:_MAX_FILE])
                self._seen = seen
        except FileNotFoundError:
            if self._seen is not None:
                self._seen, self._state = None, AgentState()
        except (OSError, ValueError) as error:
            log(Event.AGENT_FAILED, agent="", error=f"{self._file.name}: {error}")
        return self._state

    def change(self, work: Callable[[AgentState], None]) -> AgentState:
        """Reads, lets `work` change it, checks it and writes it. Raises ValueError or OSError: then nothing has changed."""
        self._file.parent.mkdir(mode=0o700, exist_ok=True)
        with _locked(self._file.parent / "lock"):
            try:
                state = _parse(self._file.read_bytes())
            except FileNotFoundError:
                state = AgentState()
            work(state)
            for name in state.settings:
                state.settings[name] = dump(state.of(name))
            replace_file(self._file, json.dumps(asdict(state), indent=1, ensure_ascii=False).encode())
        return state


def _parse(data: bytes) -> AgentState:
    value = json.loads(data)
    enabled, settings = (value.get("enabled"), value.get("settings")) if isinstance(value, dict) else (None, None)
    if not isinstance(enabled, dict) or not isinstance(settings, dict):
        raise ValueError("is no file of agents")
    return AgentState(
        {name: on for name, on in enabled.items() if name in BUILT and isinstance(on, bool)},
        {name: values for name, values in settings.items() if name in BUILT and isinstance(values, dict)},
    )


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@dataclass(slots=True)
class Counts:
    """`seen` are decisions asked for, `seconds` how long they took in all, waiting for answers included."""

    seen: int = 0
    rejected: int = 0
    tempfailed: int = 0
    errors: int = 0
    seconds: float = 0.0


class Statistics:
    """One worker's counts; `file` None keeps them in memory."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self.counts: dict[str, Counts] = {name: Counts() for name in BUILT}
        self._pending = False
        if file is not None:
            with contextlib.suppress(OSError):
                file.parent.mkdir(mode=0o700, exist_ok=True)
            for name, counts in _read_counts(file).items():
                self.counts[name] = counts

    @staticmethod
    def of_worker(state: Path, role: str, worker: int) -> Statistics:
        return Statistics(state / FOLDER / f"statistics-{role}-{worker}.json")

    def add(self, agent: str, begun: float, code: int = 0, error: bool = False) -> None:
        """Counts one decision that began at `begun` (perf_counter). `code` is the reply code, 0 if there was no reply."""
        outcome = "error" if error else "reject" if code >= 500 else "defer" if code >= 400 else "accept"
        count(Metric.AGENT_DECISIONS, agent, outcome)
        counts = self.counts[agent]
        counts.seen += 1
        counts.rejected += code >= 500
        counts.tempfailed += 400 <= code < 500
        counts.errors += error
        counts.seconds += time.perf_counter() - begun
        if not self._pending and self._file is not None:
            self._pending = True
            asyncio.get_running_loop().call_later(FLUSH, self.flush)

    def flush(self) -> None:
        self._pending = False
        if self._file is None:
            return
        data = json.dumps({name: asdict(counts) for name, counts in self.counts.items()}).encode()
        temporary = self._file.with_suffix(".new")
        # Counts are not worth a sync, and a failure to write them must not cost mail.
        with contextlib.suppress(OSError):
            temporary.write_bytes(data)
            os.replace(temporary, self._file)


def total(state: Path) -> dict[str, Counts]:
    """The counts of all workers of this host."""
    sums = {name: Counts() for name in BUILT}
    for file in sorted((state / FOLDER).glob("statistics-*.json")):
        for name, counts in _read_counts(file).items():
            summed = sums[name]
            summed.seen += counts.seen
            summed.rejected += counts.rejected
            summed.tempfailed += counts.tempfailed
            summed.errors += counts.errors
            summed.seconds += counts.seconds
    return sums


def _read_counts(file: Path) -> dict[str, Counts]:
    try:
        value = json.loads(file.read_bytes()[:_MAX_FILE])
        return {name: Counts(**counts) for name, counts in value.items() if name in BUILT}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
