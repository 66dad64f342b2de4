"""Free/busy time: when the owner of calendars is busy, out of their appointments and published busy times (RFC 4791 section
7.10)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from postern.items.calendar_object import CalendarObject
from postern.items.rendered import busy_of
from postern.items.series import Series
from postern.items.time_range import periods_of
from postern.model.item_store import Busy
from postern.protocols.content_lines import Component, component, line
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import UTC_ZONE, Zone, written_utc

MAX_PERIODS = 100_000
"""Periods that are looked at for one answer: ten years of thirty appointments a day."""
STEPS = 1_000_000
"""Steps that the rules of all objects may take for one answer."""
_TYPES = {"FREE": Busy.FREE, "BUSY-TENTATIVE": Busy.TENTATIVE, "BUSY-UNAVAILABLE": Busy.OUT_OF_OFFICE}
_NAMES = {Busy.TENTATIVE: "BUSY-TENTATIVE", Busy.BUSY: "BUSY", Busy.OUT_OF_OFFICE: "BUSY-UNAVAILABLE"}


class Period(NamedTuple):
    """A period in seconds since the epoch, and how the owner is then. iCalendar has no word for `ELSEWHERE`, which none has."""

    start: int
    end: int
    busy: Busy


def free_busy(
    objects: Iterable[CalendarObject],
    start: int,
    end: int,
    floating: Zone = UTC_ZONE,
    budget: Budget | None = None,
    me: Collection[str] = (),
) -> list[Period]:
    """The periods within a span in which the owner is not free, in order and without overlap: where several are at once, the
    strongest counts, and neighbours that are alike are one. `me` are the owner's addresses in lower case: what the owner
    declined is free, and what is not answered is tentative.

    Bound: linear in the objects; at most MAX_PERIODS periods, and STEPS steps of rules.
    """
    budget = budget or Budget(STEPS)
    periods: list[Period] = []
    for calendar in objects:
        for period, _, _ in periods_in(calendar, start, end, floating, budget, me):
            clipped = Period(max(period.start, start), min(period.end, end), period.busy)
            if clipped.start < clipped.end:
                periods.append(clipped)
            if len(periods) >= MAX_PERIODS:
                return merged(periods)
    return merged(periods)


def periods_in(
    calendar: CalendarObject,
    start: int,
    end: int,
    floating: Zone,
    budget: Budget,
    me: Collection[str],
    free: bool = False,
) -> Iterator[tuple[Period, Component | None, bool]]:
    """The periods of an object that overlap a span, whole and about in the order of their starts. Each comes with the component
    of its appointment (None: it is a published time), and whether the appointment is of a series. With `free`, those in which
    the owner is free are among them.

    Bound: linear in the object; `budget` steps of rules, and those of `items.series`.
    """
    if calendar.kind == "VFREEBUSY":
        for part in calendar.parts:
            for begin, finish, source in periods_of(calendar, part, floating):
                busy = _TYPES.get(source.parameter("FBTYPE").upper(), Busy.BUSY)
                if begin < end and finish > start and (free or busy):
                    yield Period(begin, finish, busy), None, False
    elif calendar.kind == "VEVENT":
        states = {id(part): busy_of(part, me) for part in calendar.parts}
        if free or any(states.values()):
            series = Series(calendar, floating)
            for occurrence in series.between(start, end, budget=budget):
                busy = states[id(occurrence.component)]
                if free or busy:
                    yield Period(occurrence.start, occurrence.end, busy), occurrence.component, series.recurs


def merged(periods: Iterable[Period]) -> list[Period]:
    """Periods in order and without overlap, the strongest state at each time.

    Bound: as a sort of the periods.
    """
    edges = sorted([edge for period in periods for edge in _edges(period)])
    counts = dict.fromkeys(Busy, 0)
    result: list[Period] = []
    since, state = 0, Busy.FREE
    for time, step, busy in edges:
        counts[busy] += step
        now = next((each for each in sorted(Busy, reverse=True) if counts[each]), Busy.FREE)
        if now is state:
            continue
        if state is not Busy.FREE and since < time:
            if result and result[-1].end == since and result[-1].busy is state:
                result[-1] = result[-1]._replace(end=time)
            else:
                result.append(Period(since, time, state))
        since, state = time, now
    return result


def _edges(period: Period) -> tuple[tuple[int, int, Busy], tuple[int, int, Busy]]:
    """Its begin and its end, with what they add to the count of its state."""
    return (period.start, 1, period.busy), (period.end, -1, period.busy)


def published(
    periods: Iterable[Period], start: int, end: int, stamp: int, extra: Iterable[tuple[str, str]] = ()
) -> Component:
    """The periods as a VFREEBUSY component of a span, made at `stamp`; `extra` are names and values of further lines."""
    lines = [line("DTSTAMP", written_utc(stamp)), line("DTSTART", written_utc(start)), line("DTEND", written_utc(end))]
    lines += [line(name, value) for name, value in extra]
    for period in periods:
        kind = [("FBTYPE", [_NAMES[period.busy]])]
        lines.append(line("FREEBUSY", f"{written_utc(period.start)}/{written_utc(period.end)}", kind))
    return component("VFREEBUSY", lines)
