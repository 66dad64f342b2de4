"""`postern topology`: the domain's controllers as this host knows them.

Asks the topology service that runs here, or looks once by itself. `host.topology` explains the result.
"""

from __future__ import annotations

import asyncio

import click

from postern.cli.state_folder import state_option
from postern.cli.terminal import checking, echo, echo_json, json_option, print_table

EXIT_NOBODY = 1
"""No controller answers."""


@click.command("topology")
@click.option("--server", metavar="NAME", help="Which of the organization's servers this host is.")
@json_option
@state_option
def topology(server: str | None, as_json: bool, state_dir: str | None) -> None:
    """Sites, domain controllers and global catalogues, and how they fare.

    The exit status is 0 if one answers, 1 if none does, 2 if it could not be asked.
    """
    from postern.host import configuration, state
    from postern.host.topology import seen
    from postern.telemetry.log import configure

    configure("postern", None, "critical")
    with checking():
        folder = state.find(state_dir)
        organization = configuration.load(folder)
        if organization.active_directory is None:
            raise click.ClickException("this organization has no Active Directory: its directory is its own slapd")
        found = asyncio.run(seen(organization, configuration.this_server(organization, server), folder))
    answering = any(one.up for one in found.controllers)
    if as_json:
        echo_json(
            {
                "domain": organization.active_directory.domain,
                "site": found.site,
                "service": found.running,
                "controllers": [
                    {
                        "name": one.fqdn,
                        "address": one.address,
                        "site": one.site,
                        "global_catalogue": one.global_catalogue,
                        "up": one.up,
                        "milliseconds": round(one.latency * 1000, 1),
                    }
                    for one in found.controllers
                ],
            }
        )
    else:
        who = "says the topology service" if found.running else "seen by one look: no topology service runs here"
        echo(f"{organization.active_directory.domain}, this host in site {found.site} ({who})")
        rows = [
            (
                one.fqdn,
                one.address,
                one.site + ("" if one.in_site else " (other site)"),
                "yes" if one.global_catalogue else "no",
                f"{one.latency * 1000:.1f} ms" if one.up else "does not answer",
            )
            for one in found.controllers
        ]
        columns = ("controller", "address", "site", "global catalogue", "answers in")
        print_table(columns, rows, "DNS names no domain controller, and none is remembered.")
    if not answering:
        raise click.exceptions.Exit(EXIT_NOBODY)
