"""The supervisor with real processes: what dies is started again, and nothing outlives it.

covers: worker
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from postern.host import state
from postern.host.supervision import processes, watch
from postern.host.supervision.processes import start_time
from postern.model.organization import StateFolder
from postern.telemetry import attempts, snapshots
from tests.host.folders import short_folder
from tests.support.ports import free_offset

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]
ROOT = Path(__file__).parents[3]
PATIENCE = 20.0
T = TypeVar("T")


def eventually(look: Callable[[], T], what: str) -> T:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"never: {what}")


@dataclass
class Host:
    """A started toy_host."""

    state: StateFolder
    port: int
    process: subprocess.Popen[str]

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def children(self) -> dict[str, int]:
        return {one.name: one.pid for one in processes.live_children(self.state)}

    def greeting(self) -> int:
        """The pid that answers at the door; 0 if nobody does."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                return int(connection.makefile().readline() or 0)
        except OSError:
            return 0


@contextlib.contextmanager
def host(folder: Path, how: str = "", offset: int = 0) -> Iterator[Host]:
    offset = offset or free_offset()
    # Where the tests run under nohup(1), a hang-up would be ignored by what they start, too.
    process = subprocess.Popen(
        ["env", "--default-signal=HUP", sys.executable, "-m", "tests.host.toy_host", str(folder), str(offset), how],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Host(state.find(folder), offset + 143, process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made / "state"


def test_sigterm_stops_everything_in_order(folder: Path) -> None:
    with host(folder) as one:
        assert one.line() == "ready"
        pids = one.children()
        assert sorted(pids) == ["client-access.0", "client-access.1"]
        assert one.greeting() in pids.values()
        one.process.send_signal(signal.SIGTERM)
        assert one.line() == "stopped"
        assert one.process.wait(PATIENCE) == 0
        assert not [pid for pid in pids.values() if start_time(pid)]
        assert not list(processes.processes(one.state).iterdir())


def test_a_worker_that_does_not_end_is_killed(folder: Path) -> None:
    with host(folder, "deaf") as one:
        assert one.line() == "ready"
        pids = one.children().values()
        one.process.send_signal(signal.SIGINT)
        assert one.line() == "stopped"
        assert not [pid for pid in pids if start_time(pid)]


def test_a_killed_worker_is_started_again(folder: Path) -> None:
    with host(folder) as one:
        assert one.line() == "ready"
        before = one.children()
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        after = eventually(
            lambda: (
                found if len(found := one.children()) == 2 and not set(found.values()) & set(before.values()) else None
            ),
            "both workers are started again",
        )
        assert eventually(one.greeting, "the door answers again") in after.values()
        log = (one.state.logs / "client-access.0.jsonl").read_text()
        assert log.count('"started"') >= 1


def test_a_worker_that_dies_again_and_again_is_started_with_patience(folder: Path) -> None:
    with host(folder) as one:
        assert one.line() == "ready"
        for _ in range(4):
            pid = one.children()["client-access.0"]
            os.kill(pid, signal.SIGKILL)
            eventually(partial(_another, one, pid), "it is started again")
        events = [json.loads(line) for line in (one.state.logs / "supervisor.jsonl").read_text().splitlines()]
        assert [event["again_in"] for event in events if event["event"] == "died"] == [0.1, 0.2, 0.4, 0.8]
        assert events[0]["words"] == "ended by SIGKILL"


def _another(one: Host, pid: int) -> bool:
    return one.children().get("client-access.0", pid) != pid


def events(one: Host, name: str) -> list[dict[str, object]]:
    lines = (json.loads(line) for line in (one.state.logs / "supervisor.jsonl").read_text().splitlines())
    return [event for event in lines if event["event"] == name]


def test_a_stopped_worker_is_killed_and_started_again(folder: Path) -> None:
    with host(folder, "brief") as one:
        assert one.line() == "ready"
        before = one.children()
        os.kill(before["client-access.0"], signal.SIGSTOP)
        eventually(partial(_another, one, before["client-access.0"]), "it is started again")
        (event,) = events(one, "unresponsive")
        assert event["child"] == "client-access.0"
        assert "run_until_complete" in str(event["stack"]) or "runners.py" in str(event["stack"]), "where it stood"
        assert one.children()["client-access.1"] == before["client-access.1"], "who answers is left alone"


def test_what_a_hanging_worker_worked_on_is_blamed(folder: Path) -> None:
    with host(folder, "busy") as one:
        assert one.line() == "ready"
        pid = one.children()["client-access.0"]
        os.kill(pid, signal.SIGALRM)
        eventually(partial(_another, one, pid), "it is started again")
        (event,) = events(one, "unresponsive")
        assert "_never_return" in str(event["stack"])
        (struck,) = attempts.read(one.state.attempts)
        assert (struck.key, struck.count) == ("toy", 1)
        assert "_never_return" in struck.why


def test_what_an_ordinary_stop_cuts_short_is_not_blamed(folder: Path) -> None:
    with host(folder) as one:
        assert one.line() == "ready"
        marks = one.state.attempts / "client-access.0"
        os.kill(one.children()["client-access.0"], signal.SIGALRM)
        eventually(lambda: b"toy" in marks.read_bytes(), "it works on something")
        one.process.send_signal(signal.SIGTERM)
        assert one.line() == "stopped"
        assert not marks.exists()
    with host(folder) as two:
        assert two.line() == "ready"
        assert list(attempts.read(two.state.attempts)) == []


def test_a_supervisor_that_was_stopped_itself_kills_nobody(folder: Path) -> None:
    """As a machine that slept: all of them wake up, and the silence was nobody's."""
    with host(folder, "brief") as one:
        assert one.line() == "ready"
        before = one.children()
        everyone = (*before.values(), one.process.pid)
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        stopped = time.monotonic()
        eventually(lambda: time.monotonic() > stopped + 4, "longer than a silence may last")
        for pid in reversed(everyone):
            os.kill(pid, signal.SIGCONT)
        (folder / "renew").touch()
        eventually(lambda: not (folder / "renew").exists(), "it works on")
        assert events(one, "unresponsive") == [] and one.children() == before


def test_a_hang_up_stops_nothing_and_has_certificates_looked_at(folder: Path) -> None:
    with host(folder, "hang-up") as one:
        assert one.line() == "ready"
        before = one.children()
        (folder / "renew").touch()
        one.process.send_signal(signal.SIGHUP)
        eventually(lambda: not (folder / "renew").exists(), "the supervisor looks")
        eventually(one.greeting, "the door answers")
        assert one.children() == before
        assert one.process.poll() is None


def test_nothing_survives_a_killed_supervisor(folder: Path) -> None:
    with host(folder) as one:
        assert one.line() == "ready"
        pids = one.children().values()
        one.process.kill()
        one.process.wait()
        eventually(lambda: not [pid for pid in pids if start_time(pid)], "the children die with it")
        with host(folder) as two:
            assert two.line() == "ready", "the lock fell with its holder, and nobody was left to be an orphan"


def test_one_supervisor_a_state_folder(folder: Path) -> None:
    with host(folder) as one:
        assert one.line() == "ready"
        assert processes.running(one.state)
        with pytest.raises(processes.Held, match=f"process {one.process.pid}, since"):
            processes.Lock(one.state)
        one.process.send_signal(signal.SIGTERM)
        one.process.wait(PATIENCE)
        assert not processes.running(one.state)
        processes.Lock(one.state).release()


def test_a_worker_that_cannot_start_says_why(folder: Path) -> None:
    with host(folder, "fail") as one:
        name, _, words = one.line().partition(": ")
        assert name in ("failed client-access.0", "failed client-access.1")
        assert words == "OSError: [Errno 98] Address already in use"
        assert one.line() == "stopped"


def test_a_worker_that_dies_at_its_start_is_named(folder: Path) -> None:
    with host(folder, "silent") as one:
        assert one.line().startswith("failed client-access.")
        assert one.line() == "stopped"


def test_what_workers_count_is_written_down_while_they_live(folder: Path) -> None:
    with host(folder, "counted") as one:
        assert one.line() == "ready"
        workers = {"client-access.0", "client-access.1"}

        def counting() -> set[str]:
            return {snapshot.process for snapshot in snapshots.read(one.state.metrics, time.time())}

        def up() -> dict[str, bool]:
            return snapshots.read_health(one.state.metrics, time.time())

        eventually(lambda: counting() == workers, "both have written")
        eventually(lambda: up() == dict.fromkeys(workers, True), "the supervisor says so")
        os.kill(one.process.pid, signal.SIGSTOP)  # so that the worker stays away
        os.kill(one.children()["client-access.1"], signal.SIGKILL)
        for name in (*workers, "health"):
            (one.state.metrics / f"{name}.json").unlink()  # what the dead worker left would do for its successor's
        eventually(lambda: counting() == {"client-access.0"}, "the other goes on")
        os.kill(one.process.pid, signal.SIGCONT)
        eventually(lambda: counting() == workers, "its successor writes")
        eventually(lambda: up() == dict.fromkeys(workers, True), "it is up again")
        one.process.send_signal(signal.SIGTERM)
        assert one.line() == "stopped"
        assert counting() == set() and not any(up().values())


def test_sockets_without_a_row_raise_the_alarm(folder: Path) -> None:
    with host(folder) as one:
        assert one.line() == "ready"
        assert one.greeting()
        pid = one.children()["client-access.0"]
        os.kill(pid, signal.SIGUSR1)
        alarms = eventually(
            lambda: found if len(found := list(watch.read(one.state))) >= 2 else None, "the alarms are raised"
        )
        assert {alarm.pid for alarm in alarms} == {pid}
        assert {alarm.process for alarm in alarms} == {"client-access.0"}
        words = sorted(alarm.socket.partition(" ")[2].split(" ")[1] for alarm in alarms)
        assert words[0] == "listening"
        assert "to" in words
        assert not any(str(one.port) in alarm.socket for alarm in alarms)
        shown = subprocess.run(
            [sys.executable, "-m", "tests.host.toy_run", "paths", "observed", "--state", str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert all(f"no row for {alarm.socket}: client-access.0" in shown.stderr for alarm in alarms)
