"""CalDAV beside Radicale and Xandikos, in turn, medians of RUNS: `python -m bench.dav [COUNT [RUNS]]`.

`scripts/setup bench` installs both. Each server holds a calendar of COUNT events (10,000). Ours is the whole organization: TLS,
a logon, RPC and PostgreSQL, with each event on the disk before it is answered. Radicale has files and Xandikos a git
repository; both run as they come, without TLS, and ask nobody who he is. Prints requests a second and CPU-seconds per 1,000
over all processes of each; all of it stands in bench/results/dav.json.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

from bench import chart
from bench.compare import PEERS, ROOT, Figure, Sample, beside, load, write
from bench.dav_load import calendar, event
from bench.ours import OFFSET, organization
from bench.peers import PASSWORD, Peer, free_port, running

USER = "alice@example.test"
OURS = f"/dav/calendars/{USER}/bench/"
RADICALE = "/alice/bench/"
XANDIKOS = "/user/calendars/bench/"
PUTS = 10
"""Events that one run puts at least. Radicale and Xandikos take a second or two for each where there are ten thousand."""
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
def radicale(folder: Path, count: int) -> Iterator[Peer]:
    """A calendar of `count` events that came in one PUT."""
    port = free_port()
    file = folder / "radicale.conf"
    file.write_text(SETTINGS.format(port=port, folder=folder / "radicale"))
    with running([PEERS, "-m", "radicale", "--config", file], port, quiet=True) as pid:
        load("bench.dav_load", port, "CLEAR", RADICALE, "alice:x", "whole", count)
        yield Peer("Radicale", [pid], {"http": port})


@contextlib.contextmanager
def xandikos(folder: Path, count: int) -> Iterator[Peer]:
    """A calendar of `count` events, committed at once: one PUT each would take an hour."""
    port = free_port()
    files = folder / "xandikos"
    command = [PEERS, "-m", "xandikos", "serve", "--defaults", "--directory", files, "--state-dir", folder / "state"]
    command += ["--listen-address", "127.0.0.1", "--port", str(port)]
    with running(command, port, quiet=True):
        load("bench.dav_load", port, "CLEAR", XANDIKOS, "alice:x", "make", 0)
    place = files / XANDIKOS.strip("/")
    for number in range(count):
        name = str(uuid4())
        (place / f"{name}.ics").write_bytes(calendar(event(name, number)).encode())
    for words in (("add", "."), ("commit", "--quiet", "--message", "events")):
        author = ("-c", "user.name=bench", "-c", "user.email=bench@example.test")
        subprocess.run(["git", "-C", place, *author, *words], check=True)
    with running(command, port, quiet=True) as pid:
        yield Peer("Xandikos", [pid], {"http": port})


def main() -> int:
    if len(sys.argv) > 3:
        print(__doc__)
        return 64
    count, runs = (int(value) for value in (*sys.argv[1:], *("10000", "5")[len(sys.argv) - 1 :]))
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp") as temporary:
        folder = Path(temporary)
        folder.chmod(0o711)
        with (
            organization(folder / "ours", [USER]) as ours,
            radicale(folder, count) as one,
            xandikos(folder, count) as other,
        ):
            mine = partial(_asked, ours, OFFSET + 443, "TLS", OURS, f"{USER}:{PASSWORD}")
            theirs = {
                peer.name: partial(_asked, peer, peer.ports["http"], "CLEAR", place, "alice:x")
                for peer, place in ((one, RADICALE), (other, XANDIKOS))
            }
            mine("make", 0)
            mine("put", count)
            for name, work, many, aim in (
                (f"PROPFIND of {count:,} events", "propfind", 0, 5.0),
                ("sync-collection after one change", "sync", 0, 5.0),
                (f"multiget of {min(count, 1000):,} events", "multiget", 1000, 5.0),
                ("PUT one by one", "put", PUTS, 2.0),
            ):
                peers = {peer: partial(asked, work, many) for peer, asked in theirs.items()}
                figures += beside(name, partial(mine, work, many), peers, aim, runs)
    print(f"load of the machine: {' '.join(f'{each:.1f}' for each in os.getloadavg())}")
    write(figures, ROOT / "bench/results/dav.json")
    chart.draw(figures, ROOT / "docs/bench-dav.svg")
    return 0


def _asked(peer: Peer, port: int, seal: str, place: str, credentials: str, work: str, count: int) -> Sample:
    result = load("bench.dav_load", port, seal, place, credentials, work, count, *peer.roots)
    return Sample.of(result, result["cpu"])


if __name__ == "__main__":
    sys.exit(main())
