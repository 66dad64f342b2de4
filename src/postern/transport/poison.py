"""The poison queue: messages that twice brought a worker down, hung it or raised where they were handled.

Such a message stays in its queue with its recipients in state POISON, and a copy of its octets lies beside the queue's file for
a person to look at. What counts against a message is in `telemetry.attempts`; what an administrator may do is in `control`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from postern.telemetry.log import Event, log
from postern.transport.queued import QueuedMessage, State
from postern.transport.segments import DamagedBody

FOLDER = "poison"
STATUS = "5.6.0"
"""RFC 3463 X.6.0: something about the content, and nobody knows better what."""


def key(queue_id: str) -> str:
    """The name under which attempts at this message are marked and counted."""
    return f"queue/{queue_id}"


def copy_of(folder: Path, queue_id: str) -> Path:
    """Where the octets of a message lie that the queue in `folder` has set aside."""
    return folder / FOLDER / f"{queue_id}.eml"


def set_aside(message: QueuedMessage, why: str) -> None:
    """Its pending recipients wait for an administrator from now on."""
    for recipient in message.recipients:
        if recipient.state in (State.PENDING, State.REPORTING):
            recipient.state, recipient.status, recipient.error = State.POISON, STATUS, why[:500]
    log(Event.SET_ASIDE, queue_id=message.queue_id, sender=message.envelope.sender, words=why[:500])


def keep_copy(folder: Path, message: QueuedMessage) -> None:
    """Writes the copy, if it can be had: the message itself stays in its segment. Blocks: to be called in a thread.

    Bound: linear in the message, a chunk at a time.
    """
    file = copy_of(folder, message.queue_id)
    with contextlib.suppress(OSError, DamagedBody):
        file.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(handle, "wb") as out:
            for chunk in message.content.chunks:
                out.write(chunk)


def drop_copy(folder: Path, queue_id: str) -> None:
    """The message is set aside no longer."""
    with contextlib.suppress(OSError):
        copy_of(folder, queue_id).unlink(missing_ok=True)
