"""FETCH (RFC 9051 section 6.4.5): batches of columns from the store, poured to the client as fast as it reads.

A batch is bounded in messages, and in bytes where whole messages are wanted; a part is cut out of its message only here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from postern.model.mailbox import Column, FetchedItems, Flag, FlagChange
from postern.protocols.imap.commands import Fetch
from postern.protocols.imap.fetch_plan import FetchPlan, UnknownEncoding
from postern.services.imap_ahead import read_one
from postern.services.imap_state import ImapState, no
from postern.services.imap_view import FolderView, Slice, batches

ROWS = 1000
"""Messages of a batch."""
WHOLE_ROWS = 500
WHOLE_BYTES = 1024 * 1024
"""Bounds of a batch of whole messages; one message alone may be larger."""
CHANGING = Column.FLAGS | Column.MODSEQ
"""All other columns of a UID never change (RFC 9051 section 2.3.1.1), so they may be read ahead."""


async def fetch(state: ImapState, command: Fetch) -> None:
    view = state.selected
    if "MODSEQ" in command.items or command.changed_since:  # RFC 7162 section 3.1: these enable CONDSTORE
        state.condstore = True
    slices = await state.slices(command.messages, command.uid)
    plan = FetchPlan(command.items, command.uid, state.condstore)
    if plan.from_view and not command.changed_since:
        await _from_view(state, view, plan, slices)
    elif slices:
        try:
            await _from_store(state, view, plan, slices, command.changed_since)
        except UnknownEncoding:
            raise no("Content-Transfer-Encoding is not known", "UNKNOWN-CTE") from None
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


async def _from_store(
    state: ImapState, view: FolderView, plan: FetchPlan, slices: list[Slice], changed_since: int
) -> None:
    """While one batch is rendered and sent, the store already works on the next."""
    former: tuple[list[Slice], asyncio.Task[FetchedItems]] | None = None
    try:
        async for group in _groups(state, view, plan, slices):
            task = asyncio.create_task(_read(state, view, plan, group, changed_since))
            if former is not None:
                await _send(state, view, plan, former[0], await former[1], changed_since)
            former = (group, task)
        if former is not None:
            await _send(state, view, plan, former[0], await former[1], changed_since)
    finally:
        if former is not None:
            former[1].cancel()


async def _read(
    state: ImapState, view: FolderView, plan: FetchPlan, group: list[Slice], changed_since: int
) -> FetchedItems:
    if plan.sets_seen and not view.read_only:
        await _mark_seen(state, view, group, told=plan.asks_flags)
    if not plan.columns & CHANGING and not changed_since and len(group) == 1 and group[0][1] - group[0][0] == 1:
        return await read_one(state.opened, view, plan.columns, group[0][0])
    return await state.opened.mailboxes.fetch(
        state.opened.mailbox, view.folder.id, view.uid_ranges(group), plan.columns, changed_since
    )


async def _send(
    state: ImapState,
    view: FolderView,
    plan: FetchPlan,
    group: list[Slice],
    items: FetchedItems,
    changed_since: int,
) -> None:
    if plan.asks_flags:
        await state.know_keywords(items.flags)
        if len(items.uids) and not changed_since:
            _learn(view, items)
    await state.pour(plan.rows(view.numbers(items.uids, group), items, state.texts))


async def _groups(
    state: ImapState, view: FolderView, plan: FetchPlan, slices: list[Slice]
) -> AsyncIterator[list[Slice]]:
    """Batches. For whole messages the sizes are asked first, unless one message is all there is to fetch."""
    if not plan.whole or (len(slices) == 1 and slices[0][1] - slices[0][0] == 1):
        for group in batches(slices, ROWS):
            yield group
        return
    for group in batches(slices, ROWS):
        found = await state.opened.mailboxes.fetch(
            state.opened.mailbox, view.folder.id, view.uid_ranges(group), Column.SIZE
        )
        first, total, count = 0, 0, 0
        for at, size in enumerate(found.sizes):
            if count and (total + size > WHOLE_BYTES or count == WHOLE_ROWS):
                yield view.of_uids(found.uids[first:at])
                first, total, count = at, 0, 0
            total += size
            count += 1
        if count:
            yield view.of_uids(found.uids[first:])


async def _mark_seen(state: ImapState, view: FolderView, group: list[Slice], told: bool) -> None:
    """BODY[] without PEEK sets \\Seen; the client is told unless it asked for flags anyway."""
    unseen = [at for low, high in group for at in range(low, high) if not view.flags[at] & Flag.SEEN]
    if not unseen:
        return
    slices = view.of_uids([view.uids[at] for at in unseen])
    result = await state.opened.mailboxes.change_flags(
        state.opened.mailbox, view.folder.id, view.uid_ranges(slices), FlagChange.ADD, Flag.SEEN
    )
    changed = []
    for uid, word in zip(result.uids, result.flags, strict=True):
        at = view.position(uid)
        if at is not None:
            view.flags[at] = word
            changed.append(at)
    if not told:
        await state.tell_flags(changed)


def _learn(view: FolderView, items: FetchedItems) -> None:
    """What was told as an item's flags need not be told again."""
    at = view.position(items.uids[0])
    if at is not None and list(view.uids[at : at + len(items.uids)]) == list(items.uids):
        for offset, word in enumerate(items.flags):
            view.flags[at + offset] = word
        return
    for uid, word in zip(items.uids, items.flags, strict=True):
        at = view.position(uid)
        if at is not None:
            view.flags[at] = word
