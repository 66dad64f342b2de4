"""The tokens of a command (RFC 9051 section 9): a cursor over its text, with its literals beside it.

The machine hands over the whole command: the text, in which every literal has left its "{n}CRLF", and the literals in
order. Every method takes one token and moves on, or raises Syntax, which the parser turns into a tagged BAD.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from postern.protocols.imap import modified_utf7

T = TypeVar("T")
Ranges = tuple[tuple[int, int], ...]
"""A sequence set: inclusive pairs in the order given; STAR stands for "*"."""

STAR = 0
SAVED: Ranges = ((-1, -1),)
"""The sequence set "$": the result of the last SEARCH RETURN (SAVE) (RFC 9051 section 6.4.4.1)."""

_ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
_ASTRING = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+')
_PATTERN = re.compile(rb'[^\x00-\x20\x7f-\xff(){"\\]+')
_QUOTED = re.compile(rb'"([^"\\\r\n\x00]*(?:\\["\\][^"\\\r\n\x00]*)*)"')
_ESCAPED = re.compile(rb'\\(["\\])')
_LITERAL = re.compile(rb"~?\{\d+\+?\}\r\n")
_NUMBER = re.compile(rb"\d{1,19}")
_RANGE = re.compile(rb"(\*|[1-9]\d{0,9})(?::(\*|[1-9]\d{0,9}))?")
_WORD = re.compile(rb"[A-Za-z0-9.=+\-]+")
_FLAG = re.compile(rb'\\?[^\x00-\x20\x7f-\xff(){%*"\\\]]+')

MAX_NAME = 5_000
"""Octets of a mailbox name on the wire: room for the longest path that the store keeps (2,000 octets of UTF-8) in modified UTF-7,
where a letter of two octets takes five at most ("&AOk-")."""


class Syntax(Exception):
    """The command does not follow the grammar, or asks for what the parser must refuse with `code`."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class Cursor:
    """Reads a command from left to right. `utf8` says how mailbox names are written (RFC 9051 section 5.1)."""

    __slots__ = ("_at", "_literals", "_taken", "_text", "utf8", "written")

    def __init__(self, text: bytes, literals: list[bytes], utf8: bool = False) -> None:
        self._text = text
        self._literals = literals
        self._at = 0
        self._taken = 0
        self.utf8 = utf8
        self.written = ""
        """The last mailbox name as the client wrote it, before it was normalized."""

    def _match(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise Syntax(f"{what} expected")
        self._at = match.end()
        return match

    def peek(self) -> bytes:
        """The next byte, b"" at the end."""
        return self._text[self._at : self._at + 1]

    def at_end(self) -> bool:
        return self._at >= len(self._text)

    def rest(self) -> bytes:
        """Everything that is left, not taken."""
        return self._text[self._at :]

    def end(self) -> None:
        if self._at < len(self._text):
            raise Syntax("Too many arguments")

    def skip(self, mark: bytes) -> bool:
        """Takes `mark` if it is next."""
        if self._text.startswith(mark, self._at):
            self._at += len(mark)
            return True
        return False

    def take(self, mark: bytes) -> None:
        if not self.skip(mark):
            raise Syntax(f"'{mark.decode()}' expected" if mark != b" " else "Missing argument")

    def space(self) -> None:
        self.take(b" ")

    def atom(self) -> bytes:
        return self._match(_ATOM, "Atom").group()

    def word(self) -> str:
        """A keyword of the grammar, in upper case."""
        return self._match(_WORD, "Keyword").group().decode("ascii").upper()

    def skip_word(self, word: str) -> bool:
        """Takes the keyword `word` if it is next, in any case, with a space behind it."""
        end = self._at + len(word)
        if self._text[self._at : end].upper() == word.encode() and self._text[end : end + 1] == b" ":
            self._at = end
            return True
        return False

    def number(self, limit: int = 0xFFFFFFFF) -> int:
        value = int(self._match(_NUMBER, "Number").group())
        if value > limit:
            raise Syntax("Number too large")
        return value

    def literal(self) -> bytes:
        self._match(_LITERAL, "Literal")
        value = self._literals[self._taken]
        self._taken += 1
        return value

    def string(self) -> bytes:
        """A quoted string or a literal."""
        if self.peek() == b'"':
            text = self._match(_QUOTED, "Quoted string").group(1)
            return _ESCAPED.sub(rb"\1", text) if b"\\" in text else text
        return self.literal()

    def nstring(self) -> bytes | None:
        if self._text[self._at : self._at + 3].upper() == b"NIL":
            self._at += 3
            return None
        return self.string()

    def astring(self) -> bytes:
        if self._text.startswith((b'"', b"{", b"~{"), self._at):
            return self.string()
        return self._match(_ASTRING, "String").group()

    def text(self) -> str:
        """An astring as Unicode."""
        return _decoded(self.astring())

    def mailbox(self) -> str:
        """Reads a mailbox name as Unicode in form C. "INBOX" in any case, alone or as the first level, becomes upper case
        (RFC 9051 section 5.1)."""
        return self._name(self.astring())

    def reference(self) -> str | None:
        """LIST's reference; None for one that begins no mailbox name."""
        return self._sought(self.astring())

    def pattern(self) -> str | None:
        """LIST's name with wildcards; None for one that no mailbox name can match."""
        raw = self.string() if self.peek() in (b'"', b"{") else self._match(_PATTERN, "Mailbox pattern").group()
        return self._sought(raw)

    def _sought(self, raw: bytes) -> str | None:
        try:
            return self._name(raw)
        except Syntax:
            return None

    def _name(self, raw: bytes) -> str:
        if len(raw) > MAX_NAME:
            raise Syntax("Mailbox name too long")
        try:
            plain = self.utf8 or max(raw, default=0) > 127
            name = raw.decode("utf-8") if plain else modified_utf7.decode(raw)
        except ValueError:
            raise Syntax("Mailbox name is not valid", "CANNOT") from None
        self.written = name
        name = unicodedata.normalize("NFC", name)
        if name[:5].upper() == "INBOX" and name[5:6] in ("", "/"):
            name = "INBOX" + name[5:]
        return name

    def ranges(self) -> Ranges:
        """Reads a sequence-set."""
        if self.skip(b"$"):
            return SAVED
        pairs: list[tuple[int, int]] = []
        while True:
            match = self._match(_RANGE, "Message set")
            first = _position(match.group(1))
            last = first if match.group(2) is None else _position(match.group(2))
            pairs.append((first, last))
            if not self.skip(b","):
                return tuple(pairs)

    def flag(self) -> bytes:
        return self._match(_FLAG, "Flag").group()

    def listed(self, item: Callable[[], T]) -> list[T]:
        """Reads "(" [item *(SP item)] ")"."""
        self.take(b"(")
        items: list[T] = []
        if self.skip(b")"):
            return items
        while True:
            items.append(item())
            if self.skip(b")"):
                return items
            self.space()


def _position(text: bytes) -> int:
    value = STAR if text == b"*" else int(text)
    if value > 0xFFFFFFFF:
        raise Syntax("Number too large")
    return value


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except ValueError:
        raise Syntax("Not valid UTF-8") from None
