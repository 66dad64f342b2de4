"""Attachments of appointments, tasks and contacts: ATTACH (RFC 5545 section 3.8.1.1), and the pictures, sounds and keys of cards.

An attachment is addressed by its number in the order of the object, from 1 (docs/decisions/0003).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from postern.items.calendar_object import CalendarObject
from postern.items.contact import Contact
from postern.items.text import readable
from postern.protocols.content_lines import Line, line, octets_of
from postern.protocols.mime.transfer import from_base64
from postern.protocols.vcard.cards import BINARY, encoding_of, types_of

MAX_ATTACHMENTS = 1_000
"""Attachments of one object that are told."""
MAX_NAME = 255
_DATA = re.compile(r"data:([^,;]{0,200}+)((?:;[^,;]{0,200}+){0,10}+),", re.IGNORECASE)
_MEDIA = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")
_UNKNOWN = "application/octet-stream"
FILE = "X-POSTERN-ATTACH"
"""The line of a file in a card that none of vCard's own lines is for."""


class Attachment(NamedTuple):
    """An attachment: its octets are in the line, or elsewhere at `uri`. `name` and `media` are as the line says them."""

    number: int
    name: str
    media: str
    uri: str
    line: Line

    @property
    def octets(self) -> bytes | None:
        """The octets; None: they are elsewhere.

        Bound: linear in the line, and not longer than it.
        """
        match = _DATA.match(self.line.value)
        if match is not None:
            data = self.line.value[match.end() :]
            raw = unquote_to_bytes(octets_of(data)) if "%" in data else octets_of(data)
            return from_base64(raw) if match[2].lower().endswith(";base64") else raw
        return None if self.uri else from_base64(octets_of(self.line.value))


def of_calendar(calendar: CalendarObject) -> list[Attachment]:
    """The attachments of an appointment, a task or a journal entry, those of its exceptions behind them.

    Bound: linear in the object; at most MAX_ATTACHMENTS attachments.
    """
    return _told(entry for part in calendar.parts for entry in part.lines("ATTACH"))


def of_contact(contact: Contact) -> list[Attachment]:
    """The pictures, sounds, keys and other files of a card.

    Bound: linear in the card; at most MAX_ATTACHMENTS attachments.
    """
    return _told(contact.card.root.lines(*BINARY, FILE))


def _told(lines: Iterable[Line]) -> list[Attachment]:
    told: list[Attachment] = []
    for number, entry in enumerate(lines, 1):
        if number > MAX_ATTACHMENTS:
            break
        data = _DATA.match(entry.value)
        is_inline = encoding_of(entry) == "BASE64" or data is not None
        media = _media(entry, "" if data is None else data[1])
        names = (entry.parameter(name) for name in ("FILENAME", "X-FILENAME", "X-APPLE-FILENAME"))
        name = next((readable(name).strip() for name in names if name.strip()), "")
        uri = "" if is_inline else readable(entry.value).strip()
        told.append(Attachment(number, name[:MAX_NAME], media, uri, entry))
    return told


def _media(entry: Line, said: str) -> str:
    """The media type: FMTTYPE or MEDIATYPE, that of a data URI, or what TYPE says in vCard 3."""
    said_by = [entry.parameter("FMTTYPE"), entry.parameter("MEDIATYPE"), said]
    family = BINARY.get(entry.name)
    if family is not None:
        said_by += [f"{family}/{word}" for word in types_of(entry) if word not in ("pref", "work", "home")]
    kinds = (word.strip().lower() for word in said_by)
    return next((kind for kind in kinds if _MEDIA.fullmatch(kind)), _UNKNOWN)


def calendar_line(octets: bytes, name: str, media: str) -> Line:
    """The line of a new attachment of an appointment or a task (RFC 5545 section 3.8.1.1)."""
    parameters = [("FMTTYPE", [_known(media)]), ("ENCODING", ["BASE64"]), ("VALUE", ["BINARY"])]
    return line("ATTACH", _encoded(octets), [*parameters, ("X-FILENAME", [name[:MAX_NAME] or "attachment"])])


def contact_line(octets: bytes, name: str, media: str, is_photo: bool, version: str) -> Line:
    """The line of a new picture or file of a card (RFC 2426 section 3.1.4, RFC 6350 section 6.2.4)."""
    media = _known(media)
    if not is_photo:
        parameters = [("ENCODING", ["b"]), ("FMTTYPE", [media]), ("FILENAME", [name[:MAX_NAME] or "attachment"])]
        return line(FILE, _encoded(octets), parameters)
    if version == "4.0":
        return line("PHOTO", f"data:{media};base64,{_encoded(octets)}")
    return line("PHOTO", _encoded(octets), [("ENCODING", ["b"]), ("TYPE", [media.rpartition("/")[2].upper()])])


def _known(media: str) -> str:
    media = media.strip().lower()
    return media if _MEDIA.fullmatch(media) else _UNKNOWN


def _encoded(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")
