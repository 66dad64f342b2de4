"""A class is known in any case, and one whose name only begins like another's is another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from postern.items.appointment import ITEM_CLASS as APPOINTMENT
from postern.items.contact import ITEM_CLASS as CONTACT
from postern.items.task import ITEM_CLASS as TASK
from postern.model.folders import FolderKind
from postern.model.item_store import RenderedItem
from postern.model.items import NewItem
from postern.model.resources import NewResource
from postern.protocols.ews.exported import Exported
from postern.protocols.ews.ids import ItemId
from tests.services.dav.site import ALICE, guid_of
from tests.services.ews.site import Answer, EwsSite
from tests.services.ews.test_calendar_items import deleted, occurrence
from tests.services.ews.test_items import read
from tests.services.ews.test_messages import made, recipients
from tests.services.ews.test_notifications import Puller, folders_of, subscribe
from tests.services.ews.test_people import find, persona
from tests.services.ews.test_transfer import upload, write

DAILY = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20261130T000000Z\r\n"
    b"DTSTART:20261201T100000Z\r\nDTEND:20261201T110000Z\r\nRRULE:FREQ=DAILY;COUNT=3\r\nSUMMARY:Lunch\r\n"
    b"END:VEVENT\r\nEND:VCALENDAR\r\n"
)
CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c1\r\nFN:Kim\r\nN:Kim;;;;\r\nEMAIL:kim@sea.test\r\nEND:VCARD\r\n"
INVITATION = (
    b"From: bob@example.test\r\nTo: alice@example.test\r\nSubject: Lunch\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/calendar; charset=utf-8; method=REQUEST\r\n\r\n"
    + DAILY.replace(b"PRODID:x", b"PRODID:x\r\nMETHOD:REQUEST").replace(
        b"SUMMARY:", b"ORGANIZER:mailto:bob@example.test\r\nATTENDEE:mailto:alice@example.test\r\nSUMMARY:"
    )
)


def work(steps: Callable[[EwsSite], Awaitable[None]]) -> None:
    async def all_steps() -> None:
        await steps(EwsSite())

    asyncio.run(all_steps())


async def named(site: EwsSite, kind: FolderKind, content: bytes, item_class: str) -> str:
    """The id of a new item that has a name in its folder."""
    folder, guid = await site.folder(kind), guid_of(ALICE)
    resource = NewResource(content, item_class, RenderedItem(uid="u1"), "a")
    (item,) = await site.mailboxes.add(guid, folder, [resource])
    return str(ItemId(guid, item))


async def mail(site: EwsSite, content: bytes, item_class: str) -> str:
    folder, guid = await site.folder(FolderKind.INBOX), guid_of(ALICE)
    (item,) = await site.mailboxes.create(guid, folder, [NewItem(content, item_class=item_class)])
    return str(ItemId(guid, item))


def get(id_: str) -> str:
    shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
    return f"<m:GetItem>{shape}<m:ItemIds>{id_}</m:ItemIds></m:GetItem>"


def test_an_appointment_in_small_letters_has_occurrences_and_says_who_is_told() -> None:
    async def steps(site: EwsSite) -> None:
        item = await named(site, FolderKind.CALENDAR, DAILY, APPOINTMENT.lower())
        assert (await site.ask(get(occurrence(item, 2)))).codes == ["NoError"]
        assert (await site.ask(get(occurrence(item, 4)))).codes == [
            "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"
        ]
        silent = deleted(item).replace(' SendMeetingCancellations="SendToNone"', "")
        assert (await site.ask(silent)).codes == ["ErrorSendMeetingCancellationsRequired"]
        answer = f'<t:ReferenceItemId Id="{item}"/><t:NewBodyContent BodyType="Text">x</t:NewBodyContent>'
        to_bob = recipients("ToRecipients", "bob@example.test")
        forwarded = await site.ask(made(to_bob + answer, kind="ForwardItem"))
        (draft,) = [each.attrib["Id"] for each in forwarded.all(".//t:ItemId")]
        assert (await site.ask(read(draft, base="Default"))).texts(".//t:Subject") == ["FW: Lunch"]
        removed = made(f'<t:ReferenceItemId Id="{item}"/>', "SaveOnly", kind="RemoveItem")
        assert (await site.ask(removed)).codes == ["NoError"]

    work(steps)


def test_a_task_in_small_letters_says_which_occurrences_are_meant() -> None:
    async def steps(site: EwsSite) -> None:
        content = (
            b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:u1\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
        )
        item = await named(site, FolderKind.TASKS, content, TASK.lower())
        assert (await site.ask(deleted(item))).codes == ["ErrorAffectedTaskOccurrencesRequired"]

    work(steps)


def test_an_invitation_in_small_letters_is_a_request() -> None:
    async def steps(site: EwsSite) -> None:
        item = await mail(site, INVITATION, "ipm.note")
        told = await site.ask(read(item, base="AllProperties"))
        assert told.texts(".//t:MeetingRequest/t:Start") == ["2026-12-01T10:00:00Z"]

    work(steps)


def send(answer: Answer) -> str:
    id_ = answer.find(".//t:ItemId").attrib
    named_ = f'<t:ItemId Id="{id_["Id"]}" ChangeKey="{id_["ChangeKey"]}"/>'
    return f'<m:SendItem SaveItemToFolder="false"><m:ItemIds>{named_}</m:ItemIds></m:SendItem>'


@pytest.mark.parametrize(
    ("item_class", "code"),
    [("IPM.Notebook", "ErrorInvalidItemForOperationSendItem"), ("ipm.note.Mine", "NoError")],
)
def test_what_is_sent_is_a_note(item_class: str, code: str) -> None:
    async def steps(site: EwsSite) -> None:
        letter = f"<t:ItemClass>{item_class}</t:ItemClass>" + recipients("ToRecipients", "bob@example.test")
        draft = await site.ask(made(letter))
        assert (await site.ask(send(draft))).codes == [code]
        silent = made(letter).replace(' MessageDisposition="SaveOnly"', "")
        assert ((await site.ask(silent)).codes == ["ErrorMessageDispositionRequired"]) is (code == "NoError")

    work(steps)


def test_only_mail_is_new_mail() -> None:
    async def steps(site: EwsSite) -> None:
        puller = Puller(site, await site.ask(subscribe(folders=folders_of("inbox"))))
        for item_class, is_mail in (("IPM.Notebook", False), ("Reporter", False), ("REPORT.IPM.Note.NDR", True)):
            await mail(site, b"Subject: x\r\n\r\n", item_class)
            assert ("NewMail item" in await puller.pull()) is is_mail, item_class

    work(steps)


def test_contacts_are_no_contracts() -> None:
    async def steps(site: EwsSite) -> None:
        item = await named(site, FolderKind.CONTACTS, CARD, f"{CONTACT}s")
        assert (await site.ask(find())).texts("m:People/t:Persona/t:DisplayName") == []
        assert (await site.ask(persona(item))).texts("m:ResponseCode") == ["ErrorItemNotFound"]

    work(steps)


@pytest.mark.parametrize(
    ("item_class", "code"), [("IPM.Contacts", "NoError"), ("ipm.contact.Mine", "ErrorCorruptData")]
)
def test_an_upload_of_another_class_needs_no_card(item_class: str, code: str) -> None:
    async def steps(site: EwsSite) -> None:
        inbox = await site.folder(FolderKind.INBOX)
        data = write(Exported(item_class, False, 0, 1_700_000_000, (), (), b"Subject: x\r\n\r\n"))
        assert (await site.ask(upload(inbox, data))).codes == [code]

    work(steps)
