"""Comments in header fields (RFC 5322 section 3.2.2): finds their ends, and removes them."""

from __future__ import annotations

import re

# In a comment only parentheses and the backslash mean anything; quotes and brackets are text.
_COMMENT_TOKEN = re.compile(rb"""[()]|(?:[^()\\]++|\\.)++|\\\Z""", re.DOTALL)
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^"(]++|\(', re.DOTALL)
_APART = (b"", b" ", b"\t", b"\r", b"\n", b";", b"=", b"/", b'"')


def comment_end(value: bytes, start: int) -> int:
    """The place behind the comment that begins at `start`; -1 if it is never closed.

    Bound: linear in the value; nesting costs no stack.
    """
    depth = 0
    for match in _COMMENT_TOKEN.finditer(value, start):
        if match[0] == b"(":
            depth += 1
        elif match[0] == b")":
            depth -= 1
            if not depth:
                return match.end()
    return -1


def without_comments(value: bytes, inside_words: bool = True) -> bytes:
    """Replaces each comment by one blank; one that is never closed stays. Without `inside_words`, parentheses that are part of a
    word stay, too: programs write file names such as `report(1).pdf` without quotes.

    Bound: linear in the value.
    """
    if b"(" not in value:
        return value
    kept: list[bytes] = []
    place = 0
    while (match := _TOKEN.match(value, place)) is not None:
        place = match.end()
        if match[0] != b"(":
            kept.append(match[0])
            continue
        end = comment_end(value, place - 1)
        if end < 0:
            kept.append(value[place - 1 :])
            break
        apart = value[max(place - 2, 0) : place - 1] in _APART and value[end : end + 1] in _APART
        kept.append(b" " if inside_words or apart else value[place - 1 : end])
        place = end
    return b"".join(kept)
