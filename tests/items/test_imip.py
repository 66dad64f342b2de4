"""Meetings in mails (RFC 6047)."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.items import calendar_object
from postern.items.imip import MAX_OCCURRENCES, Letter, described, invitation_in, mail
from tests.items.calendars import event, octets, read

LETTER = Letter("anna@x.test", ("kim@y.test", "안나@z.test"), "", "1.2.3@x.test", 1_767_225_600)
MEETING = event(
    "DTSTART;TZID=Asia/Seoul:20260105T100000", "DURATION:PT90M", "SUMMARY:회의", "LOCATION:방 1", "DESCRIPTION:a\\nb"
)
TEXT = octets("METHOD:REQUEST", *MEETING)


def _part(body: bytes, *fields: str) -> bytes:
    return "\r\n".join([*fields, "", ""]).encode() + body


def test_a_mail_of_ours_is_read_by_others_and_by_us() -> None:
    message = read("METHOD:REQUEST", *MEETING)
    made = mail(LETTER, message)
    theirs = email.message_from_bytes(made, policy=email.policy.default)
    assert theirs["Subject"] == "회의" and theirs["From"] == "anna@x.test"
    text, calendar = theirs.iter_parts()
    assert text.get_content().splitlines() == [
        "회의",
        "2026-01-05 10:00 – 2026-01-05 11:30 (Asia/Seoul)",
        "방 1",
        "",
        "a",
        "b",
    ]
    assert calendar.get_content_type() == "text/calendar" and calendar.get_param("method") == "REQUEST"
    assert calendar.get_payload(decode=True) == message.root.octets()
    ours = invitation_in(made)
    assert ours is not None and ours.method == "REQUEST" and ours.root.octets() == message.root.octets()


def test_lines_that_a_client_stored_with_lf_alone_end_with_crlf_in_the_mail() -> None:
    message = calendar_object.read(TEXT.replace(b"\r\n", b"\n"))
    assert isinstance(message, calendar_object.CalendarObject)
    theirs = email.message_from_bytes(mail(LETTER, message), policy=email.policy.default)
    text, calendar = (part.get_payload(decode=True) for part in theirs.iter_parts())
    assert calendar == TEXT
    assert text.count(b"\n") == text.count(b"\r\n") > 1


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (("Content-Type: text/calendar; method=REQUEST",), TEXT),
        (("Content-Type: text/calendar; method=request; charset=utf-8",), TEXT),
        (("Content-Type: text/calendar",), TEXT),
        (("Content-Type: application/ics",), TEXT),
        (("Content-Type: text/calendar; charset=euc-kr",), TEXT.decode().encode("euc-kr")),
        (
            ("Content-Type: text/calendar", "Content-Transfer-Encoding: base64"),
            email.base64mime.body_encode(TEXT).encode(),
        ),
        (
            ("Content-Type: multipart/mixed; boundary=b",),
            b"--b\r\n\r\nhello\r\n--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
            b"--c\r\nContent-Type: text/html\r\n\r\nx\r\n--c\r\nContent-Type: text/calendar\r\n\r\n"
            + TEXT
            + b"\r\n--c--",
        ),
    ],
)
def test_invitations_of_others(fields: tuple[str, ...], body: bytes) -> None:
    found = invitation_in(_part(body, *fields))
    assert found is not None and found.main.value("SUMMARY") == "회의"


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (("Content-Type: text/plain",), TEXT),
        (("Content-Type: text/calendar; method=CANCEL",), TEXT),
        (("Content-Type: text/calendar",), octets(*MEETING)),
        (("Content-Type: text/calendar",), octets("METHOD:SOMETHING", *MEETING)),
        (("Content-Type: text/calendar",), b"nothing"),
        (("Content-Type: message/rfc822",), _part(TEXT, "Content-Type: text/calendar")),
    ],
)
def test_what_is_no_invitation(fields: tuple[str, ...], body: bytes) -> None:
    assert invitation_in(_part(body, *fields)) is None


@pytest.mark.parametrize(
    ("lines", "when"),
    [
        (["DTSTART;VALUE=DATE:20260105"], "2026-01-05"),
        (["DTSTART;VALUE=DATE:20260105", "DURATION:P3D"], "2026-01-05 – 2026-01-07"),
        (["DTSTART:20260105T100000Z"], "2026-01-05 10:00 (UTC)"),
        (["DTSTART:99991231T100000", "DURATION:P9D"], "9999-12-31 10:00"),
    ],
)
def test_when_it_is(lines: list[str], when: str) -> None:
    assert described(read(*event(*lines))) == when + "\n"


SERIES = event(
    "DTSTART;TZID=Asia/Seoul:20260105T100000", "DURATION:PT1H", "RRULE:FREQ=DAILY", "SUMMARY:A", "LOCATION:B"
)


def _exception(original: str, *lines: str) -> list[str]:
    return event(f"RECURRENCE-ID{original}", *lines)


@pytest.mark.parametrize(
    ("original", "lines", "told"),
    [
        (
            ";TZID=Asia/Seoul:20260107T100000",
            ("DTSTART;TZID=Asia/Seoul:20260108T140000", "DURATION:PT1H", "SUMMARY:A", "LOCATION:C\\nD"),
            "Instead of 2026-01-07 10:00 (Asia/Seoul): 2026-01-08 14:00 – 2026-01-08 15:00 (Asia/Seoul), C D",
        ),
        (
            ":20260107T010000Z",
            ("DTSTART;TZID=Asia/Seoul:20260108T140000", "SUMMARY:Other", "LOCATION:B"),
            "Instead of 2026-01-07 10:00 (Asia/Seoul): 2026-01-08 14:00 (Asia/Seoul), Other",
        ),
        (
            ":20260107T010000Z",
            ("DTSTART;TZID=Asia/Seoul:20260107T100000", "SUMMARY:A", "LOCATION:C"),
            "2026-01-07 10:00 (Asia/Seoul), C",
        ),
        (
            ":20260107T010000Z",
            ("DTSTART:20260107T010000Z", "SUMMARY:A", "LOCATION:B", "STATUS:CANCELLED"),
            "2026-01-07 01:00 (UTC), canceled",
        ),
        (
            ";RANGE=THISANDFUTURE:20260107T010000Z",
            ("DTSTART:20260107T020000Z", "SUMMARY:A", "LOCATION:B"),
            "From then on: Instead of 2026-01-07 01:00 (UTC): 2026-01-07 02:00 (UTC)",
        ),
    ],
)
def test_the_text_says_which_occurrences_differ(original: str, lines: tuple[str, ...], told: str) -> None:
    text = described(read("METHOD:REQUEST", *SERIES, *_exception(original, *lines)))
    start = ["A", "2026-01-05 10:00 – 2026-01-05 11:00 (Asia/Seoul)", "B", "", "These occurrences differ:"]
    assert text.splitlines() == [*start, told]


def test_days_that_moved() -> None:
    moved = _exception(";VALUE=DATE:20260107", "DTSTART;VALUE=DATE:20260109", "SUMMARY:A")
    text = described(
        read("METHOD:REQUEST", *event("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=DAILY", "SUMMARY:A"), *moved)
    )
    assert text.splitlines()[-1] == "Instead of 2026-01-07: 2026-01-09"


def test_the_text_tells_some_occurrences_and_counts_the_others() -> None:
    hours = [_exception(f":202601{day:02d}T010000Z", f"DTSTART:202601{day:02d}T030000Z") for day in range(6, 31)]
    exceptions = [line for lines in reversed(hours) for line in lines]
    lines = described(read("METHOD:REQUEST", *SERIES, *exceptions)).splitlines()
    told = [line for line in lines if line.startswith("Instead of")]
    assert len(told) == MAX_OCCURRENCES < len(hours) and told == sorted(told) and "2026-01-30" in told[-1]
    assert f"({len(hours) - MAX_OCCURRENCES} earlier ones are left out)" in lines
    alone = described(read("METHOD:CANCEL", *hours[0], *hours[1]))
    assert alone.splitlines()[-2:] == ["And these:", "Instead of 2026-01-07 01:00 (UTC): 2026-01-07 03:00 (UTC)"]


@given(st.text(max_size=80), st.text(max_size=40), st.text(max_size=30))
def test_no_text_makes_another_field(subject: str, address: str, name: str) -> None:
    letter = Letter(address, (address, "b@x.test"), subject, f"{name}1", 0)
    made = mail(letter, read("METHOD:REQUEST", *MEETING))
    names = [
        line.partition(b":")[0] for line in made.partition(b"\r\n\r\n")[0].split(b"\r\n") if not line.startswith(b" ")
    ]
    assert names == [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"MIME-Version", b"Content-Type"]
    assert invitation_in(made) is not None
