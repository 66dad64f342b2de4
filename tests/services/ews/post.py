"""Carries the letters in outboxes to those whom they name, as hubs do, and has the calendar attendants look at them."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import message_from_bytes
from email.utils import getaddresses
from typing import Any, cast
from uuid import UUID

from postern.items.imip import invitation_in
from postern.model.delivery import Delivery
from postern.model.folders import FolderKind
from postern.services.mailbox.answering import Answering
from postern.services.mailbox.calendar_attendant import CalendarAttendant, OwnersDirectory
from postern.services.mailbox.owners_copy import AttendedStore
from tests.services.fake_assistant_store import FakeAssistantStore

_TRACE = b"Received: from mail by mail.example.test (Postern) with MAPI; x\r\n"


@dataclass
class Post:
    """The post of the mailboxes of these addresses. `sent` are "METHOD recipients" of each letter that was carried."""

    store: FakeAssistantStore
    directory: Any
    guids: dict[str, UUID]
    sent: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)

    async def carry(self) -> list[str]:
        """Carries what was submitted, until nobody sends anything more; returns what was carried."""
        begun = len(self.sent)
        for guid in self.guids.values():
            await self.store.logon(guid)
        while await self._round():
            pass
        return self.sent[begun:]

    async def _round(self) -> int:
        count = 0
        for guid in self.guids.values():
            outbox = next(node.id for node in await self.store.tree(guid) if node.kind is FolderKind.OUTBOX)
            for uid in await self.store.outbox(guid):
                letter = next(item for item in self.store._folder(guid, outbox).items.values() if item.uid == uid)
                await self._deliver(letter.content)
                await self.store.submitted(guid, uid)
                count += 1
        attendant = self._attendant()
        for waiting in await self.store.waiting_meetings():
            await attendant.attend(*waiting)
        return count

    async def _deliver(self, content: bytes) -> None:
        message = invitation_in(content)
        named = message_from_bytes(content).get_all("To", [])
        recipients = [address for _, address in getaddresses(named)]
        self.sent.append(f"{message.method if message is not None else 'MAIL'} {' '.join(recipients)}")
        self.mails.append(content)
        for address in recipients:
            if address in self.guids:
                delivery = Delivery(f"d{len(self.sent)}{address}", _TRACE + content, [self.guids[address]])
                await self.store.deliver([delivery])

    def _attendant(self) -> CalendarAttendant:
        directory = cast(OwnersDirectory, self.directory)
        answering = Answering(cast(Any, self.store), cast(Any, self.store))
        names = {"mail.example.test", "example.test"}
        return CalendarAttendant(cast(AttendedStore, self.store), directory, lambda: names, answering)
