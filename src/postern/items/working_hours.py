"""The working hours of the owner of a mailbox, in the form in which Outlook keeps them (MS-OXOCAL section 2.2.5.1.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from postern.protocols import xml
from postern.protocols.ical.bias_zones import DAYS, BiasZone, Change

NAMESPACE = "WorkingHours.xsd"
GROUPS = {"Day": 0b1111111, "Weekday": 0b0111110, "WeekendDay": 0b1000001}
MAX_OCTETS = 16_384
_BOUNDS = xml.Bounds(octets=MAX_OCTETS, depth=12, elements=200, attributes=50, value=200)
_TIME = re.compile(r"(\d\d):(\d\d):\d\d(?:\.0+)?", re.ASCII)
_DATE = re.compile(r"(\d{4})/(\d\d)/(\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """The hours from `start` to `end`, minutes since midnight, on `days` (bit 0 is Sunday). `zone` None: that of whoever asks.
    `name` is what the zone is called."""

    days: int = GROUPS["Weekday"]
    start: int = 8 * 60
    end: int = 17 * 60
    zone: BiasZone | None = None
    name: str = ""

    @property
    def names(self) -> str:
        """The days as lists of days are written: "Monday Tuesday"."""
        return " ".join([name for bit, name in enumerate(DAYS) if self.days >> bit & 1])


DEFAULT = WorkingHours()
"""The hours of an owner who has set none: those that Outlook begins with."""


def days_of(names: str) -> int:
    """The bits of days by their names, or by those of GROUPS. Raises ValueError for another name.

    Bound: linear in the names.
    """
    bits = 0
    for name in names.split():
        if name not in GROUPS and name not in DAYS:
            raise ValueError(f"{name[:20]} is no day")
        bits |= GROUPS[name] if name in GROUPS else 1 << DAYS.index(name)
    return bits


def _n(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


@lru_cache(maxsize=1_024)  # the same for most people of an organization
def read(text: str) -> WorkingHours | None:
    """Reads working hours. None: they cannot be read.

    Bound: linear in the text; at most MAX_OCTETS octets and 200 elements.
    """
    try:
        root = xml.read(text.encode(), _BOUNDS)
        version = root.find(_n("WorkHoursVersion1")) or xml.Element("")
        slot = version.find(_n("TimeSlot")) or xml.Element("")
        days = days_of(version.text_of(_n("WorkDays")))
        start, end = (_minute(slot.text_of(_n(name))) for name in ("Start", "End"))
        described = version.find(_n("TimeZone"))
        name = described.text_of(_n("Name"))[:200] if described is not None else ""
        zone = _zone(described) if described is not None else None
    except (xml.XmlError, ValueError):
        return None
    return WorkingHours(days, start, end, zone, name) if start < end or not days else None


def _minute(text: str) -> int:
    match = _TIME.fullmatch(text.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError("no time of day")
    return int(match[1]) * 60 + int(match[2])


def _zone(described: xml.Element) -> BiasZone:
    changes = []
    for name in ("Standard", "DayLight"):
        part = described.find(_n(name))
        when = part.find(_n("ChangeDate")) if part is not None else None
        date = _DATE.fullmatch(when.text_of(_n("Date")).strip()) if when is not None else None
        if part is None or when is None or date is None or not int(date[2]):
            return BiasZone(int(described.text_of(_n("Bias"))))
        year, month, day = (int(number) for number in date.groups())
        weekday, minute = int(when.text_of(_n("DayOfWeek"))), _minute(when.text_of(_n("Time")))
        changes.append(Change(int(part.text_of(_n("Bias"))), month, day, weekday, minute, year))
    return BiasZone(int(described.text_of(_n("Bias"))), *changes)


def written(hours: WorkingHours) -> str:
    """Writes working hours as `read` reads them."""
    zone = ""
    if hours.zone is not None:
        parts = "".join(
            [
                _change(name, change)
                for name, change in (("Standard", hours.zone.standard), ("DayLight", hours.zone.daylight))
                if change is not None
            ]
        )
        zone = f"<TimeZone><Bias>{hours.zone.bias}</Bias>{parts}<Name>{xml.text(hours.name)}</Name></TimeZone>"
    slot = f"<TimeSlot><Start>{_clock(hours.start)}</Start><End>{_clock(hours.end)}</End></TimeSlot>"
    return (
        f'<Root xmlns="{NAMESPACE}"><WorkHoursVersion1>{zone}{slot}<WorkDays>{hours.names}</WorkDays>'
        "</WorkHoursVersion1></Root>"
    )


def _change(name: str, change: Change) -> str:
    date = f"{change.year:04}/{change.month:02}/{change.order:02}"
    when = f"<Time>{_clock(change.minute)}</Time><Date>{date}</Date><DayOfWeek>{change.weekday}</DayOfWeek>"
    return f"<{name}><Bias>{change.bias}</Bias><ChangeDate>{when}</ChangeDate></{name}>"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}:00"
