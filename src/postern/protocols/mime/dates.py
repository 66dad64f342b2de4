"""Dates of headers (RFC 5322 section 3.3 with its obsolete forms) as numbers."""

from __future__ import annotations

import calendar
import re
from functools import lru_cache

from postern.protocols.mime.comments import without_comments

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_ZONES = {b"EST": -5, b"EDT": -4, b"CST": -6, b"CDT": -5, b"MST": -7, b"MDT": -6, b"PST": -8, b"PDT": -7}
_DATE = re.compile(
    rb"(?:[A-Za-z]{2,9}\.?,?\s*)?(\d{1,2})[\s-]+([A-Za-z]{3})[A-Za-z]*[\s,-]+(\d{2,4})"
    rb"(?:\s+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*(?:([+-]\d{4})|([A-Za-z]{1,5}))?)?"
)
_DAY = 86_400


@lru_cache(maxsize=256)
def _days(year: int, month: int, day: int) -> int:
    return calendar.timegm((year, month, day, 0, 0, 0)) // _DAY


def parse_date(value: bytes | None) -> tuple[int, int] | None:
    """Reads a date as seconds since the epoch, and the day as written (days since the epoch, whatever the zone: RFC 9051's
    SENTON). None if it is no date.

    Bound: linear; 200 octets of the value are read.
    """
    if not value:
        return None
    value = value[:200]
    match = _DATE.match(without_comments(value).strip() if b"(" in value else value)
    if match is None:
        return None
    day, year, month = int(match[1]), int(match[3]), _MONTHS.get(match[2].lower())
    if len(match[3]) == 2:  # section 4.3
        year += 2000 if year < 50 else 1900
    elif len(match[3]) == 3:
        year += 1900
    if month is None or not 1 <= year <= 9999 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    hour, minute, second = int(match[4] or 0), int(match[5] or 0), int(match[6] or 0)
    if hour > 23 or minute > 59 or second > 60:
        return None
    offset = 0
    if match[7]:
        offset = (int(match[7][1:3]) * 60 + int(match[7][3:5])) * 60 * (-1 if match[7][:1] == b"-" else 1)
    elif match[8]:
        offset = _ZONES.get(match[8].upper(), 0) * 3600
    days = _days(year, month, day)
    return days * _DAY + hour * 3600 + minute * 60 + second - offset, days
