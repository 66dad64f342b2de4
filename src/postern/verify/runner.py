"""Runs the probes of every deployed row, one after another, and reports its progress.

Reads the organization, the settled table and the probe account's password; writes nothing. Wrong passwords are tried on the
probe account alone, which the server's back-off counts apart from every other account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from postern.paths.row import Path
from postern.verify.plan import targets, verdict_without_probe
from postern.verify.probes import PROBES
from postern.verify.report import RowReport, Verdict
from postern.verify.subject import Subject

Progress = Callable[[str, int, int], None]
"""Called before each row with its id, how many are done, and how many there are."""


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
        dial(row, subject, report)
    except Exception as error:  # a defect in one row's probe must not hide what the others saw
        report.check("the probe itself works", False, f"{type(error).__name__}: {error}")
        report.settle()
    return report


def dial(row: Path, subject: Subject, report: RowReport) -> None:
    """Runs the probe of a row that has one, towards every server that this host dials on it."""
    run = PROBES[row.id].run
    assert run is not None, row.id
    run(row, targets(row, subject.organization, subject.here), subject, report)


def failed(reports: Iterable[RowReport]) -> bool:
    """Whether monitoring should raise the alarm."""
    return any(report.verdict is Verdict.FAIL for report in reports)
