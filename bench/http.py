"""The HTTP door beside uvicorn, in turn, medians of RUNS: `python -m bench.http [RUNS]`, after `scripts/setup bench`.

One process each, the same application, the same client. uvicorn knows no caller, no row, no limits of time and no fields that
protect browsers: its cost is what HTTP itself takes. Prints requests a second, CPU-seconds per 1,000, and the memory of an idle
connection over TLS; all of it stands in bench/results/http.json.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trustme

from bench import accounting
from bench.compare import PEERS, ROOT, Figure, Sample, compare, load, sample, show, write
from bench.peers import PASSWORD, Peer, free_port, running

COUNT = 10_000
IDLE = 1000


@contextlib.contextmanager
def served(python: str | Path, server: str, folder: Path, certificate: tuple[str, str]) -> Iterator[Peer]:
    port = free_port()
    folder.mkdir(exist_ok=True)
    command = [python, "-m", "bench.http_serve", server, str(port), *certificate, folder]
    with running(command, port, ROOT) as pid:
        yield Peer(server, [pid], {"http": port})


def main() -> int:
    if len(sys.argv) > 2:
        print(__doc__)
        return 64
    runs = int(sys.argv[1]) if len(sys.argv) == 2 else 5
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp") as temporary:
        folder = Path(temporary)
        issued = trustme.CA().issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
        chain, key = folder / "chain.pem", folder / "key.pem"
        issued.private_key_pem.write_to_path(str(key))
        issued.cert_chain_pems[0].write_to_path(str(chain))
        for seal, certificate in (("CLEAR", ("", "")), ("TLS", (str(chain), str(key)))):
            with (
                served(sys.executable, "ours", folder / "ours", certificate) as ours,
                served(PEERS, "uvicorn", folder / "uvicorn", certificate) as uvicorn,
            ):
                ways: tuple[tuple[str, str, tuple[str, ...]], ...] = (("anonymous", "/", ()),)
                if seal == "TLS":
                    figures.append(_memory(ours, uvicorn))
                    show(figures[-1])
                    ways += (("Basic", "/private/", (f"alice:{PASSWORD}",)),)
                for name, path, credentials in ways:
                    asked = partial(_asked, path, seal, credentials)
                    title = f"a page, 20 connections, {seal}, {name}"
                    mine, theirs = partial(asked, ours), partial(asked, uvicorn)
                    figures.append(compare(title, mine, theirs, "uvicorn", runs=runs))
    write(figures, ROOT / "bench/results/http.json")
    return 0


def _asked(path: str, seal: str, credentials: tuple[str, ...], peer: Peer) -> Sample:
    return sample(peer.roots, lambda: load("bench.http_load", peer.ports["http"], path, 20, COUNT, seal, *credentials))


def _memory(ours: Peer, uvicorn: Peer) -> Figure:
    each = []
    for peer in (ours, uvicorn):
        before = accounting.pss_bytes(peer.roots)
        command = [sys.executable, "-m", "bench.http_load", str(peer.ports["http"]), "/", str(IDLE), "0", "TLS"]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None and process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError("the idle connections could not be made")
        each.append((accounting.pss_bytes(peer.roots) - before) / IDLE / 1000)
        process.stdin.close()
        process.wait(60)
    name = "memory of an idle HTTP connection over TLS, KB"
    return Figure(name, round(each[0], 1), round(each[1], 1), "uvicorn", round(each[0] / each[1], 2), 0.0, unit="")


if __name__ == "__main__":
    raise SystemExit(main())
