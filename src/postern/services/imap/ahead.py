"""Reading ahead for a client that fetches one message after the other, as many do that keep a copy of a folder.

Without it every message costs a round trip to the mailbox server. The columns that are read ahead never change under a UID; they
are bounded in messages and bytes, and dropped as soon as the client does something else.
"""

from __future__ import annotations

from postern.model.items import Column, FetchedItems
from postern.services.imap.view import Ahead, FolderView

MESSAGES = 64
BYTES = 512 * 1024
SIZES = 1000
"""Sizes asked for at once, so that a large message is never read ahead."""


def take(view: FolderView, position: int) -> FetchedItems | None:
    """The message at `position` if it is next in line and was read ahead."""
    if view.ahead.position != position - 1:
        return None
    row = view.ahead.rows.pop(view.uids[position], None)
    if row is not None:
        view.ahead.position = position
    return row


async def read_one(view: FolderView, columns: Column, position: int) -> FetchedItems:
    """The columns of the message at `position`, out of what was read ahead if it was the next in line."""
    ahead, uid = view.ahead, view.uids[position]
    in_line = ahead.columns == columns and ahead.position == position - 1
    if not in_line:
        view.ahead = ahead = Ahead(columns)
    ahead.position = position
    row = ahead.rows.pop(uid, None)
    if row is not None:
        return row
    last = position + 1
    if in_line:
        last = await _reach(view, columns, position)
    items = await view.home.mailboxes.fetch(view.home.mailbox, view.folder.id, [(uid, view.uids[last - 1])], columns)
    if last == position + 1:
        return items
    ahead.rows = {row.uids[0]: row for row in each(items)}
    return ahead.rows.pop(uid, FetchedItems([]))


async def _reach(view: FolderView, columns: Column, position: int) -> int:
    """Decides how far to read. Returns the position behind the last message."""
    last = min(position + MESSAGES, len(view.uids))
    if not columns & (Column.CONTENT | Column.HEADER):
        return last
    sizes = view.ahead.sizes
    if view.uids[last - 1] not in sizes:
        end = min(position + SIZES, len(view.uids))
        answer = await view.home.mailboxes.fetch(
            view.home.mailbox, view.folder.id, [(view.uids[position], view.uids[end - 1])], Column.SIZE
        )
        sizes = view.ahead.sizes = dict(zip(answer.uids, answer.sizes, strict=True))
    total = 0
    for at in range(position, last):
        total += sizes.get(view.uids[at], 0)
        if total > BYTES:
            return max(at, position + 1)
    return last


def each(items: FetchedItems) -> list[FetchedItems]:
    """Each item as an answer of its own."""
    return [
        FetchedItems(
            uids=items.uids[at : at + 1],
            flags=items.flags[at : at + 1],
            modseqs=items.modseqs[at : at + 1],
            sizes=items.sizes[at : at + 1],
            dates=items.dates[at : at + 1],
            envelopes=items.envelopes[at : at + 1],
            structures=items.structures[at : at + 1],
            bodies=items.bodies[at : at + 1],
            headers=items.headers[at : at + 1],
            contents=items.contents[at : at + 1],
        )
        for at in range(len(items.uids))
    ]
