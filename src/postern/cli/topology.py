"""`postern topology` shows the domain's controllers as this host knows them.

It asks the topology service that runs here, or looks once by itself. `host.topology` explains the result.
"""

from __future__ import annotations

import asyncio
import os

import click

from postern.cli.failures import FOUND_WRONG, Failure
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_option, print_table


@click.command("topology")
@click.option("--server", metavar="NAME", help="Which of the organization's servers this host is.")
@json_option
@state_option
def topology(server: str | None, as_json: bool, state_dir: str | None) -> None:
    """Show the site of this host, domain controllers and global catalogues, and which of them answer.

    For example `postern topology --json`.

    The exit status is 0 if one answers, 1 if none does.
    """
    from postern.host import configuration, state
    from postern.host.topology import seen
    from postern.telemetry.log import configure

    configure("postern", None, "critical")
    folder = state.find(state_dir)
    organization = configuration.load(folder)
    if organization.active_directory is None:
        raise Failure(
            "this organization has no Active Directory, its directory is its own slapd: see `postern verify`",
            os.EX_CONFIG,
        )
    known = asyncio.run(seen(organization, configuration.this_server(organization, server), folder))
    answering = any(controller.up for controller in known.controllers)
    if as_json:
        echo_json(
            {
                "domain": organization.active_directory.domain,
                "site": known.site,
                "service": known.running,
                "controllers": [
                    {
                        "fqdn": controller.fqdn,
                        "address": controller.address,
                        "site": controller.site,
                        "global_catalogue": controller.global_catalogue,
                        "up": controller.up,
                        "seconds": round(controller.latency, 4),
                    }
                    for controller in known.controllers
                ],
            }
        )
    else:
        source = "from the topology service" if known.running else "from a look just now: no topology service runs here"
        echo(f"{organization.active_directory.domain}, this host in site {known.site} ({source})")
        rows = [
            (
                controller.fqdn,
                controller.address,
                controller.site + ("" if controller.in_site else " (other site)"),
                "yes" if controller.global_catalogue else "no",
                f"{controller.latency * 1000:.1f} ms" if controller.up else "does not answer",
            )
            for controller in known.controllers
        ]
        columns = ("FQDN", "address", "site", "global catalogue", "answers in")
        print_table(columns, rows, "no domain controller: DNS names none, and none is remembered")
    if not answering:
        raise click.exceptions.Exit(FOUND_WRONG)
