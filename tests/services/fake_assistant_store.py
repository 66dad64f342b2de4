"""`AssistantStore` in memory, on the named items of `fake_resource_store`; held to `tests/model/assistant_store_contract.py`."""

from __future__ import annotations

from uuid import UUID

from postern.model.assistants import WaitingMeeting
from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.folders import FolderKind
from postern.model.item_store import RenderedItem
from postern.model.mailbox import MailboxError
from postern.model.resources import Put
from tests.services.fake_resource_store import FakeResourceStore


class FakeAssistantStore(FakeResourceStore):
    def __init__(self) -> None:
        super().__init__()
        self.meetings: dict[int, UUID] = {}
        self.promises: dict[int, int] = {}

    async def _deliver(self, delivery: Delivery, mailbox: UUID, quota: int) -> DeliveryStatus:
        status = await super()._deliver(delivery, mailbox, quota)
        if status is DeliveryStatus.DELIVERED and b"text/calendar" in delivery.content.lower():
            inbox = self._mailbox(mailbox).of_kind(FolderKind.INBOX)
            self.meetings[max(item.id for item in inbox.items.values())] = mailbox
        return status

    async def waiting_meetings(
        self, mailbox: UUID | None = None, after: int = 0, most: int = 100
    ) -> list[WaitingMeeting]:
        if self.unavailable:
            raise MailboxError("UNAVAILABLE", "The database does not answer")
        waiting = sorted((item, whose) for item, whose in self.meetings.items() if item > after)
        return [WaitingMeeting(whose, item) for item, whose in waiting if mailbox in (None, whose)][:most]

    async def land_meeting(
        self,
        mailbox: UUID,
        message: int,
        folder: int,
        name: str,
        content: bytes,
        item_class: str,
        rendered: RenderedItem,
        expected: bytes,
    ) -> Put:
        self._mailbox(mailbox)
        if self.meetings.get(message) != mailbox:
            raise MailboxError("NONEXISTENT", "The message is finished")
        put = await self.put(mailbox, folder, name, content, item_class, rendered, expected, True)
        del self.meetings[message]
        return put

    async def promise(self, mailbox: UUID, message: int, number: int | None = None) -> int | None:
        self._mailbox(mailbox)
        if self.meetings.get(message) != mailbox:
            return None
        if number is not None:
            self.promises.setdefault(message, number)
        return self.promises.get(message)

    async def finish_meeting(self, mailbox: UUID, message: int) -> bool:
        self._mailbox(mailbox)
        return self.meetings.get(message) == mailbox and self.meetings.pop(message) == mailbox
