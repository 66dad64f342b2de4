"""Renders the values by which the store finds an appointment or a task without reading its octets."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from postern.items.calendar_object import CalendarObject, organizer_of
from postern.items.series import Extent, Series
from postern.items.text import text_of
from postern.model.item_store import Busy
from postern.protocols.content_lines import Component, Line
from postern.protocols.ical.values import Kind, address_of

MAX_SUMMARY = 1_000
"""Characters of a summary, and of a place, that are rendered."""
MAX_STATUS = 32


class Rendered(NamedTuple):
    """The searched values of a calendar object. Times are seconds since the epoch, UTC.

    `starts` is the earliest start (None: it is in every span of time, as a task without dates), `ends` the end of the first
    occurrence, `recurs_until` the end of the last (None: it has no end). An object that is `floating` (all-day ones are) was
    read in the zone that the caller said; in other zones it is up to a day earlier or later. Tasks have `due` and `completed`.
    """

    kind: str
    uid: str
    starts: int | None
    ends: int | None
    recurs_until: int | None
    recurs: bool
    all_day: bool
    floating: bool
    organizer: str
    summary: str
    location: str
    status: str
    busy: Busy
    sequence: int
    has_alarms: bool
    due: int | None = None
    completed: int | None = None


def rendered(
    calendar: CalendarObject,
    extent: Extent | None,
    series: Series,
    me: Collection[str],
    due: int | None = None,
    completed: int | None = None,
) -> Rendered:
    """The values of an object that is in time as `extent` says, in the calendar of somebody with these addresses."""
    main = calendar.main
    start = series.masters[0].timing.start if series.masters else None
    return Rendered(
        kind=calendar.kind,
        uid=calendar.uid,
        starts=None if extent is None else extent.starts,
        ends=None if extent is None else extent.ends,
        recurs_until=None if extent is None else extent.until,
        recurs=series.recurs,
        all_day=start is not None and start.is_date,
        floating=start is not None and start.kind in (Kind.DATE, Kind.FLOATING),
        organizer=organizer_of(main),
        summary=text_of(main.value("SUMMARY"))[:MAX_SUMMARY],
        location=text_of(main.value("LOCATION"))[:MAX_SUMMARY],
        status=status_of(main),
        busy=busy_of(main, me),
        sequence=sequence_of(main),
        has_alarms=any(next(part.components("VALARM"), None) is not None for part in calendar.parts),
        due=due,
        completed=completed,
    )


def status_of(part: Component) -> str:
    """STATUS in upper case; "" if there is none."""
    return text_of(part.value("STATUS")).strip().upper()[:MAX_STATUS]


def busy_of(part: Component, me: Collection[str] = ()) -> Busy:
    """Says how a component shows: by STATUS and TRANSP, and by Outlook's property between them (MS-OXCICAL 2.1.3.1.1.20.31)."""
    intended = part.value("X-MICROSOFT-CDO-BUSYSTATUS").strip().upper()
    status = status_of(part)
    answer = answer_of(part, me) if me else ""
    if status == "CANCELLED" or answer == "DECLINED" or part.value("TRANSP").strip().upper() == "TRANSPARENT":
        return Busy.FREE
    if intended in ("OOF", "OUTOFOFFICE"):
        return Busy.OUT_OF_OFFICE
    if intended in ("FREE", "TENTATIVE", "BUSY"):
        return Busy[intended]
    return Busy.TENTATIVE if status == "TENTATIVE" or answer in ("TENTATIVE", "NEEDS-ACTION") else Busy.BUSY


def attendee_of(part: Component, addresses: Collection[str]) -> Line | None:
    """The line of the first attendee with one of these addresses, which are in lower case."""
    return next((line for line in part.lines("ATTENDEE") if address_of(line.value) in addresses), None)


def answer_of(part: Component, me: Collection[str]) -> str:
    """PARTSTAT of the first attendee with one of these addresses; "NEEDS-ACTION" where it is not said, and "" where nobody of
    them is invited."""
    mine = attendee_of(part, me)
    return "" if mine is None else mine.parameter("PARTSTAT").strip().upper() or "NEEDS-ACTION"


def sequence_of(part: Component) -> int:
    """SEQUENCE; 0 if there is none that can be read."""
    digits = part.value("SEQUENCE").strip()
    return min(int(digits), 2**31 - 1) if digits.isascii() and digits.isdigit() and len(digits) < 12 else 0
