"""Processes of a parallel run choose from different ports, and one process chooses no port twice."""

from __future__ import annotations

import pytest

from tests.support import ports


def _of(worker: int, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", f"gw{worker}")
    offsets = ports.share(ports._OFFSETS, 1000)
    return {*ports.share(ports._PORTS), *(door + shift for shift in offsets for door in ports.DOORS)}


def test_processes_choose_from_ports_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "4")
    shares = [_of(worker, monkeypatch) for worker in range(4)]
    assert sum(map(len, shares)) == len(set().union(*shares)), "two may choose the same"


def test_no_port_is_chosen_twice() -> None:
    assert len({ports.free_port() for _ in range(200)}) == 200
