"""Commands of the journeys, as they are typed."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import tarfile
from pathlib import Path

from scripts.documents import ROOT


def test_the_backup_is_its_owners_alone_to_read_when_typed_as_it_stands(tmp_path: Path) -> None:
    """Whatever the umask of who types it; only the folders are another's."""
    page = (ROOT / "docs/journeys/backup.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"^ {7}(install .*\n) {7}(.*tar -C .*)$", page, re.MULTILINE)
    sockets = tmp_path / "postern" / "sockets"
    sockets.mkdir(parents=True)
    (tmp_path / "postern" / "postern.toml").write_text("x")
    there = tmp_path / "backup"
    here = "".join(commands).replace("/var/lib", str(tmp_path)).replace("/srv/backup", str(there))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(sockets / "hub.0"))
        done = subprocess.run(["sh", "-ec", f"umask 000; {here}"], check=True, capture_output=True, text=True)
    assert not done.stderr, "no word of tar's that alarms"
    assert stat.S_IMODE(there.stat().st_mode) == 0o700
    assert stat.S_IMODE((there / "postern.tgz").stat().st_mode) == 0o600
    with tarfile.open(there / "postern.tgz") as archive:
        assert sorted(archive.getnames()) == ["postern", "postern/postern.toml", "postern/sockets"]
    dump = re.search(r"^    (.*pg_dump .*)$", page, re.MULTILINE)
    assert dump is not None and dump[1].startswith("(umask 077;")
