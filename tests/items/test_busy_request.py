"""Questions for the times at which somebody is busy (RFC 5546 section 3.3)."""

from __future__ import annotations

import pytest

from postern.items import calendar_object
from postern.items.busy_request import MAX_ASKED, BusyRequest, answer, read_request
from postern.items.calendar_object import CalendarObject, Refused
from postern.items.free_busy import Period
from postern.model.item_store import Busy
from tests.items.calendars import octets

ANNA, KIM = "anna@x.test", "kim@y.test"
PART = [
    "METHOD:REQUEST",
    "BEGIN:VFREEBUSY",
    "UID:f1",
    "DTSTAMP:20260101T000000Z",
    "DTSTART:20260301T000000Z",
    "DTEND:20260302T000000Z",
    f"ORGANIZER:mailto:{ANNA}",
    f"ATTENDEE;CN=Kim:MAILTO:{KIM}",
    "ATTENDEE:mailto:lee@z.test",
    "END:VFREEBUSY",
]


def test_a_request_and_its_answer() -> None:
    asked = read_request(octets(*PART), {ANNA})
    assert isinstance(asked, BusyRequest)
    assert (asked.uid, asked.end - asked.start, list(asked.attendees)) == ("f1", 86_400, [KIM, "lee@z.test"])
    periods = [Period(asked.start, asked.start + 3_600, Busy.TENTATIVE)]
    made = calendar_object.read(answer(asked, asked.attendees[KIM], periods, 0, "-//x//EN"))
    assert isinstance(made, CalendarObject)
    assert (made.method, made.kind, made.uid) == ("REPLY", "VFREEBUSY", "f1")
    assert [entry.raw for entry in made.main.lines("ATTENDEE")] == [asked.attendees[KIM].raw]
    assert made.main.value("FREEBUSY") == "20260301T000000Z/20260301T010000Z"
    assert made.main.value("DTSTART") == "20260301T000000Z" and made.main.value("ORGANIZER") == f"mailto:{ANNA}"


@pytest.mark.parametrize(
    ("old", "new", "precondition"),
    [
        ("BEGIN:VFREEBUSY", "BEGIN:X-NOTHING", "valid-calendar-data"),
        ("METHOD:REQUEST", "METHOD:REPLY", "valid-scheduling-message"),
        ("END:VFREEBUSY", "END:VFREEBUSY\r\nBEGIN:VEVENT\r\nEND:VEVENT", "valid-scheduling-message"),
        ("UID:f1", "X-UID:f1", "valid-scheduling-message"),
        ("ATTENDEE", "X-ATTENDEE", "valid-scheduling-message"),
        ("DTEND:20260302", "DTEND:20260228", "valid-scheduling-message"),
        ("DTSTART:20260301T000000Z", "DTSTART:soon", "valid-scheduling-message"),
        ("ORGANIZER:mailto:anna", "ORGANIZER:mailto:eve", "valid-organizer"),
        ("ORGANIZER", "X-ORGANIZER", "valid-organizer"),
        (
            "END:VFREEBUSY",
            "".join(f"ATTENDEE:mailto:{number}@z.test\r\n" for number in range(MAX_ASKED)) + "END:VFREEBUSY",
            "max-attendees-per-instance",
        ),
    ],
)
def test_what_is_no_request(old: str, new: str, precondition: str) -> None:
    refused = read_request(octets(*[line.replace(old, new) for line in PART]), {ANNA})
    assert isinstance(refused, Refused) and refused.precondition == precondition
