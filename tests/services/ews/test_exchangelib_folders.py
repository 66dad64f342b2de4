"""exchangelib at a door: folders, their items, and what others may do with them.

covers: folder_edits, moving
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from exchangelib import Account, Folder
from exchangelib.errors import (
    ErrorDeleteDistinguishedFolder,
    ErrorFolderExists,
    ErrorFolderNotFound,
    ErrorItemNotFound,
)
from exchangelib.folders import Calendar, Contacts, Inbox, Messages
from exchangelib.folders.queryset import SingleFolderQuerySet
from exchangelib.properties import CalendarPermission, DistinguishedFolderId, Mailbox, UserId

from postern.model.folders import FolderKind
from postern.model.items import NewItem
from postern.model.sharing import ROLES
from tests.services.dav.site import ALICE, BOB
from tests.services.ews.exchange import account
from tests.services.ews.site import EwsDoor

pytestmark = pytest.mark.slow
Work = Callable[[Account], None]


def at_a_door(folder: Path, work: Work, before: Callable[[EwsDoor], Awaitable[None]] | None = None) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            for address in (ALICE, BOB):
                await door.mailboxes.logon(door.guid(address))
            if before is not None:
                await before(door)
            await door.beside(lambda: work(account(door, folder, ALICE)))

    asyncio.run(steps())


def subjects(folder: Folder) -> list[str]:
    return sorted(item.subject for item in folder.all().only("subject"))


async def mails(door: EwsDoor) -> None:
    guid = door.guid(ALICE)
    inbox = next(node.id for node in await door.mailboxes.tree(guid) if node.kind is FolderKind.INBOX)
    await door.mailboxes.create(guid, inbox, [NewItem(f"Subject: {n}\r\n\r\nx\r\n".encode()) for n in range(4)])


def test_the_tree_is_shown_and_changed(tmp_path: Path) -> None:
    def work(mine: Account) -> None:
        top = mine.msg_folder_root
        projects = Folder(parent=top, name="Projects").save()
        below = Folder(parent=projects, name="2026").save()
        Calendar(parent=top, name="Trips").save()
        Contacts(parent=top, name="Clients").save()
        with pytest.raises(ErrorFolderExists):
            Folder(parent=top, name="Projects").save()
        mine.root.clear_cache()
        assert "└── 2026" in top.tree() and (top / "Projects" / "2026").id == below.id
        assert (top / "Trips").folder_class == "IPF.Appointment"
        assert (top / "Clients").folder_class == "IPF.Contact"
        projects = top / "Projects"
        projects.name = "Work"
        projects.save(update_fields=["name"])
        assert projects.refresh().name == "Work"
        (projects / "2026").move(mine.inbox)
        mine.root.clear_cache()
        assert (mine.inbox / "2026").id == below.id
        (top / "Work").delete()
        with pytest.raises(ErrorDeleteDistinguishedFolder):
            mine.inbox.delete()
        mine.root.clear_cache()
        assert "Work" not in {each.name for each in top.children}

    at_a_door(tmp_path, work)


def test_well_known_folders_are_found_and_those_that_are_not_here_are_told(tmp_path: Path) -> None:
    def work(mine: Account) -> None:
        names = (
            "calendar",
            "contacts",
            "drafts",
            "inbox",
            "journal",
            "junk",
            "notes",
            "outbox",
            "sent",
            "tasks",
            "trash",
        )
        there = {name: getattr(mine, name) for name in names}
        assert len({folder.id for folder in there.values()}) == len(names)
        assert all(folder.parent.id == mine.msg_folder_root.id for folder in there.values())
        assert mine.root.tree().startswith("Root\n") or "Top of Information Store" in mine.root.tree()
        assert {folder.id for folder in mine.root.walk()} >= {folder.id for folder in there.values()}
        for name in ("archive_root", "public_folders_root", "conversation_history", "recoverable_items_root"):
            with pytest.raises(ErrorFolderNotFound):
                getattr(mine, name).refresh()

    at_a_door(tmp_path, work)


def test_anothers_folders_are_used_by_rights(tmp_path: Path) -> None:
    async def before(door: EwsDoor) -> None:
        guid = door.guid(BOB)
        for node in await door.mailboxes.tree(guid):
            if node.kind in (FolderKind.INBOX, FolderKind.CALENDAR):
                await door.mailboxes.set_rights(guid, node.id, door.guid(ALICE), ROLES["editor"])
            if node.kind is FolderKind.INBOX:
                await door.mailboxes.create(guid, node.id, [NewItem(b"Subject: 0\r\n\r\nx\r\n")])

    def work(mine: Account) -> None:
        inbox = DistinguishedFolderId(id="inbox", mailbox=Mailbox(email_address=BOB))
        theirs = SingleFolderQuerySet(account=mine, folder=Inbox(root=mine.root, _distinguished_id=inbox)).resolve()
        (item,) = theirs.all().only("subject")
        item.move(mine.inbox)
        assert subjects(mine.inbox) == ["0"] and not theirs.all().count()

    at_a_door(tmp_path, work, before)


def test_a_folder_is_saved_as_a_whole(tmp_path: Path) -> None:
    def work(mine: Account) -> None:
        projects = Messages(parent=mine.msg_folder_root, name="Projects").save()
        projects.name = "Work"
        projects.save()
        assert projects.refresh().name == "Work"

    at_a_door(tmp_path, work)


def test_items_are_moved_copied_and_deleted(tmp_path: Path) -> None:
    def work(mine: Account) -> None:
        first, second, third, fourth = mine.inbox.all().order_by("subject").only("subject")
        first.move(mine.drafts)
        copied = second.copy(mine.drafts)
        assert copied[0] != second.id and subjects(mine.drafts) == ["0", "1"]
        third.move_to_trash()
        assert subjects(mine.trash) == ["2"]
        gone = fourth.id, fourth.changekey
        fourth.delete()
        assert subjects(mine.inbox) == ["1"]
        assert isinstance(next(mine.fetch([gone], only_fields=["subject"])), ErrorItemNotFound)
        assert mine.bulk_move(list(mine.drafts.all().only("subject")), mine.inbox)
        assert subjects(mine.inbox) == ["0", "1", "1"]
        mine.inbox.all().delete()
        mine.trash.empty()
        assert not mine.inbox.all().count() and not mine.trash.all().count()

    at_a_door(tmp_path, work, mails)


def test_folders_are_emptied_and_wiped(tmp_path: Path) -> None:
    def work(mine: Account) -> None:
        below = Folder(parent=mine.inbox, name="Below").save()
        Folder(parent=below, name="Deep").save()
        mine.bulk_copy(list(mine.inbox.all().only("subject"))[:1], below)
        mine.root.clear_cache()
        mine.inbox.empty(delete_sub_folders=False)
        assert mine.inbox.refresh().total_count == 0 and (mine.inbox / "Below").refresh().total_count == 1
        mine.inbox.wipe()
        mine.root.clear_cache()
        assert not list(mine.inbox.children)

    at_a_door(tmp_path, work, mails)


def test_permissions_are_read(tmp_path: Path) -> None:
    async def before(door: EwsDoor) -> None:
        guid = door.guid(ALICE)
        calendar = next(node.id for node in await door.mailboxes.tree(guid) if node.kind is FolderKind.CALENDAR)
        await door.mailboxes.set_rights(guid, calendar, door.guid(BOB), ROLES["editor"])

    def work(mine: Account) -> None:
        calendar = mine.calendar.refresh()
        (editor,) = [each for each in calendar.permission_set.calendar_permissions if each.user_id.primary_smtp_address]
        assert editor.user_id.primary_smtp_address == BOB and editor.calendar_permission_level == "Editor"
        assert editor.read_items == "FullDetails" and editor.edit_items == "All"

    at_a_door(tmp_path, work, before)


def test_delegates_are_read(tmp_path: Path) -> None:
    async def before(door: EwsDoor) -> None:
        door.recipients.known[ALICE] = replace(door.recipients.known[ALICE], delegates=(BOB,))
        guid = door.guid(ALICE)
        tasks = next(node.id for node in await door.mailboxes.tree(guid) if node.kind is FolderKind.TASKS)
        await door.mailboxes.set_rights(guid, tasks, door.guid(BOB), ROLES["author"])

    def work(mine: Account) -> None:
        (delegate,) = mine.delegates
        assert delegate.user_id.primary_smtp_address == BOB
        permissions = delegate.delegate_permissions
        assert permissions.tasks_folder_permission_level == "Author"
        assert permissions.inbox_folder_permission_level == "None"

    at_a_door(tmp_path, work, before)


def test_nobody_is_a_delegate_at_first(tmp_path: Path) -> None:
    def work(mine: Account) -> None:
        assert mine.delegates == []

    at_a_door(tmp_path, work)


def test_permissions_are_set(tmp_path: Path) -> None:
    def work(mine: Account) -> None:
        calendar = mine.calendar.refresh()
        bob = CalendarPermission(user_id=UserId(primary_smtp_address=BOB), calendar_permission_level="Reviewer")
        # It sends back no permission that tells times alone, as the default one does.
        calendar.permission_set.calendar_permissions = [bob]
        calendar.save(update_fields=["permission_set"])
        levels = {
            each.user_id.primary_smtp_address or each.user_id.distinguished_user: each.calendar_permission_level
            for each in calendar.refresh().permission_set.calendar_permissions
        }
        assert levels == {"Default": "FreeBusyTimeOnly", "Anonymous": "None", BOB: "Reviewer"}

    at_a_door(tmp_path, work)


def test_a_message_is_marked_as_junk(tmp_path: Path) -> None:
    def work(mine: Account) -> None:
        first = next(iter(mine.inbox.all().order_by("subject").only("subject")))
        first.mark_as_junk()
        assert subjects(mine.junk) == ["0"]
        next(iter(mine.junk.all().only("subject"))).mark_as_junk(is_junk=False)
        assert not subjects(mine.junk) and "0" in subjects(mine.inbox)

    at_a_door(tmp_path, work, mails)
