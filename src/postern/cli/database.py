"""`postern database` lists the mailbox databases of `postern.toml`, which server has each, and where it lies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from postern.cli.sizes import size
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo_json, json_option, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postern.model.organization import Database
    from postern.store.usage import Usage

_PRIVATE = "private cluster"


@click.group("database")
def database() -> None:
    """List mailbox databases. `[[database]]` in `postern.toml` makes and moves them."""


@database.command("list")
@json_option
@state_option
def listing(as_json: bool, state_dir: str | None) -> None:
    """List mailbox databases: name, server, place, and what is in those that this host can reach.

    For example `postern database list --json`.
    """
    databases = _databases(state_dir)
    if as_json:
        echo_json([_as_dict(entry, usage) for entry, usage in databases])
        return
    rows = [
        (
            entry.name,
            entry.server,
            place(entry.url),
            str(usage.mailboxes) if usage is not None else "",
            size(usage.size) if usage is not None else "",
        )
        for entry, usage in databases
    ]
    print_table(
        ("database", "server", "place", "mailboxes", "size"),
        rows,
        "no mailbox database: no server has the role mailbox",
    )


def _databases(state_dir: str | None) -> list[tuple[Database, Usage | None]]:
    """Returns all databases of `postern.toml`, each with its usage, None for one that this host cannot reach."""
    from postern.host import configuration, state
    from postern.host.engines import start as engines

    folder = state.find(state_dir)
    configured = configuration.load(folder)
    usages = asyncio.run(_usages(engines.resolved(configured, folder).databases))
    return list(zip(configured.databases, usages, strict=True))


async def _usages(databases: Sequence[Database]) -> list[Usage | None]:
    from postern.store.usage import usage

    async def ask(url: str) -> Usage | None:
        return await usage(url) if url else None

    return list(await asyncio.gather(*(ask(each.url) for each in databases)))


def place(url: str) -> str:
    """Returns a URL without its user, password and parameters."""
    if not url:
        return _PRIVATE
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _as_dict(entry: Database, usage: Usage | None) -> dict[str, object]:
    return {
        "name": entry.name,
        "server": entry.server,
        "place": place(entry.url),
        "mailboxes": usage.mailboxes if usage is not None else None,
        "size": usage.size if usage is not None else None,
    }
