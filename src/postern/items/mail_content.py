"""A message as its properties are read and written. What is not changed stays as it is, octet by octet.

A change of the header leaves the parts alone. A change of what is shown or attached writes the parts anew: attachments keep their
octets, and texts are written in UTF-8.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from postern.items import html
from postern.protocols.mime import writing
from postern.protocols.mime.address import Address, address_list
from postern.protocols.mime.charsets import MAX_LABEL, decode
from postern.protocols.mime.header import split_fields, split_section, value_of
from postern.protocols.mime.layout import Layout, Node, is_text, layout, of_part
from postern.protocols.mime.line_ends import with_line_ends
from postern.protocols.mime.parameters import parameter
from postern.protocols.mime.structure import scan
from postern.protocols.mime.transfer import from_transfer
from postern.protocols.mime.words import decode_words

MAX_SHOWN = 8 << 20
"""Octets of one form of a message, as they are encoded, that are read."""
MAX_ATTACHMENTS = 1_000
"""Attachments that a message may be given."""
_OF_BODY = (b"content-", b"mime-version")
_MIME = b"MIME-Version: 1.0\r\n"
_DISPOSITION = re.compile(rb"[^:]*+:(?:\r?\n(?=[ \t])|[ \t])*+[^\s;]*+")
"""The name of a Content-Disposition and its type."""


class Form(NamedTuple):
    """A body: a text, or HTML."""

    text: str
    is_html: bool


class Attached(NamedTuple):
    """An attachment: its fields and its body as they stand in the message. `is_inline`: it stands within what is shown."""

    octets: bytes
    is_inline: bool = False


def decoded(octets: bytes, node: Node) -> str:
    """The text of a part that is text.

    Bound: linear in the part, of which MAX_SHOWN octets are read; at most one character for an octet.
    """
    part = node.part
    if part is None:
        return ""
    end = min(part.end, part.body + MAX_SHOWN)
    if end == len(octets) and node.encoding != b"base64" and octets.endswith(b"\r\n", part.body, end):
        # Within a multipart the last line end belongs to the delimiter.
        end -= 2
    raw = from_transfer(octets[part.body : end], part.encoding.decode("latin-1"))
    return decode(raw, parameter(part.parameters, b"charset")[:MAX_LABEL])


def octets_of(octets: bytes, node: Node) -> bytes:
    """The octets of a part without its transfer encoding.

    Bound: linear in the part, and not longer than it.
    """
    part = node.part
    if part is None:
        return b""
    return from_transfer(octets[part.body : part.end], part.encoding.decode("latin-1"))


def best(octets: bytes, told: Layout) -> Form:
    """The body of a message: HTML where a piece of it is HTML.

    Bound: linear in the message; MAX_SHOWN octets of each piece.
    """
    return as_html(octets, told) if any(each.html is not None for each in told.shown) else as_text(octets, told)


def as_text(octets: bytes, told: Layout) -> Form:
    """The body of a message as text.

    Bound: linear in the message; MAX_SHOWN octets of each piece.
    """
    pieces = []
    for each in told.shown:
        if each.plain is not None:
            pieces.append(decoded(octets, each.plain))
        elif each.html is not None:
            pieces.append(html.text_of(decoded(octets, each.html)))
    return Form("\r\n".join(pieces), False)


def as_html(octets: bytes, told: Layout) -> Form:
    """The body of a message as HTML.

    Bound: linear in the message; MAX_SHOWN octets of each piece.
    """
    pieces = []
    for each in told.shown:
        if each.html is not None:
            pieces.append(decoded(octets, each.html))
        elif each.plain is not None:
            text = decoded(octets, each.plain)
            pieces.append(html.of_text(text) if len(told.shown) == 1 else html.fragment_of_text(text))
    return Form("\r\n".join(pieces), True)


class MailContent:
    """A message that is made or changed. It raises ValueError where it would get more attachments than MAX_ATTACHMENTS.

    `_fields` are those of the header, and their places, in their order; `_places` are the places of those of a name, and
    `_values` the values that were read. So a request that reads or sets many of them goes through the header once.
    """

    def __init__(self, octets: bytes = b"") -> None:
        header, body = split_section(octets)
        self._fields: dict[int, tuple[bytes, bytes]] = {}
        self._places: dict[bytes, list[int]] = {}
        self._values: dict[bytes, bytes] = {}
        for place, entry in enumerate(split_fields(header, most=None)):
            if entry[1].strip():
                self._fields[place] = entry
                self._places.setdefault(entry[0], []).append(place)
        self._end = 1 + max(self._fields, default=-1)
        self._octets = octets
        self._body = body or b"\r\n"
        self._parts: _Parts | None = None
        self._is_changed = False

    # Fields

    @property
    def header(self) -> bytes:
        """All fields, without the empty line."""
        return _joined(self._fields.values())

    @property
    def field_count(self) -> int:
        return len(self._fields)

    def text(self, name: str) -> str:
        """The text of the first field of this name; "" if there is none.

        Bound: linear in the header.
        """
        return decode_words(self.raw(name)).strip()

    def raw(self, name: str) -> bytes:
        """The value of the first field of this name, as it stands.

        Bound: linear in the header the first time, and then no work.
        """
        wanted = name.lower().encode()
        value = self._values.get(wanted)
        if value is None:
            places = self._places.get(wanted)
            value = self._values[wanted] = value_of(self._fields[places[0]][1]) if places else b""
        return value

    def people(self, name: str) -> tuple[Address, ...]:
        """The addresses in the first field of this name.

        Bound: linear in the header; at most 10,000 addresses.
        """
        return tuple(each for each in address_list(self.raw(name))[0] if each.complete)

    def set_text(self, name: str, text: str) -> None:
        """Replaces all fields of this name by one with a text, or takes them out ("").

        Bound: linear in the text and in the fields of this name.
        """
        self._set(name, writing.text_field(name, text) if writing.one_line(text) else b"")

    def set_people(self, name: str, people: Sequence[tuple[str, str]]) -> None:
        """Replaces all fields of this name by one with mailboxes, by name and address; none: it is taken out."""
        self._set(name, writing.people_field(name, people) if people else b"")

    def _set(self, name: str, field: bytes) -> None:
        self._is_changed = True
        wanted = name.lower().encode()
        self._values.pop(wanted, None)
        places = self._places.pop(wanted, None) or [self._end]
        for place in places[0 if not field else 1 :]:
            self._fields.pop(place, None)
        if field:
            # In the place of the first of them, or behind all others: a dictionary keeps its order.
            self._fields[places[0]] = (wanted, field)
            self._places[wanted] = places[:1]
            self._end = max(self._end, places[0] + 1)

    @property
    def size(self) -> int:
        """About as many octets as the message has, or will have."""
        if self._parts is None or not self._parts.is_changed:
            return len(self._body)
        return len(self._parts.form.text) + sum([len(each.octets) for each in self._parts.attached])

    # What is shown and attached

    @property
    def parts(self) -> _Parts:
        """The parts, which are read once."""
        if self._parts is None:
            self._parts = _Parts(self._octets)
        return self._parts

    @property
    def form(self) -> Form:
        return self.parts.form

    def set_form(self, form: Form) -> None:
        """Replaces what is shown."""
        self.parts.form = form
        self.parts.plain = ""
        self.parts.others = []
        self.parts.is_changed = True

    def attach(self, attached: Attached) -> None:
        if len(self.parts.attached) >= MAX_ATTACHMENTS:
            raise ValueError("too many attachments")
        self.parts.attached.append(attached)
        self.parts.is_changed = True

    def detach(self, place: int) -> None:
        """Takes out the attachment with this place in `layout.attached`."""
        del self.parts.attached[place]
        self.parts.is_changed = True

    def octets(self) -> bytes:
        """The message."""
        fields = self._fields.values()
        if self._parts is None or not self._parts.is_changed:
            if not self._is_changed:
                return self._octets
            return _joined(fields) + self._body
        kept = [entry for entry in fields if not entry[0].startswith(_OF_BODY)]
        return b"".join([_joined(kept), _MIME, *self._parts.written()])


def _joined(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The fields, each with its line end. What is no line end becomes none: a lone CR would end the header for some readers."""
    lines = b"".join([field if field.endswith(b"\n") else field + b"\r\n" for _, field in fields])
    if lines.count(b"\r\n") == lines.count(b"\n") == lines.count(b"\r"):
        return lines
    return lines.replace(b"\r\n", b"\n").replace(b"\r", b" ").replace(b"\n", b"\r\n")


class _Parts:
    """The parts of a message as they are written anew: what is shown, in HTML or as text, and in `plain` the text beside HTML."""

    def __init__(self, octets: bytes) -> None:
        told = layout(of_part(scan(octets)))
        self.form = best(octets, told)
        self.plain = as_text(octets, told).text if self.form.is_html else ""
        self.attached = [Attached(_apart(octets, node), node.number in told.inline) for node in told.attached]
        self.others = [_raw(octets, node) for node in told.others]
        self.is_changed = False

    @property
    def written_order(self) -> list[Attached]:
        """The attachments in the order in which they are written: those within HTML stand beside it."""
        if not self.form.is_html:
            return self.attached
        return sorted(self.attached, key=lambda each: not each.is_inline)

    def written(self) -> list[bytes]:
        """The part that has all others in it, from its Content-Type on, in pieces: large ones are put together once."""
        boundary = self._boundary()
        text, is_html = self.form
        parts = [[writing.text_part("plain", (self.plain or html.text_of(text)) if is_html else text)]]
        if is_html:
            shown = [writing.text_part("html", text)]
            inline = [[each.octets] for each in self.attached if each.is_inline]
            parts.append(_multipart("related", boundary + "_r", [shown, *inline]) if inline else shown)
        parts += [[each] for each in self.others]
        whole = _multipart("alternative", boundary + "_a", parts) if len(parts) > 1 else parts[0]
        beside = [[each.octets] for each in self.attached if not (is_html and each.is_inline)]
        return [*(_multipart("mixed", boundary + "_m", [whole, *beside]) if beside else whole), b"\r\n"]

    def _boundary(self) -> str:
        """A boundary that stands in no part: a digest of all of them."""
        digest = hashlib.blake2b(digest_size=18)
        digest.update(self.form.text.encode("utf-8", "replace"))
        for each in self.attached:
            digest.update(each.octets)
        for octets in self.others:
            digest.update(octets)
        return f"=_{digest.hexdigest()}"


def _apart(octets: bytes, node: Node) -> bytes:
    """An attachment as it stands. A text that nothing but its place kept from being shown says so itself from now on."""
    raw = _raw(octets, node)
    if not is_text(node):
        return raw
    header, rest = split_section(raw)
    fields = split_fields(header, most=None)
    place = next((place for place, (name, _) in enumerate(fields) if name == b"content-disposition"), -1)
    if place < 0:
        return b"Content-Disposition: attachment\r\n" + raw
    before, field, after = fields[:place], fields[place][1], fields[place + 1 :]
    # Its parameters stay, such as the name of the file.
    written = b"Content-Disposition: attachment" + field[_DISPOSITION.match(field).end() :]  # type: ignore[union-attr]  # it has a name
    return b"".join([*[each for _, each in before], written, *[each for _, each in after], rest])


def _raw(octets: bytes, node: Node) -> bytes:
    part = node.part
    return octets[part.start : part.end] if part is not None else b""


def _multipart(subtype: str, boundary: str, parts: Sequence[list[bytes]]) -> list[bytes]:
    """A multipart without its last line end. The line end in front of a delimiter belongs to the delimiter (RFC 2046 section
    5.1.1): each part gets one, whatever its own end is."""
    line = f"--{boundary}".encode()
    pieces = [f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n'.encode()]
    for part in parts:
        pieces += [line, b"\r\n", *part, b"\r\n"]
    return [*pieces, line, b"--"]


def file(
    octets: bytes, name: str, media: str, content_id: str = "", location: str = "", is_inline: bool = False
) -> Attached:
    """An attachment with these octets. `media` is its type, "application/octet-stream" where it says none.

    Bound: linear in the octets; at most 78 octets for 57.
    """
    type_ = media if _is_media(media) else "application/octet-stream"
    shown = "inline" if is_inline else "attachment"
    head = [f"Content-Type: {type_}", writing.parameter("name", name) if name else "", "\r\n"]
    head += [f"Content-Disposition: {shown}", writing.parameter("filename", name) if name else "", "\r\n"]
    if content_id:
        bare = "".join(writing.one_line(content_id).split()).strip("<>")
        head.append(f"Content-ID: <{bare}>\r\n")
    fields = "".join(head).encode("utf-8", "replace")
    if location:
        fields += writing.text_field("Content-Location", location)
    fields += b"Content-Transfer-Encoding: base64\r\n\r\n"
    return Attached(writing.base64_lines(octets, fields), is_inline and bool(content_id))


def message(octets: bytes, name: str = "") -> Attached:
    """An attachment that is a message.

    Bound: linear in the message.
    """
    octets = with_line_ends(octets)
    named = writing.parameter("name", name) if name else ""
    encoding = "7bit" if octets.isascii() else "8bit"
    head = f"Content-Type: message/rfc822{named}\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: {encoding}\r\n"
    return Attached(head.encode("utf-8", "replace") + b"\r\n" + octets)


def _is_media(media: str) -> bool:
    type_, _, subtype = media.partition("/")
    return bool(type_ and subtype) and len(media) < 120 and all(
        letter.isascii() and (letter.isalnum() or letter in "!#$&^_.+-") for letter in type_ + subtype
    ) and type_.lower() not in ("multipart", "message")  # fmt: skip
