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


def test_a_restart_goes_on_counting(tmp_path: Path) -> None:
    file = tmp_path / "hub.0.jsonl"
    for start in (10.0, 20.0):
        counts = Observed(file)
        counts.seen("imap4", "192.0.2.1", "Basic", TLS, start)
        counts.flush()
    (one,) = read(tmp_path)
    assert (one.count, one.first_seen, one.last_seen) == (2, 10.0, 20.0)


def test_a_peer_that_comes_after_a_restart_leaves_the_former_ones(tmp_path: Path) -> None:
    file = tmp_path / "hub.0.jsonl"
    for number in range(2):
        counts = Observed(file)
        counts.seen("imap4", f"192.0.2.{number}", "Basic", TLS, 10.0 + number)
        counts.flush()
    assert [one.peer for one in read(tmp_path)] == ["192.0.2.0", "192.0.2.1"]


def test_observations_are_kept_for_thirty_days(tmp_path: Path) -> None:
    counts = Observed(tmp_path / "hub.0.jsonl")
    counts.seen("pop3", "old", "Basic", TLS, 0.0)
    counts.seen("pop3", "kept", "Basic", TLS, 2.0)
    counts.seen("pop3", "new", "Basic", TLS, 30 * 86_400 + 1.0)
    counts.flush()
    assert [one.peer for one in read(tmp_path)] == ["kept", "new"]
    assert [one.peer for one in read(tmp_path, since=3.0)] == ["new"]


def test_what_is_remembered_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observed, "MAX_KEYS", 3)
    for start in range(3):
        counts = Observed(tmp_path / "hub.0.jsonl")
        for number in range(3):
            counts.seen("internet-to-hub", f"192.0.2.{start}{number}", "Anonymous", None, float(start))
        counts.flush()
    assert sorted(one.peer for one in read(tmp_path)) == ["192.0.2.00", "192.0.2.01", "192.0.2.02", "others"]
    assert sum(one.count for one in read(tmp_path)) == 9


def test_a_damaged_line_costs_only_itself(tmp_path: Path) -> None:
    file = tmp_path / "hub.0.jsonl"
    former = '["pop3", "a", "Basic", "none", "", 4, 7.0]'  # without a first time, as an earlier version wrote it
    damaged = ("{", '["pop3"]', '["pop3", "b", "Basic", "none", "", null, 1.0]', "[" * 50_000)
    file.write_text("\n".join((*damaged, former)) + "\n", encoding="utf-8")
    counts = Observed(file)
    counts.seen("pop3", "a", "Basic", None, 9.0)
    counts.flush()
    (one,) = read(tmp_path)
    assert (one.peer, one.count, one.first_seen, one.last_seen) == ("a", 5, 7.0, 9.0)
