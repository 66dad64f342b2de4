"""`postern group` manages distribution groups and their members."""

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
    from postern.directory.listing import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder


@click.group("group")
def group() -> None:
    """Manage groups; mail to a group reaches its members. A member may be a group."""


@group.command("add")
@click.argument("address")
@click.option("--name", "display_name", default="", metavar="TEXT", help="The display name.")
@click.option("--member", "members", multiple=True, metavar="NAME", help="A member; may be repeated.")
@state_option
def add(address: str, display_name: str, members: tuple[str, ...], state_dir: str | None) -> None:
    """Add a group with its members.

    For example `postern group add sales --member alice --member bob`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> str:
        full = await accepted_address(directory, organization, address)
        await directory.write.add_group(full, display_name, members)
        return full

    echo(f"added {in_directory(state_dir, work)}")


@group.command("list")
@json_option
@state_option
def listing(as_json: bool, state_dir: str | None) -> None:
    """List groups.

    For example `postern group list`.
    """

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[list[Listing], Organization]:
        return await directory.write.listings(RecipientType.GROUP), organization

    groups, organization = in_directory(state_dir, work)
    if as_json:
        echo_json([as_dict(entry, organization) for entry in groups])
        return
    rows = [(entry.name, entry.display_name, ", ".join(entry.aliases), ", ".join(entry.members)) for entry in groups]
    print_table(("name", "display name", "aliases", "members"), rows, "no group")


@group.command("show")
@click.argument("name")
@json_option
@state_option
def show(name: str, as_json: bool, state_dir: str | None) -> None:
    """Show a group.

    For example `postern group show sales`.
    """

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[Listing, Organization]:
        return await directory.write.show(name, RecipientType.GROUP), organization

    entry, organization = in_directory(state_dir, work)
    if as_json:
        echo_json(as_dict(entry, organization))
    else:
        print_listing(entry, organization)


@group.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@state_option
def remove(name: str, yes: bool, state_dir: str | None) -> None:
    """Remove a group; its members stay.

    For example `postern group remove sales`.
    """
    full = name if yes else confirmed(state_dir, name, (RecipientType.GROUP,))

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> Listing:
        refuse_postmaster(organization, await directory.write.show(full))
        gone = await directory.write.remove(full, RecipientType.GROUP)
        await keep_postmaster(directory, organization)
        return gone

    echo(f"removed {in_directory(state_dir, work).name}")


@group.group("member")
def member() -> None:
    """Add and remove members of a group."""


@member.command("add")
@click.argument("name")
@click.argument("members", nargs=-1, required=True)
@state_option
def member_add(name: str, members: tuple[str, ...], state_dir: str | None) -> None:
    """Add MEMBERS to the group NAME.

    For example `postern group member add sales carol`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        for entry in members:
            await directory.write.add_member(name, entry)

    in_directory(state_dir, work)
    echo(f"added {', '.join(members)} to {name}")


@member.command("remove")
@click.argument("name")
@click.argument("members", nargs=-1, required=True)
@state_option
def member_remove(name: str, members: tuple[str, ...], state_dir: str | None) -> None:
    """Take MEMBERS out of the group NAME.

    For example `postern group member remove sales carol`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        for entry in members:
            await directory.write.remove_member(name, entry)

    in_directory(state_dir, work)
    echo(f"removed {', '.join(members)} from {name}")
