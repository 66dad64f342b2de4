"""Reads files of the state folder safely as root: the folder belongs to an account with fewer rights, which could put a link to a
secret, a pipe without end or a device in their place.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST = 65_536


def read_small(file: Path, most: int = MOST, follow: bool = False) -> bytes:
    """The content of a regular file. Raises OSError for anything else, for a link unless `follow`, and for one that is larger
    than `most` octets; opening it never waits.

    Bound: `most` octets.
    """
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    with os.fdopen(handle, "rb") as opened:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "this is no regular file", str(file))
        content = opened.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} octets", str(file))
    return content
