"""`postern mailbox list`, `connect` and `purge` manage disconnected mailboxes, whose owner the directory no longer has."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID

import click

from postern.cli.directory import in_directory
from postern.cli.failures import Failure, failure
from postern.cli.sizes import size
from postern.cli.state_folder import state_option
from postern.cli.terminal import ask, day, echo, echo_json, json_moment, json_option, print_table
from postern.model.directory import RecipientType
from postern.model.domains import fold, shown
from postern.model.mailbox import DisconnectedMailbox, MailboxError
from postern.model.organization import Role
from postern.model.words import counted

if TYPE_CHECKING:
    from postern.directory.listing import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Database, Organization, StateFolder
    from postern.store.database import MailboxDatabase


def mailbox_database(
    organization: Organization, state: StateFolder
) -> contextlib.AbstractAsyncContextManager[MailboxDatabase]:
    """Opens the mailbox database of this host: its server's own; on a host without one, that which all can reach. Raises
    Failure where there is none or more than one, none answers, or it refuses what was asked."""
    from postern.host import configuration

    here = configuration.recorded(state)
    reached = [each for each in organization.databases if each.url]
    urls = {each.url for each in reached if here in (None, each.server)} or {each.url for each in reached}
    if len(urls) != 1:
        where = " or ".join(each.server for each in organization.databases) or "a mailbox server"
        raise Failure(f"this host has no mailbox database of its own: say this on {where}", os.EX_CONFIG)
    return _opened(urls.pop())


@contextlib.asynccontextmanager
async def _opened(url: str) -> AsyncIterator[MailboxDatabase]:
    from postern.store.database import MailboxDatabase

    try:
        database = await MailboxDatabase.open(url, 1)
    except MailboxError as error:
        reason = str(error)[:1].lower() + str(error)[1:]
        raise failure(error, f"{reason}: start this host with `postern run`, or name another with --state") from None
    try:
        yield database
    except MailboxError as error:
        raise failure(error) from None
    finally:
        await database.close()


def opened_database(
    organization: Organization, owner: Listing
) -> contextlib.AbstractAsyncContextManager[MailboxDatabase]:
    """Opens the database that has a mailbox. Raises Failure where this host does not reach it."""
    database = organization.database(owner.database)
    if database is None:
        raise Failure(f"{owner.name} has no mailbox database: see `postern user show {owner.name}`", os.EX_DATAERR)
    if not database.url:
        raise Failure(f"the mailbox of {owner.name} is on {database.server}: say this there", os.EX_CONFIG)
    return _opened(database.url)


async def owners(directory: OpenDirectory) -> list[Listing]:
    """Lists the users and rooms, who have mailboxes."""
    return [
        *await directory.write.listings(RecipientType.USER),
        *await directory.write.listings(RecipientType.ROOM),
    ]


async def of_address(database: Database | None, address: str) -> list[DisconnectedMailbox]:
    """Lists the disconnected mailboxes in this database whose owner had this address; none where this host does not reach it."""
    if database is not None and database.url:
        with contextlib.suppress(click.ClickException):
            async with _opened(database.url) as opened:
                return [box for box in await opened.disconnected() if fold(box.owner) == fold(address)]
    return []


async def disconnect(organization: Organization, gone: Listing) -> bool | None:
    """Marks the mailbox of a user who was removed; False if there was none, None where its database is out of reach."""
    database = organization.database(gone.database)
    if database is not None and database.url:
        with contextlib.suppress(click.ClickException):
            async with _opened(database.url) as opened:
                return await opened.disconnect(gone.guid, fold(gone.primary))
    return None


async def _reconciled(directory: OpenDirectory, database: MailboxDatabase) -> list[DisconnectedMailbox]:
    """Lists the disconnected mailboxes, after it has looked for owners who were removed on another host. Raises
    DirectoryUnavailable, IncompleteAnswer."""
    await database.reconcile(directory.read.mailbox_owners)
    return await database.disconnected()


def _chosen(boxes: list[DisconnectedMailbox], wanted: str) -> DisconnectedMailbox:
    """Returns the mailbox with this GUID, or the one whose owner had this address, in any spelling."""
    chosen = [box for box in boxes if wanted.lower() == str(box.mailbox) or fold(wanted) == fold(box.owner)]
    if not chosen:
        raise Failure(
            f"there is no disconnected mailbox {wanted}: `postern mailbox list --disconnected` names them", os.EX_NOUSER
        )
    if len(chosen) > 1:
        guids = ", ".join(str(box.mailbox) for box in chosen)
        raise Failure(
            f"{len(chosen)} disconnected mailboxes belonged to {wanted}: name one by its GUID, {guids}", os.EX_DATAERR
        )
    return chosen[0]


@click.command("list")
@click.option("--disconnected", is_flag=True, help="Only mailboxes whose owner was removed; no others are listed here.")
@json_option
@state_option
def listing(disconnected: bool, as_json: bool, state_dir: str | None) -> None:
    """List mailboxes of this host whose owner was removed; the others are in `postern mailbox stats`.

    For example `postern mailbox list --disconnected`.
    """
    del disconnected  # the list has no others in any case

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> list[DisconnectedMailbox]:
        async with mailbox_database(organization, state) as database:
            return await _reconciled(directory, database)

    boxes = in_directory(state_dir, work, Role.MAILBOX)
    if as_json:
        echo_json(
            [
                {
                    "guid": str(box.mailbox),
                    "owner": shown(box.owner),
                    "since": json_moment(box.since),
                    "messages": box.items,
                    "size": box.used,
                }
                for box in boxes
            ]
        )
        return
    rows = [
        (
            shown(box.owner),
            day(box.since),
            str(box.items),
            size(box.used),
            str(box.mailbox),
        )
        for box in boxes
    ]
    print_table(
        ("owner", "since", "messages", "size", "GUID"),
        rows,
        "no disconnected mailbox: `postern mailbox stats` shows those of users",
    )


def _not_connected(error: MailboxError, mailbox: UUID, heir: str) -> str:
    """Says why the mailbox database refused to give `heir` a mailbox, and what to do where something can be done."""
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
    """Give a disconnected mailbox to a user. MAILBOX is its GUID or the address that its owner had; NAME has no mail yet.

    For example `postern mailbox connect alice@example.test alice2`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> str:
        heir = await directory.write.show(name)
        if heir.type not in (RecipientType.USER, RecipientType.ROOM):
            raise Failure(f"{name} is a {heir.type}, which has no mailbox: name a user", os.EX_DATAERR)
        async with mailbox_database(organization, state) as database:
            chosen = _chosen(await _reconciled(directory, database), mailbox).mailbox
            try:
                await database.connect(chosen, heir.guid)
            except MailboxError as error:
                raise Failure(_not_connected(error, chosen, heir.name), os.EX_DATAERR) from None
        return heir.name

    echo(f"{in_directory(state_dir, work, Role.MAILBOX)} has the mailbox now")


@click.command("purge")
@click.argument("mailbox")
@click.option("--yes", is_flag=True, help="Do not ask.")
@state_option
def purge(mailbox: str, yes: bool, state_dir: str | None) -> None:
    """Purge a disconnected mailbox at once, with all its mail. MAILBOX is its GUID or the address that its owner had.

    For example `postern mailbox purge alice@example.test`.
    """

    async def find(directory: OpenDirectory, organization: Organization, state: StateFolder) -> DisconnectedMailbox:
        async with mailbox_database(organization, state) as database:
            return _chosen(await _reconciled(directory, database), mailbox)

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        async with mailbox_database(organization, state) as database:
            await database.purge(box.mailbox)

    box = in_directory(state_dir, find, Role.MAILBOX)
    named = f"{shown(box.owner)} ({box.mailbox})" if box.owner else str(box.mailbox)
    if not yes:
        what = f"{counted(box.items, 'message')}, {size(box.used)}"
        ask(f"Purge the mailbox of {named} with all its mail ({what}), for good?", "--yes")
    in_directory(state_dir, work, Role.MAILBOX)
    echo(f"purged the mailbox of {named}")
