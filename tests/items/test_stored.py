"""The values that are stored beside an appointment or a task."""

from __future__ import annotations

from postern.items.calendar_object import CalendarObject, read
from postern.items.stored import class_of, is_address, values_of
from postern.model.item_store import FROM_EVER, Busy

DAY = 86_400
START = 1_803_895_200
"""2027-03-01T10:00:00Z."""


def calendar(kind: str, *lines: str) -> CalendarObject:
    text = "\r\n".join(["BEGIN:VCALENDAR", f"BEGIN:{kind}", "UID:u1", *lines, f"END:{kind}", "END:VCALENDAR", ""])
    made = read(text.encode())
    assert isinstance(made, CalendarObject)
    return made


def test_an_appointment_is_where_it_is_in_time() -> None:
    made = calendar("VEVENT", "DTSTART:20270301T100000Z", "DURATION:PT1H", "ORGANIZER:mailto:Ann@x.test")
    values = values_of(made, 0)
    assert (values.uid, values.starts, values.ends, values.expands) == ("u1", START, START + 3600, False)
    assert (values.organizer, values.busy, class_of(made)) == ("ann@x.test", Busy.BUSY, "IPM.Appointment")


def test_the_owners_answer_says_how_it_shows() -> None:
    lines = ["DTSTART:20270301T100000Z", "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:me@x.test"]
    assert values_of(calendar("VEVENT", *lines), 0, {"me@x.test"}).busy is Busy.TENTATIVE
    assert values_of(calendar("VEVENT", *lines), 0).busy is Busy.BUSY


def test_a_floating_day_is_widened_and_a_series_has_no_end() -> None:
    day = values_of(calendar("VEVENT", "DTSTART;VALUE=DATE:20270301"), 0)
    midnight = START - 36_000
    assert (day.starts, day.ends, day.expands) == (midnight - DAY, midnight + 2 * DAY, True)
    series = values_of(calendar("VEVENT", "DTSTART:20270301T100000Z", "RRULE:FREQ=DAILY"), 0)
    assert (series.starts, series.ends, series.expands) == (START, None, True)


def test_a_task_without_dates_is_always() -> None:
    task = calendar("VTODO", "CLASS:PRIVATE", "STATUS:needs-action")
    values = values_of(task, 0)
    assert (values.starts, values.ends, values.is_private, values.status) == (FROM_EVER, None, True, "NEEDS-ACTION")
    assert class_of(task) == "IPM.Task" and class_of(calendar("VJOURNAL")) == "IPM.Activity"


def test_the_next_reminder_is_the_first_to_come() -> None:
    alarm = ("BEGIN:VALARM", "TRIGGER:-PT15M", "ACTION:DISPLAY", "END:VALARM")
    made = calendar("VEVENT", "DTSTART:20270301T100000Z", "RRULE:FREQ=DAILY", *alarm)
    assert values_of(made, START).reminds == START + DAY - 900
    assert values_of(calendar("VEVENT", "DTSTART:20270301T100000Z", *alarm), START).reminds is None


def test_an_alarm_that_repeats_often_does_not_hide_an_earlier_one() -> None:
    often = ("BEGIN:VALARM", "TRIGGER:-PT10M", "REPEAT:30", "DURATION:PT5M", "ACTION:DISPLAY", "END:VALARM")
    hour = ("BEGIN:VALARM", "TRIGGER:-PT1H", "ACTION:DISPLAY", "END:VALARM")
    assert values_of(calendar("VEVENT", "DTSTART:20270301T100000Z", *often, *hour), 0).reminds == START - 3600


def test_an_address_that_is_too_long_is_not_looked_up() -> None:
    long = "é" * 320 + "@x.test"
    made = calendar("VEVENT", "DTSTART:20270301T100000Z", f"ORGANIZER:mailto:{long}")
    assert not is_address(long) and values_of(made, 0).organizer == ""


def test_an_organizer_that_is_too_long_is_none_and_not_the_beginning_of_one() -> None:
    made = calendar("VEVENT", "DTSTART:20270301T100000Z", f"ORGANIZER:mailto:{'a' * 320}@x.test")
    assert values_of(made, 0).organizer == ""
