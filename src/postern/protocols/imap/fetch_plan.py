"""FETCH's answer: which columns the store must give, and how rows of columns become bytes.

A plan is made once for each command. Its rows are one `bytes % tuple` an item over columns that are finished bytes or numbers,
so that a FETCH of 10,000 envelopes is little more than a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from postern.model.mailbox import Column, FetchedItems
from postern.protocols.imap.commands import BodyPart, FetchItem
from postern.protocols.imap.dates import internal_date
from postern.protocols.imap.older_structure import without_global
from postern.protocols.imap.responses import literal
from postern.protocols.mime.sections import Missing, binary, section

FlagTexts = Callable[[Sequence[int], Sequence[int]], Iterable[bytes]]
"""Given UIDs and their flag words, each one's names in brackets."""


class UnknownEncoding(Exception):
    """A part's Content-Transfer-Encoding cannot be undone: NO [UNKNOWN-CTE] (RFC 3516 section 4.3)."""


class FetchPlan:
    """`sets_seen`: some item is a body section without PEEK. `whole`: some item needs whole messages, so batches stay small.
    `utf8`: the client enabled what makes message/global a message like any other."""

    def __init__(self, items: Sequence[FetchItem], uid: bool, modseq: bool, utf8: bool) -> None:
        words: list[FetchItem] = list(items)
        if uid and "UID" not in words:  # RFC 9051 section 6.4.9: UID FETCH's answers always hold the UID
            words.insert(0, "UID")
        if modseq and "MODSEQ" not in words and "FLAGS" in words:
            words.append("MODSEQ")
        self.columns = Column(0)
        self.sets_seen = False
        self._template = b""
        self._words = _WORDS if utf8 else _OLDER
        self._columns: list[Callable[[FetchedItems, FlagTexts], list[Iterable[object]]]] = []
        labels = [self._add_word(item) if isinstance(item, str) else self._add_part(item) for item in words]
        self._template = b"* %d FETCH (" + b" ".join(labels) + b")\r\n"
        self.asks_flags = "FLAGS" in words
        self.from_view = not set(words) - {"UID", "FLAGS"}
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

    def _add_word(self, word: str) -> bytes:
        column, template, values = self._words[word]
        self.columns |= column
        self._columns.append(values)
        return template

    def _add_part(self, item: BodyPart) -> bytes:
        self.sets_seen = self.sets_seen or not item.peek
        label = item.label.replace(b"%", b"%%")
        plain = item.kind == "BODY" and not item.part and item.partial is None
        if plain and item.what in ("", "HEADER"):
            self.columns |= Column.CONTENT if not item.what else Column.HEADER
            self._columns.append(_contents if not item.what else _headers)
            return label + b" {%d}\r\n%b"
        header_only = item.kind == "BODY" and not item.part and item.what.startswith("HEADER")
        self.columns |= Column.HEADER if header_only else Column.CONTENT
        self._columns.append(_PartColumn(item, header_only).values)
        return label + b" %b"


@lru_cache(maxsize=512)
def plan_of(items: tuple[FetchItem, ...], uid: bool, modseq: bool, utf8: bool) -> FetchPlan:
    """The plan for these items, which many commands share: a plan holds no state."""
    return FetchPlan(items, uid, modseq, utf8)


class _PartColumn:
    def __init__(self, item: BodyPart, header_only: bool) -> None:
        self._item = item
        self._header_only = header_only

    def values(self, items: FetchedItems, flag_texts: FlagTexts) -> list[Iterable[object]]:
        sources = items.headers if self._header_only else items.contents
        return [[self._value(source) for source in sources]]

    def _value(self, source: bytes) -> bytes:
        item = self._item
        if item.kind == "BODY":
            data = section(source, item.part, item.what, item.fields)
        else:
            decoded = binary(source, item.part)
            if decoded is Missing.UNKNOWN_CTE:
                raise UnknownEncoding
            data = decoded if isinstance(decoded, bytes) else None
        if item.kind == "BINARY.SIZE":
            return b"%d" % len(data or b"")
        if data is None:
            return b"NIL"
        if item.partial is not None:
            start, count = item.partial
            data = data[start : start + count]
        if item.kind == "BINARY" and b"\x00" in data:
            return b"~" + literal(data)  # RFC 3516 section 4.2: literal8 where there are NULs
        return literal(data)


def _contents(items: FetchedItems, flag_texts: FlagTexts) -> list[Iterable[object]]:
    return [map(len, items.contents), items.contents]


def _headers(items: FetchedItems, flag_texts: FlagTexts) -> list[Iterable[object]]:
    return [map(len, items.headers), items.headers]


_Values = Callable[[FetchedItems, FlagTexts], list[Iterable[object]]]
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
"""For clients that know RFC 3501 alone."""
