"""CalDAV beside Radicale, in turn, medians of RUNS: `python -m bench.dav PYTHON [COUNT [RUNS]]`, with a PYTHON that has it.

Both hold a calendar of COUNT events (10,000). Ours is the whole organization: TLS, a logon, RPC and PostgreSQL, with each event
on the disk before it is answered; Radicale has files, no TLS and asks nobody who he is. Prints requests a second and CPU-seconds
per 1,000.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.compare import compare, load, sample
from bench.ours import OFFSET, organization
from bench.peers import PASSWORD, Peer, free_port, wait_for

USER = "alice@example.test"
OURS = f"/dav/calendars/{USER}/bench/"
THEIRS = "/alice/bench/"
PUTS = 50
"""Events that one run puts. Radicale takes a fifth of a second for each where there are thousands."""
SETTINGS = """[server]
hosts = 127.0.0.1:{port}
[auth]
type = none
[storage]
filesystem_folder = {folder}
[logging]
level = error
"""


@contextlib.contextmanager
def radicale(python: str, folder: Path) -> Iterator[Peer]:
    port = free_port()
    file = folder / "radicale.conf"
    file.write_text(SETTINGS.format(port=port, folder=folder / "radicale"))
    process = subprocess.Popen([python, "-m", "radicale", "--config", str(file)])
    try:
        wait_for(port)
        yield Peer("Radicale", [process.pid], {"http": port})
    finally:
        process.terminate()
        process.wait(20)


def main() -> int:
    if len(sys.argv) not in (2, 3, 4):
        print(__doc__)
        return 64
    count, runs = (int(value) for value in (*sys.argv[2:], *("10000", "5")[len(sys.argv) - 2 :]))
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp") as temporary:
        folder = Path(temporary)
        folder.chmod(0o711)
        with organization(folder / "ours", [USER]) as ours, radicale(sys.argv[1], folder) as peer:
            mine = partial(load, "bench.dav_load", OFFSET + 443, "TLS", OURS, f"{USER}:{PASSWORD}")
            theirs = partial(load, "bench.dav_load", peer.ports["http"], "CLEAR", THEIRS, "alice:x")
            mine("make", 0)
            mine("put", count)
            theirs("whole", count)
            for name, work, many, aim in (
                (f"PROPFIND of {count:,} events", "propfind", 0, 5.0),
                ("sync-collection after one change", "sync", 0, 5.0),
                ("multiget of 1,000 events", "multiget", 1000, 5.0),
                ("PUT one by one", "put", PUTS, 2.0),
            ):
                compare(
                    name,
                    partial(sample, ours.roots, partial(mine, work, many)),
                    partial(sample, peer.roots, partial(theirs, work, many)),
                    peer.name,
                    aim,
                    runs,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
