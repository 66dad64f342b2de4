"""The base subject of RFC 5256 section 2.1: what SORT and THREAD compare."""

from __future__ import annotations

import re

_MAX = 4000
_SPACES = re.compile(r"[ \t\r\n]+")
_BLOB = re.compile(r"\[[^\[\]]*\]\s*")
_REFWD = re.compile(r"(?:re|fwd?)\s*(?:\[[^\[\]]*\]\s*)?:")


def base_subject(folded: str) -> tuple[str, bool]:
    """From a decoded and folded subject: its base, and whether it is a reply or forward."""
    text = _SPACES.sub(" ", folded[:_MAX]).strip()
    reply = False
    while True:
        # (2) trailers
        before = len(text)
        text = text.rstrip()
        while text.endswith("(fwd)"):
            text, reply = text[:-5].rstrip(), True
        # (3) leaders, (4) blobs, (5) until nothing changes
        while True:
            length = len(text)
            text, leader = _without_leader(text)
            reply |= leader
            blob = _BLOB.match(text)
            if blob is not None and blob.end() < len(text):
                text = text[blob.end() :]
            if len(text) == length:
                break
        # (6) [fwd: ... ]
        if text.startswith("[fwd:") and text.endswith("]"):
            text, reply = text[5:-1].strip(), True
            continue
        if len(text) == before:
            return text, reply


def _without_leader(text: str) -> tuple[str, bool]:
    """subj-leader: (*subj-blob subj-refwd) / WSP"""
    text = text.lstrip()
    place = 0
    while (blob := _BLOB.match(text, place)) is not None:
        place = blob.end()
    refwd = _REFWD.match(text, place)
    if refwd is None:
        return text, False
    return text[refwd.end() :].lstrip(), True
