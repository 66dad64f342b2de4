"""COPY and MOVE from one folder to another (RFC 9051 sections 6.4.7 and 6.4.8; RFC 6851), of one mailbox or of two.

Within a mailbox the store copies. Between two mailboxes, which may be on two servers, the messages are fetched and appended in
batches, and taken back if one of the batches fails. In another's folder only those flags are kept that the user may set there
(RFC 4314 section 4).
"""

from __future__ import annotations

from collections.abc import Sequence

from postern.model.folders import Folder
from postern.model.items import KEYWORD_BASE, Column, CopyResult, FetchedItems, Flag, FlagChange, NewItem
from postern.model.mailbox import MailboxError
from postern.protocols.imap.acl import EVERY_FLAG, settable
from postern.protocols.imap.commands import NamedFlags
from postern.services.imap.fetch import whole_batches
from postern.services.imap.homes import Home, Place
from postern.services.imap.state import ImapState
from postern.services.imap.view import FolderView, Slice, merged

_SYSTEM_FLAGS = (1 << KEYWORD_BASE) - 1


async def copied(state: ImapState, view: FolderView, slices: list[Slice], target: Place, move: bool) -> CopyResult:
    """Copies or moves messages of the selected folder. Raises MailboxError; then nothing was copied, but for a MOVE into another
    mailbox whose originals could not be removed: those are in one of the two, or in both."""
    if target.home.mailbox == view.home.mailbox:
        return await _within(view, slices, target, move)
    async with state.access.answers.of(state.opened.mailbox):
        return await _Across(state, view, target, move).run(slices)


async def _within(view: FolderView, slices: list[Slice], target: Place, move: bool) -> CopyResult:
    mailboxes, mailbox = view.home.mailboxes, view.home.mailbox
    result = await mailboxes.copy(mailbox, view.folder.id, view.uid_ranges(slices), target.folder.id, move)
    lost = EVERY_FLAG & ~settable(target.rights)
    if lost and len(result.targets):
        await mailboxes.change_flags(mailbox, target.folder.id, _ranges(result.targets), FlagChange.REMOVE, lost)
    return result


class _Across:
    """One COPY or MOVE into another mailbox."""

    def __init__(self, state: ImapState, view: FolderView, target: Place, move: bool) -> None:
        self._state = state
        self._view = view
        self._target = target
        self._move = move
        self._settable = settable(target.rights)
        self._bits: dict[str, int] = {}
        """Keywords of the source as bits of the target."""

    async def run(self, slices: list[Slice]) -> CopyResult:
        sources: list[int] = []
        targets: list[int] = []
        home, folder = self._target.home, self._target.folder
        uid_validity = folder.uid_validity
        try:
            async for group in whole_batches(self._view, slices):
                items = await self._fetch(group)
                if len(items.uids):
                    result = await home.mailboxes.append(home.mailbox, folder.id, await self._new(items))
                    uid_validity = result.uid_validity
                    sources += items.uids
                    targets += result.targets
        except MailboxError:
            if targets:
                await _remove(home, folder, targets)
            raise
        if self._move and sources:
            # If this fails, the originals may be gone all the same: so the copies stay (RFC 6851 section 3.3).
            await _remove(self._view.home, self._view.folder, sources)
        return CopyResult(uid_validity, sources, targets)

    async def _fetch(self, group: list[Slice]) -> FetchedItems:
        home, folder = self._view.home, self._view.folder
        columns = Column.FLAGS | Column.INTERNAL_DATE | Column.CONTENT
        return await home.mailboxes.fetch(home.mailbox, folder.id, self._view.uid_ranges(group), columns)

    async def _new(self, items: FetchedItems) -> list[NewItem]:
        flags = [await self._word(word) for word in items.flags]
        rows = zip(items.contents, flags, items.dates, strict=True)
        return [NewItem(content, word & self._settable, date) for content, word, date in rows]

    async def _word(self, word: int) -> int:
        """Turns a flag word of the source into one of the target."""
        result = word & _SYSTEM_FLAGS
        if word >> KEYWORD_BASE and self._settable >> KEYWORD_BASE:
            await self._state.know_keywords([word])
            for at, name in enumerate(self._view.folder.keywords):
                if word >> (KEYWORD_BASE + at) & 1:
                    result |= await self._bit(name)
        return result

    async def _bit(self, name: str) -> int:
        """The bit of a keyword; 0 where the target has no room for another, as within a mailbox."""
        if name not in self._bits:
            home, folder = self._target.home, self._target.folder
            try:
                self._bits[name] = await word_of(home, folder, NamedFlags(0, (name,)), True)
            except MailboxError as error:
                if error.code != "LIMIT":
                    raise
                self._bits[name] = 0
        return self._bits[name]


async def _remove(home: Home, folder: Folder, uids: Sequence[int]) -> None:
    ranges = _ranges(uids)
    await home.mailboxes.change_flags(home.mailbox, folder.id, ranges, FlagChange.ADD, Flag.DELETED)
    await home.mailboxes.expunge(home.mailbox, folder.id, ranges)


def _ranges(uids: Sequence[int]) -> list[tuple[int, int]]:
    """UIDs as ranges that hold no other number."""
    return [(low, high - 1) for low, high in merged([(uid, uid + 1) for uid in uids])]


async def word_of(home: Home, folder: Folder, flags: NamedFlags, create: bool) -> int:
    """Returns the flag word of names in a folder. With `create` a keyword that is new to the folder is added to it."""
    word = flags.bits
    if not flags.keywords:
        return word
    keywords = {name.lower(): 1 << (KEYWORD_BASE + i) for i, name in enumerate(folder.keywords)}
    if all(name.lower() in keywords for name in flags.keywords):
        for name in flags.keywords:
            word |= keywords[name.lower()]
        return word
    return word | await home.mailboxes.keywords(home.mailbox, folder.id, flags.keywords, create)
