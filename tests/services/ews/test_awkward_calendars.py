"""Calendars with the defects that real programs make, kept by DAV, as Exchange Web Services show and change them.

The answers are held to the table of the schema, and no request ends with an internal error.
"""

from __future__ import annotations

import asyncio

import pytest

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject
from postern.items.stored import values_of
from postern.model.folders import FolderKind
from postern.protocols.ews.ids import ItemId
from tests.items.corpus import CALENDARS, Calendar
from tests.services.dav.site import ALICE, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_calendar_items import HOUR, changed, deleted, occurrence, read
from tests.services.ews.test_find_calendar import view

KEPT = [each for each in CALENDARS if not each.refused]


@pytest.mark.parametrize("calendar", KEPT, ids=lambda each: each.name)
def test_it_is_shown_and_changed(calendar: Calendar) -> None:
    async def steps() -> None:
        site = EwsSite()
        folder = await site.folder(FolderKind.CALENDAR)
        parsed = calendar_object.read(calendar.octets)
        assert isinstance(parsed, CalendarObject)
        if parsed.kind != "VEVENT":
            return
        values = values_of(parsed, 0)
        put = await site.mailboxes.put(guid_of(ALICE), folder, "a.ics", calendar.octets, "IPM.Appointment", values)
        item = str(ItemId(guid_of(ALICE), put.id))
        told = await site.ask(read(item))
        assert told.codes == ["NoError"]
        if calendar.starts:
            listed = await site.ask(view("2026-01-01T00:00:00Z", "2027-12-31T00:00:00Z"))
            assert listed.codes == ["NoError"]
        for asked in (
            read(occurrence(item, 1)),
            changed(item, "item:Subject", "<t:Subject>Other</t:Subject>"),
            changed(item, "calendar:End", HOUR[HOUR.index("<t:End>") :]),
            changed(item, "calendar:RequiredAttendees", ""),
            read(item),
            deleted(item),
        ):
            answer = await site.ask(asked)
            assert "ErrorInternalServerError" not in answer.codes and answer.status == 200

    asyncio.run(steps())
