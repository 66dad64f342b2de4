"""SEARCH, SORT and THREAD (RFC 9051 section 6.4.4, RFC 4731, RFC 5256, MODSEQ of RFC 7162 section 3.1.5) as search programs."""

from __future__ import annotations

from postern.model.items import Flag
from postern.model.search import SearchTerm, SortKey
from postern.protocols.imap import dates
from postern.protocols.imap.commands import Command, Search, Sort, Thread
from postern.protocols.imap.cursor import Cursor, Syntax

_CHARSETS = frozenset(
    {
        *("utf-8", "us-ascii", "iso-8859-1", "iso-8859-2", "iso-8859-15", "windows-1251", "windows-1252", "koi8-r"),
        *("euc-kr", "ks_c_5601-1987", "iso-2022-kr", "iso-2022-jp", "shift_jis", "euc-jp"),
        *("gb2312", "gbk", "gb18030", "big5"),
    }
)
CHARSETS = "US-ASCII UTF-8"
"""The charsets that BADCHARSET names; the others above are understood for old clients."""

_FLAGS = {
    "ANSWERED": Flag.ANSWERED,
    "DELETED": Flag.DELETED,
    "DRAFT": Flag.DRAFT,
    "FLAGGED": Flag.FLAGGED,
    "SEEN": Flag.SEEN,
}
_TEXTS = frozenset({"BCC", "BODY", "CC", "FROM", "SUBJECT", "TEXT", "TO"})
_DAYS = frozenset({"BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"})
_SORT_KEYS = frozenset({"ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO"})
_RETURNS = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE"})
ALL = SearchTerm("all")

MAX_STRING = 8192
"""Bytes of a string to look for: it is normalized and folded as the text was."""
MAX_DEPTH = 40
MAX_TERMS = 2000


class _Program:
    """The recursive rule search-key, with the charset its strings are in and bounds on its size."""

    def __init__(self, cursor: Cursor, charset: str) -> None:
        self._cursor = cursor
        self._charset = charset
        self._terms = 0

    def keys(self) -> SearchTerm:
        """search-key *(SP search-key), to the end of the command."""
        terms = [self.key(0)]
        while self._cursor.skip(b" "):
            terms.append(self.key(0))
        return terms[0] if len(terms) == 1 else SearchTerm("and", terms=tuple(terms))

    def key(self, depth: int) -> SearchTerm:
        cursor = self._cursor
        self._terms += 1
        if depth > MAX_DEPTH or self._terms > MAX_TERMS:
            raise Syntax("Search program too large", "LIMIT")
        mark = cursor.peek()
        if mark == b"(":
            terms = cursor.listed(lambda: self.key(depth + 1))
            if not terms:
                raise Syntax("Search key expected")
            return SearchTerm("and", terms=tuple(terms))
        if mark.isdigit() or mark in (b"*", b"$"):
            return SearchTerm("sequence", uids=cursor.ranges())
        word = cursor.word()
        if word in _FLAGS:
            return SearchTerm("flag", number=_FLAGS[word])
        if word[:2] == "UN" and word[2:] in _FLAGS:
            return _not(SearchTerm("flag", number=_FLAGS[word[2:]]))
        if word in ("ALL", "RECENT", "NEW", "OLD"):
            return SearchTerm(word.lower())
        if word == "NOT":
            cursor.space()
            return _not(self.key(depth + 1))
        if word == "OR":
            cursor.space()
            first = self.key(depth + 1)
            cursor.space()
            return SearchTerm("or", terms=(first, self.key(depth + 1)))
        return self._with_value(word)

    def _with_value(self, word: str) -> SearchTerm:
        cursor = self._cursor
        cursor.space()
        if word in _TEXTS:
            return SearchTerm(word.lower(), text=self._string())
        if word in _DAYS:
            return SearchTerm(word.lower(), number=self._day())
        if word == "HEADER":
            name = cursor.astring()[:MAX_STRING].decode("ascii", "replace")
            cursor.space()
            return SearchTerm("header", text=self._string(), name=name)
        if word in ("LARGER", "SMALLER"):
            return SearchTerm(word.lower(), number=cursor.number((1 << 63) - 1))
        if word == "UID":
            return SearchTerm("uid", uids=cursor.ranges())
        if word in ("KEYWORD", "UNKEYWORD"):
            term = SearchTerm("keyword", text=cursor.atom().decode("ascii"))
            return term if word == "KEYWORD" else _not(term)
        if word == "MODSEQ":
            return SearchTerm("modseq", number=self._modseq())
        raise Syntax("Unknown search key")

    def _string(self) -> str:
        raw = self._cursor.astring()
        if len(raw) > MAX_STRING:
            raise Syntax("Search string too long", "LIMIT")
        try:
            return raw.decode(self._charset)
        except ValueError:
            if self._charset == "utf-8":
                return raw.decode("utf-8", "replace")
            raise Syntax(f"Not valid {self._charset}", "BADCHARSET") from None

    def _day(self) -> int:
        day = dates.parse_day(self._cursor.astring())
        if day is None:
            raise Syntax("Date expected")
        return day

    def _modseq(self) -> int:
        cursor = self._cursor
        if cursor.peek() == b'"':  # entry-name and entry-type-req: flags have one mod-sequence together here
            cursor.string()
            cursor.space()
            if cursor.word() not in ("PRIV", "SHARED", "ALL"):
                raise Syntax("Entry type expected")
            cursor.space()
        return cursor.number((1 << 63) - 1)


def _not(term: SearchTerm) -> SearchTerm:
    return SearchTerm("not", terms=(term,))


def _charset(cursor: Cursor) -> str:
    name = cursor.astring().decode("ascii", "replace").lower()
    if name not in _CHARSETS:
        raise Syntax("Charset is not known", f"BADCHARSET ({CHARSETS})")
    return "utf-8" if name == "us-ascii" else name


def search(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    returns: frozenset[str] | None = None
    if cursor.skip_word("RETURN"):
        cursor.space()
        returns = frozenset(cursor.listed(cursor.word)) or frozenset({"ALL"})
        if returns - _RETURNS:
            raise Syntax("Unknown result option")
        cursor.space()
    charset = "utf-8"
    names_charset = cursor.skip_word("CHARSET")
    if names_charset:
        cursor.space()
        charset = _charset(cursor)
        cursor.space()
    return Search(tag, name, _Program(cursor, charset).keys(), returns, names_charset)


def sort(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()

    def key() -> SortKey:
        word = cursor.word()
        reverse = word == "REVERSE"
        if reverse:
            cursor.space()
            word = cursor.word()
        if word not in _SORT_KEYS:
            raise Syntax("Unknown sort key")
        return SortKey(word.lower(), reverse)

    keys = tuple(cursor.listed(key))
    if not keys or len(keys) > 16:
        raise Syntax("Sort keys expected")
    cursor.space()
    charset = _charset(cursor)
    cursor.space()
    return Sort(tag, name, keys, _Program(cursor, charset).keys())


def thread(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    algorithm = cursor.word()
    if algorithm not in ("REFERENCES", "ORDEREDSUBJECT"):
        raise Syntax("Unknown threading algorithm")
    cursor.space()
    charset = _charset(cursor)
    cursor.space()
    return Thread(tag, name, algorithm, _Program(cursor, charset).keys())
