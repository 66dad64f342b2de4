"""Our organization for the benches: `postern run` on a temporary state folder, found by its supervisor's process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.peers import PASSWORD, Peer, wait_for

OFFSET = 12000
COMMAND = Path(sys.executable).parent / "postern"


@contextlib.contextmanager
def organization(folder: Path, users: list[str]) -> Iterator[Peer]:
    """Runs until the block ends. Ports: smtp, submission, imaps."""
    log = open(folder.parent / "postern.out", "w+")  # noqa: SIM115 (as long as the server runs)
    process = subprocess.Popen(
        [COMMAND, "run", "--state", str(folder), "--offset", str(OFFSET)], stdout=log, stderr=subprocess.STDOUT
    )
    try:
        try:
            wait_for(OFFSET + 993, 120.0)
        except RuntimeError:
            raise RuntimeError(Path(log.name).read_text()) from None
        for user in users:
            subprocess.run(
                [COMMAND, "user", "add", user, "--password-stdin", "--state", str(folder)],
                input=PASSWORD + "\n",
                text=True,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        ports = {"smtp": OFFSET + 25, "submission": OFFSET + 587, "imaps": OFFSET + 993}
        yield Peer("Postern", [process.pid], ports)
    finally:
        process.terminate()
        process.wait(20)
        log.close()
