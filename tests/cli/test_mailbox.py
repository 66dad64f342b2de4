"""`postern mailbox stats` counts what is there, and makes no mailbox by looking; mailboxes outlive their owners.

covers: mailbox, disconnected
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any
from uuid import UUID

import pytest

from postern.directory.slapd_adapter import SlapdDirectory
from postern.host.engines import start as engines
from postern.model.delivery import Delivery
from postern.model.directory import IncompleteAnswer
from postern.model.folders import FolderKind
from postern.model.items import NewItem
from postern.model.mailbox import MailboxError
from postern.model.organization import Organization
from postern.store.database import MailboxDatabase
from tests.cli.conftest import Organized

pytestmark = pytest.mark.slow

MAIL = b"From: a@example.test\r\nSubject: one\r\n\r\nHello\r\n"
EVENT = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
STORED = 3 * len(b"Return-Path: <>\r\n" + MAIL)


@pytest.fixture
def database(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What commands take for this host's mailbox database."""
    resolved = engines.resolved

    def with_url(*given: Any) -> Organization:
        organization = resolved(*given)
        databases = tuple(dataclasses.replace(one, url=postgres_dsn) for one in organization.databases)
        return dataclasses.replace(organization, written_databases=databases)

    monkeypatch.setattr(engines, "resolved", with_url)
    return postgres_dsn


def test_stats(org: Organized, database: str) -> None:
    postgres_dsn = database
    org.add("alice", "--quota", "1M")
    org.add("bob")
    alice, bob = (UUID(org.json("user", "show", name)["guid"]) for name in ("alice", "bob"))

    used: list[int] = []

    async def deliver() -> None:
        database = await MailboxDatabase.open(postgres_dsn, 1)
        await database.logon(alice)
        await database.deliver([Delivery(str(number), MAIL, [alice]) for number in range(3)])
        calendar = next(node for node in await database.tree(alice) if node.kind is FolderKind.CALENDAR)
        await database.create(alice, calendar.id, [NewItem(EVENT)])
        used.append((await database.logon(alice)).used)
        await database.close()

    asyncio.run(deliver())
    (listed,) = org.json("database", "list")
    assert (listed["name"], listed["server"], listed["mailboxes"]) == ("server1", "server1", 1) and listed["size"] > 0
    found = {one["name"]: one for one in org.json("mailbox", "stats")}
    assert found["alice@example.test"]["messages"] == 3
    assert [found["alice@example.test"]["size"]] == [STORED + len(EVENT)] == used, "what counts against the quota"
    assert found["alice@example.test"]["quota"] == 1024**2
    assert found["bob@example.test"] == {
        **found["bob@example.test"],
        "messages": 0,
        "size": 0,
        "quota": org.organization.limits.mailbox_quota,
        "folders": [],
    }
    (one,) = org.json("mailbox", "stats", "alice")
    by_path = {tuple(folder.pop("folder")): folder for folder in one["folders"]}
    assert by_path["INBOX",] == {"contents": "mail", "items": 3, "messages": 3, "unseen": 3, "size": STORED}
    (calendar,) = (folder for folder in by_path.values() if folder["contents"] == "calendar")
    assert (calendar["items"], calendar["messages"], calendar["size"]) == (1, 0, len(EVENT))
    assert {"contacts", "tasks", "notes", "journal"} < {folder["contents"] for folder in by_path.values()}
    assert "alice@example.test" in org.done("mailbox", "stats")
    assert "INBOX" in org.done("mailbox", "stats", "alice")
    assert "no mail has reached" in org.done("mailbox", "stats", "bob")

    async def still_none() -> None:
        database = await MailboxDatabase.open(postgres_dsn, 1)
        with pytest.raises(MailboxError):
            await database.folders(bob)
        await database.close()

    asyncio.run(still_none())


def test_a_removed_user_s_mailbox_until_it_is_connected_or_purged(org: Organized, database: str) -> None:
    org.add("dave")
    org.add("stays")
    guid, stays = (UUID(org.json("user", "show", name)["guid"]) for name in ("dave", "stays"))

    async def deliver() -> None:
        opened = await MailboxDatabase.open(database, 1)
        await opened.logon(guid)
        await opened.logon(stays)
        await opened.deliver([Delivery("dave", MAIL, [guid])])
        await opened.close()

    asyncio.run(deliver())
    assert "is disconnected" in org.done("user", "remove", "dave", "--yes")

    def listed() -> list[dict[str, object]]:
        return [one for one in org.json("mailbox", "list", "--disconnected") if one["owner"] == "dave@example.test"]

    (one,) = listed()
    assert (one["guid"], one["owner"], one["messages"]) == (str(guid), "dave@example.test", 1)
    assert "dave@example.test" in org.done("mailbox", "list", "--disconnected")

    org.add("erin")
    assert f"postern mailbox connect {guid} dave@example.test" in org.done(
        "user", "add", "dave", "--password-stdin", typed="through the glass\n"
    )
    assert "no disconnected mailbox" in org.refused("mailbox", "connect", "erin@example.test", "dave")
    org.done("mailbox", "connect", "dave@example.test", "dave")
    assert listed() == []
    (mine,) = org.json("mailbox", "stats", "dave")
    assert mine["messages"] == 1

    org.done("user", "remove", "dave", "--yes")
    assert org.postern("mailbox", "purge", "dave@example.test", typed="n\n").exit_code != 0
    org.done("mailbox", "purge", "dave@example.test", typed="y\n")
    assert listed() == []
    assert "no mail had reached its mailbox yet" in org.done("user", "remove", "erin", "--yes")


def test_without_a_whole_answer_of_the_directory_nothing_is_said_and_nothing_done(
    org: Organized, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def half(*_: object) -> dict[UUID, str]:
        raise IncompleteAnswer("the global catalogue does not hold DC=emea,DC=corp,DC=test")

    org.add("carol")
    monkeypatch.setattr(SlapdDirectory, "mailbox_owners", half)
    for words in (("list", "--disconnected"), ("purge", "dave@example.test", "--yes"), ("connect", "x", "carol")):
        assert "does not hold DC=emea,DC=corp,DC=test; nothing was changed" in org.refused("mailbox", *words)


def test_a_database_that_is_not_there(org: Organized) -> None:
    assert "mailbox database does not answer" in org.refused("mailbox", "stats")
