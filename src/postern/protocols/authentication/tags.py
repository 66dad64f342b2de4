"""Tag lists: `v=1; a=rsa-sha256; ...`, the syntax of DKIM signatures and keys and DMARC records (RFC 6376 section 3.2)."""

from __future__ import annotations

import re

MAX_TAGS = 100

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*+")


def parse_tags(text: str) -> dict[str, str] | None:
    """Reads the values by tag, with white space within them. None: it is no tag list, or names a tag twice.

    Bound: linear; at most 65,536 characters and 100 tags.
    """
    if len(text) > 65_536:
        return None
    parts = text.split(";", MAX_TAGS + 1)
    if len(parts) > MAX_TAGS:
        return None
    if not parts[-1].strip():
        parts.pop()
    tags: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not _NAME.fullmatch(name) or name in tags or len(part) > 32_768:
            return None
        tags[name] = value.strip()
    return tags


def squeezed(value: str) -> str:
    """Removes all white space: base64 and lists may be folded anywhere."""
    return "".join(value.split())
