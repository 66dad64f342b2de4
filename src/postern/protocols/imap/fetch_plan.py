"""The answer of FETCH: a plan names the columns that the store must give, and turns rows of columns into bytes.

A plan is made once for each command. Its rows are one `bytes % tuple` an item over columns that are finished bytes or numbers,
so that a FETCH of 10,000 envelopes is little more than a copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from postern.model.items import Column, FetchedItems
from postern.protocols.imap.commands import BodyPart, FetchItem
from postern.protocols.imap.dates import internal_date
from postern.protocols.imap.older_structure import without_global
from postern.protocols.mime.sections import Missing, binary, section

LONG = 1_048_576
"""Octets of an answer that may be made at once; a longer one is made and sent piece by piece."""
FlagTexts = Callable[[Sequence[int], Sequence[int]], Iterable[bytes]]
"""Turns UIDs and their flag words into the names of flags, in brackets."""


class UnknownEncoding(Exception):
    """A part's Content-Transfer-Encoding cannot be undone: NO [UNKNOWN-CTE] (RFC 3516 section 4.3)."""


class FetchPlan:
    """The plan of one FETCH. `sets_seen`: some item is a body section without PEEK. `whole`: some item needs whole messages, so
    batches stay small. `utf8`: the client enabled an extension with which message/global is a message like any other."""

    def __init__(self, items: Sequence[FetchItem], uid: bool, modseq: bool, utf8: bool) -> None:
        wanted: list[FetchItem] = list(items)
        if uid and "UID" not in wanted:  # RFC 9051 section 6.4.9: UID FETCH's answers always hold the UID
            wanted.insert(0, "UID")
        if modseq and "MODSEQ" not in wanted and "FLAGS" in wanted:
            wanted.append("MODSEQ")
        self.columns = Column(0)
        self.sets_seen = False
        self._template = b""
        self._words = _WORDS if utf8 else _OLDER
        self._parts: list[_PartColumn] = []
        self._columns: list[_Values] = []
        self._pieces: list[_Pieces] = []
        self._sources: Counter[str] = Counter()
        """The number of times that each column which can be long is asked for."""
        labels = [self._add_word(item) if isinstance(item, str) else self._add_part(item) for item in wanted]
        self._template = b"* %d FETCH (" + b" ".join(labels) + b")\r\n"
        self.asks_flags = "FLAGS" in wanted
        self.from_view = not set(wanted) - {"UID", "FLAGS"}
        """Everything asked for is already in the session's own index."""

    @property
    def whole(self) -> bool:
        return Column.CONTENT in self.columns

    def rows(self, numbers: Iterable[int], items: FetchedItems, flag_texts: FlagTexts) -> list[bytes]:
        """One "* n FETCH (...)" line an item. Raises UnknownEncoding."""
        columns: list[Iterable[object]] = [numbers]
        for column in self._columns:
            columns.extend(column(items, flag_texts))
        template = self._template
        return [template % row for row in zip(*columns, strict=True)]

    def is_long(self, items: FetchedItems) -> bool:
        """Whether the rows of these may have more than LONG octets together."""
        return sum(times * sum(map(len, getattr(items, name))) for name, times in self._sources.items()) > LONG

    def pieces(self, number: int, item: FetchedItems, flag_texts: FlagTexts) -> Iterator[bytes | memoryview]:
        """The line of one item as `rows` gives it, in pieces, so that a message is not copied for each section asked for. It
        takes the memory of one section of the content. Raises UnknownEncoding, before anything comes."""
        last = _Last()
        for part in self._parts:
            part.check(item, last)
        lead = b"* %d FETCH (" % number
        for column in self._pieces:
            yield lead
            yield from column(item, flag_texts, last)
            lead = b" "
        yield b")\r\n"

    def _add_word(self, word: str) -> bytes:
        column, template, values = self._words[word]
        self.columns |= column
        self._columns.append(values)
        self._pieces.append(
            lambda item, texts, last: (template % tuple(next(iter(value)) for value in values(item, texts)),)
        )
        if word in _SOURCES:
            self._sources[_SOURCES[word]] += 1
        return template

    def _add_part(self, item: BodyPart) -> bytes:
        self.sets_seen = self.sets_seen or not item.peek
        label = item.label.replace(b"%", b"%%")
        plain = item.kind == "BODY" and not item.part and item.partial is None
        if plain and item.what in ("", "HEADER"):
            self.columns |= Column.CONTENT if not item.what else Column.HEADER
            self._columns.append(_contents if not item.what else _headers)
            source = "contents" if not item.what else "headers"
            self._sources[source] += 1
            self._pieces.append(lambda fetched, texts, last: _whole(item.label, getattr(fetched, source)[0]))
            return label + b" {%d}\r\n%b"
        header_only = item.kind == "BODY" and not item.part and item.what.startswith("HEADER")
        self.columns |= Column.HEADER if header_only else Column.CONTENT
        part = _PartColumn(item, header_only)
        self._sources["headers" if header_only else "contents"] += 1
        self._columns.append(part.values)
        self._pieces.append(part.pieces)
        self._parts.append(part)
        return label + b" %b"


@lru_cache(maxsize=512)
def plan_of(items: tuple[FetchItem, ...], uid: bool, modseq: bool, utf8: bool) -> FetchPlan:
    """The plan for these items, which many commands share: a plan holds no state."""
    return FetchPlan(items, uid, modseq, utf8)


class _Last:
    """The section that was cut last, which a client that fetches it in parts asks for again and again."""

    def __init__(self) -> None:
        self.key: object = None
        self.data: bytes | None = None


class _PartColumn:
    def __init__(self, item: BodyPart, header_only: bool) -> None:
        self._item = item
        self._header_only = header_only

    def values(self, items: FetchedItems, flag_texts: FlagTexts) -> list[Iterable[object]]:
        sources = items.headers if self._header_only else items.contents
        return [[self._value(source) for source in sources]]

    def check(self, item: FetchedItems, last: _Last) -> None:
        """Checks that the item can be cut. Raises UnknownEncoding."""
        if self._item.kind != "BODY":
            self._cut(item, last)

    def pieces(self, item: FetchedItems, flag_texts: FlagTexts, last: _Last) -> Iterable[bytes | memoryview]:
        return (self._item.label + b" ", *self._said(self._cut(item, last)))

    def _cut(self, item: FetchedItems, last: _Last) -> bytes | None:
        asked = self._item
        key = (asked.kind == "BODY", asked.part, asked.what, asked.fields)
        if last.key != key:
            last.key = last.data = None  # its memory may serve for the next
            last.data = self._section((item.headers if self._header_only else item.contents)[0])
            last.key = key
        return last.data

    def _section(self, source: bytes) -> bytes | None:
        item = self._item
        if item.kind == "BODY":
            return section(source, item.part, item.what, item.fields)
        decoded = binary(source, item.part)
        if decoded is Missing.UNKNOWN_CTE:
            raise UnknownEncoding
        return decoded if isinstance(decoded, bytes) else None

    def _value(self, source: bytes) -> bytes:
        return b"".join(self._said(self._section(source)))

    def _said(self, data: bytes | None) -> tuple[bytes | memoryview, ...]:
        item = self._item
        if item.kind == "BINARY.SIZE":
            return (b"%d" % len(data or b""),)
        if data is None:
            return (b"NIL",)
        start, count = item.partial or (0, len(data))
        # RFC 3516 section 4.2: literal8 where there are NULs
        sign = b"~" if item.kind == "BINARY" and data.find(b"\x00", start, start + count) >= 0 else b""
        size = max(0, min(count, len(data) - start))
        return (b"%b{%d}\r\n" % (sign, size), data if size == len(data) else memoryview(data)[start : start + size])


def _whole(label: bytes, data: bytes) -> tuple[bytes, bytes]:
    return b"%b {%d}\r\n" % (label, len(data)), data


def _contents(items: FetchedItems, flag_texts: FlagTexts) -> list[Iterable[object]]:
    return [map(len, items.contents), items.contents]


def _headers(items: FetchedItems, flag_texts: FlagTexts) -> list[Iterable[object]]:
    return [map(len, items.headers), items.headers]


_Values = Callable[[FetchedItems, FlagTexts], list[Iterable[object]]]
_Pieces = Callable[[FetchedItems, FlagTexts, _Last], Iterable[bytes | memoryview]]
_SOURCES = {"ENVELOPE": "envelopes", "BODYSTRUCTURE": "structures", "BODY": "bodies"}
_WORDS: dict[str, tuple[Column, bytes, _Values]] = {
    "UID": (Column(0), b"UID %d", lambda items, texts: [items.uids]),
    "FLAGS": (Column.FLAGS, b"FLAGS %b", lambda items, texts: [texts(items.uids, items.flags)]),
    "MODSEQ": (Column.MODSEQ, b"MODSEQ (%d)", lambda items, texts: [items.modseqs]),
    "RFC822.SIZE": (Column.SIZE, b"RFC822.SIZE %d", lambda items, texts: [items.sizes]),
    "INTERNALDATE": (
        Column.INTERNAL_DATE,
        b"INTERNALDATE %b",
        lambda items, texts: [map(internal_date, items.dates)],
    ),
    "ENVELOPE": (Column.ENVELOPE, b"ENVELOPE %b", lambda items, texts: [items.envelopes]),
    "BODYSTRUCTURE": (Column.BODYSTRUCTURE, b"BODYSTRUCTURE %b", lambda items, texts: [items.structures]),
    "BODY": (Column.BODY, b"BODY %b", lambda items, texts: [items.bodies]),
}
_OLDER = _WORDS | {
    "BODYSTRUCTURE": (
        Column.BODYSTRUCTURE,
        b"BODYSTRUCTURE %b",
        lambda items, texts: [map(without_global, items.structures)],
    ),
    "BODY": (Column.BODY, b"BODY %b", lambda items, texts: [map(without_global, items.bodies)]),
}
"""The words for clients that know RFC 3501 alone."""
