"""Keeps out-of-office settings, and the list of messages that wait for an answer."""

from __future__ import annotations

from uuid import UUID

from postern.model.mailbox import MailboxError
from postern.model.out_of_office import (
    MAX_TEXT,
    AwaitingReply,
    OofAudience,
    OofState,
    OutOfOffice,
    ReplyStore,
)
from postern.store import wire
from postern.store.resources import ResourceDatabase

MAX_ANSWERED = 10_000
"""Senders that a mailbox remembers. Answers to answers are not answered anyway, so that forgetting the first costs one mail."""
_SETTINGS = """
    SELECT o.state::bigint, o.audience::bigint, o.starts, o.ends, o.internal, o.external
    FROM out_of_office o JOIN mailboxes m ON m.id = o.mailbox WHERE m.guid = $1::uuid
"""
_SET = """
    SELECT set_out_of_office($1::uuid, $2::bigint, $3::bigint, $4::bigint, $5::bigint, $6::text, $7::text)
"""
_AWAITING = """
    SELECT m.guid, r.item FROM replies r JOIN mailboxes m ON m.id = r.mailbox
    WHERE r.item > $1::bigint ORDER BY r.item LIMIT $2::bigint
"""
_ANSWERED = """
    SELECT a.sender FROM answered a JOIN mailboxes m ON m.id = a.mailbox WHERE m.guid = $1::uuid AND a.sender = $2::bytea
"""
_SEND = "SELECT send_reply($1::uuid, $2::bigint, $3::bigint, $4::bytea, $5::bigint, $6::bigint)"
_FINISH = """
    DELETE FROM replies r USING mailboxes m WHERE r.item = $2::bigint AND m.id = r.mailbox AND m.guid = $1::uuid
    RETURNING r.item
"""


class OutOfOfficeDatabase(ResourceDatabase, ReplyStore):
    """The part of a mailbox database that answers while somebody is away."""

    async def out_of_office(self, mailbox: UUID) -> OutOfOffice:
        rows = await self._pool.read(_SETTINGS, [mailbox.bytes])
        if not rows:
            return OutOfOffice()
        *numbers, internal, external = rows[0]
        state, audience, starts, ends = map(wire.to_int8, numbers)
        texts = [(text or b"").decode() for text in (internal, external)]
        return OutOfOffice(OofState(state), OofAudience(audience), starts, ends, *texts)

    async def set_out_of_office(self, mailbox: UUID, settings: OutOfOffice) -> None:
        if max(len(settings.internal), len(settings.external)) > MAX_TEXT:
            raise MailboxError("LIMIT", "The text is too long")
        numbers = [settings.state, settings.audience, settings.starts, settings.ends]
        texts = [wire.text(settings.internal), wire.text(settings.external)]
        await self._pool.run(_SET, [mailbox.bytes, *map(wire.int8, numbers), *texts])

    async def awaiting_replies(self, after: int = 0, most: int = 100) -> list[AwaitingReply]:
        rows = await self._pool.read(_AWAITING, [wire.int8(after), wire.int8(most)])
        return [AwaitingReply(UUID(bytes=guid), wire.to_int8(item)) for guid, item in rows]

    async def was_answered(self, mailbox: UUID, sender: bytes) -> bool:
        return bool(await self._pool.read(_ANSWERED, [mailbox.bytes, sender]))

    async def send_reply(self, mailbox: UUID, message: int, letter: int, sender: bytes, now: int) -> bool:
        numbers = [wire.int8(message), wire.int8(letter)]
        rows = await self._pool.run(_SEND, [mailbox.bytes, *numbers, sender, wire.int8(now), wire.int8(MAX_ANSWERED)])
        if rows[0][0] is None:
            return False
        self._notices.changed(mailbox, wire.to_int8(rows[0][0]))
        return True

    async def finish_reply(self, mailbox: UUID, message: int) -> bool:
        return bool(await self._pool.run(_FINISH, [mailbox.bytes, wire.int8(message)]))
