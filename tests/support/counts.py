"""Reads out of the metrics what tests ask for."""

from __future__ import annotations

from postern.telemetry.metrics import Metric, Metrics


def refusals(counted: Metrics) -> dict[tuple[str, ...], float]:
    """Returns how many refusals were counted, by path and reason."""
    return {labels: times for (metric, labels), times in counted.values.items() if metric is Metric.REFUSALS}
