"""Attendees who delegate, and who propose another time; changes of all future occurrences; those invited to one occurrence alone.

covers: answers, copy_changes, invitations, organizing
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import icalendar
import pytest

from postern.items import calendar_object, invitations
from postern.items.answers import PROPOSED, REPLIED, with_proposal
from postern.items.calendar_object import CalendarObject, check
from postern.items.copy_changes import Action
from postern.items.organizing import answered, forbidden_change, organized
from postern.items.rendered import answer_of, attendee_of, status_of
from postern.items.scheduling import apply
from postern.items.series import Series
from postern.protocols.ical.values import Kind, When
from postern.protocols.ical.zones import seconds
from tests.items.calendars import event, octets

ANNA, KIM, PARK, LEE = "anna@x.test", "kim@y.test", "park@y.test", "lee@z.test"
STAMP = seconds(datetime(2026, 1, 2))
SERIES = (
    "DTSTART;TZID=Europe/Berlin:20260323T090000",
    "DTEND;TZID=Europe/Berlin:20260323T100000",
    "RRULE:FREQ=WEEKLY;COUNT=4",
)
BERLIN = "RECURRENCE-ID;%sTZID=Europe/Berlin:202604%sT090000"


def _read(*lines: str, method: str = "") -> CalendarObject:
    return _object(octets(*([f"METHOD:{method}"] if method else []), *lines))


def _object(data: bytes) -> CalendarObject:
    read = calendar_object.read(data)
    assert isinstance(read, CalendarObject), read
    return read


def _people(*attendees: str) -> list[str]:
    lines = [f"ORGANIZER:mailto:{ANNA}"]
    return [*lines, *[f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{each}" for each in attendees]]


def _meeting(*lines: str, attendees: Sequence[str] = (KIM,), sequence: int = 0) -> list[str]:
    return event(*_people(*attendees), *lines, f"SEQUENCE:{sequence}")


def _after(copy: CalendarObject | None, message: bytes | CalendarObject, me: str, speaker: str = "") -> CalendarObject:
    message = _object(message) if isinstance(message, bytes) else message
    applied = apply(copy, message, {me}, speaker)
    assert applied.action is Action.STORE, applied
    again = apply(_object(applied.octets), message, {me}, speaker)
    assert again.action is not Action.STORE, "it comes twice, and is applied once"
    stored = _object(applied.octets)
    assert check(stored) is None
    return stored


def _starts(calendar: CalendarObject) -> list[str]:
    each = Series(calendar).between()
    return [f"{datetime.utcfromtimestamp(it.start):%m%dT%H%M}{status_of(it.component)[:1]}" for it in each]


def _changed(calendar: CalendarObject, old: str, new: str) -> CalendarObject:
    text = calendar.root.octets().decode().replace("\r\n ", "")
    assert old in text
    return _object(text.replace(old, new).encode())


def test_an_attendee_delegates_and_the_delegate_answers() -> None:
    anna = _read(*_meeting(*SERIES))
    kim = _after(None, invitations.request(anna, STAMP), KIM)
    mine = f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{KIM}"
    says = f'ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO="mailto:{PARK}":mailto:{KIM}'
    delegating = _changed(kim, mine, f"{says}\r\nATTENDEE:mailto:{PARK}")
    assert forbidden_change(kim, delegating, {KIM}) == ""
    assert forbidden_change(kim, _changed(kim, mine, f"{mine}\r\nATTENDEE:mailto:{PARK}"), {KIM}) == "ATTENDEE"
    reply, invitation = answered(kim, delegating, KIM, STAMP + 60)
    assert (reply.addresses, reply.method, invitation.addresses) == ((ANNA,), "REPLY", (PARK,))

    park = _after(None, invitation.octets, PARK)
    invited = attendee_of(park.main, {PARK})
    assert invited is not None and invited.parameter("DELEGATED-FROM") == f"mailto:{KIM}"
    answer = invitations.reply(park, PARK, "ACCEPTED", STAMP + 120)
    assert apply(anna, _object(answer), {ANNA}, PARK).action is Action.NOTHING, "nobody is invited by the own word"
    anna = _after(anna, reply.octets, ANNA, KIM)
    assert [answer_of(anna.main, {who}) for who in (KIM, PARK)] == ["DELEGATED", "NEEDS-ACTION"]
    anna = _after(anna, answer, ANNA, PARK)
    assert [answer_of(anna.main, {who}) for who in (KIM, PARK)] == ["DELEGATED", "ACCEPTED"]

    moved = _changed(_changed(anna, "T090000", "T110000"), "SEQUENCE:0", "SEQUENCE:1")
    (update,) = organized(anna, moved, {ANNA}, STAMP + 180)
    assert update.addresses == (KIM, PARK), "both hear of changes"
    theirs = icalendar.Calendar.from_ical(update.octets).walk("VEVENT")[0]["attendee"]
    assert [each.params.get("DELEGATED-FROM", each.params.get("DELEGATED-TO")) for each in theirs] == [
        f"mailto:{PARK}",
        f"mailto:{KIM}",
    ]


def test_an_attendee_does_not_invite_the_whole_world_by_delegating_again_and_again() -> None:
    anna = _read(*_meeting(*SERIES))
    for number in range(5):
        names = ",".join(f'"mailto:d{number}{each}@w.test"' for each in range(5))
        lines = event(f"ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO={names}:mailto:{KIM}", *_people(), "SEQUENCE:0")
        stamp = f"DTSTAMP:2026010{number + 2}T000000Z"
        message = _read(*[stamp if each.startswith("DTSTAMP") else each for each in lines], method="REPLY")
        anna = _after(anna, message, ANNA, KIM)
    assert len([each for each in anna.main.lines("ATTENDEE") if "@w.test" in each.value]) == 8


def test_a_message_speaks_for_its_speaker_alone() -> None:
    anna = _read(*_meeting(*SERIES, attendees=(KIM, LEE)))
    both = _read(
        *event(
            f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{KIM}",
            f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{LEE}",
            *_people(),
            "SEQUENCE:0",
        ),
        method="REPLY",
    )
    after = _after(anna, both, ANNA, LEE)
    assert [answer_of(after.main, {who}) for who in (KIM, LEE)] == ["NEEDS-ACTION", "ACCEPTED"]


def test_a_proposal_is_noted_and_refused() -> None:
    anna = _read(*_meeting(*SERIES))
    kim = _after(None, invitations.request(anna, STAMP), KIM)
    start, end = (When(datetime(2026, 3, 23, hour), Kind.ZONED, "Asia/Seoul") for hour in (20, 21))
    message = invitations.counter(kim, KIM, kim.main, start, end, STAMP + 60, "later; please")
    theirs = icalendar.Calendar.from_ical(message)
    assert theirs["method"] == "COUNTER" and theirs.walk("VEVENT")[0]["comment"] == "later; please"
    noted = _after(anna, message, ANNA, KIM)
    entry = attendee_of(noted.main, {KIM})
    assert entry is not None
    assert entry.parameter(PROPOSED) == "20260323T110000Z/20260323T120000Z"
    assert entry.parameter("PARTSTAT") == "TENTATIVE" and _starts(noted) == _starts(anna)
    assert PROPOSED.encode() not in invitations.request(noted, STAMP + 90), "others do not see it"

    kim.root.entries[kim.root.entries.index(kim.main)] = with_proposal(kim.main, KIM, entry.parameter(PROPOSED))
    kim = _object(kim.root.octets())
    refusal = invitations.decline_counter(_object(message), STAMP + 120, "no")
    kim = _after(kim, refusal, KIM)
    assert PROPOSED.encode() not in kim.root.octets()
    assert apply(kim, _object(refusal), {KIM}).action is Action.TELL

    answer = invitations.reply(kim, KIM, "ACCEPTED", STAMP + 180)
    after = attendee_of(_after(noted, answer, ANNA, KIM).main, {KIM})
    assert after is not None and not after.parameter(PROPOSED), "an answer takes the proposal back"


@pytest.mark.parametrize(
    ("lines", "who"),
    [
        (("SEQUENCE:0",), LEE),
        (("SEQUENCE:0", "DTSTART:x"), KIM),
        (("SEQUENCE:-1", "DTSTART:20260323T110000Z"), LEE),
    ],
)
def test_proposals_that_are_none(lines: tuple[str, ...], who: str) -> None:
    anna = _read(*_meeting(*SERIES, sequence=1))
    message = _read(*event(f"ATTENDEE:mailto:{who}", *lines), method="COUNTER")
    assert apply(anna, message, {ANNA}, who).action is Action.NOTHING


def test_a_proposal_for_one_occurrence_is_noted_there() -> None:
    anna = _read(*_meeting(*SERIES))
    lines = ("RECURRENCE-ID:20260406T070000Z", "DTSTART;VALUE=DATE:20260407", f"ATTENDEE:mailto:{KIM}", "SEQUENCE:0")
    noted = _after(anna, _read(*event(*lines), method="COUNTER"), ANNA, KIM)
    series, exception = (attendee_of(part, {KIM}) for part in noted.parts)
    assert series is not None and exception is not None
    assert (series.parameter(PROPOSED), exception.parameter(PROPOSED)) == ("", "20260407/20260408")
    assert exception.parameter("PARTSTAT") == "NEEDS-ACTION" and exception.parameter(REPLIED)


def test_a_proposal_of_many_occurrences_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(calendar: CalendarObject) -> Series:
        made.append(calendar)
        return Series(calendar)

    monkeypatch.setattr("postern.items.answers.Series", counted)
    part = event(f"ATTENDEE:mailto:{KIM}", *_people(), "RECURRENCE-ID:20260330T070000Z", "DTSTART:20260330T080000Z")
    assert apply(_read(*_meeting(*SERIES)), _read(*part * 50, method="COUNTER"), {ANNA}, KIM).action is Action.STORE
    assert len(made) == 1


def test_this_and_all_future_occurrences_move() -> None:
    kim = _read(*_meeting(*SERIES), *_meeting(BERLIN % ("", "13"), "DTSTART:20260413T150000Z", "DURATION:PT1H"))
    lines = (BERLIN % ("RANGE=THISANDFUTURE;", "06"), "DTSTART;TZID=Europe/Berlin:20260407T110000", "DURATION:PT2H")
    kim = _after(kim, _read(*_meeting(*lines, sequence=1), method="REQUEST"), KIM)
    assert _starts(kim) == ["0323T0800", "0330T0700", "0407T0900", "0414T0900"], "the older exception is gone"
    late = _meeting(BERLIN % ("", "13"), "DTSTART:20260413T160000Z", "DURATION:PT1H")
    assert apply(kim, _read(*late, method="REQUEST"), {KIM}).action is Action.NOTHING, "it is older than that change"
    answer = event(BERLIN % ("", "13"), f"ATTENDEE;PARTSTAT=DECLINED:mailto:{KIM}", "SEQUENCE:1")
    anna = _after(kim, _read(*answer, method="REPLY"), ANNA, KIM)
    assert _starts(anna) == _starts(kim) and answer_of(anna.parts[-1], {KIM}) == "DECLINED"
    assert anna.parts[-1].value("DTSTART") == "20260414T110000" and anna.parts[-1].value("DURATION") == "PT2H"


def test_this_and_all_future_occurrences_are_cancelled() -> None:
    kim = _read(*_meeting(*SERIES), *_meeting(BERLIN % ("", "13"), "DTSTART:20260413T150000Z", "DURATION:PT1H"))
    message = _read(*_meeting(BERLIN % ("RANGE=THISANDFUTURE;", "06"), "STATUS:CANCELLED", sequence=1), method="CANCEL")
    kim = _after(kim, message, KIM)
    assert _starts(kim) == ["0323T0800", "0330T0700", "0406T0700C", "0413T1500C"]
    again = _meeting(BERLIN % ("RANGE=THISANDFUTURE;", "06"), *SERIES[:2], sequence=2)
    kim = _after(kim, _read(*again, method="REQUEST"), KIM)
    assert not any(each.endswith("C") for each in _starts(kim)), "a newer version brings them back"


def test_one_occurrence_invited_alone() -> None:
    def alone(day: str, hour: int, sequence: int = 0, *more: str) -> list[str]:
        start = f"DTSTART;TZID=Europe/Berlin:202604{day}T{hour:02d}0000"
        return _meeting(BERLIN % ("", day), start, "DURATION:PT1H", *more, sequence=sequence)

    kim = _after(None, _read(*alone("06", 9), method="REQUEST"), KIM)
    assert _starts(kim) == ["0406T0700"]
    kim = _after(kim, _read(*alone("13", 9), method="REQUEST"), KIM)
    kim = _after(kim, _read(*alone("06", 11, 1), method="REQUEST"), KIM)
    assert _starts(kim) == ["0406T0900", "0413T0700"]
    kim = _after(kim, _read(*alone("13", 9, 1, "STATUS:CANCELLED"), method="CANCEL"), KIM)
    assert _starts(kim) == ["0406T0900", "0413T0700C"]
    anna = _read(*_meeting(*SERIES, attendees=()), *alone("06", 11, 1))
    answer = invitations.reply(kim, KIM, "ACCEPTED", STAMP, [kim.parts[0]])
    anna = _after(anna, answer, ANNA, KIM)
    assert [answer_of(part, {KIM}) for part in anna.parts] == ["", "ACCEPTED"]
    cancelled = _after(kim, _read(*_meeting(*SERIES, "STATUS:CANCELLED", sequence=2), method="CANCEL"), KIM)
    assert _starts(cancelled) == ["0406T0900C", "0413T0700C"]
    future = _meeting(BERLIN % ("RANGE=THISANDFUTURE;", "01"), "STATUS:CANCELLED", sequence=3)
    assert _starts(_after(kim, _read(*future, method="CANCEL"), KIM)) == ["0406T0900C", "0413T0700C"]
    late = _read(*_meeting(*SERIES, "STATUS:CANCELLED"), method="CANCEL")
    assert apply(kim, late, {KIM}).action is Action.NOTHING, "it is older than the occurrence"
    kim = _after(kim, _read(*_meeting(*SERIES, sequence=2), method="REQUEST"), KIM)
    assert _starts(kim)[:2] == ["0323T0800", "0330T0700"], "now to the whole series"


def test_an_occurrence_of_a_series_of_days_that_is_named_by_an_hour() -> None:
    anna = _read(*_meeting("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;COUNT=3"))
    for hour in ("T090000Z", "T150000Z"):
        lines = (f"RECURRENCE-ID:20260102{hour}", f"ATTENDEE;PARTSTAT=DECLINED:mailto:{KIM}", "SEQUENCE:0")
        answer = [f"DTSTAMP:202601{hour[1:3]}T000000Z" if each[:7] == "DTSTAMP" else each for each in event(*lines)]
        anna = _after(anna, _read(*answer, method="REPLY"), ANNA, KIM)
    assert [part.value("RECURRENCE-ID") for part in anna.parts] == ["", "20260102"]


def test_what_a_client_says_to_its_server_is_not_taken_from_messages() -> None:
    lines = _meeting(*SERIES, "ATTENDEE;SCHEDULE-AGENT=NONE;CN=Lee:mailto:lee@z.test")
    for stored in (None, _read(*_meeting(*SERIES))):
        newer = [line.replace("SEQUENCE:0", "SEQUENCE:1") for line in lines]
        assert b"SCHEDULE-" not in _after(stored, _read(*newer, method="REQUEST"), KIM).root.octets()


def test_a_question_for_the_object_as_it_is() -> None:
    kim = _read(*_meeting(*SERIES))
    message = invitations.refresh(kim, KIM, STAMP)
    assert icalendar.Calendar.from_ical(message).walk("VEVENT")[0].keys() == {"UID", "ORGANIZER", "DTSTAMP", "ATTENDEE"}
    assert apply(kim, _object(message), {ANNA}, KIM).action is Action.SEND
