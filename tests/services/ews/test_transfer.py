"""Items are exported and uploaded, and what else is uploaded is refused.

covers: transfer, protocols.ews.exported, services.ews.operations.export_items, services.ews.operations.upload_items
covers: services.ews.operations.inbox_rules
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from pathlib import Path

import pytest
from exchangelib.errors import ErrorCorruptData, ErrorInvalidOperation

from postern.items.properties import CONFIGURATIONS
from postern.model.folders import FolderKind, Right
from postern.model.item_store import PropertyName, RenderedItem
from postern.model.items import NewItem
from postern.model.resources import NewResource
from postern.protocols.ews.exported import Exported, read
from postern.protocols.ews.exported import write as octets_of
from postern.protocols.ews.ids import FolderId, ItemId, read_id
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.exchange import account
from tests.services.ews.site import Answer, EwsDoor, EwsSite
from tests.services.ews.test_posts_and_notes import NOTE, created

MAIL = b"From: bob@example.test\r\nSubject: Lunch\r\n\r\nHello\r\n"
EVENT = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20261130T000000Z\r\n"
    b"DTSTART:20261201T100000Z\r\nDTEND:20261201T110000Z\r\nSUMMARY:Lunch\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
PLAIN = Exported("IPM.Note", False, 0, 1_700_000_000, (), (), MAIL)


def write(item: Exported) -> str:
    return base64.b64encode(octets_of(item)).decode()


def export(*items: int, address: str = ALICE) -> str:
    ids = "".join(f'<t:ItemId Id="{ItemId(guid_of(address), item)}"/>' for item in items)
    return f"<m:ExportItems><m:ItemIds>{ids}</m:ItemIds></m:ExportItems>"


def upload(folder: int, data: str, item: str = "", action: str = "", address: str = ALICE, more: str = "") -> str:
    named = f'<t:ItemId Id="{item}"/>' if item else ""
    action = action or ("Update" if item else "CreateNew")
    return (
        f'<m:UploadItems><m:Items><t:Item CreateAction="{action}"{more}>'
        f'<t:ParentFolderId Id="{FolderId(guid_of(address), folder)}"/>{named}<t:Data>{data}</t:Data></t:Item>'
        "</m:Items></m:UploadItems>"
    )


def data_of(answer: Answer) -> str:
    assert answer.codes == ["NoError"], answer.text
    return answer.texts(".//m:Data")[0]


def number_of(answer: Answer) -> int:
    item = read_id(answer.find(".//m:ItemId").attrib["Id"])
    assert isinstance(item, ItemId)
    return item.item


def test_mail_comes_back_as_it_was() -> None:
    async def steps() -> None:
        site = EwsSite()
        guid, inbox, drafts = guid_of(ALICE), await site.folder(FolderKind.INBOX), await site.folder(FolderKind.DRAFTS)
        bits = await site.mailboxes.keywords(guid, inbox, ["Red"], True)
        (item,) = await site.mailboxes.create(guid, inbox, [NewItem(MAIL, 1 | bits, 1_600_000_000)])
        (named,) = await site.mailboxes.property_ids(guid, [PropertyName(CONFIGURATIONS, None, "x")], True)
        bag = {named << 16 | 3: b"\1\0\0\0", 0x0037 << 16 | 3: b"\2\0\0\0"}
        await site.mailboxes.set_properties(guid, item, bag)
        data = data_of(await site.ask(export(item)))
        copy = number_of(await site.ask(upload(drafts, data)))
        (made,) = await site.mailboxes.get(guid, [copy], True)
        assert (made.content, made.internal_date, made.item_class) == (MAIL, 1_600_000_000, "IPM.Note")
        assert made.flags & 0xFF == 1 and made.folder == drafts and copy != item
        assert await site.mailboxes.properties(guid, copy) == bag
        assert (await site.mailboxes.folder(guid, drafts)).keywords == ("Red",)
        # Into another mailbox, where the property has another number.
        theirs = await site.folder(FolderKind.INBOX, BOB)
        await site.mailboxes.property_ids(guid_of(BOB), [PropertyName(CONFIGURATIONS, None, "y")], True)
        copy = number_of(await site.ask(upload(theirs, data, address=BOB), BOB))
        (number,) = await site.mailboxes.property_ids(guid_of(BOB), [PropertyName(CONFIGURATIONS, None, "x")])
        assert (await site.mailboxes.properties(guid_of(BOB), copy))[number << 16 | 3] == b"\1\0\0\0"
        # Over an item that is there.
        changed = write(replace(read(data), content=MAIL + b"!", properties=()))
        identity = str(ItemId(guid, item))
        assert number_of(await site.ask(upload(inbox, changed, identity))) == item
        assert (await site.mailboxes.get(guid, [item], True))[0].content == MAIL + b"!"
        assert await site.mailboxes.properties(guid, item) == {}
        gone = str(ItemId(guid, 999_999))
        assert (await site.ask(upload(inbox, changed, gone))).codes == ["ErrorItemNotFound"]
        assert (await site.ask(upload(inbox, changed, gone, "UpdateOrCreate"))).codes == ["NoError"]

    asyncio.run(steps())


def test_appointments_keep_the_values_by_which_they_are_found() -> None:
    async def steps() -> None:
        site = EwsSite()
        guid, calendar = guid_of(ALICE), await site.folder(FolderKind.CALENDAR)
        new = NewResource(EVENT, "IPM.Appointment", RenderedItem(uid="u1"), "a.ics")
        (item,) = await site.mailboxes.add(guid, calendar, [new])
        data = data_of(await site.ask(export(item)))
        await site.mailboxes.delete(guid, [item])
        copy = number_of(await site.ask(upload(calendar, data)))
        found = await site.mailboxes.overlapping(guid, calendar, 1_796_119_200, 1_796_119_201)
        assert list(found) == [copy] and found[copy].uid == "u1"
        over = upload(calendar, data, str(ItemId(guid, copy)))
        assert number_of(await site.ask(over)) == copy
        assert (await site.ask(upload(calendar, data))).codes == ["ErrorItemSave"]
        # Mail is no appointment, and what is no calendar neither.
        item_id = str(ItemId(guid, copy))
        for wrong in (
            PLAIN,
            replace(PLAIN, item_class="IPM.Appointment"),
            replace(PLAIN, item_class="IPM.Appointment", is_named=True),
            # An appointment keeps its UID.
            replace(PLAIN, item_class="IPM.Appointment", is_named=True, content=EVENT.replace(b"UID:u1", b"UID:u2")),
        ):
            assert (await site.ask(upload(calendar, write(wrong), item_id))).codes == ["ErrorCorruptData"]

    asyncio.run(steps())


def test_a_note_comes_back() -> None:
    async def steps() -> None:
        site = EwsSite()
        made = await site.ask(created(NOTE))
        item, folder = made.find(".//t:ItemId").attrib["Id"], await site.folder(FolderKind.NOTES)
        known = read_id(item)
        assert isinstance(known, ItemId)
        data = data_of(await site.ask(export(known.item)))
        copy = number_of(await site.ask(upload(folder, data)))
        first, second = await site.mailboxes.get(guid_of(ALICE), [known.item, copy], True)
        assert copy != known.item and second.item_class == "IPM.StickyNote" and first.content == second.content
        assert number_of(await site.ask(upload(folder, data, item))) == known.item

    asyncio.run(steps())


def test_foreign_forms_and_others_folders_are_refused() -> None:
    async def steps() -> None:
        site = EwsSite()
        guid, inbox = guid_of(ALICE), await site.folder(FolderKind.INBOX)
        good = base64.b64decode(write(PLAIN))
        for octets in (b"", b"\1\0\0\0", good[:-1], good[:9] + b"\0" * 8 + good[17:], good.replace(b"IPM", b"APM")):
            text = base64.b64encode(octets).decode()
            assert (await site.ask(upload(inbox, text))).codes == ["ErrorCorruptData"], octets
        for wrong in (replace(PLAIN, item_class=""), replace(PLAIN, item_class="IPM.Contact")):
            assert (await site.ask(upload(inbox, write(wrong)))).codes == ["ErrorCorruptData"]
        data = write(PLAIN)
        assert (await site.ask(upload(inbox, data, action="Update"))).codes == ["ErrorSchemaValidation"]
        assert (await site.ask(upload(inbox, data, more=' IsAssociated="true"'))).codes == ["ErrorInvalidOperation"]
        item = number_of(await site.ask(upload(inbox, data)))
        # Others need rights.
        assert (await site.ask(export(item), BOB)).codes == ["ErrorItemNotFound"]
        assert (await site.ask(upload(inbox, data), BOB)).codes == ["ErrorFolderNotFound"]
        owner = next(each for each in site.recipients.known.values() if each.guid == guid)
        await site.sharing.set_rights(owner, inbox, guid_of(BOB), Right.VISIBLE | Right.READ_ANY)
        assert read(data_of(await site.ask(export(item), BOB))).content == MAIL
        assert (await site.ask(upload(inbox, data), BOB)).codes == ["ErrorAccessDenied"]
        assert (await site.ask(upload(inbox, data, str(ItemId(guid, item))), BOB)).codes == ["ErrorAccessDenied"]
        await site.sharing.set_rights(owner, inbox, guid_of(BOB), Right.VISIBLE | Right.READ_ANY | Right.CREATE)
        assert (await site.ask(upload(inbox, data), BOB)).codes == ["NoError"]
        assert (await site.ask(export())).codes == ["ErrorInvalidRequest"]
        occurrence = f'<t:ItemId Id="{ItemId(guid, item, 5)}"/>'
        body = f"<m:ExportItems><m:ItemIds>{occurrence}</m:ItemIds></m:ExportItems>"
        assert (await site.ask(body)).codes == ["ErrorInvalidIdMalformed"]

    asyncio.run(steps())


def test_rules_are_said_not_to_be_there() -> None:
    async def steps() -> None:
        site = EwsSite()
        await site.folder(FolderKind.INBOX)
        for body in ("<m:GetInboxRules/>", "<m:UpdateInboxRules><m:Operations/></m:UpdateInboxRules>"):
            answer = await site.ask(body)
            assert answer.content.findtext("{*}ResponseCode") == "ErrorInvalidOperation"

    asyncio.run(steps())


@pytest.mark.slow
def test_exchangelib_exports_and_uploads(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            mine, guid = await door.beside(lambda: account(door, tmp_path, ALICE)), door.guid(ALICE)
            await door.mailboxes.logon(guid)
            drafts = next(node for node in await door.mailboxes.tree(guid) if node.kind is FolderKind.DRAFTS)
            await door.mailboxes.create(guid, drafts.id, [NewItem(MAIL)] * 3)

            def transfer() -> None:
                exported = mine.export(list(mine.drafts.all().only("subject")))
                uploaded = mine.upload((mine.drafts, data) for data in exported)
                subjects = sorted(item.subject for item in mine.drafts.all().only("subject"))
                assert subjects == ["Lunch"] * 6
                assert len({item_id for item_id, _ in uploaded}) == 3
                (refused,) = mine.upload([(mine.drafts, "AAAA")])
                assert isinstance(refused, ErrorCorruptData)
                with pytest.raises(ErrorInvalidOperation):
                    raise next(iter(mine.rules))

            await door.beside(transfer)

    asyncio.run(steps())


@pytest.mark.parametrize(
    "keyword", ["a)\r\n* BYE x", "a b", "", "\\Seen", "\ud800", "a\0", "gr\xfcn", "x" * 101, "a]", '"', "(", "{1}"]
)
def test_a_keyword_that_imap_could_not_tell_is_refused(keyword: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        answer = await site.ask(upload(inbox, write(replace(PLAIN, keywords=("Red", keyword)))))
        assert answer.codes == ["ErrorCorruptData"]
        assert (await site.mailboxes.folder(guid_of(ALICE), inbox)).keywords == ()

    asyncio.run(steps())


def test_who_may_only_add_items_adds_no_keywords_to_the_folder() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        item = write(replace(PLAIN, keywords=("Red",)))
        owner = site.recipients.known[ALICE]
        for right, keywords in ((Right(0), ()), (Right.EDIT_ANY, ("Red",))):
            rights = Right.VISIBLE | Right.READ_ANY | Right.CREATE | right
            await site.sharing.set_rights(owner, inbox, guid_of(BOB), rights)
            assert (await site.ask(upload(inbox, item), BOB)).codes == ["NoError"]
            assert tuple((await site.mailboxes.folder(guid_of(ALICE), inbox)).keywords) == keywords

    asyncio.run(steps())
