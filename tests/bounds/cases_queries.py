"""Worst cases of what answers queries about appointments, tasks and contacts: the layer items."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from postern.items import (
    alarms,
    attachments,
    booking,
    busy_request,
    calendar_data,
    calendar_object,
    calendar_query,
    calendar_zones,
    card_data,
    card_query,
    collation,
    free_busy,
    imip,
    implicit_scheduling,
    invitations,
    letters,
    managed_attachments,
    occurrence,
    organizing,
    out_of_office,
    reminder,
    schedule_tag,
    scheduling,
    series,
    stored,
    time_range,
    zones,
)
from postern.items.filters import CardFilter, Collation, ComponentFilter, PropertyFilter, TextMatch, TimeRange
from postern.model.item_store import Busy
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import Kind, When
from postern.protocols.ical.zones import UTC_ZONE
from postern.protocols.vcard import conversion
from tests.bounds.cases_items import _calendar, _card, _exceptions, _on
from tests.bounds.growth import Cases, Work


def _refusing(content: bytes) -> None:
    with suppress(out_of_office.Unanswered):
        out_of_office.asked(content, {"b@b.test"})


_LETTER = imip.Letter("a@b", ["b@b"], "", "1", 0)
_WHEN = When(datetime(2026, 1, 1), Kind.UTC)
SPAN = TimeRange(1_767_300_000, 1_767_400_000)
MARKS = "\u0300\u0316"
WANTED = TextMatch("x" * 100, Collation.UNICODE)
_ALARM = b"BEGIN:VALARM\r\nTRIGGER:-PT15M\r\nREPEAT:100\r\nDURATION:PT1M\r\nEND:VALARM\r\n"
_alarming = partial(_calendar, pattern=_ALARM)
_KNOWN = b"BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nEND:VTIMEZONE\r\n"
_NAMED = b"BEGIN:VEVENT\r\nUID:u\r\nDTSTART;TZID=Asia/Seoul:20260101T120000\r\nDTEND;TZID=x:20260101T130000\r\nEND:VEVENT\r\n"
_ATTACH = managed_attachments.attach_line(managed_attachments.Named("a" * 32, "https://a/b"), "a/b", "a.txt", 1)
_attended = partial(_calendar, pattern=b"ATTENDEE;CN=a:mailto:a\r\n")


def _filter(kind: str, *properties: PropertyFilter, span: TimeRange | None = None) -> ComponentFilter:
    return ComponentFilter("VCALENDAR", components=(ComponentFilter(kind, time_range=span, properties=properties),))


def _merged(size: int) -> Work:
    periods = [free_busy.Period(number, number * 2 + 1, Busy(number % 4)) for number in range(size // 64)]
    return partial(free_busy.merged, periods)


_invited = partial(_calendar, pattern=b"ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@b.test\r\n")


_organizers = partial(_calendar, pattern=b"ORGANIZER:mailto:a@b.test\r\nX-A;B=c:d\r\n")


def _message(method: str, size: int, part: bytes) -> calendar_object.CalendarObject:
    begin = f"BEGIN:VCALENDAR\r\nMETHOD:{method}\r\n".encode()
    whole = b"BEGIN:VEVENT\r\nUID:u\r\nSEQUENCE:1\r\n" + part + b"END:VEVENT\r\n"
    message = calendar_object.read(begin + whole * min(size // len(whole) + 1, 1_000) + b"END:VCALENDAR\r\n")
    assert isinstance(message, calendar_object.CalendarObject)
    return message


def _replied(size: int, method: str = "REPLY") -> Work:
    """Many answers to as many occurrences, for each of which an exception is made."""
    stored = _calendar(min(size, 1 << 20) // 16, b"RRULE:FREQ=SECONDLY\r\nATTENDEE:mailto:a@b.test\r\n")
    message = _message(
        method,
        size,
        b"ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@b.test\r\nRECURRENCE-ID:20260101T120007Z\r\nDTSTART:20260101T120007Z\r\n",
    )
    return lambda: scheduling.apply(stored, message, ())


def _applied(size: int, method: str, future: bytes = b"") -> Work:
    part = b"RECURRENCE-ID%b:20260101T120000Z\r\nX:1\r\n" % future
    stored, message = _exceptions(size), _message(method, size, part)
    return lambda: scheduling.apply(stored, message, ())


def _named(found: calendar_object.CalendarObject) -> object:
    message = _message("REPLY", 1, b"RECURRENCE-ID:20260201T120000Z\r\n")
    return occurrence.occurrence_part(series.Series(found), message, message.main)


def _organized(size: int) -> Work:
    """Every second attendee is taken off the list, and each is in an exception of his own."""
    count = min(size // 1_024, 1_000)
    people = [f"ATTENDEE:mailto:p{number}@x.test\r\n".encode() for number in range(count)]
    begin = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:u\r\nORGANIZER:mailto:a@x.test\r\nDTSTART:20260101T120000Z\r\n"
    part = b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:u\r\nRECURRENCE-ID:%d0101T120000Z\r\n%b"
    exceptions = b"".join([part % (2100 + number, person) for number, person in enumerate(people)])
    end = b"END:VEVENT\r\nEND:VCALENDAR\r\n"
    old = calendar_object.read(begin + b"".join(people) + exceptions + end)
    new = calendar_object.read(begin + b"".join(people[::2]) + exceptions + end)
    assert isinstance(old, calendar_object.CalendarObject) and isinstance(new, calendar_object.CalendarObject)
    return lambda: organizing.organized(old, new, (), 0)


def _asked(attendees: bytes) -> bytes:
    begin = b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:u\r\nORGANIZER:mailto:a@b.test\r\n"
    span = b"DTSTART:20260101T120000Z\r\nDTEND:20260102T120000Z\r\n"
    return begin + span + attendees + b"END:VFREEBUSY\r\nEND:VCALENDAR\r\n"


def _answered_when_busy(size: int) -> Work:
    request = busy_request.read_request(_asked(b"ATTENDEE:mailto:c@b.test\r\n"), {"a@b.test"})
    assert isinstance(request, busy_request.BusyRequest)
    periods = [free_busy.Period(number * 2, number * 2 + 1, Busy.BUSY) for number in range(size // 64)]
    return partial(busy_request.answer, request, request.attendees["c@b.test"], periods, 0, "x")


def _intended(size: int) -> Work:
    """An organizer's series, each of whose exceptions has moved."""
    line = b"ORGANIZER:mailto:a@b.test\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:c@b.test\r\n"
    begin = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART:20260101T120000Z\r\n" + line
    part = b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:u\r\nRECURRENCE-ID:%d0101T120000Z\r\nDTSTART:%d0102T1%d0000Z\r\n" + line
    numbers = range(1_000, 1_000 + min(size // 256, 8_000))
    made = [
        begin + b"".join([part % (number, number, hour) for number in numbers]) + b"END:VEVENT\r\nEND:VCALENDAR\r\n"
        for hour in (0, 1)
    ]

    def work() -> object:
        old, new = map(calendar_object.read, made)  # the new one is written into
        assert isinstance(old, calendar_object.CalendarObject) and isinstance(new, calendar_object.CalendarObject)
        return implicit_scheduling.intended(old, new, {"a@b.test"}, 0, keeps_answers=True)

    return work


def _taken_out(size: int) -> Work:
    line = b"RRULE:FREQ=DAILY\r\nATTENDEE:mailto:a@b.test\r\nORGANIZER:mailto:b@b.test\r\n"
    old = _calendar(2_000, line)
    new = _calendar(min(size, 1 << 20), line + b"EXDATE:20260201T120000Z,20260202T120000Z\r\n" * 20)
    return lambda: organizing.answered(old, new, "a@b.test", 0)


def _booked(size: int) -> Work:
    found = _calendar(1, b"RRULE:FREQ=DAILY;COUNT=150\r\n")
    busy = [
        free_busy.Period(number * 7_200, number * 7_200 + 3_600, Busy.BUSY)
        for number in range(245_000, 245_000 + size // 64)
    ]
    policy = booking.Policy(conflicts_of_series=1_000)
    return lambda: booking.decide(found, busy, policy, "a@b.test", 1_767_225_600)


def _harmless(text: str) -> None:
    with suppress(ValueError):
        out_of_office.harmless(text)


CASES: Cases = {
    "items.attachments.of_calendar": _on(
        partial(_calendar, pattern=b"ATTACH;FMTTYPE=a/b;ENCODING=BASE64:AAAA\r\n"), attachments.of_calendar
    ),
    "items.calendar_zones.without_known": _on(
        lambda size: b"BEGIN:VCALENDAR\r\n" + _KNOWN * (size // len(_KNOWN)) + _NAMED + b"END:VCALENDAR\r\n",
        calendar_zones.without_known,
    ),
    "items.calendar_zones.with_all": _on(
        lambda size: b"BEGIN:VCALENDAR\r\n" + _NAMED * min(size // len(_NAMED), 20_000) + b"END:VCALENDAR\r\n",
        lambda octets: calendar_zones.with_all(octets, 2036),
    ),
    "items.managed_attachments.managed": _on(
        partial(_calendar, pattern=b"ATTACH:https://a/%b-a\r\n" % (b"a" * 32)), managed_attachments.managed
    ),
    "items.managed_attachments.add": _on(
        _exceptions,
        lambda calendar: managed_attachments.add(calendar, _ATTACH, [f"20270101T{each:06}Z" for each in range(100)]),
    ),
    "items.managed_attachments.update": _on(
        partial(_calendar, pattern=_ATTACH.raw),
        lambda calendar: managed_attachments.update(calendar, "a" * 32, _ATTACH),
    ),
    "items.managed_attachments.enclose": _on(
        partial(_calendar, pattern=_ATTACH.raw),
        lambda calendar: managed_attachments.enclose(calendar, {"a" * 32: b"x" * 100}),
    ),
    "items.managed_attachments.remove": _on(
        partial(_calendar, pattern=_ATTACH.raw), lambda calendar: managed_attachments.remove(calendar, "a" * 32)
    ),
    "items.attachments.of_contact": _on(
        partial(_card, pattern=b"PHOTO;A;B;C:data:a/b;c;d,x\r\n"), attachments.of_contact
    ),
    "items.attachments.Attachment.octets: base64": _on(
        lambda size: attachments.of_calendar(_calendar(size, b"ATTACH;ENCODING=BASE64:\r\n" + b" AA\r\n" * 20_000))[0],
        lambda found: found.octets,
    ),
    "items.attachments.Attachment.octets: percents": _on(
        lambda size: attachments.of_calendar(_calendar(size, b"ATTACH:data:," + b"%41%" * (size // 4 - 9) + b"\r\n"))[
            0
        ],
        lambda found: found.octets,
    ),
    "items.imip.invitation_in": lambda size: partial(
        imip.invitation_in,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\nContent-Type: application/x\r\n\r\n" * (size // 36),
    ),
    "items.imip.mail": _on(_invited, lambda found: imip.mail(imip.Letter("a@b", ["b@b"], "", "1", 0), found)),
    "items.imip.mail: exceptions": _on(_exceptions, lambda found: imip.mail(_LETTER, found)),
    "items.out_of_office.asked": lambda size: partial(
        _refusing, b"Return-Path: <a@b.test>\r\nTo: " + b"c@d.test," * (size // 9) + b"\r\n\r\n"
    ),
    "items.out_of_office.asked: fields": lambda size: partial(
        _refusing, b"Return-Path: <a@b.test>\r\n" + b"To: c@d.test\r\n" * (size // 14) + b"\r\n"
    ),
    "items.out_of_office.harmless: many tags": lambda size: partial(_harmless, "<b><p>" * (size // 6)),
    "items.out_of_office.harmless: few tags": lambda size: partial(_harmless, "<b><p>" * 499 + "x" * size),
    "items.out_of_office.plain": lambda size: partial(out_of_office.plain, "<b><!--" * (size // 7)),
    "items.out_of_office.answer": lambda size: partial(
        out_of_office.answer, _LETTER, out_of_office.Answered("a@b.test", "", "", ()), "<p>" + "\u00e9" * (size // 2)
    ),
    "items.booking.decide: busy": _booked,
    "items.booking.decide: a request": _on(
        _exceptions, lambda found: booking.decide(found, [], booking.Policy(), "a@b.test", 1_767_225_600)
    ),
    "items.organizing.organized": _organized,
    "items.busy_request.read_request": lambda size: partial(
        busy_request.read_request, _asked(b"ATTENDEE:mailto:%d@b.test\r\n" % 7 * (size // 26)), {"a@b.test"}
    ),
    "items.busy_request.answer": _answered_when_busy,
    "items.implicit_scheduling.intended": _intended,
    "items.letters.letter": lambda size: partial(
        letters.letter,
        organizing.Sending(("b@b.test",), "REQUEST", _invited(size).root.octets()),
        "a@b.test",
        ("b@b.test",),
        "1@b.test",
        0,
    ),
    "items.schedule_tag.schedule_tag": _on(_organizers, lambda found: schedule_tag.schedule_tag(found, {"a@b.test"})),
    "items.organizing.invitation_of": _on(_exceptions, lambda found: organizing.invitation_of(found, "a@b.test", 0)),
    "items.reminder.next_reminder": _on(_alarming, lambda found: reminder.next_reminder(found, 0)),
    "items.reminder.due": _on(_alarming, lambda found: reminder.due(found, 1_767_268_000, 1_767_268_000, (), _LETTER)),
    "items.imip.plain_mail": lambda size: partial(imip.plain_mail, _LETTER, "\u00e9" * (size // 2)),
    "items.organizing.answered": _taken_out,
    "items.organizing.forbidden_change": _on(_exceptions, lambda found: organizing.forbidden_change(found, found, ())),
    "items.scheduling.apply: answers": _replied,
    "items.scheduling.apply: proposals": partial(_replied, method="COUNTER"),
    "items.scheduling.apply: all future ones": partial(_applied, method="CANCEL", future=b";RANGE=THISANDFUTURE"),
    "items.scheduling.apply: requests": partial(_applied, method="REQUEST"),
    "items.scheduling.apply: cancellations": partial(_applied, method="CANCEL"),
    "items.occurrence.occurrence_part": _on(
        partial(_calendar, pattern=b"RDATE:20260101T120000Z,20260201T120000Z\r\n"), _named
    ),
    "items.invitations.request": _on(_invited, lambda found: invitations.request(found, 0)),
    "items.invitations.cancel": _on(_invited, lambda found: invitations.cancel(found, 0, 1, ["a@b.test"])),
    "items.invitations.reply": _on(_exceptions, lambda found: invitations.reply(found, "a@b.test", "ACCEPTED", 0)),
    "items.invitations.delegated": _on(_invited, lambda found: invitations.delegated(found, "a@b.test", "c@b.test", 0)),
    "items.invitations.counter": _on(
        _invited, lambda found: invitations.counter(found, "a@b.test", found.main, _WHEN, _WHEN, 0)
    ),
    "items.invitations.decline_counter": _on(_exceptions, lambda found: invitations.decline_counter(found, 0)),
    "items.invitations.refresh": _on(_invited, lambda found: invitations.refresh(found, "a@b.test", 0)),
    "items.collation.folded: marks": lambda size: partial(collation.folded, MARKS * (size // 4), Collation.UNICODE),
    "items.collation.folded: ligatures": lambda size: partial(
        collation.folded, "\ufdfa" * (size // 16), Collation.UNICODE
    ),
    "items.collation.matches": lambda size: partial(collation.matches, "x" * 99 + "é" + "x" * (size // 8), WANTED),
    "items.time_range.in_range: exceptions": _on(
        _exceptions, lambda found: time_range.in_range(found, found.parts, SPAN, UTC_ZONE, Budget())
    ),
    "items.time_range.in_range: tasks": _on(
        partial(
            _calendar, pattern=b"END:VTODO\r\nBEGIN:VTODO\r\nUID:u\r\nCOMPLETED:20200101T000000Z\r\n", kind=b"VTODO"
        ),
        lambda found: time_range.in_range(found, found.parts, SPAN, UTC_ZONE, Budget()),
    ),
    "items.time_range.alarm_in_range": _on(
        _alarming,
        lambda found: time_range.alarm_in_range(found, list(found.main.components()), SPAN, UTC_ZONE, Budget()),
    ),
    "items.alarms.alarms": _on(_alarming, lambda found: sum(1 for _ in alarms.alarms(found, 0, None))),
    "items.stored.values_of": _on(_alarming, lambda made: stored.values_of(made, 0)),
    "items.alarms.next_alarm": _on(_alarming, lambda found: alarms.next_alarm(found, SPAN.start or 0)),
    "items.calendar_query.matches: properties": _on(
        _attended,
        lambda found: calendar_query.matches(found, _filter("VEVENT", PropertyFilter("ATTENDEE", texts=(WANTED,)))),
    ),
    "items.calendar_query.matches: a span": _on(
        _exceptions, lambda found: calendar_query.matches(found, _filter("VEVENT", span=SPAN))
    ),
    "items.card_query.matches": _on(
        partial(_card, pattern=b"EMAIL;TYPE=a:a@x.test\r\n"),
        lambda found: card_query.matches(found, CardFilter((PropertyFilter("EMAIL", texts=(WANTED,)),))),
    ),
    "items.free_busy.free_busy": _on(_exceptions, lambda found: free_busy.free_busy([found], 0, 1 << 40)),
    "items.free_busy.merged": _merged,
    "items.free_busy.periods_in": _on(
        _exceptions,
        lambda found: list(free_busy.periods_in(found, 0, 1 << 40, UTC_ZONE, Budget(), ("a@b",), True)),
    ),
    "items.calendar_data.retrieve: picked": _on(
        _attended,
        lambda found: calendar_data.retrieve(
            found, calendar_data.Wanted(calendar_data.Pick("VCALENDAR", (), (calendar_data.Pick("VEVENT", ()),)))
        ),
    ),
    "items.calendar_data.retrieve: limited": _on(
        _exceptions, lambda found: calendar_data.retrieve(found, calendar_data.Wanted(limit_series=SPAN))
    ),
    "items.card_data.retrieve": _on(
        partial(_card, pattern=b"TEL;TYPE=a;PREF=1;ALTID=1:tel:1\r\n"), lambda found: card_data.retrieve(found, "4.0")
    ),
    "protocols.vcard.conversion.converted: types": _on(
        partial(_card, pattern=b"TEL;A;B;C;TYPE=d:1\r\nADR;LABEL=x:y\r\n"),
        lambda found: conversion.converted(replace(found.card, version="4.0"), "3.0"),
    ),
    "protocols.vcard.conversion.converted: data": _on(
        lambda size: replace(_card(size, b"\r\n " + b";c" * 30).card, version="4.0"),
        lambda card: conversion.converted(card, "3.0"),
    ),
    "items.zones.zone_of_calendar": lambda size: partial(
        zones.zone_of_calendar, b"BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\n" + b"RDATE:20260101T000000\n" * (size // 22)
    ),
    "items.calendar_data.expanded": _on(_exceptions, lambda found: list(calendar_data.expanded(found, TimeRange()))),
}
