"""Meetings through a whole organization, by clients that nobody here wrote: invite people and a room, answer, and cancel, while
the mailbox server is killed again and again.

covers: mailbox-assistants
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import icalendar
import pytest

from tests import organization
from tests.journeys.imip_peer import SECONDS, calendar_around, calendar_of, dav, inbox, send
from tests.journeys.traveller import until
from tests.organization import Organization

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]
ALICE, BOB, HALL = "alice@example.test", "bob@example.test", "hall@example.test"
START = datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)


@pytest.fixture(scope="module")
def here() -> Iterator[Organization]:
    """alice, bob, and a room."""
    with organization.with_users("alice", "bob") as made:
        made.command("user", "add", "hall", "--room")
        yield made


def _event(
    uid: str,
    status: str = "CONFIRMED",
    sequence: int = 0,
    who: tuple[str, ...] = (BOB, HALL),
    agent: str = "SERVER",
    **answers: str,
) -> icalendar.Event:
    event = icalendar.Event()
    event.add("uid", uid)
    event.add("summary", f"Talk {uid}")
    event.add("dtstamp", datetime.now(UTC))
    event.add("dtstart", START)
    event.add("dtend", START + timedelta(hours=1))
    event.add("sequence", sequence)
    event.add("status", status)
    event["organizer"] = icalendar.vCalAddress(f"mailto:{ALICE}")
    for address in who:
        attendee = icalendar.vCalAddress(f"mailto:{address}")
        attendee.params["PARTSTAT"] = icalendar.vText(answers.get(address.partition("@")[0], "NEEDS-ACTION"))
        if agent != "SERVER":
            attendee.params["SCHEDULE-AGENT"] = icalendar.vText(agent)
        event.add("attendee", attendee, encode=0)
    return event


def _object(event: icalendar.Event) -> bytes:
    return bytes(calendar_around(event).to_ical())


def _letters(here: Organization, user: str) -> dict[str, icalendar.Event]:
    """The meetings in the mails of a user's inbox, by Message-ID."""
    return {identity: calendar.walk("VEVENT")[0] for identity, calendar in inbox(here, user)}


def _answers(here: Organization, user: str) -> list[str]:
    """The answers in a user's inbox, as the sender, PARTSTAT and UID of each."""
    answers = [(event["attendee"], event["uid"]) for event in _letters(here, user).values()]
    return sorted(f"{who.removeprefix('mailto:')} {who.params['PARTSTAT']} {uid}" for who, uid in answers)


def test_people_and_a_room_are_invited_and_answer(here: Organization) -> None:
    dav(here, ALICE, "PUT", "m1.ics", _object(_event("m1", agent="CLIENT")))
    send(here, ALICE, [BOB, HALL], "REQUEST", _event("m1"))
    until(lambda: "UID:m1\n" in calendar_of(here, BOB), "the meeting in bob's calendar", SECONDS)
    until(lambda: _answers(here, ALICE) == [f"{HALL} ACCEPTED m1"], "the room's answer", SECONDS)
    until(lambda: "PARTSTAT=ACCEPTED" in calendar_of(here, ALICE), "the answer in alice's calendar", SECONDS)

    send(here, ALICE, [HALL], "REQUEST", _event("m2"))
    until(lambda: f"{HALL} DECLINED m2" in _answers(here, ALICE), "the room's refusal", SECONDS)

    send(here, ALICE, [BOB, HALL], "CANCEL", _event("m1", "CANCELLED", 1))
    until(lambda: "STATUS:CANCELLED" in calendar_of(here, BOB), "the cancellation", SECONDS)
    assert _answers(here, ALICE) == [f"{HALL} ACCEPTED m1", f"{HALL} DECLINED m2"]


def _names(here: Organization, user: str) -> dict[str, str]:
    """The names of the objects in a user's calendar, by UID."""
    response = re.compile(r"<D:href>[^<]*/([^</]+)</D:href>.*?UID:([^\n]+)\n", re.DOTALL)
    return {uid: unquote(name) for name, uid in response.findall(calendar_of(here, user))}


def test_a_calendar_program_that_only_puts(here: Organization) -> None:
    """Nobody sends a mail: the server does (RFC 6638)."""
    dav(here, ALICE, "PUT", "p1.ics", _object(_event("p1", who=(BOB,))))
    until(lambda: "p1" in _names(here, BOB), "the meeting in bob's calendar", SECONDS)
    path = _names(here, BOB)["p1"]
    copy = dav(here, BOB, "GET", path).replace("\r\n ", "")
    assert "PARTSTAT=NEEDS-ACTION" in copy
    dav(here, BOB, "PUT", path, copy.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED").encode())
    until(lambda: "PARTSTAT=ACCEPTED" in dav(here, ALICE, "GET", "p1.ics"), "the answer in alice's calendar", SECONDS)
    dav(here, ALICE, "DELETE", "p1.ics")
    until(lambda: "STATUS:CANCELLED" in dav(here, BOB, "GET", path), "the cancellation", SECONDS)
    assert f"{BOB} ACCEPTED p1" in _answers(here, ALICE)


def test_a_change_and_its_letters_are_made_together(here: Organization) -> None:
    """Servers are killed while a program stores meetings. Those that are stored were told once, and no others were told."""
    names = [f"q{number}" for number in range(12)]
    for number, name in enumerate(names):
        if number % 3 == 1:
            for worker in here.workers("mailbox" if number % 2 else "client-access"):
                os.kill(worker, signal.SIGKILL)
        with contextlib.suppress(OSError):  # the program does not try again
            dav(here, ALICE, "PUT", f"{name}.ics", _object(_event(name, who=(BOB,))))
    until(lambda: bool(_names(here, ALICE)), "alice's calendar", SECONDS)
    stored = sorted(set(names) & set(_names(here, ALICE)))
    assert stored, "some survive"
    until(lambda: set(stored) <= set(_names(here, BOB)), "all meetings in bob's calendar", SECONDS)
    assert sorted(set(names) & set(_names(here, BOB))) == stored
    invitations = [str(event["uid"]) for event in _letters(here, BOB).values()]
    assert sorted(uid for uid in invitations if uid in names) == stored


def test_a_mailbox_server_that_is_killed_does_nothing_twice(here: Organization) -> None:
    names = [f"k{number}" for number in range(8)]
    for number, name in enumerate(names):
        send(here, ALICE, [BOB, HALL], "REQUEST", _event(name))
        if number % 2:
            for worker in here.workers("mailbox"):
                os.kill(worker, signal.SIGKILL)
    until(
        lambda: all(calendar_of(here, BOB).count(f"UID:{name}\n") == 1 for name in names),
        "all meetings in bob's calendar",
        SECONDS,
    )
    until(lambda: len(_of(here, names)) >= len(names), "all answers", SECONDS)
    answers = _of(here, names)
    assert sorted(answer.split()[2] for answer in answers) == names, "each is answered once"
    assert sum("ACCEPTED" in answer for answer in answers) == 1, "the room is free for one of them"


def _of(here: Organization, names: list[str]) -> list[str]:
    return [answer for answer in _answers(here, ALICE) if answer.split()[2] in names]
