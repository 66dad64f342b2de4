"""`postern user` manages the organization's users and rooms, with their passwords, forwarding and quotas."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from postern.cli import disconnected, user_certificate
from postern.cli.called import called
from postern.cli.directory import (
    accepted_address,
    as_dict,
    confirmed,
    database_named,
    home,
    in_active_directory,
    in_directory,
    keep_postmaster,
    new_password,
    own_option,
    password_option,
    print_listing,
    refuse_postmaster,
    verifiers_of,
    without_own,
)
from postern.cli.failures import Failure
from postern.cli.sizes import octets, size
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_option, print_table
from postern.model.directory import RecipientType
from postern.model.words import counted

if TYPE_CHECKING:
    from postern.directory.listing import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.mailbox import DisconnectedMailbox
    from postern.model.organization import Database, Limits, Organization, StateFolder


@click.group("user")
def user() -> None:
    """Manage users and rooms, who have mailboxes, and who may log on.

    NAME is a logon name (alice@example.org), any address, or a short name (alice).
    """


user.add_command(user_certificate.certificate)


@user.command("add")
@click.argument("address")
@click.option("--name", "display_name", default="", metavar="TEXT", help="The display name.")
@click.option("--alias", "aliases", multiple=True, metavar="ADDRESS", help="A further address; may be repeated.")
@click.option(
    "--quota", type=octets, default=0, metavar="SIZE", help="2G, 500M, 100K; by default the limit of the organization."
)
@click.option(
    *("--database", "--server", "database"),
    default="",
    metavar="NAME",
    help="The mailbox database, or its server; by default the first one.",
)
@click.option("--room", is_flag=True, help="Make it a room, on whose mailbox nobody logs on.")
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

    In Active Directory an account that is there gets the mailbox and keeps its password. One that is not there is made if
    --password-stdin brings a password and this server may make accounts.

    For example `postern user add alice@example.test --name "Alice Adams"`.
    """

    async def check(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[str, list[str], Database | None]:
        full = await accepted_address(directory, organization, address)
        further = [await accepted_address(directory, organization, alias) for alias in aliases]
        return full, further, database_named(organization, database)

    async def free(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        from postern.directory.settings import checked  # the directory is slow to import

        full, further, _ = await check(directory, organization, state)
        await directory.write.refuse_taken([checked(each) for each in (full, *further)])

    asked = not room and (password_stdin or not in_active_directory(state_dir))
    if asked and not password_stdin:
        in_directory(state_dir, free)  # nobody types a password, twice, for an account that cannot be made
    password = new_password(password_stdin) if asked else ""

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[str, list[DisconnectedMailbox]]:
        full, further, home_database = await check(directory, organization, state)
        await directory.write.add_user(
            full,
            await verifiers_of(directory, full, password) if password else {},
            display_name=display_name,
            aliases=further,
            database=home_database,
            quota=quota,
            hidden=hidden,
            room=room,
        )
        return full, await disconnected.of_address(home_database, full)

    full, earlier = in_directory(state_dir, work)
    echo(f"added {full}")
    for box in earlier:
        echo(
            f"a disconnected mailbox of {box.owner} is still there, with {counted(box.items, 'message')}: "
            f"`{called()} mailbox connect {box.mailbox} {full}` before the first mail gives it back"
        )


@user.command("list")
@click.option("--rooms", is_flag=True, help="List rooms instead of people.")
@own_option
@json_option
@state_option
def listing(rooms: bool, own: bool, as_json: bool, state_dir: str | None) -> None:
    """List users, or rooms.

    For example `postern user list --rooms`.
    """
    kind = RecipientType.ROOM if rooms else RecipientType.USER

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[list[Listing], Organization]:
        listings = await directory.write.listings(kind)
        return listings if own else without_own(listings), organization

    users, organization = in_directory(state_dir, work)
    if as_json:
        echo_json([as_dict(entry, organization) for entry in users])
        return
    rows = [
        (
            entry.name,
            entry.display_name,
            ", ".join(entry.aliases),
            home(entry, organization)[0],
            size(entry.quota) if entry.quota else "",
            "yes" if entry.enabled else "no",
        )
        for entry in users
    ]
    print_table(
        ("name", "display name", "aliases", "database", "quota", "log on"), rows, "no room" if rooms else "no user"
    )


@user.command("show")
@click.argument("name")
@json_option
@state_option
def show(name: str, as_json: bool, state_dir: str | None) -> None:
    """Show a user or room.

    For example `postern user show alice`.
    """

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[Listing, Organization]:
        return await directory.write.show(name), organization

    entry, organization = in_directory(state_dir, work)
    if as_json:
        echo_json(as_dict(entry, organization))
    else:
        print_listing(entry, organization)


@user.command("passwd")
@click.argument("name")
@password_option
@state_option
def passwd(name: str, password_stdin: bool, state_dir: str | None) -> None:
    """Set the password of a user. The old one is refused at once, everywhere.

    For example `postern user passwd alice`.
    """

    async def known(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        await directory.write.show(name)

    if not password_stdin:
        in_directory(state_dir, known)
    password = new_password(password_stdin)

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> list[str]:
        entry = await directory.write.show(name)
        made = await verifiers_of(directory, entry.name, password)
        await directory.write.set_verifiers(name, made)
        return sorted(made)

    kinds = in_directory(state_dir, work)
    echo(f"the password of {name} is set (kept as {', '.join(kinds)})")


@user.command("enable")
@click.argument("name")
@state_option
def enable(name: str, state_dir: str | None) -> None:
    """Let a user log on again.

    For example `postern user enable alice`.
    """
    _set_enabled(name, True, state_dir)


@user.command("disable")
@click.argument("name")
@state_option
def disable(name: str, state_dir: str | None) -> None:
    """Keep a user from logging on; mail still reaches the mailbox.

    For example `postern user disable alice`.
    """
    _set_enabled(name, False, state_dir)


@user.command("quota")
@click.argument("name")
@click.argument("quota", type=octets, metavar="SIZE")
@state_option
def quota(name: str, quota: int, state_dir: str | None) -> None:
    """Set how much a mailbox may hold: 2G, 500M, 100K; 0 for the limit of the organization.

    It is kept in whole KB, rounded up.

    For example `postern user quota alice 2G`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> tuple[Listing, Limits]:
        await directory.write.set_quota(name, quota)
        return await directory.write.show(name), organization.limits

    entry, limits = in_directory(state_dir, work)
    if not entry.quota:
        echo(f"the quota of {entry.name} is the limit of the organization, {size(limits.mailbox_quota)}")
        return
    echo(f"the quota of {entry.name} is {size(entry.quota)}")  # as it is kept: the directory counts in whole KB
    if entry.quota < limits.message_size:
        echo(f"That is less than one message may have, {size(limits.message_size)}: larger ones are refused.")


@user.command("forward")
@click.argument("name")
@click.argument("to", required=False, default="")
@click.option("--keep", is_flag=True, help="Deliver a copy to the mailbox, too.")
@state_option
def forward(name: str, to: str, keep: bool, state_dir: str | None) -> None:
    """Forward the mail of a user to another recipient of this organization; without TO, stop that.

    For example `postern user forward alice bob --keep`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        await directory.write.set_forwarding(name, to, keep)

    in_directory(state_dir, work)
    echo(f"{name} forwards to {to}" if to else f"{name} no longer forwards")


@user.command("send-as")
@click.argument("name")
@click.argument("address")
@click.option("--remove", is_flag=True, help="Take the right away.")
@state_option
def send_as(name: str, address: str, remove: bool, state_dir: str | None) -> None:
    """Let a user send as an address besides those of the mailbox.

    For example `postern user send-as alice sales@example.test`.
    """

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
    """Remove a user or room from the directory. The mailbox is disconnected, and kept for `mailbox-retention` (30 days).

    For example `postern user remove alice`.
    """
    full = name if yes else confirmed(state_dir, name, (RecipientType.USER, RecipientType.ROOM))

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[Listing, bool | None]:
        entry = await directory.write.show(full)
        kind = entry.type
        if kind not in (RecipientType.USER, RecipientType.ROOM):
            raise Failure(f"{full} is a {kind}: `postern {kind} remove {full}` removes it", os.EX_DATAERR)
        refuse_postmaster(organization, entry)
        gone = await directory.write.remove(full, kind)
        await keep_postmaster(directory, organization)
        return gone, await disconnected.disconnect(organization, gone)

    gone, marked = in_directory(state_dir, work)
    if marked:
        mailbox = f"its mailbox {gone.guid} is disconnected"
    elif marked is None:
        mailbox = f"its server disconnects the mailbox {gone.guid} within minutes, if there is one"
    else:
        mailbox = "no mail had reached its mailbox yet"
    echo(f"removed {gone.name}; {mailbox}")


def _set_enabled(name: str, enabled: bool, state_dir: str | None) -> None:
    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        await directory.write.set_enabled(name, enabled)

    in_directory(state_dir, work)
    echo(f"{name} may {'' if enabled else 'no longer '}log on")
