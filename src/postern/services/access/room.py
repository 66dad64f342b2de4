"""Room for whole messages in memory. Two things are bounded: the octets that unfinished APPENDs hold, in a process and for each
mailbox, so that nobody takes the room of all others; and the answers with whole messages that one mailbox has at a time.

A literal's octets are counted when it is announced, before its client is invited to send it (RFC 9051 section 4.3), and given
back when its APPEND is done, or its session gone.
"""

from __future__ import annotations

import asyncio
from uuid import UUID
from weakref import WeakValueDictionary

MESSAGES = 8
"""The largest messages that a process holds at the same time; a smaller one takes so much less."""
OF_ONE_MAILBOX = 2
ANSWERS = 8
"""Answers with whole messages that a mailbox has under way in a process: each holds a message until its client has read it."""


class LiteralRoom:
    """A process's room: MESSAGES of the `largest` messages together, OF_ONE_MAILBOX of them for one mailbox."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._taken: dict[UUID, int] = {}
        self._all = 0

    def take(self, mailbox: UUID, size: int) -> bool:
        """Takes room for so many octets more. Returns whether there was room."""
        mine = self._taken.get(mailbox, 0) + size
        if mine > OF_ONE_MAILBOX * self._largest or self._all + size > MESSAGES * self._largest:
            return False
        self._taken[mailbox] = mine
        self._all += size
        return True

    def give_back(self, mailbox: UUID, size: int) -> None:
        """Gives room back, no more than was taken."""
        left = self._taken.get(mailbox, 0) - size
        self._all -= size
        if left > 0:
            self._taken[mailbox] = left
        else:
            self._taken.pop(mailbox, None)


class Share:
    """One session's share of the room."""

    def __init__(self, room: LiteralRoom, mailbox: UUID) -> None:
        self._room = room
        self._mailbox = mailbox
        self.size = 0

    def take(self, size: int) -> bool:
        if not self._room.take(self._mailbox, size):
            return False
        self.size += size
        return True

    def give_back(self) -> None:
        size, self.size = self.size, 0
        self._room.give_back(self._mailbox, size)


class AnswerRoom:
    """Bounds the answers with whole messages of one mailbox: others wait until an answer is read or its session has ended."""

    def __init__(self) -> None:
        self._of: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, mailbox: UUID) -> asyncio.Semaphore:
        """The mailbox's semaphore. It lives for as long as somebody holds or awaits it."""
        room = self._of.get(mailbox)
        if room is None:
            room = self._of[mailbox] = asyncio.Semaphore(ANSWERS)
        return room
