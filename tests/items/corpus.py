"""Calendars and cards with the defects that real programs make, written for these tests, each with what is expected of it.

`Calendar.starts` are the starts of the first occurrences, in UTC; `refused` is the precondition for which a DAV client is turned
away ("" where the object is stored).
"""

from __future__ import annotations

from typing import NamedTuple

from tests.items.calendars import event, octets, todo


class Calendar(NamedTuple):
    name: str
    octets: bytes
    starts: tuple[str, ...]
    summary: str = "x"
    refused: str = ""
    defects: tuple[str, ...] = ()


class Card(NamedTuple):
    name: str
    octets: bytes
    shown: str
    emails: tuple[str, ...] = ()
    refused: str = ""


def _event(*lines: str, before: tuple[str, ...] = ()) -> bytes:
    summary = () if any(line.startswith("SUMMARY") for line in lines) else ("SUMMARY:x",)
    return octets(*before, *event(*lines, *summary))


ZONE = (
    "BEGIN:VTIMEZONE",
    "TZID:(UTC+09:00) Seoul",
    "BEGIN:STANDARD",
    "DTSTART:16010101T000000",
    "TZOFFSETFROM:+0900",
    "TZOFFSETTO:+0900",
    "END:STANDARD",
    "END:VTIMEZONE",
)
NOON = "DTSTART:20260105T120000Z"
AT_NOON = ("20260105T1200",)
LF = ("lines end with LF",)

CALENDARS = [
    Calendar("a time that says it is a date", _event("DTSTART;VALUE=DATE:20260105T120000Z"), AT_NOON),
    Calendar("a date that does not say so", _event("DTSTART:20260105"), ("20260105T0000",)),
    Calendar("a date with the zone of a time", _event("DTSTART;TZID=Asia/Seoul:20260105"), ("20260105T0000",)),
    Calendar("an end that is a date", _event(NOON, "DTEND;VALUE=DATE:20260106"), AT_NOON),
    Calendar(
        "no UID",
        octets("BEGIN:VEVENT", NOON, "SUMMARY:x", "END:VEVENT"),
        AT_NOON,
        refused="valid-calendar-object-resource",
    ),
    Calendar(
        "an empty UID", octets(*event(NOON, "SUMMARY:x", uid="")), AT_NOON, refused="valid-calendar-object-resource"
    ),
    Calendar(
        "a folded line that goes on without a blank",
        _event(NOON, "DESCRIPTION:one\r\ntwo", "SUMMARY:x"),
        AT_NOON,
        defects=("no colon",),
    ),
    Calendar("a name that is folded", _event("DTSTA\r\n RT:20260105T120000Z"), AT_NOON),
    Calendar(
        "a character that is folded", _event(NOON, "SUMMARY:x").replace(b":x", b":\xec\x95\r\n \x88"), AT_NOON, "안"
    ),
    Calendar("bare LF", _event(NOON).replace(b"\r\n", b"\n"), AT_NOON, defects=LF),
    Calendar("some bare LF", _event(NOON).replace(b"\r\n", b"\n", 3), AT_NOON, defects=LF),
    Calendar("bare CR", _event(NOON).replace(b"\r\n", b"\r"), AT_NOON, defects=("lines end with CR",)),
    Calendar("CR CR LF", _event(NOON).replace(b"\r\n", b"\r\r\n"), AT_NOON),
    Calendar("a byte order mark", b"\xef\xbb\xbf" + _event(NOON), AT_NOON, defects=("byte order mark",)),
    Calendar("blank lines", _event(NOON).replace(b"UID", b"\r\n\r\nUID"), AT_NOON),
    Calendar("no line end at the end", _event(NOON).rstrip(), AT_NOON),
    Calendar("no END", _event(NOON).rpartition(b"END:VCAL")[0], AT_NOON, defects=("no END:VCALENDAR",)),
    Calendar("lower case", _event(NOON).lower(), AT_NOON),
    Calendar("EUC-KR", _event(NOON, "SUMMARY:@").replace(b"@", "회의".encode("euc-kr")), AT_NOON, "회의"),
    Calendar(
        "Latin-1",
        _event(NOON, "SUMMARY:@").replace(b"@", "Größe: 5 £, déjà".encode("latin-1")),
        AT_NOON,
        "Größe: 5 £, déjà",
    ),
    Calendar("control characters", _event(NOON, "SUMMARY:a\0\x07b\x1b[31m"), AT_NOON, "ab[31m"),
    Calendar("a zone that nobody describes", _event("DTSTART;TZID=Elsewhere:20260105T120000"), AT_NOON),
    Calendar("a known zone without VTIMEZONE", _event("DTSTART;TZID=Asia/Seoul:20260105T210000"), AT_NOON),
    Calendar("Windows' name of a zone", _event("DTSTART;TZID=Korea Standard Time:20260105T210000"), AT_NOON),
    Calendar("a quoted name of a zone", _event('DTSTART;TZID="Asia/Seoul":20260105T210000'), AT_NOON),
    Calendar(
        "Olson's prefix", _event("DTSTART;TZID=/freeassociation.sourceforge.net/Asia/Seoul:20260105T210000"), AT_NOON
    ),
    Calendar(
        "a zone by its rules alone", _event('DTSTART;TZID="(UTC+09:00) Seoul":20260105T210000', before=ZONE), AT_NOON
    ),
    Calendar("a zone beside UTC", _event("DTSTART;TZID=Asia/Seoul:20260105T120000Z"), AT_NOON),
    Calendar("no length", _event(NOON, "DURATION:PT0S"), AT_NOON),
    Calendar("a negative length", _event(NOON, "DURATION:-PT1H"), AT_NOON),
    Calendar("an end before the start", _event(NOON, "DTEND:20260101T120000Z"), AT_NOON),
    Calendar("an all-day event without a day", _event("DTSTART:20260105", "DTEND:20260105"), ("20260105T0000",)),
    Calendar("a length that is none", _event(NOON, "DURATION:1 hour"), AT_NOON),
    Calendar(
        "UNTIL is a date, DTSTART a time",
        _event(NOON, "RRULE:FREQ=DAILY;UNTIL=20260106"),
        (*AT_NOON, "20260106T1200"),
    ),
    Calendar(
        "UNTIL is a time, DTSTART a date",
        _event("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=DAILY;UNTIL=20260106T090000Z"),
        ("20260105T0000", "20260106T0000"),
    ),
    Calendar(
        "UNTIL without zone",
        _event("DTSTART;TZID=Asia/Seoul:20260105T210000", "RRULE:FREQ=DAILY;UNTIL=20260106T210000"),
        (*AT_NOON, "20260106T1200"),
    ),
    Calendar("COUNT and UNTIL", _event(NOON, "RRULE:FREQ=DAILY;COUNT=9;UNTIL=20260105T120000Z"), AT_NOON),
    Calendar("a rule with an empty list", _event(NOON, "RRULE:FREQ=DAILY;BYDAY=;COUNT=1"), AT_NOON),
    Calendar("a rule with blanks", _event(NOON, "RRULE: FREQ = DAILY ; COUNT = 1"), AT_NOON),
    Calendar(
        "a rule that does not have DTSTART",
        _event(NOON, "RRULE:FREQ=YEARLY;BYMONTH=2;COUNT=1"),
        (*AT_NOON, "20260205T1200"),
    ),
    Calendar("a rule that never matches", _event(NOON, "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), AT_NOON),
    Calendar("no rule", _event(NOON, "RRULE:every day"), AT_NOON, refused="valid-calendar-data"),
    Calendar("EXDATE is a date", _event(NOON, "RRULE:FREQ=DAILY;COUNT=2", "EXDATE;VALUE=DATE:20260106"), AT_NOON),
    Calendar(
        "EXDATE in another zone",
        _event(NOON, "RRULE:FREQ=DAILY;COUNT=2", "EXDATE;TZID=Asia/Seoul:20260106T210000"),
        AT_NOON,
    ),
    Calendar(
        "an exception that the series does not have",
        octets(
            *event(NOON, "SUMMARY:x", "RRULE:FREQ=DAILY;COUNT=1"),
            *event("RECURRENCE-ID:20260109T120000Z", "DTSTART:20260109T130000Z"),
        ),
        (*AT_NOON, "20260109T1300"),
    ),
    Calendar(
        "RECURRENCE-ID is a date",
        octets(
            *event(NOON, "SUMMARY:x", "RRULE:FREQ=DAILY;COUNT=2"),
            *event("RECURRENCE-ID;VALUE=DATE:20260106", "DTSTART:20260106T130000Z"),
        ),
        (*AT_NOON, "20260106T1300"),
    ),
    Calendar("no start", octets(*event("SUMMARY:x")), (), refused="valid-calendar-data"),
    Calendar("a start that is none", _event("DTSTART:tomorrow"), (), refused="valid-calendar-data"),
    Calendar("the 30th of February", _event("DTSTART:20260230T120000Z"), (), refused="valid-calendar-data"),
    Calendar(
        "the first of all days", _event("DTSTART:00010101T000000", "RRULE:FREQ=DAILY;COUNT=1"), ("00010101T0000",)
    ),
    Calendar("the last of all days", _event("DTSTART:99991231T235959", "DURATION:P9W"), ("99991231T2359",)),
    Calendar(
        "a method",
        octets("METHOD:REQUEST", *event(NOON, "SUMMARY:x")),
        AT_NOON,
        refused="valid-calendar-object-resource",
    ),
    Calendar("VCALENDAR 1.0", _event(NOON).replace(b"2.0", b"1.0"), AT_NOON),
    Calendar(
        "a task beside an event",
        octets(*event(NOON, "SUMMARY:x"), *todo()),
        AT_NOON,
        refused="valid-calendar-object-resource",
    ),
    Calendar("properties that nobody knows", _event(NOON, "X-A;X-B=1:2", "NEW-PROPERTY:3", "X-EMPTY:"), AT_NOON),
    Calendar("quotes within quotes", _event(NOON, 'ATTENDEE;CN="a "b" c":mailto:a@x.test'), AT_NOON),
    Calendar("a quote that is not closed", _event(NOON, 'ATTENDEE;CN="a:mailto:a@x.test'), AT_NOON),
    Calendar("a backslash at the end", _event(NOON, "SUMMARY:x\\"), AT_NOON, "x\\"),
]


def _card(*lines: str | bytes, version: str = "3.0") -> bytes:
    body = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return b"\r\n".join([b"BEGIN:VCARD", f"VERSION:{version}".encode(), b"UID:u", *body, b"END:VCARD", b""])


CARDS = [
    Card(
        "quoted-printable with a Korean name",
        _card(
            "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=EA=B9=80;=EB=AF=BC=\r\n=EC=A7=80;;;",
            "EMAIL;INTERNET;PREF:kim@x.test",
            version="2.1",
        ),
        "민지 김",
        ("kim@x.test",),
        "supported-address-data",
    ),
    Card(
        "EUC-KR with its label",
        _card(b"FN;CHARSET=EUC-KR:\xb1\xe8\xb9\xce\xc1\xf6", version="2.1"),
        "김민지",
        (),
        "supported-address-data",
    ),
    Card("EUC-KR without a label", _card(b"FN:\xb1\xe8\xb9\xce\xc1\xf6"), "김민지"),
    Card("no FN", _card("N:Kim;Min-ji;;;"), "Min-ji Kim"),
    Card("an empty FN", _card("FN:", "ORG:Firma"), "Firma"),
    Card("a photo", _card("FN:x", "PHOTO;ENCODING=b;TYPE=JPEG:" + "\r\n ".join(["A" * 70] * 50)), "x"),
    Card(
        "a photo of 2.1",
        _card("FN:x", "PHOTO;BASE64:", " AAAA", " BBBB", "", version="2.1"),
        "x",
        (),
        "supported-address-data",
    ),
    Card("groups", _card("FN:x", "item1.EMAIL:a@x.test", "item1.X-ABLabel:_$!<Other>!$_"), "x", ("a@x.test",)),
    Card("X- properties", _card("FN:x", "X-SKYPE:y", "X-ABDATE;TYPE=pref:2020-01-01"), "x"),
    Card(
        "types in quotes",
        _card("FN:x", 'EMAIL;TYPE="WORK,pref":a@x.test', "EMAIL:b@x.test"),
        "x",
        ("a@x.test", "b@x.test"),
    ),
    Card("a dead group of types", _card("FN:x", "EMAIL;TYPE=:a@x.test"), "x", ("a@x.test",)),
    Card("bare LF", _card("FN:x").replace(b"\r\n", b"\n"), "x"),
    Card("a byte order mark", b"\xef\xbb\xbf" + _card("FN:x"), "x"),
    Card("no version", _card("FN:x").replace(b"VERSION:3.0\r\n", b""), "x", (), "supported-address-data"),
    Card("no UID", _card("FN:x").replace(b"UID:u\r\n", b""), "x", (), "valid-address-data"),
    Card("two cards", _card("FN:x") + _card("FN:y"), "x", (), "valid-address-data"),
    Card("folded in a character", _card(b"FN:\xec\x95\r\n \x88"), "안"),
    Card("escapes", _card("FN:a\\, b\\; c\\\\d\\ne"), "a, b; c\\d e"),
]
