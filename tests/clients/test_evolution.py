"""Evolution's data server, which GNOME's calendar and contacts use, keeps them here. Another client changes them meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.clients.evolution import Evolution, started
from tests.clients.people import SECONDS, Mailbox, stored
from tests.organization import Organization

pytestmark = pytest.mark.slow
SERIES = """BEGIN:VEVENT
UID:series
DTSTART;TZID=Europe/Berlin:20270301T090000
DURATION:PT30M
RRULE:FREQ=WEEKLY;COUNT=10
SUMMARY:{summary}
{more}END:VEVENT
"""
ELSEWHERE = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//example.test//tests//EN\r
BEGIN:VEVENT\r
UID:elsewhere\r
DTSTAMP:20270101T000000Z\r
DTSTART:20270302T120000Z\r
DURATION:PT1H\r
SUMMARY:{}\r
END:VEVENT\r
END:VCALENDAR\r
"""
CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\nEMAIL:{uid}@example.test\r\nEND:VCARD\r\n"
)


@pytest.fixture(scope="module")
def owner(mailbox: Callable[[], Mailbox]) -> Mailbox:
    return mailbox()


@pytest.fixture(scope="module")
def evolution(
    organization: Organization, owner: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Evolution]:
    with started(organization, owner.address, tmp_path_factory.mktemp("evolution")) as running:
        yield running


@pytest.fixture
def other(owner: Mailbox) -> Iterator[httpx.Client]:
    """Another client of the same user."""
    with owner.dav() as client:
        yield client


def seen(look: Callable[[], dict[str, str]], holds: Callable[[str], bool]) -> dict[str, str]:
    """What is stored, as soon as all of it together is as it should be: meetings go by mail."""
    deadline = time.monotonic() + SECONDS
    while not holds("".join((contents := look()).values())):
        assert time.monotonic() < deadline, contents
        time.sleep(0.1)
    return contents


def test_who_types_the_name_of_the_server_is_offered_calendar_tasks_and_address_books(
    evolution: Evolution, owner: Mailbox
) -> None:
    sources, addresses = evolution.ask("discover")
    assert [(url.partition("/dav/")[2].replace(owner.address, "me"), name) for url, name in sources] == [
        ("addressbooks/me/contacts/", "Contacts"),
        ("addressbooks/me/global-address-list/", "Global Address List"),
        ("calendars/me/calendar/", "Calendar"),
        ("calendars/me/tasks/", "Tasks"),
    ]
    assert addresses == [owner.address]


def test_an_account_finds_its_collections_by_itself(evolution: Evolution) -> None:
    assert evolution.ask("account") == ["Calendar", "Contacts", "Global Address List", "Tasks"]


def test_appointments_go_both_ways(evolution: Evolution, other: httpx.Client, owner: Mailbox) -> None:
    calendar = f"/dav/calendars/{owner.address}/calendar/"
    assert evolution.ask("add", "calendar", calendar)
    evolution.ask("create", "calendar", SERIES.format(summary="Planning", more=""))
    ((href, content),) = stored(other, calendar).items()
    assert "SUMMARY:Planning" in content and "RRULE:FREQ=WEEKLY;COUNT=10" in content and "BEGIN:VTIMEZONE" in content

    moved = "RECURRENCE-ID;TZID=Europe/Berlin:20270315T090000\n"
    occurrence = SERIES.format(summary="Planning, in the afternoon", more=moved).replace(
        "RRULE:FREQ=WEEKLY;COUNT=10\n", ""
    )
    evolution.ask("change", "calendar", occurrence.replace("20270301T090000", "20270315T150000"), False)
    content = other.get(href).text
    assert content.count("BEGIN:VEVENT") == 2 and "DTSTART;TZID=Europe/Berlin:20270315T150000" in content
    assert content.count("UID:series") == 2 and "RECURRENCE-ID;TZID=Europe/Berlin:20270315T090000" in content

    # The other client changes what Evolution made, and adds something.
    renamed = content.replace("SUMMARY:Planning\r\n", "SUMMARY:Planning without end\r\n")
    tag = other.get(href).headers["etag"]
    assert renamed != content
    assert other.put(href, content=renamed, headers={"if-match": tag}).status_code == 204
    assert other.put(f"{calendar}elsewhere.ics", content=ELSEWHERE.format("Lunch")).status_code == 201
    evolution.ask("shows", "calendar", "Lunch", "Planning without end", "Planning, in the afternoon")

    evolution.ask("change", "calendar", "BEGIN:VEVENT" + ELSEWHERE.format("Dinner").partition("BEGIN:VEVENT")[2])
    assert "SUMMARY:Dinner" in other.get(f"{calendar}elsewhere.ics").text
    assert other.delete(href).status_code == 204
    evolution.ask("shows", "calendar", "Dinner")
    evolution.ask("remove", "calendar", "elsewhere")
    assert stored(other, calendar) == {}


def test_whom_evolution_invites_has_the_meeting_and_its_answer_comes_back(
    evolution: Evolution, owner: Mailbox, mailbox: Callable[[], Mailbox]
) -> None:
    guest = mailbox()
    calendar, theirs = (f"/dav/calendars/{each.address}/calendar/" for each in (owner, guest))
    meeting = (
        "BEGIN:VEVENT\nUID:meeting\nDTSTART:20270401T120000Z\nDURATION:PT1H\nSUMMARY:Meeting\n"
        f"ORGANIZER:mailto:{owner.address}\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{owner.address}\n"
        f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{guest.address}\nEND:VEVENT\n"
    )
    assert evolution.ask("add", "calendar", calendar)
    evolution.ask("create", "calendar", meeting)
    with guest.dav() as client, owner.dav() as other:
        ((href, invitation),) = seen(lambda: stored(client, theirs), bool).items()
        assert "SUMMARY:Meeting" in invitation and "PARTSTAT=NEEDS-ACTION" in invitation
        accepted = invitation.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
        assert client.put(href, content=accepted).status_code in (200, 204)
        seen(lambda: stored(other, calendar), lambda text: text.count("PARTSTAT=ACCEPTED") == 2)
        evolution.ask("shows", "calendar", "Meeting")
        evolution.ask("remove", "calendar", "meeting")
        seen(lambda: stored(client, theirs), lambda text: not text or "STATUS:CANCELLED" in text)


def test_tasks_are_kept(evolution: Evolution, other: httpx.Client, owner: Mailbox) -> None:
    tasks = f"/dav/calendars/{owner.address}/tasks/"
    assert evolution.ask("add", "tasks", tasks)
    task = "BEGIN:VTODO\nUID:task\nDUE;VALUE=DATE:20270301\nSUMMARY:Write\nEND:VTODO\n"
    evolution.ask("create", "tasks", task)
    evolution.ask("change", "tasks", task.replace("SUMMARY", "STATUS:COMPLETED\nPERCENT-COMPLETE:100\nSUMMARY"))
    (content,) = stored(other, tasks).values()
    assert "STATUS:COMPLETED" in content and "DUE;VALUE=DATE:20270301" in content


def test_contacts_go_both_ways(evolution: Evolution, other: httpx.Client, owner: Mailbox) -> None:
    contacts = f"/dav/addressbooks/{owner.address}/contacts/"
    assert evolution.ask("add", "contacts", contacts)
    uid = evolution.ask("create", "contacts", CARD.format(uid="bo", name="Bo Bobson"))
    ((href, content),) = stored(other, contacts).items()
    assert "FN:Bo Bobson" in content and f"UID:{uid}" in content
    assert other.put(f"{contacts}ko.vcf", content=CARD.format(uid="ko", name="김영희")).status_code == 201
    assert other.put(href, content=content.replace("FN:Bo Bobson", "FN:Bo the Second")).status_code == 204
    evolution.ask("shows", "contacts", "Bo the Second", "김영희")
    evolution.ask("change", "contacts", CARD.format(uid=uid, name="Bo the Third"))
    assert "FN:Bo the Third" in other.get(href).text
    assert other.delete(f"{contacts}ko.vcf").status_code == 204
    evolution.ask("shows", "contacts", "Bo the Third")
    evolution.ask("remove", "contacts", uid)
    assert stored(other, contacts) == {}


def test_colleagues_are_in_the_directory(evolution: Evolution, other: httpx.Client, owner: Mailbox) -> None:
    directory = f"/dav/addressbooks/{owner.address}/global-address-list/"
    evolution.ask("add", "directory", directory, True)
    names = sorted(content.partition("FN:")[2].partition("\r\n")[0] for content in stored(other, directory).values())
    assert len(names) > 1
    evolution.ask("shows", "directory", *names)
    name = owner.address.partition("@")[0]
    assert f"{name} <{owner.address}>" in evolution.ask("completes", name[:4])
