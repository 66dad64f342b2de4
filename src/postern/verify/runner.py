"""Runs the probes of every deployed row, one after another, and tells how far it is.

Reads the organization, the settled table and the probe account's password; writes nothing. Wrong passwords are tried on the
probe account alone, which the server's back-off counts apart from every other account.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable

from postern.model.organization import Server
from postern.model.security import Mechanism
from postern.net.tls import opportunistic_context, validating_context
from postern.paths.deployment import closed
from postern.paths.row import Path, Port, Tls, Wire
from postern.verify.ad_checks import AD_ROWS
from postern.verify.direct_trust_checks import DIRECT_TRUST_ROWS
from postern.verify.edge_directory_checks import EDGE_DIRECTORY_ROWS
from postern.verify.engine_checks import ENGINE_ROWS
from postern.verify.internet_checks import check_internet_row
from postern.verify.mail_checks import Setting, check_mail_row
from postern.verify.mail_probe import ImapConnection, Pop3Connection, ProbeConnection, SmtpConnection
from postern.verify.plan import targets, verdict_without_probe, waiting_mechanisms
from postern.verify.report import RowReport, Verdict
from postern.verify.rpc_checks import RPC_ROWS, check_rpc_row
from postern.verify.stranger import stranger_context
from postern.verify.subject import Subject

Progress = Callable[[str, int, int], None]
"""Called before each row with its id, how many are done, and how many there are."""

_CLIENTS: dict[str, Callable[[str, int, ssl.SSLContext | None, str], ProbeConnection]] = {
    "internet-to-hub": SmtpConnection,
    "edge-to-edge": SmtpConnection,
    "client-to-hub-smtp": SmtpConnection,
    "hub-to-hub": SmtpConnection,
    "imap4": ImapConnection,
    "pop3": Pop3Connection,
}
_FROM_STRANGERS = ("internet-to-hub", "edge-to-edge")


def verify(subject: Subject, ids: Iterable[str] = (), progress: Progress | None = None) -> list[RowReport]:
    """Reports for the rows named by `ids`, or for all. Raises KeyError for an id that no row has."""
    rows = [subject.rows[name] for name in ids] or list(subject.rows.values())
    reports = []
    for done, row in enumerate(rows):
        if progress is not None:
            progress(row.id, done, len(rows))
        reports.append(_verify_row(subject, row))
    return reports


def _verify_row(subject: Subject, row: Path) -> RowReport:
    report = RowReport(row)
    waiting = verdict_without_probe(row, subject.organization, subject.here)
    if waiting is not None:
        report.verdict, report.detail = waiting
        return report
    try:
        _dial(subject, row, report)
    except Exception as error:  # a defect in one row's probe must not hide what the others saw
        report.check("the probe itself works", False, f"{type(error).__name__}: {error}")
        report.settle()
    return report


def _dial(subject: Subject, row: Path, report: RowReport) -> None:
    for probes in (ENGINE_ROWS, DIRECT_TRUST_ROWS, EDGE_DIRECTORY_ROWS, AD_ROWS):
        if row.id in probes:
            return probes[row.id](row, subject, report)
    if row.id in RPC_ROWS:
        return check_rpc_row(row, subject, report)
    for server in targets(row, subject.organization, subject.here):
        setting = _setting(subject, row, server)
        ports = [port for port in row.ports if port.wire is Wire.TCP and port.tls is not Tls.NONE]
        if row.id in _FROM_STRANGERS:
            check_internet_row(ports, setting, report)
        else:
            check_mail_row(row, ports, setting, report)


def _setting(subject: Subject, row: Path, server: Server) -> Setting:
    organization, client = subject.organization, _CLIENTS[row.id]

    def connect(port: Port, context: ssl.SSLContext | None) -> ProbeConnection:
        assert port.number is not None
        return client(server.addresses[0], organization.port(port.number), context, server.fqdn)

    # Another host's certificate is signed by an authority of its own; to servers it proves itself by its ticket (hub-to-hub).
    own = server.name == subject.here.name
    return Setting(
        connect=connect,
        validating=validating_context(subject.authority) if own else opportunistic_context(),
        stranger=stranger_context(subject.authority if own else None, subject.probe.name),
        credentials=subject.machine if row.id == "hub-to-hub" else subject.probe,
        waiting=waiting_mechanisms(organization, subject.enabled),
        host_name=server.fqdn,
        beside=_beside(subject, row),
    )


def _beside(subject: Subject, row: Path) -> dict[int, frozenset[Mechanism]]:
    """By port number, the mechanisms of the other rows that the same door answers for in this organization."""
    found: dict[int, frozenset[Mechanism]] = {}
    for other in subject.rows.values():
        if other.id == row.id or other.callee is not row.callee:
            continue
        if closed(subject.organization, other):
            continue
        for number in {port.number for port in other.ports if port.number is not None}:
            found[number] = found.get(number, frozenset()) | frozenset(other.supported_auth)
    return found


def failed(reports: Iterable[RowReport]) -> bool:
    """Whether monitoring should raise the alarm."""
    return any(report.verdict is Verdict.FAIL for report in reports)
