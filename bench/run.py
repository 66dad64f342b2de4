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
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        certificate = _certificate(folder)
        dovecot = stack.enter_context(peers.dovecot(folder / "dovecot", certificate, USERS))
        discard = stack.enter_context(peers.postfix(folder / "postfix", certificate, "discard"))
        lmtp = stack.enter_context(
            peers.postfix(folder / "postfix-lmtp", certificate, str(folder / "dovecot/run/lmtp"))
        )
        mine = stack.enter_context(ours.organization(folder / "postern", USERS))
        if "memory" in groups:
            figures += memory.memory(mine, dovecot, USERS[0])
        if "intake" in groups:
            figures += intake.intake(mine, discard)
        if "readable" in groups:
            figures += intake.readable(mine, lmtp, dovecot)
        if "imap" in groups:
            figures += imap.imap(mine, dovecot, 10_000, USERS[1])
        if "large" in groups:
            figures += imap.imap(mine, dovecot, 100_000, USERS[2])
    if set(groups) == set(GROUPS):
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
