"""What a request makes of one item is stored at once: with its flags and its properties, or not at all.

covers: editing
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from postern.model.folders import FolderKind
from postern.model.item_store import StoredItem
from postern.model.items import Flag
from postern.protocols.ews.exported import ExportedProperty, read
from postern.protocols.ews.ids import ItemId, read_id
from postern.protocols.ews.times import written
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_calendar_items import HOUR
from tests.services.ews.test_items import read as ask_for
from tests.services.ews.test_meetings import people
from tests.services.ews.test_transfer import data_of, export, upload, write

TAG = '<t:ExtendedFieldURI PropertyTag="0x7FF0" PropertyType="String"/>'
TOO_LONG = "x" * 70_000
CHANGES = frozenset({
    *("create", "create_with", "add", "add_with", "put", "put_with", "put_sending", "update", "replace", "edit", "send"),
    *("set_properties", "change_flags", "delete", "move_items", "submit"),
})  # fmt: skip
"""The methods of a store by which items change."""
KINDS = {
    "Message": ("drafts", ""),
    "Contact": ("contacts", ""),
    "Task": ("tasks", ""),
    "PostItem": ("inbox", ""),
    "CalendarItem": ("calendar", HOUR),
    "meeting": ("calendar", HOUR + people("RequiredAttendees", BOB)),
}


def extended(text: str) -> str:
    return f"<t:ExtendedProperty>{TAG}<t:Value>{text}</t:Value></t:ExtendedProperty>"


def mode_of(kind: str) -> str:
    return "SendOnlyToAll" if kind == "meeting" else "SendToNone"


def created(kind: str, text: str, subject: str = "before") -> str:
    folder, more = KINDS[kind]
    name = "CalendarItem" if kind == "meeting" else kind
    return (
        f'<m:CreateItem MessageDisposition="SaveOnly" SendMeetingInvitations="{mode_of(kind)}"><m:SavedItemFolderId>'
        f'<t:DistinguishedFolderId Id="{folder}"/></m:SavedItemFolderId><m:Items><t:{name}><t:Subject>{subject}</t:Subject>'
        f"{extended(text)}{more}</t:{name}></m:Items></m:CreateItem>"
    )


def changed(kind: str, item: ItemId, text: str, key: str = "", conflict: str = "AutoResolve") -> str:
    name = "CalendarItem" if kind == "meeting" else kind
    unread = "<t:FieldURI FieldURI='message:IsRead'/><t:Message><t:IsRead>false</t:IsRead></t:Message>"
    unread = f"<t:SetItemField>{unread}</t:SetItemField>" if kind == "Message" else ""
    return (
        f'<m:UpdateItem ConflictResolution="{conflict}" MessageDisposition="SaveOnly" '
        f'SendMeetingInvitationsOrCancellations="{mode_of(kind)}"><m:ItemChanges><t:ItemChange>'
        f'<t:ItemId Id="{item}"{key}/><t:Updates><t:SetItemField><t:FieldURI FieldURI="item:Subject"/>'
        f"<t:{name}><t:Subject>after</t:Subject></t:{name}></t:SetItemField>{unread}"
        f"<t:SetItemField>{TAG}<t:{name}>{extended(text)}</t:{name}></t:SetItemField>"
        "</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
    )


async def made(site: EwsSite, kind: str) -> ItemId:
    told = await site.ask(created(kind, "old"))
    item = read_id(told.find(".//t:ItemId").attrib["Id"])
    assert isinstance(item, ItemId)
    return item


async def state(site: EwsSite, item: ItemId) -> tuple[StoredItem, dict[int, bytes], list[int], int]:
    """An item with its bag, what is in the outbox, and the number of the mailbox's last change."""
    guid = guid_of(ALICE)
    (stored,) = await site.mailboxes.get(guid, [item.item], True)
    change = (await site.mailboxes.logon(guid)).change
    return stored, await site.mailboxes.properties(guid, item.item), await site.mailboxes.outbox(guid), change


def calls(site: EwsSite, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the methods by which the application changes items from now on, but not of those that these call."""
    told: list[str] = []
    depth = 0

    def telling(name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **named: Any) -> Any:
            nonlocal depth
            if not depth:
                told.append(name)
            depth += 1
            try:
                return await method(*arguments, **named)
            finally:
                depth -= 1

        return call

    for name in CHANGES:
        monkeypatch.setattr(site.mailboxes, name, telling(name, getattr(site.mailboxes, name)))
    return told


def work(steps: Callable[[EwsSite], Awaitable[None]]) -> None:
    async def all_steps() -> None:
        await steps(EwsSite())

    asyncio.run(all_steps())


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_whose_properties_are_refused_changes_nothing(kind: str) -> None:
    async def steps(site: EwsSite) -> None:
        item = await made(site, kind)
        before = await state(site, item)
        assert (await site.ask(changed(kind, item, TOO_LONG))).codes != ["NoError"]
        if kind == "meeting":
            # The letter lay in the outbox, and goes away with what it told.
            assert (await state(site, item))[:3] == before[:3]
        else:
            assert await state(site, item) == before
        assert (await site.ask(changed(kind, item, "new"))).codes == ["NoError"]
        assert (await state(site, item))[:2] != before[:2]

    work(steps)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_made_where_the_properties_are_refused(kind: str) -> None:
    async def steps(site: EwsSite) -> None:
        item = await made(site, kind)
        before = await state(site, item)
        assert (await site.ask(created(kind, TOO_LONG, "other"))).codes != ["NoError"]
        there = await site.mailboxes.changes(guid_of(ALICE), None, 0)
        assert "other" not in str(await site.mailboxes.get(guid_of(ALICE), there.created, True))
        if kind == "meeting":
            assert (await state(site, item))[:3] == before[:3]
        else:
            assert await state(site, item) == before, "not even for a moment"

    work(steps)


@pytest.mark.parametrize("kind", KINDS)
def test_one_item_is_one_call_of_the_store(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(site: EwsSite) -> None:
        item = await made(site, kind)
        told = calls(site, monkeypatch)
        assert (await site.ask(changed(kind, item, "new"))).codes == ["NoError"]
        assert (await site.ask(created(kind, "new", "other"))).codes == ["NoError"]
        making = "create_with" if kind in ("Message", "PostItem") else "add_with"
        # The letters of a meeting come to the outbox before, and nobody sends them until it is stored.
        assert told == (["create_with", "put_with"] * 2 if kind == "meeting" else ["edit", making])

    work(steps)


def test_a_draft_is_sent_by_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(site: EwsSite) -> None:
        people_ = f"<t:ToRecipients><t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox></t:ToRecipients>"
        told = await site.ask(created("Message", "old").replace("</t:Message>", f"{people_}</t:Message>"))
        item, key = (told.find(".//t:ItemId").attrib[name] for name in ("Id", "ChangeKey"))
        names = calls(site, monkeypatch)
        ids = f'<m:ItemIds><t:ItemId Id="{item}" ChangeKey="{key}"/></m:ItemIds>'
        sent = f'<m:SendItem SaveItemToFolder="true">{ids}</m:SendItem>'
        assert (await site.ask(sent)).codes == ["NoError"]
        assert names == ["send"]
        assert len(await site.mailboxes.outbox(guid_of(ALICE))) == 1

    work(steps)


@pytest.mark.parametrize("kind", ["Message", "Contact", "CalendarItem", "meeting"])
def test_somebody_else_is_quicker(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program changes the item between the moment in which an update reads it and that in which it stores it."""

    async def steps(site: EwsSite) -> None:
        item, guid = await made(site, kind), guid_of(ALICE)
        left = [1]

        def racing(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def call(*arguments: Any, **named: Any) -> Any:
                if left and left.pop():
                    await site.mailboxes.set_properties(guid, item.item, {0x7FF1_0003: b"\1\0\0\0"})
                return await method(*arguments, **named)

            return call

        for name in ("edit", "put_with"):
            monkeypatch.setattr(site.mailboxes, name, racing(getattr(site.mailboxes, name)))
        assert (await site.ask(changed(kind, item, "new"))).codes == ["NoError"], "made once more"
        stored, bag, _, _ = await state(site, item)
        assert b"after" in (stored.content or b"") and 0x7FF1_0003 in bag and len(bag) >= 2
        left.append(1)
        key = (await site.ask(ask_for(str(item)))).find(".//t:ItemId").attrib["ChangeKey"]
        answer = await site.ask(changed(kind, item, "newer", f' ChangeKey="{key}"', "NeverOverwrite"))
        assert answer.codes == ["ErrorIrresolvableConflict"]
        assert (await state(site, item))[0].flags == stored.flags

    work(steps)


def test_an_upload_over_an_item_is_made_whole_or_not_at_all() -> None:
    async def steps(site: EwsSite) -> None:
        item, guid = await made(site, "Message"), guid_of(ALICE)
        drafts = await site.folder(FolderKind.DRAFTS)
        data = data_of(await site.ask(export(item.item)))
        before = await state(site, item)
        bag = (ExportedProperty(0x7FF0, None, 0x102, TOO_LONG.encode()),)
        other = write(replace(read(data), content=b"Subject: after\r\n\r\n", flags=Flag.FLAGGED, properties=bag))
        for answer in (upload(drafts, other, str(item)), upload(drafts, other)):
            assert (await site.ask(answer)).codes != ["NoError"]
            assert await state(site, item) == before
        assert len((await site.mailboxes.changes(guid, drafts, 0)).created) == 1

    work(steps)


def test_flags_that_exchange_knows_leave_keywords_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """IMAP adds a keyword between the moment in which an update reads the item and that in which it stores it."""

    async def steps(site: EwsSite) -> None:
        item, guid = await made(site, "Message"), guid_of(ALICE)
        drafts = await site.folder(FolderKind.DRAFTS)
        edit, word = site.mailboxes.edit, await site.mailboxes.keywords(guid, drafts, ["Work"], True)
        (stored,) = await site.mailboxes.get(guid, [item.item])

        async def racing(*arguments: Any, **named: Any) -> int:
            if not site.mailboxes._item(guid, item.item)[1].flags & word:
                site.mailboxes._item(guid, item.item)[1].flags |= word
            return await edit(*arguments, **named)

        monkeypatch.setattr(site.mailboxes, "edit", racing)
        assert (await site.ask(changed("Message", item, "new"))).codes == ["NoError"]
        (after,) = await site.mailboxes.get(guid, [item.item])
        assert (stored.flags & Flag.SEEN, after.flags & Flag.SEEN, after.flags & word) == (Flag.SEEN, 0, word)

    work(steps)


@pytest.mark.parametrize("kind", KINDS)
def test_items_say_when_they_were_changed(kind: str) -> None:
    tag = '<t:ExtendedFieldURI PropertyTag="0x3008" PropertyType="SystemTime"/>'

    async def steps(site: EwsSite) -> None:
        item = await made(site, kind)
        shape = ask_for(str(item), '<t:FieldURI FieldURI="item:LastModifiedTime"/>', tag)
        stored = site.mailboxes._item(guid_of(ALICE), item.item)[1]
        assert (await site.ask(shape)).texts(".//t:LastModifiedTime") == [written(stored.created)]
        stored.modseq = 1_900_000_000_123_456
        told = await site.ask(shape)
        assert (
            told.texts(".//t:LastModifiedTime")
            == told.texts(".//t:ExtendedProperty/t:Value")
            == ["2030-03-17T17:46:40Z"]
        )
        # A delivery has the number behind the mailbox's last change, which may be an old one.
        stored.modseq = 1_000_000_000_000_001
        assert (await site.ask(shape)).texts(".//t:LastModifiedTime") == [written(stored.created)]

    work(steps)
