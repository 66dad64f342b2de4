"""Notes about children, and the orphans of a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from postern.host import state
from postern.host.supervision import processes
from postern.model.organization import StateFolder
from tests.host.folders import short_folder


@pytest.fixture
def folder() -> Iterator[StateFolder]:
    with short_folder() as made:
        yield state.create(made)


def _other(folder: StateFolder) -> int | None:
    """The account of the folder, where that is not ours."""
    owner = os.stat(folder.root).st_uid
    return owner if owner != os.geteuid() else None


@pytest.fixture
def sleeper(folder: StateFolder) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"], user=_other(folder))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_an_orphan_is_found_and_ended(folder: StateFolder, sleeper: subprocess.Popen[bytes]) -> None:
    processes.remember_child(folder, "hub.0", sleeper.pid)
    assert [(one.name, one.pid) for one in processes.live_children(folder)] == [("hub.0", sleeper.pid)]
    assert [one.name for one in processes.end_orphans(folder)] == ["hub.0"]
    assert sleeper.wait(5) == -signal.SIGTERM
    assert list(processes.live_children(folder)) == []


def test_an_orphan_that_does_not_listen_is_killed(folder: StateFolder) -> None:
    loop = "trap '' TERM; echo up; while :; do sleep 600; done"
    deaf = subprocess.Popen(["sh", "-c", loop], stdout=subprocess.PIPE, user=_other(folder))
    try:
        assert deaf.stdout is not None
        assert deaf.stdout.readline() == b"up\n"
        processes.remember_child(folder, "hub.0", deaf.pid)
        processes.end_orphans(folder, patience=0.1)
        assert deaf.wait(5) == -signal.SIGKILL
    finally:
        deaf.kill()
        deaf.wait()


def test_a_pid_that_was_used_again_is_left_alone(folder: StateFolder, sleeper: subprocess.Popen[bytes]) -> None:
    started = processes.start_time(sleeper.pid)
    assert started is not None
    (processes.processes(folder) / "hub.0").write_text(f"{sleeper.pid} {started - 1}\n")
    assert processes.end_orphans(folder) == []
    assert sleeper.poll() is None


@pytest.mark.root
def test_a_process_of_another_account_is_left_alone(folder: StateFolder) -> None:
    """Else the account that serves could have root end what it may not end itself."""
    with subprocess.Popen(["sleep", "600"], user=os.stat(folder.root).st_uid + 1) as other:
        processes.remember_child(folder, "hub.0", other.pid)
        assert processes.end_orphans(folder) == []
        assert other.poll() is None
        other.kill()


def test_a_note_is_no_link_and_no_pipe(folder: StateFolder, sleeper: subprocess.Popen[bytes]) -> None:
    elsewhere = folder.root / "elsewhere"
    elsewhere.write_text(f"{sleeper.pid} {processes.start_time(sleeper.pid)}\n")
    (processes.processes(folder) / "hub.0").symlink_to(elsewhere)
    os.mkfifo(processes.processes(folder) / "hub.1")
    (processes.processes(folder) / "hub.2").write_text(elsewhere.read_text() + " " * 1_000_000)
    assert list(processes.live_children(folder)) == []
    assert processes.end_orphans(folder) == [] and elsewhere.exists() and sleeper.poll() is None


def test_a_torn_note_is_passed_over(folder: StateFolder) -> None:
    (processes.processes(folder) / "hub.0").write_text("12")
    (processes.processes(folder) / "hub.1").write_text("")
    assert list(processes.live_children(folder)) == []
    assert processes.end_orphans(folder) == []


def test_a_zombie_counts_as_gone() -> None:
    process = subprocess.Popen(["true"])
    deadline = time.monotonic() + 10
    while processes.start_time(process.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processes.start_time(process.pid) is None
    process.wait()


def test_nothing_runs_on_a_folder_that_is_not_there(folder: StateFolder) -> None:
    assert not processes.running(state.find(folder.root / "none"))
