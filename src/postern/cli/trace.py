"""`postern trace` shows what happened to a message, or to an address's mail, step by step and across roles.

It reads the tracking files of the state folder. Processes write them every second, so it looks a second time for a message that
is not there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

import click
from rich.padding import Padding
from rich.table import Table

from postern.cli.console import Console, Text
from postern.cli.failures import Failure
from postern.cli.state_folder import existing, state_option
from postern.cli.terminal import echo_json, json_moment, json_option, moment, print_table
from postern.model.domains import fold
from postern.telemetry import tracking
from postern.telemetry.tracking import TrackingRecord, TrackingStep

MAX_MESSAGES = 100
WIDE = 150
"""Columns of a terminal in which a step fits on one line; a narrower one gets two lines a step."""
_COLUMN = 24
"""Columns that an outcome needs beside a step; where there are fewer it stands below."""
_BUFFERED = 1.2
"""Seconds after which every process has written its records."""


@click.command("trace")
@click.argument("what", metavar="MESSAGE-ID|QUEUE-ID|ADDRESS|IP")
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=MAX_MESSAGES,
    metavar="N",
    help="Show only so many messages, the newest.",
    show_default=True,
)
@state_option
@json_option
def trace(what: str, last: int, state_dir: str | None, as_json: bool) -> None:
    """Show every step of a message: time, step, path, peer, mechanism, cipher, outcome; and what was refused.

    For example `postern trace bob@example.test --last 5`.

    An IP address shows what was refused to callers with that address.
    """
    folder = existing(state_dir).tracking
    # The files are read twice, for they may be larger than memory: first which messages match, then their steps.
    messages = newest_messages(tracking.read(folder), what, last)
    if not messages:
        time.sleep(_BUFFERED)
        messages = newest_messages(tracking.read(folder), what, last)
    steps = [record for record in tracking.read(folder) if _key(record) in messages]
    steps.sort(key=lambda record: record.time)
    if as_json:
        echo_json([record._asdict() | {"time": json_moment(record.time)} for record in steps])
    elif steps:
        _print(steps)
    if not steps:
        raise _nothing_of(what)


def _nothing_of(what: str) -> Failure:
    """The failure for what no step is about. What can be done next depends on what was asked for."""
    from postern.paths.places import is_address  # slow to import, and most traces find something

    if is_address(what):
        return Failure(
            f"nothing was refused to {what}: `postern trace ADDRESS` with a sender or recipient shows their messages",
            os.EX_NOUSER,
        )
    hint = (
        "`postern queue list` shows what has not been tried"
        if "@" in what
        else "name a whole address, a Message-ID, an IP address, or a queue id of `postern queue list`"
    )
    return Failure(f"no message of {what} is in the tracking log: {hint}", os.EX_NOUSER)


def matches(record: TrackingRecord, what: str) -> bool:
    """Whether a record is about `what`: a Message-ID with or without its brackets, a queue id, an address in any case, or the IP
    address of a caller who was refused."""
    if record.step == TrackingStep.REFUSE and what == record.peer:
        return True
    if what.strip("<>") in (record.message_id.strip("<>"), record.queue_id):
        return True
    address = fold(what)
    return address == fold(record.sender) or any(address == fold(recipient) for recipient in record.recipients)


def newest_messages(records: Iterable[TrackingRecord], what: str, last: int) -> set[str]:
    """Returns the keys of the `last` messages that match and were seen most recently."""
    seen: dict[str, float] = {}
    for record in records:
        if matches(record, what):
            key = _key(record)
            seen[key] = max(seen.get(key, 0.0), record.time)
    return set(sorted(seen, key=lambda key: seen[key])[-last:])


def _key(record: TrackingRecord) -> str:
    """Returns what identifies a message from role to role: its Message-ID, else its queue id. A refusal may have neither."""
    return record.message_id or record.queue_id or f"{record.step} {record.server} {record.time}"


def _print(steps: list[TrackingRecord]) -> None:
    console = Console()
    by_message: dict[str, list[TrackingRecord]] = {}
    for record in steps:
        by_message.setdefault(_key(record), []).append(record)
    for key, records in by_message.items():
        sender = next((record.sender for record in records if record.sender), "<>")
        named = any(record.message_id or record.queue_id for record in records)
        refused = any(record.step == TrackingStep.REFUSE for record in records)
        name = key if named else "refused," if refused else "no message"
        console.print(Text(name, style="bold").append(f" from {sender}", "not bold"), overflow="fold")
        if console.width >= WIDE:
            _print_wide(records)
        else:
            _print_narrow(console, records)


def _moment(record: TrackingRecord) -> str:
    return moment(record.time, 3)


def _print_wide(records: list[TrackingRecord]) -> None:
    rows = [
        (
            *(_moment(record), str(record.step), record.server, record.path or "-", record.peer, record.mechanism),
            *(record.cipher, ", ".join(record.recipients), record.outcome),
        )
        for record in records
    ]
    columns = ("time", "step", "server", "path", "peer", "mechanism", "cipher", "recipients", "outcome")
    print_table(columns, rows, "")


def _print_narrow(console: Console, records: list[TrackingRecord]) -> None:
    for record in records:
        # Steps of the organization's own, such as a report or a drop by an administrator, have no path.
        beginning = Text(f"{_moment(record)}  {record.step:<8} {record.path or '-'}")
        outcome = Text(record.outcome, overflow="fold")
        room = console.width - beginning.cell_len - 2
        if room >= min(outcome.cell_len, _COLUMN):
            line = Table.grid(padding=(0, 2, 0, 0))
            line.add_column(no_wrap=True)
            line.add_column(overflow="fold")
            line.add_row(beginning, outcome)
            console.print(line)
        else:
            console.print(beginning, overflow="fold")
            console.print(Padding(outcome, (0, 0, 0, 4), expand=False))
        facts = (record.server, record.peer, record.mechanism, record.cipher, ", ".join(record.recipients))
        details = Text(" · ".join(filter(None, facts)), style="dim", overflow="fold")
        console.print(Padding(details, (0, 0, 0, 4), expand=False))
