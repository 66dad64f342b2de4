"""Puts what all processes of the host have counted into Prometheus' text format.

Each series keeps the label `process`, so that a counter that begins anew at zero with its process is a reset, which Prometheus
understands; a sum over the processes would hide it. `sum without (process) (rate(…))` adds them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from postern.telemetry.metrics import Kind, Metric
from postern.telemetry.snapshots import Snapshot

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


def exposition(snapshots: Iterable[Snapshot], own: Snapshot) -> bytes:
    """All metrics in the text format, with those that the metrics service itself sees at this moment (`own`)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything([*snapshots, own]))
    return generate_latest(registry)


class _Everything(Collector):
    def __init__(self, snapshots: list[Snapshot]) -> None:
        self._snapshots = snapshots

    def collect(self) -> Iterator[Family]:
        for metric in Metric:
            labels = (*metric.labels, "process")
            if metric.kind is Kind.HISTOGRAM:
                yield self._histogram(metric, HistogramMetricFamily(metric, metric.sentence, labels=labels))
            elif metric.kind is Kind.COUNTER:
                yield self._values(metric, CounterMetricFamily(metric, metric.sentence, labels=labels))
            else:
                yield self._values(metric, GaugeMetricFamily(metric, metric.sentence, labels=labels))

    def _values(
        self, metric: Metric, family: CounterMetricFamily | GaugeMetricFamily
    ) -> CounterMetricFamily | GaugeMetricFamily:
        for snapshot in self._snapshots:
            for (other, labels), value in snapshot.values.items():
                if other is metric:
                    family.add_metric((*labels, snapshot.process), value)
        return family

    def _histogram(self, metric: Metric, family: HistogramMetricFamily) -> HistogramMetricFamily:
        bounds = [*map(str, metric.buckets), "+Inf"]
        for snapshot in self._snapshots:
            for (other, labels), distribution in snapshot.distributions.items():
                if other is metric:
                    sums = list(zip(bounds, map(float, accumulate(distribution.counts)), strict=True))
                    family.add_metric((*labels, snapshot.process), sums, distribution.sum)
        return family
