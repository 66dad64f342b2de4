"""The assistant for out-of-office answers messages to people who are away.

A delivery puts a message on a list in its own transaction, where the mailbox has answering switched on. The assistant looks at
each message once: the answer lies in the outbox before the transaction that submits it, takes the message off the list and
remembers the sender. So a crash between two steps, or two assistants at once, answer nobody twice and forget nobody. They leave
at most an answer in the outbox that is never sent.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection
from typing import Protocol
from uuid import UUID

from postern.items.imip import Letter
from postern.items.out_of_office import Answered, Unanswered, answer, asked
from postern.model.directory import DirectoryUnavailable, Recipient, RecipientType
from postern.model.domains import fold
from postern.model.folders import FolderKind, FolderStore
from postern.model.item_store import ItemStore
from postern.model.items import Flag, NewItem
from postern.model.mailbox import MailboxError
from postern.model.out_of_office import AwaitingReply, OofAudience, OutOfOffice, ReplyStore
from postern.model.resources import ResourceStore
from postern.services.mailbox.authorship import is_denied
from postern.services.mailbox.calendar_attendant import OwnersDirectory, owner_of
from postern.telemetry.attempts import attempting_in_thread_if, forget, given_up, strike
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, count

PAGE = 100
MOST_AT_ONCE = 1_000
"""Messages that one look attends. Those behind them are attended in the next."""
_INSIDE = frozenset({RecipientType.USER, RecipientType.ROOM})


class AwayStore(ReplyStore, ItemStore, ResourceStore, FolderStore, Protocol):
    """The mailboxes of one database as answers need them."""


class OutOfOfficeAssistant:
    """Answers for those who are away, in the mailboxes of one database. `names` gives the names of our servers and domains, in
    lower case."""

    def __init__(
        self,
        store: AwayStore,
        directory: OwnersDirectory,
        names: Callable[[], Collection[str]] = frozenset,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._directory = directory
        self._names = names
        self._clock = clock

    async def attend(self) -> None:
        """Attends the messages that wait. Raises MailboxError UNAVAILABLE and DirectoryUnavailable, after which they wait on."""
        after = 0
        for _ in range(MOST_AT_ONCE // PAGE):
            page = await self._store.awaiting_replies(after, PAGE)
            for awaiting in page:
                after = awaiting.message
                await self._attend(awaiting)
            if len(page) < PAGE:
                return

    async def _attend(self, awaiting: AwaitingReply) -> None:
        mailbox, message = awaiting
        key = f"out-of-office/{mailbox.hex}/{message}"
        try:
            if (struck := given_up(key)) is not None:
                log(Event.SET_ASIDE, mailbox=str(mailbox), item=message, words=struck.why)
                await self._store.finish_reply(mailbox, message)
                forget(key)
                return
            await self._answer(key, mailbox, message)
        except Unanswered as why:
            if await self._store.finish_reply(mailbox, message):
                count(Metric.OUT_OF_OFFICE, "left")
                log(Event.OUT_OF_OFFICE_LEFT, mailbox=str(mailbox), item=message, why=str(why))
        except DirectoryUnavailable:
            raise
        except Exception as error:
            if isinstance(error, MailboxError) and error.code == "UNAVAILABLE":
                raise
            log(Event.CONVERSATION_FAILED, conversation="out-of-office", error=repr(error), exc_info=error)
            strike(key, error)

    async def _answer(self, key: str, mailbox: UUID, message: int) -> None:
        """Answers one message. Raises Unanswered."""
        settings = await self._store.out_of_office(mailbox)
        now = int(self._clock())
        if not settings.is_away(now):
            raise Unanswered("its recipient is back, or not yet away")
        items = await self._store.get(mailbox, [message], content=True)
        if not items or items[0].content is None:
            raise Unanswered("it is gone")
        owner = await owner_of(self._directory, mailbox)
        if owner is None:
            raise Unanswered("the mailbox has no owner")
        read = await attempting_in_thread_if(True, key, _asked, items[0].content, owner.folded_addresses, self._names())
        sender = hashlib.sha256(fold(read.sender).encode("utf-8", "replace")).digest()[:16]
        if await self._store.was_answered(mailbox, sender):
            raise Unanswered("its sender had an answer")
        audience, text = await self._text(settings, mailbox, read)
        letter = await self._letter(key, mailbox, message, owner, read, text)
        if await self._store.send_reply(mailbox, message, letter, sender, now):
            count(Metric.OUT_OF_OFFICE, "sent")
            log(Event.OUT_OF_OFFICE_SENT, mailbox=str(mailbox), item=message, audience=audience)
        else:
            await self._store.delete(mailbox, [letter])

    async def _text(self, settings: OutOfOffice, mailbox: UUID, read: Answered) -> tuple[str, str]:
        """The text for this sender. Raises Unanswered where there is none."""
        writer = await self._directory.recipient(fold(read.sender))
        if writer is not None and writer.type in _INSIDE:
            if not settings.internal.strip():
                raise Unanswered("there is no text for the organization")
            return "internal", settings.internal
        if settings.audience is OofAudience.NONE or not settings.external.strip():
            raise Unanswered("others get no answer")
        if settings.audience is OofAudience.KNOWN:
            known = await self._store.with_addresses(mailbox, [fold(read.sender)])
            if not any(known.values()):
                raise Unanswered("its sender is no contact")
        return "external", settings.external

    async def _letter(self, key: str, mailbox: UUID, message: int, owner: Recipient, read: Answered, text: str) -> int:
        """Puts the answer into the outbox, from which nobody sends it yet."""
        name = f"out-of-office.{mailbox.hex}.{message}@{owner.primary.rpartition('@')[2]}"
        letter = Letter(owner.primary, (read.sender,), "", name, int(self._clock()))
        content = await attempting_in_thread_if(True, key, answer, letter, read, text)
        folders = await self._store.folders(mailbox)
        outbox = next(folder.id for folder in folders if folder.kind is FolderKind.OUTBOX)
        return (await self._store.create(mailbox, outbox, [NewItem(content, Flag.SEEN)]))[0]


def _asked(content: bytes, mine: Collection[str], names: Collection[str]) -> Answered:
    """Reads a message that is to be answered. Raises Unanswered."""
    read = asked(content, mine)
    if is_denied(content, read.sender, names):
        raise Unanswered("somebody else sent it in the name of its sender")
    return read
