"""A whole `postern run` with its real engines; only the roles are toys.

covers: host.engines.start, host.seed
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postern.host import account, configuration, directory, state
from postern.host.engines import start as engines
from postern.host.supervision import launch, processes
from postern.host.supervision.child_work import run_in_child
from postern.host.supervision.processes import start_time
from postern.model.organization import StateFolder
from postern.store.database import MailboxDatabase
from tests.host.folders import short_folder
from tests.host.supervision.test_supervisor import PATIENCE, ROOT, eventually
from tests.host.test_account import in_child
from tests.support.ports import free_offset

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]


class Run:
    """One `postern run`. `output` is what it said until it was ready, or until it ended."""

    def __init__(self, folder: Path, *options: str, until: str = "Ctrl-C stops it") -> None:
        self.state: StateFolder = state.find(folder)
        command = [sys.executable, "-m", "tests.host.toy_run", "run", "--state", str(folder), *options]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"COLUMNS": "200"},
        )
        self.output = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if until in line:
                break

    def pids(self) -> dict[str, int]:
        return {one.name: one.pid for one in processes.live_children(self.state)}

    def stop(self, how: signal.Signals = signal.SIGINT) -> str:
        """Ends it; what it said last."""
        self.process.send_signal(how)
        last, _ = self.process.communicate(timeout=PATIENCE)
        return last


@contextlib.contextmanager
def running(folder: Path, *options: str) -> Iterator[Run]:
    run = Run(folder, *options)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.communicate()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One state folder for all: the first test's start makes it, the others find it."""
    with short_folder() as made:
        yield made / "state"


@pytest.fixture(scope="module")
def offset() -> str:
    return str(free_offset())


def as_owner(folder: Path, work: Callable[[], str]) -> str:
    """What a command of the folder's owner would see."""
    if os.geteuid() != 0:
        return work()

    def there() -> str:
        account.become(account.owner(folder))
        return work()

    return in_child(there)


def mails_of(folder: Path, name: str) -> str:
    async def count() -> str:
        made = state.find(folder)
        organization = engines.resolved(configuration.load(made), made)
        async with directory.opened(made, organization) as opened:
            recipient = await opened.read.recipient(f"{name}@example.test")
        assert recipient is not None
        database = await MailboxDatabase.open(organization.databases[0].url, 1)
        try:
            return str((await database.logon(recipient.guid)).items)
        finally:
            await database.close()

    return as_owner(folder, lambda: run_in_child(count, PATIENCE))


def test_a_first_start_makes_everything_and_tells_how_to_reach_it(folder: Path, offset: str) -> None:
    with running(folder, "--offset", offset, "--demo", "--demo-password", "a pass'word") as run:
        assert "Postern is ready: Example (example.test), server server1, profile practical" in run.output
        assert f"127.0.0.1:{587 + int(offset)}" in run.output
        assert f"127.0.0.1:{993 + int(offset)}" in run.output
        assert str(folder / "certificates" / "ca.pem") in run.output
        assert "alice@example.test" in run.output
        assert "a pass'word" in run.output
        pids = run.pids()
        assert {"postgresql", "slapd", "hub.0", "mailbox.0", "client-access.0"} <= set(pids)
        for pid in [run.process.pid, *pids.values()]:
            assert os.stat(f"/proc/{pid}").st_uid != 0, "nothing runs as root"
        assert "\nThreads:\t1\n" in Path(f"/proc/{run.process.pid}/status").read_text(), "fit to fork"
        mails = int(mails_of(folder, "alice"))
        assert mails > 100
        assert "Postern has stopped" in run.stop()
        assert run.process.returncode == 0
        assert not [pid for pid in pids.values() if start_time(pid)]


def test_a_second_start_finds_everything_as_it_was(folder: Path, offset: str) -> None:
    before = (folder / "postern.toml").read_bytes()
    with running(folder, "--demo") as run:
        assert "a pass'word" in run.output, "the password is kept"
        mails = mails_of(folder, "alice")
        run.stop(signal.SIGTERM)
        with running(folder, "--demo") as again:
            assert mails_of(folder, "alice") == mails, "and no mail comes twice"
            again.stop()
    assert (folder / "postern.toml").read_bytes() == before


def test_a_second_run_is_told_who_holds_the_folder(folder: Path) -> None:
    with running(folder) as run:
        assert "postern user add alice@example.test" in run.output
        second = Run(folder)
        assert second.process.wait(PATIENCE) == os.EX_TEMPFAIL
        assert f"{folder} is held by the `postern run` of process {run.process.pid}, since" in second.output
        assert set(run.pids()) >= {"postgresql", "slapd"}, "and the first goes on"
        run.stop()


def test_a_taken_port_is_named(folder: Path, offset: str) -> None:
    with short_folder() as other, running(folder):
        second = Run(other / "state", "--offset", offset)
        assert second.process.wait(PATIENCE) == os.EX_UNAVAILABLE
        assert any(f"port {int(offset) + number} (" in second.output for number in (135, 587, 993))
        assert "(python" in second.output
        assert "shift all ports: --offset" in second.output


@pytest.mark.parametrize("name", ["slapd", "postgresql"])
def test_a_killed_engine_is_started_again(folder: Path, name: str) -> None:
    with running(folder) as run:
        before = run.pids()[name]
        os.kill(before, signal.SIGKILL)
        eventually(lambda: run.pids().get(name, before) != before, f"{name} is started again")
        assert int(mails_of(folder, "bob")) > 100
        run.stop()


def test_nothing_survives_a_killed_supervisor(folder: Path) -> None:
    with running(folder) as run:
        pids = run.pids()
        run.process.kill()
        eventually(lambda: not [pid for pid in pids.values() if start_time(pid)], "engines and workers are gone")


def test_a_signal_before_it_is_ready_stops_it_too(folder: Path) -> None:
    run = Run(folder, "--demo", until="starting postgresql")
    try:
        last = run.stop(signal.SIGTERM)
        assert "is ready" not in last
        assert not run.pids()
        with running(folder) as again:
            assert "Postern is ready" in again.output
            again.stop()
    finally:
        run.process.kill()
        run.process.communicate()


def test_a_signal_that_python_dropped_ends_the_launch_at_the_next_step() -> None:
    steps: list[str] = []
    interruption = launch.Interruption(steps.append)
    interruption.step("first")
    with contextlib.suppress(KeyboardInterrupt):  # as in a hook of a fork
        interruption.told(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt):
        interruption.step("second")
    assert steps == ["first"]


def test_a_hardened_organization_without_a_realm_is_refused(folder: Path) -> None:
    file = folder / "postern.toml"
    text = file.read_text()
    file.write_text(text.replace('profile = "practical"', 'profile = "hardened"'))
    try:
        run = Run(folder)
        assert run.process.wait(PATIENCE) == os.EX_CONFIG
        assert '"hardened" rests on Kerberos, and organization.realm is empty' in run.output
    finally:
        file.write_text(text)


def test_an_address_that_is_not_this_hosts_is_told_with_file_and_line() -> None:
    with short_folder() as folder:
        made = state.create(folder / "state")
        configuration.default(made, free_offset())
        file = configuration.path(made)
        text = file.read_text()
        file.write_text(text.replace('"127.0.0.1"', '"192.0.2.77"'))
        line = text.splitlines().index('addresses = ["127.0.0.1"]') + 1
        run = Run(made.root)
        assert run.process.wait(PATIENCE) == os.EX_CONFIG
        assert run.output.splitlines()[-1].startswith(
            f"postern: {file}:{line}: server.addresses: this host does not have 192.0.2.77;"
        ), run.output
