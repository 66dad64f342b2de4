"""Asks when people are busy: `python -m bench.availability_load PORT USER:PASSWORD WORK PEOPLE [PID ...]`.

WORK is `fill` (the user's own calendar gets its appointments), `merged`, `detailed` or `suggestions` (GetUserAvailability of all
people for a week), or `outbox` (the same question by CalDAV). The PIDs are the server's first processes. Prints one JSON object,
with the processor time of the server and its children.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import sys
import time
from datetime import datetime, timedelta

from bench import accounting
from bench.dav_load import rounds

ALICE = "alice@example.test"
APPOINTMENTS = 200
MONDAY = datetime(2031, 3, 3)
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"


def people(count: int) -> list[str]:
    return [f"person{number}@example.test" for number in range(count)]


def appointment(number: int) -> bytes:
    """An appointment in the weeks around the one that is asked for; each tenth is a weekly series since long before."""
    start = MONDAY + timedelta(days=number % 70 - 35, hours=8 + number % 9)
    rule = ""
    if number % 10 == 0:
        start -= timedelta(weeks=20)
        rule = "RRULE:FREQ=WEEKLY\r\n"
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:bench\r\nBEGIN:VEVENT\r\nUID:bench-{number}\r\n"
        f"DTSTAMP:20260101T000000Z\r\nDTSTART:{start:%Y%m%dT%H%M%S}Z\r\nDURATION:PT1H\r\n{rule}SUMMARY:Appointment {number}\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def question(work: str, count: int) -> bytes:
    mailboxes = "".join(
        f"<t:MailboxData><t:Email><t:Address>{each}</t:Address></t:Email></t:MailboxData>" for each in people(count)
    )
    end = MONDAY + timedelta(days=7)
    span = f"<t:StartTime>{MONDAY.isoformat()}</t:StartTime><t:EndTime>{end.isoformat()}</t:EndTime>"
    if work == "suggestions":
        options = f"<t:DetailedSuggestionsWindow>{span}</t:DetailedSuggestionsWindow>"
        options = f"<t:SuggestionsViewOptions>{options}</t:SuggestionsViewOptions>"
    else:
        view = "MergedOnly" if work == "merged" else "DetailedMerged"
        options = f"<t:TimeWindow>{span}</t:TimeWindow><t:RequestedView>{view}</t:RequestedView>"
        options = f"<t:FreeBusyViewOptions>{options}</t:FreeBusyViewOptions>"
    return (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}"><s:Body>'
        f"<m:GetUserAvailabilityRequest><t:TimeZone><t:Bias>0</t:Bias></t:TimeZone><m:MailboxDataArray>{mailboxes}"
        f"</m:MailboxDataArray>{options}</m:GetUserAvailabilityRequest></s:Body></s:Envelope>"
    ).encode()


def free_busy_request(count: int) -> bytes:
    attendees = "".join(f"ATTENDEE:mailto:{each}\r\n" for each in people(count))
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:bench\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:question\r\n"
        f"DTSTAMP:20260101T000000Z\r\nDTSTART:{MONDAY:%Y%m%dT%H%M%S}Z\r\nDTEND:{MONDAY + timedelta(days=7):%Y%m%dT%H%M%S}Z\r\n"
        f"ORGANIZER:mailto:{ALICE}\r\n{attendees}END:VFREEBUSY\r\nEND:VCALENDAR\r\n"
    ).encode()


def main() -> None:
    port, credentials, work, count, *roots = sys.argv[1:]
    pids = [int(pid) for pid in roots]
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=tls)
    proof = f"Basic {base64.b64encode(credentials.encode()).decode()}"

    def ask(method: str, path: str, body: bytes, kind: str) -> bytes:
        connection.request(method, path, body, {"Authorization": proof, "Content-Type": kind})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status not in (200, 201) or b'ResponseClass="Error"' in data:
            raise RuntimeError(f"{answer.status} {data[:600]!r}")
        return data

    user = credentials.partition(":")[0]
    if work == "fill":
        for number in range(APPOINTMENTS):
            path = f"/dav/calendars/{user}/calendar/bench-{number}.ics"
            ask("PUT", path, appointment(number), "text/calendar")
        print(json.dumps({"operations": APPOINTMENTS, "seconds": 1.0}))
        return
    if work == "outbox":
        request = ("POST", f"/dav/calendars/{user}/outbox/", free_busy_request(int(count)), "text/calendar")
        told = b"<C:calendar-data>"
    else:
        request = ("POST", "/EWS/Exchange.asmx", question(work, int(count)), "text/xml; charset=utf-8")
        told = b"<t:SuggestionDayResult>" if work == "suggestions" else b"<t:MergedFreeBusy>"
    assert ask(*request).count(told) == (7 if work == "suggestions" else int(count))
    used = accounting.cpu_seconds(pids)
    began = time.monotonic()
    operations = rounds(lambda: ask(*request), 1)
    seconds = time.monotonic() - began
    print(json.dumps({"operations": operations, "seconds": seconds, "cpu": accounting.cpu_seconds(pids) - used}))


if __name__ == "__main__":
    main()
