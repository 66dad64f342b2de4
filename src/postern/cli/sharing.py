"""`postern mailbox grant`, `revoke` and `rights` say what others may do in a mailbox."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import click

from postern.cli.directory import in_directory
from postern.cli.disconnected import opened_database
from postern.cli.failures import Failure
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_option, print_table
from postern.model.directory import RecipientType
from postern.model.domains import shown
from postern.model.folders import ANONYMOUS, EVERYBODY, FolderKind, FolderNode, Right
from postern.model.organization import Role
from postern.model.sharing import ROLES, role_of

if TYPE_CHECKING:
    from postern.directory.listing import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder
    from postern.store.database import MailboxDatabase

_ANYBODY = {"everybody": EVERYBODY, "anonymous": ANONYMOUS}
_WHOLE = "the whole mailbox"
_FULL, _ON_BEHALF = "full access", "send on behalf"

_FOLDER = "A folder, such as calendar, inbox, or Projects/2026"

full_option = click.option("--full-access", is_flag=True, help="The whole mailbox, as its owner has it.")
behalf_option = click.option("--send-on-behalf", is_flag=True, help="Sending mail on behalf of its owner.")


@dataclass(frozen=True, slots=True)
class _Granted:
    """The rights on a mailbox. `folders` has names of grantees with their rights, by the path of the folder."""

    name: str
    full_access: list[str]
    send_on_behalf: list[str]
    folders: dict[tuple[str, ...], list[tuple[str, Right]]]


@click.command("grant")
@click.argument("mailbox")
@click.argument("grantee")
@click.option(
    "--rights", type=click.Choice(tuple(ROLES)), metavar="ROLE", help=f"The rights in a folder: {', '.join(ROLES)}."
)
@click.option("--folder", default="", metavar="PATH", help=f"{_FOLDER}; by default the calendar.")
@full_option
@behalf_option
@state_option
def grant(
    mailbox: str,
    grantee: str,
    rights: str | None,
    folder: str,
    full_access: bool,
    send_on_behalf: bool,
    state_dir: str | None,
) -> None:
    """Let GRANTEE, a user or a group, work in MAILBOX. The grantee `everybody` stands for all who have no rights of their own.

    Rights in a folder take the place of those that the grantee had there; `none` takes from a user what a group has.

    For example `postern mailbox grant alice bob --rights editor`.
    """
    if rights is None and not full_access and not send_on_behalf:
        raise Failure("name what is granted: --rights, --full-access or --send-on-behalf", os.EX_USAGE)
    if folder and rights is None:
        raise Failure("name the rights in the folder: --rights editor, for example", os.EX_USAGE)
    if grantee in _ANYBODY and (full_access or send_on_behalf):
        raise Failure(f"{grantee} can have rights in folders only: name a user or a group", os.EX_USAGE)

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> list[str]:
        owner = await _owner(directory, mailbox)
        guid, name = await _grantee(directory, grantee)
        if guid == owner.guid:
            raise Failure(
                f"{owner.name} may do everything in this mailbox: name another user or a group", os.EX_DATAERR
            )
        done: list[str] = []
        if rights is not None or full_access:
            async with opened_database(organization, owner) as database:
                await database.logon(owner.guid)
                if rights is not None:
                    node, path = await _folder(database, owner, folder)
                    if node.kind is FolderKind.OUTBOX:
                        raise Failure(
                            "nobody works in the Outbox of another, where messages leave in the owner's name: use "
                            "--send-on-behalf",
                            os.EX_DATAERR,
                        )
                    await database.set_rights(owner.guid, node.id, guid, ROLES[rights])
                    done.append(f"{name} is {rights} of {'/'.join(path)} of {owner.name}")
                if full_access:
                    await database.set_full_access(owner.guid, guid, True)
                    done.append(f"{name} has full access to {owner.name}")
        if send_on_behalf:
            await directory.write.add_delegate(owner.name, name)
            done.append(f"{name} may send on behalf of {owner.name}")
        return done

    for line in in_directory(state_dir, work, Role.MAILBOX):
        echo(line)


@click.command("revoke")
@click.argument("mailbox")
@click.argument("grantee")
@click.option("--folder", default="", metavar="PATH", help=f"{_FOLDER}.")
@full_option
@behalf_option
@state_option
def revoke(
    mailbox: str, grantee: str, folder: str, full_access: bool, send_on_behalf: bool, state_dir: str | None
) -> None:
    """Take from GRANTEE what was granted in MAILBOX: what the options name, else everything.

    One who has left the directory is named by the GUID that `postern mailbox rights` shows.

    For example `postern mailbox revoke alice bob --folder calendar`.
    """
    everything = not folder and not full_access and not send_on_behalf

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> int:
        owner = await _owner(directory, mailbox)
        guid, name = await _holder(directory, grantee)
        count = 0
        if everything or folder or full_access:
            async with opened_database(organization, owner) as database:
                await database.logon(owner.guid)
                count += await _take_back(database, owner, guid, folder, everything, full_access)
        if (everything or send_on_behalf) and grantee not in _ANYBODY and name in owner.delegates:
            await directory.write.remove_delegate(owner.name, name)
            count += 1
        return count

    count = in_directory(state_dir, work, Role.MAILBOX)
    echo(f"{grantee} has nothing of that: nothing was changed" if not count else f"revoked from {grantee}")


async def _take_back(
    database: MailboxDatabase, owner: Listing, guid: UUID, folder: str, everything: bool, full_access: bool
) -> int:
    """Removes entries of a grantee from a mailbox, and returns how many there were."""
    entries = await database.mailbox_rights(owner.guid)
    folders = [number for number, rights in entries.items() if guid in rights]
    if folder:
        node, _ = await _folder(database, owner, folder)
        folders = [number for number in folders if number == node.id]
    elif not everything:
        folders = []
    for number in folders:
        await database.set_rights(owner.guid, number, guid, None)
    holds = (everything or full_access) and guid in await database.full_access(owner.guid)
    if holds:
        await database.set_full_access(owner.guid, guid, False)
    return len(folders) + holds


@click.command("rights")
@click.argument("mailbox")
@json_option
@state_option
def rights(mailbox: str, as_json: bool, state_dir: str | None) -> None:
    """Show what others may do in MAILBOX.

    For example `postern mailbox rights alice`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> _Granted:
        owner = await _owner(directory, mailbox)
        async with opened_database(organization, owner) as database:
            await database.logon(owner.guid)
            entries = await database.mailbox_rights(owner.guid)
            holders = await database.full_access(owner.guid)
            paths = folder_paths(await database.tree(owner.guid))
        names = await _names(directory, {*holders, *(guid for held in entries.values() for guid in held)})
        folders = {
            paths[number]: sorted((names[guid], held[guid]) for guid in held)
            for number, held in entries.items()
            if number in paths
        }
        full = sorted(names[guid] for guid in holders)
        return _Granted(owner.name, full, sorted(owner.delegates), dict(sorted(folders.items())))

    granted = in_directory(state_dir, work, Role.MAILBOX)
    if as_json:
        echo_json(_as_dict(granted))
        return
    rows = [(_WHOLE, name, _FULL) for name in granted.full_access]
    rows += [(_WHOLE, name, _ON_BEHALF) for name in granted.send_on_behalf]
    rows += [
        ("/".join(path), name, role_of(held)) for path, held_by in granted.folders.items() for name, held in held_by
    ]
    print_table(("of", "grantee", "rights"), rows, f"nobody was granted anything in the mailbox of {granted.name}")


def _as_dict(granted: _Granted) -> dict[str, object]:
    return {
        "name": granted.name,
        "full_access": granted.full_access,
        "send_on_behalf": granted.send_on_behalf,
        "folders": [
            {
                "folder": list(path),
                "grants": [
                    {"grantee": name, "role": role_of(held), "rights": [each.name for each in Right if each in held]}
                    for name, held in grants
                ],
            }
            for path, grants in granted.folders.items()
        ],
    }


async def _owner(directory: OpenDirectory, name: str) -> Listing:
    entry = await directory.write.show(name)
    if entry.type not in (RecipientType.USER, RecipientType.ROOM):
        raise Failure(f"{name} is a {entry.type}, which has no mailbox: name a user or a room", os.EX_DATAERR)
    return entry


async def _grantee(directory: OpenDirectory, name: str) -> tuple[UUID, str]:
    """Returns the directory id of a grantee, and the grantee's name."""
    if name in _ANYBODY:
        return _ANYBODY[name], name
    entry = await directory.write.show(name)
    if entry.type not in (RecipientType.USER, RecipientType.GROUP):
        raise Failure(f"{name} is a {entry.type}, which cannot log on: name a user or a group", os.EX_DATAERR)
    return entry.guid, entry.primary


async def _holder(directory: OpenDirectory, name: str) -> tuple[UUID, str]:
    """Returns what `_grantee` does. A GUID stands for a grantee who has left the directory, as `rights` shows one."""
    try:
        return UUID(name), name
    except ValueError:
        return await _grantee(directory, name)


async def _names(directory: OpenDirectory, guids: Collection[UUID]) -> Mapping[UUID, str]:
    """Returns the addresses of grantees; one that the directory has no more stands with its GUID."""
    from postern.services.access.grantees import primary_addresses

    addresses = await primary_addresses(directory.read, guids)
    names = {guid: shown(addresses[guid]) if guid in addresses else str(guid) for guid in guids}
    return names | {guid: name for name, guid in _ANYBODY.items()}


def folder_paths(nodes: Sequence[FolderNode]) -> dict[int, tuple[str, ...]]:
    """Returns the paths of folders, by id."""
    by_id = {node.id: node for node in nodes}
    paths: dict[int, tuple[str, ...]] = {}
    for node in nodes:
        names: list[str] = []
        at: FolderNode | None = node
        while at is not None and len(names) < len(nodes):
            names.insert(0, at.name)
            at = by_id.get(at.parent)
        paths[node.id] = tuple(names)
    return paths


async def _folder(database: MailboxDatabase, owner: Listing, wanted: str) -> tuple[FolderNode, tuple[str, ...]]:
    """Finds a folder by its path, or a well-known one by the name of its kind. Raises Failure."""
    nodes = await database.tree(owner.guid)
    paths = folder_paths(nodes)
    wanted = wanted or FolderKind.CALENDAR
    by_path = [node for node in nodes if paths[node.id] == tuple(wanted.split("/"))]
    by_kind = [node for node in nodes if node.kind is not FolderKind.USER and node.kind == wanted.lower()]
    for node in (*by_path, *by_kind):
        return node, paths[node.id]
    names = ", ".join(sorted("/".join(path) for path in paths.values())[:20])
    raise Failure(f"the mailbox of {owner.name} has no folder {wanted}: it has {names}", os.EX_NOUSER)
