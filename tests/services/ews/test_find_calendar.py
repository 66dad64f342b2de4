"""Calendar views: appointments and occurrences in a span of time.

covers: services.ews.operations.find_calendar
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from postern.model.folders import FolderKind, Right
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_calendar_items import HOUR, SERIES, ZONE, changed, deleted, id_of, made, occurrence, read

CALENDAR = '<t:DistinguishedFolderId Id="calendar"/>'
ALICES = CALENDAR.replace(
    "/>", f"><t:Mailbox><t:EmailAddress>{ALICE}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>"
)


def view(start: str, end: str, most: str = "", folder: str = CALENDAR, base: str = "Default") -> str:
    limit = f' MaxEntriesReturned="{most}"' if most else ""
    return (
        f'<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>{base}</t:BaseShape></m:ItemShape>'
        f'<m:CalendarView{limit} StartDate="{start}" EndDate="{end}"/>'
        f"<m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>"
    )


DECEMBER = view("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")


def work(steps: Callable[[EwsSite], Awaitable[None]]) -> None:
    async def all_steps() -> None:
        await steps(EwsSite())

    asyncio.run(all_steps())


def test_a_view_has_appointments_and_occurrences_in_their_order() -> None:
    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(made(SERIES, subject="Series")))
        await site.ask(made(HOUR.replace("2026-12-01", "2026-12-03").replace("T09", "T07").replace("T10", "T08")))
        await site.ask(made(HOUR.replace("2026-12-01", "2027-02-01"), subject="Later"))
        second = id_of(await site.ask(read(occurrence(item, 2))))
        assert (await site.ask(deleted(second))).codes == ["NoError"]
        fourth = id_of(await site.ask(read(occurrence(item, 4))))
        assert (await site.ask(changed(fourth, "item:Subject", "<t:Subject>Tea</t:Subject>"))).codes == ["NoError"]
        told = await site.ask(DECEMBER)
        assert told.texts(".//t:Subject") == ["Series", "Lunch", "Series", "Tea", "Series"]
        assert told.texts(".//t:CalendarItemType") == ["Occurrence", "Single", "Occurrence", "Exception", "Occurrence"]
        assert told.texts(".//t:Start")[:3] == ["2026-12-01T08:00:00Z", "2026-12-03T06:00:00Z", "2026-12-03T08:00:00Z"]
        assert told.find("m:ResponseMessages/m:FindItemResponseMessage/m:RootFolder").attrib == {
            "TotalItemsInView": "5",
            "IncludesLastItemInRange": "true",
        }
        # The ids lead to the occurrences.
        ids = [each.attrib["Id"] for each in told.all(".//t:ItemId")]
        assert (await site.ask(read(*ids))).texts(".//t:Start") == told.texts(".//t:Start")

    work(steps)


def test_a_view_ends_where_it_is_asked_to() -> None:
    async def steps(site: EwsSite) -> None:
        await site.ask(made(SERIES))
        told = await site.ask(view("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2"))
        assert len(told.all(".//t:CalendarItem")) == 2
        assert told.find(".//m:RootFolder").attrib["IncludesLastItemInRange"] == "false"
        # An appointment that ends when the view begins is not in it.
        told = await site.ask(view("2026-12-01T09:00:00Z", "2026-12-02T08:00:00Z"))
        assert not told.all(".//t:CalendarItem")
        told = await site.ask(view("2026-12-01T08:59:59Z", "2026-12-02T08:00:01Z", base="IdOnly"))
        assert len(told.all(".//t:CalendarItem")) == 2

    work(steps)


def test_days_are_where_their_zone_has_them() -> None:
    async def steps(site: EwsSite) -> None:
        day = "<t:Start>2026-12-01T00:00:00+01:00</t:Start><t:End>2026-12-02T00:00:00+01:00</t:End>"
        await site.ask(made(f"{day}<t:IsAllDayEvent>true</t:IsAllDayEvent>{ZONE}"))
        assert len((await site.ask(view("2026-11-30T22:00:00Z", "2026-11-30T23:30:00Z"))).all(".//t:Start")) == 1
        assert not (await site.ask(view("2026-12-01T23:00:00Z", "2026-12-02T12:00:00Z"))).all(".//t:Start")

    work(steps)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (view("2026-12-02T00:00:00Z", "2026-12-01T00:00:00Z"), "ErrorCalendarEndDateIsEarlierThanStartDate"),
        (view("2026-12-01T00:00:00Z", "2029-01-01T00:00:00Z"), "ErrorCalendarViewRangeTooBig"),
        (view("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z", "0"), "ErrorInvalidPagingMaxRows"),
        (view("soon", "2026-12-02T00:00:00Z"), "ErrorSchemaValidation"),
        (DECEMBER.replace("calendar", "inbox"), "ErrorCalendarFolderIsInvalidForCalendarView"),
    ],
)
def test_views_that_are_none(request_: str, code: str) -> None:
    async def steps(site: EwsSite) -> None:
        assert (await site.ask(request_)).codes == [code]

    work(steps)


def test_another_users_calendar_is_seen_by_rights_and_without_what_is_private() -> None:
    async def steps(site: EwsSite) -> None:
        await site.ask(made(HOUR))
        await site.ask(made(f"<t:Sensitivity>Private</t:Sensitivity>{HOUR}", subject="Secret"))
        theirs = view("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", folder=ALICES)
        assert (await site.ask(theirs, BOB)).codes == ["ErrorFolderNotFound"]
        folder = await site.folder(FolderKind.CALENDAR)
        owner = await site.recipients.recipient(ALICE)
        assert owner is not None
        await site.sharing.set_rights(owner, folder, guid_of(BOB), Right.READ_ANY | Right.VISIBLE)
        assert (await site.ask(theirs, BOB)).texts(".//t:Subject") == ["Lunch"]

    work(steps)
