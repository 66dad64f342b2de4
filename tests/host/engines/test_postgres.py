"""The private PostgreSQL cluster: started, reused, ended with its parent, and closed to everybody else."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from postern.host.engines.postgres import ClusterError, PrivateCluster, binaries

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

try:
    binaries()
except ClusterError as error:
    pytest.skip(str(error), allow_module_level=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def _cluster(folder: Path) -> PrivateCluster:
    return PrivateCluster(folder / "data", folder / "s", folder / "log", connections=10)


def _gone(pid: int, within: float = 10.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_data_survive_a_stop_and_a_start(folder: Path) -> None:
    cluster = _cluster(folder)
    cluster.start()
    try:
        cluster.create_database("mail")
        cluster.create_database("mail")
        with psycopg.connect(cluster.conninfo("mail")) as connection:
            connection.execute("CREATE TABLE t AS SELECT 7 AS n")
    finally:
        cluster.stop()
    assert cluster.pid is None
    again = _cluster(folder)
    again.start()
    try:
        with psycopg.connect(again.conninfo("mail")) as connection:
            assert connection.execute("SELECT n FROM t").fetchone() == (7,)
            settings = {
                name: connection.execute(f"SHOW {name}").fetchone()[0]
                for name in ("fsync", "synchronous_commit", "listen_addresses", "server_encoding")
            }
            assert settings == {
                "fsync": "on",
                "synchronous_commit": "on",
                "listen_addresses": "",
                "server_encoding": "UTF8",
            }
    finally:
        again.stop()


def test_nobody_else_connects(folder: Path) -> None:
    cluster = _cluster(folder)
    cluster.start()
    try:
        for place in (cluster.data, cluster.sockets):
            assert stat.S_IMODE(place.stat().st_mode) == 0o700
        socket = next(cluster.sockets.glob(".s.PGSQL.*[0-9]"))
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        with pytest.raises(psycopg.OperationalError, match=r"[Pp]eer authentication failed"):
            psycopg.connect(cluster.conninfo("postgres", "somebody"))
        if os.geteuid() == 0:
            # Another account, even if the folder let it in, is refused by the server itself.
            other = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, cluster.data.stat().st_uid))
            cluster.sockets.chmod(0o755)
            socket.chmod(0o777)
            done = subprocess.run(
                ["psql", "-h", cluster.sockets, "-U", "postern", "-d", "postgres", "-c", "SELECT 1"],
                user=other.pw_uid,
                group=other.pw_gid,
                extra_groups=[],
                capture_output=True,
                text=True,
                cwd="/",
            )
            assert done.returncode != 0
            assert "eer authentication failed" in done.stderr
        with psycopg.connect(cluster.conninfo("postgres")) as connection:
            row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
            assert row == (False,)
    finally:
        cluster.stop()


def test_it_dies_with_its_parent_and_leaves_nothing_in_the_way(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from postern.host.engines.postgres import PrivateCluster\n"
        "folder = Path(sys.argv[1])\n"
        "cluster = PrivateCluster(folder / 'data', folder / 's', folder / 'log', connections=10)\n"
        "cluster.start(); print(cluster.pid, flush=True); sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        assert _gone(pid)
    finally:
        parent.kill()
        parent.communicate()
    cluster = _cluster(folder)
    cluster.start()
    cluster.stop()


def test_an_orphan_is_ended_and_a_stale_pid_file_is_no_obstacle(folder: Path) -> None:
    first = _cluster(folder)
    first.start()
    orphan = first.pid
    assert orphan is not None
    second = _cluster(folder)
    second.start()
    try:
        assert _gone(orphan)
        assert second.pid is not None
    finally:
        second.stop()
        first.stop()
    # The number of a process that is somebody else's by now: ours.
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'data'}\n0\n5432\n\n\n\nready\n")
    third = _cluster(folder)
    third.start()
    third.stop()


def test_a_backend_that_outlived_a_killed_postmaster_is_ended_too(folder: Path) -> None:
    cluster = _cluster(folder)
    cluster.start()
    try:
        with psycopg.connect(cluster.conninfo("postgres")) as connection:
            backend = connection.info.backend_pid
            assert cluster.pid is not None
            os.kill(backend, signal.SIGSTOP)  # it does not notice
            os.kill(cluster.pid, signal.SIGKILL)
            assert _gone(cluster.pid)
            cluster.start()
            assert _gone(backend)
        with psycopg.connect(cluster.conninfo("postgres")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        cluster.stop()


def test_words_for_what_cannot_work(folder: Path) -> None:
    long = PrivateCluster(folder / "data", folder / ("s" * 100), folder / "log")
    with pytest.raises(ClusterError, match="too long"):
        long.start()
    (folder / "data").mkdir()
    (folder / "data" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(ClusterError, match=r"made by PostgreSQL 9\.6"):
        _cluster(folder).start()
