"""An item that is mail, as its properties are read: from ENVELOPE, BODYSTRUCTURE and the header, which were rendered at delivery,
and from the content where nothing else has it. Each is read once for an answer."""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

from postern.items.mail_content import Form, as_html, as_text, best
from postern.model.items import MESSAGE, Flag
from postern.protocols.ews.shapes import BodyType
from postern.protocols.mime.envelope import render_envelope
from postern.protocols.mime.header import Fields, first_value, header_end, parse_fields
from postern.protocols.mime.layout import Layout, Node, layout, of_part, read_structure
from postern.protocols.mime.rendered_values import Envelope, read_envelope
from postern.protocols.mime.structure import render_structure, scan
from postern.protocols.mime.words import decode_words
from postern.services.ews.item_view import ItemView


def fields_of(view: ItemView) -> Fields:
    """The header's fields; they are parsed once."""
    fields: Fields | None = view.parsed.get(fields_of)
    if fields is None:
        fields = view.parsed[fields_of] = parse_fields(view.header, 0, len(view.header))
    return fields


def text(view: ItemView, name: bytes) -> str:
    """A field of the header as text, encoded words decoded; "" where it is missing. `name` is in small letters."""
    return decode_words(raw(view, name)).strip()


def raw(view: ItemView, name: bytes) -> bytes:
    """The value of a field as it stands; b"" where it is missing."""
    return first_value(view.header, name) or b""


def envelope(view: ItemView) -> Envelope:
    told: Envelope | None = view.parsed.get(envelope)
    if told is None:
        told = view.parsed[envelope] = read_envelope(view.envelope)
    return told


def structure(view: ItemView) -> Node:
    """The parts, as BODYSTRUCTURE tells them."""
    told: Node | None = view.parsed.get(structure)
    if told is None:
        told = view.parsed[structure] = read_structure(view.structure)
    return told


def structure_layout(view: ItemView) -> Layout:
    told: Layout | None = view.parsed.get(structure_layout)
    if told is None:
        told = view.parsed[structure_layout] = layout(structure(view))
    return told


def root(view: ItemView) -> Node:
    """The parts, with their places in the content."""
    told: Node | None = view.parsed.get(root)
    if told is None:
        told = view.parsed[root] = of_part(scan(view.content or b""))
    return told


def content_layout(view: ItemView) -> Layout:
    told: Layout | None = view.parsed.get(content_layout)
    if told is None:
        told = view.parsed[content_layout] = layout(root(view))
    return told


def form(view: ItemView, asked: BodyType) -> Form:
    """The body of the message, in the form that is asked for."""
    octets, told = view.content or b"", content_layout(view)
    if asked is BodyType.BEST:
        return best(octets, told)
    return as_html(octets, told) if asked is BodyType.HTML else as_text(octets, told)


def check_of(rendered: bytes) -> int:
    """A number by which it is noticed that the parts of a message have become others."""
    return crc32(rendered)


def parts_in_item(view: ItemView) -> tuple[int, int]:
    """The number of the message's first part in its item, and the check of the item's parts."""
    told: tuple[int, int] | None = view.parsed.get(parts_in_item)
    return told if told is not None else (0, check_of(view.structure))


def with_content(view: ItemView, octets: bytes, first: int) -> ItemView:
    """The view of a message that is attached to another: what is rendered of others at delivery is rendered now. `first` is the
    number of its first part in the item."""
    check = parts_in_item(view)[1]
    part = scan(octets)
    # What the bag of the item says, as that it is done, is said of the item.
    return replace(
        view,
        content=octets,
        header=octets[: header_end(octets, 0, len(octets))],
        envelope=render_envelope(part.fields),
        structure=render_structure(octets, part)[0],
        stored=replace(view.stored, size=len(octets), item_class=MESSAGE, flags=int(Flag.SEEN)),
        bag={},
        parsed={parts_in_item: (first, check)},
    )
