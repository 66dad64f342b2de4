"""Pages of another's mailbox without what the caller may not see, for `guarded`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from postern.model.folders import FolderChanges, Right
from postern.model.item_store import ItemChanges, ItemColumns
from postern.model.resources import Resource, Resources


async def walked(
    page: Callable[[int, int], Awaitable[ItemColumns]], hidden: Collection[int], after: int, most: int
) -> ItemColumns:
    """Walks on until there are `most` items that are not hidden, or no more. `page` brings so many items after a UID."""
    seen: list[ItemColumns] = []
    wanted = most
    while wanted > 0:
        told = await page(after, wanted)
        kept = [place for place, item in enumerate(told.items) if item.id not in hidden]
        seen.append(told if len(kept) == len(told.items) else _chosen(told, kept))
        if len(told.items) < wanted:
            break
        after = told.items[-1].uid
        wanted -= len(kept)
    if len(seen) == 1:
        return seen[0]
    columns = zip(*map(_parts, seen), strict=True)
    return (
        ItemColumns(*([value for column in each for value in column] for each in columns)) if seen else ItemColumns([])
    )


def _parts(told: ItemColumns) -> tuple[Sequence[Any], ...]:
    return told.items, told.envelopes, told.structures, told.headers, told.others


def _chosen(told: ItemColumns, places: Sequence[int]) -> ItemColumns:
    return ItemColumns(*([column[place] for place in places] if column else () for column in _parts(told)))


def without(told: ItemChanges, hidden: Collection[int], since: int) -> ItemChanges:
    """Changes without the hidden items. Those are told as removed, for they may have been seen before."""
    if not hidden:
        return told
    gone = [number for number in told.changed if number in hidden] if since else []
    return replace(
        told,
        created=[number for number in told.created if number not in hidden],
        changed=[number for number in told.changed if number not in hidden],
        removed=sorted([*told.removed, *gone]),
    )


def seen_folders(told: FolderChanges, rights: Callable[[int], Right]) -> FolderChanges:
    """The changes of those folders that the caller may see. Others are told as removed, for they may have been seen before."""
    hidden = [node.id for node in told.changed if not rights(node.id)]
    return FolderChanges(
        told.change,
        [node for node in told.created if rights(node.id)],
        [node for node in told.changed if rights(node.id)],
        sorted([*told.removed, *hidden]),
    )


def resources_of(resources: Iterable[Resource]) -> Resources:
    """Puts single resources together again."""
    rows = list(resources)
    if not rows:
        return Resources()
    ids, folders, names, uids, tags, sizes, classes, created, modified, contents = zip(*rows, strict=True)
    if not any(each is not None for each in contents):
        contents = ()
    return Resources(ids, folders, names, uids, tags, sizes, classes, created, modified, contents)
