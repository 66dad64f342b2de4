"""Meetings through a whole organization, by clients that nobody here wrote: invite people and a room, answer, and cancel, while
the mailbox server is killed again and again.

covers: mailbox-assistants
"""

from __future__ import annotations

import base64
import contextlib
import imaplib
import os
import re
import signal
import smtplib
import ssl
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from urllib.parse import unquote

import icalendar
import pytest

from tests import organization
from tests.journeys.traveller import until
from tests.organization import PASSWORD, Organization

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]
ALICE, BOB, HALL = "alice@example.test", "bob@example.test", "hall@example.test"
START = datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)
SECONDS = 60.0


@pytest.fixture(scope="module")
def here() -> Iterator[Organization]:
    """alice, bob, and a room."""
    made = organization.start()
    try:
        for name in ("alice", "bob"):
            made.add_user(name)
        made.command("user", "add", "hall", "--room")
        yield made
    finally:
        organization.remove(made)


def _context(here: Organization) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(here.authority))
    context.check_hostname = False
    return context


def _send(here: Organization, sender: str, recipients: list[str], method: str, event: icalendar.Event) -> None:
    """Sends an iTIP message as a calendar program does."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//test//test//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, ", ".join(recipients), str(event["summary"])
    message.set_content("A meeting.")
    message.add_alternative(calendar.to_ical(), "text", "calendar", params={"method": method})
    with smtplib.SMTP("127.0.0.1", here.port(587), timeout=30) as client:
        client.starttls(context=_context(here))
        client.login(sender, PASSWORD)
        client.send_message(message)


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
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//test//test//EN")
    calendar.add("version", "2.0")
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def _dav(here: Organization, user: str, method: str, path: str, content: bytes = b"") -> str:
    url = f"https://127.0.0.1:{here.port(443)}/dav/calendars/{user}/calendar/{path}"
    request = urllib.request.Request(url, content or None, method=method)
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode())
    request.add_header("Content-Type", "text/xml" if method == "REPORT" else "text/calendar")
    request.add_header("Depth", "1")
    with urllib.request.urlopen(request, timeout=30, context=_context(here)) as answer:
        return str(answer.read().decode())


_QUERY = b"""<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data/></D:prop>
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/></C:comp-filter></C:filter></C:calendar-query>"""


def _calendar(here: Organization, user: str) -> str:
    try:
        return _dav(here, user, "REPORT", "", _QUERY).replace("&#13;", "").replace("\r", "").replace("\n ", "")
    except OSError:
        return ""  # the mailbox server was just killed


def _letters(here: Organization, user: str) -> dict[str, icalendar.Event]:
    """The meetings in the mails of a user's inbox, by Message-ID. A hub that could not tell a killed mailbox server that it has
    queued a message queues it once more, under the same Message-ID (`services.mailbox.submission`)."""
    try:
        with imaplib.IMAP4_SSL("127.0.0.1", here.port(993), ssl_context=_context(here), timeout=30) as client:
            client.login(user, PASSWORD)
            client.select("INBOX")
            _, fetched = client.fetch("1:*", "(BODY.PEEK[])")
    except (OSError, imaplib.IMAP4.error):
        return {}
    letters: dict[str, icalendar.Event] = {}
    for entry in fetched:
        message = message_from_bytes(entry[1]) if isinstance(entry, tuple) else EmailMessage()
        for part in message.walk():
            if part.get_content_type() == "text/calendar":
                (event,) = icalendar.Calendar.from_ical(part.get_payload(decode=True)).walk("VEVENT")
                letters[message["message-id"]] = event
    return letters


def _answers(here: Organization, user: str) -> list[str]:
    """The answers in a user's inbox, as the sender, PARTSTAT and UID of each."""
    answers = [(event["attendee"], event["uid"]) for event in _letters(here, user).values()]
    return sorted(f"{who.removeprefix('mailto:')} {who.params['PARTSTAT']} {uid}" for who, uid in answers)


def test_people_and_a_room_are_invited_and_answer(here: Organization) -> None:
    _dav(here, ALICE, "PUT", "m1.ics", _object(_event("m1", agent="CLIENT")))
    _send(here, ALICE, [BOB, HALL], "REQUEST", _event("m1"))
    until(lambda: "UID:m1\n" in _calendar(here, BOB), "the meeting in bob's calendar", SECONDS)
    until(lambda: _answers(here, ALICE) == [f"{HALL} ACCEPTED m1"], "the room's answer", SECONDS)
    until(lambda: "PARTSTAT=ACCEPTED" in _calendar(here, ALICE), "the answer in alice's calendar", SECONDS)

    _send(here, ALICE, [HALL], "REQUEST", _event("m2"))
    until(lambda: f"{HALL} DECLINED m2" in _answers(here, ALICE), "the room's refusal", SECONDS)

    _send(here, ALICE, [BOB, HALL], "CANCEL", _event("m1", "CANCELLED", 1))
    until(lambda: "STATUS:CANCELLED" in _calendar(here, BOB), "the cancellation", SECONDS)
    assert _answers(here, ALICE) == [f"{HALL} ACCEPTED m1", f"{HALL} DECLINED m2"]


def _names(here: Organization, user: str) -> dict[str, str]:
    """The names of the objects in a user's calendar, by UID."""
    response = re.compile(r"<D:href>[^<]*/([^</]+)</D:href>.*?UID:([^\n]+)\n", re.DOTALL)
    return {uid: unquote(name) for name, uid in response.findall(_calendar(here, user))}


def test_a_calendar_program_that_only_puts(here: Organization) -> None:
    """Nobody sends a mail: the server does (RFC 6638)."""
    _dav(here, ALICE, "PUT", "p1.ics", _object(_event("p1", who=(BOB,))))
    until(lambda: "p1" in _names(here, BOB), "the meeting in bob's calendar", SECONDS)
    path = _names(here, BOB)["p1"]
    copy = _dav(here, BOB, "GET", path).replace("\r\n ", "")
    assert "PARTSTAT=NEEDS-ACTION" in copy
    _dav(here, BOB, "PUT", path, copy.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED").encode())
    until(lambda: "PARTSTAT=ACCEPTED" in _dav(here, ALICE, "GET", "p1.ics"), "the answer in alice's calendar", SECONDS)
    _dav(here, ALICE, "DELETE", "p1.ics")
    until(lambda: "STATUS:CANCELLED" in _dav(here, BOB, "GET", path), "the cancellation", SECONDS)
    assert f"{BOB} ACCEPTED p1" in _answers(here, ALICE)


def test_a_change_and_its_letters_are_made_together(here: Organization) -> None:
    """Servers are killed while a program stores meetings. Those that are stored were told once, and no others were told."""
    names = [f"q{number}" for number in range(12)]
    for number, name in enumerate(names):
        if number % 3 == 1:
            for worker in here.workers("mailbox" if number % 2 else "client-access"):
                os.kill(worker, signal.SIGKILL)
        with contextlib.suppress(OSError):  # the program does not try again
            _dav(here, ALICE, "PUT", f"{name}.ics", _object(_event(name, who=(BOB,))))
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
        _send(here, ALICE, [BOB, HALL], "REQUEST", _event(name))
        if number % 2:
            for worker in here.workers("mailbox"):
                os.kill(worker, signal.SIGKILL)
    until(
        lambda: all(_calendar(here, BOB).count(f"UID:{name}\n") == 1 for name in names),
        "all meetings in bob's calendar",
        SECONDS,
    )
    until(lambda: len(_of(here, names)) >= len(names), "all answers", SECONDS)
    answers = _of(here, names)
    assert sorted(answer.split()[2] for answer in answers) == names, "each is answered once"
    assert sum("ACCEPTED" in answer for answer in answers) == 1, "the room is free for one of them"


def _of(here: Organization, names: list[str]) -> list[str]:
    return [answer for answer in _answers(here, ALICE) if answer.split()[2] in names]
