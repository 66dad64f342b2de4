"""Meetings by Exchange Web Services: invited to, changed, answered, cancelled; and the messages that bring them.

covers: meeting_answers, meeting_changes, meeting_messages, services.ews.fields.meeting
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject
from postern.items.imip import invitation_in
from postern.model.folders import FolderKind, Right
from postern.model.item_store import RenderedItem
from postern.model.mailbox import MailboxError
from postern.protocols.content_lines import line
from postern.protocols.ews.ids import ItemId, read_id
from postern.services.ews import item_reading
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.item_view import ItemView, Need
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.post import Post
from tests.services.ews.site import Answer, EwsSite
from tests.services.ews.test_calendar_items import (
    HOUR,
    SERIES,
    ZONE,
    changed,
    deleted,
    id_of,
    made,
    occurrence,
    read,
    stored,
)

CAROL = "carol@elsewhere.test"


def people(kind: str, *addresses: str) -> str:
    each = "".join(
        [
            f"<t:Attendee><t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox></t:Attendee>"
            for address in addresses
        ]
    )
    return f"<t:{kind}>{each}</t:{kind}>"


def answer(name: str, item: str, more: str = "", disposition: str = "SendAndSaveCopy") -> str:
    return (
        f'<m:CreateItem MessageDisposition="{disposition}"><m:Items><t:{name}>{more}<t:ReferenceItemId Id="{item}"/>'
        f"</t:{name}></m:Items></m:CreateItem>"
    )


def work(steps: Callable[[EwsSite, Post], Awaitable[None]]) -> None:
    async def all_steps() -> None:
        site = EwsSite()
        await steps(site, Post(site.mailboxes, site.recipients, {each: guid_of(each) for each in (ALICE, BOB)}))

    asyncio.run(all_steps())


async def messages(site: EwsSite, address: str = BOB, base: str = "AllProperties") -> Answer:
    """The messages in an inbox, whole."""
    folder = '<t:DistinguishedFolderId Id="inbox"/>'
    shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
    listed = await site.ask(
        f'<m:FindItem Traversal="Shallow">{shape}<m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>', address
    )
    ids = [each.attrib["Id"] for each in listed.all(".//t:ItemId")]
    return await site.ask(read(*ids, base=base), address)


async def invited(site: EwsSite, post: Post, times: str = HOUR + ZONE) -> str:
    """A meeting of alice to which bob is invited; returns its id."""
    more = people("RequiredAttendees", BOB)
    place = times.index("<t:Recurrence>") if "<t:Recurrence>" in times else times.index("<t:StartTimeZone")
    item = id_of(await site.ask(made(times[:place] + more + times[place:], "SendToAllAndSaveCopy", "Talk")))
    assert await post.carry() == [f"REQUEST {BOB}"]
    return item


def test_a_meeting_is_sent_as_the_request_says() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        more = HOUR + people("RequiredAttendees", BOB) + people("OptionalAttendees", CAROL) + ZONE
        item = id_of(await site.ask(made(more)))
        assert await post.carry() == []
        told = await site.ask(read(item))
        assert told.texts(".//t:MeetingRequestWasSent") == ["false"] and told.texts(".//t:IsMeeting") == ["true"]
        assert told.texts(".//t:OptionalAttendees//t:EmailAddress") == [CAROL]
        assert told.texts(".//t:MyResponseType") == ["Organizer"]
        subject = "<t:Subject>Talk</t:Subject>"
        assert (await site.ask(changed(item, "item:Subject", subject, "SendToAllAndSaveCopy"))).codes == ["NoError"]
        assert await post.carry() == [f"REQUEST {BOB} {CAROL}"]
        assert (await site.ask(read(item))).texts(".//t:MeetingRequestWasSent") == ["true"]
        # Those who stay see nothing new.
        less = people("OptionalAttendees", "dave@elsewhere.test")
        assert (
            await site.ask(changed(item, "calendar:OptionalAttendees", less, "SendToChangedAndSaveCopy"))
        ).codes == ["NoError"]
        sent = await post.carry()
        assert f"CANCEL {CAROL}" in sent and any("dave" in each for each in sent)

    work(steps)


def test_a_request_in_the_inbox_is_accepted() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        item = await invited(site, post)
        request = await messages(site)
        element = request.find(".//t:MeetingRequest")
        assert element is not None and request.texts(".//t:ItemClass") == ["IPM.Schedule.Meeting.Request"]
        assert request.texts(".//t:MeetingRequestType") == ["NewMeetingRequest"]
        assert request.texts(".//t:ResponseType")[0] == "NoResponseReceived"
        assert request.texts(".//t:Organizer//t:EmailAddress") == [ALICE]
        assert request.all(".//t:ResponseObjects/t:AcceptItem")
        copy = request.find(".//t:AssociatedCalendarItemId").attrib["Id"]
        assert (await site.ask(read(copy), BOB)).texts(".//t:MyResponseType") == ["NoResponseReceived"]
        words = '<t:Body BodyType="Text">With pleasure</t:Body>'
        told = await site.ask(answer("AcceptItem", id_of(request), words), BOB)
        assert told.codes == ["NoError"] and id_of(told) == copy
        assert await post.carry() == [f"REPLY {ALICE}"]
        reply = invitation_in(post.mails[-1])
        assert reply is not None and reply.main.value("COMMENT") == "With pleasure"
        theirs = await site.ask(read(copy), BOB)
        assert theirs.texts(".//t:MyResponseType") == ["Accept"] and theirs.texts(".//t:AppointmentReplyTime")
        # The organizer's copy knows it, and the request is among the deleted items.
        mine = await site.ask(read(item))
        assert mine.texts(".//t:RequiredAttendees//t:ResponseType") == ["Accept"]
        assert len(mine.texts(".//t:RequiredAttendees//t:LastResponseTime")) == 1
        response = await messages(site, ALICE)
        assert response.texts(".//t:MeetingResponse/t:ResponseType") == ["Accept"]
        assert response.texts(".//t:ItemClass") == ["IPM.Schedule.Meeting.Resp.Pos"]
        deleted_items = await site.folder(FolderKind.DELETED, BOB)
        assert len(site.mailboxes._folder(guid_of(BOB), deleted_items).items) == 1

    work(steps)


def test_what_changes_and_leaves_the_times_is_no_new_request() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        item = await invited(site, post)
        (copy,) = (found for _, found in site.mailboxes._resources(guid_of(BOB), None))
        copy.created -= 60  # the request came a minute ago
        inbox = site.mailboxes._folder(guid_of(BOB), await site.folder(FolderKind.INBOX, BOB))
        (first,) = inbox.items.values()
        first.date -= 60
        subject = "<t:Subject>Talk in the garden</t:Subject>"
        assert (await site.ask(changed(item, "item:Subject", subject, "SendToAllAndSaveCopy"))).codes == ["NoError"]
        assert await post.carry() == [f"REQUEST {BOB}"]
        told = await messages(site)
        assert sorted(told.texts(".//t:MeetingRequestType")) == ["InformationalUpdate", "NewMeetingRequest"]
        later = "<t:End>2026-12-01T17:00:00Z</t:End>"
        assert (await site.ask(changed(item, "calendar:End", later, "SendToAllAndSaveCopy"))).codes == ["NoError"]
        await post.carry()
        assert "FullUpdate" in (await messages(site)).texts(".//t:MeetingRequestType")
        assert "InformationalUpdate" not in (await messages(site)).texts(".//t:MeetingRequestType")

    work(steps)


def test_a_refusal_takes_the_appointment_away() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        item = await invited(site, post)
        request = await messages(site)
        copy = request.find(".//t:AssociatedCalendarItemId").attrib["Id"]
        assert (await site.ask(answer("DeclineItem", copy), BOB)).codes == ["NoError"]
        assert await post.carry() == [f"REPLY {ALICE}"]
        assert (await site.ask(read(copy), BOB)).codes == ["ErrorItemNotFound"]
        assert (await site.ask(read(item))).texts(".//t:RequiredAttendees//t:ResponseType") == ["Decline"]

    work(steps)


def test_a_refusal_of_what_is_in_no_calendar_is_kept_if_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        await invited(site, post)
        request = await messages(site)
        (item,) = [each.attrib["Id"] for each in request.all(".//t:MeetingRequest/t:ItemId")]
        copy = read_id(request.find(".//t:AssociatedCalendarItemId").attrib["Id"])
        assert isinstance(copy, ItemId)
        await site.mailboxes.delete(guid_of(BOB), [copy.item])
        outbox, sent = await site.folder(FolderKind.OUTBOX, BOB), await site.folder(FolderKind.SENT, BOB)

        async def away(*told: object, **more: object) -> int:
            raise MailboxError("OVERQUOTA", "The mailbox is full")

        with monkeypatch.context() as failing:
            failing.setattr(site.mailboxes, "send", away)
            failed = await site.ask(answer("DeclineItem", item, disposition="SendOnly"), BOB)
        assert failed.codes == ["ErrorQuotaExceeded"]
        assert not site.mailboxes._folder(guid_of(BOB), outbox).items
        assert (await site.ask(answer("DeclineItem", item, disposition="SendOnly"), BOB)).codes == ["NoError"]
        assert await post.carry() == [f"REPLY {ALICE}"]
        assert not site.mailboxes._folder(guid_of(BOB), sent).items

    work(steps)


def test_an_old_cancellation_does_not_remove_a_meeting_that_was_set_up_again() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        item = await invited(site, post)
        copy = (await messages(site)).find(".//t:AssociatedCalendarItemId").attrib["Id"]
        assert (await site.ask(answer("CancelCalendarItem", item))).codes == ["NoError"]
        await post.carry()
        cancellation = (await messages(site)).all(".//t:MeetingCancellation/t:ItemId")[0].attrib["Id"]
        known = read_id(copy)
        assert isinstance(known, ItemId)
        # A newer request has come.
        (resource,) = await site.mailboxes.with_ids(guid_of(BOB), [known.item], True)
        calendar = calendar_object.read(resource.content or b"")
        assert isinstance(calendar, CalendarObject)
        calendar.main.replace("SEQUENCE", line("SEQUENCE", "9"))
        calendar.main.replace("STATUS", None)
        values = RenderedItem(uid=calendar.uid)
        await site.mailboxes.replace(guid_of(BOB), known.item, calendar.root.octets(), values)
        removed = await site.ask(answer("RemoveItem", cancellation), BOB)
        assert removed.codes == ["ErrorCalendarMeetingRequestIsOutOfDate"]
        told = await site.ask(read(copy), BOB)
        (stored_now,) = await site.mailboxes.get(guid_of(BOB), [known.item])
        assert told.codes == ["NoError"] and stored_now.folder == await site.folder(FolderKind.CALENDAR, BOB)

    work(steps)


def test_an_attendee_of_another_list_keeps_the_answer() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        item = await invited(site, post)
        (element,) = (await messages(site)).all(".//t:MeetingRequest/t:ItemId")
        assert (await site.ask(answer("AcceptItem", element.attrib["Id"]), BOB)).codes == ["NoError"]
        await post.carry()
        for kind, line_ in (("OptionalAttendees", "OPT-PARTICIPANT"), ("Resources", "NON-PARTICIPANT")):
            moved = changed(item, f"calendar:{kind}", people(kind, BOB), "SendToNone")
            assert (await site.ask(moved)).codes == ["NoError"]
            told = await site.ask(read(item))
            assert told.texts(f".//t:{kind}//t:ResponseType") == ["Accept"]
            (entry,) = (await stored(site)).main.lines("ATTENDEE")
            assert entry.parameter("ROLE") == line_
            assert entry.parameter("CUTYPE") == ("RESOURCE" if kind == "Resources" else "")

    work(steps)


def test_another_time_is_proposed() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        await invited(site, post)
        request = await messages(site)
        times = (
            "<t:ProposedStart>2026-12-01T12:00:00Z</t:ProposedStart><t:ProposedEnd>2026-12-01T13:00:00Z</t:ProposedEnd>"
        )
        (element,) = request.all(".//t:MeetingRequest/t:ItemId")
        asked = answer("TentativelyAcceptItem", element.attrib["Id"]).replace("/></t:Tent", f"/>{times}</t:Tent")
        assert (await site.ask(asked, BOB)).codes == ["NoError"]
        assert await post.carry() == [f"COUNTER {ALICE}"]
        response = await messages(site, ALICE)
        assert response.texts(".//t:MeetingResponse/t:ProposedStart") == ["2026-12-01T12:00:00Z"]

    work(steps)


def test_an_answer_may_be_kept_to_oneself() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        await invited(site, post)
        request = await messages(site)
        assert (await site.ask(answer("AcceptItem", id_of(request), disposition="SaveOnly"), BOB)).codes == ["NoError"]
        assert await post.carry() == []

    work(steps)


def test_a_series_with_exceptions_is_answered_by_occurrence() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        item = await invited(site, post, SERIES)
        third = id_of(await site.ask(read(occurrence(item, 3))))
        moved = "<t:End>2026-12-03T16:00:00+01:00</t:End>"
        assert (await site.ask(changed(third, "calendar:End", moved, "SendToAllAndSaveCopy"))).codes == ["NoError"]
        assert await post.carry() == [f"REQUEST {BOB}"]
        copy = (await messages(site)).all(".//t:AssociatedCalendarItemId")[0].attrib["Id"]
        theirs = await site.ask(read(copy), BOB)
        assert theirs.texts(".//t:ModifiedOccurrences//t:End") == ["2026-12-03T15:00:00Z"]
        second = id_of(await site.ask(read(occurrence(copy, 2)), BOB))
        assert (await site.ask(answer("AcceptItem", second), BOB)).codes == ["NoError"]
        assert await post.carry() == [f"REPLY {ALICE}"]
        mine = await site.ask(read(occurrence(item, 2), item))
        assert mine.texts(".//t:RequiredAttendees//t:ResponseType") == ["Accept", "NoResponseReceived"]
        fourth = id_of(await site.ask(read(occurrence(copy, 4)), BOB))
        assert (await site.ask(answer("DeclineItem", fourth), BOB)).codes == ["NoError"]
        await post.carry()
        assert (await site.ask(read(copy), BOB)).texts(".//t:DeletedOccurrence/t:Start") == ["2026-12-04T08:00:00Z"]

    work(steps)


def test_a_meeting_is_cancelled() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        item = await invited(site, post)
        copy = (await messages(site)).find(".//t:AssociatedCalendarItemId").attrib["Id"]
        assert (await site.ask(answer("CancelCalendarItem", copy), BOB)).codes == ["ErrorCalendarIsNotOrganizer"]
        words = '<t:NewBodyContent BodyType="Text">Sorry</t:NewBodyContent>'
        assert (await site.ask(answer("CancelCalendarItem", item, words))).codes == ["NoError"]
        assert await post.carry() == [f"CANCEL {BOB}"]
        assert (await site.ask(read(item))).codes == ["ErrorItemNotFound"]
        assert (await site.ask(read(copy), BOB)).texts(".//t:IsCancelled") == ["true"]
        assert (await site.ask(answer("AcceptItem", copy), BOB)).codes == ["ErrorCalendarIsCancelledForAccept"]
        cancellation = (await messages(site)).all(".//t:MeetingCancellation/t:ItemId")[0].attrib["Id"]
        assert (await site.ask(answer("RemoveItem", cancellation), BOB)).codes == ["NoError"]
        assert (await site.ask(read(copy), BOB)).texts(".//t:ParentFolderId") is not None

    work(steps)


def test_a_deletion_tells_the_others_if_it_is_asked_to() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        item = await invited(site, post, SERIES)
        second = id_of(await site.ask(read(occurrence(item, 2))))
        assert (await site.ask(deleted(second, "SendToAllAndSaveCopy"))).codes == ["NoError"]
        assert len(await post.carry()) == 1
        copy = (await messages(site)).all(".//t:AssociatedCalendarItemId")[0].attrib["Id"]
        assert (await site.ask(read(copy), BOB)).texts(".//t:DeletedOccurrence/t:Start") == ["2026-12-02T08:00:00Z"]
        assert (await site.ask(deleted(item, "SendOnlyToAll", "MoveToDeletedItems"))).codes == ["NoError"]
        assert await post.carry() == [f"CANCEL {BOB}"]
        trash = await site.folder(FolderKind.DELETED)
        assert len(site.mailboxes._folder(guid_of(ALICE), trash).items) == 1

    work(steps)


def test_the_organizer_does_not_answer_and_an_attendee_does_not_move() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        item = await invited(site, post)
        copy = (await messages(site)).find(".//t:AssociatedCalendarItemId").attrib["Id"]
        assert (await site.ask(answer("AcceptItem", item))).codes == ["ErrorCalendarIsOrganizerForAccept"]
        moved = "<t:End>2026-12-01T16:00:00+01:00</t:End>"
        asked = changed(copy, "calendar:End", moved, "SendToAllAndSaveCopy")
        assert (await site.ask(asked, BOB)).codes == ["ErrorCalendarIsNotOrganizer"]
        others = changed(copy, "calendar:RequiredAttendees", people("RequiredAttendees", CAROL))
        assert (await site.ask(others, BOB)).codes == ["ErrorCalendarIsNotOrganizer"]
        # His own reminder is his to set.
        reminder = changed(copy, "item:ReminderIsSet", "<t:ReminderIsSet>true</t:ReminderIsSet>")
        assert (await site.ask(reminder, BOB)).codes == ["NoError"]
        assert (await stored(site, BOB)).main.value("SUMMARY") == "Talk"
        assert (await site.ask(answer("AcceptItem", copy), ALICE)).codes == ["ErrorItemNotFound"]

    work(steps)


def test_what_refers_to_no_meeting_is_refused() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        item = id_of(await site.ask(made(HOUR)))
        for name, code in (
            ("AcceptItem", "ErrorInvalidItemForOperationAcceptItem"),
            ("TentativelyAcceptItem", "ErrorInvalidItemForOperationTentative"),
            ("DeclineItem", "ErrorInvalidItemForOperationDeclineItem"),
            ("CancelCalendarItem", "ErrorInvalidItemForOperationCancelItem"),
        ):
            assert (await site.ask(answer(name, item))).codes == [code]
        assert (await site.ask(answer("AcceptItem", "x"))).codes == ["ErrorInvalidIdMalformed"]

    work(steps)


def test_a_delegate_invites_for_another_if_he_may_send_on_behalf() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        folder = await site.folder(FolderKind.CALENDAR)
        owner = await site.recipients.recipient(ALICE)
        assert owner is not None
        rights = Right.VISIBLE | Right.READ_ANY | Right.CREATE | Right.EDIT_ANY | Right.DELETE_ANY
        await site.sharing.set_rights(owner, folder, guid_of(BOB), rights)
        calendar = (
            '<m:SavedItemFolderId><t:DistinguishedFolderId Id="calendar"><t:Mailbox>'
            f"<t:EmailAddress>{ALICE}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId></m:SavedItemFolderId>"
        )
        more = HOUR + people("RequiredAttendees", CAROL)
        asked = made(more, "SendToAllAndSaveCopy").replace("<m:Items>", f"{calendar}<m:Items>")
        assert (await site.ask(asked, BOB)).codes == ["ErrorSendAsDenied"]
        assert await post.carry() == []
        quiet = made(more).replace("<m:Items>", f"{calendar}<m:Items>")
        item = id_of(await site.ask(quiet, BOB))
        told = await site.ask(read(item))
        # The meeting is the owner's.
        assert told.texts(".//t:Organizer//t:EmailAddress") == [ALICE]
        site.recipients.known[ALICE] = replace(owner, delegates=(BOB,))
        subject = "<t:Subject>Talk</t:Subject>"
        assert (await site.ask(changed(item, "item:Subject", subject, "SendToAllAndSaveCopy"), BOB)).codes == [
            "NoError"
        ]
        assert await post.carry() == [f"REQUEST {CAROL}"]
        assert b"From: <alice@example.test>" in post.mails[-1]

    work(steps)


def test_a_delegate_answers_for_another_whose_mail_he_only_reads() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        owner = await site.recipients.recipient(ALICE)
        assert owner is not None
        site.recipients.known[ALICE] = replace(owner, delegates=(BOB,))
        reads = Right.VISIBLE | Right.READ_ANY
        for kind, rights in ((FolderKind.INBOX, reads), (FolderKind.CALENDAR, reads | Right.CREATE | Right.EDIT_ANY)):
            await site.sharing.set_rights(owner, await site.folder(kind), guid_of(BOB), rights)
        more = HOUR + people("RequiredAttendees", ALICE) + ZONE
        assert (await site.ask(made(more, "SendToAllAndSaveCopy"), BOB)).codes == ["NoError"]
        assert await post.carry() == [f"REQUEST {ALICE}"]
        request = id_of(await messages(site, ALICE))
        assert (await site.ask(answer("AcceptItem", request), BOB)).codes == ["NoError"]
        assert await post.carry() == [f"REPLY {BOB}"]
        assert id_of(await messages(site, ALICE)) == request

    work(steps)


def test_a_meeting_is_forwarded_and_answered_by_mail() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        item = id_of(await site.ask(made(HOUR + people("RequiredAttendees", CAROL) + ZONE, subject="Talk")))
        to = f"<t:ToRecipients><t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox></t:ToRecipients>"
        assert (await site.ask(answer("ForwardItem", item, to))).codes == ["NoError"]
        assert await post.carry() == [f"REQUEST {BOB}"]
        request = await messages(site)
        assert request.texts(".//t:MeetingRequest/t:Subject") == ["FW: Talk"]
        # It comes from the organizer, and so the attendant applies it.
        assert request.texts(".//t:HasBeenProcessed") == ["true"]
        told = await site.ask(answer("AcceptItem", id_of(request)), BOB)
        assert told.codes == ["NoError"]
        assert await post.carry() == [f"REPLY {ALICE}"]
        assert (await site.ask(read(id_of(told)), BOB)).texts(".//t:MyResponseType") == ["Accept"]
        assert (await site.ask(answer("ReplyAllToItem", item))).codes == ["NoError"]
        (sent,) = await post.carry()
        assert CAROL in sent and b"In-Reply-To" not in post.mails[-1]

    work(steps)


def test_one_occurrence_is_forwarded_and_not_its_series() -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        item = id_of(await site.ask(made(SERIES, subject="Talk")))
        second = id_of(await site.ask(read(occurrence(item, 2))))
        to = f"<t:ToRecipients><t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox></t:ToRecipients>"
        assert (await site.ask(answer("ForwardItem", second, to))).codes == ["NoError"]
        assert await post.carry() == [f"REQUEST {BOB}"]
        invitation = invitation_in(post.mails[-1])
        assert invitation is not None
        (part,) = invitation.parts
        assert part.first("RRULE") is None and part.first("RECURRENCE-ID") is not None
        assert "20261202" in part.value("DTSTART") and part.value("SUMMARY") == "Talk"

    work(steps)


@pytest.mark.parametrize(("mode", "kept"), [("SendOnlyToAll", 0), ("SendToAllAndSaveCopy", 1)])
def test_a_copy_is_kept_if_it_is_asked_for(mode: str, kept: int) -> None:
    async def steps(site: EwsSite, post: Post) -> None:
        await site.ask(made(HOUR + people("RequiredAttendees", BOB), mode))
        assert await post.carry() == [f"REQUEST {BOB}"]
        sent = await site.folder(FolderKind.SENT)
        assert len(site.mailboxes._folder(guid_of(ALICE), sent).items) == kept

    work(steps)


def test_contents_are_read_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[int] = []
    load = item_reading.load

    async def counted(call: Call, mailbox: Mailbox, ids: Sequence[int], needs: Need) -> list[ItemView]:
        views = await load(call, mailbox, ids, needs)
        loaded.extend([len(views)] if needs & Need.CONTENT else [])
        return views

    async def steps(site: EwsSite, post: Post) -> None:
        for _ in range(3):
            await site.ask(made(HOUR + people("RequiredAttendees", BOB), "SendOnlyToAll"))
        await post.carry()
        monkeypatch.setattr(item_reading, "PAGE_OCTETS", 1)
        monkeypatch.setattr(item_reading, "load", counted)
        assert len((await messages(site, base="IdOnly")).all(".//t:MeetingRequest")) == 3
        assert loaded == [1, 1, 1]

    work(steps)
