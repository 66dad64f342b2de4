"""Properties of the schema that are MAPI properties of a kind's map: how each is shown, and read out of a request."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from postern.items.properties import Property, PropertyMap, Type, Value
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import element, is_true, t, value
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.times import read_time, written
from postern.protocols.ews.versions import Version
from postern.services.ews import extended
from postern.services.ews.fields.field import Field
from postern.services.ews.item_view import ItemView, Need
from postern.services.ews.map_editor import MapEditor

MAX_STRINGS = 1_000
"""Texts of one property that a request may give."""
MAX_CATEGORIES = 200
"""Categories of one item that a request may give."""
MAX_CATEGORY = 255
"""Characters of a category."""
DAY = 86_400
_WHOLE = re.compile(r"[+-]?[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a value: what is in its element, and the value of an element. `write` raises EwsError."""

    show: Callable[[Value], str]
    read: Callable[[xml.Element], Value]


def _text(held: Value) -> str:
    return xml.text(str(held))


def whole(sent: xml.Element) -> int:
    """Reads an xs:int. Raises EwsError ErrorSchemaValidation."""
    text = sent.text.strip()
    if _WHOLE.fullmatch(text) is None:
        raise EwsError(Code.SCHEMA_VALIDATION)
    number = int(text)
    if not -(1 << 31) <= number < 1 << 31:
        raise EwsError(Code.SCHEMA_VALIDATION)
    return number


def _real(sent: xml.Element) -> Value:
    try:
        return float(sent.text[:40])
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None


def _time(held: Value) -> str:
    return written(held) if isinstance(held, int) else ""


def _strings(held: Value) -> str:
    return "".join([value("t:String", each) for each in held]) if isinstance(held, tuple) else ""


def read_strings(sent: xml.Element) -> Value:
    """Reads an ArrayOfStringsType. Raises EwsError."""
    texts = sent.find_all(t("String"))
    if len(texts) > MAX_STRINGS:
        raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY)
    return tuple([each.text for each in texts])


def read_categories(sent: xml.Element) -> tuple[str, ...]:
    """Reads the Categories of an item of any kind, each once. Raises EwsError ErrorInvalidValueForProperty for too many of them,
    or too long ones."""
    names = tuple(dict.fromkeys(filter(None, [each.text.strip() for each in sent.find_all(t("String"))])))
    if len(names) > MAX_CATEGORIES or any(len(name) > MAX_CATEGORY for name in names):
        raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY, path=element("t:FieldURI", FieldURI="item:Categories"))
    return names


def choices(*names: str) -> Form:
    """The form of a number that stands for one of these words, from 0 on; "" for a number without a word."""

    def show(held: Value) -> str:
        return names[held] if isinstance(held, int) and 0 <= held < len(names) else ""

    def read(sent: xml.Element) -> Value:
        word = sent.text.strip()
        if not word or word not in names:
            raise EwsError(Code.SCHEMA_VALIDATION)
        return names.index(word)

    return Form(show, read)


TEXT = Form(_text, lambda sent: sent.text)
CATEGORIES = Form(_strings, read_categories)
DATE_AT_NOON = Form(
    lambda held: written(held + 43_140) if isinstance(held, int) else "",
    lambda sent: read_time(sent.text) // DAY * DAY,
)
"""A day, as 11:59 in UTC of it (MS-OXOCNTC section 2.2.1.5.1)."""
DATE = Form(_time, lambda sent: read_time(sent.text) // DAY * DAY)
"""A day, as its midnight in UTC."""
_FORMS = {
    Type.STRING: TEXT,
    Type.INTEGER16: Form(_text, whole),
    Type.INTEGER32: Form(_text, whole),
    Type.FLOATING64: Form(_text, _real),
    Type.BOOLEAN: Form(lambda held: "true" if held else "false", lambda sent: is_true(sent.text)),
    Type.TIME: Form(_time, lambda sent: read_time(sent.text)),
    Type.STRINGS: Form(_strings, read_strings),
}


class MapSource:
    """The properties of one kind: its map, and the function that makes of a view what the map reads."""

    def __init__(self, map_: PropertyMap[Any], content: Callable[[ItemView], Any]) -> None:
        self.map = map_
        self.content = content
        self._by_name = {entry.property.canonical: entry.property for entry in map_}

    def property(self, canonical: str) -> Property:
        return self._by_name[canonical]

    def value(self, view: ItemView, property_: Property) -> Value | None:
        """The value that an item has of a property."""
        return extended.value_of(property_, self.content(view), self.map, view.bag, view.numbers)

    def text(self, view: ItemView, canonical: str) -> str:
        """A property that is a text; "" where the item has none."""
        held = self.value(view, self._by_name[canonical])
        return str(held) if held is not None else ""

    def field(
        self,
        uri: str,
        canonical: str,
        form: Form | None = None,
        since: Version = Version.V2007,
        default: bool = False,
        absent: Value | None = None,
        is_written: bool = True,
    ) -> Field:
        """The property of the schema that is this one of the map. Its element is named as the path ends. Where an item has no
        value, `absent` is shown."""
        property_ = self._by_name[canonical]
        shown = form or _FORMS[property_.type]
        name = uri.rpartition(":")[2]

        def read(view: ItemView, shape: Shape) -> str:
            held = self.value(view, property_)
            if held is None:
                held = absent
            text = shown.show(held) if held is not None else ""
            return element(f"t:{name}", text) if text else ""

        def write(editor: MapEditor, sent: xml.Element | None) -> None:
            held = None if sent is None else shown.read(sent)
            editor.put(property_, None if held in ("", ()) else held)

        entry = self.map.find(property_.key)
        needs = Need.CONTENT if entry is not None and entry.place else Need.BAG
        return Field(uri, name, read, since, needs, default, property=property_, write=write if is_written else None)


def constant(uri: str, markup: str, since: Version = Version.V2007, default: bool = False) -> Field:
    """A property that is the same for all items of a kind; "" is none."""
    return Field(uri, uri.rpartition(":")[2], lambda view, shape: markup, since, default=default)


def several(name: str, elements: Sequence[str]) -> str:
    """An element with others in it; "" where there are none."""
    return element(f"t:{name}", *elements) if elements else ""
