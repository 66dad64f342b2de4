"""Answers messages by mails of the mailbox's own, each once: those of rooms, and those to attendees who ask for a meeting.

The answer lies in the outbox before it is promised (`AssistantStore.promise`), and is sent after that. A crash between two steps
leaves at most an answer in the outbox that is never sent. The first promise is kept, also by another process, and no answer is
sent twice.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from postern.model.delivery import Outbox
from postern.model.folders import FolderKind, FolderStore
from postern.model.items import Flag, NewItem
from postern.model.mailbox import MailboxError
from postern.services.mailbox.owners_copy import AttendedStore

MARKS = 4
"""Numbers that may be promised with an answer: 0 to 3."""


class OutgoingMailboxes(FolderStore, Outbox, Protocol):
    """The mailboxes as answers are sent from them."""


class Answering:
    """Promises answers to messages that wait, and sends them."""

    def __init__(self, store: AttendedStore, outgoing: OutgoingMailboxes) -> None:
        self._store = store
        self._outgoing = outgoing

    async def promised(self, mailbox: UUID, message: int) -> tuple[int, int] | None:
        """The item of the answer that was promised, and its mark."""
        promise = await self._store.promise(mailbox, message)
        return None if promise is None else divmod(promise, MARKS)

    async def promise(self, mailbox: UUID, message: int, content: bytes, mark: int = 0) -> tuple[int, int]:
        """Puts an answer into the outbox, from which nobody sends it yet, and promises it with a mark. Returns the promise that
        holds. Raises MailboxError NONEXISTENT where another process has finished the message."""
        ids = await self._store.create(mailbox, await self._outbox(mailbox), [NewItem(content, Flag.SEEN)])
        own = ids[0] * MARKS + mark
        promise = await self._store.promise(mailbox, message, own)
        if promise != own:
            await self._store.delete(mailbox, ids)
        if promise is None:
            raise MailboxError("NONEXISTENT", "The message is finished")
        return divmod(promise, MARKS)

    async def send(self, mailbox: UUID, item: int) -> bytes | None:
        """Submits the answer, unless a hub has taken it already, and returns its content. None: it is gone."""
        items = await self._store.get(mailbox, [item], content=True)
        if not items or items[0].content is None:
            return None
        if items[0].folder == await self._outbox(mailbox):
            try:
                await self._outgoing.submit(mailbox, items[0].uid)
            except MailboxError as error:
                if error.code != "NONEXISTENT":  # a hub took it just now
                    raise
        return items[0].content

    async def _outbox(self, mailbox: UUID) -> int:
        folders = await self._outgoing.folders(mailbox)
        return next(folder.id for folder in folders if folder.kind is FolderKind.OUTBOX)
