"""Dates of the grammar (RFC 9051 section 9: date, date-time), from text to numbers and back. All in UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_NUMBER = {month.upper(): number for number, month in enumerate(_MONTHS, 1)}
_DATE = re.compile(rb"(\d{1,2})-([A-Za-z]{3})-(\d{4})$")
_DATE_TIME = re.compile(rb"([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$")
_EPOCH = date(1970, 1, 1)


def parse_day(text: bytes) -> int | None:
    """ "1-Feb-1994" as days since the epoch; None if it is no date.

    Bound: constant; a date has 11 octets.
    """
    match = _DATE.match(text)
    month = _NUMBER.get(match.group(2).upper()) if match else None
    if match is None or month is None:
        return None
    try:
        return (date(int(match.group(3)), month, int(match.group(1))) - _EPOCH).days
    except ValueError:
        return None


def parse_internal(text: bytes) -> int | None:
    """ " 1-Feb-1994 21:52:25 -0800" as seconds since the epoch; None if it is no date-time.

    Bound: constant; a date-time has 26 octets.
    """
    match = _DATE_TIME.match(text)
    month = _NUMBER.get(match.group(2).upper()) if match else None
    if match is None or month is None:
        return None
    day, _, year, hour, minute, second, sign, zone_hour, zone_minute = match.groups()
    offset = timedelta(hours=int(zone_hour), minutes=int(zone_minute)) * (-1 if sign == b"-" else 1)
    try:
        zone = timezone(offset)
        moment = datetime(int(year), month, int(day), int(hour), int(minute), min(int(second), 59), tzinfo=zone)
        return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=4096)
def _day(days: int) -> bytes:
    try:
        day = _EPOCH + timedelta(days=days)
    except OverflowError:
        day = _EPOCH
    return b"%2d-%b-%04d" % (day.day, _MONTHS[day.month - 1], day.year)


def internal_date(seconds: int) -> bytes:
    """INTERNALDATE's value with its quotes."""
    days, rest = divmod(seconds, 86400)
    return b'"%b %02d:%02d:%02d +0000"' % (_day(days), rest // 3600, rest // 60 % 60, rest % 60)
