"""`postern verify` dials every deployed row and prints what the table declares beside what was seen.

`verify.runner` dials; this module reads the organization and its secrets, shows progress, prints, and sets the exit status.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from postern.cli.console import Console, Text
from postern.cli.failures import FOUND_WRONG, Failure
from postern.cli.state_folder import named, refuse_without_rights
from postern.cli.terminal import echo, echo_json, json_option
from postern.paths.row import Path
from postern.paths.table import no_row
from postern.verify.report import MechanismReport, RowReport, Verdict

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.NOT_BUILT: "dim",
    Verdict.NOT_DEPLOYED: "yellow",
    Verdict.ELSEWHERE: "cyan",
}


# The option is not called state_dir as elsewhere: root tries the unix sockets as nobody before it becomes the folder's owner.
@click.command("verify")
@click.option("--state", "folder", metavar="DIR", callback=named, help="The state folder of the organization.")
@click.option("--path", "ids", metavar="ID", multiple=True, help="Only this row; may be repeated.")
@json_option
@click.option(
    "--tell", is_flag=True, hidden=True, help="With --json, a line `row DONE OF ID` on stderr before each row."
)
@click.option("--all", "everything", is_flag=True, help="List the rows that are not built, too.")
def verify(folder: str | None, ids: Sequence[str], as_json: bool, tell: bool, everything: bool) -> None:
    """Dial every data path from outside and compare what is seen with what is declared.

    For example `postern verify --path imap4`.

    The exit status is 0 if nothing failed, 1 if a row failed.
    """
    if os.geteuid() != 0:
        refuse_without_rights(folder)
    from postern.host import probes
    from postern.telemetry.log import configure
    from postern.verify.runner import failed
    from postern.verify.runner import verify as run

    configure("verify", None, "critical")  # the probes provoke what others would log
    subject = probes.subject(folder)
    unknown = [name for name in ids if name not in subject.rows]
    if unknown:
        raise Failure(no_row(unknown[0]), os.EX_USAGE)
    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        disable=as_json,
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)

        def progress(name: str, done: int, total: int) -> None:
            bar.update(task, description=name, completed=done, total=total)
            if tell:
                echo(f"row {done} {total} {name}", err=True)

        reports = run(subject, ids, progress)
    if as_json:
        echo_json([report.json() for report in reports])
    else:
        _print(Console(highlight=False), reports, everything or bool(ids))
    sys.exit(FOUND_WRONG if failed(reports) else 0)


def _print(console: Console, reports: Sequence[RowReport], everything: bool) -> None:
    asked = [report for report in reports if report.mechanisms or report.checks]
    if asked:
        console.print(_seen(asked))
    others = [report for report in reports if report not in asked]
    shown = [report for report in others if everything or report.verdict is not Verdict.NOT_BUILT]
    if shown:
        console.print(_waiting(shown))
    for report in reports:
        if report.verdict is Verdict.FAIL:
            console.print(Text(f"{report.row.id} failed:", style="bold red"))
            for reason in report.failures():
                console.print(f"  · {reason}", markup=False)
    counts = {verdict: sum(report.verdict is verdict for report in reports) for verdict in Verdict}
    totals = [Text(f"{count} {verdict}", style=_STYLES[verdict]) for verdict, count in counts.items() if count]
    console.print(Text(", ").join(totals))
    if len(shown) < len(others):
        console.print("--all also lists the rows that are not built, and what each waits for.", style="dim")


def _seen(reports: Sequence[RowReport]) -> Table:
    """Returns a table with a section for each row: its ports, a line for each mechanism, and how many refusals held."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Path and mechanism", overflow="fold", width=25)
    table.add_column("Declared", overflow="fold")
    table.add_column("Observed", overflow="fold", min_width=18)
    table.add_column("Verdict", no_wrap=True, width=12)
    for report in reports:
        row = report.row
        ports = ", ".join(dict.fromkeys(report.ports))
        table.add_row(Text(row.id, style="bold"), row.cells.ports, ports, _verdict(report.verdict, strong=True))
        for mechanism in report.mechanisms:
            table.add_row(
                f"  {mechanism.mechanism}", _asked(row, mechanism), _observed(mechanism), _verdict(mechanism.verdict)
            )
        if report.checks:
            held = sum(check.passed for check in report.checks)
            verdict = Verdict.PASS if held == len(report.checks) else Verdict.FAIL
            table.add_row(
                "  everything else", "refused", f"{held} of {len(report.checks)} as declared", _verdict(verdict)
            )
        table.add_section()
    return table


def _asked(row: Path, report: MechanismReport) -> str:
    """Returns what the table says of a mechanism: whether a caller tries it first, and what must seal it."""
    place = "default" if report.mechanism in row.default_auth else "supported"
    seal = f"{row.cells.encryption} {row.encryption}" if row.encryption.value != "never" else "not encrypted"
    return f"{place}; {seal}"


def _observed(report: MechanismReport) -> Text:
    if report.seal is not None:
        cipher = report.seal.cipher.removeprefix("TLS_")
        return Text(f"{report.seal.protocol} {cipher}")
    return Text(report.detail, style="dim" if report.verdict is not Verdict.FAIL else "red")


def _verdict(verdict: Verdict, strong: bool = False) -> Text:
    return Text(str(verdict), style=f"bold {_STYLES[verdict]}" if strong else _STYLES[verdict])


def _waiting(reports: Sequence[RowReport]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Not dialled", width=25, overflow="fold")
    table.add_column("Why", overflow="fold")
    table.add_column("Verdict", no_wrap=True, width=12)
    for report in reports:
        table.add_row(report.row.id, report.detail, _verdict(report.verdict))
    return table
