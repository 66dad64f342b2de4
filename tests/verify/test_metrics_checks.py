"""The probe of the metrics port sees what is there, and what is wrong with another.

covers: clear_http
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from postern.verify.metrics_checks import check_metrics_row
from postern.verify.report import RowReport, Verdict
from tests.services.metrics.doors import ROW, MetricsDoor
from tests.transport.world import organization
from tests.verify.weak_http import weak_http


def report_of(port: int) -> RowReport:
    known = organization(offset=port - 9464)
    here = SimpleNamespace(addresses=("127.0.0.1",))
    report = RowReport(ROW)
    check_metrics_row(ROW, cast(Any, [here]), cast(Any, SimpleNamespace(organization=known)), report)
    return report


def test_the_port_as_it_should_be(tmp_path: Path) -> None:
    door = MetricsDoor(tmp_path)

    async def run() -> RowReport:
        async with door.opened():
            return await asyncio.to_thread(report_of, door.port)

    report = asyncio.run(run())
    assert (report.verdict, report.detail) == (Verdict.PASS, "") and report.ports == ["9464/TCP"]
    assert len(report.checks) == 5


def test_a_port_that_answers_everything() -> None:
    with weak_http() as port:
        report = report_of(port)
    assert report.verdict is Verdict.FAIL
    assert [check.passed for check in report.checks] == [False] * 5


def test_nobody_there(tmp_path: Path) -> None:
    report = report_of(MetricsDoor(tmp_path).port)
    assert report.verdict is Verdict.FAIL and "ConnectionRefusedError" in report.detail
