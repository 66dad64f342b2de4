"""The owner's copy of a meeting: finds it in the mailbox, and says what a message makes of it."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple, Protocol
from uuid import UUID

from postern.items import calendar_object, scheduling
from postern.items.answers import REPLIED
from postern.items.calendar_object import CalendarObject, Refused, organizer_of
from postern.items.copy_changes import Action
from postern.items.rendered import attendee_of
from postern.items.stored import class_of, values_of
from postern.model.assistants import AssistantStore
from postern.model.delivery import DeliveryStore
from postern.model.folders import FOLDER_CLASSES, FolderKind, FolderTree
from postern.model.item_store import ItemStore, RenderedItem
from postern.model.mailbox import MailboxError
from postern.model.resources import ABSENT, Resource, ResourceStore
from postern.protocols.content_lines import Line, line
from postern.protocols.ical.values import address_of
from postern.services.mailbox.speakers import OF_ATTENDEES, Left, Speaker

FOLDERS = {"VEVENT": FolderKind.CALENDAR, "VTODO": FolderKind.TASKS}
"""The well-known folders in which meetings and tasks land."""


class AttendedStore(AssistantStore, DeliveryStore, FolderTree, ItemStore, ResourceStore, Protocol):
    """The mailboxes of one database as their assistants use them."""


class Change(NamedTuple):
    """The new content of a copy."""

    octets: bytes
    item_class: str
    rendered: RenderedItem


async def copy_of(store: AttendedStore, mailbox: UUID, calendar: CalendarObject) -> tuple[Resource | None, int]:
    """The owner's copy of a meeting with its content, and the folder where it is or is to be. A copy in the trash, or among
    mail, is none; one in the well-known folder counts before others. Raises Left."""
    kind = FOLDERS[calendar.kind]
    nodes = [node for node in await store.tree(mailbox) if node.folder_class == FOLDER_CLASSES[kind]]
    home = next((node.id for node in nodes if node.kind is kind), 0)
    if not home:
        raise Left("the mailbox has no such folder")
    folders = {node.id for node in nodes}
    copies = [each for each in await store.with_uids(mailbox, None, [calendar.uid]) if each.folder in folders]
    if not copies:
        return None, home
    copy = min(copies, key=lambda each: (each.folder != home, each.id))
    for whole in await store.with_ids(mailbox, [copy.id], content=True):
        if whole.content is not None:
            return whole, whole.folder
    raise MailboxError("MODIFIED", "The copy has gone meanwhile")


async def land(
    store: AttendedStore,
    mailbox: UUID,
    message: int,
    calendar: CalendarObject,
    copy: Resource | None,
    folder: int,
    change: Change,
) -> None:
    """Stores what a message makes of a copy, and takes the message off the list. Raises MailboxError as `land_meeting` does."""
    name = copy.name if copy is not None else sha256(calendar.uid.encode()).hexdigest()[:32] + ".ics"
    await store.land_meeting(mailbox, message, folder, name, *change, copy.tag if copy is not None else ABSENT)


def changed(
    stored: bytes | None,
    message: CalendarObject,
    me: frozenset[str],
    now: int,
    answer: str = "",
    reply: CalendarObject | None = None,
    speaker: Speaker | None = None,
) -> Change:
    """Returns the copy as the message changes it, with the `answer` of its owner, if there is one ("ACCEPTED"), and what the
    owner's `reply` says of single occurrences. `speaker` is the one for whom the message speaks. Raises Left where it stays as it
    is."""
    copy = read_copy(stored) if stored is not None else None
    if copy is not None and message.method in OF_ATTENDEES and organizer_of(copy.main) not in me:
        raise Left("an answer to somebody else's meeting")
    if copy is not None and speaker is not None and speaker.is_delegator:
        _check_delegator(copy, speaker, me)
    applied = scheduling.apply(copy, message, me, "" if speaker is None else speaker.address)
    if applied.action is not Action.STORE:
        raise Left(applied.why or "the owner decides")
    made = calendar_object.read(applied.octets)
    if isinstance(made, Refused):
        raise Left(made.why)
    refused = calendar_object.check(made)
    if refused is not None:
        raise Left(refused.why)
    octets = _with_answer(made, me, answer, reply) if answer else applied.octets
    return Change(octets, class_of(made), values_of(made, now, me))


def read_copy(stored: bytes) -> CalendarObject:
    """Reads the copy in the calendar. Raises Left."""
    reading = calendar_object.read(stored)
    if isinstance(reading, Refused):
        raise Left("the copy in the calendar cannot be read")
    return reading


def _check_delegator(copy: CalendarObject, speaker: Speaker, me: frozenset[str]) -> None:
    """Raises Left where the copy came from somebody else: whoever delegates says nothing new of others' meetings."""
    mine = attendee_of(copy.main, me)
    if mine is None or speaker.address not in map(address_of, mine.parameter_values("DELEGATED-FROM")):
        raise Left("it is delegated by somebody else, or was not")


def _with_answer(
    calendar: CalendarObject, me: frozenset[str], answer: str, reply: CalendarObject | None = None
) -> bytes:
    """Writes the owner's answer into each component, and then what a reply says."""
    for part in calendar.parts:
        for place, entry in enumerate(part.entries):
            if isinstance(entry, Line) and entry.name == "ATTENDEE" and address_of(entry.value) in me:
                kept = [
                    (name, values) for name, values in entry.parameters if name not in ("PARTSTAT", "RSVP", REPLIED)
                ]
                part.entries[place] = line("ATTENDEE", entry.value, [*kept, ("PARTSTAT", [answer])])
    applied = scheduling.apply(calendar, reply, me) if reply is not None else None
    return applied.octets if applied is not None and applied.action is Action.STORE else calendar.root.octets()
