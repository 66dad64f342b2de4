"""Parts of sentences for people: numbers with their nouns, names in a list, and suggestions for a mistyped word."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

LONGEST_QUOTED = 60
"""Characters of a value that a sentence repeats: enough to find it again, and a line of a terminal still holds the sentence."""


def quoted(value: str) -> str:
    """Quotes a value in a sentence about it: `"sales"`. A longer one than 60 characters is cut, and of a URL, which may hold a
    password, only the scheme is shown."""
    scheme, separator, _ = value.partition("://")
    if separator:
        value = f"{scheme[:LONGEST_QUOTED]}://…"
    return f'"{value}"' if len(value) <= LONGEST_QUOTED else f'"{value[:LONGEST_QUOTED]}…"'


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 message`, `2 messages`; `plural` is for nouns whose plural is not made by an s."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def first_of(names: Sequence[str], most: int) -> str:
    """Names with commas between them. Of more than `most`, the others are only counted: `alice, bob and 3 more`."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def meant(word: str, known: Collection[str]) -> str:
    """The end of a sentence about a word that is not known: it suggests the known word nearest to it, or is empty.

    Only the first 64 characters of the word are compared.
    """
    close = difflib.get_close_matches(word[:64].lower().replace("_", "-"), known, 1, 0.5)
    return f'; did you mean "{close[0]}"?' if close else ""


def nearest(word: str, known: Collection[str]) -> str:
    """Suggests a known word as `meant` does; names all of them where none is near."""
    return meant(word, known) or f"; one of: {', '.join(known)}"
