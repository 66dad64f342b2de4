"""The properties of notes and their places in MIME (MS-OXONOTE section 2.2.1): a note is a message with a subject and a text.

How a note looks on a screen is in the bag.
"""

from __future__ import annotations

from base64 import encodebytes
from email.header import Header

from postern.items.calendar_properties import KEYWORDS
from postern.items.properties import LANGUAGE, NOTE, Mapped, Property, PropertyMap, Type, Value, in_bag, named, tagged
from postern.items.text import readable
from postern.protocols.mime.charsets import MAX_LABEL, decode
from postern.protocols.mime.header import split_fields, split_section, value_of
from postern.protocols.mime.parameters import parameter
from postern.protocols.mime.structure import Part, scan
from postern.protocols.mime.transfer import from_transfer
from postern.protocols.mime.words import decode_words

MAX_KEYWORDS = 1_000
ITEM_CLASS = "IPM.StickyNote"
_OF_BODY = (b"content-", b"mime-version")


class NoteContent:
    """A note as its properties are read and written."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def field(self, name: bytes) -> str:
        """The text of the first field of this name, in lower case; "" if there is none."""
        header, _ = split_section(self.octets)
        for each, octets in split_fields(header):
            if each == name:
                return readable(decode_words(value_of(octets))).strip()
        return ""

    def set_field(self, name: str, value: str) -> None:
        """Replaces all fields of a name by one, or takes them out."""
        header, body = split_section(self.octets)
        kept = [octets for each, octets in split_fields(header) if each != name.lower().encode()]
        if value:
            charset = "us-ascii" if value.isascii() else "utf-8"
            folded = Header(value, charset, maxlinelen=75, header_name=name).encode(linesep="\r\n")
            kept.append(f"{name}: {folded}\r\n".encode("ascii", "replace"))
        if kept and not kept[-1].endswith(b"\n"):
            kept.append(b"\r\n")
        self.octets = b"".join(kept) + (body or b"\r\n")

    def set_text(self, text: str) -> None:
        """Replaces the body. Raises ValueError for a note that has other parts, which would be lost."""
        if scan(self.octets).is_multipart:
            raise ValueError("a note of several parts")
        header, _ = split_section(self.octets)
        kept = [octets for each, octets in split_fields(header) if not each.startswith(_OF_BODY)]
        kept.append(
            b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
        )
        body = encodebytes(text.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8", "replace"))
        self.octets = b"".join(kept) + b"\r\n" + body.replace(b"\n", b"\r\n")


def _text(note: NoteContent) -> Value | None:
    stack = [scan(note.octets)]
    while stack:
        part = stack.pop()
        if part.children:
            stack.extend(reversed(part.children))
        elif (part.type, part.subtype) == (b"text", b"plain"):
            return _decoded(note.octets, part) or None
    return None


def _decoded(octets: bytes, part: Part) -> str:
    raw = from_transfer(octets[part.body : part.end], part.encoding.decode("latin-1"))
    return readable(decode(raw, parameter(part.parameters, b"charset")[:MAX_LABEL])).replace("\r\n", "\n")


def _set_text(note: NoteContent, value: Value | None) -> None:
    note.set_text(value if isinstance(value, str) else "")


def _keywords(note: NoteContent) -> Value | None:
    terms = [word.strip() for word in note.field(b"keywords").split(",")[:MAX_KEYWORDS]]
    return tuple(dict.fromkeys(filter(None, terms))) or None


def _set_keywords(note: NoteContent, value: Value | None) -> None:
    note.set_field("Keywords", ", ".join(value) if isinstance(value, tuple) else "")


def _set_subject(note: NoteContent, value: Value | None) -> None:
    note.set_field("Subject", value if isinstance(value, str) else "")


def _number(canonical: str, lid: int) -> Property:
    return named(canonical, NOTE, lid, Type.INTEGER32)


NOTE_PROPERTIES: PropertyMap[NoteContent] = PropertyMap(
    [
        Mapped(tagged("PidTagSubject", 0x0037), "Subject", lambda note: note.field(b"subject") or None, _set_subject),
        Mapped(tagged("PidTagNormalizedSubject", 0x0E1D), "Subject", lambda note: note.field(b"subject") or None),
        Mapped(tagged("PidTagBody", 0x1000), "text/plain", _text, _set_text),
        Mapped(KEYWORDS, "Keywords", _keywords, _set_keywords),
        *in_bag(
            LANGUAGE,
            _number("PidLidNoteColor", 0x8B00),
            _number("PidLidNoteWidth", 0x8B02),
            _number("PidLidNoteHeight", 0x8B03),
            _number("PidLidNoteX", 0x8B04),
            _number("PidLidNoteY", 0x8B05),
            tagged("PidTagIconIndex", 0x1080, Type.INTEGER32),
        ),
    ]
)
"""The map of IPM.StickyNote."""
