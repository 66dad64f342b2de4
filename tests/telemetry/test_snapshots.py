"""What processes have counted comes back from their files, and nothing of what is damaged, stale or of another version."""

from __future__ import annotations

import json
import time
from pathlib import Path

from postern.telemetry.metrics import Metric, Metrics
from postern.telemetry.snapshots import MAX_FILE, STALE, SnapshotFile, read, read_health, write_health


def test_there_and_back(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.count(Metric.MESSAGES, "imap4", "receive")
    metrics.observe(Metric.RPC_SECONDS, 0.5, "imap4", "reply")
    metrics.measure(Metric.CONNECTIONS, lambda: 3, "25")
    SnapshotFile(tmp_path / "hub.0.json", metrics).flush()
    SnapshotFile(None, metrics).flush()
    [snapshot] = read(tmp_path, time.time())
    assert snapshot.process == "hub.0"
    assert snapshot.values[Metric.MESSAGES, ("imap4", "receive")] == 1
    assert snapshot.values[Metric.CONNECTIONS, ("25",)] == 3
    assert snapshot.values[Metric.MEMORY, ()] > 1_000_000 and snapshot.values[Metric.CPU, ()] > 0
    assert snapshot.distributions == metrics.distributions
    assert [file.name for file in tmp_path.iterdir()] == ["hub.0.json"]


def test_what_is_damaged_stale_or_unknown_is_passed_over(tmp_path: Path) -> None:
    now = time.time()
    fine = {"time": now, "values": [["postern_messages_total", ["imap4", "send"], 1]], "distributions": []}
    for name, content in {
        "torn": '{"time": 1',
        "deep": "[" * 100_000,
        "large": json.dumps(fine | {"more": "x" * MAX_FILE}),
        "stale": json.dumps(fine | {"time": now - STALE - 1}),
        "labels": json.dumps(fine | {"values": [["postern_messages_total", ["imap4"], 1]]}),
        "list": "[]",
        "infinite": json.dumps(
            fine | {"distributions": [["postern_rpc_seconds", ["imap4", "reply"], [1e999] * 11, 1]]}
        ),
        "digits": json.dumps(fine | {"values": [["postern_messages_total", ["imap4", "send"], int("9" * 400)]]}),
        "surrogate": json.dumps(fine | {"values": [["postern_messages_total", ["imap4", "\ud800"], 1]]}),
        "long-time": json.dumps(fine | {"time": int("9" * 400)}),
    }.items():
        (tmp_path / f"{name}.json").write_text(content)
    other = [["postern_of_tomorrow", [], 1], *fine["values"]]
    buckets = [["postern_rpc_seconds", ["imap4", "reply"], [1, 2], 1.0]]
    (tmp_path / "later.json").write_text(json.dumps(fine | {"values": other, "distributions": buckets}))
    write_health(tmp_path, {"hub.0": True})
    [snapshot] = read(tmp_path, now)
    assert snapshot.process == "later" and not snapshot.distributions
    assert snapshot.values == {(Metric.MESSAGES, ("imap4", "send")): 1}


def test_health_is_the_supervisors_word_while_it_says_any(tmp_path: Path) -> None:
    now = time.time()
    assert read_health(tmp_path, now) == {"supervisor": False}
    write_health(tmp_path, {"hub.0": True, "slapd": False})
    assert read_health(tmp_path, now) == {"hub.0": True, "slapd": False}
    assert read_health(tmp_path, now + STALE + 60) == {"supervisor": False}
    for damaged in ("[1]", json.dumps({"time": int("9" * 400), "parts": {}}), json.dumps({"time": now, "parts": {}})):
        (tmp_path / "health.json").write_text(damaged)
        assert read_health(tmp_path, now) == {"supervisor": False}
