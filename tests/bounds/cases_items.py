"""Worst cases of what reads appointments, tasks and contacts: content lines, iCalendar, vCard, and the layer items."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from postern.items import appointment, calendar_object, contact, recurrence, series, stored, task, task_progress, text
from postern.items import zones as item_zones
from postern.protocols import content_lines, folds
from postern.protocols.content_lines import Component, Line
from postern.protocols.ical import expansion, rule, values, zones
from postern.protocols.vcard import cards
from tests.bounds.growth import Cases, Work

L = "protocols.content_lines."
V = "protocols.ical.values."
UTC = datetime(2026, 1, 1)


def _calendar(size: int, pattern: bytes, kind: bytes = b"VEVENT") -> calendar_object.CalendarObject:
    """A component with a pattern of lines in it, up to a size."""
    body = pattern * (min(size, calendar_object.MAX_OCTETS - 1000) // len(pattern))
    begin = b"BEGIN:%b\r\nUID:u\r\nDTSTART:20260101T120000Z\r\n" % kind
    octets = b"BEGIN:VCALENDAR\r\n" + begin + body + b"END:%b\r\nEND:VCALENDAR\r\n" % kind
    found = calendar_object.read(octets)
    assert isinstance(found, calendar_object.CalendarObject), found
    return found


def _exceptions(size: int) -> calendar_object.CalendarObject:
    part = b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:u\r\nRECURRENCE-ID:20260101T120000Z\r\nDTSTART:20260102T120000Z\r\n"
    return _calendar(min(size, 1 << 20), part)


def _on(build: Callable[[int], object], work: Callable[..., object]) -> Callable[[int], Work]:
    """Builds what is read before the clock begins."""
    return lambda size: partial(work, build(size))


def _between(found: calendar_object.CalendarObject) -> object:
    return list(series.Series(found).between())


def _expanded(text_: str) -> Callable[[int], Work]:
    found = rule.read_rule(text_)
    assert found is not None

    def build(size: int) -> Work:
        return lambda: sum(1 for _ in expansion.expand(found, UTC, expansion.Budget(min(size, 1 << 22) // 64)))

    return build


def _zone(size: int) -> Work:
    part = "BEGIN:DAYLIGHT\r\nDTSTART:20000101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
    rules = "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30\r\nRDATE:" + "20010101T000000," * 50 + "\r\nEND:DAYLIGHT\r\n"
    octets = f"BEGIN:VTIMEZONE\r\nTZID:x\r\n{(part + rules) * (size // 1000)}END:VTIMEZONE\r\n".encode()
    timezone = content_lines.read(octets).roots[0]

    def work() -> None:
        zone = zones.read_zone(timezone)
        assert zone is not None
        zone.utc(UTC)

    return work


def _card(size: int, pattern: bytes) -> contact.Contact:
    body = pattern * (size // len(pattern))
    octets = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u\r\nFN:x\r\n" + body + b"\r\nEND:VCARD\r\n"
    found = contact.read(octets[: contact.MAX_OCTETS])
    assert isinstance(found, contact.Contact)
    return found


def _line(name: str, head: str, value: str) -> Line:
    return Line(name, head, value, b"")


CASES: Cases = {
    "protocols.folds.unfolded": lambda size: partial(folds.unfolded, b"a\r\n " * (size // 4)),
    L + "unescaped": lambda size: partial(content_lines.unescaped, "\\n\\x" * (size // 4)),
    L + "split: backslashes": lambda size: partial(content_lines.split, "\\," * (size // 2), ","),
    L + "split: parts": lambda size: partial(content_lines.split, ",\\" * (size // 2), ",", size),
    L + "read_parameters: names": lambda size: partial(content_lines.read_parameters, ";a=b" * (size // 4)),
    L + "read_parameters: quotes": lambda size: partial(content_lines.read_parameters, ';a="' * (size // 4)),
    L + "read_parameters: values": lambda size: partial(content_lines.read_parameters, ";a=" + '"b"c,' * (size // 5)),
    L + "read_line: quotes": lambda size: partial(content_lines.read_line, b"A;" + b'"' * size),
    L + "read_line: odd quotes": lambda size: partial(content_lines.read_line, b"A;" + b'b"' * (size // 2 | 1) + b":"),
    L + "read_line: folds": lambda size: partial(content_lines.read_line, b"A:" + b"\r\n " * (size // 3)),
    L + "read_line: blanks": lambda size: partial(content_lines.read_line, b" " * size),
    L + "read_line: soft breaks": lambda size: partial(
        content_lines.read_line, b"A;QUOTED-PRINTABLE:" + b"= \t" * (size // 5) + b"=\r\n" * (size // 8)
    ),
    L + "read: short lines": lambda size: partial(content_lines.read, b"A:\n" * (size // 3)),
    L + "read: blank lines": lambda size: partial(content_lines.read, b"BEGIN:X\n" + b"\n" * size),
    L + "read: begins": lambda size: partial(content_lines.read, b"BEGIN:X\n" * (size // 8)),
    L + "read: ends": lambda size: partial(content_lines.read, b"BEGIN:X\nEND:Y\n" + b"END:Y\n" * (size // 6)),
    L + "read: soft breaks": lambda size: partial(
        content_lines.read, b"BEGIN:X\nA;QUOTED-PRINTABLE:=\n" + b"b=\n" * (size // 3)
    ),
    L + "read: soft breaks behind a long head": lambda size: partial(
        content_lines.read, b"BEGIN:X\nA;QUOTED-PRINTABLE;" + b"b" * (size // 2) + b"=\n" + b"=\n" * (size // 4)
    ),
    L + "read: returns": lambda size: partial(content_lines.read, b"BEGIN:X\r" + b"\r" * size),
    V + "read_when": lambda size: partial(values.read_when, "20260101T" + " " * size),
    V + "read_when: blanks": lambda size: partial(values.read_when, " " * size + "x"),
    V + "whens_of": lambda size: lambda: list(values.whens_of(_line("RDATE", "", "20260101T000000Z," * (size // 17)))),
    V + "read_span": lambda size: partial(values.read_span, " " * size + "P1D"),
    V + "read_interval": lambda size: partial(values.read_interval, "/" * size),
    V + "address_of": lambda size: partial(values.address_of, " " * size + "MAILTO:İ"),
    V + "read_offset": lambda size: partial(values.read_offset, " " * size + "+01"),
    "protocols.ical.rule.read_rule": lambda size: partial(rule.read_rule, "FREQ=DAILY;BYMONTH=" + "1," * 4000),
    "protocols.ical.rule.read_rule: long": lambda size: partial(rule.read_rule, "FREQ=DAILY;" * (size // 11)),
    "protocols.ical.expansion.expand: never": _expanded("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"),
    "protocols.ical.expansion.expand: seconds": _expanded("FREQ=SECONDLY"),
    "protocols.ical.expansion.expand: weeks": _expanded("FREQ=YEARLY;BYWEEKNO=-1;BYDAY=5MO,-3TU;BYYEARDAY=-7"),
    "protocols.ical.expansion.expand: places": _expanded(
        "FREQ=YEARLY;BYDAY=MO,TU;BYHOUR=1,2;BYMINUTE=1,2;BYSECOND=1,2;BYSETPOS=" + ",".join(map(str, range(1, 367)))
    ),
    "protocols.ical.zones.read_zone": _zone,
    "protocols.ical.zones.named_zone": lambda size: partial(zones.named_zone, "/" * size, lambda name: None),
    "protocols.vcard.cards.Card.value": lambda size: partial(
        cards.Card(Component("VCARD"), "2.1", text.decode).value, _line("N", ";QUOTED-PRINTABLE", "=" * size)
    ),
    "protocols.vcard.cards.read_cards": lambda size: partial(
        cards.read_cards, b"BEGIN:VCARD\nEND:VCARD\n" * (size // 22), text.decode
    ),
    "items.text.readable: surrogates": lambda size: partial(text.readable, "\udcff" * size),
    "items.text.readable: controls": lambda size: partial(text.readable, "\0é" * (size // 2)),
    "items.text.text_of": lambda size: partial(text.text_of, "\\n\0" * (size // 3)),
    "items.calendar_object.read": lambda size: partial(
        calendar_object.read,
        b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\nEND:VEVENT\n" * (min(size, 1 << 22) // 24) + b"END:VCALENDAR\n",
    ),
    "items.calendar_object.check": _on(_exceptions, calendar_object.check),
    "items.recurrence.timing_of": _on(
        partial(_calendar, pattern=b"X:\r\n"), lambda found: recurrence.timing_of(found.main, found.zones)
    ),
    "items.series.Series.extent": _on(_exceptions, lambda found: series.Series(found).extent()),
    "items.series.Series.between: exceptions": _on(_exceptions, _between),
    "items.series.Series.between: dates": _on(
        partial(_calendar, pattern=b"RDATE:20260101T120000Z,20260102T120000Z\r\n"), _between
    ),
    "items.series.Series.between: rules": _on(
        partial(_calendar, pattern=b"RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30\r\n"), _between
    ),
    "items.series.Series.between: exclusions": _on(
        partial(_calendar, pattern=b"EXRULE:FREQ=SECONDLY\r\nEXDATE:20260101T120000Z\r\n"), _between
    ),
    "items.appointment.render: counts": _on(
        partial(_calendar, pattern=b"RRULE:FREQ=SECONDLY;COUNT=1000000\r\n"), appointment.render
    ),
    "items.appointment.render: published": _on(
        partial(_calendar, pattern=b"FREEBUSY:20260101T120000Z/PT1H\r\n", kind=b"VFREEBUSY"), appointment.render
    ),
    "items.zones.canonical_name": lambda size: partial(item_zones.canonical_name, "Ä" * size),
    "items.task.render": _on(partial(_calendar, pattern=b"DUE:20260101T120000Z\r\n", kind=b"VTODO"), task.render),
    "items.contact.read": lambda size: partial(contact.read, b"BEGIN:VCARD\n" + b"N:\n" * (size // 3)),
    "items.contact.check": _on(partial(_card, pattern=b"N:\n"), contact.check),
    "items.task_progress.advance": _on(
        partial(_calendar, pattern=b"RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31\r\n", kind=b"VTODO"),
        lambda calendar: task_progress.advance(calendar, UTC),
    ),
    "items.stored.card_values": _on(partial(_card, pattern=b"EMAIL;TYPE=PREF:a@b\r\n"), stored.card_values),
    "items.contact.render: addresses": _on(partial(_card, pattern=b"EMAIL;TYPE=PREF:a@b\r\n"), contact.render),
    "items.contact.render: members": _on(partial(_card, pattern=b"MEMBER:urn:uuid:x\r\n"), contact.render),
    "items.contact.render: names": _on(partial(_card, pattern=b"N:;;;\r\n"), contact.render),
}
