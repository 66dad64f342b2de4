"""Items as markup: the properties that a shape asks for, of items of any kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

from postern.model.item_store import PropertyName, StoredItem
from postern.model.items import MESSAGE
from postern.net.turns import turns_of
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId
from postern.protocols.ews.paths import ExtendedPath, FieldPath, IndexedPath, path_markup
from postern.protocols.ews.shapes import Base, Shape
from postern.protocols.ews.uris import URIS
from postern.protocols.ews.versions import Version
from postern.services.ews import extended
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.appointments import of_view
from postern.services.ews.fields.field import Field, Prepare
from postern.services.ews.fields.item import EXTENDED, ITEM_ID, MIME_CONTENT
from postern.services.ews.fields.item_values import MIME_END, MIME_START
from postern.services.ews.item_reading import PAGE_OCTETS, completed, prepare, read_views
from postern.services.ews.item_view import NOTHING, PAGE, ItemView, Need, columns_of, load, needed, views_of
from postern.services.ews.kinds import KINDS, ItemKind, kind_of, kind_of_view
from postern.services.ews.occurrences import appointment_view
from postern.services.ews.places import Place
from postern.services.scheduling.aside import AT_ONCE, aside

_OF_STORED = frozenset({"item:ItemId", "item:ParentFolderId", "item:ConversationId", "item:InstanceKey"})


@dataclass(slots=True)
class Rendering:
    """A shape as it is applied to items. `listed`: in a list of items, which leaves out what is long; with `refuses`, a shape
    that asks for it raises EwsError ErrorInvalidPropertyForOperation. `base` is the base where it is not that of the shape;
    `is_attached`: to items that are attached to others, which have no id and no folder. Raises EwsError
    ErrorInvalidPropertyRequest for a property that the schema does not have."""

    shape: Shape
    version: Version
    listed: bool = False
    refuses: bool = False
    base: Base | None = None
    is_attached: bool = False
    likely: Need = NOTHING
    """The parts of an item that the next ones will probably need."""
    _fields: dict[str, tuple[Field, ...]] = field(default_factory=dict)
    _extended: list[ExtendedPath] | None = None
    _needs: dict[str, Need] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.refuses and self.shape.mime:
            raise EwsError(Code.INVALID_PROPERTY_FOR_OPERATION, path=path_markup(FieldPath(MIME_CONTENT.uri)))
        known = {each.uri: each for kind in KINDS for each in kind.fields}
        for path in self.shape.paths:
            if isinstance(path, FieldPath):
                there = known.get(path.uri)
                if there is None and path.uri not in URIS:
                    raise EwsError(Code.INVALID_PROPERTY_REQUEST, path=path_markup(path))
                if there is not None and self.refuses and there.single:
                    raise EwsError(Code.INVALID_PROPERTY_FOR_OPERATION, path=path_markup(path))
        self.likely = self.needs_of(kind_of(MESSAGE))

    def fields(self, kind: ItemKind) -> tuple[Field, ...]:
        """The properties that are shown of this kind, in the order of the schema."""
        if kind.key not in self._fields:
            self._fields[kind.key] = tuple(each for each in kind.fields if self._is_shown(each))
        return self._fields[kind.key]

    def _is_shown(self, each: Field) -> bool:
        if each.since > self.version or (self.listed and each.single):
            return False
        if self.is_attached and each.uri in _OF_STORED:
            return False
        if each is EXTENDED:
            return bool(self.extended)
        if each is ITEM_ID or FieldPath(each.uri) in self.shape.paths:
            return True
        if each.uri == "item:MimeContent":
            return self.shape.mime
        # "item:InternetMessageHeader" is one of "item:InternetMessageHeaders".
        uris = (each.uri, each.uri.removesuffix("s"), *each.parts)
        if any(isinstance(path, IndexedPath) and path.uri in uris for path in self.shape.paths):
            return True
        base = self.base or self.shape.base
        return (base is Base.ALL and not each.is_asked) or (base is Base.DEFAULT and each.default)

    @property
    def extended(self) -> list[ExtendedPath]:
        if self._extended is None:
            self._extended = [path for path in self.shape.paths if isinstance(path, ExtendedPath)]
        return self._extended

    def reads_content(self, kind: ItemKind) -> bool:
        """Whether a MAPI property that is shown has its place in the content of this kind."""
        return any(extended.is_in_content(path, kind.map) for path in self.extended)

    def needs_of(self, kind: ItemKind) -> Need:
        """The parts of an item of this kind that are shown."""
        if kind.key not in self._needs:
            needs = needed(each.needs for each in self.fields(kind))
            if not self.listed or self.shape.base is not Base.ID_ONLY or self.shape.paths:
                needs |= kind.needs
            if self.extended:
                needs |= Need.BAG | (Need.CONTENT if self.reads_content(kind) else NOTHING)
            self._needs[kind.key] = needs
        return self._needs[kind.key]

    def names_of(self, kind: ItemKind) -> list[PropertyName]:
        """The named properties that are read of items of this kind."""
        names = extended.names_of(self.extended)
        return [*names, *kind.bag_names] if self.needs_of(kind) & Need.BAG else names

    def preparations(self, kind: ItemKind) -> list[Prepare]:
        return list(dict.fromkeys(each.prepare for each in self.fields(kind) if each.prepare is not None))

    def markup(self, view: ItemView) -> str:
        """One item as an element."""
        return "".join([part for part in self.parts(view) if isinstance(part, str)])

    def parts(self, view: ItemView, is_streamed: bool = False) -> list[str | bytes]:
        """One item as an element, in parts; `is_streamed`: a long content stands among them as octets, for `operation.Long`."""
        kind = kind_of_view(view)
        parts: list[str | bytes] = [f"<t:{kind.element}>"]
        content = kind.read(view) if kind.read is not None and self.extended and self.reads_content(kind) else None
        for each in self.fields(kind):
            if each is EXTENDED:
                stored = None if self.is_attached else view.in_store
                parts.extend(
                    extended.markup(path, content, kind.map, view.bag, view.numbers, stored) for path in self.extended
                )
            elif each is MIME_CONTENT and is_streamed and len(view.content or b"") > AT_ONCE:
                parts += [MIME_START, view.content or b"", MIME_END]
            else:
                parts.append(each.read(view, self.shape))
        return [*parts, f"</t:{kind.element}>"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """An item as an element, in parts for `operation.Long`."""

    number: int
    parts: Sequence[str | bytes]

    @property
    def is_long(self) -> bool:
        return any(not isinstance(part, str) for part in self.parts)


async def markup_of(call: Call, mailbox: Mailbox, ids: Sequence[int], rendering: Rendering) -> dict[int, str]:
    """The elements of these items, by id; those that are not there, or that the caller may not see, are left out."""
    elements: dict[int, str] = {}
    async for part in read_views(call, mailbox, ids, rendering):
        await _render(part, rendering, elements)
    return elements


async def _render(views: Sequence[ItemView], rendering: Rendering, elements: dict[int, str]) -> None:
    """Adds the elements of these items, by id."""
    for view in views:
        parts = await _parts(view, rendering)
        elements[view.stored.id] = "".join([part for part in parts if isinstance(part, str)])


async def streamed(call: Call, mailbox: Mailbox, ids: Sequence[int], rendering: Rendering) -> AsyncIterator[Rendered]:
    """The elements of these items, while others are still to be read; those that are not there, or that the caller may not see,
    are left out. They come in the order of `ids` but for kinds that need different parts of an item."""
    by_needs: dict[Need, list[StoredItem]] = {}
    for item in await mailbox.store.get(mailbox.id, ids) if ids else []:
        by_needs.setdefault(rendering.needs_of(kind_of(item.item_class)), []).append(item)
    for needs, items in by_needs.items():
        for page in _pages(items, needs):
            views = await load(call, mailbox, page, needs)
            async for part in completed(call, mailbox, views, needs, rendering):
                for view in part:
                    yield Rendered(view.stored.id, await _parts(view, rendering, is_streamed=True))
            if needs & Need.CONTENT:
                await turns_of(asyncio.get_running_loop()).come()


async def _parts(view: ItemView, rendering: Rendering, is_streamed: bool = False) -> list[str | bytes]:
    """One item in parts. Work on a large content is done in a thread, and on HTML that is filtered."""
    if view.content is not None and (len(view.content) > AT_ONCE or rendering.shape.filters_html):
        return await asyncio.to_thread(rendering.parts, view, is_streamed)
    return rendering.parts(view, is_streamed)


async def markup_of_walk(
    call: Call, place: Place, rendering: Rendering, after: int, most: int, until: int = 0
) -> tuple[dict[int, str], int, bool]:
    """The elements of up to `most` items of a folder that have higher UIDs than `after`, by id in the order of UIDs; the last UID
    among them, and whether the folder has no more. `until` is that of `ItemStore.walk`."""
    mailbox = place.mailbox
    elements: dict[int, str] = {}
    while True:
        needs = rendering.likely
        # One more than is shown: whether there is one says whether this page is the last.
        count = min(PAGE, most - len(elements)) + 1
        reads = needs & ~Need.CONTENT
        told = await mailbox.store.walk(mailbox.id, place.node.id, after, count, columns_of(reads), until)
        views = await views_of(call, mailbox, told, reads)
        async for part in completed(call, mailbox, views[: count - 1], reads, rendering):
            await _render(part, rendering, elements)
        if len(told.items) < count:
            return elements, told.items[-1].uid if told.items else after, True
        after = told.items[-2].uid
        if len(elements) >= most:
            return elements, after, False


def _pages(items: Sequence[StoredItem], needs: Need) -> Iterator[list[int]]:
    """The ids, as many at a time as are read at once: PAGE, or contents of PAGE_OCTETS together."""
    page: list[int] = []
    octets = 0
    for item in items:
        if page and (len(page) >= PAGE or (needs & Need.CONTENT and octets + item.size > PAGE_OCTETS)):
            yield page
            page, octets = [], 0
        page.append(item.id)
        octets += item.size
    if page:
        yield page


async def markup_of_occurrence(call: Call, wanted: ItemId, rendering: Rendering) -> str:
    """The element of one occurrence of a series. Raises EwsError as `appointments.of_view`."""
    view = await appointment_view(call, wanted, Need.BAG)
    octets = view.content or b""
    await aside(octets, lambda: of_view(view), is_long=b"RRULE" in octets)
    await prepare(view.mailbox, [view], rendering)
    return rendering.markup(view)
