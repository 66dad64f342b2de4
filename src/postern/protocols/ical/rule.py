"""Recurrence rules (RFC 5545 section 3.3.10) as values."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from postern.protocols.ical.values import When, read_when, written

MAX_RULE = 8_192
"""Characters of a rule. One that names every day of the year has 1,500."""

_WEEKDAY = re.compile(r"\s*+([+-]?+\d{0,2}+)\s*+(MO|TU|WE|TH|FR|SA|SU)\s*+")
_NUMBER = re.compile(r"\s*+([+-]?+\d{1,9}+)\s*+")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class Frequency(IntEnum):
    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4
    MINUTELY = 5
    SECONDLY = 6


@dataclass(frozen=True, slots=True)
class Rule:
    """A recurrence rule. Weekdays count from Monday, 0; `by_day` has (place, weekday) with place 0 for "every"; the other lists
    are sorted, empty where the rule does not say them."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: When | None = None
    week_start: int = 0
    by_month: tuple[int, ...] = ()
    by_week: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    by_hour: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_second: tuple[int, ...] = ()
    by_position: tuple[int, ...] = ()

    @property
    def is_endless(self) -> bool:
        return self.count is None and self.until is None


_LISTS = {
    "BYMONTH": ("by_month", 1, 12, False),
    "BYWEEKNO": ("by_week", 1, 53, True),
    "BYYEARDAY": ("by_year_day", 1, 366, True),
    "BYMONTHDAY": ("by_month_day", 1, 31, True),
    "BYHOUR": ("by_hour", 0, 23, False),
    "BYMINUTE": ("by_minute", 0, 59, False),
    "BYSECOND": ("by_second", 0, 60, False),
    "BYSETPOS": ("by_position", 1, 366, True),
}


def read_rule(text: str) -> Rule | None:
    """Reads an RRULE or EXRULE. Parts that it does not know are passed over; None: it has no FREQ, or a part that cannot be read,
    or counts in another calendar (RFC 7529).

    Bound: linear; at most MAX_RULE characters, and as many values of a list as there are different ones.
    """
    if len(text) > MAX_RULE:
        return None
    parts: dict[str, str] = {}
    for part in text.upper().split(";"):
        name, _, value = part.partition("=")
        parts.setdefault(name.strip(), value.strip())
    frequency = Frequency.__members__.get(parts.get("FREQ", ""))
    if frequency is None or parts.get("RSCALE", "GREGORIAN") != "GREGORIAN":
        return None
    rule = _with_scalars(Rule(frequency), parts)
    return rule and _with_weekdays(_with_lists(rule, parts), parts)


def _with_scalars(rule: Rule, parts: dict[str, str]) -> Rule | None:
    if "INTERVAL" in parts:
        interval = _number(parts["INTERVAL"], 0, 10**9)
        if interval is None:
            return None
        rule = replace(rule, interval=max(interval, 1))  # some programs write 0
    if "COUNT" in parts:
        count = _number(parts["COUNT"], 0, 10**9)
        if count is None:
            return None
        rule = replace(rule, count=count)
    if parts.get("UNTIL"):
        until = read_when(parts["UNTIL"])
        if until is None:
            return None
        rule = replace(rule, until=until)
    if "WKST" in parts:
        if parts["WKST"] not in WEEKDAYS:
            return None
        rule = replace(rule, week_start=WEEKDAYS.index(parts["WKST"]))
    return rule


def _with_lists(rule: Rule, parts: dict[str, str]) -> Rule | None:
    lists: dict[str, Any] = {}
    for key, (attribute, low, high, signed) in _LISTS.items():
        numbers = set()
        for text in parts.get(key, "").split(","):
            if not text.strip():
                continue
            number = _number(text, -high if signed else low, high)
            if number is None or (number == 0 and low == 1):
                return None
            numbers.add(min(number, 59) if key == "BYSECOND" else number)  # a leap second is the one before it
        if numbers:
            lists[attribute] = tuple(sorted(numbers))
    return replace(rule, **lists) if lists else rule


def _with_weekdays(rule: Rule | None, parts: dict[str, str]) -> Rule | None:
    if rule is None or not parts.get("BYDAY"):
        return rule
    days = _weekdays(parts["BYDAY"])
    return None if days is None else replace(rule, by_day=days)


def _weekdays(text: str) -> tuple[tuple[int, int], ...] | None:
    days = set()
    for part in text.split(","):
        if not part.strip():
            continue
        match = _WEEKDAY.fullmatch(part)
        if match is None or match[1] in ("+", "-"):
            return None
        place = int(match[1] or 0)
        if abs(place) > 53:
            return None
        days.add((place, WEEKDAYS.index(match[2])))
    return tuple(sorted(days))


def _number(text: str, low: int, high: int) -> int | None:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    number = int(match[1])
    return number if low <= number <= high else None


def written_rule(rule: Rule) -> str:
    """The rule as it is written, for example "FREQ=WEEKLY;BYDAY=MO,WE"."""
    parts = [f"FREQ={rule.frequency.name}"]
    if rule.until is not None:
        parts.append(f"UNTIL={written(rule.until)}")
    if rule.count is not None:
        parts.append(f"COUNT={rule.count}")
    if rule.interval != 1:
        parts.append(f"INTERVAL={rule.interval}")
    for key, (attribute, *_) in _LISTS.items():
        if getattr(rule, attribute):
            parts.append(f"{key}=" + ",".join(map(str, getattr(rule, attribute))))
    if rule.by_day:
        parts.append("BYDAY=" + ",".join([f"{place or ''}{WEEKDAYS[day]}" for place, day in rule.by_day]))
    if rule.week_start:
        parts.append(f"WKST={WEEKDAYS[rule.week_start]}")
    return ";".join(parts)
