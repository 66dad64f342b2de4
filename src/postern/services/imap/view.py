"""A selected folder as one IMAP session sees it: sequence numbers, and what the client has been told (RFC 9051 section 2.3.1.2).

SELECT needs only the folder's counters. The UIDs come when the first number is needed, as packed words, so that a folder of
100,000 messages costs its session 1.2 MB and SELECT nothing. What others expunge keeps its number until the client is told.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from postern.model.folders import Right
from postern.model.items import Column, FetchedItems, Index
from postern.protocols.imap.acl import settable
from postern.protocols.imap.cursor import STAR, Ranges
from postern.services.access.numbers import WORD, from_octets
from postern.services.imap.homes import Place, refused

Slice = tuple[int, int]
"""Positions [first, last) in the view."""

NO_COLUMNS = Column(0)
STAR_UID = 1 << 32
"""Above every UID."""
UNTOLD = 1 << 63
"""A value that is no flag word: the flags changed after SELECT, and the client has yet to be told."""
FEW = 16
"""Up to this many expunged messages are cut out one by one; more are filtered out in one pass."""


@dataclass(slots=True)
class Changes:
    """The changes that one look at the store brought: the UIDs that are new, and the positions whose flags differ."""

    arrived: array[int]
    flagged: list[int]


@dataclass(slots=True)
class Ahead:
    """Rows of `columns` by UID, read ahead for a client that fetches one message after the other, and kept until it does
    something else. `position` is the message it asked for last; `sizes` bound the next reading."""

    columns: Column
    position: int = -1
    rows: dict[int, FetchedItems] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)


class FolderView:
    """One session's view of a place. It has seen the folder's changes up to `modseq`. `recent` are the UID ranges that are recent
    here. The rights in another's folder are asked for again before each command (`ImapState.renew_rights`)."""

    def __init__(self, place: Place, read_only: bool, recent: list[tuple[int, int]], recent_count: int = 0) -> None:
        folder = place.folder
        self.home = place.home
        self.folder = folder
        self.grant(place.rights)
        self.read_only = read_only
        self.recent = recent
        self.recent_count = recent_count
        self.loaded = False
        self._messages = folder.messages
        self.modseq = folder.highest_modseq
        self.next_uid = folder.uid_next
        """UIDs below it are known, or known to be gone. `folder` may be read anew; this moves only as the client is told."""
        self.uids: array[int] = array(WORD)
        self.flags: array[int] = array("Q")
        self.vanished: list[int] = []
        """UIDs that are gone but that the client still counts."""
        self.flag_texts: dict[int, bytes] = {}
        self.ahead = Ahead(NO_COLUMNS)

    @property
    def claims_recent(self) -> bool:
        """Whether new messages are recent to this session and to no other after it. They stay recent to their owner's sessions
        whoever else looks at them."""
        return not self.read_only and self.home.is_own

    def grant(self, rights: Right) -> None:
        """Sets the rights of the user, and with them the bits of the flag word that the user may change."""
        self.rights = rights
        self.settable = settable(rights)

    def require(self, right: Right) -> None:
        """Raises NO without the right, as `Place.require` does."""
        if right not in self.rights:
            raise refused(self.rights)

    @property
    def count(self) -> int:
        """Messages as the client counts them."""
        return len(self.uids) if self.loaded else self._messages

    def load(self, now: Index, since: Index | None) -> None:
        """The first look: `now` is the whole folder, `since` what changed after SELECT (None: nothing). What came after
        SELECT is left for the next `apply`; what vanished after it takes its place again, to be told as expunged."""
        uids, flags = from_octets(now.uids), array("Q", now.flags)
        fresh = bisect_left(uids, self.next_uid)
        uids, flags = uids[:fresh], flags[:fresh]
        gone = [uid for uid in from_octets(since.vanished) if uid < self.next_uid] if since else []
        self.vanished = sorted(set(gone))
        if gone:
            merged = dict(zip(uids, flags, strict=True))
            for uid in gone:
                merged.setdefault(uid, 0)
            uids = array(WORD, sorted(merged))
            flags = array("Q", [merged[uid] for uid in uids])
        self.uids, self.flags = uids, flags
        for uid in from_octets(since.uids) if since else ():
            at = self.position(uid)
            if at is not None:
                flags[at] = UNTOLD
        self.loaded = True

    def apply_unloaded(self, index: Index) -> array[int] | None:
        """Counts new mail before the first look, without one: many idle sessions see nothing else. Returns the new UIDs; None if
        anything else happened."""
        uids = from_octets(index.uids)
        if index.vanished or (len(uids) and uids[0] < self.next_uid):
            return None
        self._arrive(uids)
        self._messages += len(uids)
        self.modseq = max(self.modseq, index.highest_modseq)
        return uids

    def _arrive(self, uids: array[int]) -> None:
        if len(uids):
            self.next_uid = uids[-1] + 1

    def apply(self, index: Index) -> Changes:
        """Takes what changed since `modseq`. Vanished messages only go into `vanished`."""
        uids, flags = from_octets(index.uids), array("Q", index.flags)
        fresh = bisect_left(uids, self.next_uid)
        flagged = []
        for uid, word in zip(uids[:fresh], flags[:fresh], strict=True):
            position = self.position(uid)
            if position is not None and self.flags[position] != word:
                self.flags[position] = word
                flagged.append(position)
        self._arrive(uids[fresh:])
        self.uids += uids[fresh:]
        self.flags += flags[fresh:]
        self.vanish(uid for uid in from_octets(index.vanished) if self.position(uid) is not None)
        self.modseq = max(self.modseq, index.highest_modseq)
        return Changes(uids[fresh:], flagged)

    def vanish(self, uids: Iterable[int]) -> None:
        """Adds messages that are gone to `vanished`, unless they are there already."""
        known = set(self.vanished)
        self.vanished += [uid for uid in uids if uid not in known]

    def position(self, uid: int) -> int | None:
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    def expunge(self, uids: Iterable[int]) -> list[int]:
        """Takes messages out. Returns their sequence numbers, highest first, as EXPUNGE tells them (RFC 9051 section 7.5.1)."""
        positions = sorted({at for uid in uids if (at := self.position(uid)) is not None}, reverse=True)
        if self.recent:
            self.recent_count -= sum(self.is_recent(self.uids[at]) for at in positions)
        if len(positions) <= FEW:
            for at in positions:
                del self.uids[at]
                del self.flags[at]
        else:
            gone = set(positions)
            keep = [at for at in range(len(self.uids)) if at not in gone]
            self.uids = array(WORD, [self.uids[at] for at in keep])
            self.flags = array("Q", [self.flags[at] for at in keep])
        return [at + 1 for at in positions]

    def slices(self, ranges: Ranges, by_uid: bool) -> list[Slice] | None:
        """The positions that a sequence set names, in order and each once. None if a sequence number is not there."""
        count = len(self.uids)
        slices: list[Slice] = []
        for first, last in ranges:
            if by_uid:
                top = self.uids[-1] if count else 0
                low, high = sorted((top if first == STAR else first, top if last == STAR else last))
                low, high = bisect_left(self.uids, low), bisect_right(self.uids, high)
            else:
                low, high = sorted((count if first == STAR else first, count if last == STAR else last))
                if high > count or low < 1:
                    if count:
                        return None
                    continue
                low -= 1
            if low < high:
                slices.append((low, high))
        return merged(slices)

    def of_uids(self, uids: Sequence[int]) -> list[Slice]:
        """The slices of these UIDs, as far as they are here."""
        positions = sorted({at for uid in uids if (at := self.position(uid)) is not None})
        return merged([(at, at + 1) for at in positions])

    def uid_ranges(self, slices: Iterable[Slice]) -> list[tuple[int, int]]:
        return [(self.uids[low], self.uids[high - 1]) for low, high in slices]

    def numbers(self, uids: Sequence[int], slices: Sequence[Slice]) -> Iterable[int]:
        """Sequence numbers of UIDs that the store gave for `slices`: the slices' own, unless some have gone."""
        if sum(high - low for low, high in slices) == len(uids):
            if len(slices) == 1:
                return range(slices[0][0] + 1, slices[0][1] + 1)
            return [number for low, high in slices for number in range(low + 1, high + 1)]
        return [bisect_left(self.uids, uid) + 1 for uid in uids]

    def claim(self, first: int, last: int) -> None:
        """Makes the UIDs from `first` to `last` recent here; they may arrive later. `first` never falls from call to call."""
        if first <= last:
            if self.recent and first <= self.recent[-1][1] + 1:
                first, last = self.recent[-1][0], max(last, self.recent.pop()[1])
            self.recent.append((first, last))

    def count_recent(self, arrived: Iterable[int]) -> None:
        self.recent_count += sum(map(self.is_recent, arrived))

    def is_recent(self, uid: int) -> bool:
        at = bisect_right(self.recent, (uid, STAR_UID)) - 1
        return at >= 0 and uid <= self.recent[at][1]


def merged(slices: list[Slice]) -> list[Slice]:
    """Overlapping and touching slices as one."""
    result: list[Slice] = []
    for low, high in sorted(slices):
        if result and low <= result[-1][1]:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return result


def batches(slices: Iterable[Slice], size: int) -> Iterator[list[Slice]]:
    """Cuts slices into groups of at most `size` messages."""
    group: list[Slice] = []
    room = size
    for low, high in slices:
        while low < high:
            take = min(high - low, room)
            group.append((low, low + take))
            low += take
            room -= take
            if not room:
                yield group
                group, room = [], size
    if group:
        yield group
