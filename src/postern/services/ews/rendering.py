"""Items as markup: the properties that a shape asks for, of items of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.paths import ExtendedPath, FieldPath, IndexedPath, path_markup
from postern.protocols.ews.shapes import Base, Shape
from postern.protocols.ews.versions import Version
from postern.services.ews import extended
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.fields.field import Field, Prepare
from postern.services.ews.fields.item import EXTENDED, ITEM_ID
from postern.services.ews.item_view import PAGE, ItemView, Need, load, needed
from postern.services.ews.kinds import KINDS, ItemKind, kind_of


@dataclass(slots=True)
class Rendering:
    """A shape as it is applied to items. `listed`: in a list of items, which leaves out what is long. Raises EwsError
    ErrorInvalidPropertyRequest for a property that no kind has."""

    shape: Shape
    version: Version
    listed: bool = False
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

    def needs(self, kinds: Sequence[ItemKind]) -> Need:
        needs = needed(each.needs for kind in kinds for each in self.fields(kind))
        return needs | Need.BAG | Need.CONTENT if self.extended else needs

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
    classes = {item.id: item.item_class for item in await mailbox.store.get(mailbox.id, ids)} if ids else {}
    elements: dict[int, str] = {}
    by_needs: dict[Need, list[int]] = {}
    for number in ids:
        if number in classes:
            by_needs.setdefault(rendering.needs([kind_of(classes[number])]), []).append(number)
    names = extended.names_of(rendering.extended)
    for kind in {kind_of(item_class) for item_class in classes.values()}:
        if rendering.needs([kind]) & Need.BAG:
            names.extend(kind.bag_names)
    properties = await mailbox.numbers(names) if names else {}
    for needs, numbers in by_needs.items():
        for start in range(0, len(numbers), PAGE):
            views = await load(call, mailbox, numbers[start : start + PAGE], needs)
            await _prepare(rendering, views)
            for view in views:
                view.numbers = properties
                elements[view.stored.id] = rendering.markup(view)
    return elements


async def _prepare(rendering: Rendering, views: Sequence[ItemView]) -> None:
    for kind in {kind_of(view.stored.item_class) for view in views}:
        for prepare in rendering.preparations(kind):
            await prepare([view for view in views if kind_of(view.stored.item_class) is kind])
