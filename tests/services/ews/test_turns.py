"""Long work on one item keeps no other request waiting: it is done in a thread.

covers: services.scheduling.aside, meeting_answers, meeting_changes, calendar_deleting, moving, task_editor, contact_editor
covers: services.ews.operations.update_item, services.ews.operations.create_item
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import Any

import pytest

from postern.items import calendar_object
from postern.model.folders import FolderKind
from postern.model.sharing import ROLES
from postern.services.ews import (
    calendar_deleting,
    contact_editor,
    meeting_answers,
    meeting_changes,
    meeting_messages,
    moving,
    occurrences,
    task_editor,
)
from postern.services.ews.appointments import Appointment
from postern.services.ews.operations import create_item, update_item
from postern.services.scheduling import aside
from postern.services.scheduling.aside import may_recur
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.post import Post
from tests.services.ews.site import EwsSite
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
    work,
)
from tests.services.ews.test_contacts import created as new_contact
from tests.services.ews.test_items import created
from tests.services.ews.test_meetings import answer, invited, messages, people
from tests.services.ews.test_meetings import work as meeting
from tests.services.ews.test_tasks import WEEKLY
from tests.services.ews.test_tasks import deleted as task_deleted
from tests.services.ews.test_tasks import new as new_task


class Threads:
    """The functions that ran, by whether they did so in the thread of the event loop."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.in_loop: list[str] = []
        self.beside: list[str] = []

    def watch(self, owner: Any, *names: str) -> None:
        for name in names:
            self._patch.setattr(owner, name, self._watched(name, getattr(owner, name)))

    def _watched(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any, **named: Any) -> Any:
            is_loop = threading.current_thread() is threading.main_thread()
            (self.in_loop if is_loop else self.beside).append(name)
            return work(*given, **named)

        return watched


def test_rules_are_found_however_they_are_written() -> None:
    for octets in (
        b"RRULE:FREQ=DAILY",
        b"rrule:x",
        b"x\r\nRRU\r\n LE:x",
        b"rr\n\tule;x=y:z",
        b"x" * (aside.AT_ONCE + 1),
    ):
        assert may_recur(octets), octets
    assert not may_recur(b"RDATE:20261201\r\nEXRUL\r\nE:x") and not may_recur(b"")


def test_rules_are_expanded_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads(monkeypatch)

    async def steps(site: EwsSite, post: Post) -> None:
        year = "<t:StartDate>2026-12-01</t:StartDate><t:EndDate>2027-12-01</t:EndDate>"
        until = f"<t:EndDateRecurrence>{year}</t:EndDateRecurrence>"
        daily = f"<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>{until}</t:Recurrence>"
        series = f"{HOUR}{daily}{ZONE}"
        item = id_of(await site.ask(made(series + people("RequiredAttendees", BOB), "SendToAllAndSaveCopy")))
        await post.carry()
        threads.watch(Appointment, "edges")
        threads.watch(occurrences, "_key_at")
        last = (await site.ask(read(item))).texts(".//t:LastOccurrence/t:Start")
        assert last == ["2027-12-01T08:00:00Z"]
        assert (await messages(site)).texts(".//t:LastOccurrence/t:Start") == last
        assert (await site.ask(read(occurrence(item, 3)))).codes == ["NoError"]
        assert (await site.ask(deleted(id_of(await site.ask(read(occurrence(item, 3))))))).codes == ["NoError"]
        assert {"edges", "_key_at"} <= set(threads.beside) and not threads.in_loop

    meeting(steps)


def test_an_occurrence_that_takes_too_long_to_find_is_not_found() -> None:
    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(made(SERIES)))
        folder = await site.folder(FolderKind.CALENDAR)
        page = await site.mailboxes.resources(guid_of(ALICE), folder)
        (resource,) = await site.mailboxes.named(guid_of(ALICE), folder, page.names, True)
        octets = (resource.content or b"").replace(b"FREQ=DAILY;COUNT=5", b"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")
        assert octets != resource.content
        rendered = (await site.mailboxes.overlapping(guid_of(ALICE), folder, 0, 1 << 40))[resource.id]
        await site.mailboxes.replace(guid_of(ALICE), resource.id, octets, rendered)
        told = await site.ask(read(*[occurrence(item, 2)] * 5))
        assert told.codes == ["ErrorInsufficientResources"] * 5

    work(steps)


def test_large_objects_are_read_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads(monkeypatch)

    def watch() -> None:
        monkeypatch.setattr(aside, "AT_ONCE", 0)
        threads.watch(calendar_object, "read")
        threads.watch(meeting_messages, "invitation_in")
        threads.watch(meeting_answers, "_part", "_message")
        threads.watch(calendar_deleting, "without_occurrence")
        for owner in (meeting_changes, moving, task_editor):
            threads.watch(owner, "values_of")
        threads.watch(contact_editor, "card_values")

    async def steps(site: EwsSite, post: Post) -> None:
        calendar = await site.folder(FolderKind.CALENDAR, BOB)
        await site.sharing.set_rights(site.recipients.known[BOB], calendar, guid_of(ALICE), ROLES["owner"])
        await invited(site, post)
        request = id_of(await messages(site, base="IdOnly"))
        series = id_of(await site.ask(made(SERIES)))
        occurrences_ = [id_of(await site.ask(read(occurrence(series, number)))) for number in (1, 2)]
        own = id_of(await site.ask(made(SERIES + people("RequiredAttendees", BOB))))
        task = await new_task(site, f"<t:Subject>Paint</t:Subject>{WEEKLY}")
        watch()
        proposal = "<t:Body BodyType='Text'>Gladly</t:Body>"
        assert (await site.ask(answer("TentativelyAcceptItem", request, proposal), BOB)).codes == ["NoError"]
        assert (await site.ask(deleted(occurrences_[0]))).codes == ["NoError"]
        assert (await site.ask(changed(occurrences_[1], "item:Subject", "<t:Subject>Tea</t:Subject>"))).codes == [
            "NoError"
        ]
        target = f'<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox>'
        moved = (
            f"<m:CopyItem><m:ToFolderId>{target}</t:DistinguishedFolderId></m:ToFolderId><m:ItemIds>"
            f'<t:ItemId Id="{series}"/></m:ItemIds></m:CopyItem>'
        )
        assert (await site.ask(moved)).codes == ["NoError"]
        assert (await site.ask(moved.replace(target, '<t:DistinguishedFolderId Id="calendar">'))).codes == ["NoError"]
        assert (await site.ask(answer("CancelCalendarItem", own))).codes == ["NoError"]
        assert (await site.ask(task_deleted(task, "SpecifiedOccurrenceOnly"))).codes == ["NoError"]
        assert (await site.ask(new_contact("<t:DisplayName>Ann</t:DisplayName>"))).codes == ["NoError"]
        assert {"read", "invitation_in", "_part", "_message", "without_occurrence", "values_of", "card_values"} <= set(
            threads.beside
        )
        assert threads.in_loop == []

    meeting(steps)


def test_large_values_are_applied_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads(monkeypatch)

    def body(size: int) -> str:
        return f'<t:Body BodyType="HTML">{"x" * size}</t:Body>'

    def update(item: str, *updates: str) -> str:
        return (
            '<m:UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly"><m:ItemChanges>'
            f'<t:ItemChange><t:ItemId Id="{item}"/><t:Updates>{"".join(updates)}</t:Updates></t:ItemChange>'
            "</m:ItemChanges></m:UpdateItem>"
        )

    def field(action: str, uri: str, value: str) -> str:
        return f'<t:{action}><t:FieldURI FieldURI="item:{uri}"/><t:Message>{value}</t:Message></t:{action}>'

    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(created("First")))
        threads.watch(update_item, "_apply")
        threads.watch(create_item, "put_all")
        mime = base64.b64encode(b"Subject: x\r\n\r\n" + b"x" * 80_000).decode()
        small = field("SetItemField", "Subject", "<t:Subject>Second</t:Subject>")
        for updates, is_beside in (
            ([small, small], False),
            # Many together are as long as a long one.
            ([field("AppendToItemField", "Body", body(30_000))] * 3, True),
            ([small, field("SetItemField", "MimeContent", f"<t:MimeContent>{mime}</t:MimeContent>")], True),
            # The item has become a large one.
            ([small], True),
        ):
            threads.in_loop.clear()
            threads.beside.clear()
            assert (await site.ask(update(item, *updates))).codes == ["NoError"]
            done = threads.beside if is_beside else threads.in_loop
            assert done == ["_apply"] * len(updates) and len(threads.in_loop + threads.beside) == len(done)
        address = "<t:Mailbox><t:EmailAddress>{}@example.test</t:EmailAddress></t:Mailbox>"
        many = "".join([address.format("y" * 60 + str(number)) for number in range(900)])
        assert (await site.ask(created("x", f"<t:ToRecipients>{many}</t:ToRecipients>"))).codes == ["NoError"]
        assert threads.beside[-1] == "put_all"

    work(steps)
