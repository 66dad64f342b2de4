"""Meetings by iTIP messages: each side's copy after each message (RFC 5546); covers: invitations, occurrence"""

from __future__ import annotations

from datetime import datetime

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.items import calendar_object, copy_changes, invitations, scheduling
from postern.items.calendar_object import CalendarObject, check
from postern.items.copy_changes import Action, Applied
from postern.items.rendered import status_of
from postern.items.scheduling import apply
from postern.items.series import Series
from postern.protocols.content_lines import Component
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import seconds
from tests.items.calendars import event, octets

ANNA, KIM, LEE = "anna@x.test", "kim@y.test", "lee@z.test"
STAMP = seconds(datetime(2026, 1, 1))
PEOPLE = (
    "ORGANIZER;CN=Anna:mailto:anna@x.test",
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@x.test",
    "ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION;CN=Kim:mailto:kim@y.test",
    "ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:MAILTO:Lee@z.test",
)
SERIES = (
    "DTSTART;TZID=Europe/Berlin:20260323T090000",
    "DTEND;TZID=Europe/Berlin:20260323T100000",
    "RRULE:FREQ=WEEKLY;COUNT=4",
)


def _meeting(
    *lines: str, sequence: int = 0, stamp: str = "20260101T000000Z", people: tuple[str, ...] = PEOPLE
) -> list[str]:
    made = event(*people, *lines, f"SEQUENCE:{sequence}")
    return [f"DTSTAMP:{stamp}" if line.startswith("DTSTAMP") else line for line in made]


def _object(data: bytes) -> CalendarObject:
    found = calendar_object.read(data)
    assert isinstance(found, CalendarObject), found
    return found


def _read(*lines: str, method: str = "") -> CalendarObject:
    return _object(octets(*([f"METHOD:{method}"] if method else []), *lines))


def _stored(applied: Applied) -> CalendarObject:
    assert applied.action is Action.STORE, applied
    stored = _object(applied.octets)
    assert check(stored) is None
    return stored


def _answers(part: Component) -> dict[str, str]:
    return {
        line.value.lower().removeprefix("mailto:").partition("@")[0]: line.parameter("PARTSTAT")
        for line in part.lines("ATTENDEE")
    }


def _after(message: bytes, stored: CalendarObject | None, me: str = KIM) -> CalendarObject:
    return _stored(apply(stored, _object(message), {me}))


def _starts(calendar: CalendarObject) -> list[str]:
    found = Series(calendar).between()
    return [f"{datetime.utcfromtimestamp(each.start):%m%dT%H%M}{status_of(each.component)[:1]}" for each in found]


def test_a_meeting_from_invitation_to_cancellation() -> None:
    anna = _read(*_meeting(*SERIES))
    kim = _after(invitations.request(anna, STAMP), None)
    assert kim.method == "" and _starts(kim) == _starts(anna) == ["0323T0800", "0330T0700", "0406T0700", "0413T0700"]
    anna = _after(invitations.reply(kim, KIM, "ACCEPTED", STAMP + 60), anna, ANNA)
    assert _answers(anna.main) == {"anna": "ACCEPTED", "kim": "ACCEPTED", "lee": "NEEDS-ACTION"}
    assert b"X-POSTERN" not in invitations.request(anna, STAMP)

    # One occurrence is moved, and declined by Kim.
    moved = _meeting(
        "RECURRENCE-ID;TZID=Europe/Berlin:20260330T090000",
        "DTSTART;TZID=Europe/Berlin:20260330T150000",
        "DURATION:PT1H",
        sequence=1,
        stamp="20260102T000000Z",
    )
    update = _read(*moved, method="REQUEST")
    anna, kim = (_stored(apply(copy, update, {me})) for copy, me in ((anna, ANNA), (kim, KIM)))
    assert _starts(anna) == _starts(kim) == ["0323T0800", "0330T1300", "0406T0700", "0413T0700"]
    exception = kim.parts[1]
    anna = _after(invitations.reply(kim, KIM, "DECLINED", STAMP + 120, [exception]), anna, ANNA)
    assert [_answers(part)["kim"] for part in anna.parts] == ["ACCEPTED", "DECLINED"]

    # An answer to an occurrence that is no exception yet makes it one.
    third = _read(
        *event("RECURRENCE-ID:20260406T070000Z", "ATTENDEE;PARTSTAT=TENTATIVE:mailto:lee@z.test", "SEQUENCE:0"),
        method="REPLY",
    )
    anna = _stored(apply(anna, third, {ANNA}))
    assert [_answers(part)["lee"] for part in anna.parts] == ["NEEDS-ACTION", "NEEDS-ACTION", "TENTATIVE"]
    assert _starts(anna) == ["0323T0800", "0330T1300", "0406T0700", "0413T0700"]
    assert anna.parts[2].value("DTEND") == "20260406T100000" and anna.parts[2].first("RRULE") is None

    cancelled = invitations.cancel(anna, STAMP + 10**6, 2)
    kim = _after(cancelled, kim)
    assert {status_of(part) for part in kim.parts} == {"CANCELLED"}
    assert apply(kim, _object(cancelled), {KIM}).action is Action.NOTHING


def test_one_occurrence_is_cancelled() -> None:
    kim = _read(*_meeting(*SERIES))
    message = _read(
        *_meeting(
            "RECURRENCE-ID;TZID=Europe/Berlin:20260406T090000", "STATUS:CANCELLED", sequence=1, people=PEOPLE[:1]
        ),
        method="CANCEL",
    )
    kim = _stored(apply(kim, message, {KIM}))
    assert _starts(kim) == ["0323T0800", "0330T0700", "0406T0700C", "0413T0700"]
    assert apply(kim, message, {KIM}).action is Action.NOTHING
    elsewhere = _read(*_meeting("RECURRENCE-ID:20270101T000000Z", sequence=9), method="CANCEL")
    assert apply(kim, elsewhere, {KIM}).action is Action.NOTHING


def test_only_who_is_taken_off_the_list_has_the_meeting_cancelled() -> None:
    copy = _read(*_meeting(*SERIES))
    message = invitations.cancel(copy, STAMP + 60, 1, [LEE])
    assert apply(copy, _object(message), {KIM}).action is Action.NOTHING
    assert status_of(_after(message, copy, LEE).main) == "CANCELLED"


@pytest.mark.parametrize(
    ("sequence", "stamp", "changes"),
    [
        (1, "20260101T000000Z", True),
        (0, "20260102T000000Z", True),
        (0, "20260101T000000Z", False),
        (0, "20251231T000000Z", False),
    ],
)
def test_only_newer_versions_count(sequence: int, stamp: str, changes: bool) -> None:
    kim = _read(*_meeting(*SERIES))
    message = _read(*_meeting(*SERIES, "SUMMARY:new", sequence=sequence, stamp=stamp), method="REQUEST")
    applied = apply(kim, message, {KIM})
    assert (applied.action is Action.STORE) is changes


def test_what_is_the_owners_own_stays() -> None:
    mine = [*_meeting(*SERIES, "CATEGORIES:mine", "BEGIN:VALARM", "TRIGGER:-PT5M", "END:VALARM")]
    mine = [line.replace("RSVP=TRUE;PARTSTAT=NEEDS-ACTION;CN=Kim", "PARTSTAT=ACCEPTED") for line in mine]
    theirs = ("SUMMARY:new", "CATEGORIES:theirs", "BEGIN:VALARM", "TRIGGER:-PT1H", "END:VALARM")
    for sequence, answer in ((0, "ACCEPTED"), (1, "NEEDS-ACTION")):
        message = _read(*_meeting(*SERIES, *theirs, sequence=sequence, stamp="20260102T000000Z"), method="REQUEST")
        kim = _stored(apply(_read(*mine), message, {KIM}))
        assert kim.main.value("SUMMARY") == "new" and kim.main.value("CATEGORIES") == "mine"
        assert [alarm.value("TRIGGER") for alarm in kim.main.components("VALARM")] == ["-PT5M"]
        assert _answers(kim.main)["kim"] == answer


def test_a_series_that_is_moved_loses_its_exceptions_and_one_that_is_not_keeps_them() -> None:
    exception = _meeting("RECURRENCE-ID:20260330T070000Z", "DTSTART:20260330T120000Z")
    for sequence, parts in ((0, 2), (1, 1)):
        message = _read(*_meeting(*SERIES, sequence=sequence, stamp="20260102T000000Z"), method="REQUEST")
        assert len(_stored(apply(_read(*_meeting(*SERIES), *exception), message, {KIM})).parts) == parts


def test_nobody_takes_over_a_meeting() -> None:
    kim = _read(*_meeting(*SERIES))
    stolen = [line.replace("anna@x", "eve@x") for line in _meeting(*SERIES, sequence=9)]
    for method in ("REQUEST", "CANCEL", "ADD"):
        assert apply(kim, _read(*stolen, method=method), {KIM}).why == "another organizer"
        private = _read(*event(*SERIES))
        assert apply(private, _read(*stolen, method=method), {KIM}).why == "another organizer", "nobody else's"
    other = _read(*event(*SERIES, uid="u2"), method="REQUEST")
    assert apply(kim, other, {KIM}).why == "another object"


@pytest.mark.parametrize("method", ["REQUEST", "ADD"])
def test_others_do_not_have_mails_sent_to_the_owner(method: str) -> None:
    alarms = [f"BEGIN:VALARM\r\nACTION:{action}\r\nTRIGGER:-PT1H\r\nEND:VALARM" for action in ("EMAIL", "DISPLAY")]
    start = "DTSTART;TZID=Europe/Berlin:20260501T090000"
    message = _read(*_meeting(start, "DURATION:PT3H", *alarms, sequence=1), method=method)
    stored = _stored(apply(_read(*_meeting(*SERIES)) if method == "ADD" else None, message, {KIM}))
    kept = [alarm.value("ACTION") for part in stored.parts for alarm in part.components("VALARM")]
    assert kept == ["DISPLAY"]


def test_answers() -> None:
    anna = _read(*_meeting(*SERIES, sequence=2))

    def answer(line: str, sequence: int = 2, stamp: str = "20260102T000000Z") -> CalendarObject:
        lines = event(line, f"SEQUENCE:{sequence}")
        return _read(*[f"DTSTAMP:{stamp}" if each.startswith("DTSTAMP") else each for each in lines], method="REPLY")

    yes, no = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:KIM@y.test", "ATTENDEE;PARTSTAT=DECLINED:mailto:kim@y.test"
    accepted = _stored(apply(anna, answer(yes), {ANNA}))
    assert "CN=Kim" in next(line.head for line in accepted.main.lines("ATTENDEE") if "kim" in line.value)
    assert apply(accepted, answer(no, stamp="20260101T120000Z"), {ANNA}).action is Action.NOTHING, "an older answer"
    assert apply(accepted, answer(yes), {ANNA}).action is Action.NOTHING, "the same answer"
    assert apply(anna, answer(no, sequence=1), {ANNA}).action is Action.NOTHING, "to an older version"
    declined = _stored(apply(accepted, answer(no, stamp="20260103T000000Z"), {ANNA}))
    assert _answers(declined.main)["kim"] == "DECLINED"
    stranger = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:eve@x.test"
    assert apply(anna, answer(stranger), {ANNA}).action is Action.NOTHING
    assert apply(None, answer(yes), {ANNA}).action is Action.NOTHING


def test_occurrences_are_added() -> None:
    kim = _read(*_meeting(*SERIES))
    message = _read(
        *_meeting("DTSTART;TZID=Europe/Berlin:20260501T090000", "DURATION:PT3H", "SUMMARY:more", sequence=1),
        method="ADD",
    )
    added = _stored(apply(kim, message, {KIM}))
    assert _starts(added)[-1] == "0501T0700" and len(_starts(added)) == 5
    assert apply(added, message, {KIM}).action is Action.NOTHING
    assert apply(None, message, {KIM}).action is Action.REFRESH


@pytest.mark.parametrize(
    ("method", "action", "absent"),
    [
        ("COUNTER", Action.STORE, Action.NOTHING),
        ("DECLINECOUNTER", Action.TELL, Action.NOTHING),
        ("REFRESH", Action.SEND, Action.NOTHING),
        ("PUBLISH", Action.NOTHING, Action.STORE),
        ("SOMETHING", Action.NOTHING, Action.NOTHING),
        ("CANCEL", Action.NOTHING, Action.NOTHING),
    ],
)
def test_other_methods(method: str, action: Action, absent: Action) -> None:
    meeting = _meeting(*SERIES)
    assert apply(_read(*meeting), _read(*meeting, method=method), {KIM}).action is action
    assert apply(None, _read(*meeting, method=method), {KIM}).action is absent


def test_a_message_of_too_many_components_and_one_that_would_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    anna = _read(*_meeting("DTSTART:20260101T000000Z", "RRULE:FREQ=DAILY"))
    answers = [
        event(f"RECURRENCE-ID:202601{day:02d}T000000Z", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:kim@y.test")
        for day in range(1, 9)
    ]
    message = _read(*[line for answer in answers for line in answer], method="REPLY")
    assert len(_stored(apply(anna, message, {ANNA})).parts) == 9
    monkeypatch.setattr(copy_changes, "MAX_GROWTH", 30)
    assert len(_stored(apply(anna, message, {ANNA})).parts) == 4
    monkeypatch.setattr(scheduling, "MAX_PARTS", 7)
    assert apply(anna, message, {ANNA}).why == "too many components"


VERSIONS = [
    _read(
        *_meeting(*SERIES, f"SUMMARY:{sequence}{day}", sequence=sequence, stamp=f"202601{day:02d}T000000Z"),
        method=method,
    )
    for sequence in range(3)
    for day in (1, 2)
    for method in ("REQUEST", "CANCEL")
]


@given(st.lists(st.sampled_from(range(len(VERSIONS))), min_size=1, max_size=12))
def test_in_whatever_order_messages_come_the_newest_counts(order: list[int]) -> None:
    stored = _read(*_meeting(*SERIES, "SUMMARY:first", stamp="20251231T000000Z"))
    newest = (-1, 0)
    for number in order:
        message = VERSIONS[number]
        applied = apply(stored, message, {KIM})
        version = copy_changes.version_of(message, message.main)
        assert (applied.action is Action.STORE) is (version > newest)
        if applied.action is Action.STORE:
            stored = _stored(applied)
            assert (status_of(stored.main) == "CANCELLED") is (message.method == "CANCEL")
        newest = max(newest, version)


def test_a_peer_made_of_another_library_understands_us_and_we_it() -> None:
    anna = _read(*_meeting(*SERIES))
    theirs = icalendar.Calendar.from_ical(invitations.request(anna, STAMP))
    assert theirs["METHOD"] == "REQUEST"
    invited = theirs.walk("VEVENT")[0]
    answer = icalendar.Calendar()
    answer.add("method", "REPLY")
    part = icalendar.Event()
    for name in ("UID", "SEQUENCE", "ORGANIZER"):
        part[name] = invited[name]
    part.add("dtstamp", datetime(2026, 1, 2))
    attendee = icalendar.vCalAddress("mailto:lee@z.test")
    attendee.params["PARTSTAT"] = "TENTATIVE"
    part.add("attendee", attendee)
    answer.add_component(part)
    assert _answers(_after(answer.to_ical(), anna, ANNA).main)["lee"] == "TENTATIVE"


def test_the_parts_of_a_message_share_the_steps_of_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = _read(*_meeting("DTSTART:20260101T000000Z", "RRULE:FREQ=SECONDLY;INTERVAL=7;COUNT=900000000"))
    parts = [
        _meeting("DTSTART:20260101T000000Z", f"RECURRENCE-ID:21000101T{hour:02d}0000Z", sequence=1)
        for hour in range(10)
    ]
    steps, spend = 0, Budget.spend

    def counted(budget: Budget, taken: int = 1) -> bool:
        nonlocal steps
        steps += taken
        return spend(budget, taken)

    monkeypatch.setattr(Budget, "spend", counted)
    message = _read(*(line for part in parts for line in part), method="CANCEL")
    assert apply(stored, message, [KIM]).action is Action.NOTHING
    assert 0 < steps <= 300_000
