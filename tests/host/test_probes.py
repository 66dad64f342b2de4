"""What verify finds of a host where nothing runs; a running one is tests/cli/test_verify.py's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from postern.host import configuration, secret_files, state
from postern.host.probes import subject
from postern.roles.secrets import Secret


def test_no_organization(tmp_path: Path) -> None:
    with pytest.raises(state.StateError, match="start one with `postern run`"):
        subject(str(tmp_path / "nothing"))


def test_one_that_does_not_run() -> None:
    folder = Path(tempfile.mkdtemp(prefix="pr-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        made = state.create(folder / "state")
        configuration.default(made)
        for secret in (Secret.DIRECTORY, Secret.PROBE_ACCOUNT):
            secret_files.obtain(made, secret)
            os.chown(made.secrets / secret, made.root.stat().st_uid, made.root.stat().st_gid)
        # In a process of its own: root would become the folder's owner for good.
        words = (
            "import sys; from postern.host.probes import NothingRuns, subject\n"
            "try:\n    subject(sys.argv[1])\nexcept NothingRuns as error:\n    print('nothing runs:', error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", words, str(folder / "state")],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert "nothing runs: the organization at" in done.stdout, done.stderr
    finally:
        shutil.rmtree(folder)
