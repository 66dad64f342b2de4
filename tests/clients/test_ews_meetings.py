"""exchangelib makes a series of meetings across three time zones, and another user answers it, at the real organization; a client
of CalDAV sees the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import caldav
import pytest
from exchangelib import Account, CalendarItem, EWSDate, EWSDateTime, EWSTimeZone
from exchangelib.items import (
    SEND_ONLY_TO_ALL,
    SEND_TO_ALL_AND_SAVE_COPY,
    MeetingCancellation,
    MeetingRequest,
    MeetingResponse,
)
from exchangelib.recurrence import Recurrence, WeeklyPattern

from tests.clients.people import HOST, Mailbox
from tests.journeys.traveller import until
from tests.organization import PASSWORD
from tests.services.ews.exchange import account_at

pytestmark = pytest.mark.slow
BERLIN, SEOUL, NEW_YORK = (EWSTimeZone(name) for name in ("Europe/Berlin", "Asia/Seoul", "America/New_York"))


def opened(mailbox: Mailbox) -> Account:
    organization = mailbox.organization
    url = f"https://localhost:{organization.port(443)}/EWS/Exchange.asmx"
    account = account_at(url, organization.authority, mailbox.address, password=PASSWORD)
    account.default_timezone = BERLIN
    return account


def at(zone: EWSTimeZone, *numbers: int) -> EWSDateTime:
    return EWSDateTime(*numbers, tzinfo=zone)


def starts(account: Account) -> list[tuple[int, int]]:
    """Day and hour in Berlin of what is in a calendar."""
    view = account.calendar.view(start=at(BERLIN, 2031, 10, 1), end=at(BERLIN, 2031, 12, 31)).only("start")
    return [(each.day, each.hour) for each in (item.start.astimezone(ZoneInfo("Europe/Berlin")) for item in view)]


def message(account: Account, kind: type) -> object:
    """The one message of a kind in an inbox, once it is there."""
    return until(lambda: next((each for each in account.inbox.all() if type(each) is kind), None), kind.__name__)


def test_a_series_is_made_answered_changed_and_cancelled(mailbox: Callable[[], Mailbox]) -> None:
    hosts, guests = mailbox(), mailbox()
    host, guest = opened(hosts), opened(guests)
    meeting = CalendarItem(
        account=host,
        folder=host.calendar,
        subject="Standup",
        body="Every week",
        start=at(NEW_YORK, 2031, 10, 21, 9),
        end=at(NEW_YORK, 2031, 10, 21, 10),
        required_attendees=[guests.address],
        recurrence=Recurrence(
            pattern=WeeklyPattern(interval=1, weekdays=["Tuesday"]), start=EWSDate(2031, 10, 21), number=6
        ),
    )
    meeting.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    request = message(guest, MeetingRequest)
    assert isinstance(request, MeetingRequest) and request.subject == "Standup"
    until(lambda: len(starts(guest)) == 6, "the attendant applies the request")

    def theirs() -> CalendarItem:
        return guest.calendar.all().only("subject", "my_response_type", "is_cancelled", "modified_occurrences").get()

    assert theirs().my_response_type == "NoResponseReceived"
    request.accept(body="With pleasure")
    assert theirs().my_response_type == "Accept"
    answer = message(host, MeetingResponse)
    assert isinstance(answer, MeetingResponse) and answer.response_type == "Accept"

    def answers() -> list[str]:
        item = host.calendar.all().only("required_attendees").get()
        return [each.response_type for each in item.required_attendees]

    until(lambda: answers() == ["Accept"], "the organizer's copy knows the answer")
    # One occurrence is moved to a morning in Seoul, and another one is taken out.
    master = host.calendar.all().only("subject", "changekey").get()
    third = master.occurrence(index=3)
    third.refresh()
    third.start, third.end = at(SEOUL, 2031, 11, 5, 8), at(SEOUL, 2031, 11, 5, 9)
    third._start_timezone = third._end_timezone = SEOUL
    third.save(update_fields=["end", "start"], send_meeting_invitations=SEND_ONLY_TO_ALL)
    fifth = master.occurrence(index=5)
    fifth.refresh()
    fifth.delete(send_meeting_cancellations=SEND_TO_ALL_AND_SAVE_COPY)
    # Berlin leaves summer time a week before New York.
    expected = [(21, 15), (28, 14), (5, 0), (11, 15), (25, 15)]
    assert starts(host) == expected
    until(lambda: starts(guest) == expected, "the guest's copy follows")
    # A client of CalDAV sees the same series.
    url = f"https://{HOST}:{guests.organization.port(443)}/dav/"
    authority = str(guests.organization.authority)
    with caldav.DAVClient(url, username=guests.address, password=PASSWORD, ssl_verify_cert=authority) as client:
        calendar = client.principal().calendar(cal_url=f"{url}calendars/{guests.address}/calendar/")
        (event,) = calendar.events()
        assert "TZID=America/New_York" in event.data and "TZID=Asia/Seoul" in event.data and "EXDATE" in event.data
    host.calendar.all().only("subject", "changekey").get().cancel(new_body="Sorry")
    assert isinstance(message(guest, MeetingCancellation), MeetingCancellation)
    until(lambda: theirs().is_cancelled, "the guest's copy is cancelled")
    assert starts(host) == [] and host.trash.all().count() == 1


def test_a_refusal_reaches_the_organizer(mailbox: Callable[[], Mailbox]) -> None:
    hosts, guests = mailbox(), mailbox()
    host, guest = opened(hosts), opened(guests)
    meeting = CalendarItem(
        account=host,
        folder=host.calendar,
        subject="Lunch",
        start=at(BERLIN, 2031, 10, 21, 12),
        end=at(BERLIN, 2031, 10, 21, 13),
        required_attendees=[guests.address],
    )
    meeting.save(send_meeting_invitations=SEND_ONLY_TO_ALL)
    request = message(guest, MeetingRequest)
    assert isinstance(request, MeetingRequest)
    until(lambda: len(starts(guest)) == 1, "the attendant applies the request")
    request.decline()
    assert starts(guest) == []
    answer = message(host, MeetingResponse)
    assert isinstance(answer, MeetingResponse) and answer.response_type == "Decline"
    meeting.refresh()
    until(
        lambda: meeting.refresh() or [each.response_type for each in meeting.required_attendees] == ["Decline"],
        "the organizer's copy knows the answer",
    )


def test_a_room_is_booked_once(mailbox: Callable[[], Mailbox]) -> None:
    hosts = mailbox()
    host = opened(hosts)
    hosts.organization.command("user", "add", "parlour", "--room")
    room = "parlour@example.test"
    # Rooms take requests for half a year.
    noon = EWSDateTime.now(BERLIN).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=7)

    def booked(subject: str) -> CalendarItem:
        meeting = CalendarItem(
            account=host,
            folder=host.calendar,
            subject=subject,
            start=noon,
            end=noon + timedelta(hours=1),
            resources=[room],
        )
        meeting.save(send_meeting_invitations=SEND_ONLY_TO_ALL)
        return meeting

    def answer(meeting: CalendarItem) -> str:
        meeting.refresh()
        (attendee,) = meeting.resources
        return str(attendee.response_type) if attendee.response_type != "NoResponseReceived" else ""

    first = booked("First")
    assert until(lambda: answer(first), "the room answers") == "Accept"
    second = booked("Second")
    assert until(lambda: answer(second), "the room answers") == "Decline"
    first.refresh()
    assert first.conflicting_meeting_count == 1
