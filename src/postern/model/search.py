"""Searches of a folder (RFC 9051 section 6.4.4, RFC 5256) and their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SearchTerm:
    """One node of a SEARCH program (RFC 9051 section 6.4.4).

    `key` is the lower-case search key ("subject", "text", "body", "header", "from", "since", "sentbefore", "larger",
    "uid", "flag" with `number` the flag bits, "modseq", "and", "or", "not", "all"); `text` its string (already decoded to
    Unicode), `name` the header's name, `number` a date (days since the epoch), size or bits; `uids` pairs of first and last.
    Two keys are not IMAP's: "arrived", where `number` is seconds since the epoch and the internal date not earlier, and "class",
    where the class begins with `text`.
    """

    key: str
    text: str = ""
    name: str = ""
    number: int = 0
    uids: tuple[tuple[int, int], ...] = ()
    terms: tuple[SearchTerm, ...] = ()


EVERYTHING = SearchTerm("all")
"""The term that every item matches."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search. `highest_modseq` is the highest mod-sequence of the folder when it was searched: a session that has
    seen only a lower one is behind."""

    uids: Sequence[int]
    highest_modseq: int


@dataclass(frozen=True, slots=True)
class SortKey:
    """A key of SORT (RFC 5256 section 3): "arrival", "cc", "date", "from", "size", "subject", "to". Also "displayfrom",
    "displayto" and "uid"."""

    key: str
    reverse: bool = False
