"""`postern user`: the organization's users and rooms, with their passwords, forwarding and quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from postern.cli import disconnected
from postern.cli.called import called
from postern.cli.directory import (
    accepted_address,
    as_dict,
    confirmed,
    home,
    in_active_directory,
    in_directory,
    keep_postmaster,
    new_password,
    octets,
    own_option,
    password_option,
    print_listing,
    refuse_postmaster,
    size,
    verifiers_of,
    without_own,
)
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_option, print_table
from postern.model.directory import RecipientType
from postern.model.words import counted

if TYPE_CHECKING:
    from postern.directory.administration import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.mailbox import DisconnectedMailbox
    from postern.model.organization import Database, Limits, Organization, StateFolder


@click.group("user")
def user() -> None:
    """Users and rooms: who has a mailbox, and who may log on.

    NAME is a logon name (alice@example.org), any address, or a short name (alice).
    """


@user.command("add")
@click.argument("address")
@click.option("--name", "display_name", default="", metavar="TEXT", help="The display name.")
@click.option("--alias", "aliases", multiple=True, metavar="ADDRESS", help="A further address; may be repeated.")
@click.option("--quota", type=octets, default=0, help="2G, 500M …; the organization's limit otherwise.")
@click.option(
    *("--database", "--server", "database"),
    default="",
    metavar="NAME",
    help="The mailbox database, or its server; the first one otherwise.",
)
@click.option("--room", is_flag=True, help="A room's mailbox: nobody logs on to it.")
@click.option("--hidden", is_flag=True, help="Leave it out of address lists.")
@password_option
@state_option
def add(
    address: str,
    display_name: str,
    aliases: tuple[str, ...],
    quota: int,
    database: str,
    room: bool,
    hidden: bool,
    password_stdin: bool,
    state_dir: str | None,
) -> None:
    """Add a user with a mailbox. ADDRESS is the logon name too; without a domain it gets the default one.

    In Active Directory an account that is there gets the mailbox and keeps its password; one that is not there is made if a
    password is given and the right to make it.
    """
    asked = not room and (password_stdin or not in_active_directory(state_dir))
    password = new_password(password_stdin) if asked else ""

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[str, list[DisconnectedMailbox]]:
        full = await accepted_address(directory, organization, address)
        further = [await accepted_address(directory, organization, alias) for alias in aliases]
        await directory.write.add_user(
            full,
            await verifiers_of(directory, password) if password else {},
            display_name=display_name,
            aliases=further,
            database=_database(organization, database),
            quota=quota,
            hidden=hidden,
            room=room,
        )
        return full, await disconnected.of_address(_database(organization, database), full)

    full, earlier = in_directory(state_dir, work)
    echo(f"added {full}")
    for one in earlier:
        echo(
            f"a disconnected mailbox of {one.owner} is still there, with {counted(one.items, 'message')}: "
            f"`{called()} mailbox connect {one.mailbox} {full}` before the first mail gives it back"
        )


@user.command("list")
@click.option("--rooms", is_flag=True, help="Rooms instead of people.")
@own_option
@json_option
@state_option
def listing(rooms: bool, own: bool, as_json: bool, state_dir: str | None) -> None:
    """List users."""
    kind = RecipientType.ROOM if rooms else RecipientType.USER

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[list[Listing], Organization]:
        listings = await directory.write.listings(kind)
        return listings if own else without_own(listings), organization

    found, organization = in_directory(state_dir, work)
    if as_json:
        echo_json([as_dict(one, organization) for one in found])
        return
    rows = [
        (
            one.name,
            one.display_name,
            ", ".join(one.aliases),
            home(one, organization)[0],
            size(one.quota) if one.quota else "",
            "yes" if one.enabled else "no",
        )
        for one in found
    ]
    print_table(("name", "display name", "aliases", "database", "quota", "log on"), rows, "there is none")


@user.command("show")
@click.argument("name")
@json_option
@state_option
def show(name: str, as_json: bool, state_dir: str | None) -> None:
    """Show one user."""

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[Listing, Organization]:
        return await directory.write.show(name), organization

    found, organization = in_directory(state_dir, work)
    if as_json:
        echo_json(as_dict(found, organization))
    else:
        print_listing(found, organization)


@user.command("passwd")
@click.argument("name")
@password_option
@state_option
def passwd(name: str, password_stdin: bool, state_dir: str | None) -> None:
    """Set a user's password. The old one is refused at once, everywhere."""
    password = new_password(password_stdin)

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> list[str]:
        made = await verifiers_of(directory, password)
        await directory.write.set_verifiers(name, made)
        return sorted(made)

    echo(f"password set (kept as {', '.join(in_directory(state_dir, work))})")


@user.command("enable")
@click.argument("name")
@state_option
def enable(name: str, state_dir: str | None) -> None:
    """Let a user log on again."""
    _set_enabled(name, True, state_dir)


@user.command("disable")
@click.argument("name")
@state_option
def disable(name: str, state_dir: str | None) -> None:
    """Keep a user from logging on; mail still reaches the mailbox."""
    _set_enabled(name, False, state_dir)


@user.command("quota")
@click.argument("name")
@click.argument("quota", type=octets)
@state_option
def quota(name: str, quota: int, state_dir: str | None) -> None:
    """Set how much a mailbox may hold: 2G, 500M …; 0 is the organization's limit."""

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> tuple[str, Limits]:
        await directory.write.set_quota(name, quota)
        return (await directory.write.show(name)).name, organization.limits

    full, limits = in_directory(state_dir, work)
    if not quota:
        echo(f"quota of {full}: the organization’s limit, {size(limits.mailbox_quota)}")
        return
    echo(f"quota of {full}: {size(quota)}")
    if quota < limits.message_size:
        echo(f"That is less than one message may have, {size(limits.message_size)}: larger ones are refused.")


@user.command("forward")
@click.argument("name")
@click.argument("to", required=False, default="")
@click.option("--keep", is_flag=True, help="The mailbox gets a copy too.")
@state_option
def forward(name: str, to: str, keep: bool, state_dir: str | None) -> None:
    """Forward a user's mail to another recipient of this organization; without TO, stop that."""

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        await directory.write.set_forwarding(name, to, keep)

    in_directory(state_dir, work)
    echo(f"{name} forwards to {to}" if to else f"{name} forwards no more")


@user.command("send-as")
@click.argument("name")
@click.argument("address")
@click.option("--remove", is_flag=True, help="Take the right back.")
@state_option
def send_as(name: str, address: str, remove: bool, state_dir: str | None) -> None:
    """Let a user send as an address besides the mailbox's own."""

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        if remove:
            await directory.write.remove_send_as(name, address)
        else:
            await directory.write.add_send_as(name, address)

    in_directory(state_dir, work)
    echo(f"{name} may {'no longer ' if remove else ''}send as {address}")


@user.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@state_option
def remove(name: str, yes: bool, state_dir: str | None) -> None:
    """Remove a user or room from the directory. The mailbox is kept for 30 days (mailbox-retention), disconnected."""
    full = name if yes else confirmed(state_dir, name, (RecipientType.USER, RecipientType.ROOM))

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[Listing, bool | None]:
        found = await directory.write.show(full)
        kind = found.type
        if kind not in (RecipientType.USER, RecipientType.ROOM):
            raise click.ClickException(f"{full} is a {kind}: `postern {kind} remove {full}`")
        refuse_postmaster(organization, found)
        gone = await directory.write.remove(full, kind)
        await keep_postmaster(directory, organization)
        return gone, await disconnected.disconnect(organization, gone)

    gone, marked = in_directory(state_dir, work)
    if marked:
        what = f"its mailbox {gone.guid} is disconnected"
    elif marked is None:
        what = f"its server disconnects the mailbox {gone.guid} within minutes, if there is one"
    else:
        what = "nothing had reached its mailbox yet"
    echo(f"removed {gone.name}; {what}")


def _set_enabled(name: str, enabled: bool, state_dir: str | None) -> None:
    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        await directory.write.set_enabled(name, enabled)

    in_directory(state_dir, work)
    echo(f"{name} may {'log on' if enabled else 'not log on any more'}")


def _database(organization: Organization, wanted: str) -> Database | None:
    """The database of this name or on this server; without a name the first one, None where there is none."""
    if not wanted:
        return next(iter(organization.databases), None)
    database = organization.database(wanted)
    if database is None:
        names = ", ".join(one.name for one in organization.databases) or "none"
        raise click.ClickException(f"{wanted} is no mailbox database of this organization ({names})")
    return database
