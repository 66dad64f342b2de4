"""An engine that does not answer is killed, once, and one that answers is left alone; real ones are stopped by SIGSTOP."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from postern.directory.ldap.client import answers
from postern.host.engines import health as engine_health
from postern.host.engines.health import PATIENCE, SILENCE, Health, Question
from postern.host.engines.postgres import PrivateCluster
from postern.host.engines.slapd import PrivateSlapd
from postern.host.supervision.processes import start_time
from postern.telemetry import log as telemetry
from tests.host.folders import short_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        telemetry.configure("test", made / "log.jsonl")
        yield made
        telemetry.configure("test", None)


class Toy:
    """An engine: a process that does nothing, and a door at which the test answers."""

    name = "toy"

    def __init__(self, folder: Path) -> None:
        self.door = folder / "door"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.door))
        self.listener.listen(1)
        self.pid: int | None = os.getpid()
        self.kills: list[bool] = []

    @property
    def question(self) -> Question:
        return Question(self.door, b"well?", lambda said: said == b"well")

    def kill(self, hard: bool) -> None:
        self.kills.append(hard)

    def answer(self, words: bytes) -> None:
        link, _ = self.listener.accept()
        with link:
            assert link.recv(10) == b"well?"
            if words:
                link.send(words)


@pytest.fixture
def toy(folder: Path) -> Iterator[Toy]:
    made = Toy(folder)
    yield made
    made.listener.close()


def test_who_answers_is_left_alone(toy: Toy) -> None:
    health = Health([toy])
    for turn in range(20):
        health.turn(turn * 6.0)
        toy.answer(b"well")
        health.turn(turn * 6.0 + 3)
        toy.answer(b"well")
    assert toy.kills == []


@pytest.mark.parametrize("words", [b"", b"something else"])
def test_who_does_not_answer_is_told_to_end_and_then_killed(toy: Toy, words: bytes, folder: Path) -> None:
    health = Health([toy])
    health.turn(0.0)
    for now in (3.0, 9.0, SILENCE - 1):
        toy.answer(words)
        health.turn(now)
        health.turn(now + 0.5)
    assert toy.kills == []
    health.turn(SILENCE + 1)
    assert toy.kills == [False]
    health.turn(SILENCE + 2)
    assert toy.kills == [False], "it has time to end"
    health.turn(SILENCE + 2 + PATIENCE)
    assert toy.kills == [False, True]
    assert (folder / "log.jsonl").read_text().count('"engine-unresponsive"') == 1
    toy.pid = os.getppid()  # started again
    health.turn(100.0)
    health.turn(100.0 + SILENCE - 1)
    assert toy.kills == [False, True]
    health.close()


def test_a_full_backlog_and_a_missing_door_are_silence(toy: Toy) -> None:
    health = Health([toy])
    with contextlib.ExitStack() as links:
        for _ in range(2):
            link = links.enter_context(socket.socket(socket.AF_UNIX))
            link.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                link.connect(str(toy.door))
        health.turn(0.0)
        toy.door.unlink()
        health.turn(3.0)
        health.turn(SILENCE + 4)
    assert toy.kills == [False]


def test_a_supervisor_that_was_away_kills_nobody(toy: Toy) -> None:
    health = Health([toy])
    health.turn(0.0)
    health.excuse(1000.0)
    health.turn(1001.0)
    assert toy.kills == []
    toy.pid = None
    health.turn(5000.0)
    assert toy.kills == [], "it is down, and somebody else's to start"
    health.close()


def test_a_stopped_child_is_seen() -> None:
    asleep = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert not engine_health.is_halted(os.getpid())
        os.kill(asleep.pid, signal.SIGSTOP)
        os.waitpid(asleep.pid, os.WUNTRACED)
        assert engine_health.is_halted(os.getpid())
        assert engine_health.is_halted(asleep.pid)
        os.kill(asleep.pid, signal.SIGCONT)
    finally:
        asleep.kill()
        asleep.wait()


def turned_until(health: Health, done: Callable[[], bool], skip: float = 0.0) -> None:
    """Turns of a supervisor's, `skip` seconds later than they are, until something is so; 30 s at most."""
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        health.turn(time.monotonic() + skip)
        time.sleep(0.02)


class Adapter:
    """A real engine under a name."""

    name = "real"

    def __init__(self, server: PrivateCluster | PrivateSlapd) -> None:
        self.server = server
        self.answers = 0

    @property
    def pid(self) -> int | None:
        return self.server.pid

    @property
    def question(self) -> Question:
        asked = self.server.question

        def is_answered(said: bytes) -> bool:
            answered = asked.is_answered(said)
            self.answers += answered
            return answered

        return Question(asked.door, asked.request, is_answered)

    def kill(self, hard: bool) -> None:
        self.server.kill(hard)


@pytest.mark.slow
@pytest.mark.slapd
def test_a_stopped_slapd_is_killed_and_answers_again(folder: Path) -> None:
    server = PrivateSlapd(folder / "d", folder / "s", folder / "log", "secret")
    server.start()
    try:
        engine = Adapter(server)
        health = Health([engine])
        turned_until(health, lambda: engine.answers >= 3)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)
        turned_until(health, lambda: engine_health.is_halted(server.pid or 0))
        turned_until(health, lambda: server.pid is None, SILENCE + 1)
        server.start()
        before = engine.answers
        turned_until(health, lambda: engine.answers > before)
        answers(server.uri, server.layout.administrator, "secret")
        health.close()
    finally:
        server.stop()


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("who", ["postmaster", "backend", "deaf"])
def test_a_stopped_postgresql_is_killed_and_has_lost_nothing(folder: Path, who: str) -> None:
    cluster = PrivateCluster(folder / "data", folder / "s", folder / "pg.log", connections=10)
    cluster.start()
    try:
        cluster.create_database("mail")
        engine = Adapter(cluster)
        health = Health([engine])
        turned_until(health, lambda: engine.answers >= 3)
        with psycopg.connect(cluster.conninfo("mail"), autocommit=True) as held:
            held.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
            backend = held.info.backend_pid
            assert cluster.pid is not None
            pids = {cluster.pid, backend}
            for pid in {"postmaster": {cluster.pid}, "backend": {backend}, "deaf": pids}[who]:
                os.kill(pid, signal.SIGSTOP)
            if who == "deaf":
                cluster.kill(hard=True)
            turned_until(health, lambda: cluster.pid is None, SILENCE + 1)
        cluster.start()
        before = engine.answers
        turned_until(health, lambda: engine.answers > before)
        with psycopg.connect(cluster.conninfo("mail")) as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (1000,)
        assert start_time(backend) is None, "none of the old ones is left beside the new"
        health.close()
    finally:
        cluster.stop()
    assert "FATAL" not in (folder / "pg.log").read_text().replace("FATAL:  terminating", "").replace(
        "FATAL:  the database system", ""
    )
