"""SEARCH, SORT and THREAD (RFC 9051 section 6.4.4, RFC 4731, RFC 5256): programs are made ready here and run by the store.

Keys that only the session knows are replaced first: sequence numbers and "$" by UIDs, \\Recent by UID ranges, keywords by bits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from postern.model.items import KEYWORD_BASE, Column, Flag
from postern.model.search import SearchTerm, SortKey
from postern.protocols.imap.commands import Search, Sort, Thread
from postern.protocols.imap.cursor import SAVED, Ranges
from postern.protocols.imap.responses import number_set
from postern.services.imap.failures import bad, no
from postern.services.imap.state import ImapState
from postern.services.imap.view import FolderView

NOTHING = SearchTerm("not", terms=(SearchTerm("all"),))
MAX_RANGES = 100_000
"""Ranges of UIDs in one program, besides those of the folder's own messages."""
MAX_KEYWORDS = 256
"""Keywords that one program may name: a folder has fewer than 64."""
_NUMBER = re.compile(rb"\d+")


async def search(state: ImapState, command: Search) -> None:
    view = state.selected
    saves = command.returns is not None and "SAVE" in command.returns
    if saves:
        state.saved = []  # RFC 9051 section 6.4.4.1: a failing SEARCH with SAVE empties "$"
    asks_modseq = _asks_modseq(command.program)
    if asks_modseq:
        state.enable_condstore()
    if command.names_charset and state.utf8_accepted:
        raise bad("CHARSET may not be given after UTF8=ACCEPT")  # RFC 6855 section 3
    uids = await _run(state, view, command.program, ())
    known = uids if _all_known(view, uids) else [uid for uid in uids if view.position(uid) is not None]
    if saves:
        state.saved = _named(command.returns, known)
    numbers = known if command.uid else _numbers(view, known)
    # RFC 4731 section 3.2: of the messages that the answer names
    highest = await _highest_modseq(view, _named(command.returns, known)) if asks_modseq and known else 0
    if command.returns is None and not state.rev2:
        modseq = b" (MODSEQ %d)" % highest if highest else b""
        state.send(b" ".join([b"SEARCH", *map(_digits, numbers)]) + modseq)
    elif command.returns != frozenset({"SAVE"}):
        state.send(_extended(command, command.returns or frozenset({"ALL"}), numbers, highest))
    state.done(command, code=_gone(view, known))


async def sort(state: ImapState, command: Sort) -> None:
    view = state.selected
    asks_modseq = _asks_modseq(command.program)
    if asks_modseq:
        state.enable_condstore()
    uids = await _run(state, view, command.program, command.keys)
    known = [uid for uid in uids if view.position(uid) is not None]
    highest = await _highest_modseq(view, known) if asks_modseq and known else 0
    modseq = b" (MODSEQ %d)" % highest if highest else b""  # RFC 7162 section 3.1.6
    state.send(b" ".join([b"SORT", *map(_digits, known if command.uid else _numbers(view, known))]) + modseq)
    state.done(command, code=_gone(view, known))


async def thread(state: ImapState, command: Thread) -> None:
    view = await state.loaded()
    await state.refresh(expunges=False)
    term = await _Resolver(state, view).term(command.program)
    threads = await view.home.mailboxes.thread(view.home.mailbox, view.folder.id, term, command.algorithm)
    if not command.uid:
        threads = _NUMBER.sub(lambda match: _digits((view.position(int(match.group())) or 0) + 1), threads)
    state.send(b"THREAD " + threads if threads else b"THREAD")
    state.done(command, code=_gone(view, ()))


async def _run(state: ImapState, view: FolderView, program: SearchTerm, keys: Sequence[SortKey]) -> list[int]:
    """Returns the UIDs that the program finds. If the answer says that the folder has changed, the view catches up, and a
    program that names messages by the view ("*", RECENT) runs again."""
    await state.loaded()
    former: SearchTerm | None = None
    uids: list[int] = []
    for _ in range(2):
        term = await _Resolver(state, view).term(program)
        if term.key == "all" and not keys:
            await state.refresh(expunges=False)
            return list(view.uids)
        if term == former:
            break
        result = await view.home.mailboxes.search(view.home.mailbox, view.folder.id, term, keys)
        uids = list(result.uids)
        if result.highest_modseq <= view.modseq:
            break
        await state.refresh(expunges=False)
        former = term
    return uids


def _gone(view: FolderView, uids: Sequence[int]) -> bytes:
    """The response code for an answer that may lack messages which the client still counts, because another session expunged
    them (RFC 9051 section 7.1)."""
    return b"EXPUNGEISSUED" if view.vanished and not set(view.vanished) <= set(uids) else b""


class _Resolver:
    """Turns a program into one with only the store's keys in it."""

    def __init__(self, state: ImapState, view: FolderView) -> None:
        self._state = state
        self._view = view
        self._room = MAX_RANGES + 2 * view.count
        self._saved: list[tuple[int, int]] | None = None
        self._bits: dict[str, int] = {}

    async def term(self, term: SearchTerm) -> SearchTerm:
        """Resolves one term. Raises NO [LIMIT] (RFC 5530 section 3).

        Bound: linear in the program and the folder; MAX_RANGES ranges of UIDs and twice the messages of the folder, so that "$"
        or RECENT may be named twice whatever they hold; MAX_KEYWORDS questions to the store.
        """
        key = term.key
        if key in ("sequence", "uid"):
            return self._of_uids(self._ranges(term.uids, key == "uid"))
        if key == "keyword":
            return await self._keyword(term.text)
        if key == "recent":
            return self._of_uids(self._view.recent)
        if key == "old":
            return SearchTerm("not", terms=(self._of_uids(self._view.recent),))
        if key == "new":
            unseen = SearchTerm("not", terms=(SearchTerm("flag", number=Flag.SEEN),))
            return SearchTerm("and", terms=(self._of_uids(self._view.recent), unseen))
        if term.terms:
            return SearchTerm(key, terms=tuple([await self.term(inner) for inner in term.terms]))
        return term

    def _of_uids(self, ranges: Sequence[tuple[int, int]]) -> SearchTerm:
        self._room -= len(ranges)
        if self._room < 0:
            raise no("The search names messages too often", "LIMIT")
        return SearchTerm("uid", uids=tuple(ranges)) if ranges else NOTHING

    def _ranges(self, ranges: Ranges, by_uid: bool) -> list[tuple[int, int]]:
        view = self._view
        if ranges == SAVED:
            if self._saved is None:
                self._saved = view.uid_ranges(view.of_uids(self._state.saved))
            return self._saved
        if not by_uid:  # numbers beyond the folder match nothing; they are no error in SEARCH
            count = view.count
            ranges = tuple((first, last) for first, last in ranges if min(first or count, last or count) <= count)
            ranges = tuple((min(first, count), min(last, count)) for first, last in ranges)
        return view.uid_ranges(view.slices(ranges, by_uid) or [])

    async def _keyword(self, name: str) -> SearchTerm:
        lowered = name.lower()
        if not self._bits:
            self._bits = {known.lower(): 1 << KEYWORD_BASE + at for at, known in enumerate(self._view.folder.keywords)}
        bits = self._bits.get(lowered)
        if bits is None:
            if len(self._bits) >= MAX_KEYWORDS:
                raise no("The search names too many keywords", "LIMIT")
            home = self._view.home
            bits = await home.mailboxes.keywords(home.mailbox, self._view.folder.id, [name], False)
            self._bits[lowered] = bits
        return SearchTerm("flag", number=bits) if bits else NOTHING


def _asks_modseq(term: SearchTerm) -> bool:
    return term.key == "modseq" or any(_asks_modseq(inner) for inner in term.terms)


async def _highest_modseq(view: FolderView, uids: list[int]) -> int:
    answer = await view.home.mailboxes.fetch(
        view.home.mailbox, view.folder.id, view.uid_ranges(view.of_uids(uids)), Column.MODSEQ
    )
    return max(answer.modseqs, default=0)


def _all_known(view: FolderView, uids: list[int]) -> bool:
    return len(uids) == len(view.uids) and uids == list(view.uids)


def _named(returns: frozenset[str] | None, uids: list[int]) -> list[int]:
    """The UIDs for "$": all, or the least and the greatest where only these were asked for (RFC 9051 section 6.4.4.1)."""
    if not uids or not returns or not returns & {"MIN", "MAX"} or returns & {"ALL", "COUNT"}:
        return uids
    ends = ([uids[0]] if "MIN" in returns else []) + ([uids[-1]] if "MAX" in returns else [])
    return sorted(set(ends))


def _numbers(view: FolderView, uids: list[int]) -> list[int]:
    if _all_known(view, uids):
        return list(range(1, len(uids) + 1))
    return [at + 1 for uid in uids if (at := view.position(uid)) is not None]


def _extended(command: Search, returns: frozenset[str], numbers: list[int], highest: int) -> bytes:
    """ESEARCH (RFC 9051 section 7.3.4)."""
    parts = [b'ESEARCH (TAG "' + command.tag + b'")']
    if command.uid:
        parts.append(b"UID")
    if numbers:
        if "MIN" in returns:
            parts.append(b"MIN %d" % numbers[0])
        if "MAX" in returns:
            parts.append(b"MAX %d" % numbers[-1])
        if "ALL" in returns:
            parts.append(b"ALL " + number_set(numbers))
    if "COUNT" in returns:
        parts.append(b"COUNT %d" % len(numbers))
    if highest:
        parts.append(b"MODSEQ %d" % highest)
    return b" ".join(parts)


def _digits(number: int) -> bytes:
    return b"%d" % number
