"""Notes in the copies of a meeting what attendees say (RFC 5546 sections 3.2.3 and 3.2.7): answers, delegations, and proposals
of another time.

`speaker` is the attendee for whom a message speaks, in lower case; "" stands for the first that it names.
"""

from __future__ import annotations

from postern.items.calendar_object import CalendarObject
from postern.items.copy_changes import Action, Applied, Copy
from postern.items.recurrence import timing_of
from postern.items.rendered import attendee_of, sequence_of
from postern.items.series import Series
from postern.protocols.content_lines import Component, Line, line, with_parameters
from postern.protocols.ical.values import Kind, When, address_of, written
from postern.protocols.ical.zones import UTC_ZONE, moment

REPLIED = "X-POSTERN-REPLIED"
"""The parameter of ATTENDEE in an organizer's copy that has the DTSTAMP of the attendee's last answer."""
PROPOSED = "X-POSTERN-PROPOSED"
"""The parameter of ATTENDEE that has the time which the attendee proposes instead, as a PERIOD in UTC or of dates: in the
organizer's copy, and in the own copy of the attendee."""
_STATUS, _SUCCESS = "SCHEDULE-STATUS", "2.0"
"""The parameter by which the server says what became of its message to an attendee, and its value once that is answered (RFC 6638
section 3.2.9)."""
NOTES = frozenset({REPLIED, PROPOSED})
"""Parameters by which a copy notes something. Others do not get them."""
MAX_DELEGATES = 8
"""Delegates of one attendee who are added to the attendees, by however many answers."""
MAX_EXCEPTIONS = 1_000
"""Exceptions of a copy beside which answers to single occurrences make no further ones. Each repeats all attendees: else one of
them makes a weekly meeting as large as an object may be."""
MAX_DELEGATED = 100
"""Attendees of a component to whom somebody delegated. Their number is what bounds chains of delegates."""


def reply(copy: Copy, message: CalendarObject, speaker: str) -> Applied:
    """Notes an attendee's answer in the organizer's copy. Delegates become attendees, and answer themselves."""
    for part in message.parts:
        answer = _answer_in(part, speaker)
        target = _target(copy, message, part)
        if answer is None or target is None or sequence_of(part) < sequence_of(target):
            continue
        made = _answered(target, answer, part.value("DTSTAMP"), copy.key(message, part) not in copy.parts)
        if made is not None:
            copy.set(copy.key(message, part), made)
    return copy.result(message)


def counter(copy: Copy, message: CalendarObject, speaker: str) -> Applied:
    """Notes in the organizer's copy which time an attendee proposes. The organizer decides: the times stay as they are."""
    series = Series(message)
    for part in message.parts:
        answer = _answer_in(part, speaker)
        target = _target(copy, message, part)
        period = _period(series, part)
        if answer is None or target is None or not period or sequence_of(part) < sequence_of(target):
            continue
        is_new = copy.key(message, part) not in copy.parts
        made = _answered(target, answer, part.value("DTSTAMP"), is_new, [(PROPOSED, [period])])
        if made is not None:
            copy.set(copy.key(message, part), made)
    return copy.result(message)


def decline_counter(copy: Copy, message: CalendarObject, me: frozenset[str]) -> Applied:
    """Takes the own proposal, which the organizer refuses, out of an attendee's copy."""
    for part in message.parts:
        place = copy.place_of(copy.key(message, part))
        target = copy.parts.get(place)
        mine = None if target is None else attendee_of(target, me)
        if target is None or mine is None or not mine.parameter(PROPOSED):
            continue
        copy.set(place, with_proposal(target, address_of(mine.value), ""))
    return copy.result(message) if copy.is_changed else Applied(Action.TELL, why="the refusal of a proposal")


def with_proposal(part: Component, address: str, period: str) -> Component:
    """An attendee's component that notes the time which he has proposed; "" takes the note out."""
    made = part.copy()
    made.change(
        lambda entry: with_parameters(entry, {PROPOSED: period}) if address_of(entry.value) == address else entry,
        "ATTENDEE",
    )
    return made


def _target(copy: Copy, message: CalendarObject, part: Component) -> Component | None:
    """The component that an answer is about; None: there is none, or it would be one exception too many."""
    if len(copy.parts) > MAX_EXCEPTIONS and copy.key(message, part) not in copy.parts:
        return None
    return copy.part_of(message, part)


def _answer_in(part: Component, speaker: str) -> Line | None:
    return attendee_of(part, (speaker,)) if speaker else part.first("ATTENDEE")


def _period(series: Series, part: Component) -> str:
    """The time of a component as a PERIOD; "" if it has none."""
    timing = timing_of(part, series.zones)
    if timing is None or part.first("DTSTART") is None:
        return ""
    end = series.end_of(timing.start, timing.length)
    kind = Kind.DATE if timing.start.is_date else Kind.UTC
    start = series.zones.utc(timing.start, UTC_ZONE)
    return "/".join([written(When(moment(time), kind)) for time in (start, end)])


def _answered(
    target: Component,
    answer: Line,
    stamp: str,
    is_new: bool,
    notes: list[tuple[str, list[str]]] | None = None,
) -> Component | None:
    """The component with an attendee's answer; None: an older one, or of somebody who was not invited. An exception that `is_new`
    has the series' answers, to which this one may have come together."""
    address = address_of(answer.value)
    made = target.copy()
    for place, entry in enumerate(made.entries):
        if not isinstance(entry, Line) or entry.name != "ATTENDEE" or address_of(entry.value) != address:
            continue
        last = entry.parameter(REPLIED)
        if last and (stamp < last or (stamp == last and not is_new)):
            return None
        answered = _with_answer(entry, answer, stamp, notes or [])
        if sorted(answered.parameters) == sorted(entry.parameters):
            return None
        made.entries[place] = answered
        return _with_delegates(made, place, answered)
    return None


def _with_answer(entry: Line, answer: Line, stamp: str, notes: list[tuple[str, list[str]]]) -> Line:
    """The organizer's line of an attendee with what the attendee says: PARTSTAT, and to whom it was delegated. A proposal that
    says nothing of PARTSTAT leaves it."""
    theirs = ["PARTSTAT", "DELEGATED-TO", "DELEGATED-FROM"]
    if notes and answer.parameter("PARTSTAT").upper() in ("", "NEEDS-ACTION"):
        theirs.remove("PARTSTAT")
    kept = [(name, values) for name, values in entry.parameters if name not in (*theirs, "RSVP", _STATUS, *NOTES)]
    said = [(name, values) for name, values in answer.parameters if name in theirs and values]
    if entry.parameter(_STATUS):
        said.append((_STATUS, [_SUCCESS]))
    return line("ATTENDEE", entry.value, [*kept, *said, *([(REPLIED, [stamp])] if stamp else []), *notes])


def delegate_line(delegate: str, delegator: Line) -> Line:
    """The ATTENDEE of somebody to whom an attendee delegated, who has not answered yet."""
    said = [("PARTSTAT", ["NEEDS-ACTION"]), ("RSVP", ["TRUE"]), ("DELEGATED-FROM", [delegator.value])]
    return line("ATTENDEE", f"mailto:{delegate}", said)


def _with_delegates(part: Component, place: int, answered: Line) -> Component:
    """Adds those to whom an attendee delegated, behind him: they get what the organizer sends, and may answer."""
    if answered.parameter("PARTSTAT").upper() != "DELEGATED":
        return part
    attendees = list(part.lines("ATTENDEE"))
    invited = {address_of(entry.value) for entry in attendees}
    delegators = [address_of(entry.parameter("DELEGATED-FROM")) for entry in attendees]
    own, others = delegators.count(address_of(answered.value)), len(delegators) - delegators.count("")
    room = min(MAX_DELEGATES - own, MAX_DELEGATED - others)
    for delegate in answered.parameter_values("DELEGATED-TO"):
        if room > 0 and "@" in delegate and address_of(delegate) not in invited:
            room -= 1
            place += 1
            part.entries.insert(place, delegate_line(address_of(delegate), answered))
            invited.add(address_of(delegate))
    return part
