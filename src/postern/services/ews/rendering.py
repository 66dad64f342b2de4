"""Items as markup: the properties that a shape asks for, of items of any kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from postern.model.item_store import PropertyName, StoredItem
from postern.net.turns import turns_of
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.paths import ExtendedPath, FieldPath, IndexedPath, path_markup
from postern.protocols.ews.shapes import Base, Shape
from postern.protocols.ews.versions import Version
from postern.services.ews import extended
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.fields.field import Field
from postern.services.ews.fields.item import EXTENDED, ITEM_ID, MIME_CONTENT
from postern.services.ews.fields.item_values import MIME_END, MIME_START
from postern.services.ews.item_view import PAGE, ItemView, Need, load, needed
from postern.services.ews.kinds import KINDS, ItemKind, kind_of

AT_ONCE = 65_536
"""Octets of a content that is worked on in the loop; a larger one is so in a thread."""
PAGE_OCTETS = 4 << 20
"""Octets of contents that are read at once."""
_OF_STORED = frozenset({"item:ItemId", "item:ParentFolderId", "item:ConversationId", "item:InstanceKey"})


@dataclass(slots=True)
class Rendering:
    """A shape as it is applied to items. `listed`: in a list of items, which leaves out what is long. `base` is the base where
    it is not that of the shape; `is_attached`: to items that are attached to others, which have no id and no folder. Raises
    EwsError ErrorInvalidPropertyRequest for a property that no kind has."""

    shape: Shape
    version: Version
    listed: bool = False
    base: Base | None = None
    is_attached: bool = False
    _fields: dict[str, tuple[Field, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {each.uri: each for kind in KINDS for each in kind.fields}
        for path in self.shape.paths:
            if isinstance(path, FieldPath):
                there = known.get(path.uri)
                if there is None:
                    raise EwsError(Code.INVALID_PROPERTY_REQUEST, path=path_markup(path))
                if self.listed and there.single:
                    raise EwsError(Code.INVALID_PROPERTY_REQUEST, path=path_markup(path))

    def fields(self, kind: ItemKind) -> tuple[Field, ...]:
        """The properties that are shown of this kind, in the order of the schema."""
        if kind.element not in self._fields:
            self._fields[kind.element] = tuple(each for each in kind.fields if self._is_shown(each))
        return self._fields[kind.element]

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
        if any(isinstance(path, IndexedPath) and each.uri in (path.uri, f"{path.uri}s") for path in self.shape.paths):
            return True
        base = self.base or self.shape.base
        return base is Base.ALL or (base is Base.DEFAULT and each.default)

    @property
    def extended(self) -> list[ExtendedPath]:
        return [path for path in self.shape.paths if isinstance(path, ExtendedPath)]

    def needs(self, kinds: Sequence[ItemKind]) -> Need:
        needs = needed(each.needs for kind in kinds for each in self.fields(kind))
        return needs | Need.BAG | Need.CONTENT if self.extended else needs

    def names(self, kinds: Iterable[ItemKind]) -> list[PropertyName]:
        """The named properties that are read from bags."""
        named = [
            each.name for kind in kinds for shown in self.fields(kind) for each in shown.bag if each.name is not None
        ]
        return [*named, *extended.names_of(self.extended)]

    def markup(self, view: ItemView) -> str:
        """One item as an element."""
        return "".join([part for part in self.parts(view) if isinstance(part, str)])

    def parts(self, view: ItemView, is_streamed: bool = False) -> list[str | bytes]:
        """One item as an element, in parts; `is_streamed`: a long content stands among them as octets, for `operation.Long`."""
        kind = kind_of(view.stored.item_class)
        parts: list[str | bytes] = [f"<t:{kind.element}>"]
        content = kind.read(view) if kind.read is not None and self.extended else None
        for each in self.fields(kind):
            if each is EXTENDED:
                parts.extend(extended.markup(path, content, kind.map, view.bag, view.numbers) for path in self.extended)
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
    def text(self) -> str:
        return "".join([part for part in self.parts if isinstance(part, str)])

    @property
    def is_long(self) -> bool:
        return any(not isinstance(part, str) for part in self.parts)


async def markup_of(call: Call, mailbox: Mailbox, ids: Sequence[int], rendering: Rendering) -> dict[int, str]:
    """The elements of these items, by id; those that are not there, or that the caller may not see, are left out."""
    return {each.number: each.text async for each in rendered(call, mailbox, ids, rendering)}


async def rendered(
    call: Call, mailbox: Mailbox, ids: Sequence[int], rendering: Rendering, is_streamed: bool = False
) -> AsyncIterator[Rendered]:
    """The elements of these items, a page at a time; those that are not there, or that the caller may not see, are left out.
    They come in the order of `ids` but for kinds that need different parts of an item."""
    stored = await mailbox.store.get(mailbox.id, ids) if ids else []
    by_needs: dict[Need, list[StoredItem]] = {}
    kinds = set()
    for item in stored:
        kind = kind_of(item.item_class)
        kinds.add(kind.element)
        by_needs.setdefault(rendering.needs([kind]), []).append(item)
    names = rendering.names([kind for kind in KINDS if kind.element in kinds])
    properties = await mailbox.numbers(names) if names else {}
    for needs, items in by_needs.items():
        for page in _pages(items, needs):
            for view in await load(call, mailbox, page, needs):
                view.numbers = properties
                if len(view.content or b"") > AT_ONCE or (needs & Need.CONTENT and rendering.shape.filters_html):
                    parts = await asyncio.to_thread(rendering.parts, view, is_streamed)
                else:
                    parts = rendering.parts(view, is_streamed)
                yield Rendered(view.stored.id, parts)
            if needs & Need.CONTENT:
                await turns_of(asyncio.get_running_loop()).come()


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
