"""`postern setup ad` prepares Active Directory for the organization of `postern.toml`.

It shows first what it will change, and can take it back.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from postern.cli.failures import Failure
from postern.cli.state_folder import named
from postern.cli.terminal import ask, ask_password, echo, echo_json, echo_page, json_option, print_table
from postern.model.words import counted

if TYPE_CHECKING:
    from postern.directory.ad.steps import SetupStep
    from postern.host.active_directory import Prepared, SetupRequest
    from postern.model.organization import Organization, Server


@click.group("setup")
def setup() -> None:
    """Prepare what the organization stands on."""


@setup.command("ad")
@click.option(
    "-u", "--user", default="", metavar="NAME", help="The administrator; by default the tickets of kinit are used."
)
@click.option("--password-stdin", is_flag=True, help="Take the password from standard input.")
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False), help="Take the password from a file.")
@click.option(
    "--server", "names", multiple=True, metavar="NAME", help="Only the account of this server; may be repeated."
)
@click.option(
    "--output",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Write the files of each server to DIR/SERVER, to be carried to the servers.",
)
@click.option(
    "--controller", default="", metavar="NAME", help="The domain controller to work with; by default DNS names one."
)
@click.option("--remove", is_flag=True, help="Take back everything but the schema.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--ldif",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write the changes as LDIF; - prints them.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.option("--state", "folder", metavar="DIR", callback=named, help="The state folder of the organization.")
def ad(
    user: str,
    password_stdin: bool,
    password_file: str | None,
    names: tuple[str, ...],
    output: str | None,
    controller: str,
    remove: bool,
    dry_run: bool,
    ldif: str | None,
    yes: bool,
    as_json: bool,
    folder: str | None,
) -> None:
    """Extend the schema, make containers, the group of the servers with its rights, and each server's account and keytab.

    Without --output the files of this host's server go into its state folder; with it those of all servers go into DIR, a folder
    for each, to be put into secrets/ of their state folders. Called again, it changes only what is missing.

    For example `postern setup ad -u Administrator --dry-run`.
    """
    from postern.host import active_directory
    from postern.telemetry.log import configure

    configure("postern", None, "critical")
    request = _request(folder, names, output, remove, user, _password(user, password_stdin, password_file), controller)
    prepared = asyncio.run(active_directory.prepare(request))
    _show(prepared, as_json, ldif, dry_run)
    if dry_run or not prepared.plan.steps:
        if not dry_run and not remove:
            active_directory.complete(request)
        return
    if not yes:
        ask("Change that?", "--yes")
    active_directory.may_write(request)
    asyncio.run(active_directory.carry_out(request, prepared, lambda step: _progress(step, as_json)))
    if not as_json:
        echo(f"made {counted(len(prepared.plan.steps), 'change')} at {prepared.controller.fqdn}")


def _request(
    folder: str | None,
    names: Sequence[str],
    output: str | None,
    remove: bool,
    user: str,
    password: str,
    controller: str,
) -> SetupRequest:
    from postern.host import configuration, state
    from postern.host.active_directory import SetupRequest
    from postern.host.machine_files import Places

    state_folder = state.find(folder)
    organization = configuration.load(state_folder)
    servers = _servers(organization, names, output, remove)
    places = Places(state_folder, Path(output) if output else None, organization.keytab)
    whole = not names or not remove
    return SetupRequest(organization, servers, places, remove, whole, user, password, controller)


def _servers(organization: Organization, names: Sequence[str], output: str | None, remove: bool) -> tuple[Server, ...]:
    """Returns all servers of the domain where files are only collected or accounts removed, else this host's server."""
    from postern.host import configuration
    from postern.model.organization import Role

    inside = {server.name: server for server in organization.servers if Role.EDGE not in server.roles}
    unknown = [name for name in names if name not in inside]
    if unknown:
        raise Failure(f"{unknown[0]} is no server of the domain: `postern.toml` has {', '.join(inside)}", os.EX_NOUSER)
    if names and (output or remove or len(names) == 1):
        return tuple(inside[name] for name in names)
    if names:
        raise click.UsageError("several servers are named: say with --output DIR where their keytabs go")
    if output or remove:
        return tuple(inside.values())
    here = configuration.this_server(organization)
    if here.name not in inside:
        raise Failure(
            f"{here.name} is an edge, which stands outside the domain: say this on a server in it", os.EX_CONFIG
        )
    return (here,)


def _password(user: str, from_stdin: bool, file: str | None) -> str:
    if not user:
        return ""
    if file:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return ask_password(f"Password of {user}", "--password-stdin or --password-file")


def _show(prepared: Prepared, as_json: bool, ldif: str | None, dry_run: bool) -> None:
    from postern.directory.ad import steps as ad_steps

    plan = prepared.plan
    if ldif:
        text = ad_steps.ldif(plan.steps)
        if ldif == "-":
            echo_page(text)
        else:
            Path(ldif).write_text(text, encoding="utf-8")
    if as_json:
        echo_json(_as_dict(prepared, dry_run))
        return
    if ldif == "-":
        return
    if plan.steps:
        echo(f"At {prepared.controller.fqdn} ({prepared.controller.address}) this changes:")
    print_table(("where", "what"), [(step.area, step.title) for step in plan.steps], "nothing to change")
    for note in plan.notes:
        echo(note)


def _as_dict(prepared: Prepared, dry_run: bool) -> dict[str, Any]:
    return {
        "controller": prepared.controller.fqdn,
        "dry_run": dry_run,
        "changes": [
            {"area": step.area, "what": step.title, "dn": getattr(step.action, "dn", "")}
            for step in prepared.plan.steps
        ],
        "remarks": list(prepared.plan.notes),
    }


def _progress(step: SetupStep, as_json: bool) -> None:
    if not as_json:
        echo(f"  {step.area}: {step.title}", err=True)
