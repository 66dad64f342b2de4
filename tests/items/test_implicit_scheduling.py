"""What changes of meetings mean, and what is written into them (RFC 6638 section 3.2)."""

from __future__ import annotations

import pytest

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject, Refused
from postern.items.implicit_scheduling import Intended, intended, write_statuses
from postern.items.organizing import Role
from tests.items.calendars import event, octets, read

ANNA, KIM, LEE = "anna@x.test", "kim@y.test", "lee@z.test"
SERIES = ("DTSTART;TZID=Europe/Berlin:20260323T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=4")
OTHER = "RECURRENCE-ID;TZID=Europe/Berlin:20260330T090000"


def _meeting(*lines: str, kim: str = "PARTSTAT=NEEDS-ACTION", lee: str = "PARTSTAT=NEEDS-ACTION") -> list[str]:
    people = [
        f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANNA}",
        f"ATTENDEE;{kim}:mailto:{KIM}",
        f"ATTENDEE;{lee}:mailto:{LEE}",
    ]
    return event(f"ORGANIZER:mailto:{ANNA}", *people, *(lines or SERIES))


def _judged(old: list[str] | None, new: list[str] | None, me: str, **more: bool) -> tuple[Intended, str]:
    made = read(*new) if new else None
    outcome = intended(read(*old) if old else None, made, {me}, 0, **more)
    assert isinstance(outcome, Intended)
    return outcome, made.root.octets().replace(b"\r\n ", b"").decode() if made else ""


def _told(outcome: Intended) -> list[tuple[str, tuple[str, ...]]]:
    return sorted((sending.method, sending.addresses) for sending in outcome.sendings)


def test_what_is_nobodys_meeting_means_nothing() -> None:
    outcome, _ = _judged(None, event(*SERIES), ANNA)
    assert outcome == Intended(Role.NONE, [])
    outcome, _ = _judged(_meeting(), _meeting(), "eve@x.test")
    assert outcome == Intended(Role.NONE, [])


def test_what_is_for_the_server_alone_is_never_kept() -> None:
    """RFC 6638 section 7.2, also in a meeting in which the owner of the calendar has no part."""
    forced = _meeting(kim="SCHEDULE-FORCE-SEND=REQUEST;PARTSTAT=NEEDS-ACTION")
    for me in (ANNA, LEE, "eve@x.test"):
        outcome, written = _judged(None, forced, me)
        assert outcome.is_written and "SCHEDULE-FORCE-SEND" not in written


def test_the_octets_stay_where_nothing_is_written() -> None:
    lines = _meeting("SUMMARY:A  strange   line", "x-folded:" + "y" * 100, *SERIES)
    outcome, written = _judged(None, lines, ANNA)
    assert not outcome.is_written and written.encode() == octets(*lines)
    assert _told(outcome) == [("REQUEST", (KIM, LEE))]


def test_only_what_moved_is_answered_anew() -> None:
    old = [*_meeting(kim="PARTSTAT=ACCEPTED"), *_meeting(OTHER, *SERIES[:2], kim="PARTSTAT=ACCEPTED")]
    new = [line.replace("T090000", "T100000") if line.startswith("DTSTART") else line for line in old]
    new[: len(new) // 2] = old[: len(old) // 2]
    outcome, written = _judged(old, new, ANNA)
    assert outcome.is_written and written.count("SEQUENCE:1") == 1
    assert f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{KIM}" in written.split("RECURRENCE-ID")[0].rpartition("BEGIN")[0]
    assert f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{KIM}" in written.rpartition("BEGIN:VEVENT")[2]


@pytest.mark.parametrize(
    ("times", "is_asked"),
    [
        (("DTSTART;TZID=Europe/Berlin:20260330T130000", "DURATION:PT1H"), True),
        (("DTSTART;TZID=Europe/Berlin:20260330T090000", "DURATION:PT2H"), True),
        (("DTSTART;TZID=Europe/Berlin:20260330T090000", "DURATION:PT1H"), False),
        (("DTSTART:20260330T070000Z", "DTEND:20260330T080000Z", "SUMMARY:In another form"), False),
    ],
)
def test_an_occurrence_that_is_moved_first_is_answered_anew(times: tuple[str, ...], is_asked: bool) -> None:
    """The exception is new, and what it is compared with is what the series said of the occurrence."""
    old = _meeting(kim="PARTSTAT=ACCEPTED")
    outcome, written = _judged(old, [*old, *_meeting(OTHER, *times, kim="PARTSTAT=ACCEPTED")], ANNA)
    master, _, exception = written.rpartition("BEGIN:VEVENT")
    assert outcome.is_written is is_asked and "SEQUENCE" not in master
    assert ("SEQUENCE:1" in exception) is is_asked
    assert f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{KIM}" in master
    answer = "NEEDS-ACTION" if is_asked else "ACCEPTED"
    assert f"ATTENDEE;PARTSTAT={answer}:mailto:{KIM}" in exception


def test_a_client_that_counts_by_itself_is_believed() -> None:
    new = [line.replace("T090000", "T100000") for line in _meeting("SEQUENCE:7", *SERIES)]
    outcome, written = _judged(_meeting("SEQUENCE:3", *SERIES), new, ANNA)
    assert not outcome.is_written and "SEQUENCE:7" in written


@pytest.mark.parametrize(
    ("stored", "put", "keeps", "result"),
    [
        (
            "X-POSTERN-REPLIED=2;PARTSTAT=ACCEPTED",
            "PARTSTAT=NEEDS-ACTION",
            True,
            "PARTSTAT=ACCEPTED;X-POSTERN-REPLIED=2",
        ),
        (
            "X-POSTERN-REPLIED=2;PARTSTAT=ACCEPTED",
            "X-POSTERN-REPLIED=1;PARTSTAT=DECLINED",
            True,
            "PARTSTAT=ACCEPTED;X-POSTERN-REPLIED=2",
        ),
        (
            "X-POSTERN-REPLIED=2;PARTSTAT=ACCEPTED",
            "X-POSTERN-REPLIED=2;PARTSTAT=TENTATIVE",
            True,
            "X-POSTERN-REPLIED=2;PARTSTAT=TENTATIVE",
        ),
        ("X-POSTERN-REPLIED=2;PARTSTAT=ACCEPTED", "PARTSTAT=NEEDS-ACTION", False, "PARTSTAT=NEEDS-ACTION"),
        ("PARTSTAT=ACCEPTED", "PARTSTAT=NEEDS-ACTION", True, "PARTSTAT=NEEDS-ACTION"),
    ],
)
def test_answers_that_the_client_has_not_seen(stored: str, put: str, keeps: bool, result: str) -> None:
    outcome, written = _judged(_meeting(kim=stored), _meeting(kim=put), ANNA, keeps_answers=keeps)
    assert f"ATTENDEE;{result}:mailto:{KIM}" in written and outcome.is_written is (result not in put)


def test_an_attendee_who_brings_a_copy_answers_what_it_says() -> None:
    outcome, _ = _judged(None, _meeting(kim="PARTSTAT=ACCEPTED"), KIM)
    assert outcome.role is Role.ATTENDEE and _told(outcome) == [("REPLY", (ANNA,))]
    outcome, _ = _judged(None, _meeting(), KIM)
    assert outcome.role is Role.ATTENDEE and _told(outcome) == []


def test_an_attendee_who_does_not_reply() -> None:
    outcome, _ = _judged(_meeting(kim="PARTSTAT=ACCEPTED"), None, KIM)
    assert _told(outcome) == [("REPLY", (ANNA,))]
    outcome, _ = _judged(_meeting(kim="PARTSTAT=ACCEPTED"), None, KIM, replies=False)
    assert outcome.role is Role.ATTENDEE and _told(outcome) == []


def test_an_attendee_whose_client_speaks_to_the_organizer_may_change_all() -> None:
    old = [line.replace("ORGANIZER", "ORGANIZER;SCHEDULE-AGENT=CLIENT") for line in _meeting()]
    outcome, _ = _judged(old, [line.replace("T090000", "T100000") for line in old], KIM)
    assert _told(outcome) == []


@pytest.mark.parametrize(
    ("me", "change", "precondition"),
    [
        (KIM, ("T090000", "T100000"), "allowed-attendee-scheduling-object-change"),
        (ANNA, ("ORGANIZER:mailto:anna", "ORGANIZER:mailto:eve"), "allowed-organizer-scheduling-object-change"),
        (
            ANNA,
            ("END:VEVENT", "END:VEVENT\r\nBEGIN:VEVENT\r\nORGANIZER:mailto:e@x\r\nEND:VEVENT"),
            "same-organizer-in-all-components",
        ),
    ],
)
def test_what_may_not_be(me: str, change: tuple[str, str], precondition: str) -> None:
    outcome = intended(read(*_meeting()), read(*[line.replace(*change) for line in _meeting()]), {me}, 0)
    assert isinstance(outcome, Refused) and outcome.precondition == precondition


def test_statuses_are_written_behind_those_whom_they_are_about() -> None:
    meeting = calendar_object.read(octets(*_meeting(kim="SCHEDULE-STATUS=5.1")))
    assert isinstance(meeting, CalendarObject)
    assert write_statuses(meeting, Role.ORGANIZER, {KIM: "1.1"})
    assert f"ATTENDEE;SCHEDULE-STATUS=1.1:mailto:{KIM}" in meeting.root.octets().decode()
    assert not write_statuses(meeting, Role.ORGANIZER, {KIM: "1.1"})
    assert write_statuses(meeting, Role.ATTENDEE, {ANNA: "3.7"})
    assert f"ORGANIZER;SCHEDULE-STATUS=3.7:mailto:{ANNA}" in meeting.root.octets().decode()
    assert meeting.root.octets().count(b"SCHEDULE-STATUS") == 2
