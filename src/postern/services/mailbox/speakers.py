"""Says for whom the author of an iTIP message speaks, and whether the author may.

Authors speak for themselves, under each of their addresses. Somebody else's secretary is named by SENT-BY (RFC 5545 section
3.2.18), and speaks for a user of ours who lets the secretary send on behalf. For people elsewhere the author's domain answers: it
proved the author, and is theirs, too (RFC 6047 section 3 leaves it to us whom to believe).

Attendees who delegate invite their delegates themselves (RFC 5546 section 3.2.2.3). Such an invitation names an organizer who did
not send it. So it counts only if it is from a user of ours, or from somebody of the organizer's domain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from postern.items.calendar_object import CalendarObject, organizer_of
from postern.model.directory import Directory, Recipient, RecipientType
from postern.model.domains import fold
from postern.protocols.content_lines import Component, Line
from postern.protocols.ical.values import address_of
from postern.telemetry.attempts import attempting_in_thread_if

OF_ORGANIZERS = frozenset({"REQUEST", "ADD", "CANCEL", "DECLINECOUNTER"})
OF_ATTENDEES = frozenset({"REPLY", "COUNTER", "REFRESH"})

ActsFor = Callable[[UUID, Recipient], Awaitable[bool]]
"""Tells whether a user may send on behalf of a recipient."""


async def nobody_acts(user: UUID, owner: Recipient) -> bool:
    """The answer where nobody sends on behalf of others."""
    return False


class Left(Exception):
    """The message stays mail; the text says why."""


class Speaker(NamedTuple):
    """The address for which a message speaks, as the message has it in lower case. `is_delegator`: the author is no organizer,
    but an attendee who delegates to the owner of the mailbox. `is_vouched`: the author is somebody else outside of this
    organization, whom SENT-BY names; nothing but the author's domain says that they know each other."""

    address: str
    is_delegator: bool = False
    is_vouched: bool = False


class Speakers:
    """Judges authors by the directory."""

    def __init__(self, directory: Directory, acts_for: ActsFor = nobody_acts) -> None:
        self._directory = directory
        self._acts_for = acts_for

    async def of(self, key: str, message: CalendarObject, author: str, me: Collection[str]) -> Speaker:
        """Says for whom a message of a proven author speaks, in the mailbox of an owner with the addresses `me`. `key` is that of
        the attempts at the message. Raises Left where the author may not speak for them, and DirectoryUnavailable."""
        recipient = await self._directory.recipient(author)
        own = frozenset({author}) if recipient is None else recipient.folded_addresses | {fold(author)}
        recipient = recipient if is_ours(recipient) else None
        if message.method in OF_ATTENDEES:
            attendee = await self._attendee(key, message, author, recipient, own)
            return Speaker(attendee, is_vouched=recipient is None and fold(attendee) not in own)
        organizers = {organizer_of(part) for part in message.parts}
        if len(organizers) != 1 or "" in organizers:
            raise Left("it does not speak for one organizer")
        organizer = organizers.pop()
        if fold(organizer) in me:
            raise Left("the owner's own meeting")
        lines = [part.first("ORGANIZER") for part in message.parts]
        if fold(organizer) in own or await self._is_sent_by(lines, organizer, author, recipient, own):
            return Speaker(organizer, is_vouched=recipient is None and fold(organizer) not in own)
        if message.method == "REQUEST":
            delegator = _delegator(message.parts, own, me)
            if delegator and (recipient is not None or _domain(author) == _domain(organizer)):
                return Speaker(delegator, is_delegator=True)
        raise Left("the sender is not the one for whom it speaks")

    async def _attendee(
        self, key: str, message: CalendarObject, author: str, recipient: Recipient | None, own: Collection[str]
    ) -> str:
        """The attendee whose answer a message is."""
        address, lines = await attempting_in_thread_if(True, key, _attendee_in, message, own)
        if lines and not await self._is_sent_by(lines, address, author, recipient, own):
            raise Left("the sender is not the one for whom it speaks")
        return address

    async def _is_sent_by(
        self,
        lines: Iterable[Line | None],
        speaker: str,
        author: str,
        recipient: Recipient | None,
        own: Collection[str],
    ) -> bool:
        """Whether all lines name the author as the one who sends for the speaker, and the author may."""
        names = [address_of(line.parameter("SENT-BY")) if line is not None else "" for line in lines]
        if not all(fold(name) in own for name in names):
            return False
        known = await self._directory.recipient(fold(speaker))
        if known is None or not is_ours(known):
            return recipient is None and _domain(author) == _domain(speaker)
        return recipient is not None and await self._acts_for(recipient.guid, known)


def is_ours(recipient: Recipient | None) -> bool:
    """Whether somebody is of this organization. A contact is somebody elsewhere whom the address book has, too."""
    return recipient is not None and recipient.type is not RecipientType.CONTACT


def _attendee_in(message: CalendarObject, own: Collection[str]) -> tuple[str, Sequence[Line | None]]:
    """Finds the attendee whose answer a message is, by the author's own addresses: one of these, or else the first for whom
    somebody sends, with the lines that name the sender. Others that it names beside are no answers of theirs. Raises Left."""
    named = [set(map(_address, part.lines("ATTENDEE"))) for part in message.parts]
    for address in sorted(set.intersection(*named)):
        if fold(address) in own:
            return address, ()
    sent_by = [
        {_address(line) for line in part.lines("ATTENDEE") if line.parameter("SENT-BY")} for part in message.parts
    ]
    for address in sorted(set.intersection(*sent_by))[:1]:
        return address, [_line_of(part, address) for part in message.parts]
    raise Left("the sender is not the one for whom it speaks")


def _address(line: Line) -> str:
    return address_of(line.value)


def _line_of(part: Component, address: str) -> Line | None:
    return next((line for line in part.lines("ATTENDEE") if _address(line) == address), None)


def _domain(address: str) -> str:
    return fold(address).rpartition("@")[2]


def _delegator(parts: Iterable[Component], own: Collection[str], me: Collection[str]) -> str:
    """The author as an attendee who delegates to the owner of the mailbox in each part; "" if one does not say so."""
    delegators: set[str] = set()
    for part in parts:
        lines = [line for line in part.lines("ATTENDEE") if fold(_address(line)) in own]
        named = [
            line for line in lines if any(address_of(each) in me for each in line.parameter_values("DELEGATED-TO"))
        ]
        if not named:
            return ""
        delegators.add(_address(named[0]))
    return delegators.pop() if len(delegators) == 1 else ""
