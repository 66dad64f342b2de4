"""`postern run` starts the organization, says how to reach it, and stays until Ctrl-C or SIGTERM.

`host.supervision.launch` does the work; this module prints. The supervisor forks, so nothing here may start a thread
(rich's live displays do).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from postern.cli.called import called
from postern.cli.state_folder import named
from postern.model.organization import Role

if TYPE_CHECKING:
    from postern.cli.console import Console
    from postern.host.supervision.launch import OpenDoor, Ready
    from postern.model.organization import StateFolder

_WIDE = 120
"""Columns of a terminal in which a door with all its rows fits on one line."""
_DOORS = {
    25: "SMTP, from other servers (STARTTLS)",
    587: "SMTP submission (STARTTLS)",
    465: "SMTP submission (TLS)",
    143: "IMAP4 (STARTTLS)",
    993: "IMAP4 (TLS)",
    110: "POP3 (STLS)",
    995: "POP3 (TLS)",
    443: "HTTP (TLS)",
    80: "HTTP, redirects",
    135: "RPC endpoint mapper",
    9464: "HTTP, metrics and health",
    50389: "LDAP, the edge's own directory",
    50636: "LDAP from hubs, EdgeSync (TLS)",
}


def _shift() -> str:
    """Returns what the user can type for another offset; `make run` has a way of its own."""
    return os.environ.get("POSTERN_SHIFT", "") or "--offset {}"


def _offset(context: click.Context, parameter: click.Parameter, value: int | None) -> int | None:
    from postern.host.schema import MAX_OFFSET

    if value is not None and not 0 <= value <= MAX_OFFSET:
        raise click.BadParameter(
            f"{value} cannot be added to every port, for 65535 is the highest: write 0 to {MAX_OFFSET}, such as "
            f"{_shift().replace('{}', '10000')}"
        )
    return value


@click.command("run")
@click.option(
    "--state",
    "state_dir",
    metavar="DIR",
    callback=named,
    help="The state folder of the organization; made at the first start.",
)
@click.option(
    "--offset", type=int, callback=_offset, metavar="N", help="Add this to every port number; kept in `postern.toml`."
)
@click.option("--server", metavar="NAME", help="Which of the organization's servers this host is.")
@click.option("--demo", is_flag=True, help="Add alice, bob and carol with a few hundred mails.")
@click.option("--demo-password", metavar="TEXT", help="Their password; by default a random one, which is shown.")
def run(state_dir: str | None, offset: int | None, server: str | None, demo: bool, demo_password: str | None) -> None:
    """Start the organization on this host and keep it running; Ctrl-C stops it.

    At the first start it makes the organization example.test on 127.0.0.1 and writes its `postern.toml`.

    For example `postern run --demo --offset 10000`.
    """
    from postern.cli.console import Console
    from postern.host import state
    from postern.host.supervision import launch

    usual = state.find(None)  # asked now: once started, we may be another account, with another default
    console = Console(highlight=False, soft_wrap=True, markup=False)
    request = launch.LaunchRequest(
        state_dir, offset, server, demo or demo_password is not None, demo_password, _shift()
    )
    launch.run(
        request,
        step=lambda text: _unless_closed(lambda: console.print(f"· {text}", style="dim")),
        ready=lambda what: _unless_closed(lambda: _summary(console, what, usual)),
    )
    _unless_closed(lambda: console.print("Postern has stopped"))


def _unless_closed(say: Callable[[], None]) -> None:
    """Prints, unless the terminal was closed: the organization runs on without it."""
    with contextlib.suppress(OSError):
        say()


def _summary(console: Console, what: Ready, usual: StateFolder) -> None:
    organization = what.organization
    console.print()
    console.print("Postern is ready", style="bold green", end="")
    console.print(
        f": {organization.name} ({organization.default_domain}), server {what.server.name}, "
        f"profile {organization.profile}"
    )
    for door in what.doors:
        purpose = _DOORS.get(door.port - organization.offset, "RPC")
        line, rows = f"  {_at(door)}".ljust(24) + purpose.ljust(38), ", ".join(door.rows)
        if console.width >= _WIDE:
            console.print(line + rows)
        else:
            console.print(line.rstrip())
            for part in textwrap.wrap(rows, console.width - 6, break_long_words=False, break_on_hyphens=False):
                console.print("      " + part)
    if authority := _authority(what):
        console.print(f"  Authority to trust:   {authority}")
    console.print(f"  Configuration, logs:  {what.state.root}/postern.toml, {what.state.logs}")
    for note in what.notes:
        console.print(f"  Note: {note}", style="yellow")
    _next_commands(console, what, usual)
    console.print()
    console.print("Ctrl-C stops it.")


def _next_commands(console: Console, what: Ready, usual: StateFolder) -> None:
    """Prints lines to copy, each of which works as it stands."""
    ports = {door.port - what.organization.offset: door for door in what.doors}
    domain, program = what.organization.default_domain, called()
    # Other commands find the usual folder by themselves.
    state = "" if usual == what.state else f" --state {shlex.quote(str(what.state.root))}"
    console.print()
    console.print("Next:")
    if Role.EDGE in what.server.roles:
        console.print(f"  {program} edge subscription new --output {what.server.name}.xml{state}", style="bold")
        console.print(f"  then, on a hub: postern edge subscribe {what.server.name}.xml")
    elif what.demo is None:
        console.print(f"  {program} user add alice@{domain}{state}", style="bold")
    elif not what.demo.people:
        console.print(f"  {program} user list{state}", style="bold")
    else:
        people, password = what.demo.people, what.demo.password
        sender, reader = people[0], people[min(1, len(people) - 1)]
        console.print(f"  Mailboxes: {', '.join(people)}; password: {password}")
        if door := ports.get(587):
            console.print(
                f"  swaks --server {_at(door)} --tls --auth PLAIN --auth-user {sender} "
                f"--auth-password {shlex.quote(password)} --from {sender} --to {reader}",
                style="bold",
            )
        if door := ports.get(993):
            user = shlex.quote(f"{reader}:{password}")
            console.print(
                f"  curl{f' --cacert {shlex.quote(authority)}' if (authority := _authority(what)) else ''} --user {user} "
                f"'imaps://{_at(door)}/INBOX;MAILINDEX=*'",
                style="bold",
            )
    console.print(f"  {program} verify{state}", style="bold")


def _authority(what: Ready) -> str:
    """The file of the authority that clients must know; "" where the machine's own are enough."""
    from postern.host.own_certificate import trusted_by_clients

    return trusted_by_clients(what.state, what.organization)


def _at(door: OpenDoor) -> str:
    return f"[{door.address}]:{door.port}" if ":" in door.address else f"{door.address}:{door.port}"
