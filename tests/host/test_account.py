"""Root's powers are laid down; children die with their parent.

covers: host.supervision.child_work, secret_files
"""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from postern.host import account, secret_files, state
from postern.host.supervision.child_work import ChildFailed, run_in_child
from postern.host.supervision.processes import start_time
from postern.roles.secrets import Secret
from tests.host.folders import short_folder

needs_root = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


def in_child(work: Callable[[], str]) -> str:
    """What `work` says in a forked process, whose credentials may change."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, work().encode())
        except BaseException as error:
            os.write(writing, repr(error).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(pid, 0)
    return said


def status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


class TestBecome:
    pytestmark = needs_root

    def test_all_but_low_ports_is_laid_down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(account, "program_hidden_from", lambda who: None)
        who = account.serving()

        def look() -> str:
            account.become(who, keep_low_ports=True)
            now = status()
            return f"{now['Uid'].split()} {now['Groups']} {int(now['CapEff'], 16)} {int(now['CapPrm'], 16)} {now['NoNewPrivs']}"

        assert in_child(look) == f"{[str(who.uid)] * 4}  {1 << 10} {1 << 10} 1"

    def test_without_need_nothing_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(account, "program_hidden_from", lambda who: None)

        def look() -> str:
            account.become(account.serving())
            return status()["CapPrm"]

        assert int(in_child(look), 16) == 0

    def test_a_hidden_program_may_still_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(account, "program_hidden_from", lambda who: Path("/root"))

        def look() -> str:
            account.become(account.serving())
            return status()["CapEff"]

        assert int(in_child(look), 16) == 1 << 2

    def test_there_is_no_way_back(self) -> None:
        def look() -> str:
            account.become(account.serving(), keep_low_ports=True)
            os.setuid(0)
            return "root again"

        assert "PermissionError" in in_child(look)


def test_a_barrier_is_the_first_folder_that_does_not_let_pass() -> None:
    with short_folder() as folder:
        inner = folder / "closed" / "inner"
        inner.mkdir(parents=True)
        inner.parent.chmod(0o700)
        stranger = account.Account("stranger", 54321, 54321)
        assert account.barrier_to(inner / "file", stranger) == inner.parent
        inner.parent.chmod(0o711)
        inner.chmod(0o711)
        assert account.barrier_to(inner / "file", stranger) is None
        assert account.barrier_to(inner / "file", account.owner(folder)) is None


def test_a_child_dies_with_its_parent() -> None:
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        me = os.getpid()
        child = os.fork()
        if child == 0:
            account.die_with(me)
            os.write(writing, f"{os.getpid()}\n".encode())
            signal.pause()
        signal.pause()
    child = int(os.read(reading, 20))
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    deadline = time.monotonic() + 10
    while start_time(child) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.close(reading)
    os.close(writing)
    assert start_time(child) is None


def test_a_child_whose_parent_is_gone_already_ends() -> None:
    pid = os.fork()
    if pid == 0:
        account.die_with(1 << 22)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


class TestApart:
    def test_the_answer_comes_back(self) -> None:
        async def work() -> str:
            return f"{os.getpid()} 안녕" + "x" * 100_000

        answer = run_in_child(work, 20)
        assert not answer.startswith(str(os.getpid()))
        assert answer.endswith("x" * 100_000)

    def test_an_error_comes_back_in_words(self) -> None:
        async def work() -> str:
            raise ValueError("no such thing")

        with pytest.raises(ChildFailed, match="ValueError: no such thing"):
            run_in_child(work, 20)

    def test_a_silent_death_is_told(self) -> None:
        async def work() -> str:
            os.kill(os.getpid(), signal.SIGKILL)
            return ""

        with pytest.raises(ChildFailed, match="status -9"):
            run_in_child(work, 20)

    def test_endless_work_is_ended(self) -> None:
        async def work() -> str:
            signal.pause()
            return ""

        with pytest.raises(ChildFailed, match="did not end"):
            run_in_child(work, 0.2)

    def test_work_that_is_given_up_is_ended(self) -> None:
        async def work() -> str:
            signal.pause()
            return ""

        with pytest.raises(ChildFailed):
            run_in_child(work, 600, lambda: True)


def test_a_secret_is_made_once_and_for_us_alone() -> None:
    with short_folder() as folder:
        made = state.create(folder)
        first = secret_files.obtain(made, Secret.DIRECTORY)
        assert len(first) >= 43
        assert secret_files.obtain(made, Secret.DIRECTORY) == first
        assert secret_files.obtain(made, Secret.MACHINE_ACCOUNT) != first
        assert stat.S_IMODE((made.secrets / Secret.DIRECTORY).stat().st_mode) == 0o600
        secret_files.keep(made, Secret.DIRECTORY, "another")
        assert secret_files.obtain(made, Secret.DIRECTORY) == "another"
