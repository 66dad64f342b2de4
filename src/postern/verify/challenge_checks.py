"""Checks of the row `acme-challenge`: port 80 answers an authority in clear text, whatever name it asks for, and gives out
nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from postern.model.organization import Server
from postern.paths.row import Path
from postern.verify.clear_http import ClearDoor, check_clear_row
from postern.verify.report import RowReport
from postern.verify.subject import Subject

PREFIX = "/.well-known/acme-challenge/"
_MAX_BODY = 65_536


def check_challenge_row(row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
    """Asks at each address of the servers for a challenge that does not wait. Never raises."""

    def check(door: ClearDoor) -> None:
        token, own = secrets.token_urlsafe(32), servers[0].fqdn
        for name in (own, "elsewhere.invalid"):
            status, _ = door.ask("GET", PREFIX + token, name)
            report.check(f"challenges are answered for {name}", status == 404, f"{door.host} answers {status}")
        for method, target, wanted in (
            ("POST", PREFIX + token, (405,)),
            ("GET", PREFIX + "..%2f..%2fserver.key", (400, 404)),
            ("GET", PREFIX + "%2e%2e/server.key", (301, 302, 307, 308, 400, 404)),
        ):
            status, body = door.ask(method, target, own)
            held = status in wanted and b"PRIVATE KEY" not in body
            name = f"{method} {target.removeprefix(PREFIX)[:10]} is refused"
            report.check(name, held, f"{door.host} answers {status}")

    check_clear_row(row, servers, subject, report, _MAX_BODY, check)
