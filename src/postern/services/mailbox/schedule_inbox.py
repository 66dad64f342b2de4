"""The schedule inbox of CalDAV (RFC 6638 section 2.2): a folder with the messages that changed the calendar by themselves.

It is made when a program first asks for it. Programs look into it to tell their users, and delete what they have told.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol
from uuid import UUID

from postern.items.calendar_object import CalendarObject
from postern.items.stored import class_of, values_of
from postern.model.folders import FolderTree
from postern.model.mailbox import MailboxError
from postern.model.resources import ResourceStore

INBOX_CLASS = "IPF.ScheduleInbox"
MAX_KEPT = 200
"""Messages that are kept for programs. Those that came before them go: hardly any program deletes what it has seen."""


class InboxStore(FolderTree, ResourceStore, Protocol):
    """A mailbox as its schedule inbox is filled."""


async def keep(store: InboxStore, mailbox: UUID, message: int, calendar: CalendarObject, now: int) -> None:
    """Puts an iTIP message into the schedule inbox, if the mailbox has one. `message` is the id of the mail that brought it:
    looking at the mail once more replaces the message by itself."""
    nodes = await store.tree(mailbox)
    inbox = next((node.id for node in nodes if node.folder_class == INBOX_CLASS and not node.parent), 0)
    if not inbox:
        return
    kept = await store.resources(mailbox, inbox)
    for name in [name for _, name in sorted(zip(kept.ids, kept.names, strict=True))][
        : max(len(kept) - MAX_KEPT + 1, 0)
    ]:
        try:
            await store.remove(mailbox, inbox, name)
        except MailboxError as error:
            if error.code != "NONEXISTENT":
                raise
    rendered = replace(values_of(calendar, now), reminds=None)
    await store.put(mailbox, inbox, f"{message}.ics", calendar.root.octets(), class_of(calendar), rendered)
