"""The header fields of WebDAV: Depth, Destination, Overwrite, Timeout and Lock-Token (RFC 4918 section 10), and Prefer (RFC 7240,
RFC 8144). `conditions` reads If.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import unquote_to_bytes, urlsplit

MAX_URL = 8_192
"""Octets of a URL in a field or a body. Names have 255 octets, and few are nested more than a dozen deep."""
MAX_TOKEN = 512
MAX_PREFERENCES = 16
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SECOND = re.compile(r"Second-(\d{1,10})\Z", re.IGNORECASE)
_CODED = re.compile(r"<([A-Za-z][A-Za-z0-9+.-]{0,31}:[!-;=?-~]{1,511})>\Z")


class FieldError(ValueError):
    """A field that cannot be read: 400. The text names the field, and has nothing of its value."""


class Depth(IntEnum):
    """The reach of a request below its resource."""

    ZERO = 0
    ONE = 1
    INFINITY = 2


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences of RFC 8144. `is_minimal`: properties that are not there need not be told (`return=minimal`).
    `wants_representation`: the answer to a PUT has what is stored. `without_root`: a PROPFIND of depth 1 need not tell of the
    collection itself (`depth-noroot`)."""

    is_minimal: bool = False
    wants_representation: bool = False
    without_root: bool = False


_DEPTHS = {"0": Depth.ZERO, "1": Depth.ONE, "infinity": Depth.INFINITY}


def read_depth(value: str | None, default: Depth) -> Depth:
    """Reads Depth. Raises FieldError.

    Bound: constant.
    """
    if value is None:
        return default
    depth = _DEPTHS.get(value.strip().lower()) if len(value) <= MAX_URL else None
    if depth is None:
        raise FieldError("Depth is 0, 1 or infinity")
    return depth


def read_overwrite(value: str | None) -> bool:
    """Reads Overwrite, which is T where it is missing. Raises FieldError.

    Bound: constant.
    """
    if value is None or value.strip() in ("T", "t"):
        return True
    if value.strip() in ("F", "f"):
        return False
    raise FieldError("Overwrite is T or F")


def read_url(value: str, host: str = "") -> str | None:
    """Reads the path of a URL or an absolute path, percent-decoded once: `https://mail.example.test/dav/a%20b` gives `/dav/a b`.
    Returns None for what is no such thing: another host than `host` (where that is known), a relative path, or one with dot
    segments, controls, or octets that are no UTF-8.

    Bound: linear; at most MAX_URL characters.
    """
    value = value.strip()
    if not value or len(value) > MAX_URL or _CONTROL.search(value):
        return None
    if value.startswith("/") and not value.startswith("//"):
        raw = re.split(r"[?#]", value, maxsplit=1)[0]
    else:
        try:
            parts = urlsplit(value)
        except ValueError:
            return None
        if parts.scheme.lower() not in ("http", "https") or not parts.netloc:
            return None
        if host and _name(parts.netloc) != _name(host):
            return None
        raw = parts.path or "/"
    try:
        path = unquote_to_bytes(raw).decode()
    except UnicodeError:
        return None
    if path.startswith("//") or _CONTROL.search(path) or {".", ".."} & set(path.split("/")):
        return None
    return path


def _name(authority: str) -> str:
    """The host of an authority, without the port: behind a forwarded port a client knows another one than the server."""
    host = authority.rpartition("@")[2].lower()
    return host.rpartition(":")[0] if re.search(r":\d*\Z", host) else host


def read_timeout(value: str | None, default: int, most: int) -> int:
    """Reads how many seconds a lock is asked for, the first choice that is understood (RFC 4918 section 10.7).

    Bound: linear; at most 1,000 characters are read.
    """
    for choice in (value or "")[:1000].split(","):
        choice = choice.strip()
        if choice.lower() == "infinite":
            return most
        match = _SECOND.match(choice)
        if match:
            return max(1, min(int(match[1]), most))
    return default


def read_lock_token(value: str | None) -> str:
    """Reads Lock-Token: the URI between angle brackets. Raises FieldError.

    Bound: linear; at most MAX_TOKEN characters.
    """
    match = _CODED.match(value.strip()) if value is not None and len(value) <= MAX_TOKEN + 64 else None
    if match is None:
        raise FieldError("Lock-Token is a URI in angle brackets")
    return match[1]


def read_preferences(prefer: str | None, brief: str | None = None) -> Preferences:
    """Reads Prefer, and Brief, which was Microsoft's earlier word for `return=minimal` (RFC 8144 section 1). What is not
    understood is passed over.

    Bound: linear; at most MAX_PREFERENCES preferences.
    """
    chosen = set()
    for preference in (prefer or "")[:MAX_URL].split(",", MAX_PREFERENCES)[:MAX_PREFERENCES]:
        name, _, value = preference.partition(";")[0].partition("=")
        chosen.add((name.strip().lower(), value.strip().strip('"').lower()))
    is_brief = (brief or "").strip().lower() == "t"
    return Preferences(
        is_brief or ("return", "minimal") in chosen or ("return-minimal", "") in chosen,
        ("return", "representation") in chosen,
        ("depth-noroot", "") in chosen,
    )
