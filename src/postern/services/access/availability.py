"""Asks when people, groups and rooms are busy: the mailbox servers of this organization, and other organizations for theirs.

Each mailbox server tells what whoever asks may know (row availability-to-mailbox). All servers are asked at once, in this site
and in others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import NamedTuple, Protocol
from uuid import UUID

from postern.model.availability import MAX_ASKED, Asked, Availability, Span, State, Told, WhenBusy
from postern.model.directory import Directory, Recipient, RecipientType
from postern.model.domains import fold
from postern.model.mailbox import MailboxError
from postern.telemetry.log import Event, log

MAX_MEMBERS = 100
"""Members of a group that are asked about (MS-OXWAVLS section 3.1.4.1.3.26: larger ones are not expanded)."""
MAX_MAILBOXES = 1_000
"""Mailboxes of one question, members of groups among them."""


class Problem(Enum):
    """The reason why nothing is known of somebody."""

    NOBODY = auto()
    NO_ACCESS = auto()
    LARGE_GROUP = auto()
    TOO_MANY = auto()
    """The calendar has too much in this span."""
    UNREACHABLE = auto()
    FOREIGN = auto()
    """The other organization did not answer, or refused."""


Answer = WhenBusy | Problem


class Found(NamedTuple):
    """The answer about one address: of a person or a room one, of a group one for each member. An address of which nothing is
    known has one Problem."""

    answers: tuple[Answer, ...]
    is_group: bool = False

    @property
    def problem(self) -> Problem | None:
        """The reason why nothing at all is known."""
        first = self.answers[0] if self.answers else None
        is_whole = not self.is_group or first is Problem.LARGE_GROUP
        return first if is_whole and isinstance(first, Problem) else None


class OtherOrganizations(Protocol):
    """Organizations whose servers are asked about their people."""

    def serves(self, domain: str) -> bool:
        """Whether somebody can be asked about this domain."""
        ...

    async def when_busy(self, domain: str, addresses: Sequence[str], span: Span) -> list[Answer]:
        """The answers about addresses of a domain, in their order. Never raises."""
        ...


class Grantees(Protocol):
    """Knows by which ids somebody is granted rights (`services.access.sharing.Sharing`)."""

    async def grantees(self, user: UUID | None) -> tuple[UUID, ...]: ...


class _Question(NamedTuple):
    """A question for all servers. `known` are the recipients of the directory by their addresses."""

    user: UUID | None
    span: Span
    details: bool
    without: str
    others: OtherOrganizations | None
    known: dict[str, Recipient]


class FreeBusy:
    """Asks for one process. `server` returns the calendars of the server that has a database now (Recipient.database)."""

    def __init__(
        self,
        directory: Directory,
        sharing: Grantees,
        server: Callable[[str], Availability | None],
        others: OtherOrganizations | None = None,
    ) -> None:
        self._directory = directory
        self._sharing = sharing
        self._server = server
        self._others = others

    async def when_busy(
        self,
        user: UUID | None,
        addresses: Sequence[str],
        span: Span,
        details: bool,
        without: str = "",
        only_here: bool = False,
    ) -> list[Found]:
        """Returns what `user` may know about each of these addresses, in their order. `only_here`: no other organization is
        asked. Raises DirectoryUnavailable."""
        asked = [address.lower() for address in addresses]
        known = await self._directory.recipients(list(dict.fromkeys(asked)))
        question = _Question(user, span, details, without, None if only_here else self._others, known)
        groups: dict[str, list[str] | None] = {}
        room = MAX_MAILBOXES - len(asked)
        for address in dict.fromkeys(asked):
            recipient = known.get(address)
            if recipient is not None and recipient.type is RecipientType.GROUP:
                members = groups[address] = await self._members(recipient, known, room)
                room -= len(members or ())
        single = [each for each in asked if each not in groups]
        everybody = dict.fromkeys([*single, *(each for members in groups.values() for each in members or ())])
        answers = await self._all(list(everybody), question)
        findings = []
        for address in asked:
            if address not in groups:
                findings.append(Found((answers[address],)))
                continue
            members = groups[address]
            of_members = tuple(answers[each] for each in members) if members is not None else (Problem.LARGE_GROUP,)
            findings.append(Found(of_members, is_group=True))
        return findings

    async def _members(self, group: Recipient, known: dict[str, Recipient], room: int) -> list[str] | None:
        """The addresses of all members of a group, also by groups in it; None: there are too many. What the directory said of
        them is put into `known`."""
        members: dict[str, None] = {}
        seen = {group.guid}
        waiting = [group]
        while waiting:
            addresses = [address.lower() for each in waiting for address in each.members]
            if len(addresses) > MAX_MEMBERS:
                return None
            known.update(await self._directory.recipients([each for each in addresses if each not in known]))
            waiting = []
            for address in addresses:
                recipient = known.get(address)
                if recipient is None or recipient.type is not RecipientType.GROUP:
                    members[address] = None
                elif recipient.guid not in seen:
                    seen.add(recipient.guid)
                    waiting.append(recipient)
            if len(members) > min(MAX_MEMBERS, room) or len(seen) > MAX_MEMBERS:
                return None
        return list(members)

    async def _all(self, addresses: Sequence[str], question: _Question) -> dict[str, Answer]:
        answers: dict[str, Answer] = {}
        here: dict[int, tuple[Availability, list[str]]] = {}
        elsewhere: dict[str, list[str]] = {}
        for address in addresses:
            recipient = question.known.get(address)
            if recipient is not None and recipient.database:
                server = self._server(recipient.database)
                if server is None:
                    answers[address] = Problem.UNREACHABLE
                else:
                    here.setdefault(id(server), (server, []))[1].append(address)
                continue
            domain = _outside(address, question).rpartition("@")[2]
            if question.others is not None and question.others.serves(domain):
                elsewhere.setdefault(domain, []).append(address)
            else:
                answers[address] = Problem.NOBODY
        grantees = await self._sharing.grantees(question.user) if here else ()
        work = [
            _of_server(server, part, question, grantees)
            for server, of_server in here.values()
            for part in _parts(of_server)
        ]
        work += [_of_others(domain, part, question) for domain, theirs in elsewhere.items() for part in _parts(theirs)]
        for told in await asyncio.gather(*work):
            answers.update(told)
        return answers


async def _of_server(
    server: Availability, addresses: Sequence[str], question: _Question, grantees: Sequence[UUID]
) -> dict[str, Answer]:
    owners = [question.known[each] for each in addresses]
    asked = [Asked(each.guid, tuple(sorted({each.primary, *each.addresses}))) for each in owners]
    try:
        told = await server.when_busy(asked, grantees, question.span, question.details, question.without)
    except MailboxError as error:
        log(Event.STORE_UNAVAILABLE, path="availability-to-mailbox", error=str(error))
        return dict.fromkeys(addresses, Problem.UNREACHABLE)
    return dict(zip(addresses, map(_judged, told), strict=True))


async def _of_others(domain: str, addresses: Sequence[str], question: _Question) -> dict[str, Answer]:
    assert question.others is not None
    theirs = [_outside(each, question) for each in addresses]
    return dict(zip(addresses, await question.others.when_busy(domain, theirs, question.span), strict=True))


def _outside(address: str, question: _Question) -> str:
    """The address that somebody of another organization has there: of a contact, its target."""
    recipient = question.known.get(address)
    return fold(recipient.target if recipient is not None and recipient.target else address)


def _judged(answer: WhenBusy) -> Answer:
    if answer.told is Told.NOTHING:
        return Problem.UNREACHABLE if answer.state is State.UNREADABLE else Problem.NO_ACCESS
    return Problem.TOO_MANY if answer.state is State.TOO_MANY else answer


def _parts(addresses: Sequence[str]) -> list[Sequence[str]]:
    return [addresses[start : start + MAX_ASKED] for start in range(0, len(addresses), MAX_ASKED)]
