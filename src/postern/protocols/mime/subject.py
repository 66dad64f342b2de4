"""The base subject of RFC 5256 section 2.1: what SORT and THREAD compare."""

from __future__ import annotations

import re

_MAX = 4000
_SPACES = re.compile(r"[ \t\r\n]+")
_BLOB = re.compile(r"\[[^\[\]]*\]\s*")
_REFWD = re.compile(r"(?:re|fwd?)\s*(?:\[[^\[\]]*\]\s*)?:\s*")


def base_subject(folded: str) -> tuple[str, bool]:
    """From a decoded and folded subject: its base, and whether it is a reply or forward.

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
    """Without every `*subj-blob subj-refwd`, and then without the blobs in front of what is left, if anything is."""
    place, reply = 0, False
    while True:
        start = last = place
        while (blob := _BLOB.match(text, place)) is not None:
            last, place = place, blob.end()
        refwd = _REFWD.match(text, place)
        if refwd is None:
            return text[place if place < len(text) or start == place else last :].strip(), reply
        place, reply = refwd.end(), True
