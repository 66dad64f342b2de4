"""Which calendar objects are read, and which may be stored (RFC 4791 section 4.1); covers: appointment, task, rendered, zones"""

from __future__ import annotations

from datetime import datetime

import pytest

from postern.items import appointment, calendar_object, task
from postern.items.calendar_object import Refused, check
from postern.items.zones import canonical_name, find_zone, zone_named, zone_of_calendar
from postern.model.item_store import Busy
from postern.protocols.ical.zones import seconds
from tests.items.calendars import event, octets, read, todo

START = "DTSTART:20260101T120000Z"


def _at(month: int, day: int, hour: int = 0) -> int:
    return seconds(datetime(2026, month, day, hour))


@pytest.mark.parametrize(
    ("lines", "precondition"),
    [
        (event(START), ""),
        ([*event(START, "RRULE:FREQ=DAILY"), *event(START, "RECURRENCE-ID:20260102T120000Z")], ""),
        (event(START, "RECURRENCE-ID:20260102T120000Z"), ""),
        (todo(), ""),
        (event(START, "DTEND:20251231T120000Z"), ""),
        (event(START, "DURATION:-PT1H"), ""),
        (event("DTSTART;VALUE=DATE:20260101T120000"), ""),
        (event("DTSTART;TZID=Nowhere:20260101T120000"), ""),
        ([*event(START), "BEGIN:X-OTHER", "X:1", "END:X-OTHER"], ""),
        (["METHOD:REQUEST", *event(START)], "valid-calendar-object-resource"),
        ([*event(START), *todo()], "valid-calendar-object-resource"),
        ([*event(START), *event(START, "RECURRENCE-ID:20260102T120000Z", uid="u2")], "valid-calendar-object-resource"),
        ([*event(START), *event(START)], "valid-calendar-object-resource"),
        (["BEGIN:VEVENT", START, "END:VEVENT"], "valid-calendar-object-resource"),
        (event(START, uid="x" * 2000), "valid-calendar-object-resource"),
        (event(), "valid-calendar-data"),
        (event("DTSTART:tomorrow"), "valid-calendar-data"),
        (event(START, "RRULE:FREQ=SOMETIMES"), "valid-calendar-data"),
        (event(START, *["RRULE:FREQ=DAILY"] * 17), "valid-calendar-data"),
    ],
)
def test_what_may_be_stored(lines: list[str], precondition: str) -> None:
    refused = check(read(*lines))
    assert (refused.precondition if refused is not None else "") == precondition


@pytest.mark.parametrize(
    ("document", "precondition"),
    [
        (b"", "valid-calendar-data"),
        (b"BEGIN:VCARD\r\nEND:VCARD\r\n", "valid-calendar-data"),
        (octets(), "valid-calendar-object-resource"),
        (octets("BEGIN:VTIMEZONE", "TZID:x", "END:VTIMEZONE"), "valid-calendar-object-resource"),
        (b"BEGIN:VCALENDAR\r\n" * 20, "valid-calendar-data"),
        (bytes(calendar_object.MAX_OCTETS + 1), "max-resource-size"),
    ],
)
def test_what_cannot_be_read(document: bytes, precondition: str) -> None:
    found = calendar_object.read(document)
    assert isinstance(found, Refused) and found.precondition == precondition


def test_too_many_components(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar_object, "MAX_PARTS", 1)
    found = calendar_object.read(octets(*event(START), *event(START)))
    assert isinstance(found, Refused) and found.precondition == "max-instances"


def test_the_values_of_an_appointment() -> None:
    found = appointment.render(
        read(
            *event(
                "DTSTART;TZID=Asia/Seoul:20260101T090000",
                "DTEND;TZID=Asia/Seoul:20260101T100000",
                "SUMMARY:Besprechung\\, wöchentlich\\nzweite Zeile",
                "LOCATION:Raum 1",
                "ORGANIZER;CN=Anna:MAILTO:Anna@Example.test",
                "STATUS:confirmed",
                "SEQUENCE:3",
                "BEGIN:VALARM",
                "END:VALARM",
            )
        )
    )
    assert (found.kind, found.uid) == ("VEVENT", "u1")
    assert (found.starts, found.ends, found.recurs_until) == (_at(1, 1, 0), _at(1, 1, 1), _at(1, 1, 1))
    assert (found.recurs, found.all_day, found.floating, found.has_alarms) == (False, False, False, True)
    assert found.summary == "Besprechung, wöchentlich\nzweite Zeile" and found.location == "Raum 1"
    assert (found.organizer, found.status, found.sequence) == ("anna@example.test", "CONFIRMED", 3)
    assert found.busy is Busy.BUSY


@pytest.mark.parametrize(
    ("lines", "busy"),
    [
        ([], Busy.BUSY),
        (["TRANSP:TRANSPARENT"], Busy.FREE),
        (["STATUS:TENTATIVE"], Busy.TENTATIVE),
        (["STATUS:CANCELLED"], Busy.FREE),
        (["X-MICROSOFT-CDO-BUSYSTATUS:OOF"], Busy.OUT_OF_OFFICE),
        (["X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE"], Busy.TENTATIVE),
        (["X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE"], Busy.BUSY),
    ],
)
def test_how_an_appointment_shows(lines: list[str], busy: Busy) -> None:
    assert appointment.render(read(*event(START, *lines))).busy is busy


def test_the_wrong_charset_is_read_as_it_was_meant() -> None:
    document = octets(*event(START, "SUMMARY:x")).replace(b"SUMMARY:x", b"SUMMARY:" + "회의".encode("euc-kr"))
    found = calendar_object.read(document)
    assert not isinstance(found, Refused)
    assert appointment.render(found).summary == "회의"


@pytest.mark.parametrize(
    ("lines", "span"),
    [
        ([], (None, None, None)),
        (["DUE:20260102T120000Z"], (_at(1, 2, 12),) * 3),
        (["DTSTART:20260101T120000Z", "DUE:20260102T120000Z"], (_at(1, 1, 12), _at(1, 2, 12), _at(1, 2, 12))),
        (["CREATED:20260101T120000Z"], (_at(1, 1, 12), _at(1, 1, 12), None)),
        (["COMPLETED:20260102T120000Z"], (_at(1, 2, 12),) * 3),
        (["COMPLETED:20260102T120000Z", "CREATED:20260101T120000Z"], (_at(1, 1, 12), _at(1, 2, 12), _at(1, 2, 12))),
    ],
)
def test_the_span_of_a_task(lines: list[str], span: tuple[int | None, ...]) -> None:
    found = task.render(read(*todo(*lines)))
    assert (found.starts, found.ends, found.recurs_until) == span


def test_the_span_of_published_busy_times() -> None:
    lines = ["BEGIN:VFREEBUSY", "UID:f", "DTSTART:20260101T000000Z", "DTEND:20260201T000000Z", "END:VFREEBUSY"]
    found = appointment.render(read(*lines))
    assert (found.starts, found.ends) == (_at(1, 1), _at(2, 1))


def test_only_names_of_the_database_lead_to_files() -> None:
    assert canonical_name("europe/berlin") == "Europe/Berlin"
    for name in ("../../etc/passwd", "Europe", "", "localtime", "posixrules", "x" * 100, "Europe/../Europe/Berlin"):
        assert find_zone(name) is None


def test_the_zone_of_a_calendar() -> None:
    zone = zone_of_calendar(octets("BEGIN:VTIMEZONE", "TZID:Korea Standard Time", "END:VTIMEZONE"))
    assert zone is not None and zone.name == "Asia/Seoul"
    assert zone_of_calendar(octets()) is None and zone_of_calendar(b"") is None
    seoul = zone_named("asia/seoul")
    assert seoul is not None and zone_named("Nowhere") is None
