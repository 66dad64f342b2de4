"""The tracking log: what is written is read again, whatever is in it, and old days go."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.telemetry.tracking import KEPT_DAYS, Tracker, TrackingRecord, TrackingStep, read, remove_old

DAY = 86_400.0


def test_two_processes_are_read_together(tmp_path: Path) -> None:
    before = time.time()
    one, other = Tracker(tmp_path, "hub.0", "server1"), Tracker(tmp_path, "mailbox.0", "server1")
    received = TrackingRecord(
        TrackingStep.RECEIVE, "<a@b>", "q1", "internet-to-hub", "192.0.2.1", recipients=("x@y", "z@y")
    )
    delivered = TrackingRecord(TrackingStep.DELIVER, "<a@b>", outcome="2.1.5", server="server2")
    one.record(received)
    other.record(delivered)
    assert list(read(tmp_path)) == []  # nothing touches the disk before `flush`
    one.flush()
    other.flush()
    found = sorted(read(tmp_path), key=lambda record: record.time)
    assert [record.step for record in found] == [TrackingStep.RECEIVE, TrackingStep.DELIVER]
    assert [record.server for record in found] == ["server1", "server2"]
    assert found[0].recipients == ("x@y", "z@y")
    assert before <= found[0].time <= time.time()


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_any_text_comes_back(message_id: str, outcome: str, recipients: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker(Path(folder), "hub.0", "s")
        tracker.record(TrackingRecord(TrackingStep.FAIL, message_id, outcome=outcome, recipients=tuple(recipients)))
        tracker.flush()
        (found,) = read(Path(folder))
        assert (found.message_id, found.outcome, list(found.recipients)) == (message_id, outcome, recipients)


def test_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, "hub.0")
    tracker.record(TrackingRecord(TrackingStep.SEND, "<a@b>"))
    tracker.flush()
    (file,) = tmp_path.iterdir()
    with open(file, "a") as out:
        out.write('{"step": "send", "mess')
    assert len(list(read(tmp_path))) == 1


@pytest.mark.parametrize(
    "damage",
    [
        b'{"step": "send", "recipients": ["\xff\xfe"], "message_id": "x\xc3", "queue_id": "bad"}\n',
        b"\xff\n",
        b'{"step": "send", "recipients": 5}\n',
        b'{"step": "send", "queue_id": "no message"}\n',
        b"[" * 200_000 + b"\n",
        b"\0\0\0\n",
    ],
)
def test_damaged_octets_cost_no_other_record(tmp_path: Path, damage: bytes) -> None:
    tracker = Tracker(tmp_path, "hub.0")
    tracker.record(TrackingRecord(TrackingStep.SEND, "<m1@example.test>", "q1"))
    tracker.flush()
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage + file.read_bytes() + damage)
    assert [record.queue_id for record in read(tmp_path) if record.queue_id == "q1"] == ["q1"]


def test_old_days_are_removed_and_nothing_else(tmp_path: Path) -> None:
    now = 1_790_000_000.0

    def name(days: float) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(now - days * DAY)) + ".hub.7.jsonl"

    for days in (0, 1, KEPT_DAYS, KEPT_DAYS + 1, 400):
        (tmp_path / name(days)).touch()
    (tmp_path / "notes.jsonl").touch()
    remove_old(tmp_path, now)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.jsonl", name(0), name(1), name(KEPT_DAYS)}


def test_a_tracker_removes_old_days_at_its_first_record(tmp_path: Path) -> None:
    (tmp_path / "2001-01-01.hub.0.jsonl").touch()
    tracker = Tracker(tmp_path, "hub.0")
    tracker.record(TrackingRecord(TrackingStep.SEND, "<a@b>"))
    tracker.flush()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_disk_that_takes_no_file_is_asked_again(tmp_path: Path) -> None:
    folder = tmp_path / "tracking"
    tracker = Tracker(folder, "hub.0")
    tracker.record(TrackingRecord(TrackingStep.SEND, "<a@b>"))
    for _ in range(2):
        try:
            tracker.flush()
        except FileNotFoundError:
            continue
        raise AssertionError("there is no folder yet")
    folder.mkdir()
    tracker.flush()
    assert len(list(read(folder))) == 1


def test_steps_and_fields_of_another_version_are_read(tmp_path: Path) -> None:
    (tmp_path / "2026-11-29.hub.0.jsonl").write_text(
        '{"step": "teleport", "message_id": "<a@b>", "dimension": 5, "time": 1.0}\n[1]\n{"time": 2}\n'
    )
    (found,) = read(tmp_path)
    assert (found.step, found.message_id) == ("teleport", "<a@b>")


def test_a_file_that_is_looked_at_sends_a_terminal_nothing(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, "hub.0")
    tracker.record(TrackingRecord(TrackingStep.FAIL, "<a\x9b\u202e\ud800@b>", outcome="\x1b[2J"))
    tracker.flush()
    (file,) = tmp_path.iterdir()
    assert file.read_text().isascii() and "\x1b" not in file.read_text()
    assert next(read(tmp_path)).message_id == "<a\x9b\u202e\ud800@b>"
