"""Items as markup: the properties that a shape asks for, of items of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from postern.model.items import MESSAGE
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.paths import ExtendedPath, FieldPath, IndexedPath, path_markup
from postern.protocols.ews.shapes import Base, Shape
from postern.protocols.ews.versions import Version
from postern.services.ews import extended
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.fields.field import Field, Prepare
from postern.services.ews.fields.item import EXTENDED, ITEM_ID
from postern.services.ews.item_view import NOTHING, PAGE, ItemView, Need, columns_of, load, needed, views_of
from postern.services.ews.kinds import KINDS, ItemKind, kind_of
from postern.services.ews.places import Place


@dataclass(slots=True)
class Rendering:
    """A shape as it is applied to items. `listed`: in a list of items, which leaves out what is long. Raises EwsError
    ErrorInvalidPropertyRequest for a property that no kind has."""

    shape: Shape
    version: Version
    listed: bool = False
    likely: Need = NOTHING
    """The parts of an item that the next ones will probably need."""
    _fields: dict[str, tuple[Field, ...]] = field(default_factory=dict)
    _needs: dict[str, Need] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {each.uri: each for kind in KINDS for each in kind.fields}
        for path in self.shape.paths:
            if isinstance(path, FieldPath):
                there = known.get(path.uri)
                if there is None:
                    raise EwsError(Code.INVALID_PROPERTY_REQUEST, path=path_markup(path))
                if self.listed and there.single:
                    raise EwsError(Code.INVALID_PROPERTY_REQUEST, path=path_markup(path))
        self.likely = self.needs_of(kind_of(MESSAGE))

    def fields(self, kind: ItemKind) -> tuple[Field, ...]:
        """The properties that are shown of this kind, in the order of the schema."""
        if kind.item_class not in self._fields:
            self._fields[kind.item_class] = tuple(each for each in kind.fields if self._is_shown(each))
        return self._fields[kind.item_class]

    def _is_shown(self, each: Field) -> bool:
        if each.since > self.version or (self.listed and each.single):
            return False
        if each is EXTENDED:
            return bool(self.extended)
        if each is ITEM_ID or FieldPath(each.uri) in self.shape.paths:
            return True
        if each.uri == "item:MimeContent":
            return self.shape.mime
        if any(isinstance(path, IndexedPath) and path.uri in (each.uri, *each.parts) for path in self.shape.paths):
            return True
        return self.shape.base is Base.ALL or (self.shape.base is Base.DEFAULT and each.default)

    @property
    def extended(self) -> list[ExtendedPath]:
        return [path for path in self.shape.paths if isinstance(path, ExtendedPath)]

    def needs_of(self, kind: ItemKind) -> Need:
        """The parts of an item of this kind that are shown."""
        if kind.item_class not in self._needs:
            needs = needed(each.needs for each in self.fields(kind))
            self._needs[kind.item_class] = needs | Need.BAG | Need.CONTENT if self.extended else needs
        return self._needs[kind.item_class]

    def preparations(self, kind: ItemKind) -> list[Prepare]:
        return [each.prepare for each in self.fields(kind) if each.prepare is not None]

    def markup(self, view: ItemView) -> str:
        """One item as an element."""
        kind = kind_of(view.stored.item_class)
        parts: list[str] = []
        content = kind.read(view) if kind.read is not None and self.extended else None
        for each in self.fields(kind):
            if each is EXTENDED:
                parts.extend(extended.markup(path, content, kind.map, view.bag, view.numbers) for path in self.extended)
            else:
                parts.append(each.read(view, self.shape))
        inner = "".join(parts)
        return f"<t:{kind.element}>{inner}</t:{kind.element}>"


async def markup_of(call: Call, mailbox: Mailbox, ids: Sequence[int], rendering: Rendering) -> dict[int, str]:
    """The elements of these items, by id; those that are not there, or that the caller may not see, are left out."""
    elements: dict[int, str] = {}
    for start in range(0, len(ids), PAGE):
        needs = rendering.likely
        views = await load(call, mailbox, ids[start : start + PAGE], needs)
        elements.update(await rendered(call, mailbox, views, needs, rendering))
    return elements


async def rendered(
    call: Call, mailbox: Mailbox, views: Sequence[ItemView], had: Need, rendering: Rendering
) -> dict[int, str]:
    """The elements of items that were read with the parts `had`, by id. Items of a kind that needs more are read again."""
    elements = dict.fromkeys([view.stored.id for view in views], "")
    ready: list[ItemView] = []
    again: dict[Need, list[int]] = {}
    kinds: dict[Need, int] = {}
    for view in views:
        needs = rendering.needs_of(kind_of(view.stored.item_class))
        kinds[needs] = kinds.get(needs, 0) + 1
        if needs & ~had:
            again.setdefault(needs, []).append(view.stored.id)
        else:
            ready.append(view)
    for needs, numbers in again.items():
        ready.extend(await load(call, mailbox, numbers, needs))
    await _prepare(mailbox, ready, rendering)
    for view in ready:
        elements[view.stored.id] = rendering.markup(view)
    if kinds:
        # Most folders hold items of one kind: the next page is read with what this one needed.
        rendering.likely = max(kinds, key=lambda needs: kinds[needs])
    return {number: markup for number, markup in elements.items() if markup}


async def _prepare(mailbox: Mailbox, views: Sequence[ItemView], rendering: Rendering) -> None:
    """Gives the views the numbers of named properties, and what else a kind reads for all of its items at once."""
    names = extended.names_of(rendering.extended)
    by_kind: dict[str, list[ItemView]] = {}
    for view in views:
        by_kind.setdefault(view.stored.item_class, []).append(view)
    for item_class in by_kind:
        if rendering.needs_of(kind_of(item_class)) & Need.BAG:
            names.extend(kind_of(item_class).bag_names)
    numbers = await mailbox.numbers(names) if names and views else {}
    for item_class, alike in by_kind.items():
        for view in alike:
            view.numbers = numbers
        for prepare in rendering.preparations(kind_of(item_class)):
            await prepare(alike)


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
        elements.update(await rendered(call, mailbox, views[: count - 1], reads, rendering))
        if len(told.items) < count:
            return elements, told.items[-1].uid if told.items else after, True
        after = told.items[-2].uid
        if len(elements) >= most:
            return elements, after, False
