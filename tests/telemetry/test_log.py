"""Events: one JSON object a line, with its process and level; no secret ever."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from postern.telemetry import rotation
from postern.telemetry.log import Event, configure, log


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "hub.0.jsonl"
    configure("hub.0", file)
    yield file
    configure("tests", None, "critical")


def test_a_line_says_what_where_and_how_bad(file: Path) -> None:
    log(Event.REFUSED, path="imap4", peer="192.0.2.1", words="암호화가 필요합니다")
    (line,) = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "refused",
        "level": "warning",
        "process": "hub.0",
        "path": "imap4",
        "peer": "192.0.2.1",
        "words": "암호화가 필요합니다",
    }


def test_a_line_has_its_time_its_traceback_and_what_json_does_not_know(file: Path) -> None:
    configure("hub.1", file)
    before = datetime.datetime.now(datetime.UTC)
    try:
        raise ValueError("회사")
    except ValueError as error:
        log(Event.HTTP_FAILED, path="caldav", error=repr(error), exc_info=error, odd=b"\x1b", kind=Event.DIED)
    (line,) = file.read_text(encoding="ascii").splitlines()
    written = json.loads(line)
    assert before <= datetime.datetime.fromisoformat(written["timestamp"]) <= datetime.datetime.now(datetime.UTC)
    assert written["timestamp"].endswith("Z") and len(written["timestamp"]) == 27
    assert written["exception"].startswith("Traceback") and "ValueError: 회사" in written["exception"]
    assert "exc_info" not in written and (written["odd"], written["kind"]) == ("b'\\x1b'", "died")
    assert (written["process"], written["level"], written["event"]) == ("hub.1", "error", "http-failed")


def test_another_logger_takes_the_place_of_ours(file: Path) -> None:
    configure("hub.1", file)
    with capture_logs() as lines:
        log(Event.DIED, child="x")
    assert [line["event"] for line in lines] == ["died"] and not file.read_text()
    log(Event.DIED, child="y")
    assert json.loads(file.read_text())["child"] == "y"


@pytest.mark.parametrize("name", ["password", "secret", "token", "verifier", "key", "authorization"])
def test_secrets_are_a_defect(file: Path, name: str) -> None:
    with pytest.raises(ValueError, match="never reach logs") as raised:
        log(Event.AUTHENTICATED, **{name: "hunter2"})
    assert "hunter2" not in str(raised.value)
    assert file.read_text() == ""


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation.RotatingFile.__init__, "__defaults__", (2000, 2))
    file = tmp_path / "hub.1.jsonl"
    configure("hub.1", file)
    try:
        for number in range(200):
            log(Event.DEFERRED, number=number)
    finally:
        configure("tests", None, "critical")
    files = [file, tmp_path / "hub.1.jsonl.1", tmp_path / "hub.1.jsonl.2"]
    assert sorted(tmp_path.iterdir()) == files
    assert all(one.stat().st_size <= 2000 for one in files)
    assert json.loads(file.read_text().splitlines()[-1])["number"] == 199


def test_a_log_that_cannot_be_opened_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hub.jsonl").mkdir()
    configure("hub.0", tmp_path / "hub.jsonl")
    log(Event.STARTED, role="hub.0")
    configure("test", None)
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["event"], first["file"]) == ("log-unwritable", str(tmp_path / "hub.jsonl"))
    assert (second["event"], second["process"]) == ("started", "hub.0")


def test_a_log_goes_on_where_no_new_file_can_be_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = rotation.RotatingFile(tmp_path / "log", size=10)
    out.write("a long line\n")

    def refused(*_: object) -> int:
        raise PermissionError

    with monkeypatch.context() as closed:
        closed.setattr(rotation, "_owners_only", refused)
        with pytest.raises(PermissionError):
            out.write("lost\n")
        with pytest.raises(PermissionError):
            out.write("lost\n")
    out.write("goes on\n")
    assert (tmp_path / "log").read_text() == "goes on\n"


def test_a_level_that_is_not_wanted_is_not_written(tmp_path: Path) -> None:
    configure("verify", tmp_path / "log", "critical")
    try:
        log(Event.DEFERRED, path="hub-to-internet")
        log(Event.ROGUE_SOCKET, port=1)
    finally:
        configure("tests", None, "critical")
    assert [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()] == ["rogue-socket"]


def test_every_event_has_a_level_and_a_sentence() -> None:
    for event in Event:
        assert event.level in ("info", "warning", "error", "critical")
        assert event.sentence.endswith(".")


def test_a_file_that_is_looked_at_sends_a_terminal_nothing(file: Path) -> None:
    log(Event.REFUSED, words="\x9b\u202e\x1b[2J\ud800")
    assert file.read_text().isascii() and "\x1b" not in file.read_text()
    assert json.loads(file.read_text())["words"] == "\x9b\u202e\x1b[2J\ud800"
