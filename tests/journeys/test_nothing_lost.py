"""Under load everything is killed, filled and stopped in turn. Every acknowledged message arrives, once or (counted) twice,
never zero times; what could not be taken was put off with 4xx, never refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import organization
from tests.journeys.faulty_disk import FaultyDisk
from tests.journeys.load import PEOPLE, Load
from tests.journeys.traveller import until

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]
ROLES = ("hub", "mailbox", "client-access")
ROUNDS = 3
"""How often all is killed, at moments that chance chooses; tests/transport/test_queue_crash.py tries each moment in turn."""
OUTAGE = 5.0
"""Seconds for which a server program is not there, or is there and says nothing."""
DISKS = {"queue": "320m", "postgres": "640m"}
"""Folders of the state that get a small disk of their own, where we may make one."""


class World:
    """The organization of this module, which is killed and started again; and its small disks."""

    def __init__(self) -> None:
        self.here = organization.start()
        self.mounted: list[Path] = []
        try:
            self.here.stop()
            self.configure("workers = 0", "workers = 2")
            self.mount_disks()
            self.start()
            for person in PEOPLE:
                self.here.add_user(person)
        except BaseException:
            self.remove()
            raise

    @property
    def state(self) -> Path:
        return self.here.state

    def configure(self, old: str, new: str) -> None:
        """Counts from the next start."""
        file = self.state / "postern.toml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def mount_disks(self) -> None:
        if os.geteuid() != 0:
            return
        for name, size in DISKS.items():
            folder = self.state / name
            owner = folder.stat()
            options = f"size={size},mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
            aside = folder.rename(folder.with_suffix(".aside"))
            folder.mkdir()
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "postern-test", folder], check=False)
            if mounted.returncode == 0:
                self.mounted.append(folder)
            subprocess.run(["cp", "-a", f"{aside}/.", folder], check=True)
            os.chown(folder, owner.st_uid, owner.st_gid)
            shutil.rmtree(aside)

    def start(self, **environment: str) -> None:
        self.here = organization.start(self.state, self.here.offset, environment=environment)

    def crash(self) -> None:
        """kill -9 of the supervisor: its children follow it."""
        workers = self.here.workers("hub")
        self.here.process.kill()
        self.here.process.wait()
        until(lambda: not any(map(lives, workers)), "the end of the hub's workers")

    def processes(self) -> dict[str, int]:
        """Names and pids of the supervisor's children."""
        found = {}
        for file in (self.state / "processes").iterdir():
            with contextlib.suppress(OSError, IndexError, ValueError):
                found[file.name] = int(file.read_text().split()[0])
        return found

    def kill(self, name: str) -> None:
        """kill -9, and wait for the successor."""
        pid = self.processes()[name]
        os.kill(pid, signal.SIGKILL)
        until(lambda: self.processes().get(name, pid) != pid, f"a new {name}", 30)

    def backends(self) -> list[int]:
        """PostgreSQL's processes that serve the mailbox role."""
        return [pid for pid in children(self.processes()["postgresql"]) if b"[local]" in words(pid)]

    def disk(self, name: str) -> Path:
        folder = self.state / name
        if folder not in self.mounted:
            pytest.skip("a small disk is a mount of tmpfs, which needs root and the right to mount")
        return folder

    def remove(self) -> None:
        if self.here.process.poll() is None:
            with contextlib.suppress(AssertionError):
                self.here.stop()
        for folder in self.mounted:
            subprocess.run(["umount", "-l", folder], check=False)
        organization.remove(self.here)


def lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.name))
    return found


def words(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@contextlib.contextmanager
def full(folder: Path) -> Iterator[None]:
    """Not a byte is free on this folder's disk."""
    ballast = folder / "ballast"
    try:
        with open(ballast, "wb", buffering=0) as out:
            for size in (1_048_576, 4096):
                with contextlib.suppress(OSError):
                    while out.write(bytes(size)) == size:
                        pass
        assert os.statvfs(folder).f_bavail == 0, errno.ENOSPC
        yield
    finally:
        ballast.unlink()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints the account of a test, also when it passes."""

    def told(text: str) -> None:
        with capsys.disabled():
            print(f"\n{request.node.name}: {text}")

    return told


def test_a_loss_would_be_noticed(world: World) -> None:
    with Load(world.here) as load:
        pass
    load.acknowledged["<lost@load.test>"] = PEOPLE
    with pytest.raises(AssertionError, match=r"^2 of "):
        load.check(5)


def test_each_process_is_killed_in_turn(world: World, tell: Callable[[str], None]) -> None:
    kills = 0
    with Load(world.here) as load:
        for _ in range(ROUNDS):
            for name in sorted(world.processes()):
                world.kill(name)
                load.more(20)
                kills += 1
            os.kill(until(world.backends, "a backend")[0], signal.SIGKILL)
            load.more(50)
            kills += 1
    tell(f"{kills} kills; {load.check()}")


def test_the_supervisor_is_killed_and_the_queues_disk_forgets(world: World, tell: Callable[[str], None]) -> None:
    """A power cut, again and again: everything dies, and below the queue every unsynced write is gone."""
    world.here.stop()
    folder = world.state.parent / "faulty"
    folder.mkdir()
    disk = FaultyDisk.build(folder, world.state / "queue")
    environment = {}
    if disk is None:
        tell("there is no C compiler: unsynced writes are kept")
    else:
        # What was synced before it knew of it: the queues as they are now.
        shutil.copytree(disk.root, disk.shadow)
        owner = world.state.stat()
        for path in (disk.shadow, *disk.shadow.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        environment = disk.environment
    world.start(**environment)
    with Load(world.here) as load:
        for _ in range(ROUNDS):
            load.more(150)
            world.crash()
            if disk is not None:
                assert list(disk.shadow.glob("*/*.segment")), "the hub's syncs were not seen"
                disk.power_cut()
            world.start(**environment)
    world.here.stop()
    world.start()
    load.organization = world.here
    tell(f"{ROUNDS} power cuts; {load.check()}")


def test_the_queues_disk_is_full(world: World, tell: Callable[[str], None]) -> None:
    folder = world.disk("queue")
    with Load(world.here) as load:
        for _ in range(3):
            before = load.put_off[452]
            with full(folder):
                until(lambda before=before: load.put_off[452] > before + 10, "452 for a full disk")
            load.more(100)
    tell(load.check())


def test_the_stores_disk_is_full(world: World, tell: Callable[[str], None]) -> None:
    """The queue goes on taking; what PostgreSQL cannot store waits there."""
    folder = world.disk("postgres")
    log = world.state / "logs" / "postgresql.log"
    with Load(world.here) as load:
        for crash in (False, False, True):
            said = log.stat().st_size
            with full(folder):
                until(lambda said=said: b"No space left" in log.read_bytes()[said:], "a full disk")
                if crash:  # and it cannot start again as long as the disk is full
                    os.kill(world.processes()["postgresql"], signal.SIGKILL)
                load.more(200)
            load.more(100)
    tell(load.check())


def test_workers_hang(world: World, tell: Callable[[str], None]) -> None:
    """SIGSTOP of one worker of each role, at once: the supervisor notices within 30 s and starts others, and nothing is lost."""
    before = world.processes()
    roles = {name.partition(".")[0] for name in before if "." in name}
    assert set(ROLES) <= roles  # an edge's and the hub's EdgeSync are in test_edge
    hanging = [next(name for name in sorted(before) if name.startswith(role)) for role in sorted(roles)]
    with Load(world.here) as load:
        begun = time.monotonic()
        for name in hanging:
            os.kill(before[name], signal.SIGSTOP)
        for name in hanging:
            until(lambda name=name: world.processes().get(name, before[name]) != before[name], f"a new {name}", 30)
        took = time.monotonic() - begun
        load.more(100)
    events = (world.state / "logs" / "supervisor.jsonl").read_text()
    assert events.count('"unresponsive"') == len(hanging)
    tell(f"{', '.join(hanging)} stopped, all replaced after {took:.1f} s; {load.check()}")


def test_postgresql_and_slapd_say_nothing(world: World, tell: Callable[[str], None]) -> None:
    with Load(world.here) as load:
        for name in ("postgresql", "slapd"):
            pid = world.processes()[name]
            pids = [pid, *children(pid)]
            try:
                os.kill(pids[0], signal.SIGSTOP)
                for pid in pids[1:]:  # a backend or an autovacuum worker may have ended since it was listed
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGSTOP)
                time.sleep(OUTAGE)
            finally:
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
            load.more(100)
    tell(load.check())


def test_postgresql_and_slapd_are_stopped(world: World, tell: Callable[[str], None]) -> None:
    """The supervisor sleeps, so that nobody starts them again for a while."""
    processes = world.processes()
    with Load(world.here) as load:
        for name, how in (("postgresql", signal.SIGINT), ("slapd", signal.SIGTERM)):
            world.here.process.send_signal(signal.SIGSTOP)
            try:
                os.kill(processes[name], how)
                time.sleep(OUTAGE)
            finally:
                world.here.process.send_signal(signal.SIGCONT)
            until(lambda name=name: world.processes()[name] != processes[name], f"a new {name}")
            load.more(100)
    tell(load.check())


def test_a_host_with_fewer_workers_adopts_their_queues(world: World, tell: Callable[[str], None]) -> None:
    with Load(world.here) as load:
        # The supervisor too, for it would start others in their place.
        for pid in (world.here.process.pid, *world.here.workers("mailbox")):
            os.kill(pid, signal.SIGSTOP)
        for _ in range(5):  # the kernel chooses the worker of each connection
            load.more(60)
            if len(queues := {message["queue_id"].partition("-")[0] for message in load.waiting()}) == 2:
                break
    world.crash()
    assert len(queues) == 2, "mail waits in both queues"
    world.configure("workers = 2", "workers = 1")
    try:
        world.start()
        load.organization = world.here
        tell(load.check())
    finally:
        world.configure("workers = 1", "workers = 2")
