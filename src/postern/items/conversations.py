"""Conversations: messages that share a topic (MS-OXOMSG section 2.2.1.5, MS-OXCMAIL section 2.2.3.2.8)."""

from __future__ import annotations

import hashlib
import re

MAX_TOPIC = 255
"""Characters of a topic, as PidTagConversationTopic has them."""
_PREFIX = re.compile(r"[^\W\d_]{1,3}+(?:\[\d{1,3}+\])?+: ")
_PREFIXES = re.compile(f"(?:{_PREFIX.pattern} *+)++")


def prefix_of(subject: str) -> str:
    """The prefix of a subject, for example "RE: ": one, of one to three letters, a colon and a blank (MS-OXCMSG section 2.2.1.9).
    Some programs count in it, as in "AW[2]: ".

    Bound: constant.
    """
    match = _PREFIX.match(subject)
    return match[0] if match is not None else ""


def topic_of(subject: str) -> str:
    """The topic of a conversation by the subject of one of its messages: without prefixes, for some programs put
    one before another.

    Bound: linear in the subject; at most MAX_TOPIC characters.
    """
    match = _PREFIXES.match(subject)
    return subject[match.end() if match is not None else 0 :].strip()[:MAX_TOPIC]


def number_of(topic: str) -> int:
    """The number that the messages of a conversation share: one that a mailbox need not keep.

    Bound: linear in the topic.
    """
    digest = hashlib.blake2b(" ".join(topic.casefold().split()).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
