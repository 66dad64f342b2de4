"""Items are moved, copied and deleted, in one's own mailbox and in others'.

covers: moving, deleting, services.ews.operations.move_item, services.ews.operations.delete_item
covers: services.ews.operations.mark_as_junk, services.access.guarded
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from postern.model.folders import FolderKind, Right
from postern.model.item_store import PropertyName, RenderedItem, StoredItem
from postern.model.items import Flag, NewItem
from postern.model.mailbox import MailboxError
from postern.model.resources import NewResource
from postern.model.sharing import ROLES
from postern.protocols.ews.ids import FolderId, ItemId, read_id
from postern.services.access.guarded import MAKER_TAG
from tests.services.dav.site import ALICE, BOB, event, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_items import read
from tests.services.ews.test_messages import made as created
from tests.services.ews.test_messages import recipients
from tests.services.ews.test_transfer import data_of, export, upload


def message(subject: str) -> NewItem:
    return NewItem(f"From: {BOB}\r\nSubject: {subject}\r\n\r\nHello\r\n".encode(), Flag.SEEN, 1_000)


async def filled(site: EwsSite, count: int = 1, address: str = ALICE) -> list[ItemId]:
    """New messages in somebody's inbox."""
    inbox = await site.folder(FolderKind.INBOX, address)
    ids = await site.mailboxes.create(guid_of(address), inbox, [message(f"Lunch {n}") for n in range(count)])
    return [ItemId(guid_of(address), number) for number in ids]


async def grant(site: EwsSite, kind: FolderKind, role: str, owner: str = ALICE, to: str = BOB) -> int:
    folder = await site.folder(kind, owner)
    await site.sharing.set_rights(site.recipients.known[owner], folder, guid_of(to), ROLES[role])
    return folder


def placed(operation: str, to: str, *ids: ItemId, more: str = "") -> str:
    named = "".join(f'<t:ItemId Id="{each}"/>' for each in ids)
    return f"<m:{operation}><m:ToFolderId>{to}</m:ToFolderId><m:ItemIds>{named}</m:ItemIds>{more}</m:{operation}>"


def deleted(how: str, *ids: ItemId, more: str = "") -> str:
    named = "".join(f'<t:ItemId Id="{each}"/>' for each in ids)
    return f'<m:DeleteItem DeleteType="{how}" {more}><m:ItemIds>{named}</m:ItemIds></m:DeleteItem>'


def distinguished(name: str, address: str = "") -> str:
    mailbox = f"<t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox>" if address else ""
    return f'<t:DistinguishedFolderId Id="{name}">{mailbox}</t:DistinguishedFolderId>'


async def folder_of(site: EwsSite, item: ItemId) -> int | None:
    items = await site.mailboxes.get(item.mailbox, [item.item])
    return items[0].folder if items else None


def test_items_are_moved_and_copied_within_a_mailbox() -> None:
    async def steps() -> None:
        site = EwsSite()
        first, second = await filled(site, 2)
        drafts = await site.folder(FolderKind.DRAFTS)
        moved = await site.ask(placed("MoveItem", distinguished("drafts"), first, second))
        assert moved.codes == ["NoError", "NoError"]
        # A moved item keeps its id, and gets another change key.
        assert [each.attrib["Id"] for each in moved.all(".//t:ItemId")] == [str(first), str(second)]
        assert [await folder_of(site, each) for each in (first, second)] == [drafts, drafts]
        copied = await site.ask(placed("CopyItem", distinguished("inbox"), first, first))
        assert copied.codes == ["NoError", "NoError"]
        assert len({each.attrib["Id"] for each in copied.all(".//t:ItemId")} | {str(first)}) == 3
        without = await site.ask(
            placed("CopyItem", distinguished("inbox"), first, more="<m:ReturnNewItemIds>false</m:ReturnNewItemIds>")
        )
        assert without.codes == ["NoError"] and not without.all(".//t:ItemId")

    asyncio.run(steps())


def test_what_cannot_be_placed_is_told_item_by_item() -> None:
    async def steps() -> None:
        site = EwsSite()
        (item,) = await filled(site)
        gone, occurrence = ItemId(item.mailbox, 4711), ItemId(item.mailbox, item.item, 1_000)
        folder = FolderId(item.mailbox, 4711)
        for operation in ("MoveItem", "CopyItem"):
            request = placed(operation, distinguished("drafts"), gone, occurrence, item)
            answer = await site.ask(request.replace(f'<t:ItemId Id="{item}"/>', f'<t:ItemId Id="{folder}"/>'))
            assert answer.codes == [
                "ErrorItemNotFound",
                "ErrorCalendarCannotMoveOrCopyOccurrence",
                "ErrorCannotUseFolderIdForItemId",
            ]
            answer = await site.ask(placed(operation, f'<t:FolderId Id="{folder}"/>', item))
            assert answer.codes == ["ErrorToFolderNotFound"]
            answer = await site.ask(placed(operation, distinguished("msgfolderroot"), item))
            assert answer.codes == ["ErrorMoveCopyFailed"]
        assert (await site.ask(deleted("HardDelete", gone, occurrence))).codes == [
            "ErrorItemNotFound",
            "ErrorCannotDeleteObject",
        ]
        assert (await site.ask(deleted("Shred", item))).codes == ["ErrorSchemaValidation"]
        answer = await site.ask(
            f"<m:ArchiveItem><m:ArchiveSourceFolderId>{distinguished('inbox')}</m:ArchiveSourceFolderId>"
            f'<m:ItemIds><t:ItemId Id="{item}"/></m:ItemIds></m:ArchiveItem>'
        )
        assert answer.codes == ["ErrorArchiveMailboxNotEnabled"]

    asyncio.run(steps())


@pytest.mark.parametrize("how", ["HardDelete", "SoftDelete", "MoveToDeletedItems"])
def test_items_are_deleted(how: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        first, second = await filled(site, 2)
        trash = await site.folder(FolderKind.DELETED)
        answer = await site.ask(deleted(how, first, second, first))
        assert answer.codes == ["NoError", "NoError", "ErrorItemNotFound" if how != "MoveToDeletedItems" else "NoError"]
        expected = trash if how == "MoveToDeletedItems" else None
        assert [await folder_of(site, each) for each in (first, second)] == [expected, expected]

    asyncio.run(steps())


def test_appointments_and_tasks_need_a_word_more() -> None:
    async def steps() -> None:
        site = EwsSite()
        calendar, tasks = await site.folder(FolderKind.CALENDAR), await site.folder(FolderKind.TASKS)
        guid = guid_of(ALICE)
        (meeting,) = await site.mailboxes.add(guid, calendar, [NewResource(event("a"), "IPM.Appointment")])
        (task,) = await site.mailboxes.add(guid, tasks, [NewResource(b"BEGIN:VCALENDAR", "IPM.Task")])
        ids = ItemId(guid, meeting), ItemId(guid, task)
        answer = await site.ask(deleted("HardDelete", *ids))
        assert answer.codes == ["ErrorSendMeetingCancellationsRequired", "ErrorAffectedTaskOccurrencesRequired"]
        more = 'SendMeetingCancellations="SendToNone" AffectedTaskOccurrences="AllOccurrences"'
        assert (await site.ask(deleted("HardDelete", *ids, more=more))).codes == ["NoError", "NoError"]
        assert not await site.mailboxes.get(guid, [meeting, task])
        more = 'SendMeetingCancellations="SendToWhom"'
        assert (await site.ask(deleted("HardDelete", *ids, more=more))).codes == ["ErrorSchemaValidation"]

    asyncio.run(steps())


def test_items_go_to_anothers_mailbox_by_rights() -> None:
    async def steps() -> None:
        site = EwsSite()
        guid, other = guid_of(ALICE), guid_of(BOB)
        (item,) = await filled(site, 1, BOB)
        inbox = await site.folder(FolderKind.INBOX)
        assert (await site.ask(placed("MoveItem", distinguished("inbox", ALICE), item), BOB)).codes == [
            "ErrorToFolderNotFound"
        ]
        await grant(site, FolderKind.INBOX, "contributor")
        (number,) = await site.mailboxes.property_ids(other, [PropertyName(other, 1)], True)
        await site.mailboxes.property_ids(guid, [PropertyName(guid, 1), PropertyName(other, 1)], True)
        await site.mailboxes.set_properties(other, item.item, {number << 16 | 3: b"\1\0\0\0", 0x1234_0003: b"\2\0\0\0"})
        theirs = await site.folder(FolderKind.INBOX, BOB)
        bits = await site.mailboxes.keywords(other, theirs, ["red"], True)
        await site.mailboxes.keywords(guid, inbox, ["green"], True)
        await site.mailboxes.change_flags(other, theirs, [(1, 1)], 1, bits)
        answer = await site.ask(placed("MoveItem", distinguished("inbox", ALICE), item), BOB)
        assert answer.codes == ["NoError"]
        assert not await site.mailboxes.get(other, [item.item])
        (copy,) = await site.mailboxes.get(guid, range(1, 1_000_000), True)
        assert copy.content == message("Lunch 0").content and copy.internal_date == 1_000
        assert copy.flags == Flag.SEEN | await site.mailboxes.keywords(guid, inbox, ["red"], False)
        bag = await site.mailboxes.properties(guid, copy.id)
        assert {tag: octets for tag, octets in bag.items() if tag != MAKER_TAG} == {
            0x8001_0003: b"\1\0\0\0",
            0x1234_0003: b"\2\0\0\0",
        }
        # A contributor does not see what is there, not even his own.
        (found,) = answer.all(".//t:ItemId")
        assert (await site.ask(deleted("HardDelete", ItemId(guid, copy.id)), BOB)).codes == ["ErrorItemNotFound"]
        assert found.attrib["Id"] == str(ItemId(guid, copy.id))

    asyncio.run(steps())


def test_an_appointment_keeps_its_values_in_another_mailbox() -> None:
    async def steps() -> None:
        site = EwsSite()
        other = guid_of(BOB)
        calendar, theirs = await site.folder(FolderKind.CALENDAR), await site.folder(FolderKind.CALENDAR, BOB)
        (number,) = await site.mailboxes.add(other, theirs, [NewResource(event("a"), "IPM.Appointment")])
        await grant(site, FolderKind.CALENDAR, "editor")
        answer = await site.ask(placed("CopyItem", distinguished("calendar", ALICE), ItemId(other, number)), BOB)
        assert answer.codes == ["NoError"]
        (resource,) = await site.mailboxes.with_uids(guid_of(ALICE), calendar, ["a"])
        assert resource.item_class == "IPM.Appointment"
        # A calendar has each UID once.
        answer = await site.ask(placed("MoveItem", distinguished("calendar", ALICE), ItemId(other, number)), BOB)
        assert answer.codes == ["ErrorMoveCopyFailed"] and await site.mailboxes.get(other, [number])

    asyncio.run(steps())


def test_a_copy_in_the_same_calendar_is_an_appointment_of_its_own() -> None:
    async def steps() -> None:
        site = EwsSite()
        guid = guid_of(ALICE)
        calendar = await site.folder(FolderKind.CALENDAR)
        trips = (await site.mailboxes.create_in(guid, 0, "Trips", "IPF.Appointment")).id
        people = f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE:mailto:{BOB}", "X-OWN:kept"
        meeting = event("a", "Lunch", "20260301T120000Z", *people)
        (number,) = await site.mailboxes.add(
            guid, calendar, [NewResource(meeting, "IPM.Appointment", RenderedItem("a"))]
        )
        await site.mailboxes.set_properties(guid, number, {0x1234_0003: b"\2\0\0\0"})
        item = ItemId(guid, number)
        assert (await site.ask(placed("CopyItem", distinguished("calendar"), item, item))).codes == ["NoError"] * 2
        copies = [each for each in await site.mailboxes.resources(guid, calendar) if each.id != number]
        assert len({"a", *(each.uid for each in copies)}) == 3
        (content,) = (await site.mailboxes.with_ids(guid, [copies[0].id], True)).contents
        assert f"UID:{copies[0].uid}\r\n".encode() in (content or b"") and b"ATTENDEE" not in (content or b"")
        assert b"X-OWN:kept" in (content or b"")
        assert await site.mailboxes.properties(guid, copies[0].id) == {0x1234_0003: b"\2\0\0\0"}
        # In another calendar it is the same meeting.
        trips_id = FolderId(guid, trips)
        assert (await site.ask(placed("CopyItem", f'<t:FolderId Id="{trips_id}"/>', item))).codes == ["NoError"]
        assert [each.uid for each in await site.mailboxes.resources(guid, trips)] == ["a"]

    asyncio.run(steps())


@pytest.mark.parametrize("failing", ["the second copy", "the answer"])
def test_nothing_is_copied_twice_where_the_rest_fails(failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        site = EwsSite()
        guid, calendar = guid_of(ALICE), await site.folder(FolderKind.CALENDAR)
        meetings = [
            NewResource(event(name, "Lunch", "20260301T120000Z"), "IPM.Appointment", RenderedItem(name))
            for name in ("a", "b")
        ]
        numbers = await site.mailboxes.add(guid, calendar, meetings)
        inbox = await site.folder(FolderKind.INBOX)
        mails = await site.mailboxes.create(guid, inbox, [message("Lunch")])
        there = site.mailboxes._folder(guid, calendar).items
        add_with, get = site.mailboxes.add_with, site.mailboxes.get
        left = [1]

        async def full(*told: Any, **more: Any) -> list[int]:
            if not left:
                raise MailboxError("OVERQUOTA", "The mailbox is full")
            left.pop()
            return await add_with(*told, **more)

        async def away(mailbox: UUID, ids: Sequence[int], contents: bool = False) -> Sequence[StoredItem]:
            if not set(ids) & {*numbers, *mails}:
                raise MailboxError("UNAVAILABLE", "The store is away")
            return await get(mailbox, ids, contents)

        if failing == "the answer":
            monkeypatch.setattr(site.mailboxes, "get", away)
        else:
            monkeypatch.setattr(site.mailboxes, "add_with", full)
        ids = [ItemId(guid, number) for number in (*mails, *numbers)]
        answer = await site.ask(placed("CopyItem", distinguished("calendar"), *ids))
        monkeypatch.undo()
        if failing == "the answer":
            assert answer.codes == ["ErrorMailboxStoreUnavailable"] * 3
        else:
            assert answer.codes == ["NoError", "NoError", "ErrorQuotaExceeded"]
        assert len(there) - 2 == (3 if failing == "the answer" else 2)

    asyncio.run(steps())


def test_an_appointment_is_not_moved_beside_another_of_its_uid() -> None:
    async def steps() -> None:
        site = EwsSite()
        guid = guid_of(ALICE)
        calendar, trash = await site.folder(FolderKind.CALENDAR), await site.folder(FolderKind.DELETED)
        new = NewResource(event("a", "Lunch", "20260301T120000Z"), "IPM.Appointment", RenderedItem("a"))
        there, gone, other = [(await site.mailboxes.add(guid, folder, [new]))[0] for folder in (calendar, trash, trash)]
        ids = [ItemId(guid, number) for number in (there, gone, other)]
        back = distinguished("calendar")
        answer = await site.ask(placed("MoveItem", back, *ids))
        assert answer.codes == ["NoError", "ErrorMoveCopyFailed", "ErrorMoveCopyFailed"]
        assert (await site.ask(placed("MoveItem", distinguished("deleteditems"), *ids[:1]))).codes == ["NoError"]
        assert (await site.ask(placed("MoveItem", back, *ids[1:]))).codes == ["NoError", "ErrorMoveCopyFailed"]

    asyncio.run(steps())


@pytest.mark.parametrize(
    "role, deletes, deletes_own",
    [("reviewer", False, False), ("author", False, True), ("nonediting-author", False, True), ("editor", True, True)],
)
def test_deleting_in_anothers_mailbox_is_judged(role: str, deletes: bool, deletes_own: bool) -> None:
    async def steps() -> None:
        site = EwsSite()
        trash = await site.folder(FolderKind.DELETED)
        (item,) = await filled(site)
        await grant(site, FolderKind.INBOX, role)
        answer = await site.ask(deleted("MoveToDeletedItems", item), BOB)
        assert answer.codes == ["NoError" if deletes else "ErrorAccessDenied"]
        assert (await folder_of(site, item) == trash) is deletes
        if Right.CREATE in ROLES[role]:
            (mine,) = await filled(site, 1, BOB)
            answer = await site.ask(placed("CopyItem", distinguished("inbox", ALICE), mine), BOB)
            copy = answer.find(".//t:ItemId").attrib["Id"]
            answer = await site.ask(deleted("HardDelete", item).replace(str(item), copy), BOB)
            assert answer.codes == ["NoError" if deletes_own else "ErrorAccessDenied"]

    asyncio.run(steps())


def test_a_message_is_junk_and_is_none() -> None:
    async def steps() -> None:
        site = EwsSite()
        (item,) = await filled(site)
        junk, inbox = await site.folder(FolderKind.JUNK), await site.folder(FolderKind.INBOX)
        gone = ItemId(item.mailbox, 4711)

        def marked(is_junk: bool, moves: bool, *ids: ItemId) -> str:
            named = "".join(f'<t:ItemId Id="{each}"/>' for each in ids)
            attributes = f'IsJunk="{str(is_junk).lower()}" MoveItem="{str(moves).lower()}"'
            return f"<m:MarkAsJunk {attributes}><m:ItemIds>{named}</m:ItemIds></m:MarkAsJunk>"

        answer = await site.ask(marked(True, True, item, gone))
        assert answer.codes == ["NoError", "ErrorItemNotFound"] and await folder_of(site, item) == junk
        assert answer.find(".//m:MovedItemId").attrib["Id"] == str(item)
        answer = await site.ask(marked(False, False, item))
        assert answer.codes == ["NoError"] and not answer.all(".//m:MovedItemId")
        await site.ask(marked(False, True, item))
        assert await folder_of(site, item) == inbox
        occurrence = ItemId(item.mailbox, item.item, 1_000)
        assert (await site.ask(marked(True, True, occurrence))).codes == ["ErrorCalendarCannotMoveOrCopyOccurrence"]
        # The mailbox is another's, and so is its junk.
        await grant(site, FolderKind.INBOX, "editor")
        assert (await site.ask(marked(True, True, item), BOB)).codes == ["ErrorFolderNotFound"]
        await grant(site, FolderKind.JUNK, "reviewer")
        assert (await site.ask(marked(True, True, item), BOB)).codes == ["ErrorAccessDenied"]

    asyncio.run(steps())


def test_an_author_changes_what_he_has_made_and_nothing_else() -> None:
    async def steps() -> None:
        site = EwsSite()
        (hers,) = await filled(site)
        await grant(site, FolderKind.INBOX, "author")
        target = f"<m:SavedItemFolderId>{distinguished('inbox', ALICE)}</m:SavedItemFolderId>"
        tag = '<t:ExtendedFieldURI PropertyTag="0x1234" PropertyType="Integer"/>'
        # Nobody becomes the maker of an item by saying so.
        forged = '<t:ExtendedFieldURI PropertyTag="0x3ff9" PropertyType="Binary"/>'
        more = "".join(
            f"<t:ExtendedProperty>{uri}<t:Value>{value}</t:Value></t:ExtendedProperty>"
            for uri, value in ((tag, "42"), (forged, "AAAA"))
        )
        made = await site.ask(
            f'<m:CreateItem MessageDisposition="SaveOnly">{target}<m:Items><t:Message><t:Subject>x</t:Subject>{more}'
            "</t:Message></m:Items></m:CreateItem>",
            BOB,
        )
        assert made.codes == ["NoError"]
        mine = made.find(".//t:ItemId").attrib["Id"]

        def changed(item: str, uri: str, value: str) -> str:
            return (
                '<m:UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly"><m:ItemChanges><t:ItemChange>'
                f'<t:ItemId Id="{item}"/><t:Updates><t:SetItemField>{uri}<t:Message>{value}</t:Message></t:SetItemField>'
                "</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
            )

        subject = '<t:FieldURI FieldURI="item:Subject"/>', "<t:Subject>y</t:Subject>"
        number = tag, f"<t:ExtendedProperty>{tag}<t:Value>43</t:Value></t:ExtendedProperty>"
        theft = forged, f"<t:ExtendedProperty>{forged}<t:Value>BBBB</t:Value></t:ExtendedProperty>"
        for change in (subject, number, theft):
            assert (await site.ask(changed(mine, *change), BOB)).codes == ["NoError"]
            assert (await site.ask(changed(str(hers), *change), BOB)).codes == ["ErrorAccessDenied"]
        (item,) = [each for each in await site.mailboxes.get(hers.mailbox, range(1, 1_000_000)) if each.id != hers.item]
        bag = await site.mailboxes.properties(hers.mailbox, item.id)
        assert bag[MAKER_TAG][4:] == guid_of(BOB).bytes and bag[0x1234_0003] == b"\x2b\0\0\0"

    asyncio.run(steps())


def test_an_author_sees_and_uses_the_rights_over_what_he_has_made() -> None:
    async def steps() -> None:
        site = EwsSite()
        (hers,) = await filled(site)
        inbox = await grant(site, FolderKind.INBOX, "author")
        letter = "<t:Subject>x</t:Subject>" + recipients("ToRecipients", "eve@else.test")
        draft = await site.ask(created(letter, folder=distinguished("inbox", ALICE)), BOB)
        mine = read_id(draft.find(".//t:ItemId").attrib["Id"])
        assert isinstance(mine, ItemId)
        rights = '<t:FieldURI FieldURI="item:EffectiveRights"/>'
        told = await site.ask(read(str(hers), rights), BOB)
        assert told.texts(".//t:Modify") == told.texts(".//t:Delete") == ["false"]
        told = await site.ask(read(str(mine), rights), BOB)
        assert told.texts(".//t:Modify") == told.texts(".//t:Delete") == ["true"]
        told = await site.ask(export(hers.item))
        theirs = await site.ask(upload(inbox, data_of(told), str(hers)), BOB)
        assert theirs.codes == ["ErrorAccessDenied"]
        own = await site.ask(upload(inbox, data_of(await site.ask(export(mine.item))), str(mine)), BOB)
        assert own.codes == ["NoError"]
        quiet = created(f'<t:ReferenceItemId Id="{hers}"/>', kind="SuppressReadReceipt")
        assert (await site.ask(quiet, BOB)).codes == ["ErrorAccessDenied"]
        key = (await site.ask(read(str(mine)), BOB)).find(".//t:ItemId").attrib["ChangeKey"]
        named = f'<t:ItemId Id="{mine}" ChangeKey="{key}"/>'
        sent = await site.ask(f'<m:SendItem SaveItemToFolder="true"><m:ItemIds>{named}</m:ItemIds></m:SendItem>', BOB)
        assert sent.codes == ["NoError"] and await folder_of(site, mine) is None

    asyncio.run(steps())


def test_an_author_answers_what_he_has_put_there() -> None:
    async def steps() -> None:
        site = EwsSite()
        (hers,) = await filled(site)
        await grant(site, FolderKind.INBOX, "author")
        (own,) = await filled(site, 1, BOB)
        copied = await site.ask(placed("CopyItem", distinguished("inbox", ALICE), own), BOB)
        mine = read_id(copied.find(".//t:ItemId").attrib["Id"])
        assert isinstance(mine, ItemId)
        for item, kind, flag in (
            (mine, "SuppressReadReceipt", 0),
            (mine, "ReplyToItem", Flag.ANSWERED),
            (hers, "ReplyToItem", 0),
        ):
            before = (await site.mailboxes.get(item.mailbox, [item.item]))[0].flags
            asked = created(f'<t:ReferenceItemId Id="{item}"/>', "SendOnly", kind=kind)
            assert (await site.ask(asked, BOB)).codes == ["NoError"]
            assert (await site.mailboxes.get(item.mailbox, [item.item]))[0].flags == before | flag

    asyncio.run(steps())
