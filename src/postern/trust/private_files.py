"""Writes files that only this account may read: keys, secrets, and settings that decide about mail."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(file: Path, content: bytes) -> None:
    """Replaces a file. The new one has mode 0600 from the first octet on, also where a temporary file was left before; readers
    see the old one or the whole new one. Raises OSError."""
    temporary = file.with_name(file.name + ".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as out:
        os.fchmod(handle, 0o600)  # it may have been there
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, file)
