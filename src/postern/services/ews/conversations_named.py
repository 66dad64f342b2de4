"""The conversations that a request names, and the messages in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from postern.model.item_store import StoredItem
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ConversationId, read_id
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.conversation_index import members
from postern.services.ews.operation import attempted

PAGE = 2_000
"""Items whose rows are read by one call of the store."""


class NamedConversation(NamedTuple):
    """A conversation, and the ids of its messages, the newest first, seen by the caller or not."""

    mailbox: Mailbox
    id: ConversationId
    ids: Sequence[int]

    async def seen(self, most: int | None = None) -> list[StoredItem]:
        """The messages that the caller may see, the newest first; no more are looked for when there are `most`. Raises EwsError
        ErrorItemNotFound where there is none; MailboxError."""
        seen: list[StoredItem] = []
        for start in range(0, len(self.ids), PAGE):
            seen += await self.mailbox.store.get(self.mailbox.id, self.ids[start : start + PAGE])
            if most is not None and len(seen) >= most:
                break
        if not seen:
            raise EwsError(Code.ITEM_NOT_FOUND)
        return seen[:most]


async def named_conversations(call: Call, named: Iterable[xml.Element | None]) -> list[NamedConversation | EwsError]:
    """The conversations of these ConversationIds; in the place of an id that names none is an error. The messages of a mailbox
    are gone through once for all of them."""
    opened = [await attempted(_opened(call, each)) for each in named]
    wanted: dict[UUID, dict[int, None]] = {}
    for each in opened:
        if not isinstance(each, EwsError):
            wanted.setdefault(each[0].id, {})[each[1].conversation] = None
    together = {guid: await attempted(_members(call, guid, list(numbers))) for guid, numbers in wanted.items()}
    return [each if isinstance(each, EwsError) else _found(*each, together[each[0].id]) for each in opened]


async def _opened(call: Call, named: xml.Element | None) -> tuple[Mailbox, ConversationId]:
    wanted = read_id(named.attributes.get("Id", "") if named is not None else "")
    if not isinstance(wanted, ConversationId):
        raise EwsError(Code.INVALID_ID_MALFORMED)
    mailbox = await call.mailbox_with(wanted.mailbox)
    await mailbox.nodes()
    return mailbox, wanted


async def _members(call: Call, guid: UUID, numbers: Sequence[int]) -> dict[int, list[int]]:
    mailbox = await call.mailbox_with(guid)
    return members(await call.access.conversations.of(guid, mailbox.server.items), numbers)


def _found(
    mailbox: Mailbox, wanted: ConversationId, together: Mapping[int, Sequence[int]] | EwsError
) -> NamedConversation | EwsError:
    if isinstance(together, EwsError):
        return together
    return NamedConversation(mailbox, wanted, together[wanted.conversation])
