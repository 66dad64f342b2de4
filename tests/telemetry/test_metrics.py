"""The registry of metrics: names that Prometheus takes, labels within bounds, and what other telemetry counts by itself.

covers: telemetry.metrics
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postern.model.security import Seal
from postern.telemetry import log as logs
from postern.telemetry import metrics as module
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import LABELS, MAX_SERIES, Key, Kind, Metric, Metrics
from postern.telemetry.observed import Observed
from postern.telemetry.tracking import Tracker, TrackingRecord, TrackingStep


@pytest.mark.parametrize("metric", Metric)
def test_each_metric_says_what_it_is(metric: Metric) -> None:
    assert re.fullmatch(r"postern_[a-z_]+[a-z]", metric)
    assert metric.sentence.endswith(".") and set(metric.labels) <= LABELS.keys()
    assert "process" not in metric.labels, "every metric has it"
    assert metric.endswith("_total") is (metric.kind is Kind.COUNTER)
    assert bool(metric.buckets) is (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_counters_gauges_and_histograms() -> None:
    metrics = Metrics()
    metrics.count(Metric.MESSAGES, "imap4", "receive")
    metrics.count(Metric.MESSAGES, "imap4", "receive", by=2)
    metrics.put(Metric.DATABASE_OCTETS, 7)
    metrics.put(Metric.DATABASE_OCTETS, 5)
    connections = [3, 4]
    for place in range(2):
        metrics.measure(Metric.CONNECTIONS, lambda place=place: connections[place], "25")
    for octets in (100, 1024, 1025, 10**9):
        metrics.observe(Metric.MESSAGE_OCTETS, octets, "imap4")
    metrics.read_gauges()
    assert metrics.values == {
        (Metric.MESSAGES, ("imap4", "receive")): 3,
        (Metric.DATABASE_OCTETS, ()): 5,
        (Metric.CONNECTIONS, ("25",)): 7,
    }
    [distribution] = metrics.distributions.values()
    assert distribution.counts == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1], "a bound belongs to its bucket"
    assert distribution.sum == 100 + 1024 + 1025 + 10**9
    metrics.clear()
    metrics.read_gauges()
    assert not metrics.values and not metrics.distributions


def test_labels_are_bounded() -> None:
    metrics = Metrics()
    metrics.count(Metric.MESSAGES, "alice@example.test", "receive")
    metrics.count(Metric.MESSAGES, "", "receive")
    assert [labels for _, labels in metrics.values] == [("other", "receive"), ("none", "receive")]
    for number in range(MAX_SERIES + 100):
        metrics.count(Metric.EVENTS, f"event{number}", "imap4", "info")
    series = [labels for metric, labels in metrics.values if metric is Metric.EVENTS]
    assert len(series) == MAX_SERIES + 1
    assert metrics.values[Metric.EVENTS, ("other", "other", "other")] == 100
    for number in range(MAX_SERIES + 100):
        metrics.measure(Metric.CONNECTIONS, lambda: 1.0, f"port{number}")
        metrics.read_gauges()
    assert sum(metric is Metric.CONNECTIONS for metric, _ in metrics.values) == MAX_SERIES + 1
    with pytest.raises(ValueError, match="labels"):
        metrics.count(Metric.EVENTS, "started")
    with pytest.raises(ValueError, match="labels"):
        metrics.observe(Metric.RPC_SECONDS, 1.0)


def test_tracking_observation_and_log_are_counted_without_names(
    counted: Metrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure("test", tmp_path / "log.jsonl")
    record = TrackingRecord(
        TrackingStep.RECEIVE, "<1@x>", "q1", "imap4", "192.0.2.7", "Basic", "", "a@x.test", ("b@y.test",)
    )
    Tracker(None, "test").record(record)
    Observed(None).seen("imap4", "192.0.2.7", "Basic", Seal("TLSv1.3", "AES"), 1.0)
    log(Event.AUTHENTICATED, path="imap4", peer="192.0.2.7", name="alice", mechanism="Basic")
    log(Event.AUTHENTICATION_FAILED, path="imap4", peer="192.0.2.7", mechanism="what a stranger typed")
    assert counted.values == {
        (Metric.MESSAGES, ("imap4", "receive")): 1,
        (Metric.PATH_USES, ("imap4", "Basic", "TLSv1.3")): 1,
        (Metric.EVENTS, ("authenticated", "imap4", "info")): 1,
        (Metric.LOGONS, ("imap4", "Basic", "granted")): 1,
        (Metric.EVENTS, ("authentication-failed", "imap4", "warning")): 1,
        (Metric.LOGONS, ("imap4", "other", "denied")): 1,
    }


def test_a_path_that_is_unknown_or_empty_looks_at_the_series_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers of the endpoint mapper, which has no path, reach this with each call."""
    metrics = Metrics()
    looked: list[Key] = []
    really = Metrics._find_bounded

    def find(self: Metrics, key: Key) -> Key:
        looked.append(key)
        return really(self, key)

    monkeypatch.setattr(Metrics, "_find_bounded", find)
    for _ in range(5):
        metrics.count(Metric.MESSAGES, "", "receive")
        metrics.observe(Metric.RPC_SECONDS, 0.1, "", "reply")
    assert looked == [(Metric.MESSAGES, ("", "receive")), (Metric.RPC_SECONDS, ("", "reply"))]
    assert metrics.values == {(Metric.MESSAGES, ("none", "receive")): 5}
    assert sum(metrics.distributions[Metric.RPC_SECONDS, ("none", "reply")].counts) == 5
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    for number in range(20):
        metrics.count(Metric.MESSAGES, f"path {number}", "receive")
        assert len(metrics._bounded) <= 3
    assert metrics.values[Metric.MESSAGES, ("other", "receive")] == 20
    metrics.clear()
    assert not metrics._bounded
