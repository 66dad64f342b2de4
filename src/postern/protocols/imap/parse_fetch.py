"""FETCH's items (RFC 9051 section 6.4.5, BINARY of RFC 3516, CHANGEDSINCE of RFC 7162)."""

from __future__ import annotations

import re
from functools import lru_cache

from postern.protocols.imap.commands import BodyPart, Command, Fetch, FetchItem
from postern.protocols.imap.cursor import Cursor, Syntax

_MACROS: dict[str, tuple[FetchItem, ...]] = {
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}
_WORDS = frozenset({"FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "MODSEQ"})
_RFC822: dict[str, BodyPart] = {
    "RFC822": BodyPart(b"RFC822"),
    "RFC822.HEADER": BodyPart(b"RFC822.HEADER", what="HEADER", peek=True),
    "RFC822.TEXT": BodyPart(b"RFC822.TEXT", what="TEXT"),
}
_SECTIONS = frozenset({"BODY", "BODY.PEEK", "BINARY", "BINARY.PEEK", "BINARY.SIZE"})
_WHATS = frozenset({"HEADER", "TEXT", "MIME", "HEADER.FIELDS", "HEADER.FIELDS.NOT"})
_NEEDS_QUOTES = re.compile(rb"[^!#$&\'+\-.0-9:;<=>?@A-Z\[^_`a-z|~]")

MAX_ITEMS = 100
MAX_DEPTH = 100
MAX_FIELDS = 200


MAX_REMEMBERED = 200
"""Bytes of an items text that is kept with its meaning: clients ask for the same few again and again."""


def fetch(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    messages = cursor.ranges()
    cursor.space()
    rest = cursor.rest()
    if len(rest) > MAX_REMEMBERED or b"\r" in rest:  # too long to keep, or with literals, which are not in the text
        items, changed_since = _items(cursor)
    else:
        cursor.skip(rest)
        items, changed_since = _remembered(rest)
    return Fetch(tag, name, messages, items, changed_since)


@lru_cache(maxsize=512)
def _remembered(rest: bytes) -> tuple[tuple[FetchItem, ...], int]:
    return _items(Cursor(rest, []))


def _items(cursor: Cursor) -> tuple[tuple[FetchItem, ...], int]:
    """The items without duplicates, and CHANGEDSINCE's mod-sequence or 0."""
    items: tuple[FetchItem, ...]
    if cursor.peek() == b"(":
        items = tuple(cursor.listed(lambda: _item(cursor)))
        if not items or len(items) > MAX_ITEMS:
            raise Syntax("FETCH items expected")
    else:
        item = _item(cursor, macros=True)
        items = _MACROS.get(item, (item,)) if isinstance(item, str) else (item,)
    changed_since = 0
    if cursor.skip(b" "):
        cursor.take(b"(")
        if cursor.word() != "CHANGEDSINCE":
            raise Syntax("Unknown modifier")
        cursor.space()
        changed_since = cursor.number((1 << 63) - 1)
        cursor.take(b")")
        if "MODSEQ" not in items:  # RFC 7162 section 3.1.4.1: CHANGEDSINCE asks for MODSEQ too
            items = (*items, "MODSEQ")
    cursor.end()
    return tuple(dict.fromkeys(items)), changed_since


def _item(cursor: Cursor, macros: bool = False) -> FetchItem:
    word = cursor.word()
    if word in _SECTIONS and cursor.peek() == b"[":
        return _section(cursor, word)
    if word in _WORDS or (macros and word in _MACROS):
        return word
    if word in _RFC822:
        return _RFC822[word]
    raise Syntax("Unknown FETCH item")


def _section(cursor: Cursor, word: str) -> BodyPart:
    """section = "[" [section-spec] "]", with its partial."""
    kind = word.removesuffix(".PEEK")
    cursor.take(b"[")
    part: list[int] = []
    what = ""
    fields: tuple[bytes, ...] = ()
    while cursor.peek() != b"]":
        if (part or what) and not cursor.skip(b"."):
            raise Syntax("Section expected")
        if cursor.peek().isdigit():
            part.append(cursor.number())
            if part[-1] == 0 or len(part) > MAX_DEPTH:
                raise Syntax("Section number out of range")
            continue
        what = cursor.word()
        if what not in _WHATS or kind != "BODY" or (what == "MIME" and not part):
            raise Syntax("Unknown section")
        if what.startswith("HEADER.FIELDS"):
            cursor.space()
            fields = tuple(cursor.listed(cursor.astring))
            if not fields or len(fields) > MAX_FIELDS or not all(field.isascii() for field in fields):
                raise Syntax("Header names expected")
        break
    cursor.take(b"]")
    partial = _partial(cursor) if kind != "BINARY.SIZE" else None
    return BodyPart(
        _label(kind, part, what, fields, partial),
        kind,
        tuple(part),
        what,
        fields,
        partial,
        peek=word != kind or kind == "BINARY.SIZE",
    )


def _partial(cursor: Cursor) -> tuple[int, int] | None:
    if not cursor.skip(b"<"):
        return None
    start = cursor.number()
    cursor.take(b".")
    count = cursor.number()
    if count == 0:
        raise Syntax("Partial of no octets")
    cursor.take(b">")
    return start, count


def _label(kind: str, part: list[int], what: str, fields: tuple[bytes, ...], partial: tuple[int, int] | None) -> bytes:
    """The name of the item in the answer: the section as asked for, and the start of the partial without its count."""
    section = ".".join([*map(str, part), *([what] if what else [])]).encode()
    if fields:
        section += b" (" + b" ".join(map(_field, fields)) + b")"
    return kind.encode() + b"[" + section + b"]" + (b"<%d>" % partial[0] if partial else b"")


def _field(name: bytes) -> bytes:
    if not name or _NEEDS_QUOTES.search(name):
        return b"{%d}\r\n%b" % (len(name), name)
    return name.upper()
