"""The base subject of RFC 5256 section 2.1, which SORT and THREAD compare."""

from __future__ import annotations

import re

_MAX = 4000
_SPACES = re.compile(r"[ \t\r\n]+")
_BLOB = re.compile(r"\[[^\[\]]*\]\s*")
_REFWD = re.compile(r"(?:re|fwd?)\s*(?:\[[^\[\]]*\]\s*)?:\s*")


def base_subject(folded: str) -> tuple[str, bool]:
    """Takes the base out of a decoded and folded subject, and says whether it is a reply or forward.

    Bound: 4,000 characters of the subject are read.
    """
    text = _SPACES.sub(" ", folded[:_MAX]).strip()
    reply = False
    while True:
        before = len(text)
        while text.endswith("(fwd)"):  # (2)
            text, reply = text[:-5].rstrip(), True
        text, leader = _without_leaders(text)  # (3) to (5)
        reply |= leader
        if text.startswith("[fwd:") and text.endswith("]"):  # (6)
            text, reply = text[5:-1].strip(), True
        if len(text) == before:
            return text, reply


def _without_leaders(text: str) -> tuple[str, bool]:
    """Removes every `*subj-blob subj-refwd`, and then the blobs in front of the rest, unless they are all of it."""
    place, reply = 0, False
    while True:
        start = last = place
        while (blob := _BLOB.match(text, place)) is not None:
            last, place = place, blob.end()
        refwd = _REFWD.match(text, place)
        if refwd is None:
            return text[place if place < len(text) or start == place else last :].strip(), reply
        place, reply = refwd.end(), True
