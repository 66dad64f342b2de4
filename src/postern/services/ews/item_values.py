"""The values of items' properties as texts, for conditions, orders and groups: those that an answer would show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import unescape

from postern.items.properties import Type
from postern.model.item_store import PropertyName
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.paths import ExtendedPath, FieldPath, IndexedPath, PropertyPath, path_markup
from postern.protocols.ews.shapes import Base, BodyType, Shape
from postern.services.ews import extended
from postern.services.ews.fields.field import Field, Prepare
from postern.services.ews.item_view import NOTHING, ItemView, Need, needed
from postern.services.ews.judging import ANYWHERE, Values
from postern.services.ews.kinds import BY_ELEMENT, KINDS, ItemKind, kind_of_view

_SHAPE = Shape(Base.ALL, body=BodyType.TEXT)
_TEXT = re.compile(r">([^<>]++)<")
_ENTRY = re.compile(r'<t:\w+ (?:Key|HeaderName)="([^"<>]*+)"[^<>]*+>')
_TYPES_OF_TEXT = frozenset({Type.STRING, Type.STRINGS})
_UNSEARCHED = frozenset(
    {
        "item:MimeContent",
        "item:ItemId",
        "item:ParentFolderId",
        "item:ResponseObjects",
        "item:EffectiveRights",
        "item:ExtendedProperty",
        "item:UniqueBody",
        "item:NormalizedBody",
        "item:StoreEntryId",
    }
)
"""Properties that no search asks for."""


def texts_of(markup: str) -> list[str]:
    """The texts in an element, without those that are space alone.

    Bound: linear in the markup.
    """
    return [unescape(text) for text in _TEXT.findall(markup) if not text.isspace()]


def named_by_schema(path: PropertyPath) -> PropertyPath:
    """The path of the schema for a MAPI property that is the same; other paths as they are."""
    if isinstance(path, ExtendedPath) and path.tag is not None:
        return _BY_TAG.get((path.tag, path.type_number), path)
    return path


def _fields_of(uri: str) -> dict[str, Field]:
    """By the key of each kind that has it, the property with this path."""
    return {kind.key: kind.by_uri[uri] for kind in KINDS if uri in kind.by_uri}


_BY_TAG = {
    (each.property.id, int(each.property.type)): FieldPath(each.uri)
    for kind in KINDS
    for each in kind.fields
    if each.property is not None and each.property.id and each.property.type in {*_TYPES_OF_TEXT, Type.TIME}
}
"""The properties of the schema that have the values of a MAPI property in the same form."""


_MESSAGE = BY_ELEMENT["Message"]


class ItemValues:
    """Reads the values of properties; it is an `item_reading.Reader` of all those that it was asked for. `code` is that of the
    error for a property that cannot be asked for."""

    def __init__(self, code: Code = Code.UNSUPPORTED_PATH_FOR_QUERY) -> None:
        self.likely = NOTHING
        self._names: list[PropertyName] = []
        self._code = code
        self._paths: dict[PropertyPath, Values[ItemView]] = {}
        self._needs: dict[str, Need] = {}
        self._fields: dict[str, list[Field]] = {}

    def needs_of(self, kind: ItemKind) -> Need:
        return self._needs.get(kind.key, NOTHING) | kind.needs

    def names_of(self, kind: ItemKind) -> list[PropertyName]:
        return [*self._names, *kind.bag_names] if self.needs_of(kind) & Need.BAG else self._names

    def preparations(self, kind: ItemKind) -> list[Prepare]:
        fields = self._fields.get(kind.key, [])
        return list(dict.fromkeys(each.prepare for each in fields if each.prepare is not None))

    def is_text(self, path: PropertyPath) -> bool:
        """Whether the property's values are texts, as far as one knows."""
        path = named_by_schema(path)
        if isinstance(path, FieldPath):
            return not any(
                each.property is not None and each.property.type not in _TYPES_OF_TEXT
                for each in _fields_of(path.uri).values()
            )
        return not isinstance(path, ExtendedPath) or path.type_number in _TYPES_OF_TEXT

    def __call__(self, path: PropertyPath) -> Values[ItemView]:
        """Returns the reader of a property. Raises EwsError with `code`."""
        path = named_by_schema(path)
        if path not in self._paths:
            if path == ANYWHERE:
                self._paths[path] = self._everything()
            elif isinstance(path, ExtendedPath):
                self._paths[path] = self._extended(path)
            else:
                self._paths[path] = self._of_schema(path)
        return self._paths[path]

    def _need(self, key: str, needs: Need, fields: Iterable[Field] = ()) -> None:
        self._needs[key] = self._needs.get(key, NOTHING) | needs
        self._fields.setdefault(key, []).extend(fields)
        if key == _MESSAGE.key:
            self.likely = self.needs_of(_MESSAGE)

    def _everything(self) -> Values[ItemView]:
        fields = {kind.key: [each for each in kind.fields if each.uri not in _UNSEARCHED] for kind in KINDS}
        for key, every in fields.items():
            self._need(key, needed(each.needs for each in every), every)
        return lambda view: [
            text for each in fields[kind_of_view(view).key] for text in texts_of(each.read(view, _SHAPE))
        ]

    def _of_schema(self, path: FieldPath | IndexedPath) -> Values[ItemView]:
        fields = _fields_of(path.uri)
        if not fields or path.uri in _UNSEARCHED:
            raise EwsError(self._code, path=path_markup(path))
        for key, each in fields.items():
            self._need(key, each.needs, [each])
        if isinstance(path, FieldPath):

            def read(view: ItemView) -> Sequence[str]:
                each = fields.get(kind_of_view(view).key)
                return texts_of(each.read(view, _SHAPE)) if each is not None else ()

            return read
        shape = Shape(Base.ID_ONLY, (path,), BodyType.TEXT)

        def read_entry(view: ItemView) -> Sequence[str]:
            each = fields.get(kind_of_view(view).key)
            return _entry(each.read(view, shape), path) if each is not None else ()

        return read_entry

    def _extended(self, path: ExtendedPath) -> Values[ItemView]:
        property_ = extended.property_of(path)
        if property_.name is not None:
            self._names.append(property_.name)
        for kind in KINDS:
            is_mapped = extended.is_in_content(path, kind.map)
            self._need(kind.key, Need.BAG | Need.CONTENT if is_mapped else Need.BAG)

        def read(view: ItemView) -> Sequence[str]:
            kind = kind_of_view(view)
            is_mapped = extended.is_in_content(path, kind.map)
            content = kind.read(view) if is_mapped and kind.read is not None else None
            markup = extended.markup(path, content, kind.map, view.bag, view.numbers, view.in_store)
            return texts_of(markup)

        return read


def _entry(markup: str, path: IndexedPath) -> Sequence[str]:
    """The texts of the entry with the path's index; where the path names a part of the entries, those of that part."""
    wanted = path.index.casefold()
    for match in _ENTRY.finditer(markup):
        if match[1].casefold() == wanted:
            entry, _, _ = markup[match.end() - 1 :].partition("</t:Entry>")
            entry, _, _ = entry.partition("</t:InternetMessageHeader>")
            part = f"<t:{path.uri.rpartition(':')[2]}>"
            if part in entry:
                entry = ">" + entry.partition(part)[2].partition("<")[0]
            return texts_of(entry + "<")
    return ()
