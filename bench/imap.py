"""IMAP operations on 10,000 and 100,000 messages, against Dovecot's mdbox."""

from __future__ import annotations

from bench.compare import Figure, Sample, compare, load, sample
from bench.corpus import seed
from bench.peers import PASSWORD, Peer

OPERATIONS = (
    # name, operation, count on 10,000, count on 100,000 (0: not measured there), aim
    ("LOGIN+SELECT", "login-select", 100, 30, 1.0),
    ("FETCH envelopes", "envelopes", 10_000, 100_000, 3.0),
    ("FETCH bodies, all", "bodies", 10_000, 0, 1.0),
    ("FETCH bodies, one by one", "body-each", 2000, 1000, 1.0),
    ("STORE, one by one", "store-each", 2000, 1000, 1.0),
    ("APPEND, one by one", "append-each", 300, 300, 1.0),
    ("SEARCH SUBJECT", "search-subject", 20, 3, 1.0),
    ("SEARCH TEXT, Korean", "search-text", 5, 1, 1.0),
)


def imap(ours: Peer, dovecot: Peer, total: int, user: str) -> list[Figure]:
    for peer in (ours, dovecot):
        seed(peer.ports["imaps"], user, PASSWORD, "INBOX", total)
        seed(peer.ports["imaps"], user, PASSWORD, "Appended", 0)
    figures = []
    for name, operation, small, large, aim in OPERATIONS:
        count = small if total == 10_000 else large
        if not count:
            continue

        def run(peer: Peer, operation: str = operation, count: int = count) -> Sample:
            arguments = (peer.ports["imaps"], user, PASSWORD, operation, count)
            extra = ("--folder", "Appended") if operation == "append-each" else ()
            return sample(peer.roots, lambda: load("bench.imap_load", *arguments, *extra))

        figures.append(compare(f"{name}, {total:,}", lambda: run(ours), lambda: run(dovecot), "Dovecot", aim))
    return figures
