"""`postern mailbox stats` counts what is there, and makes no mailbox by looking."""

from __future__ import annotations

import asyncio
import dataclasses
from uuid import UUID

import pytest

from postern.host import engines
from postern.model.mailbox import Delivery, MailboxError
from postern.store.database import MailboxDatabase
from tests.cli.conftest import Organized

pytestmark = pytest.mark.slow

MAIL = b"From: a@example.test\r\nSubject: one\r\n\r\nHello\r\n"
STORED = 3 * len(b"Return-Path: <>\r\n" + MAIL)


def test_stats(org: Organized, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = engines.resolved
    monkeypatch.setattr(
        engines, "resolved", lambda *given: dataclasses.replace(resolved(*given), postgres=postgres_dsn)
    )
    org.add("alice", "--quota", "1M")
    org.add("bob")
    alice, bob = (UUID(org.json("user", "show", name)["guid"]) for name in ("alice", "bob"))

    async def deliver() -> None:
        database = await MailboxDatabase.open(postgres_dsn, 1)
        await database.logon(alice)
        await database.deliver([Delivery(str(number), MAIL, [alice]) for number in range(3)])
        await database.close()

    asyncio.run(deliver())
    found = {one["name"]: one for one in org.json("mailbox", "stats")}
    assert found["alice@example.test"]["messages"] == 3
    assert found["alice@example.test"]["size"] == STORED
    assert found["alice@example.test"]["quota"] == 1024**2
    assert found["bob@example.test"] == {
        **found["bob@example.test"],
        "messages": 0,
        "size": 0,
        "quota": org.organization.limits.mailbox_quota,
        "folders": [],
    }
    (one,) = org.json("mailbox", "stats", "alice")
    assert {"path": ["INBOX"], "messages": 3, "unseen": 3, "size": STORED} in one["folders"]
    assert "alice@example.test" in org.done("mailbox", "stats")
    assert "INBOX" in org.done("mailbox", "stats", "alice")
    assert "nothing has reached" in org.done("mailbox", "stats", "bob")

    async def still_none() -> None:
        database = await MailboxDatabase.open(postgres_dsn, 1)
        with pytest.raises(MailboxError):
            await database.folders(bob)
        await database.close()

    asyncio.run(still_none())


def test_a_database_that_is_not_there(org: Organized) -> None:
    assert "mailbox database does not answer" in org.refused("mailbox", "stats")
