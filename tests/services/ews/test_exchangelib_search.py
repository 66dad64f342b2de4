"""exchangelib filters and sorts by every property that it knows of each kind of item, and synchronizes with all of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from exchangelib import Account, EWSDate, EWSDateTime, EWSTimeZone, FileAttachment, fields
from exchangelib.errors import EWSError
from exchangelib.items import CalendarItem, Contact, Message, Task

from postern.model.folders import FolderKind
from postern.model.items import NewItem
from tests.services.dav.site import ALICE
from tests.services.ews.exchange import account
from tests.services.ews.site import EwsDoor, envelope
from tests.services.ews.test_search_folders import parameters, search_folder

pytestmark = pytest.mark.slow
SAMPLES: tuple[tuple[type, Any], ...] = (
    (fields.BooleanField, True),
    (fields.IntegerField, 1),
    (fields.DateTimeField, EWSDateTime(2026, 1, 1, tzinfo=EWSTimeZone("Europe/Berlin"))),
    (fields.DateField, EWSDate(2026, 1, 1)),
)
UNSEARCHED = {"unique_body"}
"""Properties that Exchange does not search either."""
UNSORTED = {"_id", "parent_folder_id", "effective_rights", "response_objects"}
"""Properties that are no values."""


def conditions(field: Any) -> dict[str, Any]:
    """Filters by a property, with each way of comparing that exchangelib has for it."""
    # Of dates alone, exchangelib cannot ask whether they are there.
    exists = {} if isinstance(field, fields.DateField | fields.DateTimeBackedDateField) else {"exists": True}
    for kind, sample in SAMPLES:
        if isinstance(field, kind):
            return exists | ({"exact": sample} if sample is True else {"exact": sample, "gte": sample, "lt": sample})
    if isinstance(field, fields.ChoiceField):
        return exists | {"exact": next(iter(field.choices)).value}
    if isinstance(field, fields.CharListField):
        return exists | {"contains": ["x"]}
    if isinstance(field, fields.TextField | fields.CharField):
        return exists | {"exact": "x", "icontains": "x", "startswith": "x", "iexact": "x"}
    return {}


def asked(mine: Account) -> tuple[int, list[str]]:
    """The number of requests, and those that failed."""
    failed: list[str] = []
    count = 0
    for kind, folder, shown in (
        (Message, mine.inbox, "subject"),
        (CalendarItem, mine.calendar, "subject"),
        (Contact, mine.contacts, "display_name"),
        (Task, mine.tasks, "subject"),
    ):
        for field in kind.supported_fields(mine.version):
            if field.name in UNSEARCHED:
                continue
            searches = []
            if getattr(field, "is_searchable", True):
                searches = [
                    {f"{field.name}__{how}".removesuffix("__exact"): it} for how, it in conditions(field).items()
                ]
            for search in searches:
                count += 1
                try:
                    list(folder.filter(**search).only(shown))
                except EWSError as error:
                    failed.append(f"{kind.__name__} {search}: {error}")
            if getattr(field, "is_sortable", True) and not field.is_complex and field.name not in UNSORTED:
                count += 1
                try:
                    list(folder.all().order_by(field.name).only(shown))
                except EWSError as error:
                    failed.append(f"{kind.__name__} by {field.name}: {error}")
    return count, failed


def test_every_property_is_searched_and_sorted_by(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            guid = door.guid(ALICE)
            await door.mailboxes.logon(guid)
            inbox = next(node.id for node in await door.mailboxes.tree(guid) if node.kind is FolderKind.INBOX)
            message = f"From: Bob <bob@example.test>\r\nTo: {ALICE}\r\nSubject: Lunch\r\n\r\nHello\r\n".encode()
            await door.mailboxes.create(guid, inbox, [NewItem(message) for _ in range(3)])
            count, failed = await door.beside(lambda: asked(account(door, tmp_path, ALICE)))
            assert count > 500 and not failed, "\n".join(failed)

    asyncio.run(steps())


def test_all_properties_of_all_kinds_are_synchronized_and_read(tmp_path: Path) -> None:
    """Without `only_fields`, exchangelib names every property of a folder's kinds, also those that no list has."""

    def file() -> FileAttachment:
        return FileAttachment(name="a.txt", content=b"octets")

    def steps_of(mine: Account) -> None:
        start = EWSDateTime(2026, 1, 1, 9, tzinfo=EWSTimeZone("Europe/Berlin"))
        at = {"start": start, "end": start + timedelta(hours=1)}
        for folder, item in (
            (mine.inbox, Message(subject="x", body="text", to_recipients=[ALICE], attachments=[file()])),
            (mine.calendar, CalendarItem(subject="x", body="text", attachments=[file()], **at)),
            (mine.contacts, Contact(display_name="x", body="text", attachments=[file()])),
            (mine.tasks, Task(subject="x", body="text", attachments=[file()])),
        ):
            item.account, item.folder = mine, folder
            item.save()
            name = "display_name" if folder is mine.contacts else "subject"
            told = list(folder.sync_items())
            assert [(change, getattr(each, name)) for change, each in told] == [("create", "x")], folder
            assert list(folder.sync_items(sync_state=folder.item_sync_state)) == []
            for found in (
                folder.all(),
                folder.all().order_by(f"-{name}"),
                folder.filter(**{f"{name}__contains": "x"}).order_by(name, "-datetime_received"),
                folder.all().only(name, "body", "attachments"),
                folder.filter(has_attachments=True).only(name, "body", "attachments", "mime_content"),
                folder.exclude(**{name: "y"}),
            ):
                (each,) = list(found)
                assert getattr(each, name) == "x" and "text" in str(each.body)
                assert [(part.name, part.content) for part in each.attachments] == [("a.txt", b"octets")]
            assert folder.filter(**{f"{name}__startswith": "y"}).count() == 0 < folder.all().count()
            assert list(folder.all().values_list(name, flat=True)) == ["x"]
            assert list(folder.all().order_by("datetime_received").values(name)) == [{name: "x"}]

    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            await door.mailboxes.logon(door.guid(ALICE))
            await door.beside(lambda: steps_of(account(door, tmp_path, ALICE)))

    asyncio.run(steps())


def test_a_search_folder_is_found_and_read(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            await door.mailboxes.logon(door.guid(ALICE))
            tree = await door.mailboxes.tree(door.guid(ALICE))
            inbox = next(node.id for node in tree if node.kind is FolderKind.INBOX)
            letters = [NewItem(f"Subject: {name}\r\n\r\nx\r\n".encode()) for name in ("Lunch", "Plan", "Lunch again")]
            await door.mailboxes.create(door.guid(ALICE), inbox, letters)
            await door.beside(lambda: work(account(door, tmp_path, ALICE)))

    def work(mine: Account) -> None:
        # exchangelib makes no search folders; its session carries the request.
        session = mine.protocol.get_session()
        body = envelope(search_folder("Lunches", parameters("msgfolderroot")))
        answer = session.post(mine.protocol.service_endpoint, data=body, headers={"Content-Type": "text/xml"})
        mine.protocol.release_session(session)
        assert "NoError" in answer.text, answer.text
        lunches = mine.search_folders / "Lunches"
        assert lunches.total_count == 2
        assert sorted(item.subject for item in lunches.all()) == ["Lunch", "Lunch again"]
        assert [item.subject for item in lunches.filter(subject__icontains="again")] == ["Lunch again"]
        lunches.delete()
        assert mine.inbox.total_count == 3

    asyncio.run(steps())
