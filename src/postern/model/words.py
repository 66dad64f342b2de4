"""Words of sentences that programs say to people: counted things, and what a mistyped word may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 message`, `2 messages`; `many` is the plural where an s does not make it."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def meant(word: str, known: Collection[str]) -> str:
    """The end of a sentence about a word that is not known: the known one nearest to it, or nothing.

    Only the first 64 characters of the word are compared.
    """
    close = difflib.get_close_matches(word[:64].lower().replace("_", "-"), known, 1, 0.5)
    return f'; did you mean "{close[0]}"?' if close else ""


def nearest(word: str, known: Collection[str]) -> str:
    """As `meant`; where no known word is near, all of them."""
    return meant(word, known) or f"; one of: {', '.join(known)}"
