"""Times as requests and answers have them (xs:dateTime, XML Schema part 2 section 3.2.7)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError

_FORM = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = -62_135_596_800, 253_402_300_799
"""The seconds since the epoch at which the years 1 to 9999 begin and end, which are those of Python's dates."""


def written(seconds: int) -> str:
    """A time in UTC: "2026-11-30T01:02:03Z". Times that no year of four digits has become the first or the last one."""
    return datetime.fromtimestamp(min(max(seconds, FIRST), LAST), UTC).isoformat()[:19] + "Z"


def read_local(text: str) -> tuple[datetime, timezone | None]:
    """Reads a time, and the offset that it names; None: it names none, and is in the zone that the request says. Raises EwsError
    ErrorSchemaValidation for what is no time.

    Bound: linear in the text; at most 40 characters.
    """
    text = text.strip()
    match = _FORM.fullmatch(text) if len(text) <= 40 else None
    if match is None:
        raise EwsError(Code.SCHEMA_VALIDATION, "The request failed schema validation: a time is not valid.")
    year, month, day, hour, minute, second, offset = match.groups()
    try:
        local = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
        zone = None if offset is None else UTC if offset == "Z" else _zone(offset)
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION, "The request failed schema validation: a time is not valid.") from None
    return local, zone


def _zone(offset: str) -> timezone:
    minutes = int(offset[1:3]) * 60 + int(offset[4:6])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


def read_time(text: str, floating: timezone = UTC) -> int:
    """Reads a time as seconds since the epoch. One without an offset is in the zone `floating`. Raises EwsError.

    Bound: linear in the text; at most 40 characters.
    """
    local, zone = read_local(text)
    try:
        return int((local.replace(tzinfo=zone or floating) - _EPOCH).total_seconds())
    except OverflowError:
        raise EwsError(Code.SCHEMA_VALIDATION, "The request failed schema validation: a time is not valid.") from None
