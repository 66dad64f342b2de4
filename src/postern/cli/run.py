"""`postern run`: starts the organization, says how to reach it, and stays until Ctrl-C or SIGTERM.

What is done is `host.launch`'s; this prints. The supervisor forks, so nothing here may start a thread (rich's live displays do).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from postern.host.launch import Ready

_DOORS = {
    25: "SMTP, from other servers (STARTTLS)",
    587: "SMTP submission (STARTTLS)",
    465: "SMTP submission (TLS)",
    143: "IMAP4 (STARTTLS)",
    993: "IMAP4 (TLS)",
    110: "POP3 (STLS)",
    995: "POP3 (TLS)",
    135: "RPC endpoint mapper",
}


@click.command("run")
@click.option("--state", "state_dir", metavar="DIR", help="The state folder; made at the first start.")
@click.option("--offset", type=click.IntRange(0, 14899), help="Add this to every port number; kept in postern.toml.")
@click.option("--server", metavar="NAME", help="Which of the organization's servers this host is.")
@click.option("--demo", is_flag=True, help="Add alice, bob and carol with a few hundred mails.")
@click.option("--demo-password", metavar="P", help="Their password; a random one is made and shown otherwise.")
def run(state_dir: str | None, offset: int | None, server: str | None, demo: bool, demo_password: str | None) -> None:
    """Start the organization on this host and keep it running; Ctrl-C stops it.

    With nothing configured it makes the organization example.test on 127.0.0.1 and writes its postern.toml.
    """
    from rich.console import Console

    from postern.host import launch

    console = Console(highlight=False, soft_wrap=True)
    request = launch.Request(state_dir, offset, server, demo or demo_password is not None, demo_password)
    launch.run(
        request,
        step=lambda words: console.print(f"· {words}", style="dim"),
        ready=lambda what: _summary(console, what),
    )
    console.print("Postern has stopped.")


def _summary(console: Console, what: Ready) -> None:
    from rich.table import Table

    organization = what.organization
    console.print()
    console.print(
        f"[bold green]Postern is ready[/]: {organization.name} ({organization.default_domain}), "
        f"server {what.server.name}, profile {organization.profile}"
    )
    doors = Table(box=None, padding=(0, 2), show_header=False)
    for door in what.doors:
        address = f"[{door.address}]" if ":" in door.address else door.address
        words = _DOORS.get(door.port - organization.offset, "RPC")
        doors.add_row(f"{address}:{door.port}", words, ", ".join(door.rows), style=None)
    console.print(doors)
    console.print(f"  Trust this authority:  {what.certificates.authority}")
    console.print(f"  Configuration, logs:   {what.state.root}/postern.toml, {what.state.logs}")
    for note in what.notes:
        console.print(f"  Note: {note}", style="yellow")
    _next_commands(console, what)
    console.print("Ctrl-C stops it.")


def _next_commands(console: Console, what: Ready) -> None:
    ports = {door.port - what.organization.offset: door for door in what.doors}
    domain, authority = what.organization.default_domain, what.certificates.authority
    state = f" --state {what.state.root}"
    console.print("\nNext:")
    if what.demo:
        console.print(f"  The mailboxes alice@{domain}, bob@{domain}, carol@{domain}; password: {what.demo}")
    else:
        console.print(f"  postern user add alice@{domain}{state}", style="bold")
    if what.demo and (door := ports.get(587)):
        console.print(
            f"  swaks --server {door.address}:{door.port} --tls --auth PLAIN --auth-user alice@{domain} "
            f"--auth-password '{what.demo}' --from alice@{domain} --to bob@{domain} --header 'Subject: Hello'",
            style="bold",
        )
    if what.demo and (door := ports.get(993)):
        console.print(
            f"  curl --cacert {authority} --user 'bob@{domain}:{what.demo}' "
            f"'imaps://{door.address}:{door.port}/INBOX;MAILINDEX=*'",
            style="bold",
        )
    console.print(f"  postern verify{state}", style="bold")
