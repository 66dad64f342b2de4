"""The probe of port 80 sees what is there, and what is wrong with another."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from postern.net.door import Door
from postern.paths.guard import Guard
from postern.paths.table import TABLE
from postern.services.acme.challenges import ChallengeFiles
from postern.services.acme.door import ChallengeAccess, ChallengeSession
from postern.telemetry.observed import Observed
from postern.verify.challenge_checks import check_challenge_row
from postern.verify.report import RowReport, Verdict
from tests.support.ports import free_port
from tests.transport.world import organization
from tests.verify.weak_http import weak_http

ROW = TABLE["acme-challenge"]


def report_of(port: int) -> RowReport:
    known = organization(offset=port - 80)
    here = SimpleNamespace(addresses=("127.0.0.1",), fqdn="server1.example.test")
    report = RowReport(ROW)
    check_challenge_row(ROW, cast(Any, [here]), cast(Any, SimpleNamespace(organization=known)), report)
    return report


def test_the_port_as_it_should_be(tmp_path: Path) -> None:
    async def run() -> RowReport:
        access = ChallengeAccess(Guard([ROW], frozenset()), ChallengeFiles(tmp_path), Observed(None))
        door, port = Door([ROW], ROW.port(80), partial(ChallengeSession, access), None), free_port()
        await door.open("127.0.0.1", port)
        try:
            return await asyncio.to_thread(report_of, port)
        finally:
            await door.close()

    report = asyncio.run(run())
    assert (report.verdict, report.detail) == (Verdict.PASS, "") and report.ports == ["80/TCP"]
    assert len(report.checks) == 5


def test_a_port_that_answers_everything_and_one_that_answers_nothing() -> None:
    with weak_http(b"-----BEGIN PRIVATE KEY-----") as port:
        report = report_of(port)
    assert report.verdict is Verdict.FAIL and [check.passed for check in report.checks] == [False] * 5
    silent = report_of(free_port())
    assert silent.verdict is Verdict.FAIL and "answers" in silent.detail
