"""Checks of the row `metrics`, by Python's own HTTP client: the port tells counts and health, and does nothing else."""

from __future__ import annotations

import http.client
from collections.abc import Sequence

from postern.model.organization import Server
from postern.model.security import Mechanism
from postern.paths.row import Path
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.subject import Subject

TIMEOUT = 10.0
"""Seconds for one answer."""
_MAX_BODY = 16_777_216


def check_metrics_row(row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
    """Asks at each address of the servers. Never raises."""
    [port] = row.ports
    number = subject.organization.port(port.number or 0)
    for host in (address for server in servers for address in server.addresses):
        try:
            status, body = _ask(host, number, "GET", "/metrics")
            told = status == 200 and b"\npostern_up{" in body
            report.check("metrics are told", told, f"{host} answers {status}")
            status, body = _ask(host, number, "GET", "/healthz")
            report.check("health is told", status in (200, 503) and body[:1] == b"{", f"{host} answers {status}")
            for method, target, wanted in (
                ("GET", "/", 404),
                ("DELETE", "/metrics", 405),
                ("GET", "/" + "a" * 9000, 414),
            ):
                status, _ = _ask(host, number, method, target)
                report.check(f"{method} {target[:10]} is refused", status == wanted, f"{host} answers {status}")
        except (OSError, http.client.HTTPException) as error:
            report.check(f"port {number}/TCP answers", False, f"{host}: {type(error).__name__}: {error}")
            continue
        report.mechanism(MechanismReport(Mechanism.ANONYMOUS, Verdict.PASS))
        report.ports.append(f"{port.number}/TCP")
    report.settle()


def _ask(host: str, port: int, method: str, target: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request(method, target)
        response = connection.getresponse()
        return response.status, response.read(_MAX_BODY)
    finally:
        connection.close()
