"""`postern verify`: dials every deployed row and prints what the table declares beside what was seen.

The dialling is `verify.runner`'s; this reads the organization and its secrets, shows progress, prints, and sets the exit status:
0 nothing failed, 1 a row failed, 2 it could not run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from postern.verify.report import RowReport, Verdict

_STYLES = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.NOT_BUILT: "dim",
    Verdict.NOT_DEPLOYED: "yellow",
}


@click.command("verify")
@click.option("--state", "folder", metavar="DIR", help="The state folder of the organization.")
@click.option("--path", "ids", metavar="ID", multiple=True, help="Only this row; may be given again.")
@click.option(
    "--json", "as_json", is_flag=True, help="A list of {id, declared, observed, verdict, detail, mechanisms}."
)
@click.option("--all", "everything", is_flag=True, help="Also list the rows that are not built yet.")
def verify(folder: str | None, ids: Sequence[str], as_json: bool, everything: bool) -> None:
    """Dial every data path from outside and compare what is seen with what is declared."""
    from postern.host.probes import subject
    from postern.verify.runner import failed
    from postern.verify.runner import verify as run

    what = subject(folder)
    unknown = [name for name in ids if name not in what.rows]
    if unknown:
        raise click.ClickException(f"no row is called {unknown[0]!r}; `postern paths` lists them")
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        disable=as_json,
        transient=True,
    ) as bar:
        task = bar.add_task("verify", total=None)
        reports = run(
            what, ids, lambda name, done, total: bar.update(task, description=name, completed=done, total=total)
        )
    if as_json:
        click.echo(json.dumps([report.json() for report in reports], indent=1, ensure_ascii=False))
    else:
        _print(reports, everything or bool(ids))
    sys.exit(1 if failed(reports) else 0)


def _print(reports: Sequence[RowReport], everything: bool) -> None:
    table = Table(title="Data paths: declared and observed", title_justify="left", expand=False)
    for heading in ("Path", "Declared", "Observed", "Verdict"):
        table.add_column(heading, overflow="fold")
    hidden = 0
    for report in reports:
        if report.verdict is Verdict.NOT_BUILT and not everything:
            hidden += 1
            continue
        table.add_row(report.row.id, _declared(report), _observed(report), _verdict(report))
    console = Console()
    console.print(table)
    counts = {verdict: sum(r.verdict is verdict for r in reports) for verdict in Verdict}
    console.print(", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count), highlight=False)
    if hidden:
        console.print(f"{hidden} rows are not built yet; --all lists them and what each waits for.", style="dim")


def _declared(report: RowReport) -> str:
    words = report.row.words
    auth = ", ".join(str(m) for m in report.row.supported_auth) or words.supported_auth
    return f"{words.ports}\n{auth}\n{words.encryption}; encryption {report.row.encryption}"


def _observed(report: RowReport) -> Text:
    text = Text()
    for port in dict.fromkeys(report.ports):
        text.append(port + "  ")
    for mechanism in report.mechanisms:
        seal = f" {mechanism.seal.protocol} {mechanism.seal.cipher}" if mechanism.seal else ""
        text.append(f"\n{mechanism.mechanism}{seal} ")
        text.append(str(mechanism.verdict), style=_STYLES[mechanism.verdict])
        if mechanism.verdict is Verdict.NOT_DEPLOYED:
            text.append(f": {mechanism.detail}", style="dim")
    if report.checks:
        passed = sum(check.passed for check in report.checks)
        text.append(f"\n{passed} of {len(report.checks)} refusals and seals as declared")
    return text


def _verdict(report: RowReport) -> Text:
    text = Text(str(report.verdict), style=_STYLES[report.verdict])
    if report.verdict is not Verdict.PASS and report.detail:
        text.append("\n" + report.detail, style="")
    return text
