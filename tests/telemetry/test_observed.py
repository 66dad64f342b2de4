"""Observations: counted per path, peer, mechanism and seal, summed over processes, bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from postern.model.security import Seal
from postern.telemetry import observed
from postern.telemetry.observed import Observed, read

TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")


def test_processes_are_summed(tmp_path: Path) -> None:
    one, other = Observed(tmp_path / "hub.0.jsonl"), Observed(tmp_path / "hub.1.jsonl")
    one.seen("imap4", "192.0.2.1", "Basic", TLS, 10.0)
    one.seen("imap4", "192.0.2.1", "Basic", TLS, 11.0)
    one.seen("internet-to-hub", "192.0.2.1", "Anonymous", None, 12.0)
    other.seen("imap4", "192.0.2.1", "Basic", TLS, 9.0)
    one.flush()
    other.flush()
    imap, internet = read(tmp_path)
    assert (imap.path, imap.count, imap.last_seen, imap.seal, imap.cipher) == ("imap4", 3, 11.0, "TLSv1.3", TLS.cipher)
    assert (internet.count, internet.seal, internet.cipher) == (1, "none", "")


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    counts = Observed(tmp_path / "hub.0.jsonl")
    counts.flush()
    assert list(tmp_path.iterdir()) == []
    counts.seen("pop3", "a", "Basic", TLS, 1.0)
    counts.flush()
    (tmp_path / "hub.0.jsonl").unlink()
    counts.flush()
    assert list(tmp_path.iterdir()) == []


def test_strangers_cannot_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observed, "MAX_KEYS", 3)
    counts = Observed(tmp_path / "hub.0.jsonl")
    for number in range(10):
        counts.seen("internet-to-hub", f"192.0.2.{number}", "Anonymous", None, float(number))
    counts.flush()
    found = {one.peer: one.count for one in read(tmp_path)}
    assert found == {"192.0.2.0": 1, "192.0.2.1": 1, "192.0.2.2": 1, "others": 7}
