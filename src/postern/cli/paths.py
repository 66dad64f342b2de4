"""`postern paths` shows the table, a row in full, a host's firewall, the map, and the connections that were observed.

It reads the settled rows; for a firewall, observations or the organization's profile, also the state folder. It decides nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.padding import Padding
from rich.table import Table as Grid

from postern.cli.console import UNBOUNDED, Console, Text
from postern.cli.failures import Failure, failure
from postern.cli.paths_map import paths_map
from postern.cli.paths_page import CELLS, HEADINGS, cells, differences, document, enforcement, why
from postern.cli.state_folder import existing, state_option
from postern.cli.terminal import day, echo, echo_json, echo_page, json_moment, json_option, moment, print_table
from postern.model.organization import Organization, Profile, StateFolder
from postern.model.security import Encryption
from postern.model.words import counted
from postern.paths.row import Party, Path, Table
from postern.paths.table import TABLE, deviations, no_row, settle
from postern.telemetry.observed import KEPT, Observation, read

_PROFILES = click.Choice([profile.value for profile in Profile])
_STYLES = {Encryption.REQUIRED: "green", Encryption.OFFERED: "yellow", Encryption.NEVER: "red"}
_MEANINGS = {
    Encryption.REQUIRED: " (clear text is refused), ",
    Encryption.OFFERED: " (to strangers, who may decline) or ",
    Encryption.NEVER: " there.",
}
WIDE = 120
"""From this many columns on, caller and callee have a column of their own."""


@click.group("paths", invoke_without_command=True)
@click.option(
    "--role",
    type=click.Choice([party.value for party in Party]),
    metavar="ROLE",
    help="Only rows with this role, or another party, as caller or callee.",
)
@click.option(
    "--profile",
    type=_PROFILES,
    help="As this profile settles them; by default the organization's profile, else reference.",
)
@click.option("--against", type=_PROFILES, help="Only what differs from this profile, with the reasons.")
@state_option
@json_option
@click.pass_context
def paths(
    context: click.Context,
    role: str | None,
    profile: str | None,
    against: str | None,
    state_dir: str | None,
    as_json: bool,
) -> None:
    """Show the data paths: caller and callee, ports, authentication, encryption.

    For example `postern paths --profile practical --against reference`.
    """
    if context.invoked_subcommand is not None:
        return
    chosen = Profile(profile) if profile else _profile(state_dir)
    if against:
        pairs = [(row, other) for row, other in deviations(chosen, Profile(against)) if _has(row, role)]
        _print_deviations(pairs, chosen, Profile(against), as_json)
        return
    rows = [row for row in settle(chosen).values() if _has(row, role)]
    if as_json:
        echo_json([cells(row) for row in rows])
    else:
        _print_table(rows, chosen)


@paths.command(short_help="Show a row in full.")
@click.argument("row_id", metavar="ID")
@json_option
def show(row_id: str, as_json: bool) -> None:
    """Show a row in full: its cells, what each profile makes of it and why, and how it is enforced.

    For example `postern paths show imap4`.
    """
    if row_id not in TABLE:
        raise Failure(no_row(row_id), os.EX_USAGE)
    settled = {profile: settle(profile)[row_id] for profile in Profile}
    if as_json:
        whole: dict[str, Any] = cells(TABLE[row_id])
        whole["notes"] = TABLE[row_id].notes
        whole["profiles"] = {
            profile.value: cells(row)
            | {"asks": row.encryption.value, "reasons": list(row.reasons), "enforced": enforcement(row)}
            for profile, row in settled.items()
        }
        whole["waits_for"] = TABLE[row_id].waits
        echo_json(whole)
    else:
        _print_row(settled)


@paths.command(short_help="Print a host's nftables ruleset.")
@click.option("--host", required=True, metavar="NAME", help="A server or host of `postern.toml`.")
@state_option
def firewall(host: str, state_dir: str | None) -> None:
    """Print the nftables ruleset of a host: default deny in and out, only its rows, only between the right peers.

    For example `postern paths firewall --host server1`.
    """
    from postern.paths.firewall import ruleset
    from postern.paths.places import standings

    organization = _organization(state_dir)
    names = [standing.name for standing in standings(organization)]
    if host not in names:
        raise Failure(f'no server or host is called "{host}": the organization has {", ".join(names)}', os.EX_NOUSER)
    echo_page(ruleset(organization, host))


@paths.command(short_help="Show the connections that were observed.")
@state_option
@json_option
def observed(state_dir: str | None, as_json: bool) -> None:
    """Show the connections that were observed: path, peer, mechanism, cipher, how often, when first and last; and sockets
    that fit no row.

    For example `postern paths observed`.
    """
    folder = existing(state_dir)
    seen = read(folder.observed, time.time() - KEPT)
    if as_json:
        moments = ("first_seen", "last_seen")
        echo_json([asdict(each) | {name: json_moment(getattr(each, name)) for name in moments} for each in seen])
        return
    _print_observed(seen)
    _print_alarms(folder)


@paths.command(short_help="Print the page docs/paths.md.")
def docs() -> None:
    """Print the page docs/paths.md.

    For example `postern paths docs`.
    """
    echo_page(document())


paths.add_command(paths_map)


# What the organization says


def _state(state_dir: str | None) -> StateFolder:
    from postern.host.state import find

    return find(state_dir)


def _organization(state_dir: str | None) -> Organization:
    from postern.host.configuration import ConfigurationError, load

    try:
        return load(_state(state_dir))
    except ConfigurationError as error:
        raise failure(error) from None


def _profile(state_dir: str | None) -> Profile:
    """Returns the organization's profile; the reference where there is no organization. A folder that was named must hold one."""
    from postern.host.configuration import path

    there = path(_state(state_dir))
    try:
        known = there.exists()
    except OSError:
        known = False
    return _organization(state_dir).profile if state_dir or known else Profile.REFERENCE


def _has(row: Path, role: str | None) -> bool:
    return role is None or role in (*row.caller, row.callee)


# How it looks


def _grid(*headings: str, title: str) -> Grid:
    grid = Grid(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1), pad_edge=False)
    for heading in headings:
        grid.add_column(heading, overflow="fold", header_style="bold dim")
    return grid


def _id(row_id: str) -> Text:
    return Text(row_id, style="bold cyan")


def _ends(row: Path) -> str:
    return f"{', '.join(row.caller)} → {row.callee}"


def _lines(cell: str) -> Text:
    """Returns a cell with its parts under each other."""
    first, *further = cell.split("; ")
    text = Text(first)
    for part in further:
        text.under(part)
    return text


def _sealed(row: Path) -> Text:
    return Text(row.cells.encryption, style=_STYLES[row.encryption]).under(str(row.encryption), style="dim")


def _print_table(rows: Sequence[Path], profile: Profile) -> None:
    console = Console()
    wide = console.width >= WIDE
    for table in Table:
        these = [row for row in rows if row.table is table]
        if not these:
            continue
        headings = ("Path", *(("Caller → callee",) if wide else ()), "Ports", "Authentication", "Encryption")
        grid = _grid(*headings, title=f"{HEADINGS[table]} ({len(these)})")
        widths = (40, 30, 24, 24, 14) if wide else (27, 16, 18, 12)
        for column, width in zip(grid.columns, widths, strict=True):
            column.ratio = width
        grid.expand = console.width < UNBOUNDED
        for row in these:
            mark = " °" if row.waits else ""
            first = _id(row.id).append(mark, style="not bold default").under(row.name, style="not bold default")
            if not wide:
                first.under(_ends(row), style="not bold dim default")
            who = (_ends(row),) if wide else ()
            grid.add_row(first, *who, _lines(row.cells.ports), _proven(row), _sealed(row))
            grid.add_row()
        console.print(grid)
    waiting = sum(bool(row.waits) for row in rows)
    legend = Text(f"{counted(len(rows), 'path')} under the profile {profile}. Encryption is ")
    for encryption, meaning in _MEANINGS.items():
        legend.append(str(encryption), style=_STYLES[encryption]).append(meaning)
    if waiting:
        legend.append(f" ° marks {waiting} that are not built yet.")
    console.print(legend.append(" `postern paths show ID` shows a row in full."))


def _print_observed(seen: Sequence[Observation]) -> None:
    """Prints a line for each observation. On a narrow terminal the peer stands below its path, and the seal below the proof."""
    wide = Console().width >= WIDE
    order = list(TABLE)
    rows: list[Sequence[str | Text]] = []
    for each in sorted(
        seen, key=lambda each: (order.index(each.path) if each.path in TABLE else len(order), each.peer)
    ):
        sealed, last = f"{each.seal} {each.cipher.removeprefix('TLS_')}".rstrip(), moment(each.last_seen)
        if wide:
            rows.append((each.path, each.peer, each.mechanism, sealed, str(each.count), day(each.first_seen), last))
            continue
        style = "red" if each.seal == "none" else "green"
        proven = Text(each.mechanism).under(sealed, style=style)
        rows.append((_id(each.path).under(each.peer, "not bold default"), proven, str(each.count), last))
    columns: tuple[str, ...] = ("path", "proof, seal", "count", "last seen")
    if wide:
        columns = ("path", "peer", "mechanism", "seal", "count", "first seen", "last seen")
    print_table(
        columns, rows, "no observation yet: no connection of a running organization has authenticated or carried mail"
    )


def _print_alarms(folder: StateFolder) -> None:
    """Prints sockets of the kernel's tables that no row allows. They go to standard error, for they are no observations."""
    from postern.host.supervision import watch

    for alarm in watch.read(folder):
        line = f"ALARM {moment(alarm.time)} no row for {alarm.socket}: {alarm.process}, process {alarm.pid}"
        echo(line, fg="red", err=True)


def _proven(row: Path) -> Text:
    text = Text(row.cells.default_auth)
    further = [mechanism for mechanism in row.supported_auth if mechanism not in row.default_auth]
    return text.under(f"also {', '.join(further)}", style="dim") if further else text


def _print_deviations(pairs: Sequence[tuple[Path, Path]], profile: Profile, against: Profile, as_json: bool) -> None:
    if as_json:
        echo_json([cells(row) | {"against": cells(other), "reasons": why(row, other)} for row, other in pairs])
        return
    console = Console()
    if not pairs:
        console.print(f"{profile} and {against} do not differ here", highlight=False)
        return
    console.print(Text(f"Rows that differ in {profile} from {against}: {len(pairs)}", style="bold"))
    for row, other in pairs:
        grid = _cells()
        for heading, was, now in differences(row, other):
            grid.add_row(heading, Text(was, style="dim").append(" → ").append(now, style="not dim default"))
        for reason in why(row, other):
            grid.add_row("Because", Text(reason, style="italic"))
        console.print()
        console.print(_id(row.id), "  ", row.name, sep="")
        console.print(Padding(grid, (0, 0, 0, 2), expand=False))


def _cells() -> Grid:
    """Returns a grid with headings on the left and values on the right."""
    grid = Grid(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _print_row(settled: dict[Profile, Path]) -> None:
    console = Console()
    row = settled[Profile.REFERENCE]
    console.print(_id(row.id).append(f"  {row.name}", style="not cyan default"))
    console.print(f"{_ends(row)}; {HEADINGS[row.table]}", highlight=False)
    if row.notes:
        console.print(Text(row.notes, style="italic"))
    if row.waits:
        console.print(Text(f"Not built yet: {row.waits}.", style="yellow"))
    former: Path | None = None
    for profile, settling in settled.items():
        console.print()
        if former is not None and cells(settling) == cells(former) and settling.reasons == former.reasons:
            console.print(Text(f"{profile}: the same.", style="bold"))
            continue
        former = settling
        console.print(Text(str(profile), style="bold"))
        console.print(Padding(_described(settling), (0, 0, 0, 2), expand=False))


def _described(row: Path) -> Grid:
    grid = _cells()
    for key, heading in CELLS.items():
        grid.add_row(heading, str(cells(row)[key]))
    for reason in row.reasons:
        grid.add_row("Because", Text(reason, style="italic"))
    for index, line in enumerate(enforcement(row)):
        grid.add_row("Enforced" if index == 0 else "", line)
    return grid
