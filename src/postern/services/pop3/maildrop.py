"""A POP3 session's snapshot of INBOX (RFC 1939 section 5): numbers, sizes, messages retrieved and deleted; and reading ahead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from postern.model.folders import FolderKind, FolderStore
from postern.model.items import Column, ImapItems
from postern.model.mailbox import MailboxError
from postern.services.access.numbers import from_octets

SIZES_BATCH = 10_000
AHEAD_BYTES = 1024 * 1024
AHEAD_MESSAGES = 64
"""Messages that are read ahead for a client that retrieves one message after the other."""


class MaildropStore(FolderStore, ImapItems, Protocol):
    """The methods of a mailbox server that a maildrop needs."""


@dataclass(slots=True)
class Maildrop:
    """INBOX as it stood at login. Message numbers are positions + 1, and stay. `sizes` are octets as RETR sends them, without
    the byte-stuffing (RFC 1939 section 11)."""

    mailboxes: MaildropStore
    mailbox: UUID
    folder: int
    uid_validity: int
    uids: list[int]
    sizes: list[int]
    deleted: set[int] = field(default_factory=set)
    retrieved: set[int] = field(default_factory=set)
    ahead: dict[int, bytes] = field(default_factory=dict)

    def live(self) -> list[int]:
        return [at for at in range(len(self.uids)) if at not in self.deleted]

    async def read(self, at: int) -> bytes | None:
        """Returns a message. Reads those behind it ahead, up to AHEAD_BYTES, if the one before it was read too."""
        last, size = at, self.sizes[at]
        if at - 1 in self.retrieved:
            while (
                last + 1 < len(self.uids) and last - at < AHEAD_MESSAGES and size + self.sizes[last + 1] <= AHEAD_BYTES
            ):
                last += 1
                size += self.sizes[last]
        wanted = {self.uids[i]: i for i in range(at, last + 1) if i not in self.deleted}
        ranges = [(self.uids[at], self.uids[last])]
        try:
            items = await self.mailboxes.fetch(self.mailbox, self.folder, ranges, Column.CONTENT)
        except MailboxError:
            return None
        self.ahead = {
            wanted[uid]: content for uid, content in zip(items.uids, items.contents, strict=True) if uid in wanted
        }
        return self.ahead.pop(at, None)

    def ranges(self, positions: set[int]) -> list[tuple[int, int]]:
        """UID ranges of these positions, neighbours put together."""
        ranges: list[tuple[int, int]] = []
        former = -2
        for at in sorted(positions):
            if at == former + 1:
                ranges[-1] = (ranges[-1][0], self.uids[at])
            else:
                ranges.append((self.uids[at], self.uids[at]))
            former = at
        return ranges


async def open_maildrop(mailboxes: MaildropStore, mailbox: UUID) -> Maildrop:
    """The snapshot: UIDs and sizes of INBOX."""
    folders = await mailboxes.folders(mailbox)
    inbox = next(folder for folder in folders if folder.kind is FolderKind.INBOX)
    index = await mailboxes.index(mailbox, inbox.id)
    all_uids = from_octets(index.uids)
    uids: list[int] = []
    sizes: list[int] = []
    for first in range(0, len(all_uids), SIZES_BATCH):
        part = all_uids[first : first + SIZES_BATCH]
        items = await mailboxes.fetch(mailbox, inbox.id, [(part[0], part[-1])], Column.LINES_SIZE)
        uids.extend(items.uids)
        sizes.extend(items.sizes)
    return Maildrop(mailboxes, mailbox, inbox.id, inbox.uid_validity, uids, sizes)
