"""Applies iTIP messages (RFC 5546) to calendar objects: what an attendee's or an organizer's copy becomes by a message.

Everything is a function of the copy and the message. A message that comes twice changes nothing the second time, and older ones
change nothing after newer ones (section 2.1.5): by SEQUENCE, then DTSTAMP, for each occurrence and, in replies, for each
attendee. The caller has made sure that the message comes from whom it says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

from postern.items import answers
from postern.items.calendar_object import CalendarObject, organizer_of, uid_of
from postern.items.copy_changes import Action, Applied, Copy, assembled, public, version_of, with_lines
from postern.items.occurrence import is_future, key_of
from postern.items.rendered import sequence_of, status_of
from postern.protocols.content_lines import Component, Line, line
from postern.protocols.ical.values import address_of

MAX_PARTS = 1_000
"""Components of a message. Programs send a series with its exceptions, or an occurrence or two."""
_ABSENT = Applied(Action.NOTHING, why="not there")


class People(NamedTuple):
    """The owner's addresses, and the attendee for whom a message speaks ("": the first that it names); in lower case."""

    me: frozenset[str]
    speaker: str


def apply(stored: CalendarObject | None, message: CalendarObject, me: Collection[str], speaker: str = "") -> Applied:
    """Applies a message to a copy (None: there is none with this UID). `me` are the owner's addresses in lower case. `speaker` is
    the attendee for whom an answer or a proposal speaks, in lower case; "": the first that it names.

    Bound: linear in copy and message, of at most MAX_PARTS components; it adds MAX_GROWTH lines beside those of the message, and
    takes STEPS steps of rules.
    """
    if len(message.parts) > MAX_PARTS:
        return Applied(Action.NOTHING, why="too many components")
    if stored is not None and (stored.kind, stored.uid) != (message.kind, message.uid):
        return Applied(Action.NOTHING, why="another object")
    if stored is not None and not _is_same_organizer(stored, message):
        return Applied(Action.NOTHING, why="another organizer")
    message = replace(message, parts=[part for part in message.parts if uid_of(part) == message.uid])
    handler = _HANDLERS.get(message.method)
    people = People(frozenset(me), speaker)
    return handler(stored, message, people) if handler is not None else Applied(Action.NOTHING, why="no such method")


def _is_same_organizer(stored: CalendarObject, message: CalendarObject) -> bool:
    """Nobody takes over an object by knowing its UID, and nobody else changes an appointment of the owner that has no organizer.
    Replies need not name the organizer."""
    theirs = organizer_of(message.main)
    return not theirs or theirs == organizer_of(stored.main)


def _request(stored: CalendarObject | None, message: CalendarObject, people: People) -> Applied:
    """A new object, or a newer version of one. A series that is moved loses the exceptions that the message does not have."""
    if stored is None:
        # The first of an occurrence counts.
        parts = {key_of(message, part): _with_mine(part, None, ()) for part in reversed(message.parts)}
        return Applied(Action.STORE, assembled(message, message, list(reversed(parts.values()))))
    copy = Copy(stored)
    if message.master is not None and version_of(message, message.master) < copy.version(None):
        return Applied(Action.NOTHING, why="not newer")
    is_series_newer = False
    for part in sorted(message.parts, key=lambda part: part.first("RECURRENCE-ID") is not None):
        key = copy.key(message, part)
        version: tuple[int, ...] = version_of(message, part)
        known: tuple[int, ...] = copy.version(key)
        if key is not None and is_series_newer:
            # It comes with the series as that is now. A cancelled series has given its exceptions its own SEQUENCE.
            version, known = version[1:], known[1:]
        if version <= known and (key in copy.parts or key is None):
            continue
        old = copy.describing(key)
        if key is not None and old is not None and not is_series_newer and sequence_of(part) < sequence_of(old):
            continue
        if key is None:
            is_series_newer = True  # and the exceptions that come with it are those that it has now
            if version[0] > known[0]:
                copy.clear()
        elif is_future(part):
            for each in copy.later(key):
                if sequence_of(copy.parts[each]) < sequence_of(part) or is_future(copy.parts[each]):
                    copy.remove(each)  # this and all future ones are what the message says
        copy.set(key, _with_mine(part, old, people.me))
    return copy.result(message)


_MINE = frozenset({"CATEGORIES", "COLOR", "X-MICROSOFT-CDO-BUSYSTATUS", "TRANSP"})


def _with_mine(part: Component, old: Component | None, me: Collection[str]) -> Component:
    """A newer version with what the owner of the copy has set: alarms and categories; where the meeting was not moved, also the
    answer and how it shows in free/busy time."""
    made = public(part)  # what a client and its server say to each other is not for messages
    if old is None:
        made.entries = [entry for entry in made.entries if not _is_another_alarm(entry)]
        return made
    made.entries = [entry for entry in made.entries if entry.name != "VALARM"] + list(old.components("VALARM"))
    moved = sequence_of(part) > sequence_of(old)
    for name in _MINE if not moved else ("CATEGORIES", "COLOR"):
        mine = old.first(name)
        if mine is not None:
            made.replace(name, mine)
    if not moved:
        answers = {address_of(entry.value): entry for entry in old.lines("ATTENDEE") if address_of(entry.value) in me}
        made.change(lambda entry: answers.get(address_of(entry.value), entry), "ATTENDEE")
    return made


def _is_another_alarm(entry: Line | Component) -> bool:
    """Whether an entry is an alarm that does more than to show something: others do not have mails sent to the owner."""
    return (
        isinstance(entry, Component) and entry.name == "VALARM" and entry.value("ACTION").strip().upper() != "DISPLAY"
    )


def _cancel(stored: CalendarObject | None, message: CalendarObject, people: People) -> Applied:
    if stored is None:
        return _ABSENT
    copy = Copy(stored)
    # A message has one component for an occurrence or for the whole; of several the first counts.
    by_key = {copy.key(message, part): part for part in reversed(message.parts)}
    for key, part in reversed(by_key.items()):
        attendees = {address_of(entry.value) for entry in part.lines("ATTENDEE")}
        if attendees and people.me and attendees.isdisjoint(people.me):
            continue  # others are taken off the list, and the meeting takes place
        version = version_of(message, part)
        known = copy.newest() if key is None and None not in copy.parts else copy.version(key)
        if version <= known or version[0] < copy.version(None)[0]:
            continue
        if key is None:
            for each, old in list(copy.parts.items()):
                copy.set(each, _cancelled(old, part))
            continue
        if is_future(part):
            for each in copy.later(key):
                old = copy.parts[each]
                if status_of(old) != "CANCELLED" or sequence_of(old) < version[0]:
                    copy.set(each, _cancelled(old, part))
        old_part = copy.part_of(message, part, anew=is_future(part))
        if old_part is not None:
            copy.set(key, _cancelled(old_part, part))
    return copy.result(message)


def _cancelled(old: Component, part: Component) -> Component:
    made = old.copy()
    made.replace("STATUS", line("STATUS", "CANCELLED"))
    for name in ("SEQUENCE", "DTSTAMP", "COMMENT"):
        newer = part.first(name)
        if newer is not None:
            made.replace(name, newer)
    return made


def _add(stored: CalendarObject | None, message: CalendarObject, people: People) -> Applied:
    """Further occurrences of a series: each is an RDATE, and an exception that describes it (section 3.2.4)."""
    if stored is None or stored.master is None:
        return Applied(Action.REFRESH, why="an occurrence of what is not there")
    copy = Copy(stored)
    dates: list[Line] = []
    for part in message.parts:
        start = part.first("DTSTART")
        if start is None or part.first("RECURRENCE-ID") is not None:
            continue
        made = _with_mine(part, None, ())
        made.replace("RECURRENCE-ID", line("RECURRENCE-ID", start.value, start.parameters))
        key = copy.key(message, made)
        if key in copy.parts or sequence_of(part) < copy.version(None)[0]:
            continue
        dates.append(line("RDATE", start.value, start.parameters))
        copy.set(key, made)
    if dates:
        copy.set(None, with_lines(copy.parts[None], dates))
    return copy.result(message)


def _reply(stored: CalendarObject | None, message: CalendarObject, people: People) -> Applied:
    return answers.reply(Copy(stored), message, people.speaker) if stored is not None else _ABSENT


def _counter(stored: CalendarObject | None, message: CalendarObject, people: People) -> Applied:
    return answers.counter(Copy(stored), message, people.speaker) if stored is not None else _ABSENT


def _decline_counter(stored: CalendarObject | None, message: CalendarObject, people: People) -> Applied:
    return answers.decline_counter(Copy(stored), message, people.me) if stored is not None else _ABSENT


def _send(stored: CalendarObject | None, message: CalendarObject, people: People) -> Applied:
    return Applied(Action.SEND) if stored is not None else _ABSENT


_HANDLERS: Mapping[str, Callable[[CalendarObject | None, CalendarObject, People], Applied]] = {
    "PUBLISH": _request,
    "REQUEST": _request,
    "REPLY": _reply,
    "ADD": _add,
    "CANCEL": _cancel,
    "REFRESH": _send,
    "COUNTER": _counter,
    "DECLINECOUNTER": _decline_counter,
}
