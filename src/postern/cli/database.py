"""`postern database`: the mailbox databases, which server has each, and where it lies. postern.toml says all that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from postern.cli.directory import size
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo_json, json_option, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postern.model.organization import Database
    from postern.store.usage import Usage

_PRIVATE = "private cluster"


@click.group("database")
def database() -> None:
    """Mailbox databases. `[[database]]` in postern.toml makes and moves them."""


@database.command("list")
@json_option
@state_option
def listing(as_json: bool, state_dir: str | None) -> None:
    """List mailbox databases: name, server, place, and what is in those that this host can reach.

    \b
    For example: postern database list --json
    """
    databases = _databases(state_dir)
    if as_json:
        echo_json([_as_dict(one, usage) for one, usage in databases])
        return
    rows = [
        (
            one.name,
            one.server,
            place(one.url),
            str(usage.mailboxes) if usage is not None else "",
            size(usage.size) if usage is not None else "",
        )
        for one, usage in databases
    ]
    print_table(("database", "server", "place", "mailboxes", "size"), rows, "no server has the mailbox role")


def _databases(state_dir: str | None) -> list[tuple[Database, Usage | None]]:
    """All databases as postern.toml has them, each with what it holds: None for what cannot be reached from this host."""
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

    return list(await asyncio.gather(*(ask(one.url) for one in databases)))


def place(url: str) -> str:
    """A URL without the user, password and parameters in it."""
    if not url:
        return _PRIVATE
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _as_dict(one: Database, usage: Usage | None) -> dict[str, object]:
    return {
        "name": one.name,
        "server": one.server,
        "place": place(one.url),
        "mailboxes": usage.mailboxes if usage is not None else None,
        "size": usage.size if usage is not None else None,
    }
