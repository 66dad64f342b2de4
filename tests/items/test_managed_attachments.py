"""Managed attachments of objects: added, replaced and removed, in whole series and in occurrences."""

from __future__ import annotations

from postern.items import calendar_object, managed_attachments
from postern.items.calendar_object import CalendarObject, Refused
from postern.items.managed_attachments import Named, add, attach_line, id_of, managed, remove, update
from postern.items.series import Series
from postern.items.stored import values_of

A, B = "a" * 32, "b" * 32
FIRST = attach_line(Named(A, f"https://h.test/x/{A}-agenda.txt"), "text/plain", 'ag"en,da.txt', 12)
OTHER = attach_line(Named(B, f"https://h.test/x/{B}-agenda.txt"), "text/plain", "agenda.txt", 13)


def calendar(*lines: str, exceptions: tuple[str, ...] = ()) -> CalendarObject:
    parts = [
        ["UID:1", "DTSTAMP:20260101T000000Z", *lines, "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT5M", "END:VALARM"]
    ]
    parts += [["UID:1", f"RECURRENCE-ID{each}", f"DTSTART{each}", "SUMMARY:moved"] for each in exceptions]
    inner = "".join("BEGIN:VEVENT\r\n" + "".join(f"{line}\r\n" for line in part) + "END:VEVENT\r\n" for part in parts)
    read = calendar_object.read(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{inner}END:VCALENDAR\r\n".encode())
    assert not isinstance(read, Refused)
    return read


def daily(*exceptions: str) -> CalendarObject:
    start = "DTSTART;TZID=Europe/Berlin:20260301T090000"
    return calendar(start, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:daily", exceptions=exceptions)


def again(before: CalendarObject) -> CalendarObject:
    """The object as it is stored and read again."""
    read = calendar_object.read(before.root.octets())
    assert not isinstance(read, Refused) and calendar_object.check(read) is None and not read.defects
    return read


def by_part(before: CalendarObject) -> dict[str, list[str]]:
    return {
        part.value("RECURRENCE-ID") or "M": [id_of(line) for line in part.lines("ATTACH")]
        for part in again(before).parts
    }


def test_an_attachment_says_what_it_is() -> None:
    event = calendar("DTSTART:20260301T090000Z")
    assert add(event, FIRST) is None
    (line,) = again(event).main.lines("ATTACH")
    assert (line.parameter("MANAGED-ID"), line.parameter("FMTTYPE"), line.parameter("SIZE")) == (A, "text/plain", "12")
    assert line.parameter("FILENAME") == 'ag"en,da.txt'
    assert managed(again(event)) == [Named(A, f"https://h.test/x/{A}-agenda.txt")]
    assert values_of(again(event), 0).addresses == (f"managed-id:{A}",)


def test_all_components_or_those_that_are_named() -> None:
    exception = ";TZID=Europe/Berlin:20260302T090000"
    series = daily(exception)
    assert add(series, FIRST) is None
    assert by_part(series) == {"M": [A], "20260302T090000": [A]}
    series = daily(exception)
    assert add(series, FIRST, ("m",)) is None
    assert by_part(series) == {"M": [A], "20260302T090000": []}
    series = daily(exception)
    assert add(series, FIRST, ("20260302T090000", "20260303T080000Z", "M")) is None
    assert by_part(series) == {"M": [A], "20260302T090000": [A], "20260303T090000": [A]}
    made = again(series).parts[-1]
    assert made.value("SUMMARY") == "daily" and made.first("RRULE") is None
    assert len(list(Series(again(series)).between(0, 1 << 40))) == 5
    assert remove(series, A, ("20260304T090000", "M")) is None
    assert by_part(series) == {"M": [], "20260302T090000": [A], "20260303T090000": [A], "20260304T090000": []}
    assert remove(series, A) is None and managed(series) == []


def test_occurrences_that_are_not_there() -> None:
    for name in ("20260310T090000", "20260311", "x", "20260302T093000", ""):
        before = daily()
        refused = add(before, FIRST, (name,))
        assert refused is not None and refused.precondition == "valid-rid", name
    single = calendar("DTSTART:20260301T090000Z")
    assert add(single, FIRST, ("20260301T090000Z",)) is not None
    assert add(single, FIRST, ("M",)) is None
    refused = add(daily(), FIRST, [f"2026030{day}T090000" for day in range(1, 6)] * 15)
    assert refused is None, "the same ones are one"
    assert add(daily(), FIRST, [str(each) for each in range(101)]) is not None


def test_dates_of_whole_days() -> None:
    series = calendar("DTSTART;VALUE=DATE:20260301", "RRULE:FREQ=DAILY;COUNT=3")
    assert add(series, FIRST, ("20260302",)) is None
    assert by_part(series) == {"M": [], "20260302": [A]}


def test_an_update_replaces_it_everywhere() -> None:
    series = daily(";TZID=Europe/Berlin:20260302T090000")
    assert add(series, FIRST) is None and update(series, A, OTHER) is None
    assert by_part(series) == {"M": [B], "20260302T090000": [B]}
    refused = update(series, A, OTHER)
    assert refused is not None and refused.precondition == "valid-managed-id"
    refused = remove(series, A)
    assert refused is not None and refused.precondition == "valid-managed-id"


def test_an_attachment_without_its_parameter_is_known_by_its_uri() -> None:
    lost = f"ATTACH:https://h.test/dav/attachments/a@b.test/{A}-x.txt"
    others = (
        "ATTACH:https://h.test/x",
        "ATTACH;MANAGED-ID=97S:https://h.test/y",
        "ATTACH;ENCODING=BASE64;VALUE=BINARY:aGk=",
    )
    event = calendar("DTSTART:20260301T090000Z", lost, *others)
    assert [each.id for each in managed(event)] == [A]
    many = [f"ATTACH;MANAGED-ID={each:032x}:https://h.test/z" for each in range(managed_attachments.MAX_MANAGED + 9)]
    assert len(values_of(calendar("DTSTART:20260301T090000Z", *many), 0).addresses) == managed_attachments.MAX_MANAGED
