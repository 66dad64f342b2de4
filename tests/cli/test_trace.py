"""`postern trace` over the tracking files of several processes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from postern.cli.trace import trace
from postern.telemetry.tracking import Tracker, TrackingRecord, TrackingStep


@pytest.fixture(autouse=True)
def nothing_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process has records that it has not written yet."""
    monkeypatch.setattr("postern.cli.trace._BUFFERED", 0)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "tracking"
    folder.mkdir()
    edge, hub = Tracker(folder, "edge-0", "edge1"), Tracker(folder, "hub-0", "hub1")
    hub.record(
        TrackingRecord(
            TrackingStep.DELIVER,
            "<one@x>",
            "q-1",
            "hub-to-mailbox-mapi",
            "mbx1",
            "Kerberos",
            "AES256",
            "s@x",
            ("alice@example.test",),
            "[2.1.5]",
            time=1002.5,
        )
    )
    edge.record(
        TrackingRecord(
            TrackingStep.RECEIVE,
            "<one@x>",
            "e-9",
            "internet-to-hub",
            "192.0.2.1",
            sender="s@x",
            recipients=("Alice@example.test",),
            time=1001.25,
        )
    )
    edge.record(
        TrackingRecord(
            TrackingStep.RECEIVE, "<two@x>", "e-10", sender="s@x", recipients=("bob@example.test",), time=900.0
        )
    )
    edge.record(
        TrackingRecord(
            TrackingStep.RECEIVE, "<kim@x>", "e-12", sender="k@회사.test", recipients=("l@xn--vf4b131b.test",)
        )
    )
    edge.record(
        TrackingRecord(TrackingStep.FAIL, "", "e-11", sender="t@x", recipients=("bob@example.test",), time=950.0)
    )
    for tracker in (edge, hub):
        tracker.flush()
    return tmp_path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(trace, [str(a) for a in arguments], env={"COLUMNS": "220"})


def steps(state: Path, *arguments: str) -> list[tuple[str, str]]:
    result = call("--json", "--state", state, *arguments)
    assert result.exit_code == 0, result.output
    return [(row["message_id"] or row["queue_id"], row["step"]) for row in json.loads(result.output)]


def test_a_message_over_all_roles_in_order(state: Path) -> None:
    for what in ("<one@x>", "one@x", "q-1", "ALICE@example.test"):
        assert steps(state, what) == [("<one@x>", "receive"), ("<one@x>", "deliver")]


def test_an_address_has_many_messages_of_which_the_newest_count(state: Path) -> None:
    assert steps(state, "bob@example.test") == [("<two@x>", "receive"), ("e-11", "fail")]
    assert steps(state, "bob@example.test", "--last", "1") == [("e-11", "fail")]


def test_an_address_is_found_in_either_spelling_of_its_domain(state: Path) -> None:
    for what in ("k@회사.test", "k@xn--vf4b131b.test", "l@회사.test", "L@XN--VF4B131B.test"):
        assert steps(state, what) == [("<kim@x>", "receive")]


def test_the_table_has_the_reference_words(state: Path) -> None:
    text = call("one@x", "--state", state).output
    for word in ("hub-to-mailbox-mapi", "Kerberos", "AES256", "[2.1.5]", "edge1", "hub1", ".250", ".500"):
        assert word in text


def test_what_is_not_there_is_said(state: Path) -> None:
    result = call("nobody@x", "--state", state)
    assert result.exit_code == os.EX_NOUSER
    assert "nobody@x" in result.output
    assert json.loads(call("nobody@x", "--json", "--state", state).output.splitlines()[0]) == []


def test_what_a_process_writes_a_moment_later_is_found(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(_: float) -> None:
        tracker = Tracker(state / "tracking", "hub-1", "hub1")
        tracker.record(TrackingRecord(TrackingStep.FAIL, "<late@x>", "q-9", sender="s@x", recipients=("b@x",)))
        tracker.flush()

    monkeypatch.setattr("postern.cli.trace.time.sleep", wait)
    assert steps(state, "<late@x>") == [("<late@x>", "fail")]


def test_foreign_text_is_shown_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "tracking"
    folder.mkdir()
    tracker = Tracker(folder, "hub-0", "hub1")
    hostile = "<\x1b]0;owned\x07\x9b2J\u202e@x>"
    tracker.record(
        TrackingRecord(
            TrackingStep.FAIL, hostile, "q", peer=hostile, sender=hostile, recipients=(hostile,), outcome=hostile
        )
    )
    tracker.flush()
    text = CliRunner().invoke(trace, ["q", "--state", str(tmp_path)], env={"COLUMNS": "80"}).output
    assert text.count(r"\x1b]0;owned\x07\x9b2J\u202e@x") == 5
    for columns in ("80", "220"):
        for more in ([], ["--json"]):
            text = CliRunner().invoke(trace, ["q", "--state", str(tmp_path), *more], env={"COLUMNS": columns}).output
            assert not set("\x1b\x07\x9b\u202e") & set(text)
    assert steps(tmp_path, "q") == [(hostile, "fail")]


def test_what_was_refused_is_found_by_sender_recipient_and_caller(state: Path) -> None:
    tracker = Tracker(state / "tracking", "hub-1", "hub1")
    for number in range(2):
        tracker.record(
            TrackingRecord(
                *(
                    TrackingStep.REFUSE,
                    "",
                    "",
                    "internet-to-hub",
                    "198.51.100.7",
                    "",
                    "",
                    "spam@x",
                    ("nobody@example.test",),
                ),
                outcome="550 5.1.1 No such recipient here",
                time=3000.0 + number,
            )
        )
    tracker.flush()
    for what in ("spam@x", "nobody@example.test", "198.51.100.7"):
        result = call(what, "--state", state)
        assert result.exit_code == 0, result.output
        assert result.output.count("refused, from spam@x") == 2, "each is one of its own"
        assert "550 5.1.1 No such recipient here" in result.output
    assert "one@x" not in call("192.0.2.1", "--state", state).output, "an address finds refusals alone"


def test_a_narrow_terminal_sets_the_rest_of_an_outcome_below_its_beginning(tmp_path: Path) -> None:
    folder = tmp_path / "tracking"
    folder.mkdir()
    tracker = Tracker(folder, "hub-0", "hub1")
    tracker.record(
        TrackingRecord(
            *(TrackingStep.FAIL, "<m@x>", "q-1", "hub-to-internet"),
            outcome="5.1.2 The domain nowhere.invalid does not exist, says its name server",
            time=1000.0,
        )
    )
    tracker.record(TrackingRecord(TrackingStep.DSN, "<m@x>", "q-1", outcome="failed <r@x>", time=1001.0))
    tracker.record(
        TrackingRecord(
            *(TrackingStep.FAIL, "<m@x>", "q-1", "mailbox-to-hub-submission"),
            outcome="5.3.4 The message is larger than what the hub takes",
            time=1002.0,
        )
    )
    tracker.flush()
    lines = CliRunner().invoke(trace, ["q-1", "--state", str(tmp_path)], env={"COLUMNS": "80"}).output.splitlines()
    (first,) = (number for number, line in enumerate(lines) if "hub-to-internet" in line)
    outcome = lines[first].index("5.1.2")
    assert lines[first + 1].startswith(" " * outcome) and lines[first + 1][outcome] != " "
    assert "    5.3.4 The message is larger than what the hub takes" in lines, "too little room beside a long path"
    assert any(line.split()[1:3] == ["dsn", "-"] for line in lines), "a step without a path has a dash"


def test_no_message_is_not_a_number_of_messages(state: Path) -> None:
    assert call("one@x", "--last", "0", "--state", state).exit_code == 2


@pytest.mark.parametrize(
    ("what", "hint"),
    [
        ("nobody@x", "`postern queue list` shows what has not been tried"),
        ("frobnicate", "name a whole address, a Message-ID, an IP address, or a queue id of `postern queue list`"),
        ("203.0.113.9", "nothing was refused to 203.0.113.9: `postern trace ADDRESS`"),
    ],
)
def test_the_hint_suits_what_was_asked_for(state: Path, what: str, hint: str) -> None:
    assert hint in call(what, "--state", state).output
