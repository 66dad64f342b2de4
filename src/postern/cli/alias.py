"""`postern alias` manages the further addresses of users, rooms, groups and contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from postern.cli.directory import accepted_address, in_directory, keep_postmaster
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_option, print_table
from postern.model.directory import RecipientType

if TYPE_CHECKING:
    from postern.directory.listing import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder


@click.group("alias")
def alias() -> None:
    """Manage aliases; mail to an alias reaches the recipient who has it."""


@alias.command("add")
@click.argument("name")
@click.argument("address")
@state_option
def add(name: str, address: str, state_dir: str | None) -> None:
    """Give the recipient NAME the further ADDRESS.

    For example `postern alias add alice sales@example.test`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> str:
        full = await accepted_address(directory, organization, address)
        await directory.write.add_alias(name, full)
        return full

    echo(f"{in_directory(state_dir, work)} reaches {name}")


@alias.command("list")
@click.argument("name", required=False)
@json_option
@state_option
def listing(name: str | None, as_json: bool, state_dir: str | None) -> None:
    """List the aliases of all recipients, or of NAME.

    For example `postern alias list alice`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> list[Listing]:
        if name is not None:
            return [await directory.write.show(name)]
        return [entry for kind in RecipientType for entry in await directory.write.listings(kind)]

    pairs = sorted((address, entry.primary) for entry in in_directory(state_dir, work) for address in entry.aliases)
    if as_json:
        echo_json([{"alias": address, "recipient": primary} for address, primary in pairs])
    else:
        print_table(("alias", "reaches"), pairs, "no alias")


@alias.command("remove")
@click.argument("address")
@state_option
def remove(address: str, state_dir: str | None) -> None:
    """Take an alias away from the recipient who has it.

    For example `postern alias remove sales@example.test`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> str:
        full = address if "@" in address else f"{address}@{organization.default_domain}"
        owner = await directory.write.show(full)
        await directory.write.remove_alias(full, full)
        await keep_postmaster(directory, organization)
        return f"{full} no longer reaches {owner.primary}"

    echo(in_directory(state_dir, work))
