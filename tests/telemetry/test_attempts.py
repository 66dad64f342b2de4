"""What a process worked on when it died counts against that, and against nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from postern.telemetry import attempts
from postern.telemetry.attempts import LIMIT, Attempts

VICTIM = """
import os, signal, sys
from pathlib import Path
from postern.telemetry import attempts
attempts.configure("victim", Path(sys.argv[1]))
with attempts.attempt("finished"):
    pass
try:
    with attempts.attempt("raised"):
        raise ValueError
except ValueError:
    pass
with attempts.attempt("poison"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_one(folder: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", VICTIM, str(folder)], check=False)
    assert ended.returncode == -signal.SIGKILL


def test_kill_9_counts_and_after_the_second_time_it_is_given_up(tmp_path: Path) -> None:
    others = Attempts(None, tmp_path)
    kill_one(tmp_path)
    assert attempts.blame("victim", tmp_path, "ended by SIGKILL") == ["poison"]
    assert others.given_up("poison") is None
    kill_one(tmp_path)
    # Without a supervisor's word, whoever begins under the same name finds it.
    kill_one(tmp_path)
    struck = others.given_up("poison")
    assert struck is not None
    assert (struck.count, struck.why) == (2, "the process ended while it worked on this")
    assert [one.key for one in attempts.read(tmp_path)] == ["poison"]


def test_a_pardon_reaches_every_process(tmp_path: Path) -> None:
    (tmp_path / "struck").mkdir()
    one, other = Attempts(None, tmp_path), Attempts(None, tmp_path)
    for _ in range(LIMIT):
        one.strike("bad", "it raised")
    assert other.given_up("bad") is not None
    attempts.pardon(tmp_path, ["bad"])
    assert one.given_up("bad") is None
    assert other.given_up("bad") is None


def test_counts_are_forgotten_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "struck").mkdir()
    Attempts(None, tmp_path).strike("bad", "it raised")
    later = time.time() + attempts.KEPT + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert list(attempts.read(tmp_path)) == []
    assert os.listdir(tmp_path / "struck") == []


def test_only_the_count_of_the_message_in_question_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much counts against others, and however recently that was counted."""
    (tmp_path / "struck").mkdir()
    one, other = Attempts(None, tmp_path), Attempts(None, tmp_path)
    for number in range(50):
        for _ in range(LIMIT):
            one.strike(f"bad {number}", "it raised")
    read: list[object] = []
    whole = json.loads
    monkeypatch.setattr(attempts.json, "loads", lambda text: read.append(text) or whole(text))
    assert other.given_up("bad 7") is not None
    assert len(read) == 1
    assert other.given_up("good") is None
    assert len(read) == 1


def test_what_a_process_counted_it_knows_at_once(tmp_path: Path) -> None:
    (tmp_path / "struck").mkdir()
    table = Attempts(None, tmp_path)
    assert table.given_up("bad", 1) is None
    table.strike("bad", "it raised")
    assert table.given_up("bad", 1) is not None


def test_the_oldest_counts_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_STRUCK", 5)
    monkeypatch.setattr(attempts, "PRUNE_EVERY", 1)
    (tmp_path / "struck").mkdir()
    for number in range(8):
        # Each stands for a process: what is too much is seen by whoever counts next.
        Attempts(None, tmp_path).strike(f"bad {number}", "it raised")
        at = time.time() - 1000 + number
        os.utime(tmp_path / "struck" / attempts._name(f"bad {number}"), (at, at))
    assert sorted(one.key for one in attempts.read(tmp_path)) == [f"bad {number}" for number in range(3, 8)]
    table = Attempts(None, tmp_path)
    for number in range(8, 10):
        table.strike(f"bad {number}", "it raised")
    assert len(os.listdir(tmp_path / "struck")) <= 6


def test_what_no_file_takes_is_counted_in_memory(tmp_path: Path) -> None:
    table = Attempts(None, tmp_path / "missing")
    for _ in range(LIMIT):
        table.strike("bad", "it raised")
    assert table.given_up("bad") is not None
    table.forget("bad")
    assert table.given_up("bad") is None


def test_a_reason_of_any_script_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "struck").mkdir()
    for _ in range(LIMIT):
        Attempts(None, tmp_path).strike("é" * 1000, "\U0001f4a5" * 5000)
    assert Attempts(None, tmp_path).given_up("é" * 1000) is not None


def test_what_an_ordinary_end_cut_short_counts_against_nothing(tmp_path: Path) -> None:
    kill_one(tmp_path)
    attempts.excuse("victim", tmp_path)
    assert attempts.blame("victim", tmp_path, "ended") == []
    attempts.excuse("victim", tmp_path)
    assert list(attempts.read(tmp_path)) == []


def test_more_work_than_places_is_not_marked_and_not_lost(tmp_path: Path) -> None:
    table = Attempts(tmp_path / "many", tmp_path)
    slots = [table.begin(f"key {number}") for number in range(100)]
    assert sorted(slots)[:36] == [-1] * 36
    for slot in slots:
        table.end(slot)
    assert table.begin("again") >= 0


def test_work_that_takes_too_long_is_known(tmp_path: Path) -> None:
    table = Attempts(tmp_path / "slow", tmp_path)
    slot = table.begin("slow")
    now = time.monotonic()
    assert table.overdue(now) is None
    assert table.overdue(now + attempts.TIME + 1) == "slow"
    table.end(slot)
    assert table.overdue(now + attempts.TIME + 1) is None


def test_a_key_of_any_length_and_script_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "struck").mkdir()
    table = Attempts(tmp_path / "p", tmp_path)
    table.begin("é" * 1000)
    assert attempts.blame("p", tmp_path, "ended") == ["é" * 125]
