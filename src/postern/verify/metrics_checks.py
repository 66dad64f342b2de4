"""Checks of the row `metrics`: the port tells counts and health, and does nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from postern.model.organization import Server
from postern.paths.row import Path
from postern.verify.clear_http import ClearDoor, check_clear_row
from postern.verify.report import RowReport
from postern.verify.subject import Subject

_MAX_BODY = 16_777_216


def check_metrics_row(row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
    """Asks at each address of the servers. Never raises."""

    def check(door: ClearDoor) -> None:
        status, body = door.ask("GET", "/metrics")
        told = status == 200 and b"\npostern_up{" in body
        report.check("metrics are told", told, f"{door.host} answers {status}")
        status, body = door.ask("GET", "/healthz")
        report.check("health is told", status in (200, 503) and body[:1] == b"{", f"{door.host} answers {status}")
        for method, target, wanted in (
            ("GET", "/", 404),
            ("DELETE", "/metrics", 405),
            ("GET", "/" + "a" * 9000, 414),
        ):
            status, _ = door.ask(method, target)
            report.check(f"{method} {target[:10]} is refused", status == wanted, f"{door.host} answers {status}")

    check_clear_row(row, servers, subject, report, _MAX_BODY, check)
