"""`make bench`: everything in one run, ours beside the peers, medians of five; results in bench/results, a chart in docs.

    python -m bench.run [intake readable imap large memory]

Needs root, for Debian's Postfix and Dovecot do.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import trustme

from bench import chart, compare, imap, intake, memory, ours, peers

GROUPS = ("intake", "readable", "imap", "large", "memory")
USERS = ["alice@example.test", "bob@example.test", "carol@example.test"]


def main() -> int:
    groups = sys.argv[1:] or list(GROUPS)
    if unknown := set(groups) - set(GROUPS):
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
        return 2
    if os.geteuid() != 0:
        print("The peers (Postfix, Dovecot) need root: run `sudo make bench`.")
        return 2
    figures: list[compare.Figure] = []
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        folder.chmod(0o755)
        certificate = _certificate(folder)
        dovecot = stack.enter_context(peers.dovecot(folder / "dovecot", certificate, USERS))
        discard = stack.enter_context(peers.postfix(folder / "postfix", certificate, "discard"))
        lmtp = stack.enter_context(
            peers.postfix(folder / "postfix-lmtp", certificate, str(folder / "dovecot/run/lmtp"))
        )
        mine = stack.enter_context(ours.organization(folder / "postern", USERS))
        measures = {
            "memory": lambda: memory.memory(mine, dovecot, USERS[0]),
            "intake": lambda: intake.intake(mine, discard),
            "readable": lambda: intake.readable(mine, lmtp, dovecot),
            "imap": lambda: imap.imap(mine, dovecot, 10_000, USERS[1]),
            "large": lambda: imap.imap(mine, dovecot, 100_000, USERS[2]),
        }
        for name, measure in measures.items():
            if name not in groups:
                continue
            figures += measure()
            if set(groups) == set(GROUPS):  # written as it goes: a run that is broken off leaves what it has
                compare.write(figures, compare.ROOT / "bench/results/latest.json")
                chart.draw(figures, compare.ROOT / "docs/bench.svg")
    return 0


def _certificate(folder: Path) -> tuple[Path, Path]:
    issued = trustme.CA().issue_cert("peer.example.test", "localhost", "127.0.0.1")
    chain, key = folder / "chain.pem", folder / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    for part in issued.cert_chain_pems:
        part.write_to_path(str(chain), append=True)
    return chain, key


if __name__ == "__main__":
    raise SystemExit(main())
