"""Worst cases of what answers queries about appointments, tasks and contacts: the layer items."""

from __future__ import annotations

from functools import partial

from postern.items import (
    alarms,
    calendar_data,
    calendar_query,
    card_query,
    collation,
    free_busy,
    time_range,
    zones,
)
from postern.items.filters import CardFilter, Collation, ComponentFilter, PropertyFilter, TextMatch, TimeRange
from postern.items.rendered import Busy
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import UTC_ZONE
from tests.bounds.cases_items import _calendar, _card, _exceptions, _on
from tests.bounds.growth import Cases, Work

SPAN = TimeRange(1_767_300_000, 1_767_400_000)
MARKS = "\u0300\u0316"
WANTED = TextMatch("x" * 100, Collation.UNICODE)
_ALARM = b"BEGIN:VALARM\r\nTRIGGER:-PT15M\r\nREPEAT:100\r\nDURATION:PT1M\r\nEND:VALARM\r\n"
_alarming = partial(_calendar, pattern=_ALARM)
_attended = partial(_calendar, pattern=b"ATTENDEE;CN=a:mailto:a\r\n")


def _filter(kind: str, *properties: PropertyFilter, span: TimeRange | None = None) -> ComponentFilter:
    return ComponentFilter("VCALENDAR", components=(ComponentFilter(kind, time_range=span, properties=properties),))


def _merged(size: int) -> Work:
    periods = [free_busy.Period(number, number * 2 + 1, Busy(number % 4)) for number in range(size // 64)]
    return partial(free_busy.merged, periods)


CASES: Cases = {
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
    "items.calendar_data.retrieve: picked": _on(
        _attended,
        lambda found: calendar_data.retrieve(
            found, calendar_data.Wanted(calendar_data.Pick("VCALENDAR", (), (calendar_data.Pick("VEVENT", ()),)))
        ),
    ),
    "items.calendar_data.retrieve: limited": _on(
        _exceptions, lambda found: calendar_data.retrieve(found, calendar_data.Wanted(limit_series=SPAN))
    ),
    "items.zones.zone_of_calendar": lambda size: partial(
        zones.zone_of_calendar, b"BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\n" + b"RDATE:20260101T000000\n" * (size // 22)
    ),
    "items.calendar_data.expanded": _on(_exceptions, lambda found: list(calendar_data.expanded(found, TimeRange()))),
}
