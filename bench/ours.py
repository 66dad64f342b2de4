"""Our organization for the benches: `postern run` on a temporary state folder, found by its supervisor's process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bench.peers import PASSWORD, Peer, wait_for

OFFSET = 12000
COMMAND = Path(sys.executable).parent / "postern"


@contextlib.contextmanager
def organization(folder: Path, users: list[str], command: Path = COMMAND, offset: int = OFFSET) -> Iterator[Peer]:
    """Runs until the block ends: what `command` starts, on ports shifted by `offset`. Ports: smtp, submission, imaps."""
    log = open(folder.with_suffix(".out"), "w+")  # noqa: SIM115 (as long as the server runs)
    process = _start(folder, log, command, offset)
    try:
        # The first start wrote the file. A thousand clients on one address are one client here, as in the peers' settings.
        _stop(process)
        file = folder / "postern.toml"
        file.write_text(file.read_text().replace("# connections-per-address = 100", "connections-per-address = 5000"))
        process = _start(folder, log, command, offset)
        for user in users:
            subprocess.run(
                [command, "user", "add", user, "--password-stdin", "--state", str(folder)],
                input=PASSWORD + "\n",
                text=True,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        ports = {"smtp": offset + 25, "submission": offset + 587, "imaps": offset + 993}
        yield Peer("Postern", [process.pid], ports)
    finally:
        _stop(process)
        log.close()


def _start(folder: Path, log: IO[str], command: Path, offset: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [command, "run", "--state", str(folder), "--offset", str(offset)], stdout=log, stderr=subprocess.STDOUT
    )
    try:
        wait_for(offset + 993, 120.0)
    except RuntimeError:
        _stop(process)
        raise RuntimeError(Path(log.name).read_text()) from None
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(20)
