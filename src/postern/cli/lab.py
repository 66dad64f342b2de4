"""`postern lab`: a whole organization of several hosts on this machine, to rehearse, to train, to prove a firewall.

The lab layer does the work; this module prints. `up` shows each step as it runs, with its seconds.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from postern.cli.terminal import checking, echo, echo_json, json_option, print_table
from postern.model.organization import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from postern.lab.status import HostStatus
    from postern.lab.steps import Progress

_NAME = click.option(
    "--name", default="lab", show_default=True, metavar="LAB", help="Which lab; several do not collide."
)

_WIDE = 120
"""From this many columns on, what a host is has a column of its own."""


@click.group("lab")
def lab() -> None:
    """A whole organization on this machine: Active Directory, hubs, mailbox, client access, an edge, and the internet.

    Each host is a set of Linux namespaces with its own addresses, names, files and firewall. Nothing of it is visible
    outside but processes, and a folder in /var/lib/postern-lab. It needs root.
    """


@lab.command()
@_NAME
@click.option(
    "--profile",
    type=click.Choice([one.value for one in Profile]),
    default=Profile.PRACTICAL.value,
    show_default=True,
    help="What its paths ask for: see `postern paths --profile`.",
)
@click.option("--bare", is_flag=True, help="Only the hosts and their networks; nothing runs on them.")
@click.option("--no-servers", is_flag=True, help="State folders, but no postern: to start them is the exercise.")
@click.option("--no-firewalls", is_flag=True, help="Let everything reach everything.")
@json_option
def up(name: str, profile: str, bare: bool, no_servers: bool, no_firewalls: bool, as_json: bool) -> None:
    """Build the lab and leave it running."""
    from postern.lab import build
    from postern.lab.folder import Folder

    begin, seconds = time.monotonic(), {}
    show = _Steps(quiet=as_json)

    def tell(progress: Progress) -> None:
        if progress.seconds is not None:
            seconds[progress.step] = round(progress.seconds, 2)
        show.tell(progress)

    with show:
        build.up(Folder(name), build.Wanted(Profile(profile), bare, not no_servers, not no_firewalls), tell)
    whole = round(time.monotonic() - begin, 1)
    if as_json:
        echo_json({"name": name, "seconds": whole, "steps": seconds})
        return
    _print_ready(name, whole, bare)


@lab.command()
@_NAME
@json_option
def status(name: str, as_json: bool) -> None:
    """Hosts, processes, open doors, and what the firewalls dropped."""
    from postern.lab import build
    from postern.lab.folder import Folder
    from postern.lab.status import status as looked_at

    build.check(whole=False)
    hosts = looked_at(Folder(name))
    if as_json:
        echo_json({"name": name, "hosts": [asdict(one) for one in hosts]})
    else:
        _print_status(hosts)


@lab.command()
@_NAME
@click.option("--path", "rows", multiple=True, metavar="ROW", help="Only this row; may be repeated.")
@click.option("--doors", is_flag=True, help="Only knock at the doors; dial nothing in full.")
@click.option("--explain", is_flag=True, help="Say of each ◐ and ◔ for which other rows the door is open.")
@json_option
def verify(name: str, rows: tuple[str, ...], doors: bool, explain: bool, as_json: bool) -> None:
    """Prove that each path passes from the right hosts and fails from all others.

    Knocks at every door from every host, then dials every path in full from those who may.

    The exit status is 0 if it holds; 1 if a cell is wrong, a path is not proven, or a host dropped packets that no knock of
    this proof explains; 2 if it could not run.
    """
    from postern.cli.lab_proof import print_proof
    from postern.lab import build, proof
    from postern.lab.folder import Folder

    with checking():
        build.check(whole=False)
        with _Hosts(quiet=as_json or doors) as show:
            found = proof.verify(Folder(name), rows, not doors, show.tell)
    if as_json:
        echo_json(asdict(found) | {"holds": found.holds})
    else:
        print_proof(found, explain)
    if not found.holds:
        raise click.exceptions.Exit(1)


@lab.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_NAME
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(name: str, host: str, command: tuple[str, ...]) -> None:
    """A shell on HOST, or one COMMAND there: root, its addresses, names and files, and postern with its state folder.

    For example `postern lab shell hub1 postern queue list`.
    """
    from postern.lab import build
    from postern.lab.entrance import words
    from postern.lab.folder import Folder

    build.check(whole=False)
    program, environment = words(Folder(name), host, command, os.environ)
    sys.stdout.flush()
    os.execvpe(program[0], program, environment)  # noqa: S606 (no shell between; this process becomes the other)


@lab.command()
@_NAME
@click.argument("path")
@click.option("--output", type=click.Path(path_type=Path), help="The pcap file; PATH.pcap otherwise.")
@click.option("--seconds", type=click.FloatRange(0.1), help="How long; until Ctrl-C otherwise.")
def capture(name: str, path: str, output: Path | None, seconds: float | None) -> None:
    """Write the packets of one data path, such as hub-to-hub, to a file for Wireshark."""
    from postern.lab import build, organization
    from postern.lab import capture as taking
    from postern.lab.folder import Folder
    from postern.lab.plan import MACHINES

    build.check(whole=False)
    folder = Folder(name)
    where = taking.taps(organization.inside(folder), path, MACHINES)
    place = output or Path(f"{path}.pcap")

    def ready() -> None:
        echo(f"Listening on {', '.join(f'{one.host} ({one.interface})' for one in where)}; Ctrl-C ends it.", err=True)

    count = taking.capture(folder, where, place, lambda: taking.until_told(seconds, ready))
    echo(f"{count} packets of {path} in {place}")


@lab.command()
@_NAME
def down(name: str) -> None:
    """End the lab: every process, and every file."""
    from postern.lab import build
    from postern.lab.folder import Folder

    if build.down(Folder(name)):
        echo(f"The lab {name} is gone.")
    else:
        echo(f"There is no lab {name}.")


# How it looks


class _Steps:
    """On a terminal, the running steps with their seconds below those that ended; otherwise a line for each that ended."""

    def __init__(self, quiet: bool) -> None:
        from rich.progress import Progress as Display
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        from postern.cli.console import Console

        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        self._display = Display(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, object] = {}

    def __enter__(self) -> _Steps:
        self._display.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._display.stop()

    def tell(self, progress: Progress) -> None:
        if progress.seconds is None:
            self._tasks[progress.step] = self._display.add_task(progress.step, total=None)
            return
        self._display.remove_task(self._tasks.pop(progress.step))  # type: ignore[arg-type]  # rich's TaskID is an int
        self._console.print(f"  [green]✓[/green] {progress.step:34}{progress.seconds:6.1f} s")


class _Hosts:
    """While the rows are dialled: each host that is at it, and how many of its rows are done. On a terminal only."""

    def __init__(self, quiet: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Display

        from postern.cli.console import Console

        self._display = Display(
            TextColumn("{task.description:8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("rows"),
            console=Console(stderr=True),
            disable=quiet,
            transient=True,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> _Hosts:
        self._display.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._display.stop()

    def tell(self, host: str, done: int, total: int) -> None:
        if host not in self._tasks:
            self._tasks[host] = self._display.add_task(host, total=total)
        # The last row is told when it begins.
        self._display.update(self._tasks[host], completed=done + (done == total - 1))


def _print_ready(name: str, seconds: float, bare: bool) -> None:
    """What to know, and lines to copy: each works as it stands."""
    from postern.lab.plan import ADMIN_PASSWORD, ADMINISTRATOR, DOMAIN, OTHER_DOMAIN, PASSWORD, PEOPLE, STRANGERS

    given = "" if name == "lab" else f" --name {name}"
    echo(f"The lab {name} is up after {seconds} s.", fg="green", bold=True)
    if not bare:
        echo(f"  In {DOMAIN}: {', '.join(one.name for one in PEOPLE)}, password {PASSWORD}")
        echo(f"  Its administrator: {ADMINISTRATOR}, password {ADMIN_PASSWORD}")
        echo(f"  In {OTHER_DOMAIN}: {', '.join(STRANGERS)} (maildirs on internet1)")
    echo("Next:")
    lines = ("status", "shell", "down") if bare else ("status", "verify", "shell", "down")
    for line in lines:
        echo(f"  postern lab {line}{given}{' client1' if line == 'shell' else ''}", bold=True)


def _print_status(hosts: Sequence[HostStatus]) -> None:
    """On a narrow terminal what a host is stands below its name, so that its doors have room."""
    from postern.cli.console import Console, Text

    wide = Console().width >= _WIDE
    rows: list[Sequence[str | Text]] = []
    for one in hosts:
        facts = (
            one.address,
            str(len(one.processes)) if one.running else "off",
            "" if not one.running else str(one.dropped) if one.firewall else "no firewall",
            ", ".join(_doors(one.doors)) if one.running else "",
        )
        name: tuple[str | Text, ...] = (one.name, one.what) if wide else (Text(one.name).under(one.what, "dim"),)
        rows.append((*name, *facts))
    columns = ("host", *(("what",) if wide else ()), "address", "processes", "dropped", "doors")
    print_table(columns, rows, "The lab has no hosts.")


def _doors(doors: Sequence[str]) -> Iterator[str]:
    """TCP ports as numbers; UDP ones are said to be."""
    for door in doors:
        wire, _, number = door.partition(" ")
        yield number if wire == "TCP" else f"{number}/udp"
