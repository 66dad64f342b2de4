"""FETCH (RFC 9051 section 6.4.5): batches of columns from the store, poured to the client as fast as it reads.

A batch is bounded in messages, and in bytes where whole messages are wanted; a part is cut out of its message only here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass

from postern.model.items import Column, FetchedItems, Flag, FlagChange
from postern.protocols.imap.commands import Fetch
from postern.protocols.imap.fetch_plan import FetchPlan, UnknownEncoding, plan_of
from postern.services.imap.ahead import each, read_one, take
from postern.services.imap.failures import no
from postern.services.imap.state import ImapState
from postern.services.imap.view import FolderView, Slice, batches

ROWS = 1000
"""Messages of a batch."""
WHOLE_ROWS = 500
WHOLE_BYTES = 1024 * 1024
"""Bounds of a batch of whole messages; one message alone may be larger."""
CHANGING = Column.FLAGS | Column.MODSEQ
"""All other columns of a UID never change (RFC 9051 section 2.3.1.1), so they may be read ahead."""


def fetch_ahead(state: ImapState, command: Fetch) -> bool:
    """Answers at once, without waiting for anything, if the columns were read ahead. Returns whether they were."""
    view = state.view
    if (
        view is None
        or not view.home.is_own
        or not view.ahead.rows
        or len(command.messages) != 1
        or command.changed_since
    ):
        return False
    plan = plan_of(command.items, command.uid, state.condstore, state.utf8)
    if plan.columns != view.ahead.columns or plan.sets_seen or plan.columns & CHANGING:
        return False
    slices = view.slices(command.messages, command.uid)
    if slices is None or len(slices) != 1 or slices[0][1] - slices[0][0] != 1:
        return False
    row = take(view, slices[0][0])
    if row is None or plan.is_long(row):
        return False
    try:
        state.machine.send(b"".join(plan.rows([slices[0][1]], row, state.texts)))
    except UnknownEncoding:
        return False
    state.done(command)
    return True


async def fetch(state: ImapState, command: Fetch) -> None:
    view = state.selected
    if "MODSEQ" in command.items or command.changed_since:  # RFC 7162 section 3.1: these enable CONDSTORE
        state.enable_condstore()
    slices = await state.slices(command.messages, command.uid)
    plan = plan_of(command.items, command.uid, state.condstore, state.utf8)
    if plan.from_view and not command.changed_since:
        await _from_view(state, view, plan, slices)
    elif slices:
        try:
            async with state.access.answers.of(state.opened.mailbox) if plan.whole else nullcontext():
                whole = await _from_store(state, view, plan, slices, command)
        except UnknownEncoding:
            raise no("Content-Transfer-Encoding is not known", "UNKNOWN-CTE") from None
        if not whole:  # RFC 9051 section 7.1
            state.done(command, "Some messages are gone", b"EXPUNGEISSUED")
            return
    state.done(command)


async def _from_view(state: ImapState, view: FolderView, plan: FetchPlan, slices: list[Slice]) -> None:
    """UIDs and flags are answered from the session's index once it is up to date."""
    if plan.asks_flags:
        await state.refresh(expunges=False)
        await state.know_keywords(view.flags)
    for group in batches(slices, 10 * ROWS):
        for low, high in group:
            uids, flags = view.uids[low:high], view.flags[low:high]
            rows = plan.rows(range(low + 1, high + 1), FetchedItems(uids, flags), state.texts)
            await state.pour(rows)


async def _from_store(state: ImapState, view: FolderView, plan: FetchPlan, slices: list[Slice], command: Fetch) -> bool:
    """Sends batches from the store, which works on the next one meanwhile. Returns whether every message was there."""
    told = 0
    former: asyncio.Task[_Batch] | None = None
    try:
        async for group in _groups(view, plan, slices):
            ready, former = former, asyncio.create_task(_read(state, view, plan, group, command))
            if ready is not None:
                told += await _send(state, view, await ready, command.changed_since)
        if former is not None:
            told += await _send(state, view, await former, command.changed_since)
    finally:
        if former is not None:
            former.cancel()
    return bool(command.changed_since) or told == sum(high - low for low, high in slices)


@dataclass(frozen=True, slots=True)
class _Batch:
    """The store's answer for one group, and the plan to render it by."""

    plan: FetchPlan
    group: list[Slice]
    items: FetchedItems


async def _read(state: ImapState, view: FolderView, plan: FetchPlan, group: list[Slice], command: Fetch) -> _Batch:
    # RFC 4314 section 4: without the right `s`, FETCH leaves \\Seen as it is
    marks = plan.sets_seen and not view.read_only and view.settable & Flag.SEEN
    if marks and await _mark_seen(view, group) and not plan.asks_flags:
        # The change is told in the same answer: clients take the first FETCH for the one they asked for.
        plan = plan_of((*command.items, "FLAGS"), command.uid, state.condstore, state.utf8)
    single = len(group) == 1 and group[0][1] - group[0][0] == 1
    if single and not plan.columns & CHANGING and not command.changed_since:
        items = await read_one(view, plan.columns, group[0][0])
    else:
        items = await view.home.mailboxes.fetch(
            view.home.mailbox, view.folder.id, view.uid_ranges(group), plan.columns, command.changed_since
        )
    return _Batch(plan, group, items)


async def _send(state: ImapState, view: FolderView, batch: _Batch, changed_since: int) -> int:
    """Sends a batch. Returns how many messages the answer has."""
    items = batch.items
    if batch.plan.asks_flags:
        await state.know_keywords(items.flags)
        if len(items.uids) and not changed_since:
            _learn(view, items)
    numbers = view.numbers(items.uids, batch.group)
    if not batch.plan.is_long(items):
        await state.pour(batch.plan.rows(numbers, items, state.texts))
        return len(items.uids)
    for number, item in zip(numbers, each(items), strict=True):
        await state.pour_long(batch.plan.pieces(number, item, state.texts))
    return len(items.uids)


async def _groups(view: FolderView, plan: FetchPlan, slices: list[Slice]) -> AsyncIterator[list[Slice]]:
    if plan.whole:
        async for group in whole_batches(view, slices):
            yield group
        return
    for group in batches(slices, ROWS):
        yield group


async def whole_batches(view: FolderView, slices: list[Slice]) -> AsyncIterator[list[Slice]]:
    """Yields batches of whole messages. The sizes are asked first, unless there is only one message."""
    if len(slices) == 1 and slices[0][1] - slices[0][0] == 1:
        yield slices
        return
    for group in batches(slices, ROWS):
        answer = await view.home.mailboxes.fetch(view.home.mailbox, view.folder.id, view.uid_ranges(group), Column.SIZE)
        first, total, count = 0, 0, 0
        for at, size in enumerate(answer.sizes):
            if count and (total + size > WHOLE_BYTES or count == WHOLE_ROWS):
                yield view.of_uids(answer.uids[first:at])
                first, total, count = at, 0, 0
            total += size
            count += 1
        if count:
            yield view.of_uids(answer.uids[first:])


async def _mark_seen(view: FolderView, group: list[Slice]) -> bool:
    """Sets \\Seen, as BODY[] without PEEK does. Returns whether any message had not been seen."""
    unseen = [view.uids[at] for low, high in group for at in range(low, high) if not view.flags[at] & Flag.SEEN]
    if not unseen:
        return False
    ranges = view.uid_ranges(view.of_uids(unseen))
    await view.home.mailboxes.change_flags(view.home.mailbox, view.folder.id, ranges, FlagChange.ADD, Flag.SEEN)
    return True


def _learn(view: FolderView, items: FetchedItems) -> None:
    """Puts the flags of an answer into the view, so that they are not told again."""
    at = view.position(items.uids[0])
    if at is not None and list(view.uids[at : at + len(items.uids)]) == list(items.uids):
        for offset, word in enumerate(items.flags):
            view.flags[at + offset] = word
        return
    for uid, word in zip(items.uids, items.flags, strict=True):
        at = view.position(uid)
        if at is not None:
            view.flags[at] = word
