"""`postern group`: distribution groups and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from postern.cli.directory import (
    accepted_address,
    as_dict,
    confirmed,
    in_directory,
    keep_postmaster,
    print_listing,
    refuse_postmaster,
)
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_option, print_table
from postern.model.directory import RecipientType

if TYPE_CHECKING:
    from postern.directory.administration import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder


@click.group("group")
def group() -> None:
    """Groups: mail to a group reaches its members. A member may be a group."""


@group.command("add")
@click.argument("address")
@click.option("--name", "display_name", default="", metavar="TEXT", help="The display name.")
@click.option("--member", "members", multiple=True, metavar="NAME", help="A member; may be repeated.")
@state_option
def add(address: str, display_name: str, members: tuple[str, ...], state_dir: str | None) -> None:
    """Add a group."""

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> str:
        full = await accepted_address(directory, organization, address)
        await directory.write.add_group(full, display_name, members)
        return full

    echo(f"added {in_directory(state_dir, work)}")


@group.command("list")
@json_option
@state_option
def listing(as_json: bool, state_dir: str | None) -> None:
    """List groups."""

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[list[Listing], Organization]:
        return await directory.write.listings(RecipientType.GROUP), organization

    found, organization = in_directory(state_dir, work)
    if as_json:
        echo_json([as_dict(one, organization) for one in found])
        return
    rows = [(one.name, one.display_name, ", ".join(one.aliases), ", ".join(one.members)) for one in found]
    print_table(("address", "display name", "aliases", "members"), rows, "there is no group")


@group.command("show")
@click.argument("name")
@json_option
@state_option
def show(name: str, as_json: bool, state_dir: str | None) -> None:
    """Show one group."""

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[Listing, Organization]:
        return await directory.write.show(name, RecipientType.GROUP), organization

    found, organization = in_directory(state_dir, work)
    if as_json:
        echo_json(as_dict(found, organization))
    else:
        print_listing(found, organization)


@group.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@state_option
def remove(name: str, yes: bool, state_dir: str | None) -> None:
    """Remove a group; its members stay."""
    full = name if yes else confirmed(state_dir, name, (RecipientType.GROUP,))

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> Listing:
        refuse_postmaster(organization, await directory.write.show(full))
        gone = await directory.write.remove(full, RecipientType.GROUP)
        await keep_postmaster(directory, organization)
        return gone

    echo(f"removed {in_directory(state_dir, work).name}")


@group.group("member")
def member() -> None:
    """Members of a group."""


@member.command("add")
@click.argument("name")
@click.argument("members", nargs=-1, required=True)
@state_option
def member_add(name: str, members: tuple[str, ...], state_dir: str | None) -> None:
    """Add MEMBERS to the group NAME."""

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        for one in members:
            await directory.write.add_member(name, one)

    in_directory(state_dir, work)
    echo(f"added {', '.join(members)} to {name}")


@member.command("remove")
@click.argument("name")
@click.argument("members", nargs=-1, required=True)
@state_option
def member_remove(name: str, members: tuple[str, ...], state_dir: str | None) -> None:
    """Take MEMBERS out of the group NAME."""

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        for one in members:
            await directory.write.remove_member(name, one)

    in_directory(state_dir, work)
    echo(f"removed {', '.join(members)} from {name}")
