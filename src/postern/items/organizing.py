"""Says which iTIP messages follow from a change of a stored meeting (implicit scheduling, RFC 6638 section 3.2).

Everything is a function of the object before the change and after it; None stands for one that is not there. Addresses are in
lower case, without "mailto:".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from enum import Enum
from functools import cache
from typing import NamedTuple

from postern.items import invitations
from postern.items.answers import MAX_DELEGATES
from postern.items.calendar_object import CalendarObject, organizer_of
from postern.items.copy_changes import STEPS, public, with_lines
from postern.items.occurrence import key_of, occurrence_at
from postern.items.rendered import answer_of, sequence_of, status_of
from postern.items.series import Series
from postern.protocols.content_lines import Component, Line, line
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import When, address_of, whens_of

MAX_RECIPIENTS = 1_000
"""Attendees who are sent messages about one change. Each may get a message of its own, where not all are invited to the same."""
MAX_ANSWERS = 500
"""Occurrences that one change of an attendee's copy answers."""
MAX_SENT = 32 << 20
"""Octets of the different messages about one change."""
MAX_LOOKED = 200_000
"""Components that are looked at for one change: those of the object, for each set of them to which somebody is invited."""
_AGENTS = frozenset({"NONE", "CLIENT"})
"""Values of SCHEDULE-AGENT (RFC 6638 section 7.1) by which the client says that it sends the messages itself."""
_NOT_TOLD = frozenset({"DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE"})
_TIMES = ("DTSTART", "DTEND", "DUE", "DURATION", "RRULE", "RDATE", "EXRULE", "ORGANIZER", "RECURRENCE-ID")


class Role(Enum):
    """The part that somebody has in a meeting."""

    ORGANIZER = "organizer"
    ATTENDEE = "attendee"
    NONE = "none"


class Sending(NamedTuple):
    """A message and those whom it is for."""

    addresses: tuple[str, ...]
    method: str
    octets: bytes


def role_of(calendar: CalendarObject, me: Collection[str]) -> Role:
    """The part that the owner of an object has in it. An object without ORGANIZER is no meeting."""
    organizer = organizer_of(calendar.main)
    if not organizer:
        return Role.NONE
    if organizer in me:
        return Role.ORGANIZER
    return Role.ATTENDEE if any(address in me for part in calendar.parts for address in _invited(part)) else Role.NONE


def _invited(part: Component) -> dict[str, Line]:
    """The attendees of a component by address, but for those to whom the client itself writes."""
    lines = (entry for entry in part.lines("ATTENDEE") if entry.parameter("SCHEDULE-AGENT").upper() not in _AGENTS)
    return {address_of(entry.value): entry for entry in lines}


Keys = frozenset[int | None]
"""The components of an object, by the numbers of their occurrences; None is the series."""


def organized(old: CalendarObject | None, new: CalendarObject | None, me: Collection[str], stamp: int) -> list[Sending]:
    """The messages that an organizer's change makes: invitations to those who are new and, if anything changed that they see, to
    the others; cancellations to those who are no more invited, to all of it or to some occurrences.

    Bound: linear in the objects; at most MAX_RECIPIENTS attendees, MAX_LOOKED components and MAX_SENT octets of different
    messages. Those beyond get no message.
    """
    return _Change(old, new, stamp).sendings(me)


def invitation_of(calendar: CalendarObject, address: str, stamp: int) -> bytes:
    """The invitation of one attendee to an object as it is now; b"" where the object does not invite him.

    Bound: linear in the object.
    """
    keys = _by_attendee(calendar, ()).get(address)
    return _invitation(calendar, keys, stamp) if keys else b""


class _Change:
    """A change of an organizer's object. Attendees who are invited to the same components get the same message."""

    def __init__(self, old: CalendarObject | None, new: CalendarObject | None, stamp: int) -> None:
        self.old = old
        self.new = new
        self.stamp = stamp
        self.room = MAX_SENT
        self.looks = MAX_LOOKED
        self.size = sum(len(each.parts) for each in (old, new) if each is not None)
        self.forced = _forced(new) if new is not None else frozenset()
        self.cancellations = cache(self._cancelled)
        self.invitations = cache(self._invited)
        self.is_told = cache(self._is_told)

    def sendings(self, me: Collection[str]) -> list[Sending]:
        before, after = _by_attendee(self.old, me), _by_attendee(self.new, me)
        recipients: dict[tuple[str, bytes], list[str]] = {}
        for address in sorted({*before, *after})[:MAX_RECIPIENTS]:
            had, has = before.get(address, frozenset()), after.get(address, frozenset())
            messages = [("CANCEL", self.cancellations(had, has))]
            if has and (address in self.forced or self.is_told(had, has)):
                messages.append(("REQUEST", self.invitations(has)))
            for method, octets in messages:
                if octets:
                    recipients.setdefault((method, octets), []).append(address)
        return [Sending(tuple(addresses), method, octets) for (method, octets), addresses in recipients.items()]

    def _is_told(self, had: Keys, has: Keys) -> bool:
        """Whether somebody sees a change who was invited to these components, and is now to those."""
        if self.old is None or self.new is None or not had:
            return True
        if not self._may_look():
            return False
        return _shown_of(self.old, had) != _shown_of(self.new, has)

    def _cancelled(self, had: Keys, has: Keys) -> bytes:
        if self.old is None or not self._may_look():
            return b""
        lost = _lost(self.old, self.new, had, has)
        return self._sent(_cancellation(self.old, self.new, lost, self.stamp) if lost else b"")

    def _invited(self, has: Keys) -> bytes:
        if self.new is None or not self._may_look():
            return b""
        return self._sent(_invitation(self.new, has, self.stamp))

    def _may_look(self) -> bool:
        self.looks -= self.size
        return self.looks >= 0

    def _sent(self, octets: bytes) -> bytes:
        self.room -= len(octets)
        return octets if self.room >= 0 else b""


def _by_attendee(calendar: CalendarObject | None, me: Collection[str]) -> dict[str, Keys]:
    """By attendee, the components that invite him. A cancelled one invites nobody."""
    keys: dict[str, set[int | None]] = {}
    if calendar is not None:
        for part in calendar.parts:
            key = key_of(calendar, part)
            for address in _invited(part) if status_of(part) != "CANCELLED" else ():
                if address not in me:
                    keys.setdefault(address, set()).add(key)
    return {address: frozenset(each) for address, each in keys.items()}


def _lost(old: CalendarObject | None, new: CalendarObject | None, had: Keys, has: Keys) -> Keys:
    """The occurrences to which somebody is no more invited; {None}: the whole object, or the whole series."""
    if old is None or not has or new is None:
        return frozenset({None}) if None in had else had
    if None in had and None in has:
        return _keys(new) - has - (_keys(old) - had)
    return had - has if None not in has else frozenset()


def _keys(calendar: CalendarObject) -> Keys:
    return frozenset(key_of(calendar, part) for part in calendar.parts)


def _invitation(new: CalendarObject, keys: Keys, stamp: int) -> bytes:
    """The object as those see it who are invited to these of its components: other exceptions are dates that the series does not
    have."""
    parts: list[Component] = []
    without: list[Line] = []
    for part in new.parts:
        key = key_of(new, part)
        if key in keys:
            parts.append(public(part))
        elif None in keys and (entry := part.first("RECURRENCE-ID")) is not None:
            without.append(line("EXDATE", entry.value, [each for each in entry.parameters if each[0] != "RANGE"]))
    if without and parts:
        parts = [with_lines(part, without) if part.first("RECURRENCE-ID") is None else part for part in parts]
    return invitations.request(_with_parts(new, parts), stamp)


def _cancellation(old: CalendarObject, new: CalendarObject | None, keys: Keys, stamp: int) -> bytes:
    """The cancellation of the object, or of some of its occurrences."""
    parts = {key: part for part in old.parts if (key := key_of(old, part)) in keys}
    for key, part in [(key_of(new, part), part) for part in new.parts] if new is not None else []:
        if key in keys and key not in parts:  # an exception that was made to leave somebody out
            others = [entry for entry in part.entries if entry.name != "ATTENDEE"]
            parts[key] = with_lines(replace(part, entries=others), list(old.main.lines("ATTENDEE")))
    sequence = max(sequence_of(part) for source in (old, new or old) for part in source.parts)
    if new is None:  # else who is invited again would take the invitation for the older message
        sequence += 1
    return invitations.cancel(_with_parts(old, [public(part) for part in parts.values()]), stamp, sequence)


def _with_parts(calendar: CalendarObject, parts: list[Component]) -> CalendarObject:
    return replace(calendar, parts=parts)


def _shown_of(calendar: CalendarObject, keys: Keys) -> dict[int | None, frozenset[str]]:
    """Gives what the attendees of these components see of the object, without answers and dates of changes."""
    parts = ((key_of(calendar, part), part) for part in calendar.parts)
    return {key: frozenset(_shown(part)) for key, part in parts if key in keys or None in keys}


def _shown(part: Component) -> Iterable[str]:
    for entry in part.lines():
        if entry.name == "ATTENDEE":
            yield f"ATTENDEE {address_of(entry.value)}"
        elif entry.name not in _NOT_TOLD and not entry.name.startswith("X-"):
            yield f"{entry.name} {entry.parameter('TZID')} {entry.value}"


def _forced(new: CalendarObject) -> frozenset[str]:
    """Those to whom the client asks to send although nothing changed (SCHEDULE-FORCE-SEND, RFC 6638 section 7.2)."""
    invited = (each for part in new.parts for each in _invited(part).items())
    return frozenset(
        address for address, entry in invited if entry.parameter("SCHEDULE-FORCE-SEND").upper() == "REQUEST"
    )


# --- attendees


def answered(old: CalendarObject, new: CalendarObject | None, address: str, stamp: int) -> list[Sending]:
    """The messages that an attendee's change of his copy makes: answers where PARTSTAT changed, and "DECLINED" to occurrences
    that he took out, or to all if the copy is gone; and invitations to those to whom he delegates now.

    Bound: linear in the objects; at most MAX_ANSWERS occurrences that he took out are answered, MAX_DELEGATES are invited, and
    STEPS steps of rules.
    """
    line_of_organizer = (new or old).main.first("ORGANIZER")
    if line_of_organizer is None or not is_served(new or old):
        return []
    organizer = organizer_of((new or old).main)
    by_status: dict[str, list[Component]] = {}
    if new is None:
        by_status["DECLINED"] = [part for part in old.parts if _answer(part, address) not in ("DECLINED", "")]
    else:
        forced = line_of_organizer.parameter("SCHEDULE-FORCE-SEND").upper() == "REPLY"
        before = {key_of(old, part): part for part in old.parts}
        for part in new.parts:
            known = before.get(key_of(new, part)) or before.get(None)
            status = _answer(part, address)
            if status and (forced or status != ("" if known is None else _answer(known, address) or "NEEDS-ACTION")):
                by_status.setdefault(status, []).append(part)
        by_status.setdefault("DECLINED", []).extend(_taken_out(old, new))
    source = new or old
    replies = [
        Sending((organizer,), "REPLY", invitations.reply(source, address, status, stamp, parts))
        for status, parts in by_status.items()
        if any(_answer(part, address) for part in parts)
    ]
    return [*replies, *_delegations(old, new, address, stamp)]


def _delegations(old: CalendarObject, new: CalendarObject | None, address: str, stamp: int) -> list[Sending]:
    if new is None:
        return []
    added = [each for each in _delegates(new, (address,)) if each not in _delegates(old, (address,))]
    return [
        Sending((delegate,), "REQUEST", invitations.delegated(new, address, delegate, stamp))
        for delegate in added[:MAX_DELEGATES]
    ]


def _delegates(calendar: CalendarObject, me: Collection[str]) -> list[str]:
    """Those to whom an attendee delegates some part of the object."""
    lines = (entry for part in calendar.parts for entry in part.lines("ATTENDEE") if address_of(entry.value) in me)
    named = [address_of(value) for entry in lines for value in entry.parameter_values("DELEGATED-TO")]
    return [each for each in dict.fromkeys(named) if "@" in each]


def _answer(part: Component, address: str) -> str:
    """An attendee's answer; "" also if the meeting is cancelled."""
    return "" if status_of(part) == "CANCELLED" else answer_of(part, (address,))


def _taken_out(old: CalendarObject, new: CalendarObject) -> list[Component]:
    """The occurrences that EXDATE takes out of the copy now, and did not before."""
    if old.master is None or new.master is None:
        return []
    series = Series(old)
    if not series.masters:
        return []
    base = series.masters[0]
    budget = Budget(STEPS)
    taken: list[Component] = []
    for entry in new.master.lines("EXDATE"):
        for value in whens_of(entry):
            if isinstance(value, When) and len(taken) < MAX_ANSWERS and not base.excludes(value):
                made = occurrence_at(series, old, value, budget)
                taken += [made] if made is not None else []
    return taken


def is_served(calendar: CalendarObject) -> bool:
    """Whether the server tells the organizer what an attendee does with his copy; else the client does (SCHEDULE-AGENT)."""
    entry = calendar.main.first("ORGANIZER")
    return entry is not None and entry.parameter("SCHEDULE-AGENT").upper() not in _AGENTS


def is_moved(old: Component, part: Component) -> bool:
    """Whether a component has other times, or another rule, than it had."""
    return any(
        _values(old, name) != _values(part, name) for name in _TIMES if name not in ("ORGANIZER", "RECURRENCE-ID")
    )


def forbidden_change(old: CalendarObject, new: CalendarObject, me: Collection[str]) -> str:
    """Names what an attendee's change of his copy changes and must not: times, rules, organizer and other attendees (RFC 6638
    section 3.2.2.1); "" if it is allowed. Exceptions of his own may be made, and those added to whom he delegates.

    Bound: linear in the objects.
    """
    before = {key_of(old, part): part for part in old.parts}
    mine = {*me, *_delegates(new, me)}
    for part in new.parts:
        known = before.get(key_of(new, part))
        if known is None:
            continue
        for name in _TIMES:
            if _values(part, name) != _values(known, name):
                return name
        others = [sorted(a for a in map(_address, each.lines("ATTENDEE")) if a not in mine) for each in (part, known)]
        if others[0] != others[1]:
            return "ATTENDEE"
    return ""


def _address(entry: Line) -> str:
    return address_of(entry.value)


def _values(part: Component, name: str) -> list[tuple[str, str]]:
    return [_value(entry) for entry in part.lines(name)]


def _value(entry: Line) -> tuple[str, str]:
    value = address_of(entry.value) if entry.name == "ORGANIZER" else entry.value.strip().upper()
    return entry.parameter("TZID"), value
