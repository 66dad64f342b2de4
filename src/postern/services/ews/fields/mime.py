"""The header of an item that is mail, as its properties are read from it."""

from __future__ import annotations

from postern.protocols.mime.header import Fields, parse_fields
from postern.protocols.mime.words import decode_words
from postern.services.ews.item_view import ItemView


def fields_of(view: ItemView) -> Fields:
    """The header's fields; they are parsed once."""
    fields: Fields | None = view.parsed.get(fields_of)
    if fields is None:
        fields = view.parsed[fields_of] = parse_fields(view.header, 0, len(view.header))
    return fields


def text(view: ItemView, name: bytes) -> str:
    """A field as text, encoded words decoded; "" where it is missing. `name` is in small letters."""
    return decode_words(fields_of(view).named.get(name, b"")).strip()
