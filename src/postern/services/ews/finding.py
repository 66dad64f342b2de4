"""Searches of folders: which items a search finds, in which order, and the part of them that a view asks for.

The store finds and sorts what it can (`store_terms`). Where a condition or an order needs more than it knows, the items that it
found are read page by page and judged; only ids and the values to sort by are kept of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from postern.model.folders import MAIL, FolderKind, is_class
from postern.model.search import EVERYTHING, SearchTerm, SortKey
from postern.protocols.ews.codes import Code
from postern.protocols.ews.conditions import And, Condition, Contains, Not, Or
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.paths import FieldPath, IndexedPath, PropertyPath, path_markup
from postern.protocols.ews.views import Contacts, Fractional, Grouping, Indexed, Order, Seek, View
from postern.services.access.guarded_reading import EVERY
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.extended import ARTICLE_NUMBER
from postern.services.ews.item_reading import read_views
from postern.services.ews.item_values import ItemValues, named_by_schema
from postern.services.ews.item_view import ItemView
from postern.services.ews.judging import MISSING, Judge, Key, Values, judge, key_of, paths_of
from postern.services.ews.kinds import KINDS
from postern.services.ews.places import Place
from postern.services.ews.store_terms import pushed
from postern.services.scheduling.aside import aside

MAX_READ = 200_000
"""Items that the search of one request reads to judge or to sort them, in all folders that it names."""
MAX_CONTENTS = 10_000
"""Items of which it reads the contents."""
MAX_GROUPED = 20_000
"""Items that are put into groups."""
_SORTED_IN_LINE = 5_000
"""Items that are sorted between two turns of the event loop; more are sorted in a thread."""
NEWEST_FIRST = (SortKey("arrival", True),)
"""The order of a search that asks for none."""
_NAME = FieldPath("contacts:DisplayName")
_RECEIVED = FieldPath("item:DateTimeReceived")
_NO_TEXTS: list[str] = []
Met = list[tuple[int, list[str]]]
"""Items that a search found, each with texts of it."""


class Page(NamedTuple):
    """A part of a result: the items from the one with the number `start` on, and how many there are in all. `offset` is where the
    next page begins, as the view counts. In `groups`, each has its value and its items."""

    ids: Sequence[int]
    total: int
    start: int
    offset: int
    is_last: bool
    groups: Sequence[tuple[str, Sequence[int]]] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """The search of a request."""

    condition: Condition | None = None
    order: tuple[Order, ...] = ()
    grouping: Grouping | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """A way in which folders of one sort are searched: the store's term and order, what is judged of the items that it finds, and
    the values that they are sorted by (`keys`, where the store does not know the order)."""

    term: SearchTerm
    order: tuple[SortKey, ...] | None
    judge: Judge[ItemView] | None
    sorting: tuple[Order, ...]
    keys: Sequence[Values[ItemView]]
    group_keys: Sequence[Values[ItemView]]
    values: ItemValues

    @property
    def is_stored(self) -> bool:
        """Whether the store alone says what is found, in which order."""
        return self.judge is None and not self.sorting


@dataclass(slots=True)
class _Tally:
    """The items that the searches of one request have read, over all folders."""

    items: int = 0
    contents: int = 0

    def add(self, views: Sequence[ItemView]) -> None:
        """Raises EwsError for too many of them."""
        self.items += len(views)
        self.contents += sum(view.content is not None for view in views)
        if self.items > MAX_READ or self.contents > MAX_CONTENTS:
            raise EwsError(Code.INSUFFICIENT_RESOURCES, "The search would have to read too many items.")


class Finder:
    """Finds items in folders, by one search: in one folder at a time or, with `is_joined`, in several folders of a mailbox as if
    their items were in one. Raises EwsError for a property that cannot be searched for or sorted by."""

    def __init__(self, call: Call, search: Search, view: View, is_joined: bool = False) -> None:
        self._call = call
        self.search = search
        self.view = view
        self._is_joined = is_joined
        self._tally = _Tally()
        if search.condition is not None:
            _check(search.condition)
        # Those of mail, and of all other folders.
        self._plans = {is_mail: self._planned(is_mail) for is_mail in (True, False)}

    def within(self, condition: Condition | None) -> Finder:
        """A finder of what this one finds and what meets the condition too, in several folders; both share one bound. Raises
        EwsError as a new one does."""
        search = replace(self.search, condition=joined(condition, self.search.condition))
        finder = Finder(self._call, search, self.view, True)
        finder._tally = self._tally
        return finder

    def _planned(self, is_mail: bool) -> _Plan:
        search, view, values = self.search, self.view, ItemValues()
        order = search.order
        if isinstance(view, Contacts):
            order = order or (Order(_NAME),)
        term, rest = _divided(search.condition, is_mail)
        judges = judge(rest, values) if rest is not None else None
        if isinstance(view, Contacts):
            judges = _between(view, values, judges)
        if self._is_joined:
            # The store sorts within a folder.
            order = order or (Order(_RECEIVED, True),)
        store_order = None if self._is_joined else _store_order(order, is_mail)
        sorting = order if store_order is None else ()
        grouping = search.grouping
        return _Plan(
            term,
            store_order,
            judges,
            sorting,
            _readers(values, [each.path for each in sorting]),
            _readers(values, [grouping.path, grouping.aggregate]) if grouping is not None else (),
            values,
        )

    def _plan(self, place: Place) -> _Plan:
        node = place.node
        # Among deleted items there is everything.
        return self._plans[in_mail(node.folder_class) and node.kind is not FolderKind.DELETED]

    async def page(self, *folders: Place) -> Page:
        """The part that the view asks for of the items of a folder, or of several. Raises EwsError, MailboxError."""
        if self.search.grouping is not None:
            return await self._grouped(folders, self.search.grouping)
        if len(folders) == 1 and isinstance(self.view, Indexed | Fractional):
            plan = self._plan(folders[0])
            if plan.is_stored:
                return await self._stored(folders[0], plan)
        ids = [number for number, _ in await self._found(folders)]
        if folders and isinstance(self.view, Seek):
            return await self._sought(folders[0].mailbox, ids, self.view)
        start, end = part(self.view, len(ids))
        return page_of(self.view, ids[start:end], len(ids), start)

    async def _stored(self, place: Place, plan: _Plan) -> Page:
        """A page that the store alone gives."""
        store, mailbox, folder = place.mailbox.store, place.mailbox.id, place.node.id
        order, term, view = plan.order or (), plan.term, self.view
        if isinstance(view, Indexed) and not view.from_end:
            told = await store.find(mailbox, folder, order, view.offset, view.most, term)
            return page_of(self.view, told.ids, told.total, view.offset)
        total = (await store.find(mailbox, folder, order, 0, 0, term)).total
        start, end = part(view, total)
        told = await store.find(mailbox, folder, order, start, end - start, term)
        return page_of(self.view, told.ids, told.total, start)

    async def _found(self, folders: Sequence[Place]) -> Met:
        """All items that the search finds, in order, each with its texts to group it by."""
        met: Met = []
        keys: list[tuple[Key, ...]] = []
        sorting: tuple[Order, ...] = ()
        for place in folders:
            plan = self._plan(place)
            sorting = plan.sorting
            told = await place.mailbox.store.find(
                place.mailbox.id, place.node.id, plan.order or (), 0, EVERY, plan.term
            )
            if plan.is_stored and not plan.group_keys:
                met.extend((number, _NO_TEXTS) for number in told.ids)
                continue
            async for view in self._read(place.mailbox, told.ids, plan.values):
                if plan.judge is None or await _judged(plan.judge, view):
                    texts = [next(iter(read(view)), "") for read in plan.group_keys]
                    met.append((view.stored.id, texts or _NO_TEXTS))
                    if plan.keys:
                        keys.append(tuple(_key(read(view)) for read in plan.keys))
        if not sorting:
            return met
        at_once = len(met) <= _SORTED_IN_LINE
        return _sorted(met, keys, sorting) if at_once else await asyncio.to_thread(_sorted, met, keys, sorting)

    async def _read(self, mailbox: Mailbox, ids: Sequence[int], values: ItemValues) -> AsyncIterator[ItemView]:
        """Reads items page by page. Raises EwsError for too many of them."""
        async for views in read_views(self._call, mailbox, ids, values):
            self._tally.add(views)
            for view in views:
                yield view

    async def _sought(self, mailbox: Mailbox, ids: list[int], view: Seek) -> Page:
        """The page from the first item on that meets a condition."""
        values = ItemValues()
        meets = judge(view.condition, values)
        if view.from_end:
            ids.reverse()
        at = len(ids)
        async for each in self._read(mailbox, ids, values):
            if await _judged(meets, each):
                at = ids.index(each.stored.id)
                break
        chosen = ids[at : at + view.most]
        if not view.from_end:
            return page_of(self.view, chosen, len(ids), at)
        chosen.reverse()
        return page_of(self.view, chosen, len(ids), len(ids) - at - len(chosen))

    async def _grouped(self, folders: Sequence[Place], grouping: Grouping) -> Page:
        """A page of the items in their groups (MS-OXWSSRCH section 2.2.4.14)."""
        met = await self._found(folders)
        if len(met) > MAX_GROUPED:
            raise EwsError(Code.INSUFFICIENT_RESOURCES, "There are too many items to put into groups.")
        groups: dict[str, list[int]] = {}
        aggregates: dict[str, Key] = {}
        best = max if grouping.is_maximum else min
        for number, (text, other) in met:
            groups.setdefault(text, []).append(number)
            key = key_of(other) if other else MISSING
            aggregates[text] = best(aggregates[text], key) if text in aggregates else key
        names = sorted(groups, key=lambda text: aggregates[text], reverse=grouping.is_descending)
        total = len(met)
        start, end = part(self.view, total)
        parts: list[tuple[str, Sequence[int]]] = []
        at = 0
        for name in names:
            members = groups[name]
            chosen = members[max(0, start - at) : max(0, end - at)]
            if chosen:
                parts.append((name, chosen))
            at += len(members)
        page = page_of(self.view, [number for _, ids in parts for number in ids], total, start)
        return page._replace(groups=parts)


def joined(*conditions: Condition | None) -> Condition | None:
    """Returns the condition that all of these make together; None stands for everything."""
    terms = tuple(each for each in conditions if each is not None)
    return And(terms) if len(terms) > 1 else terms[0] if terms else None


def in_mail(folder_class: str) -> bool:
    """Whether a folder of this class holds mail.

    Bound: linear in the class.
    """
    return not folder_class or is_class(folder_class, MAIL)


def _between(view: Contacts, values: ItemValues, other: Judge[ItemView] | None) -> Judge[ItemView]:
    """A judge of contacts by their names (MS-OXWSCONT section 2.2.4.9)."""
    read = values(_NAME)
    first, last = view.first.casefold(), view.last.casefold()

    def meets(row: ItemView) -> bool:
        name = next(iter(read(row)), "").casefold()
        return first <= name and (not last or name <= last) and (other is None or other(row))

    return meets


def _sorted(met: Met, keys: Sequence[tuple[Key, ...]], sorting: Sequence[Order]) -> Met:
    places = list(range(len(met)))
    for column in reversed(range(len(sorting))):
        places.sort(key=lambda at: keys[at][column], reverse=sorting[column].is_descending)
    return [met[at] for at in places]


async def _judged(judges: Judge[ItemView], view: ItemView) -> bool:
    """Whether an item meets a condition."""
    return await aside(view.content or b"", lambda: judges(view))


def _key(texts: Sequence[str]) -> Key:
    return key_of(texts[0]) if texts else MISSING


def page_of(view: View, ids: Sequence[int], total: int, start: int) -> Page:
    """The page of a view that has these items, the first of which has the number `start`."""
    end = start + len(ids)
    if isinstance(view, Indexed | Seek) and view.from_end:
        return Page(ids, total, start, total - start, start <= 0)
    return Page(ids, total, start, end, end >= total)


def paging(page: Page, view: View) -> str:
    """The attributes of an answer that say which part of the result it holds (MS-OXWSSRCH section 2.2.4.12)."""
    offset = ""
    if isinstance(view, Indexed | Seek):
        offset = f' IndexedPagingOffset="{page.offset}"'
    elif isinstance(view, Fractional):
        offset = f' NumeratorOffset="{page.offset}" AbsoluteDenominator="{page.total}"'
    is_last = "true" if page.is_last else "false"
    return f'{offset} IncludesLastItemInRange="{is_last}" TotalItemsInView="{page.total}"'


def part(view: View, total: int) -> tuple[int, int]:
    """The numbers of the first item of a page and of the one after its last."""
    if isinstance(view, Fractional):
        start = total * view.numerator // view.denominator
        return start, min(total, start + view.most)
    if isinstance(view, Indexed) and view.from_end:
        # Moving back from the origin by the number of items (MS-OXWSSRCH section 2.2.4.16).
        end = max(0, total - view.offset)
        return max(0, end - view.most), end
    start = view.offset if isinstance(view, Indexed) else 0
    return start, min(total, start + view.most)


def _divided(condition: Condition | None, is_mail: bool) -> tuple[SearchTerm, Condition | None]:
    """Returns what the store searches for, and the condition that remains to be judged."""
    if condition is None:
        return EVERYTHING, None
    part = pushed(condition, named_by_schema, is_mail)
    if part.term is not None and part.is_exact:
        return part.term, None
    if not isinstance(condition, And):
        return part.term or EVERYTHING, condition
    # Of what has to hold together, the store's part is done.
    rest = tuple(term for term in condition.terms if not pushed(term, named_by_schema, is_mail, 1).is_exact)
    return part.term or EVERYTHING, And(rest)


def _check(condition: Condition) -> None:
    """Raises EwsError for a property that cannot be searched for, or not in this way."""
    values = ItemValues()
    for path in paths_of(condition):
        values(path)
    waiting = [condition]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Contains) and not values.is_text(here.path):
            raise EwsError(Code.CONTAINS_FILTER_WRONG_TYPE, path=path_markup(here.path))
        if isinstance(here, And | Or):
            waiting.extend(here.terms)
        elif isinstance(here, Not):
            waiting.append(here.term)


def _store_order(order: Sequence[Order], is_mail: bool) -> tuple[SortKey, ...] | None:
    """The order by keys of the store; None: it does not know one of them."""
    if not order:
        return NEWEST_FIRST
    keys = []
    for each in order:
        path = named_by_schema(each.path)
        name = _SORT.get(path.uri if isinstance(path, FieldPath) else path, "")
        if not name or not (is_mail or name in _SORTS_ALL):
            return None
        keys.append(SortKey(name, each.is_descending))
    return tuple(keys)


_SORTS_ALL = frozenset({"arrival", "size", "uid"})
"""Keys by which the store sorts all items; by the others it sorts mail."""
_SORT: dict[PropertyPath | str, str] = {
    ARTICLE_NUMBER: "uid",
    **{each.uri: each.sort for kind in KINDS for each in kind.fields if each.sort},
}


def _readers(values: ItemValues, paths: Sequence[PropertyPath]) -> list[Values[ItemView]]:
    """The readers of properties that a result is sorted or grouped by. Raises EwsError ErrorUnsupportedPathForSortGroup."""
    readers = []
    for path in paths:
        try:
            readers.append(values(path))
        except EwsError as error:
            raise EwsError(Code.UNSUPPORTED_PATH_FOR_SORT_GROUP, path=error.path) from None
        if isinstance(path, IndexedPath) and path.uri == "item:InternetMessageHeader":
            raise EwsError(Code.UNSUPPORTED_PATH_FOR_SORT_GROUP, path=path_markup(path))
    return readers
