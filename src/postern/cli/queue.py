"""`postern queue` shows what waits, why, and when it is tried again; it retries, holds and drops messages.

It reads the queues of the state folder, whether their workers run or not; changes go through `transport.control`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from postern.cli.failures import Failure
from postern.cli.files import Output, OutputFile
from postern.cli.sizes import size
from postern.cli.state_folder import existing, state_option
from postern.cli.terminal import echo, echo_json, json_moment, json_option, moment, print_fields, print_table
from postern.model.words import counted, first_of
from postern.telemetry import attempts
from postern.transport import control, damage, poison, segments
from postern.transport.control import ControlRequest, Verb
from postern.transport.queued import NEVER, QueuedMessage, QueuedRecipient, State

SHOWN = 5
"""Recipients of one message that a list names."""


class NothingMeant(click.UsageError):
    """Neither queue ids nor an option say which messages are meant."""

    def __init__(self) -> None:
        super().__init__("no message is named: name queue ids, or say --hop, --all or --poison")


@click.group("queue")
def queue() -> None:
    """Manage messages on their way: list, show, export, retry, hold, drop."""


@queue.command("list")
@click.option(
    "--hop", default="", metavar="HOP", help="Only messages whose last next hop was this, such as smtp:example.org."
)
@click.option(
    "--poison", "only_poison", is_flag=True, help="Only messages that were set aside because they bring workers down."
)
@state_option
@json_option
def list_(hop: str, only_poison: bool, state_dir: str | None, as_json: bool) -> None:
    """List every message in the queues, oldest first.

    For example `postern queue list --hop smtp:example.org`.
    """
    now = time.time()
    for folder, reason in damage.found(existing(state_dir).queue):
        echo(
            f"A damaged queue was set aside: {folder} ({reason}). Its readable messages were taken over; the rest is in its "
            "*.segment files: try `sqlite3 queue.sqlite .recover` on a copy, and remove the folder when it is no longer wanted.",
            err=True,
        )
    wanted = ControlRequest(Verb.RETRY, hop=hop)
    listed = [(folder, m) for folder in _folders(state_dir) for m in _listed(folder) if m in wanted]
    listed.sort(key=lambda pair: pair[1].received)
    messages = [message for _, message in listed]
    if only_poison:
        _list_poison([(folder, m) for folder, m in listed if _poison_of(m) is not None], now, as_json)
        if not as_json and not hop:
            _list_copies(state_dir, {message.queue_id for message in messages})
        return
    if as_json:
        echo_json([_row(message) for message in messages])
        return
    rows = []
    for message in messages:
        open_ = _open(message)
        first = open_[0] if open_ else None
        rows.append(
            (
                message.queue_id,
                _span(now - message.received),
                size(message.location.size),
                message.envelope.sender or "<>",
                first_of([recipient.address for recipient in open_], 1),
                _state(first, now) if first else "finishing",
                f"{first.status} {first.error}".strip() if first else "",
            )
        )
    print_table(("queue id", "age", "size", "from", "to", "state", "last error"), rows, "no message in the queues")
    if rows:
        echo(counted(len(rows), "message"))


def _list_poison(listed: list[tuple[Path, QueuedMessage]], now: float, as_json: bool) -> None:
    if as_json:
        echo_json([{**_row(m), "file": str(poison.copy_of(folder, m.queue_id))} for folder, m in listed])
        return
    rows = []
    for folder, message in listed:
        recipient = _poison_of(message)
        set_aside = [r.address for r in message.recipients if r.state is State.POISON]
        rows.append(
            (
                message.queue_id,
                _span(now - message.received),
                size(message.location.size),
                message.envelope.sender or "<>",
                first_of(set_aside, SHOWN),
                f"{len(set_aside)} of {len(message.recipients)}",
                recipient.error if recipient else "",
                str(poison.copy_of(folder, message.queue_id)),
            )
        )
    columns = ("queue id", "age", "size", "from", "for", "recipients", "reason", "file")
    print_table(columns, rows, "no message is set aside")
    if rows:
        echo(f"{counted(len(rows), 'message')}: `postern queue export`, `retry` or `drop` them by id")


def _list_copies(state_dir: str | None, waiting: set[str]) -> None:
    """Prints the copies of messages that were given up; their senders have a report."""
    for folder in _folders(state_dir):
        kept = [queue_id for queue_id in poison.copies(folder) if queue_id not in waiting]
        if kept:
            echo(
                f"Given up, with a report to the sender and a copy for {poison.KEPT / 86400:.0f} days in "
                f"{folder / poison.FOLDER}: {first_of(kept, SHOWN)}"
            )


@queue.command()
@click.argument("queue_id")
@click.argument("file", type=Output(secret=True))
@state_option
def export(queue_id: str, file: OutputFile, state_dir: str | None) -> None:
    """Write the octets of a message to FILE, as they were received; also of one that was set aside and given up lately.

    For example `postern queue export a1-1 mail.eml`.
    """
    for folder in _folders(state_dir):
        for message in _listed(folder):
            if message.queue_id == queue_id:
                _export(folder, message, file)
                return
        if queue_id in poison.copies(folder):
            octets = poison.copy_of(folder, queue_id).read_bytes()
            file.write(octets)
            echo(f"{counted(len(octets), 'octet')} of a message that was given up")
            return
    raise _not_queued(queue_id)


def _export(folder: Path, message: QueuedMessage, file: OutputFile) -> None:
    body = segments.body(folder, message.location)
    try:
        octets = b"".join(body)
    except OSError as error:
        raise Failure(f"{message.queue_id} cannot be read: {error}", os.EX_IOERR) from None
    except segments.DamagedBody as error:
        echo(f"{message.queue_id} is damaged ({error}): only what is left of it was written", err=True)
        octets = body.remains()
    file.write(octets)
    echo(counted(len(octets), "octet"))


@queue.command()
@click.argument("queue_id")
@state_option
@json_option
def show(queue_id: str, state_dir: str | None, as_json: bool) -> None:
    """Show a message, recipient by recipient.

    For example `postern queue show a1-1`.
    """
    now = time.time()
    for folder in _folders(state_dir):
        for message in _listed(folder):
            if message.queue_id == queue_id:
                if as_json:
                    echo_json(_row(message))
                else:
                    _print(message, now)
                return
    raise _not_queued(queue_id)


def _change(verb: Verb, help_: str) -> None:
    example = f"For example `postern queue {verb} a1-1`."

    @queue.command(verb.value, help=f"{help_}\n\n{example}")
    @click.argument("queue_ids", nargs=-1)
    @click.option(
        "--hop", default="", metavar="HOP", help="All whose last next hop was this, such as smtp:example.org."
    )
    @click.option("--all", "all_", is_flag=True, help="All messages.")
    @click.option(
        "--poison",
        "only_poison",
        is_flag=True,
        help="Only recipients that are set aside, of all messages or of the named ones.",
    )
    @state_option
    @json_option
    def command(
        queue_ids: tuple[str, ...], hop: str, all_: bool, only_poison: bool, state_dir: str | None, as_json: bool
    ) -> None:
        if bool(queue_ids) + bool(hop) + all_ != 1 and not (only_poison and not hop and not all_):
            raise NothingMeant
        request = ControlRequest(verb, queue_ids, hop, only_poison)
        state = existing(state_dir)
        folders = control.folders(state.queue)
        count, missing = 0, set(queue_ids)
        for folder in folders:
            known = {m.queue_id: m for m in _listed(folder)}
            missing -= {m.queue_id for m in known.values() if m in request}
            meant = [m for m in known.values() if m in request and _poison_of(m) is not None]
            released = meant if queue_ids or only_poison or verb is Verb.DROP else []
            if verb is not Verb.HOLD:
                # Workers would set them aside again if what counted against them were not forgiven.
                attempts.pardon(state.attempts, (key for m in released for key in poison.keys(m)))
            count += control.ask(folder, request)
            if verb is not Verb.HOLD:
                for message in released:
                    poison.drop_copy(folder, message.queue_id)
            if verb is Verb.DROP and not hop:
                # Copies of messages that are done: by the names of the files, never by what was typed.
                kept = [
                    queue_id
                    for queue_id in poison.copies(folder)
                    if queue_id not in known and (not queue_ids or queue_id in queue_ids)
                ]
                for queue_id in kept:
                    poison.drop_copy(folder, queue_id)
                count += len(kept)
                missing -= set(kept)
        if as_json:
            echo_json({"verb": verb, "messages": count})
        elif count or not missing:
            echo(f"{verb}: {counted(count, 'message')}")
        if missing:
            names = ", ".join(queue_id for queue_id in dict.fromkeys(queue_ids) if queue_id in missing)
            aside, flag = (" set aside", " --poison") if only_poison else ("", "")
            raise _not_queued(names, aside, flag)
        if queue_ids and count < len(set(queue_ids)):
            raise Failure("not every one of these is still in a queue: see `postern queue list`", os.EX_TEMPFAIL)


_change(Verb.RETRY, "Try messages again now. Held and poisonous ones are let go when they are named by id.")
_change(Verb.HOLD, "Keep messages until they are retried by id.")
_change(Verb.DROP, "Delete messages without a report; the tracking log says who was not reached.")


def _not_queued(names: str, aside: str = "", flag: str = "") -> Failure:
    return Failure(f"no queue has {names}{aside}: `postern queue list{flag}` names the messages", os.EX_NOUSER)


def _folders(state_dir: str | None) -> list[Path]:
    return control.folders(existing(state_dir).queue)


def _listed(folder: Path) -> Iterator[QueuedMessage]:
    """Yields the messages of a queue; of a damaged one those in front of the damage, and says so."""
    try:
        yield from control.listed(folder)
    except sqlite3.DatabaseError as error:
        if not damage.is_damage(error):
            raise
        echo(f"The queue {folder} is damaged ({error}). Its worker sets it aside when it notices or starts.", err=True)


def _poison_of(message: QueuedMessage) -> QueuedRecipient | None:
    return next((r for r in message.recipients if r.state is State.POISON), None)


def _open(message: QueuedMessage) -> list[QueuedRecipient]:
    return [r for r in message.recipients if r.state in (State.PENDING, State.HELD, State.POISON)]


def _row(message: QueuedMessage) -> dict[str, Any]:
    return {
        "queue_id": message.queue_id,
        "message_id": message.message_id,
        "sender": message.envelope.sender,
        "received": json_moment(message.received),
        "size": message.location.size,
        "path": message.origin.path,
        "client": message.origin.client,
        "recipients": [
            {
                "address": r.address,
                "state": r.state.name.lower(),
                "attempts": r.attempts,
                "next_attempt": json_moment(r.due) if r.state is State.PENDING and r.due < NEVER else None,
                "hop": r.hop,
                "status": r.status,
                "error": r.error,
            }
            for r in message.recipients
        ],
    }


def _print(message: QueuedMessage, now: float) -> None:
    print_fields(
        {
            "queue id": message.queue_id,
            "message id": message.message_id,
            "from": message.envelope.sender or "<>",
            "received": f"{moment(message.received)} from {message.origin.client} on {message.origin.path or '-'}",
            "size": size(message.location.size),
        }
    )
    rows = [
        (r.address, _state(r, now), str(r.attempts), r.hop, f"{r.status} {r.error}".strip()) for r in message.recipients
    ]
    print_table(("recipient", "state", "attempts", "next hop", "last error"), rows, "no recipient")


def _state(recipient: QueuedRecipient, now: float) -> str:
    if recipient.state is not State.PENDING:
        return recipient.state.name.lower()
    return f"in {_span(recipient.due - now)}" if recipient.due > now else "now"


def _span(seconds: float) -> str:
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
