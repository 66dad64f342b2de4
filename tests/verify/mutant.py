"""A running organization that can be broken from outside: it runs from a patched copy of the package.

Nothing in src can weaken the guard. In the copy each worker executes its role's file before it serves; a mutation is that file's
text, and it takes effect when the role's workers are ended and the supervisor starts them again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import postern
from tests import organization as organizations
from tests.organization import Organization

ROLES = ("hub", "mailbox", "client-access")
_WORKER = """
_become_worker = become_worker


def become_worker(name, *arguments):
    with open({folder!r} + "/" + name.partition(".")[0] + ".mutation") as text:
        exec(compile(text.read(), "mutation", "exec"), {{}})
    _become_worker(name, *arguments)
"""


class Mutant:
    """The running organization. `outside` gives verify's command as a user has it: from the package as it is."""

    def __init__(self, organization: Organization, folder: Path) -> None:
        self.organization = organization
        self.outside = dataclasses.replace(organization, environment={})
        self._folder = folder
        self._broken: frozenset[str] = frozenset()

    def mutate(self, text: str, roles: Iterable[str]) -> None:
        """Breaks these roles, mends what was broken before, and returns once all of them serve again."""
        wanted = frozenset(roles)
        for role in ROLES:
            _file(self._folder, role).write_text(text if role in wanted else "")
        self.restart(wanted | self._broken)
        self._broken = wanted

    def mend(self) -> None:
        if self._broken:
            self.mutate("", ())

    def restart(self, roles: Iterable[str]) -> None:
        old = {name: pid for role in roles for name, pid in self._workers(role).items()}
        for pid in old.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while not all(self._serves(name, pid) for name, pid in old.items()):
            assert time.monotonic() < deadline, "workers did not come back"
            assert self.organization.process.poll() is None, self.organization.log.read_text()[-2000:]
            time.sleep(0.02)

    def _workers(self, role: str) -> dict[str, int]:
        folder = self.organization.state / "processes"
        found = [file for file in folder.iterdir() if file.name.startswith(f"{role}.")]
        return {file.name: int(file.read_text().split()[0]) for file in found}

    def _serves(self, name: str, before: int) -> bool:
        try:
            pid = int((self.organization.state / "processes" / name).read_text().split()[0])
        except (OSError, IndexError):
            return False
        log = (self.organization.state / "logs" / f"{name}.jsonl").read_text()
        return pid != before and f'"pid": {pid}, "event": "started"' in log


def _file(folder: Path, role: str) -> Path:
    return folder / f"{role}.mutation"


@contextlib.contextmanager
def mutant() -> Iterator[Mutant]:
    folder = Path(tempfile.mkdtemp(prefix="pt-", dir="/tmp"))
    folder.chmod(0o755)
    source = folder / "src"
    shutil.copytree(Path(postern.__file__).parent, source / "postern", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (source, *source.rglob("*")):
        path.chmod(0o755)
    for role in ROLES:
        _file(folder, role).write_text("")
        _file(folder, role).chmod(0o644)
    with open(source / "postern/host/supervision/worker.py", "a") as worker:
        worker.write(_WORKER.format(folder=str(folder)))
    supervisor = source / "postern/host/supervision/supervisor.py"
    text = supervisor.read_text()
    assert "LAST_BACK_OFF = 30.0" in text
    supervisor.write_text(text.replace("LAST_BACK_OFF = 30.0", "LAST_BACK_OFF = 0.1"))
    organization = organizations.start(folder / "state", environment={"PYTHONPATH": str(source)})
    try:
        yield Mutant(organization, folder)
    finally:
        organizations.remove(organization)
