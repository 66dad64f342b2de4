"""A meeting across three time zones, kept by people who have nothing but mail and the package `icalendar`, while workers of the
mailbox server are killed at random: after each step their own copies and those in their calendars are the same.

covers: mailbox-assistants
"""

from __future__ import annotations

import os
import random
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events

from tests import organization
from tests.journeys.imip_peer import SECONDS, calendar_around, calendar_of, dav, inbox, send, subjects
from tests.journeys.traveller import until
from tests.organization import Organization

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]
ALICE, BOB, CAROL = "alice@example.test", "bob@example.test", "carol@example.test"
SEOUL, BERLIN, NEW_YORK = (ZoneInfo(name) for name in ("Asia/Seoul", "Europe/Berlin", "America/New_York"))
FIRST = datetime(datetime.now(UTC).year + 1, 3, 8, 22, tzinfo=SEOUL)
"""A weekly meeting over the nights in which the clocks of New York and of Berlin change, and that of Seoul does not."""
COUNT = 5
WEEK = timedelta(days=7)
Seen = list[tuple[str, str, str, tuple[tuple[str, str], ...]]]


@pytest.fixture(scope="module")
def here() -> Iterator[Organization]:
    with organization.with_users("alice", "bob", "carol") as made:
        yield made


@contextmanager
def killing(here: Organization, seed: int, most: int) -> Iterator[list[int]]:
    """Kills a worker of the mailbox server at random moments, `most` times: the supervisor starts one that ends again and again
    ever later. Yields the list of those that were killed."""
    killed: list[int] = []
    ended, dice = threading.Event(), random.Random(seed)

    def kill() -> None:
        while len(killed) < most and not ended.wait(dice.uniform(0.2, 3.0)):
            workers = here.workers("mailbox")
            if workers:
                killed.append(dice.choice(workers))
                os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


@dataclass
class Peer:
    """Somebody whose calendar is a dictionary of components by occurrence, which mails change."""

    address: str
    zone: ZoneInfo
    parts: dict[datetime | None, icalendar.Event] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)

    def take(self, here: Organization) -> None:
        """Applies the mails that came since the last look, in their order."""
        for identity, calendar in inbox(here, self.address):
            if identity not in self.read:
                self.read.add(identity)
                for event in calendar.walk("VEVENT"):
                    self._apply(str(calendar["method"]), event)

    def _apply(self, method: str, event: icalendar.Event) -> None:
        key = _key(event)
        if method == "REQUEST":
            self.parts[key] = event
        elif method == "CANCEL":
            for each in [key] if key is not None else list(self.parts):
                self.exception(each)["status"] = icalendar.vText("CANCELLED")
        elif method == "REPLY":
            answer = event["attendee"]
            for line in _attendees(self.exception(key)):
                if line == answer:
                    line.params["PARTSTAT"] = answer.params["PARTSTAT"]

    def exception(self, key: datetime | None) -> icalendar.Event:
        if key not in self.parts:
            made = icalendar.Event.from_ical(self.parts[None].to_ical())
            for name in ("RRULE", "DTSTART", "DTEND"):
                del made[name]
            made.add("recurrence-id", key)
            made.add("dtstart", key)
            made.add("dtend", key + timedelta(hours=1))  # type: ignore[operator]  # only the series has None
            self.parts[key] = made
        return self.parts[key]

    def calendar(self) -> icalendar.Calendar:
        return calendar_around(*self.parts.values())

    def seen(self) -> Seen:
        return seen(self.calendar())

    def agrees(self, here: Organization) -> bool:
        """Whether the calendar on the server shows what this one shows."""
        self.take(here)
        text = calendar_of(here, self.address)
        begin, end = text.find("BEGIN:VCALENDAR"), text.rfind("END:VCALENDAR")
        return (
            end > 0 and bool(self.parts) and seen(icalendar.Calendar.from_ical(text[begin : end + 13])) == self.seen()
        )


def _key(event: icalendar.Event) -> datetime | None:
    named = event.get("recurrence-id")
    return None if named is None else named.dt.astimezone(UTC)


def _attendees(event: icalendar.Event) -> list[icalendar.vCalAddress]:
    lines = event.get("attendee", [])
    return lines if isinstance(lines, list) else [lines]


def seen(calendar: icalendar.Calendar) -> Seen:
    """The occurrences in a calendar: when in UTC, where, whether it is cancelled, and who answered what."""
    occurrences = recurring_ical_events.of(calendar).between(FIRST - WEEK, FIRST + (COUNT + 2) * WEEK)
    shown = []
    for event in occurrences:
        answers = tuple(sorted((str(line), str(line.params.get("PARTSTAT", ""))) for line in _attendees(event)))
        status = "CANCELLED" if event.get("status") == "CANCELLED" else ""
        shown.append((f"{event['dtstart'].dt.astimezone(UTC):%m%dT%H%M}", str(event["location"]), status, answers))
    return sorted(shown)


def _event(people: Sequence[str], sequence: int = 0, start: datetime = FIRST, place: str = "Seoul") -> icalendar.Event:
    event = icalendar.Event()
    event.add("uid", "weekly")
    event.add("summary", "Weekly")
    event.add("location", place)
    event.add("dtstamp", datetime.now(UTC) + timedelta(seconds=sequence))
    event.add("dtstart", start)
    event.add("dtend", start + timedelta(hours=1))
    event.add("sequence", sequence)
    event["organizer"] = icalendar.vCalAddress(f"mailto:{ALICE}")
    for address in people:
        attendee = icalendar.vCalAddress(f"mailto:{address}")
        attendee.params["PARTSTAT"] = icalendar.vText("NEEDS-ACTION")
        attendee.params["SCHEDULE-AGENT"] = icalendar.vText("CLIENT")
        event.add("attendee", attendee, encode=0)
    return event


def _answer(event: icalendar.Event, address: str, status: str) -> icalendar.Event:
    made = icalendar.Event()
    for name in ("UID", "SEQUENCE", "ORGANIZER", "RECURRENCE-ID", "SUMMARY"):
        if name in event:
            made[name] = event[name]
    made.add("dtstamp", datetime.now(UTC))
    attendee = icalendar.vCalAddress(f"mailto:{address}")
    attendee.params["PARTSTAT"] = icalendar.vText(status)
    made.add("attendee", attendee, encode=0)
    return made


@pytest.mark.parametrize("seed", [1])
def test_both_sides_agree_after_each_step(here: Organization, seed: int) -> None:
    alice, bob, carol = Peer(ALICE, SEOUL), Peer(BOB, BERLIN), Peer(CAROL, NEW_YORK)
    series = _event([BOB, CAROL])
    series.add("rrule", {"freq": "weekly", "count": COUNT})
    alice.parts[None] = series
    dav(here, ALICE, "PUT", "weekly.ics", alice.calendar().to_ical())

    def agree(what: str, peers: Sequence[Peer], shows: Callable[[Seen], bool]) -> None:
        for peer in peers:
            until(lambda peer=peer: peer.agrees(here) and shows(peer.seen()), f"{what}: {peer.address}", SECONDS)

    with killing(here, seed, most=8) as killed:
        send(here, ALICE, [BOB, CAROL], "REQUEST", series)
        agree("the invitation", (alice, bob, carol), lambda shown: len(shown) == COUNT)
        starts = [f"{FIRST + n * WEEK - timedelta(hours=9):%m%dT%H%M}" for n in range(COUNT)]
        assert [start for start, *_ in carol.seen()] == starts

        # Bob's program names the occurrence by his own clock.
        moved = _event([BOB, CAROL], 1, FIRST + 2 * WEEK + timedelta(hours=1, minutes=30), "Berlin")
        moved.add("recurrence-id", (FIRST + 2 * WEEK).astimezone(BERLIN))
        send(here, ALICE, [BOB, CAROL], "REQUEST", moved)
        alice.parts[_key(moved)] = moved
        stored = alice.calendar()
        until(lambda: bool(dav(here, ALICE, "PUT", "weekly.ics", stored.to_ical(), is_patient=True)), "PUT", SECONDS)
        agree("one is moved", (alice, bob, carol), lambda shown: shown[2][1] == "Berlin")

        send(here, CAROL, [ALICE], "REPLY", _answer(carol.parts[None], CAROL, "ACCEPTED"))
        agree_on(here, alice, carol, None, "ACCEPTED")
        declined = _answer(moved, CAROL, "DECLINED")
        send(here, CAROL, [ALICE], "REPLY", declined)
        agree_on(here, alice, carol, _key(moved), "DECLINED")
        third = _answer(series, BOB, "TENTATIVE")
        third.add("recurrence-id", FIRST + 3 * WEEK)
        send(here, BOB, [ALICE], "REPLY", third)
        agree_on(here, alice, bob, (FIRST + 3 * WEEK).astimezone(UTC), "TENTATIVE")

        # Carol proposes another time for the last occurrence; nothing moves, and the organizer's copy has it.
        proposal = _event([CAROL], 0, FIRST.astimezone(NEW_YORK) + 4 * WEEK + timedelta(hours=5))
        proposal.add("recurrence-id", FIRST + 4 * WEEK)
        send(here, CAROL, [ALICE], "COUNTER", proposal)
        until(lambda: "X-POSTERN-PROPOSED=" in calendar_of(here, ALICE), "the proposal", SECONDS)
        send(here, ALICE, [CAROL], "DECLINECOUNTER", _answer(proposal, CAROL, "NEEDS-ACTION"))

        off = _event([BOB, CAROL], 2)
        off["status"] = icalendar.vText("CANCELLED")
        off.add("recurrence-id", FIRST + WEEK)
        send(here, ALICE, [BOB, CAROL], "CANCEL", off)
        agree("one is cancelled", (bob, carol), lambda shown: _cancelled(shown) == [1])

        gone = _event([BOB, CAROL], 3)
        gone["status"] = icalendar.vText("CANCELLED")
        send(here, ALICE, [BOB, CAROL], "CANCEL", gone)
        agree("all is cancelled", (bob, carol), lambda shown: _cancelled(shown) == list(range(COUNT)))
    assert killed, "workers were killed"
    for peer in (bob, carol):
        assert calendar_of(here, peer.address).count("BEGIN:VCALENDAR") == 1, "nothing is there twice"


def _cancelled(shown: Seen) -> list[int]:
    return [place for place, (_, _, status, _) in enumerate(shown) if status]


def agree_on(here: Organization, organizer: Peer, attendee: Peer, key: datetime | None, status: str) -> None:
    """Waits until the organizer's mails and calendar have an attendee's answer."""

    def is_answered() -> bool:
        is_same = organizer.agrees(here)
        lines = _attendees(organizer.exception(key))
        return is_same and f"mailto:{attendee.address} {status}" in [
            f"{line} {line.params['PARTSTAT']}" for line in lines
        ]

    until(is_answered, f"{attendee.address}: {status}", SECONDS)


def test_a_reminder_by_mail_comes_once(here: Organization) -> None:
    event = _event([], start=datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1))
    del event["organizer"]
    event["uid"] = icalendar.vText("reminding")
    alarm = icalendar.Alarm()
    alarm.add("action", "EMAIL")
    alarm.add("trigger", timedelta(hours=-1, seconds=8))
    alarm.add("summary", "Soon, in Seoul")
    event.add_component(alarm)
    dav(here, CAROL, "PUT", "reminding.ics", calendar_around(event).to_ical())
    with killing(here, 2, most=4):
        until(lambda: "Soon, in Seoul" in subjects(here, CAROL), "the reminder", SECONDS)
    until(lambda: "Soon, in Seoul" in subjects(here, CAROL), "an answer", SECONDS)
    assert subjects(here, CAROL).count("Soon, in Seoul") == 1


def test_a_delegate_answers_for_a_room(here: Organization) -> None:
    car = "car@example.test"
    here.command("room", "create", "car", "--equipment")
    here.command("room", "set", "car", "--bookers", "nobody", "--requesters", "everybody", "--delegates", "carol")
    here.command("mailbox", "grant", "car", "carol", "--rights", "editor", "--send-on-behalf")
    event = _event([car], start=datetime.now(UTC).replace(microsecond=0) + timedelta(days=7))
    event["uid"] = icalendar.vText("ride")
    send(here, ALICE, [car], "REQUEST", event)

    def answers() -> list[str]:
        calendars = [calendar for _, calendar in inbox(here, ALICE) if calendar["method"] == "REPLY"]
        events = [each for calendar in calendars for each in calendar.walk("VEVENT") if each["uid"] == "ride"]
        return [str(each["attendee"].params["PARTSTAT"]) for each in events]

    until(lambda: answers() == ["TENTATIVE"], "the room's answer", SECONDS)
    until(lambda: "Tentative: Weekly" in subjects(here, CAROL), "the question to the delegate", SECONDS)
    until(lambda: "UID:ride" in calendar_of(here, CAROL, car), "the room's calendar", SECONDS)
    text = calendar_of(here, CAROL, car)
    name = re.search(r"/calendar/([^/<]+\.ics)<", text)
    begin, end = text.find("BEGIN:VCALENDAR"), text.rfind("END:VCALENDAR")
    assert name is not None
    accepted = text[begin : end + 13].replace("PARTSTAT=TENTATIVE", "PARTSTAT=ACCEPTED")
    dav(here, CAROL, "PUT", name[1], accepted.encode(), owner=car)
    until(lambda: answers() == ["TENTATIVE", "ACCEPTED"], "the delegate's answer", SECONDS)
