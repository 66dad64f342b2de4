"""A meeting and its letters: what becomes of the letters where the change is refused, and where its answer is lost."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from uuid import uuid4

import pytest

from postern.items.stored import class_of, values_of
from postern.model.folders import FolderKind
from postern.model.mailbox import MailboxError
from postern.model.resources import Put
from postern.services.scheduling.sending import Sender, Stored, carry_out
from tests.items import calendars
from tests.services.fake_resource_store import FakeResourceStore
from tests.services.mailbox.calendars import calendar_of

OWNER = uuid4()
LETTER = b"Subject: x\r\n\r\nx\r\n"


class Losing(FakeResourceStore):
    """A store that fails with `code`, after it has done what was asked, or before."""

    code, is_done = "", False

    async def put_sending(self, *change: Any, **conditions: Any) -> Put:
        if self.code and not self.is_done:
            raise MailboxError(self.code, "x")
        put = await super().put_sending(*change, **conditions)
        if self.code:
            raise MailboxError(self.code, "x")
        return put


@pytest.mark.parametrize(
    ("code", "is_done", "submitted", "left"),
    [("", True, 1, 1), ("UNAVAILABLE", True, 1, 1), ("UNAVAILABLE", False, 0, 1), ("CONFLICT", False, 0, 0)],
)
def test_letters_go_with_a_change_that_may_have_been_made(code: str, is_done: bool, submitted: int, left: int) -> None:
    async def steps() -> None:
        store = Losing()
        calendar = await calendar_of(store, OWNER)
        store.code, store.is_done = code, is_done
        whole = calendars.event("DTSTART:20260302T090000Z")
        read = calendars.read(*whole)
        stored = Stored(calendars.octets(*whole), class_of(read), values_of(read, 0, ()))
        sender = Sender(OWNER, "a@b.test", cast(Any, store), cast(Any, store), cast(Any, None), lambda: ())
        try:
            await carry_out(sender, [LETTER], calendar, "x.ics", stored)
        except MailboxError as error:
            assert error.code == code
        outbox = next(node for node in await store.tree(OWNER) if node.kind is FolderKind.OUTBOX)
        assert len(store._mailbox(OWNER).submitted) == submitted
        assert len(store._mailbox(OWNER).folders[outbox.id].items) == left

    asyncio.run(steps())
