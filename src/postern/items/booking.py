"""Decides about requests to book a room or equipment, as a calendar attendant of Exchange 2007 does for a resource mailbox.

Nothing is read or sent here: the caller has the resource's busy periods, and carries out what is decided.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from postern.items.calendar_object import CalendarObject
from postern.items.free_busy import Period
from postern.items.recurrence import DAY
from postern.items.series import Occurrence, Series
from postern.model.item_store import Busy
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import When
from postern.protocols.ical.zones import UTC_ZONE, Zone

MAX_OCCURRENCES = 1_000
"""Occurrences of a request that are looked at. A booking window of a year has 366 days."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules by which a resource takes requests. Addresses are in lower case; None stands for everybody. `booking_values` says
    which plain values a policy is kept as.

    Requests of `bookers` are accepted if they are within the policy. Those of `requesters` are put before the `delegates`, and
    those of `exempt` even if they are not within the policy. Without delegates whoever may write into the resource's calendar
    decides.
    """

    automatic: bool = True
    """Whether requests are answered. Else they land tentatively, as those to people do, and whoever has the calendar answers."""
    bookers: frozenset[str] | None = None
    requesters: frozenset[str] | None = frozenset()
    exempt: frozenset[str] | None = frozenset()
    delegates: frozenset[str] = frozenset()
    outsiders: bool = False
    """Whether organizers outside this organization may book at all."""
    window_days: int = 180
    beyond_window: bool = False
    """Whether a series that goes beyond the window is accepted all the same, for the days within it."""
    longest_minutes: int = 1_440
    series: bool = True
    conflicts: bool = False
    """Whether several meetings may be at once."""
    conflicts_of_series: int = 0
    """Occurrences of a series that may be taken already, and are declined alone."""
    conflict_percent_of_series: int = 0
    response: str = ""
    """A text that each answer ends with, for example who has the key."""


class Decision(Enum):
    ACCEPT = "accept"
    DECLINE = "decline"
    ASK = "ask"
    """The resource's delegates decide; the time is kept tentatively."""


class Booking(NamedTuple):
    """A decision and its reason. `declined` are occurrences of an accepted series that are declined alone, by RECURRENCE-ID."""

    decision: Decision
    why: str = ""
    declined: tuple[When, ...] = ()


def decide(
    request: CalendarObject,
    busy: Sequence[Period],
    policy: Policy,
    organizer: str,
    now: int,
    floating: Zone = UTC_ZONE,
    budget: Budget | None = None,
) -> Booking:
    """Decides about a request of an organizer at the time `now`. `busy` are the resource's periods without this meeting's own, in
    order and without overlap, from `now` to the end of the window at least; `floating` is the resource's zone.

    Bound: `budget` steps of rules; at most MAX_OCCURRENCES occurrences, for each of which the periods are searched by halves.
    """
    problem, declined = _problem(request, busy, policy, now, floating, budget)
    if not problem and _has(policy.bookers, organizer):
        return Booking(Decision.ACCEPT, declined=declined)
    if _has(policy.exempt, organizer) or (not problem and _has(policy.requesters, organizer)):
        return Booking(Decision.ASK, problem)
    return Booking(Decision.DECLINE, problem or "not one of those who may book it")


def _has(addresses: Collection[str] | None, address: str) -> bool:
    return addresses is None or address in addresses


def _problem(
    request: CalendarObject, busy: Sequence[Period], policy: Policy, now: int, floating: Zone, budget: Budget | None
) -> tuple[str, tuple[When, ...]]:
    """Says why a request is not within the policy, "" if it is; and the occurrences that are declined alone."""
    series = Series(request, floating)
    extent = series.extent()
    if request.kind != "VEVENT" or extent is None:
        return "not an appointment", ()
    if series.recurs and not policy.series and series.masters:
        return "no series are taken", ()
    window = now + policy.window_days * DAY
    is_beyond = extent.until is None or extent.until > window
    if is_beyond and not (policy.beyond_window and series.recurs and extent.starts < window):
        return f"more than {policy.window_days} days ahead", ()
    budget = budget or Budget()
    occurrences = list(series.between(now, window, MAX_OCCURRENCES + 1, budget))
    if not occurrences:
        return "over already", ()
    if len(occurrences) > MAX_OCCURRENCES or budget.is_spent:
        return "too many occurrences", ()
    if max(occurrence.end - occurrence.start for occurrence in occurrences) > 60 * policy.longest_minutes:
        return f"longer than {policy.longest_minutes} minutes", ()
    return _conflicts(occurrences, busy, policy)


def _conflicts(
    occurrences: Sequence[Occurrence], busy: Sequence[Period], policy: Policy
) -> tuple[str, tuple[When, ...]]:
    if policy.conflicts:
        return "", ()
    taken = [occurrence for occurrence in occurrences if _is_taken(occurrence, busy)]
    if not taken:
        return "", ()
    named = [occurrence.recurrence for occurrence in taken if occurrence.recurrence is not None]
    few = len(taken) <= policy.conflicts_of_series or 100 * len(taken) <= policy.conflict_percent_of_series * len(
        occurrences
    )
    if len(named) == len(taken) < len(occurrences) and few:
        return "", tuple(named)
    return "taken already", ()


def _is_taken(occurrence: Occurrence, busy: Sequence[Period]) -> bool:
    place = bisect_left(busy, occurrence.start, key=lambda period: period.end)
    for period in busy[place : place + 3]:
        if period.start < occurrence.end and period.end > occurrence.start and period.busy is not Busy.FREE:
            return True
    return False
