"""SASLprep (RFC 4013): gives a password or name one form, however the keyboard composed it. Pure."""

from __future__ import annotations

import stringprep
import unicodedata

MAX_LENGTH = 1024
"""Characters of a password or a name."""

_PROHIBITED = (
    # RFC 4013 section 2.3
    *(stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4),
    *(stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8),
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """Prepares a string as a query: unassigned code points pass (RFC 3454 section 7). Raises ValueError for characters that
    RFC 4013 prohibits. The error names none, since the text may be a password.

    Bound: linear up to 1,024 characters, whose marks are sorted (UAX 15); longer text is refused.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"more than {MAX_LENGTH} characters")
    if text.isascii():
        if not text.isprintable():
            raise ValueError("control characters are not allowed")
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(prohibited(char) for char in prepared for prohibited in _PROHIBITED):
        raise ValueError("a character that SASLprep (RFC 4013) prohibits")
    # RFC 3454 section 6: right-to-left text begins and ends so, and holds nothing left-to-right.
    if any(stringprep.in_table_d1(char) for char in prepared) and (
        any(stringprep.in_table_d2(char) for char in prepared)
        or not (stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1]))
    ):
        raise ValueError("left-to-right and right-to-left text are mixed (RFC 3454 section 6)")
    return prepared
