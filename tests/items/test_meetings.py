"""Meetings across three time zones: whatever the people do and in whatever order the mails arrive, their copies agree in the end.

The organizer is in Berlin, attendees are in Seoul and New York; messages travel as mails, some twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from postern.items import calendar_object, imip, scheduling
from postern.items.booking import Decision, Policy, decide
from postern.items.calendar_object import CalendarObject
from postern.items.copy_changes import Action
from postern.items.free_busy import free_busy
from postern.items.organizing import answered, organized
from postern.items.rendered import status_of
from postern.items.series import Series
from postern.protocols.ical.values import address_of
from postern.protocols.ical.zones import seconds
from tests.items.calendars import event, octets

ANNA, KIM, LEE = "anna@berlin.test", "kim@seoul.test", "lee@newyork.test"
DAYS = 5
BEGIN = seconds(datetime(2026, 3, 27))
Answers = dict[tuple[int | None, str], str]


@dataclass
class Meeting:
    """The organizer's meeting as the organizer's program has it, and the copies of all."""

    hour: int = 9
    place: str = "a"
    invited: list[str] = field(default_factory=lambda: [KIM, LEE])
    moved: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By day, the hour to which an occurrence is moved, and its SEQUENCE."""
    gone: list[int] = field(default_factory=list)
    sequence: int = 0
    clock: int = 0
    copies: dict[str, CalendarObject] = field(default_factory=dict)
    mails: list[tuple[str, bytes]] = field(default_factory=list)

    def stamp(self) -> int:
        self.clock += 60
        return BEGIN + self.clock

    def lines(self) -> list[str]:
        people = ["ORGANIZER:mailto:" + ANNA]

        def attendees(day: int | None) -> list[str]:
            return [*people, *[f"ATTENDEE;PARTSTAT={self.answer(day, who)}:mailto:{who}" for who in self.invited]]

        series = [
            f"DTSTART;TZID=Europe/Berlin:20260327T{self.hour:02d}0000",
            "DURATION:PT1H",
            f"RRULE:FREQ=DAILY;COUNT={DAYS}",
        ]
        series += [f"EXDATE;TZID=Europe/Berlin:{self.day(day)}T{self.hour:02d}0000" for day in self.gone]
        lines = event(*series, f"LOCATION:{self.place}", f"SEQUENCE:{self.sequence}", *attendees(None))
        for day, (hour, sequence) in self.moved.items():
            name = f"RECURRENCE-ID;TZID=Europe/Berlin:{self.day(day)}T{self.hour:02d}0000"
            start = f"DTSTART;TZID=Europe/Berlin:{self.day(day)}T{hour:02d}0000"
            lines += event(name, start, "DURATION:PT1H", f"SEQUENCE:{sequence}", *attendees(day))
        stamp = f"DTSTAMP:{datetime(2026, 3, 27) + timedelta(seconds=self.stamp() - BEGIN):%Y%m%dT%H%M%S}Z"
        return [stamp if line.startswith("DTSTAMP") else line for line in lines]

    def day(self, day: int) -> str:
        return f"{datetime(2026, 3, 27) + timedelta(days=day):%Y%m%d}"

    def answer(self, day: int | None, who: str) -> str:
        """What the organizer's copy has of an answer, so that the program does not write over it."""
        mine = self.copies.get(ANNA)
        told: Answers = answers(mine) if mine is not None else {}
        local = None
        if day is not None:
            local = seconds(datetime.strptime(self.day(day), "%Y%m%d") + timedelta(hours=self.hour)) // 86_400
        return told.get((local, who), told.get((None, who), "NEEDS-ACTION"))

    def save(self) -> None:
        """The organizer's program stores the meeting, and messages go out."""
        old = self.copies.get(ANNA)
        new = _object(octets(*self.lines()))
        self.copies[ANNA] = new
        for sending in organized(old, new, {ANNA}, self.stamp()):
            letter = imip.Letter(ANNA, sending.addresses, "", f"{self.clock}@x.test", self.clock)
            mail = imip.mail(letter, _object(sending.octets))
            self.mails += [(address, mail) for address in sending.addresses]

    def respond(self, who: str, status: str) -> None:
        """An attendee answers to the series in the own copy."""
        old = self.copies.get(who)
        if old is None or old.master is None or status_of(old.main) == "CANCELLED":
            return
        changed = old.root.octets().decode()
        lines = [
            line.replace(line[: line.index(":")], f"ATTENDEE;PARTSTAT={status}")
            if line.startswith("ATTENDEE") and who in line
            else line
            for line in changed.replace("\r\n ", "").split("\r\n")
        ]
        new = _object("\r\n".join(lines).encode())
        self.copies[who] = new
        for sending in answered(old, new, who, self.stamp()):
            mail = imip.mail(
                imip.Letter(who, sending.addresses, "re", f"{self.clock}@x.test", 0), _object(sending.octets)
            )
            self.mails += [(address, mail) for address in sending.addresses]

    def deliver(self, number: int, again: bool) -> None:
        if not self.mails:
            return
        place = number % len(self.mails)
        who = self.mails[place][0]
        if who not in self.copies:  # a cancellation of what is not there is nothing, so that the invitation comes first
            place = next(each for each, mail in enumerate(self.mails) if mail[0] == who)
        who, mail = self.mails[place] if again else self.mails.pop(place)
        message = imip.invitation_in(mail)
        assert message is not None
        applied = scheduling.apply(self.copies.get(who), message, {who})
        if applied.action is Action.STORE:
            self.copies[who] = _object(applied.octets)


def _object(data: bytes) -> CalendarObject:
    found = calendar_object.read(data)
    assert isinstance(found, CalendarObject), (found, data)
    return found


def answers(calendar: CalendarObject) -> Answers:
    told: Answers = {}
    for part in calendar.parts:
        key = scheduling.key_of(calendar, part)
        for line in part.lines("ATTENDEE"):
            told[None if key is None else key // 86_400, address_of(line.value)] = line.parameter("PARTSTAT")
    return told


def seen(calendar: CalendarObject | None) -> list[tuple[int, str]]:
    """The occurrences that take place, with their places."""
    if calendar is None:
        return []
    found = Series(calendar).between()
    return sorted(
        (each.start, each.component.value("LOCATION")) for each in found if status_of(each.component) != "CANCELLED"
    )


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.integers(0, 9)),
        st.tuples(st.just("hour"), st.integers(8, 12)),
        st.tuples(st.just("move"), st.integers(0, DAYS - 1)),
        st.tuples(st.just("drop"), st.integers(1, DAYS - 1)),
        st.tuples(st.just("out"), st.sampled_from([KIM, LEE])),
        st.tuples(st.just("in"), st.sampled_from([KIM, LEE])),
        st.tuples(st.just("yes"), st.sampled_from([KIM, LEE])),
        st.tuples(st.just("no"), st.sampled_from([KIM, LEE])),
        st.tuples(st.just("deliver"), st.integers(0, 9)),
        st.tuples(st.just("again"), st.integers(0, 9)),
    ),
    max_size=16,
)


def _do(meeting: Meeting, what: str, value: int | str) -> None:
    if what in ("deliver", "again"):
        meeting.deliver(int(value), what == "again")
    elif what in ("yes", "no"):
        meeting.respond(str(value), {"yes": "ACCEPTED", "no": "DECLINED"}[what])
    else:
        _change(meeting, what, value)
        meeting.save()


def _change(meeting: Meeting, what: str, value: int | str) -> None:
    if what == "place":
        meeting.place = str(value)
    elif what == "out" and value in meeting.invited:
        meeting.invited.remove(str(value))
    elif what == "in" and value not in meeting.invited:
        meeting.invited.append(str(value))
    elif what == "move" and value not in meeting.gone:
        meeting.sequence += 1
        meeting.moved[int(value)] = (14 + meeting.sequence % 5, meeting.sequence)
    elif what == "drop" and value not in meeting.gone:
        meeting.sequence += 1
        meeting.gone.append(int(value))
        meeting.moved.pop(int(value), None)
    elif what == "hour":
        meeting.sequence += 1
        meeting.hour = int(value)
        meeting.moved.clear()


@settings(max_examples=80, deadline=None)
@given(STEPS)
@example([("move", 0), ("move", 1), ("out", KIM), ("in", KIM)])
def test_all_copies_agree_in_the_end(steps: list[tuple[str, int | str]]) -> None:
    meeting = Meeting()
    meeting.save()
    for what, value in steps:
        _do(meeting, what, value)
    while meeting.mails:
        meeting.deliver(0, False)
    anna = meeting.copies[ANNA]
    for who in (KIM, LEE):
        expected = seen(anna) if who in meeting.invited else []
        assert seen(meeting.copies.get(who)) == expected, who


def test_a_room_is_booked_once() -> None:
    meeting = Meeting(invited=[KIM, "room@berlin.test"])
    meeting.save()
    request = next(imip.invitation_in(mail) for who, mail in meeting.mails if who.startswith("room"))
    assert request is not None
    now = BEGIN - 86_400
    window = (now, now + 200 * 86_400)
    assert decide(request, free_busy([], *window), Policy(), ANNA, now).decision is Decision.ACCEPT
    booked = scheduling.apply(None, request, {"room@berlin.test"})
    busy = free_busy([_object(booked.octets)], *window)
    assert len(busy) == DAYS
    other = Meeting(hour=9)
    other.save()
    assert decide(other.copies[ANNA], busy, Policy(), ANNA, now).why == "taken already"
    later = Meeting(hour=10)
    later.save()
    assert decide(later.copies[ANNA], busy, Policy(), ANNA, now).decision is Decision.ACCEPT
