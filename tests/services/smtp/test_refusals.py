"""What is refused is written down, and a flood of it does not fill the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.model.security import Peer
from postern.paths.guard import Offer
from postern.paths.table import TABLE
from postern.protocols.smtp.reply import Reply
from postern.services.smtp.refusals import BURST, PER_PEER, Refusals
from postern.services.smtp.session import Session
from postern.telemetry.log import configure
from postern.telemetry.metrics import Metrics
from postern.telemetry.tracking import Tracker, TrackingRecord, TrackingStep, read
from tests.support.counts import refusals

NO = Reply(550, "5.1.1", "No such recipient here")


class Written:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.now = 1000.0
        self.tracker = Tracker(folder, "hub.0", "hub1")
        self.refusals = Refusals(self.tracker, lambda: self.now)

    def refuse(self, host: str, times: int = 1, sender: str = "s@x", recipient: str = "nobody@good.test") -> None:
        row = TABLE["internet-to-hub"]
        session = Session(Peer(host, 1), None, row, Offer(False, (), False), row.id, "helo")
        for _ in range(times):
            self.refusals.record(session, NO, sender, (recipient,))

    def tracked(self) -> list[TrackingRecord]:
        self.tracker.flush()
        return list(read(self._folder))

    def logged(self, event: str) -> list[dict[str, object]]:
        rows = map(json.loads, (self._folder / "log").read_text().splitlines())
        return [row for row in rows if row["event"] == event]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    configure("hub.0", tmp_path / "log")
    yield Written(tmp_path)
    configure("tests", None, "critical")


def test_a_refusal_stands_in_log_and_tracking_log(written: Written) -> None:
    written.refuse("192.0.2.1")
    (step,) = written.tracked()
    assert (step.step, step.peer, step.sender, step.recipients) == (
        TrackingStep.REFUSE,
        "192.0.2.1",
        "s@x",
        ("nobody@good.test",),
    )
    assert step.outcome == "550 5.1.1 No such recipient here"
    (row,) = written.logged("mail-refused")
    assert (row["peer"], row["sender"], row["recipients"]) == ("192.0.2.1", "s@x", ["nobody@good.test"])


def test_one_address_fills_nothing_and_others_are_still_written(written: Written, counted: Metrics) -> None:
    written.refuse("192.0.2.1", PER_PEER * 3)
    written.refuse("192.0.2.2")
    assert len(written.tracked()) == PER_PEER + 1
    assert len(written.logged("mail-refused")) == PER_PEER + 1
    every = PER_PEER * 3 + 1
    assert refusals(counted) == {("internet-to-hub", "5.1.1"): every}, "each is counted"
    assert written.logged("refusals-omitted"), "that something is left out is told"
    written.now += 3601
    written.refuse("192.0.2.1")
    assert len(written.tracked()) == PER_PEER + 2


def test_what_a_path_does_not_allow_is_written_within_the_same_bounds(written: Written) -> None:
    for _ in range(PER_PEER):
        written.refusals.turned_away("client-to-hub-smtp", "192.0.2.1", "encryption-required")
    written.refuse("192.0.2.1", 5)
    written.refusals.turned_away("client-to-hub-smtp", "192.0.2.1", "encryption-required")
    assert len(written.logged("refused")) == PER_PEER and not written.logged("mail-refused")
    assert written.logged("refusals-omitted")


def test_many_addresses_fill_nothing_either(written: Written) -> None:
    for number in range(BURST + 500):
        written.refuse(f"2001:db8::{number:x}")
    assert len(written.tracked()) == BURST
    assert len(written.logged("refusals-omitted")) == 1, "at most one a minute"
    written.now += 61
    written.refuse("2001:db8::1")
    assert len(written.tracked()) == BURST + 1


def test_what_is_written_of_one_is_bounded(written: Written) -> None:
    written.refuse("192.0.2.1", sender="s" * 100_000, recipient="r" * 100_000)
    (step,) = written.tracked()
    assert len(step.sender) <= 320 and len(step.recipients[0]) <= 320
