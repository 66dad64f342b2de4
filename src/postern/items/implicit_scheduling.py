"""Says what somebody's change of a meeting in his own calendar means (RFC 6638 section 3.2): whether it may be, what is stored,
and which messages are sent.

None stands for an object that is not there. Addresses are in lower case, without "mailto:". The octets of a new object stay as
they are, but for the lines that the server has to write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from postern.items.answers import REPLIED
from postern.items.calendar_object import CalendarObject, Refused, organizer_of
from postern.items.copy_changes import STEPS
from postern.items.occurrence import key_of, occurrence_part
from postern.items.organizing import (
    Role,
    Sending,
    answered,
    forbidden_change,
    is_moved,
    is_served,
    organized,
    role_of,
)
from postern.items.rendered import attendee_of, sequence_of
from postern.items.series import Series, span_of
from postern.protocols.content_lines import Component, Line, line, with_parameters
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import address_of

SENT, NOBODY = "1.1", "3.7"
"""Values of SCHEDULE-STATUS (RFC 6638 section 3.2.9): the message is on its way, and there is no such calendar user."""
MAX_MADE = 500
"""New exceptions whose times one change compares with those of the series, for each takes a walk along the series' dates."""
_STATUS, _FORCED = "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND"


class Intended(NamedTuple):
    """The meaning of a change. `role` is the part that the owner has in the meeting, `sendings` are the messages to others.
    `is_written`: the server wrote into the new object, so that it is no longer what was put."""

    role: Role
    sendings: list[Sending]
    is_written: bool = False


def intended(
    old: CalendarObject | None,
    new: CalendarObject | None,
    me: Collection[str],
    stamp: int,
    keeps_answers: bool = False,
    replies: bool = True,
) -> Intended | Refused:
    """Judges a change, and writes into `new` what an organizer's server has to write: a moved meeting gets a higher SEQUENCE and
    is answered anew (section 3.2.8). With `keeps_answers` an organizer's new object gets the answers that came after the client
    read the old one (section 3.2.10). Without `replies` an attendee's change is not told to the organizer (section 8.1).

    Bound: as `organized` and `answered`; MAX_MADE new exceptions are compared with the series, in STEPS steps of rules.
    """
    before = Role.NONE if old is None else role_of(old, me)
    after = Role.NONE if new is None else role_of(new, me)
    if before is Role.NONE and after is Role.NONE:
        return Intended(Role.NONE, [], new is not None and _without_force(new))
    refused = _refused(old, new, before, after, me)
    if refused is not None:
        return refused
    is_written = False
    if Role.ORGANIZER in (before, after):
        ours_before, ours_after = (old if before is Role.ORGANIZER else None), new if after is Role.ORGANIZER else None
        if ours_before is not None and ours_after is not None:
            if keeps_answers:
                is_written = _keep_answers(ours_before, ours_after)
            is_written = _ask_anew(ours_before, ours_after, me) or is_written
        sendings = organized(ours_before, ours_after, me, stamp)
        role = Role.ORGANIZER
    else:
        role = Role.ATTENDEE
        sendings = (
            _answers(old if before is role else None, new if after is role else None, me, stamp) if replies else []
        )
    if new is not None:
        is_written = _without_force(new) or is_written
    return Intended(role, sendings, is_written)


def _refused(
    old: CalendarObject | None, new: CalendarObject | None, before: Role, after: Role, me: Collection[str]
) -> Refused | None:
    """The precondition that a change does not meet (section 3.2.4)."""
    if new is None:
        return None
    organizers = {organizer_of(part) for part in new.parts} - {""}
    if len(organizers) > 1:
        return Refused("same-organizer-in-all-components", "components with different organizers")
    if before is Role.ORGANIZER and after is not Role.ORGANIZER and organizers:
        return Refused("allowed-organizer-scheduling-object-change", "a meeting keeps its organizer")
    if before is Role.ATTENDEE and old is not None and is_served(old):
        name = forbidden_change(old, new, me)
        if name:
            return Refused("allowed-attendee-scheduling-object-change", f"{name} is the organizer's to change")
    return None


def _answers(old: CalendarObject | None, new: CalendarObject | None, me: Collection[str], stamp: int) -> list[Sending]:
    """The answers of an attendee. One who brings a copy that was not there answers what it says."""
    source = new if new is not None else old
    mine = (
        next((mine for part in source.parts if (mine := attendee_of(part, me)) is not None), None) if source else None
    )
    if mine is None:
        return []
    address = address_of(mine.value)
    if old is None:
        assert new is not None
        old = _unanswered(new, me)
    return answered(old, new, address, stamp)


def _unanswered(calendar: CalendarObject, me: Collection[str]) -> CalendarObject:
    """The object as it was before its owner answered."""
    parts = [part.copy() for part in calendar.parts]
    for part in parts:
        part.change(
            lambda entry: with_parameters(entry, {"PARTSTAT": ""}) if address_of(entry.value) in me else entry,
            "ATTENDEE",
        )
    return replace(calendar, parts=parts)


def _ask_anew(old: CalendarObject, new: CalendarObject, me: Collection[str]) -> bool:
    """Asks everybody again whether he comes, where a component has other times. Returns whether something was written."""
    is_written = False
    for former, part in _moved(old, new):
        if sequence_of(part) <= sequence_of(former):
            part.replace("SEQUENCE", line("SEQUENCE", str(sequence_of(former) + 1)))
            is_written = True
        is_written |= part.change(partial(_asked_anew, me=me), "ATTENDEE")
    return is_written


def _moved(old: CalendarObject, new: CalendarObject) -> Iterator[tuple[Component, Component]]:
    """The components that have other times than before, behind what they were. An exception that is new was an occurrence of the
    series; programs write its times in other forms than those of the series, so that the moments count."""
    known = {key_of(old, part): part for part in old.parts}
    made = []
    for part in new.parts:
        former = known.get(key_of(new, part))
        if former is None:
            made.append(part)
        elif is_moved(former, part):
            yield former, part
    if made and old.master is not None:
        series, budget = Series(old), Budget(STEPS)
        for part in made[:MAX_MADE]:
            former = occurrence_part(series, new, part, budget)
            if former is not None and span_of(old, former) != span_of(new, part):
                yield former, part


def _asked_anew(entry: Line, me: Collection[str]) -> Line:
    if address_of(entry.value) in me or entry.parameter("PARTSTAT").upper() in ("", "NEEDS-ACTION", "DELEGATED"):
        return entry
    return with_parameters(entry, {"PARTSTAT": "NEEDS-ACTION"})


def _keep_answers(old: CalendarObject, new: CalendarObject) -> bool:
    """Takes over the answers that the client has not seen. Returns whether something was written."""
    known = {key_of(old, part): part for part in old.parts}
    is_written = False
    for part in new.parts:
        former = known.get(key_of(new, part))
        if former is None or sequence_of(part) > sequence_of(former):
            continue
        answers = {address_of(entry.value): entry for entry in former.lines("ATTENDEE") if entry.parameter(REPLIED)}
        is_written |= part.change(partial(_answered, answers=answers), "ATTENDEE")
    return is_written


def _answered(entry: Line, answers: Mapping[str, Line]) -> Line:
    answer = answers.get(address_of(entry.value))
    if answer is None or entry.parameter(REPLIED) >= answer.parameter(REPLIED):
        return entry
    return with_parameters(entry, {name: answer.parameter(name) for name in ("PARTSTAT", REPLIED)})


def _without_force(calendar: CalendarObject) -> bool:
    """Takes out what is for the server alone, and is not stored (section 7.2)."""
    is_written = False
    for part in calendar.parts:
        is_written |= part.change(
            lambda entry: with_parameters(entry, {_FORCED: ""}) if entry.parameter(_FORCED) else entry,
            "ATTENDEE",
            "ORGANIZER",
        )
    return is_written


def write_statuses(calendar: CalendarObject, role: Role, statuses: Mapping[str, str]) -> bool:
    """Writes what became of the messages into the object: behind each attendee, or behind the organizer (section 3.2.9).
    `statuses` are by address. Returns whether something was written."""
    name = "ATTENDEE" if role is Role.ORGANIZER else "ORGANIZER"
    is_written = False
    for part in calendar.parts:
        is_written |= part.change(partial(_with_status, statuses=statuses), name)
    return is_written


def _with_status(entry: Line, statuses: Mapping[str, str]) -> Line:
    status = statuses.get(address_of(entry.value))
    if status is None or entry.parameter(_STATUS) == status:
        return entry
    return with_parameters(entry, {_STATUS: status})
