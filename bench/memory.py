"""Memory, as proportional set size: the idle organization, and a thousand idle IMAP connections over TLS."""

from __future__ import annotations

import subprocess
import sys

from bench import accounting
from bench.compare import ROOT, Figure, show
from bench.peers import PASSWORD, Peer

CONNECTIONS = 1000


def memory(ours: Peer, dovecot: Peer, user: str) -> list[Figure]:
    idle = [accounting.pss_bytes(peer.roots) for peer in (ours, dovecot)]
    each = [(_held(peer, user) - before) / CONNECTIONS for peer, before in zip((ours, dovecot), idle, strict=True)]
    figures = [
        _figure("memory of the idle organization, MB", idle[0] / 1e6, idle[1] / 1e6),
        _figure("memory of an idle IMAP connection over TLS, KB", each[0] / 1e3, each[1] / 1e3),
    ]
    for figure in figures:
        show(figure)
    return figures


def _held(peer: Peer, user: str) -> int:
    """PSS while CONNECTIONS sessions are in IDLE."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.imap_load", str(peer.ports["imaps"]), user, PASSWORD, "idle", str(CONNECTIONS)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        if not process.stdout.readline():
            raise RuntimeError("the idle connections could not be made")
        return accounting.pss_bytes(peer.roots)
    finally:
        process.stdin.close()
        process.wait(60)


def _figure(name: str, ours: float, peer: float) -> Figure:
    return Figure(name, round(ours, 1), round(peer, 1), "Dovecot", round(ours / peer, 2), 0.0, unit="")
