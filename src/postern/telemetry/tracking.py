"""Message tracking: one line for each step of each message, across roles, which `postern trace` puts together again.

JSON lines are appended to one file a process and day in the state folder's `tracking`, which is kept for KEPT_DAYS. Lines are
buffered, so that a crash may lose some, but no message: the queue holds the messages.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, NamedTuple, cast

from postern.telemetry.metrics import Metric, count

KEPT_DAYS = 30


class TrackingStep(StrEnum):
    RECEIVE = "receive"
    SUBMIT = "submit"
    EXPAND = "expand"
    DELIVER = "deliver"
    SEND = "send"
    DEFER = "defer"
    FAIL = "fail"
    DSN = "dsn"
    REFUSE = "refuse"
    """Mail that was refused, which has no queue id and often no Message-ID."""


_STEPS = {step.value: step for step in TrackingStep}


class TrackingRecord(NamedTuple):
    """One step of one message. `path` is a row's id; `peer`, `mechanism` and `cipher` are those that the connection really had.
    `time` is in seconds since the epoch; 0 stands for the moment of recording."""

    step: TrackingStep | str
    """A TrackingStep, or a word that another version wrote."""
    message_id: str
    queue_id: str = ""
    path: str = ""
    peer: str = ""
    mechanism: str = ""
    cipher: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    outcome: str = ""
    server: str = ""
    time: float = 0.0


# json.dumps of a dictionary would cost a quarter of what it costs to take the message by SMTP.
_NAMES = frozenset(TrackingRecord._fields)
_TEXTS = tuple(f'"{name}": ' for name in TrackingRecord._fields[: TrackingRecord._fields.index("recipients")])
_quote = json.encoder.encode_basestring_ascii  # so that a file shown on a terminal sends it no control characters


def _line(record: TrackingRecord, server: str) -> str:
    """Writes a record as one JSON object, without its empty fields."""
    texts = cast(tuple[str, ...], record)
    parts = [name + _quote(text) for name, text in zip(_TEXTS, texts, strict=False) if text]
    if record.outcome:
        parts.append(f'"outcome": {_quote(record.outcome)}')
    parts.append(f'"server": {_quote(record.server or server)}, "time": {record.time or time.time()!r}')
    parts.append(f'"recipients": [{", ".join(map(_quote, record.recipients))}]')
    return "{" + ", ".join(parts) + "}"


class Tracker:
    """Writes records. The process's timer calls `flush` every second; `record` does not touch the disk."""

    def __init__(self, folder: Path | None, process: str, server: str = "") -> None:
        self._folder = folder
        self._process = process
        self._server = server
        self._lines: list[str] = []
        self._day = ""
        self._out: IO[str] | None = None

    def record(self, record: TrackingRecord) -> None:
        count(Metric.MESSAGES, record.path, record.step)
        if self._folder is not None:
            self._lines.append(_line(record, self._server))

    def flush(self) -> None:
        if not self._lines or self._folder is None:
            return
        day = time.strftime("%Y-%m-%d", time.gmtime())
        if day != self._day or self._out is None:
            if self._out is not None:
                self._out.close()
                self._out = None  # so that a disk that takes no new file now is asked again
            self._day = day
            remove_old(self._folder, time.time())
            self._out = open(self._folder / f"{day}.{self._process}.jsonl", "a", encoding="utf-8")  # noqa: SIM115 (as long as the day lasts)
        lines, self._lines = self._lines, []
        self._out.write("\n".join(lines) + "\n")
        self._out.flush()


def remove_old(folder: Path, now: float) -> None:
    """Removes all processes' files of days more than KEPT_DAYS before `now` (epoch seconds): workers that are no longer started
    leave some. Each process calls this at its first record of a day, so another may have removed them already."""
    first = time.strftime("%Y-%m-%d", time.gmtime(now - KEPT_DAYS * 86_400))
    for file in folder.glob("????-??-??.*.jsonl"):
        if file.name[:10] < first:
            with contextlib.suppress(OSError):
                file.unlink()


def read(folder: Path) -> Iterator[TrackingRecord]:
    """Yields the records of all processes, in no order. Damaged lines are passed over, and so are fields that this version does
    not know. A step that it does not know is kept as it is written.

    Bound: one line at a time.
    """
    for file in sorted(folder.glob("*.jsonl")):
        with open(file, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if not isinstance(row, dict) or not isinstance(row.get("step"), str):
                    continue
                row["step"] = _STEPS.get(row["step"], row["step"])
                row.setdefault("message_id", "")
                with contextlib.suppress(TypeError):
                    row["recipients"] = tuple(row.get("recipients", ()))
                    yield TrackingRecord(**{name: value for name, value in row.items() if name in _NAMES})
