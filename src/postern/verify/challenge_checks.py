"""Checks of the row `acme-challenge`, by Python's own HTTP client: port 80 answers an authority in clear text, whatever name it
asks for, and gives out nothing else.
"""

from __future__ import annotations

import http.client
import secrets
from collections.abc import Sequence

from postern.model.organization import Server
from postern.model.security import Mechanism
from postern.paths.row import Path
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.subject import Subject

TIMEOUT = 10.0
"""Seconds for one answer."""
PREFIX = "/.well-known/acme-challenge/"
_MAX_BODY = 65_536


def check_challenge_row(row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
    """Asks at each address of the servers for a challenge that does not wait. Never raises."""
    [port] = row.ports
    number = subject.organization.port(port.number or 0)
    for host in (address for server in servers for address in server.addresses):
        token = secrets.token_urlsafe(32)
        try:
            for name in (servers[0].fqdn, "elsewhere.invalid"):
                status, _ = _ask(host, number, "GET", PREFIX + token, name)
                report.check(f"challenges are answered for {name}", status == 404, f"{host} answers {status}")
            for method, target, wanted in (
                ("POST", PREFIX + token, (405,)),
                ("GET", PREFIX + "..%2f..%2fserver.key", (400, 404)),
                ("GET", PREFIX + "%2e%2e/server.key", (301, 302, 307, 308, 400, 404)),
            ):
                status, body = _ask(host, number, method, target, servers[0].fqdn)
                held = status in wanted and b"PRIVATE KEY" not in body
                report.check(
                    f"{method} {target.removeprefix(PREFIX)[:10]} is refused", held, f"{host} answers {status}"
                )
        except (OSError, http.client.HTTPException) as error:
            report.check(f"port {number}/TCP answers", False, f"{host}: {type(error).__name__}: {error}")
            continue
        report.mechanism(MechanismReport(Mechanism.ANONYMOUS, Verdict.PASS))
        report.ports.append(f"{port.number}/TCP")
    report.settle()


def _ask(host: str, port: int, method: str, target: str, name: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request(method, target, headers={"Host": name})
        response = connection.getresponse()
        return response.status, response.read(_MAX_BODY)
    finally:
        connection.close()
