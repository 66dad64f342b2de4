"""The schedule inbox of CalDAV (RFC 6638 section 2.2): a folder with the messages that changed the calendar by themselves.

It is made when a program first asks for it. Programs look into it to tell their users, and delete what they have told.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from postern.items.calendar_object import CalendarObject
from postern.items.stored import class_of, values_of
from postern.model.folders import FolderTree
from postern.model.item_store import RenderedItem
from postern.model.mailbox import MailboxError
from postern.model.resources import ResourceStore
from postern.telemetry.attempts import attempting_in_thread_if

INBOX_CLASS = "IPF.ScheduleInbox"
MAX_KEPT = 200
"""Messages that are kept for programs. Those that came before them go: hardly any program deletes what it has seen."""


class InboxStore(FolderTree, ResourceStore, Protocol):
    """A mailbox as its schedule inbox is filled."""


async def keep(store: InboxStore, key: str, mailbox: UUID, message: int, calendar: CalendarObject, now: int) -> None:
    """Puts an iTIP message into the schedule inbox, if the mailbox has one and room. `message` is the id of the mail that brought
    it, which gives the name; `key` is that of the attempts at it."""
    with contextlib.suppress(MailboxError):
        nodes = await store.tree(mailbox)
        inbox = next((node.id for node in nodes if node.folder_class == INBOX_CLASS and not node.parent), 0)
        if inbox:
            await _make_room(store, mailbox, inbox)
            octets, rendered = await attempting_in_thread_if(True, key, _kept, calendar, now)
            await store.put(mailbox, inbox, f"{message}.ics", octets, class_of(calendar), rendered)


def _kept(calendar: CalendarObject, now: int) -> tuple[bytes, RenderedItem]:
    return calendar.root.octets(), replace(values_of(calendar, now), reminds=None)


async def _make_room(store: InboxStore, mailbox: UUID, inbox: int) -> None:
    kept = await store.resources(mailbox, inbox)
    names = [name for _, name in sorted(zip(kept.ids, kept.names, strict=True))]
    for name in names[: max(len(names) - MAX_KEPT + 1, 0)]:
        await store.remove(mailbox, inbox, name)
