"""`postern mailbox` shows how much is in mailboxes; `sharing`, `out_of_office`, `working_hours` and `disconnected` have its other
commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import click

from postern.cli import disconnected, sharing
from postern.cli.directory import in_directory, own_option, without_own
from postern.cli.disconnected import mailbox_database
from postern.cli.out_of_office import out_of_office
from postern.cli.sharing import folder_paths
from postern.cli.sizes import size
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo_json, json_option, print_table
from postern.cli.working_hours import working_hours
from postern.model.folders import FOLDER_CLASSES, MAIL, FolderNode, is_class
from postern.model.mailbox import MailboxError
from postern.model.organization import Role

if TYPE_CHECKING:
    from postern.directory.listing import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder
    from postern.store.database import MailboxDatabase


_CONTENTS = {MAIL: "mail"} | {name: kind.value for kind, name in FOLDER_CLASSES.items()}


class _Filled(NamedTuple):
    """A folder with what is in it. `contents` says of which kind that is: "mail", "calendar", or a class that has no word."""

    path: tuple[str, ...]
    contents: str
    items: int
    unseen: int
    size: int

    @property
    def messages(self) -> int:
        return self.items if self.contents == _CONTENTS[MAIL] else 0


@dataclass(frozen=True, slots=True)
class _Mailbox:
    """A mailbox and its owner. `folders` is empty for a mailbox that nothing has reached yet."""

    owner: Listing
    quota: int
    folders: list[_Filled]

    @property
    def used(self) -> int:
        """Octets of all folders, whatever is in them: these count against the quota."""
        return sum(folder.size for folder in self.folders)

    @property
    def messages(self) -> int:
        return sum(folder.messages for folder in self.folders)

    @property
    def unseen(self) -> int:
        return sum(folder.unseen for folder in self.folders if folder.messages)


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
    """Show the messages and sizes of all mailboxes, or what is in the folders of NAME: mail, calendars, contacts and all else.

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
        folders = [("/".join(f.path), f.contents, str(f.items), str(f.unseen), size(f.size)) for f in boxes[0].folders]
        print_table(("folder", "contents", "items", "unseen", "size"), folders, "no mail has reached this mailbox yet")
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
                folders = await _folders(database, owner)
            except MailboxError as error:
                if error.code != "NONEXISTENT":
                    raise
                folders = []
            boxes.append(_Mailbox(owner, owner.quota or organization.limits.mailbox_quota, folders))
    return boxes


async def _folders(database: MailboxDatabase, owner: Listing) -> list[_Filled]:
    """Returns all folders by path, but for search folders, which have nothing of their own."""
    nodes = [node for node in await database.tree(owner.guid) if not node.is_search]
    states, paths = await database.folder_states(owner.guid), folder_paths(nodes)
    return sorted(
        _Filled(paths[node.id], _contents(node), state.items, state.unseen, state.size)
        for node in nodes
        if (state := states.get(node.id)) is not None
    )


def _contents(node: FolderNode) -> str:
    known = (contents for base, contents in _CONTENTS.items() if is_class(node.folder_class, base))
    return next(known, node.folder_class)


def _as_dict(box: _Mailbox) -> dict[str, object]:
    return {
        "guid": str(box.owner.guid),
        "name": box.owner.name,
        "messages": box.messages,
        "unseen": box.unseen,
        "size": box.used,
        "quota": box.quota,
        "folders": [
            {
                "folder": list(f.path),
                "contents": f.contents,
                "items": f.items,
                "messages": f.messages,
                "unseen": f.unseen,
                "size": f.size,
            }
            for f in box.folders
        ],
    }
