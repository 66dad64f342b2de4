"""Commands of the journeys, as they are typed."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

from scripts.documents import ROOT


def test_the_backup_is_its_owners_alone_to_read_when_typed_as_it_stands(tmp_path: Path) -> None:
    """Whatever the umask of who types it; only the folders are another's."""
    page = (ROOT / "docs/journeys/backup.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"`(.*tar -C .*)`", page)
    (tmp_path / "postern").mkdir()
    (tmp_path / "postern" / "postern.toml").write_text("x")
    here = command.replace("/var/lib", str(tmp_path)).replace("/srv/backup", str(tmp_path))
    subprocess.run(["sh", "-c", f"umask 000; {here}"], check=True)
    assert stat.S_IMODE((tmp_path / "postern.tgz").stat().st_mode) == 0o600
    dump = re.search(r"^    (.*pg_dump .*)$", page, re.MULTILINE)
    assert dump is not None and dump[1].startswith("(umask 077;")
