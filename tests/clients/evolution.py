"""Evolution's data server, which keeps the calendars and address books of GNOME, without a desktop: a D-Bus of its own, and a
program that uses it (`evolution_program`)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clients.people import tool
from tests.organization import PASSWORD, Organization

PYTHON = "/usr/bin/python3"
"""Debian's own, which has the libraries' bindings."""
PROGRAM = Path(__file__).with_name("evolution_program.py")
LIBRARIES = "import gi\nfor name in 'EDataServer', 'ECal', 'EBook': gi.require_version(name, '2.0' if name == 'ECal' else '1.2')"


class Evolution:
    """A running program of one user."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    def ask(self, name: str, *arguments: object) -> Any:
        """Calls a method of `evolution_program.Program`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._log.read_text(errors="replace")
        value, error = json.loads(line)
        assert not error, f"{error}\n{self._log.read_text(errors='replace')}"
        return value


@contextmanager
def started(organization: Organization, address: str, folder: Path) -> Iterator[Evolution]:
    """The program with an empty account. What it starts ends with its D-Bus."""
    if subprocess.run([PYTHON, "-c", LIBRARIES], capture_output=True).returncode:
        pytest.skip("the libraries of evolution-data-server are not installed (gir1.2-ecal-2.0, gir1.2-ebook-1.2)")
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    environment = {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(runtime),
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "GSETTINGS_BACKEND": "memory",
        "GIO_USE_VFS": "local",
    }
    account = [str(organization.port(443)), str(organization.authority), address, PASSWORD]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [tool("dbus-run-session"), "--", PYTHON, str(PROGRAM), *account],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
        )
        try:
            yield Evolution(process, folder / "log")
        finally:
            process.communicate(timeout=30)
