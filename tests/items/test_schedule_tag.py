"""Schedule-Tag stays while only answers change (RFC 6638 section 3.2.10)."""

from __future__ import annotations

import pytest

from postern.items.schedule_tag import schedule_tag
from tests.items.calendars import event, read

ANNA, KIM = "anna@x.test", "kim@y.test"
MEETING = event(
    "DTSTART:20260323T090000Z",
    f"ORGANIZER:mailto:{ANNA}",
    f"ATTENDEE;CN=Kim;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{KIM}",
    "SUMMARY:Talk",
    "BEGIN:VALARM",
    "TRIGGER:-PT5M",
    "END:VALARM",
)


def _changed(old: str, new: str) -> list[str]:
    lines = [line.replace(old, new) for line in MEETING]
    assert lines != MEETING
    return lines


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("PARTSTAT=NEEDS-ACTION;RSVP=TRUE", "PARTSTAT=ACCEPTED;X-POSTERN-REPLIED=1"),
        ("CN=Kim;PARTSTAT=NEEDS-ACTION", "SCHEDULE-STATUS=1.1;PARTSTAT=NEEDS-ACTION;CN=Kim"),
        ("mailto:kim", "MAILTO:Kim"),
        ("DTSTAMP:2026", "DTSTAMP:2027"),
        ("DTSTART:20260323T090000Z", "LAST-MODIFIED:20260101T000000Z\r\nDTSTART:20260323T090000Z"),
    ],
)
def test_answers_leave_it(old: str, new: str) -> None:
    for me in ({ANNA}, {KIM}):
        assert schedule_tag(read(*_changed(old, new)), me) == schedule_tag(read(*MEETING), me) != ""


@pytest.mark.parametrize(
    ("old", "new"),
    [("T090000Z", "T100000Z"), ("Talk", "Walk"), ("mailto:kim", "mailto:lee"), ("CN=Kim", "CN=K"), ("-PT5M", "-PT6M")],
)
def test_all_else_changes_it(old: str, new: str) -> None:
    assert schedule_tag(read(*_changed(old, new)), {ANNA}) != schedule_tag(read(*MEETING), {ANNA})


def test_the_order_of_lines_leaves_it() -> None:
    assert schedule_tag(read(*MEETING[:4], MEETING[5], MEETING[4], *MEETING[6:]), {ANNA}) == schedule_tag(
        read(*MEETING), {ANNA}
    )


def test_what_is_no_meeting_has_none() -> None:
    assert schedule_tag(read(*MEETING), {"eve@x.test"}) == ""
    assert schedule_tag(read(*event("DTSTART:20260323T090000Z")), {ANNA}) == ""
