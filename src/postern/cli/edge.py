"""`postern edge` subscribes an edge to the organization, brings it up to date, and shows its state.

`host.edge` and `services.edge.edgesync` do the work; this module asks and prints.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from postern.cli.called import called
from postern.cli.directory import no_directory
from postern.cli.failures import FOUND_WRONG, Failure, failure
from postern.cli.files import Input, Output, OutputFile
from postern.cli.state_folder import state_option
from postern.cli.terminal import day, echo, echo_json, echo_page, json_moment, json_option, print_table
from postern.model.directory import DirectoryUnavailable
from postern.model.words import counted

if TYPE_CHECKING:
    from postern.host.edge import HubSide
    from postern.model.organization import Organization, Server, StateFolder
    from postern.services.edge.edgesync import Report
    from postern.services.edge.watch import EdgeStatus

T = TypeVar("T")

server_option = click.option("--server", metavar="NAME", help="Which of the organization's servers this host is.")


@click.group("edge")
def edge() -> None:
    """Manage edge transport servers: subscriptions and EdgeSync."""


@edge.group("subscription")
def subscription() -> None:
    """Write subscription files, on an edge."""


@subscription.command("new")
@click.option(
    "--output",
    type=Output(secret=True),
    metavar="FILE",
    help="Write it to this file; by default to standard output.",
)
@server_option
@state_option
def new(output: OutputFile | None, server: str | None, state_dir: str | None) -> None:
    """Write a subscription file for a hub. Run it on the edge. The file is good for 1,440 minutes, and once.

    The file holds a password: carry it as you would carry a password, and delete it when the edge is subscribed.

    For example `postern edge subscription new --output edge1.xml`.
    """
    from postern.host.edge import new_subscription

    organization, here, folder = _here(state_dir, server)
    data = _run(folder, lambda: new_subscription(organization, here, folder))
    if output is None:
        echo_page(data.decode())
        return
    output.write(data)
    echo(f"{output.name} is good for 24 hours: on a hub, `postern edge subscribe {Path(output.name).name}`")


@edge.command()
@click.argument("file", type=Input())
@server_option
@json_option
@state_option
def subscribe(file: Any, server: str | None, as_json: bool, state_dir: str | None) -> None:
    """Trust the edge of a subscription file, and replicate to it. Run it on a hub.

    For example `postern edge subscribe edge1.xml`.
    """

    async def work(hub: HubSide) -> dict[str, Any]:
        new = await hub.subscribe(file.read(1 << 20))
        return {"edge": new.name, "fqdn": new.fqdn, "site": new.site, "port": new.ssl_port}

    subscribed = _on_hub(state_dir, server, work)
    if as_json:
        echo_json(subscribed)
    else:
        echo(f"{subscribed['edge']} ({subscribed['fqdn']}) is subscribed to the site {subscribed['site']}")
        echo(f"The hubs bring it up to date within seconds; `{called()} edge sync` does it now.")


@edge.command("list")
@server_option
@json_option
@state_option
def listing(server: str | None, as_json: bool, state_dir: str | None) -> None:
    """List the subscribed edges that the organization's directory has.

    For example `postern edge list --json`.
    """
    from postern.services.edge.pairs import hubs_of
    from postern.services.edge.watch import certificate_end

    async def work(hub: HubSide) -> list[dict[str, Any]]:
        return [
            {
                "edge": each.name,
                "fqdn": each.fqdn,
                "site": each.site,
                "port": each.ssl_port,
                "hubs": list(hubs_of(each)),
                "certificate_until": certificate_end(each.certificate),
            }
            for each in await hub.sources.store.subscriptions()
        ]

    edges = _on_hub(state_dir, server, work)
    if as_json:
        echo_json([each | {"certificate_until": json_moment(each["certificate_until"])} for each in edges])
        return
    rows = [
        (each["edge"], each["fqdn"], each["site"], ", ".join(each["hubs"]), day(each["certificate_until"]))
        for each in edges
    ]
    print_table(("edge", "FQDN", "site", "hubs", "certificate until"), rows, "no subscribed edge")


@edge.command()
@server_option
@json_option
@state_option
def status(server: str | None, as_json: bool, state_dir: str | None) -> None:
    """Show how replication to each subscribed edge does; each edge is asked.

    For example `postern edge status`.

    The exit status is 0 if all is well, 1 if something is wrong with an edge.
    """
    from postern.services.edge.watch import status_of

    async def work(hub: HubSide) -> list[EdgeStatus]:
        known = await hub.sources.store.subscriptions()
        return [await status_of(hub.sync, hub.runtime.server.name, each, time.time()) for each in known]

    edges = _on_hub(state_dir, server, work)
    if as_json:
        echo_json([_status_as_dict(each) for each in edges])
    else:
        rows = [
            (each.edge, each.holder, _ago(each.synchronized), str(each.recipients), day(each.account_until))
            for each in edges
        ]
        print_table(("edge", "hub", "synchronized", "recipients", "account until"), rows, "no subscribed edge")
        for each in edges:
            for problem in each.problems:
                echo(f"{each.edge}: {problem}", err=True)
    if any(each.problems for each in edges):
        raise click.exceptions.Exit(FOUND_WRONG)


def _status_as_dict(status: EdgeStatus) -> dict[str, Any]:
    return {
        "edge": status.edge,
        "fqdn": status.fqdn,
        "site": status.site,
        "hub": status.holder,
        "synchronized": json_moment(status.synchronized),
        "fully_synchronized": json_moment(status.full),
        "recipient_count": status.recipients,
        "account_until": json_moment(status.account_until),
        "certificate_until": json_moment(status.certificate_until),
        "problems": list(status.problems),
        "ok": not status.problems,
    }


@edge.command()
@click.argument("name")
@server_option
@json_option
@state_option
def unsubscribe(name: str, server: str | None, as_json: bool, state_dir: str | None) -> None:
    """Stop trusting an edge, on a hub; on the edge itself, end all accounts and delete what was replicated.

    For example `postern edge unsubscribe edge1`.
    """
    from postern.host.edge import forget
    from postern.model.organization import Role

    organization, here, folder = _here(state_dir, server)
    if Role.EDGE in here.roles:
        if name != here.name:
            raise Failure(
                f"this is {here.name}, which can only end its own subscription: say this on {name}", os.EX_DATAERR
            )
        ended = _run(folder, lambda: forget(organization, folder))
        outcome = f"{name} has deleted what was replicated, and {counted(ended, 'account')}"
    else:

        async def work(hub: HubSide) -> bool:
            return await hub.unsubscribe(name)

        if not _on_hub(state_dir, server, work):
            raise Failure(f"{name} is no subscribed edge: `postern edge list` names them", os.EX_NOUSER)
        ended = 0
        outcome = f"{name} is no longer trusted: on {name}, `postern edge unsubscribe {name}` deletes what it has"
    if as_json:
        echo_json({"edge": name, "accounts": ended})
    else:
        echo(outcome)


@edge.command()
@click.argument("name", required=False)
@click.option("--full", is_flag=True, help="Compare everything, and not only what changed.")
@server_option
@json_option
@state_option
def sync(name: str | None, full: bool, server: str | None, as_json: bool, state_dir: str | None) -> None:
    """Bring an edge, or all, up to date now. Run it on a hub.

    For example `postern edge sync edge1 --full`.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from postern.cli.console import Console

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())

    async def work(hub: HubSide) -> list[Report]:
        names = [name] if name else [each.name for each in await hub.sources.store.subscriptions()]
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=as_json) as display:
            done = []
            for edge_name in names:
                task = display.add_task(edge_name, total=None)

                def step(what: str, count: int, of: int, edge_name: str = edge_name, task: Any = task) -> None:
                    display.update(task, description=f"{edge_name}: {what}", completed=count, total=of or None)

                done.append(await hub.sync.synchronize(edge_name, full=full, forced=True, progress=step))
        return done

    reports = _on_hub(state_dir, server, work)
    if as_json:
        echo_json([_report_as_dict(report) for report in reports])
        return
    rows = [
        (
            report.edge,
            "full" if report.full else "changes",
            *map(str, (report.added, report.changed, report.deleted, report.recipients, report.configuration)),
            f"{report.seconds:.1f} s",
        )
        for report in reports
    ]
    headings = ("edge", "what", "added", "changed", "deleted", "recipients", "settings", "took")
    print_table(headings, rows, "no subscribed edge")


def _report_as_dict(report: Report) -> dict[str, Any]:
    return {
        "edge": report.edge,
        "full": report.full,
        "added": report.added,
        "changed": report.changed,
        "deleted": report.deleted,
        "recipient_count": report.recipients,
        "setting_count": report.configuration,
        "seconds": round(report.seconds, 3),
    }


def _here(state_dir: str | None, server: str | None) -> tuple[Organization, Server, StateFolder]:
    from postern.host import configuration, state
    from postern.host.engines import start as engines
    from postern.telemetry.log import configure

    configure("postern", None, "critical")  # the command says itself what fails
    folder = state.find(state_dir)
    organization = configuration.load(folder)
    here = configuration.this_server(organization, server or configuration.recorded(folder))
    return engines.resolved(organization, folder, here), here, folder


def _on_hub(state_dir: str | None, server: str | None, work: Callable[[HubSide], Awaitable[T]]) -> T:
    from postern.host.edge import hub_side

    organization, here, folder = _here(state_dir, server)

    async def run() -> T:
        async with hub_side(organization, here, folder) as hub:
            return await work(hub)

    return _run(folder, run)


def _run(folder: StateFolder, work: Callable[[], Awaitable[T]]) -> T:
    from postern.directory.ldap.client import Refused
    from postern.host.edge import EdgeError
    from postern.services.edge.edgesync import EdgeSyncError

    async def inner() -> T:
        return await work()

    try:
        return asyncio.run(inner())
    except (EdgeError, EdgeSyncError) as error:
        raise failure(error) from None
    except (DirectoryUnavailable, Refused) as error:
        raise no_directory(error, folder) from None


def _ago(moment: float) -> str:
    if not moment:
        return "never"
    seconds = max(0, round(time.time() - moment))
    return f"{seconds} s ago" if seconds < 120 else f"{seconds // 60} min ago"
