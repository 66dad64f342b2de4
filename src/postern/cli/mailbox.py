"""`postern mailbox`: how much is in mailboxes. Reads the mailbox database of this host itself, and makes nothing in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from postern.cli import disconnected
from postern.cli.directory import in_directory, own_option, size, without_own
from postern.cli.disconnected import mailbox_database
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo_json, json_option, print_table
from postern.model.folders import Folder
from postern.model.mailbox import MailboxError
from postern.model.organization import Role

if TYPE_CHECKING:
    from postern.directory.administration import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder


@dataclass(frozen=True, slots=True)
class _Mailbox:
    """`folders` is empty for a mailbox that nothing has reached yet."""

    owner: Listing
    quota: int
    folders: list[Folder]

    @property
    def used(self) -> int:
        return sum(folder.size for folder in self.folders)


@click.group("mailbox")
def mailbox() -> None:
    """Mailboxes: what is in them. Users are added and removed by `postern user`."""


mailbox.add_command(disconnected.listing)
mailbox.add_command(disconnected.connect)
mailbox.add_command(disconnected.purge)


@mailbox.command("stats")
@click.argument("name", required=False)
@own_option
@json_option
@state_option
def stats(name: str | None, own: bool, as_json: bool, state_dir: str | None) -> None:
    """Messages and sizes: of all mailboxes, or of the folders of NAME's."""

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> list[_Mailbox]:
        if name is not None:
            return await _mailboxes([await directory.write.show(name)], organization, state)
        everybody = await disconnected.owners(directory)
        return await _mailboxes(everybody if own else without_own(everybody), organization, state)

    found = in_directory(state_dir, work, Role.MAILBOX)
    if as_json:
        echo_json([_as_dict(one) for one in found])
    elif name is not None:
        folders = [("/".join(f.path), str(f.messages), str(f.unseen), size(f.size)) for f in found[0].folders]
        print_table(("folder", "messages", "unseen", "size"), folders, "nothing has reached this mailbox yet")
    else:
        rows = [
            (
                one.owner.name,
                str(sum(folder.messages for folder in one.folders)),
                str(sum(folder.unseen for folder in one.folders)),
                size(one.used),
                size(one.quota),
                f"{100 * one.used / one.quota:.0f} %" if one.quota else "",
            )
            for one in found
        ]
        print_table(("mailbox", "messages", "unseen", "size", "quota", "full"), rows, "there is no mailbox")


async def _mailboxes(owners: list[Listing], organization: Organization, state: StateFolder) -> list[_Mailbox]:
    found = []
    async with mailbox_database(organization, state) as database:
        for owner in owners:
            try:
                folders = await database.folders(owner.guid)
            except MailboxError as error:
                if error.code != "NONEXISTENT":
                    raise
                folders = []
            found.append(_Mailbox(owner, owner.quota or organization.limits.mailbox_quota, folders))
    return found


def _as_dict(one: _Mailbox) -> dict[str, object]:
    return {
        "mailbox": str(one.owner.guid),
        "name": one.owner.name,
        "messages": sum(folder.messages for folder in one.folders),
        "size": one.used,
        "quota": one.quota,
        "folders": [
            {"path": list(f.path), "messages": f.messages, "unseen": f.unseen, "size": f.size} for f in one.folders
        ],
    }
