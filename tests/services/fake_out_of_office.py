"""`ReplyStore` in memory, on `fake_item_store`; held to `tests/model/out_of_office_contract.py`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import UUID

from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.folders import FolderKind
from postern.model.mailbox import MailboxError
from postern.model.out_of_office import MAX_TEXT, AwaitingReply, OofState, OutOfOffice
from tests.services.fake_item_store import FakeItemStore


class FakeOutOfOffice(FakeItemStore):
    def __init__(self) -> None:
        super().__init__()
        self.away: dict[UUID, OutOfOffice] = {}
        self.answered: set[tuple[UUID, bytes]] = set()
        self.replies: dict[int, UUID] = {}
        self.unkept: set[tuple[UUID, int]] = set()

    async def _deliver(self, delivery: Delivery, mailbox: UUID, quota: int) -> DeliveryStatus:
        status = await super()._deliver(delivery, mailbox, quota)
        if status is DeliveryStatus.DELIVERED and self.away.get(mailbox, OutOfOffice()).state is not OofState.DISABLED:
            inbox = self._mailbox(mailbox).of_kind(FolderKind.INBOX)
            self.replies[max(item.id for item in inbox.items.values())] = mailbox
        return status

    async def out_of_office(self, mailbox: UUID) -> OutOfOffice:
        return self.away.get(mailbox, OutOfOffice())

    async def set_out_of_office(self, mailbox: UUID, settings: OutOfOffice) -> None:
        self._mailbox(mailbox)
        if max(len(settings.internal), len(settings.external)) > MAX_TEXT:
            raise MailboxError("LIMIT", "The text is too long")
        old = self.away.get(mailbox, OutOfOffice())
        was_on = old.state is OofState.ENABLED or (old.state is OofState.SCHEDULED and old.ends > time.time())
        is_on = settings.state is not OofState.DISABLED
        moved = settings.state is OofState.SCHEDULED and (old.starts, old.ends) != (settings.starts, settings.ends)
        if is_on and (not was_on or moved):
            self.answered = {(whose, sender) for whose, sender in self.answered if whose != mailbox}
        self.away[mailbox] = settings

    async def awaiting_replies(self, after: int = 0, most: int = 100) -> list[AwaitingReply]:
        if self.unavailable:
            raise MailboxError("UNAVAILABLE", "The database does not answer")
        return [AwaitingReply(whose, item) for item, whose in sorted(self.replies.items()) if item > after][:most]

    async def was_answered(self, mailbox: UUID, sender: bytes) -> bool:
        return (mailbox, sender) in self.answered

    async def send_reply(self, mailbox: UUID, message: int, letter: int, sender: bytes, now: int) -> bool:
        self._mailbox(mailbox)
        if self.replies.get(message) != mailbox:
            return False
        if (mailbox, sender) not in self.answered:
            self._submit(mailbox, [letter])
            self.unkept.add((mailbox, self._item(mailbox, letter)[1].uid))
        del self.replies[message]
        is_new = (mailbox, sender) not in self.answered
        self.answered.add((mailbox, sender))
        return is_new

    async def finish_reply(self, mailbox: UUID, message: int) -> bool:
        return self.replies.get(message) == mailbox and self.replies.pop(message) == mailbox

    async def submitted(self, mailbox: UUID, uid: int) -> None:
        if (mailbox, uid) not in self.unkept:
            await super().submitted(mailbox, uid)
            return
        self.unkept.remove((mailbox, uid))
        box = self._mailbox(mailbox)
        box.submitted.remove(uid)
        await self.delete(mailbox, [box.of_kind(FolderKind.OUTBOX).items[uid].id])

    def _submit(self, mailbox: UUID, letters: Sequence[int]) -> None:
        outbox = self._mailbox(mailbox).of_kind(FolderKind.OUTBOX)
        places = [self._item(mailbox, letter) for letter in letters]
        if any(folder is not outbox for folder, _ in places):
            raise MailboxError("NONEXISTENT", "No such item in the outbox")
        submitted = self._mailbox(mailbox).submitted
        submitted += [item.uid for _, item in places if item.uid not in submitted]
