"""vdirsyncer copies calendars and address books in both directions, a thousand of each; khal reads and writes such a copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.people import Mailbox, hrefs, private, stored, succeeded
from tests.organization import PASSWORD

pytestmark = pytest.mark.slow
MANY = 1_000
VDIRSYNCER = """
[general]
status_path = "{folder}/status/"

[pair calendars]
a = "calendars_here"
b = "calendars_there"
collections = ["from b"]
metadata = ["displayname"]
conflict_resolution = "b wins"

[storage calendars_here]
type = "filesystem"
path = "{folder}/calendars/"
fileext = ".ics"

[storage calendars_there]
type = "caldav"
{there}

[pair contacts]
a = "contacts_here"
b = "contacts_there"
collections = ["from b"]

[storage contacts_here]
type = "filesystem"
path = "{folder}/contacts/"
fileext = ".vcf"

[storage contacts_there]
type = "carddav"
{there}
"""
KHAL = """
[calendars]
[[mine]]
path = {folder}/calendars/calendar
type = calendar
[locale]
local_timezone = Asia/Seoul
default_timezone = Asia/Seoul
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
[default]
default_calendar = mine
"""
EVENT = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//example.test//tests//EN\r
BEGIN:VEVENT\r
UID:event-{number}\r
DTSTAMP:20270101T000000Z\r
DTSTART:2027{month:02}{day:02}T120000Z\r
DURATION:PT1H\r
SUMMARY:Appointment {number}\r
END:VEVENT\r
END:VCALENDAR\r
"""
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:card-{number}\r\nFN:Bo {number}\r\nN:{number};Bo;;;\r\nEND:VCARD\r\n"


def event(number: int) -> str:
    return EVENT.format(number=number, month=number % 12 + 1, day=number % 28 + 1)


def test_a_thousand_appointments_and_a_thousand_contacts_go_both_ways(
    mailbox: Callable[[], Mailbox], tmp_path: Path
) -> None:
    owner = mailbox()
    url = f"https://localhost:{owner.organization.port(443)}/"
    there = f'url = "{url}"\nusername = "{owner.address}"\npassword = "{PASSWORD}"\nverify = "{owner.organization.authority}"'
    settings = private(tmp_path / "settings", VDIRSYNCER.format(folder=tmp_path, there=there))

    def vdirsyncer(*words: str, answers: bytes = b"") -> str:
        return succeeded("vdirsyncer", "--config", settings, *words, data=answers, folder=tmp_path, seconds=180)

    vdirsyncer("discover", answers=b"y\n" * 9)
    calendar, contacts = tmp_path / "calendars" / "calendar", tmp_path / "contacts" / "contacts"
    home, book = (f"/dav/{what}/{owner.address}" for what in ("calendars", "addressbooks"))
    assert calendar.is_dir() and contacts.is_dir() and (tmp_path / "calendars" / "tasks").is_dir()
    for number in range(MANY):
        (calendar / f"{number}.ics").write_text(event(number), newline="")
        (contacts / f"{number}.vcf").write_text(CARD.format(number=number), newline="")
    vdirsyncer("sync")
    with owner.dav() as other:
        events, cards = hrefs(other, f"{home}/calendar/"), hrefs(other, f"{book}/contacts/")
        assert len(events) == len(cards) == MANY
        # Changes on both sides; each reaches the other.
        for number in range(10):
            assert other.delete(events[number]).status_code == 204
            changed = other.get(events[-1 - number]).text.replace("SUMMARY:", "SUMMARY:Changed ")
            assert other.put(events[-1 - number], content=changed).status_code == 204
            assert (
                other.put(f"{book}/contacts/new-{number}.vcf", content=CARD.format(number=MANY + number)).status_code
                == 201
            )
            (contacts / f"{number}.vcf").unlink()
        vdirsyncer("sync")
        assert len(list(calendar.iterdir())) == MANY - 10 and len(list(contacts.iterdir())) == MANY
        assert sum("SUMMARY:Changed" in file.read_text() for file in calendar.iterdir()) == 10
        assert len(hrefs(other, f"{book}/contacts/")) == MANY
        assert "error" not in vdirsyncer("sync").lower(), "nothing is left to do"

        # khal shows what has come, and what it makes goes back.
        (tmp_path / ".config").mkdir()
        private(tmp_path / "khal", KHAL.format(folder=tmp_path))
        assert "Appointment" in khal(tmp_path, "list", "2027-06-01", "30d")
        khal(tmp_path, "new", "2027-08-01", "09:00", "10:00", "Breakfast", "::", "in Seoul")
        vdirsyncer("sync")
        (made,) = [text for text in stored(other, f"{home}/calendar/").values() if "Breakfast" in text]
        assert "DTSTART;TZID=Asia/Seoul" in made and ":20270801T090000\r\n" in made


def khal(folder: Path, *words: str) -> str:
    return succeeded("khal", "-c", folder / "khal", *words, folder=folder)
