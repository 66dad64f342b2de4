"""HTTP dates (RFC 9110 section 5.6.7)."""

from __future__ import annotations

import re
from email.utils import formatdate
from functools import lru_cache

from postern.protocols.mime.dates import parse_date

_ASCTIME = re.compile(rb"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}:\d{2}:\d{2}) (\d{4})")


def parse_http_date(value: bytes) -> int | None:
    """Reads a date in one of the three forms as seconds since the epoch. None if it is no date. Whatever stands behind the date
    is passed over: old clients write the length of the page there.

    Bound: linear; 200 octets of the value are read.
    """
    asctime = _ASCTIME.match(value)
    if asctime is not None:
        value = b" ".join((asctime[2].lstrip(), asctime[1], asctime[4], asctime[3]))
    date = parse_date(value)
    return None if date is None else date[0]


@lru_cache(maxsize=256)
def http_date(seconds: int) -> bytes:
    """Writes seconds since the epoch as "Sun, 06 Nov 1994 08:49:37 GMT"."""
    return formatdate(seconds, usegmt=True).encode("ascii")
