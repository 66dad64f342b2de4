"""Asks the rows that answer anybody by HTTP in clear text, by Python's own client: at each address of their servers."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from postern.model.organization import Server
from postern.model.security import Mechanism
from postern.paths.row import Path
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.subject import Subject

TIMEOUT = 10.0
"""Seconds for one answer."""


@dataclass(frozen=True, slots=True)
class ClearDoor:
    """The port of a row at one address. `max_body` is how many octets of an answer are read."""

    host: str
    port: int
    max_body: int

    def ask(self, method: str, target: str, name: str = "") -> tuple[int, bytes]:
        """Returns the status and body of an answer. `name` stands in Host, "" for the address. Raises OSError,
        http.client.HTTPException."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)
        try:
            connection.request(method, target, headers={"Host": name} if name else {})
            response = connection.getresponse()
            return response.status, response.read(self.max_body)
        finally:
            connection.close()


def check_clear_row(
    row: Path,
    servers: Sequence[Server],
    subject: Subject,
    report: RowReport,
    max_body: int,
    checks: Callable[[ClearDoor], None],
) -> None:
    """Runs `checks` at each address of the servers. Never raises: a port that cannot be reached is a failed check."""
    [port] = row.ports
    number = subject.organization.port(port.number or 0)
    for host in (address for server in servers for address in server.addresses):
        try:
            checks(ClearDoor(host, number, max_body))
        except (OSError, http.client.HTTPException) as error:
            report.check(f"port {number}/TCP answers", False, f"{host}: {type(error).__name__}: {error}")
            continue
        report.mechanism(MechanismReport(Mechanism.ANONYMOUS, Verdict.PASS))
        report.ports.append(f"{port.number}/TCP")
    report.settle()
