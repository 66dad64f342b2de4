"""The messages that follow from changes of meetings (RFC 6638 section 3.2)."""

from __future__ import annotations

from datetime import datetime

import pytest

from postern.items import calendar_object, organizing
from postern.items.calendar_object import CalendarObject
from postern.items.copy_changes import Action
from postern.items.organizing import Role, answered, forbidden_change, organized, role_of
from postern.items.rendered import status_of
from postern.items.scheduling import apply
from postern.items.series import Series
from postern.protocols.ical.zones import seconds
from tests.items.calendars import event, octets, read

ANNA, KIM, LEE = "anna@x.test", "kim@y.test", "lee@z.test"
NOW = seconds(datetime(2026, 1, 5))
SERIES = ("DTSTART;TZID=Europe/Berlin:20260323T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=4")
OTHER = "RECURRENCE-ID;TZID=Europe/Berlin:20260330T090000"
MOVED = (OTHER, "DTSTART;TZID=Europe/Berlin:20260330T150000", "DURATION:PT1H")


def _meeting(*lines: str, who: tuple[str, ...] = (KIM, LEE), answers: dict[str, str] | None = None) -> list[str]:
    people = [f"ATTENDEE;PARTSTAT={(answers or {}).get(each, 'NEEDS-ACTION')}:mailto:{each}" for each in (ANNA, *who)]
    return event("ORGANIZER:mailto:anna@x.test", *people, *lines)


def _sent(old: list[str] | None, new: list[str] | None) -> dict[str, dict[str, CalendarObject]]:
    """By attendee, the messages by method."""
    found: dict[str, dict[str, CalendarObject]] = {}
    for sending in organized(read(*old) if old else None, read(*new) if new else None, {ANNA}, NOW):
        message = calendar_object.read(sending.octets)
        assert isinstance(message, CalendarObject) and message.method == sending.method
        for address in sending.addresses:
            found.setdefault(address, {})[sending.method] = message
    return found


def _starts(calendar: CalendarObject) -> list[str]:
    return [
        f"{datetime.utcfromtimestamp(each.start):%m%d}{status_of(each.component)[:1]}"
        for each in Series(calendar).between()
    ]


def test_roles() -> None:
    meeting = read(*_meeting(*SERIES))
    assert role_of(meeting, {ANNA}) is Role.ORGANIZER
    assert role_of(meeting, {KIM, "other@y.test"}) is Role.ATTENDEE
    assert role_of(meeting, {"eve@x.test"}) is Role.NONE
    assert role_of(read(*event(*SERIES)), {ANNA}) is Role.NONE


def test_a_new_meeting_invites_everybody_but_the_organizer() -> None:
    sent = _sent(None, _meeting(*SERIES))
    assert set(sent) == {KIM, LEE} and sent[KIM]["REQUEST"] is not sent[LEE]
    assert len(organized(None, read(*_meeting(*SERIES)), {ANNA}, NOW)) == 1, "one message for both"


def test_what_others_do_not_see_is_not_sent() -> None:
    before = _meeting(*SERIES)
    for after in (
        before,
        _meeting(*SERIES, answers={KIM: "ACCEPTED"}),
        _meeting(*SERIES, "X-COLOR:1", "LAST-MODIFIED:20260101T000000Z", "BEGIN:VALARM", "TRIGGER:-PT1M", "END:VALARM"),
    ):
        assert _sent(before, after) == {}
    assert set(_sent(before, _meeting(*SERIES, "LOCATION:here"))) == {KIM, LEE}
    forced = [
        line.replace("PARTSTAT", "SCHEDULE-FORCE-SEND=REQUEST;PARTSTAT") if KIM in line else line for line in before
    ]
    assert set(_sent(before, forced)) == {KIM}
    assert b"SCHEDULE-" not in organized(read(*before), read(*forced), {ANNA}, NOW)[0].octets


def test_who_is_taken_off_the_list_gets_a_cancellation() -> None:
    sent = _sent(_meeting(*SERIES), _meeting(*SERIES, who=(LEE,)))
    assert set(sent[KIM]) == {"CANCEL"} and set(sent[LEE]) == {"REQUEST"}
    applied = apply(read(*_meeting(*SERIES)), sent[KIM]["CANCEL"], {KIM})
    assert applied.action is Action.STORE
    sent = _sent(_meeting(*SERIES), None)
    assert set(sent[KIM]) == set(sent[LEE]) == {"CANCEL"}


def test_an_occurrence_without_somebody() -> None:
    before, after = _meeting(*SERIES), [*_meeting(*SERIES), *_meeting(*MOVED, who=(LEE,))]
    sent = _sent(before, after)
    assert _starts(sent[LEE]["REQUEST"]) == ["0323", "0330", "0406", "0413"]
    assert _starts(sent[KIM]["REQUEST"]) == ["0323", "0406", "0413"]
    kim = apply(read(*before), sent[KIM]["CANCEL"], {KIM})
    stored = calendar_object.read(kim.octets)
    assert isinstance(stored, CalendarObject) and "0330C" in _starts(stored)[1]
    assert set(_sent(after, [*_meeting(*SERIES, "LOCATION:x"), *_meeting(*MOVED, who=(LEE,))])[KIM]) == {"REQUEST"}


def test_who_is_invited_to_an_occurrence_alone() -> None:
    before = _meeting(*SERIES, who=(LEE,))
    after = [*before, *_meeting(*MOVED, who=(KIM, LEE))]
    sent = _sent(before, after)
    assert [part.value("RECURRENCE-ID") for part in sent[KIM]["REQUEST"].parts] == ["20260330T090000"]
    assert set(_sent(after, before)[KIM]) == {"CANCEL"}


def test_a_client_that_writes_itself_is_left_to_do_so() -> None:
    mine = [
        line.replace("PARTSTAT", "SCHEDULE-AGENT=CLIENT;PARTSTAT") if KIM in line else line
        for line in _meeting(*SERIES)
    ]
    assert set(_sent(None, mine)) == {LEE}


def test_the_number_of_messages_and_their_octets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = tuple(f"p{number:04d}@x.test" for number in range(1_200))
    sent = organized(None, read(*_meeting(*SERIES, who=crowd)), {ANNA}, NOW)
    assert [len(sending.addresses) for sending in sent] == [organizing.MAX_RECIPIENTS]
    monkeypatch.setattr(organizing, "MAX_SENT", 100)
    assert organized(None, read(*_meeting(*SERIES)), {ANNA}, NOW) == []


def _replies(old: list[str], new: list[str] | None) -> list[tuple[str, list[str]]]:
    found = []
    for sending in answered(read(*old), read(*new) if new else None, KIM, NOW):
        assert sending.addresses == (ANNA,)
        message = calendar_object.read(sending.octets)
        assert isinstance(message, CalendarObject)
        mine = next(message.main.lines("ATTENDEE"))
        found.append((mine.parameter("PARTSTAT"), [part.value("RECURRENCE-ID") for part in message.parts]))
    return found


def test_answers() -> None:
    old = _meeting(*SERIES)
    yes = _meeting(*SERIES, answers={KIM: "ACCEPTED"})
    assert _replies(old, yes) == [("ACCEPTED", [""])]
    assert _replies(yes, yes) == [] and _replies(old, old) == []
    assert _replies(yes, None) == [("DECLINED", [""])]
    assert _replies(_meeting(*SERIES, answers={KIM: "DECLINED"}), None) == []
    one = [*yes, *_meeting(*MOVED, answers={KIM: "TENTATIVE"})]
    assert _replies(yes, one) == [("TENTATIVE", ["20260330T090000"])]
    assert _replies(yes, [line.replace("RRULE", "EXDATE:20260406T070000Z\r\nRRULE") for line in yes]) == [
        ("DECLINED", ["20260406T090000"])
    ]
    quiet = [line.replace("ORGANIZER", "ORGANIZER;SCHEDULE-AGENT=NONE") for line in yes]
    assert _replies(old, quiet) == []
    forced = [line.replace("ORGANIZER", "ORGANIZER;SCHEDULE-FORCE-SEND=REPLY") for line in yes]
    assert _replies(yes, forced) == [("ACCEPTED", [""])]


def test_an_answer_reaches_the_organizers_copy() -> None:
    old, yes = _meeting(*SERIES), _meeting(*SERIES, answers={KIM: "ACCEPTED"})
    without = [line.replace("RRULE", "EXDATE:20260406T070000Z\r\nRRULE") for line in yes]
    anna = read(*old)
    for sending in answered(anna, read(*without), KIM, NOW):
        message = calendar_object.read(sending.octets)
        assert isinstance(message, CalendarObject)
        applied = apply(anna, message, {ANNA})
        stored = calendar_object.read(applied.octets)
        assert isinstance(stored, CalendarObject)
        anna = stored
    told = {
        part.value("RECURRENCE-ID"): next(a.parameter("PARTSTAT") for a in part.lines("ATTENDEE") if KIM in a.value)
        for part in anna.parts
    }
    assert told == {"": "ACCEPTED", "20260406T090000": "DECLINED"}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("PARTSTAT=NEEDS-ACTION:mailto:kim", "PARTSTAT=ACCEPTED:mailto:kim"), ""),
        (("RRULE", "TRANSP:TRANSPARENT\r\nRRULE"), ""),
        (("RRULE", "EXDATE:20260406T070000Z\r\nRRULE"), ""),
        (("T090000", "T100000"), "DTSTART"),
        (("COUNT=4", "COUNT=9"), "RRULE"),
        (("ORGANIZER:mailto:anna", "ORGANIZER:mailto:eve"), "ORGANIZER"),
        (("mailto:lee", "mailto:park"), "ATTENDEE"),
        (("PT1H", "PT2H"), "DURATION"),
    ],
)
def test_what_an_attendee_may_change(change: tuple[str, str], what: str) -> None:
    old = _meeting(*SERIES)
    found = calendar_object.read(octets(*[line.replace(*change) for line in old]))
    assert isinstance(found, CalendarObject)
    assert forbidden_change(read(*old), found, {KIM}) == what
