"""LIST's patterns (RFC 9051 section 6.3.9): "*" matches anything, "%" anything within one level.

`matches` follows all positions of the pattern at once: each character of the name costs at most the length of the pattern.
"""

from __future__ import annotations

import re

DELIMITER = "/"
MAX_PATTERN = 255
MAX_WILDCARDS = 20


def canonical(reference: str, pattern: str) -> str | None:
    """The whole pattern with runs of wildcards made one and INBOX in upper case; None if it is too long to serve.

    Bound: linear in the pattern; at most 255 characters and 20 wildcards come out.
    """
    whole = pattern if pattern.startswith(DELIMITER) else reference + pattern
    whole = re.sub(r"[%*]{2,}+", lambda run: "*" if "*" in run[0] else "%", whole)
    if len(whole) > MAX_PATTERN or len(re.findall(r"[%*]", whole)) > MAX_WILDCARDS:
        return None
    if whole[:5].upper() == "INBOX" and whole[5:6] in ("", "/", "%", "*"):
        whole = "INBOX" + whole[5:]
    return whole


def matches(pattern: str, name: str) -> bool:
    """Whether a whole name matches a canonical pattern. INBOX alone is matched in any case (RFC 9051 section 5.1).

    Bound: the name's length times the pattern's, which is 255 at most.
    """
    if pattern == "*":
        return True
    if name == "INBOX":
        pattern = pattern.upper()
    return _matches(pattern, name)


def begins_below(pattern: str, level: str) -> bool:
    """Whether a canonical pattern can match the name of this level or a name below it.

    Bound: linear in the pattern.
    """
    literal = re.split(r"[%*]", pattern, maxsplit=1)[0]
    if literal == pattern:
        return pattern == level or pattern.startswith(level + DELIMITER)
    return level.startswith(literal) or literal.startswith(level + DELIMITER)


def _matches(pattern: str, name: str) -> bool:
    end = len(pattern)
    at = _past_wildcards(pattern, {0})
    for character in name:
        after = set()
        for position in at:
            mark = pattern[position] if position < end else ""
            if mark == "*" or (mark == "%" and character != DELIMITER):
                after.add(position)
            elif mark == character:
                after.add(position + 1)
        at = _past_wildcards(pattern, after)
        if not at:
            return False
    return end in at


def _past_wildcards(pattern: str, positions: set[int]) -> set[int]:
    """Adds the positions behind wildcards, which may match nothing."""
    reached = set(positions)
    for position in positions:
        while position < len(pattern) and pattern[position] in "%*":
            position += 1
            reached.add(position)
    return reached
