"""`postern mailbox list --disconnected`, `connect` and `purge`: mailboxes whose owner the directory no longer has."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID

import click

from postern.cli.directory import in_directory, size
from postern.cli.state_folder import state_option
from postern.cli.terminal import ask, day, echo, echo_json, json_option, print_table
from postern.model.directory import RecipientType
from postern.model.domains import fold, shown
from postern.model.mailbox import DisconnectedMailbox, MailboxError
from postern.model.organization import Role
from postern.model.words import counted

if TYPE_CHECKING:
    from postern.directory.administration import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Database, Organization, StateFolder
    from postern.store.database import MailboxDatabase


def mailbox_database(
    organization: Organization, state: StateFolder
) -> contextlib.AbstractAsyncContextManager[MailboxDatabase]:
    """Opens the mailbox database of this host: its server's own; on a host without one, that which all can reach. Raises
    ClickException where there is none or more than one, none answers, or it refuses what was asked."""
    from postern.host import configuration

    here = configuration.recorded(state)
    reached = [one for one in organization.databases if one.url]
    urls = {one.url for one in reached if here in (None, one.server)} or {one.url for one in reached}
    if len(urls) != 1:
        where = " or ".join(one.server for one in organization.databases) or "a mailbox server"
        raise click.ClickException(f"this host has no mailbox database of its own: say this on {where}")
    return _opened(urls.pop())


@contextlib.asynccontextmanager
async def _opened(url: str) -> AsyncIterator[MailboxDatabase]:
    from postern.store.database import MailboxDatabase

    try:
        database = await MailboxDatabase.open(url, 1)
    except MailboxError as error:
        words = str(error)[:1].lower() + str(error)[1:]
        raise click.ClickException(
            f"{words}: start this host with `postern run`, or name another with --state"
        ) from None
    try:
        yield database
    except MailboxError as error:
        raise click.ClickException(str(error)) from None
    finally:
        await database.close()


async def owners(directory: OpenDirectory) -> list[Listing]:
    """Everybody who has a mailbox."""
    return [
        *await directory.write.listings(RecipientType.USER),
        *await directory.write.listings(RecipientType.ROOM),
    ]


async def of_address(database: Database | None, address: str) -> list[DisconnectedMailbox]:
    """Disconnected mailboxes in this database whose owner had this address; () where this host does not reach it."""
    if database is not None and database.url:
        with contextlib.suppress(click.ClickException):
            async with _opened(database.url) as opened:
                return [one for one in await opened.disconnected() if fold(one.owner) == fold(address)]
    return []


async def disconnect(organization: Organization, gone: Listing) -> bool | None:
    """Marks the mailbox of somebody who was removed; False if there was none, None where its database is out of reach."""
    database = organization.database(gone.database)
    if database is not None and database.url:
        with contextlib.suppress(click.ClickException):
            async with _opened(database.url) as opened:
                return await opened.disconnect(gone.guid, fold(gone.primary))
    return None


async def _found(directory: OpenDirectory, database: MailboxDatabase) -> list[DisconnectedMailbox]:
    """Lists the disconnected mailboxes, and first notices whose owners were removed on another host. Raises
    DirectoryUnavailable, IncompleteAnswer."""
    await database.reconcile(directory.read.mailbox_owners)
    return await database.disconnected()


def _chosen(found: list[DisconnectedMailbox], wanted: str) -> DisconnectedMailbox:
    """The mailbox with this GUID, or the one whose owner had this address, in whichever spelling."""
    chosen = [one for one in found if wanted.lower() == str(one.mailbox) or fold(wanted) == fold(one.owner)]
    if not chosen:
        raise click.ClickException(f"no disconnected mailbox is {wanted}: `postern mailbox list --disconnected`")
    if len(chosen) > 1:
        raise click.ClickException(
            f"{len(chosen)} disconnected mailboxes were of {wanted}, name one by its GUID: "
            + ", ".join(str(one.mailbox) for one in chosen)
        )
    return chosen[0]


@click.command("list")
@click.option("--disconnected", is_flag=True, help="Those whose owner was removed: the only ones listed here.")
@json_option
@state_option
def listing(disconnected: bool, as_json: bool, state_dir: str | None) -> None:
    """List mailboxes of this host whose owner was removed; the others are in `postern mailbox stats`."""
    del disconnected  # the flag says aloud what the list has in any case

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> list[DisconnectedMailbox]:
        async with mailbox_database(organization, state) as database:
            return await _found(directory, database)

    found = in_directory(state_dir, work, Role.MAILBOX)
    if as_json:
        echo_json(
            [
                {
                    "mailbox": str(one.mailbox),
                    "owner": shown(one.owner),
                    "since": one.since,
                    "messages": one.items,
                    "size": one.used,
                }
                for one in found
            ]
        )
        return
    rows = [
        (
            shown(one.owner),
            day(one.since),
            str(one.items),
            size(one.used),
            str(one.mailbox),
        )
        for one in found
    ]
    print_table(
        ("owner", "since", "messages", "size", "mailbox"),
        rows,
        "no mailbox is disconnected; those of users: `postern mailbox stats`",
    )


def _not_connected(error: MailboxError, mailbox: UUID, heir: str) -> str:
    """What is said where the mailbox database refused to give `heir` a mailbox, with the way out where there is one."""
    if error.code != "CANNOT":
        return str(error)
    local, _, domain = heir.partition("@")
    spare = f"{local}-old@{domain}"
    return (
        f"the mailbox of {heir} has messages already, so this one needs a user of its own: `postern user add {spare}`, then "
        f"`postern mailbox connect {mailbox} {spare}`; a mail program that is logged on to both can move messages"
    )


@click.command("connect")
@click.argument("mailbox")
@click.argument("name")
@state_option
def connect(mailbox: str, name: str, state_dir: str | None) -> None:
    """Give a disconnected mailbox to a user. MAILBOX is its GUID or the address that its owner had; NAME has no mail yet."""

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> str:
        heir = await directory.write.show(name)
        if heir.type not in (RecipientType.USER, RecipientType.ROOM):
            raise click.ClickException(f"{name} is a {heir.type}, which has no mailbox")
        async with mailbox_database(organization, state) as database:
            chosen = _chosen(await _found(directory, database), mailbox).mailbox
            try:
                await database.connect(chosen, heir.guid)
            except MailboxError as error:
                raise click.ClickException(_not_connected(error, chosen, heir.name)) from None
        return heir.name

    echo(f"{in_directory(state_dir, work, Role.MAILBOX)} has the mailbox now")


@click.command("purge")
@click.argument("mailbox")
@click.option("--yes", is_flag=True, help="Do not ask.")
@state_option
def purge(mailbox: str, yes: bool, state_dir: str | None) -> None:
    """Purge a disconnected mailbox at once, with all its mail. MAILBOX is its GUID or the address that its owner had."""

    async def find(directory: OpenDirectory, organization: Organization, state: StateFolder) -> DisconnectedMailbox:
        async with mailbox_database(organization, state) as database:
            return _chosen(await _found(directory, database), mailbox)

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        async with mailbox_database(organization, state) as database:
            await database.purge(found.mailbox)

    found = in_directory(state_dir, find, Role.MAILBOX)
    named = f"{shown(found.owner)} ({found.mailbox})" if found.owner else str(found.mailbox)
    if not yes:
        what = f"{counted(found.items, 'message')}, {size(found.used)}"
        ask(f"Purge the mailbox of {named} with all its mail ({what}), for good?", "--yes")
    in_directory(state_dir, work, Role.MAILBOX)
    echo(f"purged the mailbox of {named}")
