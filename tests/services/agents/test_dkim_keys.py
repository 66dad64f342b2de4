"""DKIM keys on disk: made, used, rotated, removed; and nobody else may read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from postern.services.agents.dkim_keys import DkimKeyError, KeyRing


def test_the_life_of_a_key(tmp_path: Path) -> None:
    ring, worker = KeyRing(tmp_path), KeyRing(tmp_path)
    assert worker.signing() == {} and ring.domains() == []
    made = ring.make("corp.test", "s1")
    assert worker.signing() == {}, "what is not in use does not sign"
    ring.use("corp.test", ["s1"])
    [key] = worker.signing()["corp.test"]
    assert key.record == made.record and worker.signing() is worker.signing()
    ring.make("corp.test", "s2", ed25519=True)
    ring.use("corp.test", ["s2"])
    assert [one.selector for one in worker.signing()["corp.test"]] == ["s2"]
    ring.remove("corp.test", "s1")
    assert ring.selectors("corp.test") == ["s2"]
    ring.use("corp.test", [])
    assert worker.signing()["corp.test"] == []


def test_modes(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    ring.make("corp.test", "s1")
    ring.use("corp.test", ["s1"])
    for path in (tmp_path / "dkim").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    ring.make("corp.test", "s1")
    ring.use("corp.test", ["s1"])
    for work in (
        lambda: ring.make("corp.test", "s1"),
        lambda: ring.make("corp.test", "../../etc"),
        lambda: ring.use("corp.test", ["s9"]),
        lambda: ring.remove("corp.test", "s1"),
        lambda: ring.remove("corp.test", "s9"),
    ):
        with pytest.raises(DkimKeyError):
            work()


def test_a_key_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    ring.make("corp.test", "s1")
    ring.use("corp.test", ["s1"])
    (tmp_path / "dkim/corp.test/s1.pem").write_bytes(b"no key")
    with pytest.raises(ValueError):
        KeyRing(tmp_path).signing()
