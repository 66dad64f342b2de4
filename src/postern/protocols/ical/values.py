"""Typed values of iCalendar (RFC 5545 section 3.3): dates and times, durations, periods, offsets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from enum import Enum
from typing import NamedTuple

from postern.protocols.content_lines import Line, line, split

MAX_VALUES = 20_000
"""Values of one RDATE, EXDATE or FREEBUSY line."""
MAX_DAYS = 366_000
"""Days of a duration: a thousand years, which is more than any calendar holds."""

_TIME = re.compile(r"\s*+(\d{4})-?(\d\d)-?(\d\d)(?:[Tt ](\d\d):?(\d\d):?(\d\d)?+(?:[.,]\d{1,9}+)?+([Zz])?+)?+\s*+")
_DURATION = re.compile(
    r"\s*+([+-]?+)P(?:(\d{1,9})W)?+(?:(\d{1,9})D)?+(?:T(?:(\d{1,9})H)?+(?:(\d{1,9})M)?+(?:(\d{1,9})S)?+)?+\s*+",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"\s*+([+-]?)(\d\d):?(\d\d):?(\d\d)?+\s*+")
_BIDI = dict.fromkeys(map(ord, "\u200e\u200f\ufeff"))


class Kind(Enum):
    """The ways in which a time is tied to the world."""

    DATE = "date"
    FLOATING = "floating"
    UTC = "utc"
    ZONED = "zoned"


class When(NamedTuple):
    """A DATE or DATE-TIME. `local` is what the clock on the wall shows (midnight for a date); `zone` is the TZID of a zoned
    time. For example `When(datetime(2026, 3, 1, 9), Kind.ZONED, "Europe/Berlin")`."""

    local: datetime
    kind: Kind
    zone: str = ""

    @property
    def is_date(self) -> bool:
        return self.kind is Kind.DATE


class Span(NamedTuple):
    """A duration: days are by the calendar, and seconds by the clock (RFC 5545 section 3.3.6). For example `Span(1, -900)`."""

    days: int
    seconds: int

    @property
    def is_negative(self) -> bool:
        return self.days * 86_400 + self.seconds < 0


class Interval(NamedTuple):
    """A period of time: from `start` to `end`, or as long as `span` says."""

    start: When
    end: When | None
    span: Span | None


def read_when(text: str, zone: str = "") -> When | None:
    """Reads a DATE or DATE-TIME by its form, whatever VALUE says; `zone` is the TZID of its line. None: it is neither.

    Bound: linear in the text.
    """
    match = _TIME.fullmatch(text) or _TIME.fullmatch(text.translate(_BIDI))
    if match is None:
        return None
    year, month, day, hour, minute, second, utc = match.groups()
    try:
        if hour is None:
            return When(datetime(int(year), int(month), int(day)), Kind.DATE)
        seconds = min(int(second or 0), 59)  # a leap second is read as the one before it
        local = datetime(int(year), int(month), int(day), 0 if hour == "24" else int(hour), int(minute), seconds)
        if hour == "24":
            local += timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    if utc:
        return When(local, Kind.UTC)
    return When(local, Kind.ZONED, zone) if zone else When(local, Kind.FLOATING)


def when_of(line: Line | None) -> When | None:
    """The DATE or DATE-TIME of a line with one value. None: it has none, or there is no line."""
    return None if line is None else read_when(line.value, line.parameter("TZID") if line.head else "")


def whens_of(line: Line) -> Iterator[When | Interval | None]:
    """The values of an RDATE or EXDATE line; None for each that cannot be read.

    Bound: linear in the line; at most MAX_VALUES values.
    """
    zone = line.parameter("TZID")
    for text in split(line.value, ",", MAX_VALUES):
        yield read_interval(text, zone) if "/" in text else read_when(text, zone)


def read_span(text: str) -> Span | None:
    """Reads a DURATION.

    Bound: linear in the text; at most MAX_DAYS.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()[1:]):
        return None
    weeks, days, hours, minutes, seconds = (int(digits or 0) for digits in match.groups()[1:])
    days += 7 * weeks
    seconds += 3600 * hours + 60 * minutes
    if days + seconds // 86_400 > MAX_DAYS:
        return None
    sign = -1 if match[1] == "-" else 1
    return Span(sign * days, sign * seconds)


def read_interval(text: str, zone: str = "") -> Interval | None:
    """Reads a PERIOD: two times, or a time and a duration, with a slash between them.

    Bound: linear in the text.
    """
    first, _, second = text.partition("/")
    start = read_when(first, zone)
    if start is None or start.is_date:
        return None
    span = read_span(second)
    if span is not None:
        return Interval(start, None, span)
    end = read_when(second, zone)
    return None if end is None or end.is_date else Interval(start, end, None)


def read_offset(text: str) -> int | None:
    """Reads a UTC-OFFSET as seconds: "+0530" is 19,800.

    Bound: linear in the text.
    """
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    seconds = 3600 * int(match[2]) + 60 * int(match[3]) + int(match[4] or 0)
    if seconds >= 86_400:
        return None
    return -seconds if match[1] == "-" else seconds


def address_of(value: str) -> str:
    """A CAL-ADDRESS as it is compared: in lower case, and without "mailto:".

    Bound: linear in the value.
    """
    value = value.strip().lower()
    return value.removeprefix("mailto:")


def written(when: When) -> str:
    """The value of a When, without its TZID."""
    if when.is_date:
        return _written_date(when.local)
    return written_time(when.local) + ("Z" if when.kind is Kind.UTC else "")


def when_line(name: str, when: When) -> Line:
    """The line of a time as it is: a date says so, and a time in a zone names its TZID."""
    zone = [("TZID", [when.zone])] if when.zone else []
    return line(name, written(when), [("VALUE", ["DATE"])] if when.is_date else zone)


def _written_date(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def written_time(local: datetime) -> str:
    return f"{_written_date(local)}T{local.hour:02d}{local.minute:02d}{local.second:02d}"


def written_offset(seconds: int) -> str:
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    minutes, seconds = divmod(seconds, 60)
    return f"{sign}{minutes // 60:02d}{minutes % 60:02d}" + (f"{seconds:02d}" if seconds else "")


def written_span(span: Span) -> str:
    """A duration, for example "-P1DT2H"."""
    if not span.days and not span.seconds:
        return "PT0S"
    sign = "-" if span.is_negative else ""
    days, seconds = abs(span.days), abs(span.seconds)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    clock = "".join([f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count])
    return f"{sign}P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
