"""A private file is replaced as a whole, and is private under any umask."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from postern.trust.private_files import replace_file


def test_the_new_file_is_private_and_takes_the_place_of_the_old(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"old")
    file.chmod(0o644)
    left = tmp_path / "key.new"
    left.write_bytes(b"left by another program")
    left.chmod(0o644)
    before = os.umask(0)
    try:
        replace_file(file, b"new")
    finally:
        os.umask(before)
    assert file.read_bytes() == b"new" and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["key"]


def test_a_link_in_its_way_is_not_followed_and_the_old_file_stays(tmp_path: Path) -> None:
    file, other = tmp_path / "key", tmp_path / "other"
    file.write_bytes(b"old")
    other.write_bytes(b"of somebody else")
    (tmp_path / "key.new").symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        replace_file(file, b"new")
    assert file.read_bytes() == b"old" and other.read_bytes() == b"of somebody else"
