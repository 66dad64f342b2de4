"""`postern edge`: subscribe an edge to the organization, bring it up to date, and see how it fares.

`host.edge` and `services.edge.edgesync` do the work; this module asks and prints.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from postern.cli.files import Output, OutputFile
from postern.cli.state_folder import state_option
from postern.cli.terminal import checking, day, echo, echo_json, echo_page, json_option, print_table
from postern.model.directory import DirectoryUnavailable

if TYPE_CHECKING:
    from postern.host.edge import HubSide
    from postern.model.organization import Organization, Server, StateFolder
    from postern.services.edge.edgesync import Report
    from postern.services.edge.watch import EdgeStatus

T = TypeVar("T")
EXIT_PROBLEM = 1
"""`status` found something wrong."""

server_option = click.option("--server", metavar="NAME", help="Which of the organization's servers this host is.")


@click.group("edge")
def edge() -> None:
    """Edge transport servers: subscriptions and EdgeSync."""


@edge.group("subscription")
def subscription() -> None:
    """Subscription files, written on an edge."""


@subscription.command("new")
@click.option(
    "--output",
    type=Output(secret=True),
    metavar="FILE",
    help="Where to; standard output otherwise.",
)
@server_option
@state_option
def new(output: OutputFile | None, server: str | None, state_dir: str | None) -> None:
    """Write a subscription file for a hub: on the edge. It is good for 1,440 minutes, and once.

    The file holds a password: carry it as you would carry one, and delete it when the edge is subscribed.
    """
    from postern.host.edge import new_subscription

    organization, here, folder = _here(state_dir, server)
    data = _run(folder, lambda: new_subscription(organization, here, folder))
    if output is None:
        echo_page(data.decode())
        return
    output.write(data)
    echo(f"{output.name} is good for 24 hours. On a hub: postern edge subscribe {Path(output.name).name}")


@edge.command()
@click.argument("file", type=click.File("rb"))
@server_option
@json_option
@state_option
def subscribe(file: Any, server: str | None, as_json: bool, state_dir: str | None) -> None:
    """Trust the edge of a subscription file, and replicate to it: on a hub."""

    async def work(hub: HubSide) -> dict[str, Any]:
        found = await hub.subscribe(file.read(1 << 20))
        return {"edge": found.name, "fqdn": found.fqdn, "site": found.site, "port": found.ssl_port}

    found = _on_hub(state_dir, server, work)
    if as_json:
        echo_json(found)
    else:
        echo(f"{found['edge']} ({found['fqdn']}) is subscribed to the site {found['site']}")
        echo("The hubs bring it up to date within seconds; `postern edge sync` does it now.")


@edge.command("list")
@server_option
@json_option
@state_option
def listing(server: str | None, as_json: bool, state_dir: str | None) -> None:
    """The subscribed edges, as the organization's directory has them."""
    from postern.services.edge.pairs import hubs_of
    from postern.services.edge.watch import certificate_end

    async def work(hub: HubSide) -> list[dict[str, Any]]:
        return [
            {
                "edge": one.name,
                "fqdn": one.fqdn,
                "site": one.site,
                "port": one.ssl_port,
                "hubs": list(hubs_of(one)),
                "certificate_until": certificate_end(one.certificate),
            }
            for one in await hub.sources.store.subscriptions()
        ]

    found = _on_hub(state_dir, server, work)
    if as_json:
        echo_json(found)
        return
    rows = [
        (one["edge"], one["fqdn"], one["site"], ", ".join(one["hubs"]), day(one["certificate_until"])) for one in found
    ]
    print_table(("edge", "name", "site", "hubs", "certificate until"), rows, "no edge is subscribed")


@edge.command()
@server_option
@json_option
@state_option
def status(server: str | None, as_json: bool, state_dir: str | None) -> None:
    """Ask every subscribed edge how replication fares.

    The exit status is 0 if all is well, 1 if something is wrong, 2 if it could not be asked.
    """
    from postern.services.edge.watch import status_of

    async def work(hub: HubSide) -> list[EdgeStatus]:
        known = await hub.sources.store.subscriptions()
        return [await status_of(hub.sync, hub.runtime.server.name, one, time.time()) for one in known]

    with checking():
        found = _on_hub(state_dir, server, work)
    if as_json:
        echo_json([{**{name: getattr(one, name) for name in one.__slots__}, "ok": not one.problems} for one in found])
    else:
        rows = [
            (one.edge, one.holder, _ago(one.synchronized), str(one.recipients), day(one.account_until)) for one in found
        ]
        print_table(("edge", "hub", "synchronized", "recipients", "account until"), rows, "no edge is subscribed")
        for one in found:
            for problem in one.problems:
                echo(f"{one.edge}: {problem}", err=True)
    if any(one.problems for one in found):
        raise click.exceptions.Exit(EXIT_PROBLEM)


@edge.command()
@click.argument("name")
@server_option
@json_option
@state_option
def unsubscribe(name: str, server: str | None, as_json: bool, state_dir: str | None) -> None:
    """On a hub: trust an edge no more. On the edge itself: end all accounts and forget what was replicated."""
    from postern.host.edge import forget
    from postern.model.organization import Role

    organization, here, folder = _here(state_dir, server)
    if Role.EDGE in here.roles:
        if name != here.name:
            raise click.ClickException(f"this is {here.name}: an edge can only end its own subscription")
        ended = _run(folder, lambda: forget(organization, folder))
        words, data = f"{name} has forgotten what was replicated; {ended} accounts are gone", {"accounts": ended}
    else:

        async def work(hub: HubSide) -> bool:
            return await hub.unsubscribe(name)

        if not _on_hub(state_dir, server, work):
            raise click.ClickException(f"{name} is no subscribed edge")
        words, data = f"{name} is trusted no more. On it: postern edge unsubscribe {name}", {"accounts": 0}
    if as_json:
        echo_json({"edge": name, **data})
    else:
        echo(words)


@edge.command()
@click.argument("name", required=False)
@click.option("--full", is_flag=True, help="Compare everything, instead of what changed.")
@server_option
@json_option
@state_option
def sync(name: str | None, full: bool, server: str | None, as_json: bool, state_dir: str | None) -> None:
    """Bring one edge, or all, up to date now: on a hub."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from postern.cli.console import Console

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())

    async def work(hub: HubSide) -> list[Report]:
        names = [name] if name else [one.name for one in await hub.sources.store.subscriptions()]
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=as_json) as display:
            done = []
            for one in names:
                task = display.add_task(one, total=None)

                def step(what: str, count: int, of: int, one: str = one, task: Any = task) -> None:
                    display.update(task, description=f"{one}: {what}", completed=count, total=of or None)

                done.append(await hub.sync.synchronize(one, full=full, forced=True, progress=step))
        return done

    reports = _on_hub(state_dir, server, work)
    if as_json:
        echo_json([{field: getattr(one, field) for field in one.__slots__} for one in reports])
        return
    rows = [
        (
            one.edge,
            "full" if one.full else "changes",
            *(str(count) for count in (one.added, one.changed, one.deleted, one.recipients, one.configuration)),
            f"{one.seconds:.1f} s",
        )
        for one in reports
    ]
    headings = ("edge", "what", "added", "changed", "deleted", "recipients", "settings", "took")
    print_table(headings, rows, "no edge is subscribed")


def _here(state_dir: str | None, server: str | None) -> tuple[Organization, Server, StateFolder]:
    from postern.host import configuration, state
    from postern.host.engines import start as engines
    from postern.telemetry.log import configure

    configure("postern", None, "critical")  # a person reads one line of ours, a program reads JSON
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
        raise click.ClickException(str(error)) from None
    except DirectoryUnavailable:
        raise click.ClickException(
            f"the directory of {folder.root} does not answer: start this host with `postern run`, or name another with --state"
        ) from None
    except Refused as error:
        raise click.ClickException(f"the directory refused that: {error}") from None


def _ago(moment: float) -> str:
    if not moment:
        return "never"
    seconds = max(0, round(time.time() - moment))
    return f"{seconds} s ago" if seconds < 120 else f"{seconds // 60} min ago"
