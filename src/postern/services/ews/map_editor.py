"""Items whose content has places for MAPI properties (`items.properties`), as a request makes or changes them."""

from __future__ import annotations

from typing import Any

from postern.items.properties import Property, PropertyMap, Value
from postern.model.folders import is_class
from postern.protocols.content_lines import Component, Line
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.services.ews.access import Call
from postern.services.ews.editing import Editor, How, Saved
from postern.services.ews.item_view import ItemView
from postern.services.ews.places import Place

MAX_CLASS = 255
"""Characters of an item's class (MS-OXCMSG section 2.2.1.3)."""


class MapEditor(Editor):
    """An item by the properties of its map. Subclasses make `item`, which the map reads and writes, and the octets of it. A new
    one lies in a folder of the class `folder_class`, else the request ends with `misplaced`."""

    map: PropertyMap[Any]
    folder_class: str
    misplaced: Code

    def __init__(self, call: Call, place: Place, view: ItemView | None, item_class: str) -> None:
        super().__init__(call, place, view, item_class)
        self.base_class = item_class
        self.item: Any = None
        self._values: dict[Property, Value | None] = {}

    async def create(self, how: How) -> Saved | None:
        if not is_class(self.place.node.folder_class, self.folder_class):
            raise EwsError(self.misplaced)
        return await super().create(how)

    def set_class(self, item_class: str) -> None:
        """Sets the class: one derived from that of the kind. Raises EwsError ErrorObjectTypeChanged for another."""
        if len(item_class) > MAX_CLASS or not is_class(item_class, self.base_class):
            raise EwsError(Code.OBJECT_TYPE_CHANGED)
        self.item_class = item_class

    def put(self, property_: Property, value: Value | None) -> None:
        """Sets a property, or takes it out (None)."""
        self._values.pop(property_, None)
        self._values[property_] = value

    def value(self, property_: Property) -> Value | None:
        """A property of the content as it has become; None also for one in the bag that the request does not set."""
        if property_ in self._values:
            return self._values[property_]
        entry = self.map.find(property_.key)
        return entry.read(self.item) if entry is not None and entry.read is not None else None

    def extend(self, property_: Property, held: Value | None) -> None:
        entry = self.map.find(property_.key)
        if entry is None:
            super().extend(property_, held)
        elif held is not None and entry.property.type is not property_.type:
            raise EwsError(Code.INVALID_EXTENDED_PROPERTY_VALUE)
        else:
            self.put(entry.property, held)

    @property
    def component(self) -> Component:
        """The component that has the lines of the item."""
        raise NotImplementedError

    def attach(self, entry: Line) -> None:
        """Adds an attachment."""
        self.component.entries = [*self.component.entries, entry]

    def apply(self) -> None:
        """Writes what was set into the item, and what it has no place for into the bag."""
        values, self._values = self._values, {}
        try:
            self.bag.update(self.map.write(self.item, values))
        except (ValueError, OverflowError):
            raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY) from None
