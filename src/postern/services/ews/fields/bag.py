"""Properties of an item's bag, as fields read them."""

from __future__ import annotations

from postern.items.properties import Property, Value
from postern.items.property_values import decoded
from postern.services.ews.extended import tag_of
from postern.services.ews.item_view import ItemView


def value_of(view: ItemView, property_: Property) -> Value | None:
    """The value of a property in the bag; None: it has none. The field names it in `Field.bag` if it is a named one."""
    octets = view.bag.get(tag_of(property_, view.numbers)) if view.bag else None
    return decoded(property_.type, octets) if octets is not None else None


def time_of(view: ItemView, property_: Property) -> int | None:
    told = value_of(view, property_)
    return told if isinstance(told, int) else None
