"""Rights in another's mailbox through a whole organization: granted on the command line, judged over DAV, and taken back while
the servers run; and a room that is booked as its settings say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests import organization
from tests.journeys.imip_peer import context
from tests.journeys.traveller import until
from tests.organization import PASSWORD, Organization

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]
ALICE, BOB, HALL = "alice@example.test", "bob@example.test", "hall@example.test"
CALENDAR = f"/dav/calendars/{ALICE}/calendar/"
MOUNTED = f"/dav/calendars/{BOB}/~{ALICE}~calendar/"
START = datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)
SECONDS = 30.0


@pytest.fixture(scope="module")
def here() -> Iterator[Organization]:
    with organization.with_users("alice", "bob") as made:
        made.command("group", "add", "team", "--member", "bob")
        made.command("room", "create", "hall", "--bookers", "alice", "--longest-minutes", "60")
        yield made


def _client(here: Organization, user: str) -> httpx.Client:
    url = f"https://127.0.0.1:{here.port(443)}"
    return httpx.Client(base_url=url, auth=(user, PASSWORD), verify=context(here), timeout=30)


def _event(uid: str, minutes: int = 60, *more: str) -> bytes:
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example.test//tests//EN", "BEGIN:VEVENT", f"UID:{uid}"),
        *(f"DTSTAMP:{START:%Y%m%dT%H%M%SZ}", f"DTSTART:{START:%Y%m%dT%H%M%SZ}", f"DURATION:PT{minutes}M"),
        *(f"SUMMARY:Talk {uid}", *more, "END:VEVENT", "END:VCALENDAR"),
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


def test_rights_come_and_go_while_the_servers_run(here: Organization) -> None:
    with _client(here, ALICE) as alice, _client(here, BOB) as bob:
        assert alice.put(f"{CALENDAR}a.ics", content=_event("a")).status_code == 201
        assert alice.put(f"{CALENDAR}p.ics", content=_event("p", 60, "CLASS:PRIVATE")).status_code == 201
        assert bob.get(f"{CALENDAR}a.ics").status_code == 404
        here.command("mailbox", "grant", "alice", "team", "--rights", "reviewer")
        until(lambda: bob.get(f"{MOUNTED}a.ics").status_code == 200, "the change is known", SECONDS)
        listed = bob.request("PROPFIND", f"/dav/calendars/{BOB}/", headers={"depth": "1"}).text
        assert MOUNTED in listed
        assert bob.get(f"{MOUNTED}p.ics").status_code == 404
        assert bob.put(f"{MOUNTED}b.ics", content=_event("b")).status_code == 403
        # The user's own entry counts before those of the group.
        here.command("mailbox", "grant", "alice", "bob", "--rights", "editor")
        until(
            lambda: bob.put(f"{MOUNTED}b.ics", content=_event("b")).status_code in (201, 204),
            "the change is known",
            SECONDS,
        )
        assert b"Talk b" in alice.get(f"{CALENDAR}b.ics").content
        rights = json.loads(here.command("mailbox", "rights", "alice", "--json").stdout)
        assert [grant["role"] for grant in rights["folders"][0]["grants"]] == ["editor", "reviewer"]
        here.command("mailbox", "grant", "alice", "bob", "--rights", "none")
        until(lambda: bob.get(f"{MOUNTED}a.ics").status_code == 404, "the change is known", SECONDS)
        here.command("mailbox", "grant", "alice", "bob", "--full-access")
        until(lambda: bob.get(f"{CALENDAR}p.ics").status_code == 200, "the change is known", SECONDS)
        here.command("mailbox", "revoke", "alice", "bob", "--full-access")
        until(lambda: bob.get(f"{CALENDAR}p.ics").status_code == 404, "the change is known", SECONDS)


def test_a_room_is_booked_as_its_settings_say(here: Organization) -> None:
    """Alice, who may book it, gets the hall for an hour, and for no more; her calendar learns it from the room's answers."""
    guests = (f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{HALL}")
    with _client(here, ALICE) as alice:

        def answer(uid: str) -> str:
            text = alice.get(f"{CALENDAR}{uid}.ics").text.replace("\r\n ", "")
            return next((part for part in ("ACCEPTED", "DECLINED") if f"PARTSTAT={part}" in text), "")

        assert alice.put(f"{CALENDAR}long.ics", content=_event("long", 90, *guests)).status_code == 201
        until(lambda: answer("long") == "DECLINED", "the change is known", SECONDS)
        assert alice.put(f"{CALENDAR}short.ics", content=_event("short", 60, *guests)).status_code == 201
        until(lambda: answer("short") == "ACCEPTED", "the change is known", SECONDS)
