"""The attendees of a meeting as a request names them, and as ATTENDEE lines (MS-OXCICAL section 2.1.3.1.1.20.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from postern.items.calendar_object import organizer_of
from postern.model.domains import fold
from postern.protocols import xml
from postern.protocols.content_lines import Component, Line, line, with_parameters
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import t
from postern.protocols.ical.values import address_of
from postern.protocols.smtp.address import parse_mailbox
from postern.services.ews.fields.calendar_read import OPTIONAL, REQUIRED, RESOURCE, kind_of_attendee

if TYPE_CHECKING:
    from postern.services.ews.calendar_editor import CalendarEditor

MAX_ATTENDEES = 1_000
"""Attendees of one list."""
_ROLES = {
    REQUIRED: [("ROLE", ["REQ-PARTICIPANT"])],
    OPTIONAL: [("ROLE", ["OPT-PARTICIPANT"])],
    RESOURCE: [("CUTYPE", ["RESOURCE"]), ("ROLE", ["NON-PARTICIPANT"])],
}


class Invited(NamedTuple):
    """A person whom a request invites; the address is in lower case."""

    name: str
    address: str


def read_attendees(attendees: xml.Element | None) -> list[Invited]:
    """Reads a list of attendees, each once. Raises EwsError: ErrorInvalidRecipients.

    Bound: linear in the element; at most MAX_ATTENDEES attendees.
    """
    people: dict[str, Invited] = {}
    for each in attendees.elements if attendees is not None else []:
        address = address_of(each.text_of(t("Mailbox"), t("EmailAddress")))
        if not address or not parse_mailbox(fold(address)) or len(people) >= MAX_ATTENDEES:
            raise EwsError(Code.INVALID_RECIPIENTS)
        people.setdefault(address, Invited(each.text_of(t("Mailbox"), t("Name")), address))
    return list(people.values())


def write_attendees(editor: CalendarEditor) -> None:
    """Writes the lists of attendees that the request has, each in the place of the one that is there; whoever stays keeps his
    answer. Who invites somebody is the organizer."""
    part, pending = editor.part, editor.pending
    host = organizer_of(editor.calendar.main)
    if host and host not in editor.me:
        if any(_is_other(part, kind, people) for kind, people in pending.attendees.items()):
            raise EwsError(Code.CALENDAR_IS_NOT_ORGANIZER)
        return
    if pending.attendees:
        for kind, people in pending.attendees.items():
            _write(part, kind, people)
        _write_organizer(editor)
    if pending.asks is not None:
        rsvp = "TRUE" if pending.asks else "FALSE"
        part.change(lambda entry: with_parameters(entry, {"RSVP": rsvp}), "ATTENDEE")


def _is_other(part: Component, kind: str, people: list[Invited]) -> bool:
    """Whether a list would have other people than it has: clients send back what they were told."""
    there = {address_of(entry.value) for entry in part.lines("ATTENDEE") if kind_of_attendee(entry) == kind}
    return {each.address for each in people} != there - {organizer_of(part)}


def _write(part: Component, kind: str, people: list[Invited]) -> None:
    known = {address_of(entry.value): entry for entry in part.lines("ATTENDEE")}
    wanted = {each.address for each in people}
    host = organizer_of(part)
    kept = [
        entry
        for entry in part.lines("ATTENDEE")
        if address_of(entry.value) not in wanted
        and (kind_of_attendee(entry) != kind or address_of(entry.value) == host)
    ]
    made = [_line(kind, each, known.get(each.address)) for each in people]
    entries = [entry for entry in part.entries if not isinstance(entry, Line) or entry.name != "ATTENDEE"]
    lines = [entry for entry in entries if isinstance(entry, Line)]
    part.entries = [*lines, *kept, *made, *[entry for entry in entries if not isinstance(entry, Line)]]


def _line(kind: str, person: Invited, known: Line | None) -> Line:
    if known is not None and kind_of_attendee(known) == kind:
        return known
    if known is not None:
        roles = {name: values[0] for name, values in _ROLES[kind]}
        return with_parameters(known, {"CUTYPE": "", **roles})
    name = [("CN", [person.name])] if person.name and person.name != person.address else []
    answer = [("PARTSTAT", ["NEEDS-ACTION"]), ("RSVP", ["TRUE"])]
    return line("ATTENDEE", f"mailto:{person.address}", [*name, *_ROLES[kind], *answer])


def _write_organizer(editor: CalendarEditor) -> None:
    """The owner of the calendar is the organizer of what he invites to. Without anybody invited it is no meeting."""
    recipient = editor.place.mailbox.recipient
    is_meeting = any(next(part.lines("ATTENDEE"), None) is not None for part in editor.calendar.parts)
    name = [("CN", [recipient.display_name])] if recipient.display_name else []
    made = line("ORGANIZER", f"mailto:{recipient.primary}", name) if is_meeting else None
    for part in editor.calendar.parts:
        part.replace("ORGANIZER", (part.first("ORGANIZER") or made) if made is not None else None)
