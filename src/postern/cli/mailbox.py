"""`postern mailbox` shows how much is in mailboxes; `sharing`, `out_of_office`, `working_hours` and `disconnected` have its other
commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from postern.cli import disconnected, sharing
from postern.cli.directory import in_directory, own_option, without_own
from postern.cli.disconnected import mailbox_database
from postern.cli.out_of_office import out_of_office
from postern.cli.sizes import size
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo_json, json_option, print_table
from postern.cli.working_hours import working_hours
from postern.model.folders import Folder
from postern.model.mailbox import MailboxError
from postern.model.organization import Role

if TYPE_CHECKING:
    from postern.directory.listing import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder


@dataclass(frozen=True, slots=True)
class _Mailbox:
    """A mailbox and its owner. `folders` is empty for a mailbox that nothing has reached yet."""

    owner: Listing
    quota: int
    folders: list[Folder]

    @property
    def used(self) -> int:
        return sum(folder.size for folder in self.folders)

    @property
    def messages(self) -> int:
        return sum(folder.messages for folder in self.folders)

    @property
    def unseen(self) -> int:
        return sum(folder.unseen for folder in self.folders)


@click.group("mailbox")
def mailbox() -> None:
    """Show and share mailboxes. `postern user` adds and removes users."""


mailbox.add_command(disconnected.listing)
mailbox.add_command(disconnected.connect)
mailbox.add_command(disconnected.purge)
for command in (sharing.grant, sharing.revoke, sharing.rights, out_of_office, working_hours):
    mailbox.add_command(command)


@mailbox.command("stats")
@click.argument("name", required=False)
@own_option
@json_option
@state_option
def stats(name: str | None, own: bool, as_json: bool, state_dir: str | None) -> None:
    """Show the messages and sizes of all mailboxes, or of the folders of NAME.

    For example `postern mailbox stats alice`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> list[_Mailbox]:
        if name is not None:
            return await _mailboxes([await directory.write.show(name)], organization, state)
        everybody = await disconnected.owners(directory)
        return await _mailboxes(everybody if own else without_own(everybody), organization, state)

    boxes = in_directory(state_dir, work, Role.MAILBOX)
    if as_json:
        echo_json([_as_dict(box) for box in boxes])
    elif name is not None:
        folders = [("/".join(f.path), str(f.messages), str(f.unseen), size(f.size)) for f in boxes[0].folders]
        print_table(("folder", "messages", "unseen", "size"), folders, "no mail has reached this mailbox yet")
    else:
        rows = [
            (
                box.owner.name,
                str(box.messages),
                str(box.unseen),
                size(box.used),
                size(box.quota),
                f"{100 * box.used / box.quota:.0f} %" if box.quota else "",
            )
            for box in boxes
        ]
        print_table(("mailbox", "messages", "unseen", "size", "quota", "full"), rows, "no mailbox")


async def _mailboxes(owners: list[Listing], organization: Organization, state: StateFolder) -> list[_Mailbox]:
    boxes = []
    async with mailbox_database(organization, state) as database:
        for owner in owners:
            try:
                folders = await database.folders(owner.guid)
            except MailboxError as error:
                if error.code != "NONEXISTENT":
                    raise
                folders = []
            boxes.append(_Mailbox(owner, owner.quota or organization.limits.mailbox_quota, folders))
    return boxes


def _as_dict(box: _Mailbox) -> dict[str, object]:
    return {
        "guid": str(box.owner.guid),
        "name": box.owner.name,
        "messages": box.messages,
        "unseen": box.unseen,
        "size": box.used,
        "quota": box.quota,
        "folders": [
            {"folder": list(f.path), "messages": f.messages, "unseen": f.unseen, "size": f.size} for f in box.folders
        ],
    }
