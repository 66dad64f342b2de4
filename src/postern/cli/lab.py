"""`postern lab` builds a whole organization of several hosts on this machine, to rehearse, to train, to prove a firewall.

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

from postern.cli.failures import FOUND_WRONG
from postern.cli.terminal import echo, echo_json, json_option, print_table
from postern.model.organization import Profile
from postern.model.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from postern.lab.status import HostStatus
    from postern.lab.steps import Progress

_NAME = click.option(
    "--name", default="lab", show_default=True, metavar="LAB", help="The name of the lab; several can run at once."
)

_WIDE = 120
"""From this many columns on, the table says in a column of its own what a host is."""


@click.group("lab")
def lab() -> None:
    """Build a whole organization on this machine: Active Directory, hubs, mailbox, client access, an edge, and the internet.

    Each host is a set of Linux namespaces with its own addresses, names, files and firewall. Of all that, only
    processes and a folder in /var/lib/postern-lab are visible outside. It needs root.
    """


@lab.command()
@_NAME
@click.option(
    "--profile",
    type=click.Choice([each.value for each in Profile]),
    default=Profile.PRACTICAL.value,
    show_default=True,
    help="The profile of its paths; `postern paths --profile` shows each.",
)
@click.option("--bare", is_flag=True, help="Make only the hosts and their networks; nothing runs on them.")
@click.option(
    "--no-servers", is_flag=True, help="Make state folders, and start no postern: to start them is the exercise."
)
@click.option("--no-firewalls", is_flag=True, help="Let everything reach everything.")
@json_option
def up(name: str, profile: str, bare: bool, no_servers: bool, no_firewalls: bool, as_json: bool) -> None:
    """Build the lab and leave it running.

    For example `postern lab up --profile hardened`.
    """
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
        steps = [{"step": step, "seconds": taken} for step, taken in seconds.items()]
        echo_json({"lab": name, "seconds": whole, "steps": steps})
        return
    _print_ready(name, whole, bare)


@lab.command()
@_NAME
@json_option
def status(name: str, as_json: bool) -> None:
    """Show hosts, processes, open doors, and what the firewalls dropped.

    For example `postern lab status`.
    """
    from postern.lab import build
    from postern.lab.folder import Folder
    from postern.lab.status import status as looked_at

    build.check(whole=False)
    hosts = looked_at(Folder(name))
    if as_json:
        echo_json({"lab": name, "hosts": [asdict(host) for host in hosts]})
    else:
        _print_status(hosts)


@lab.command()
@_NAME
@click.option("--path", "rows", multiple=True, metavar="ROW", help="Only this row; may be repeated.")
@click.option("--doors", is_flag=True, help="Only knock at the doors, and dial nothing in full.")
@click.option("--explain", is_flag=True, help="Say for each ◐ and ◔ for which other rows the door is open.")
@json_option
def verify(name: str, rows: tuple[str, ...], doors: bool, explain: bool, as_json: bool) -> None:
    """Prove that each path passes from the right hosts and fails from all others.

    It knocks at every door from every host, then dials every path in full from the hosts that may.

    For example `postern lab verify --path imap4`.

    The exit status is 0 if it holds; 1 if a cell is wrong, a path is not proven, or a host dropped packets that no knock of
    this proof explains.
    """
    from postern.cli.lab_proof import print_proof
    from postern.lab import build, proof
    from postern.lab.folder import Folder

    build.check(whole=False)
    with _Hosts(quiet=as_json or doors) as show:
        outcome = proof.verify(Folder(name), rows, not doors, show.tell)
    if as_json:
        echo_json(asdict(outcome) | {"holds": outcome.holds})
    else:
        print_proof(outcome, explain)
    if not outcome.holds:
        raise click.exceptions.Exit(FOUND_WRONG)


@lab.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_NAME
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(name: str, host: str, command: tuple[str, ...]) -> None:
    """Run a shell on HOST, or one COMMAND: as root, with its addresses, names and files, and postern with its state folder.

    For example `postern lab shell hub1 postern queue list`.
    """
    from postern.lab import build
    from postern.lab.entrance import words as command_line
    from postern.lab.folder import Folder

    build.check(whole=False)
    program, environment = command_line(Folder(name), host, command, os.environ)
    sys.stdout.flush()
    os.execvpe(program[0], program, environment)  # noqa: S606 (no shell between; this process becomes the other)


@lab.command()
@_NAME
@click.argument("path")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="The pcap file; by default PATH.pcap.")
@click.option("--seconds", type=click.FloatRange(0.1), help="Capture so long; by default until Ctrl-C.")
def capture(name: str, path: str, output: Path | None, seconds: float | None) -> None:
    """Write the packets of a data path to a file for Wireshark.

    For example `postern lab capture hub-to-hub --seconds 30`.
    """
    from postern.lab import build, organization
    from postern.lab import capture as taking
    from postern.lab.folder import Folder
    from postern.lab.plan import MACHINES

    build.check(whole=False)
    folder = Folder(name)
    where = taking.taps(organization.inside(folder), path, MACHINES)
    place = output or Path(f"{path}.pcap")

    def ready() -> None:
        taps = ", ".join(f"{tap.host} ({tap.interface})" for tap in where)
        echo(f"Listening on {taps}; Ctrl-C ends it.", err=True)

    count = taking.capture(folder, where, place, lambda: taking.until_told(seconds, ready))
    echo(f"{counted(count, 'packet')} of {path} in {place}")


@lab.command()
@_NAME
def down(name: str) -> None:
    """End the lab with every process, and delete every file of it.

    For example `postern lab down`.
    """
    from postern.lab import build
    from postern.lab.folder import Folder

    if build.down(Folder(name)):
        echo(f"the lab {name} is gone")
    else:
        echo(f"there is no lab {name}")


# How it looks


class _Steps:
    """Shows the running steps with their seconds below those that ended; without a terminal, a line for each that ended."""

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
    """Shows each host that dials rows, and how many of its rows are done. On a terminal only."""

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
        # The last row is reported when it begins.
        self._display.update(self._tasks[host], completed=done + (done == total - 1))


def _print_ready(name: str, seconds: float, bare: bool) -> None:
    """Prints accounts and passwords, and lines to copy, each of which works as it stands."""
    from postern.lab.plan import ADMIN_PASSWORD, ADMINISTRATOR, DOMAIN, OTHER_DOMAIN, PASSWORD, PEOPLE, STRANGERS

    option = "" if name == "lab" else f" --name {name}"
    echo(f"the lab {name} is up after {seconds} s", fg="green", bold=True)
    if not bare:
        echo(f"  In {DOMAIN}: {', '.join(person.name for person in PEOPLE)}, password {PASSWORD}")
        echo(f"  Its administrator: {ADMINISTRATOR}, password {ADMIN_PASSWORD}")
        echo(f"  In {OTHER_DOMAIN}: {', '.join(STRANGERS)} (maildirs on internet1)")
    echo("Next:")
    lines = ("status", "shell", "down") if bare else ("status", "verify", "shell", "down")
    for line in lines:
        echo(f"  postern lab {line}{option}{' client1' if line == 'shell' else ''}", bold=True)


def _print_status(hosts: Sequence[HostStatus]) -> None:
    """Prints a line for each host. On a narrow terminal its purpose stands below its name, so that its doors have room."""
    from postern.cli.console import Console, Text

    wide = Console().width >= _WIDE
    rows: list[Sequence[str | Text]] = []
    for host in hosts:
        facts = (
            host.address,
            str(len(host.processes)) if host.running else "off",
            "" if not host.running else str(host.dropped) if host.firewall else "no firewall",
            ", ".join(_doors(host.doors)) if host.running else "",
        )
        name: tuple[str | Text, ...] = (host.name, host.what) if wide else (Text(host.name).under(host.what, "dim"),)
        rows.append((*name, *facts))
    columns = ("host", *(("what",) if wide else ()), "address", "processes", "dropped", "doors")
    print_table(columns, rows, "no host in this lab")


def _doors(doors: Sequence[str]) -> Iterator[str]:
    """Yields TCP ports as numbers, and UDP ports as "53/udp"."""
    for door in doors:
        wire, _, number = door.partition(" ")
        yield number if wire == "TCP" else f"{number}/udp"
