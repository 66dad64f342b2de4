"""The poison queue: messages that twice brought a worker down, hung it or raised where they were handled.

Such a message stays in its queue with its recipients in state POISON, and a copy of its octets lies beside the queue's file for
a person to look at. Its sender hears that it failed (RFC 5321 section 6.1): an author of ours at once, a stranger when the queue
expires, for until then an administrator may retry it. The report is made of the envelope, because the content broke the workers;
then the message is done, and its copy stays for KEPT seconds. `telemetry.attempts` counts the errors of a message; `control`
obeys an administrator.

A message may raise for one recipient only. So a message that raised twice is tried once more for each recipient alone, under a
name of its own, and set aside for those for whom it raises then; the others get it. One that brought a worker down is set aside
whole, and so is one that raises for several.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from postern.model.mail import Parcel
from postern.telemetry.log import Event, log
from postern.transport.queued import QueuedMessage, QueuedRecipient, State
from postern.transport.segments import DamagedBody

FOLDER = "poison"
STATUS = "5.6.0"
"""RFC 3463 X.6.0: something about the content, and it is not known what."""
WORDS = "This server could not work on the message, twice, and has given it up"
KEPT = 1_209_600.0
"""Seconds that a copy is kept (two weeks)."""

ALONE = 1
"""Errors that a recipient who is tried alone may cause: the message had two before."""
SEVERAL = 3
"""Recipients for whom a message must raise to be set aside whole."""


def key(queue_id: str, alone: int | None = None) -> str:
    """The name under which attempts at this message are marked and counted; `alone` is the number of a recipient for whom it is
    tried by itself."""
    return f"queue/{queue_id}" if alone is None else f"queue/{queue_id}/{alone}"


def key_of(parcel: Parcel) -> str:
    """The name (`key`) of a carrier's parcel."""
    return key(parcel.queue_id, parcel.alone)


def report_key(queue_id: str) -> str:
    """The name under which attempts at the report of a message set aside are marked and counted."""
    return f"{key(queue_id)}/report"


def is_own(message: QueuedMessage) -> bool:
    """Whether somebody of the organization vouches for the sender."""
    # Another hub may have taken the message from anybody.
    return message.is_authenticated and message.origin.path != "hub-to-hub"


def keys(message: QueuedMessage) -> list[str]:
    """All names under which something may count against a message."""
    return [
        key(message.queue_id),
        report_key(message.queue_id),
        *(key(message.queue_id, r.number) for r in message.recipients),
    ]


def copy_of(folder: Path, queue_id: str) -> Path:
    """The file with the octets of a message that the queue in `folder` has set aside."""
    return folder / FOLDER / f"{queue_id}.eml"


def set_aside(message: QueuedMessage, why: str, recipients: Iterable[QueuedRecipient], due: float) -> tuple[str, ...]:
    """Has those of these recipients who still wait for the message wait for an administrator, until `due`. Returns their
    addresses."""
    meant = [r for r in recipients if r.state in (State.PENDING, State.REPORTING)]
    for recipient in meant:
        recipient.state, recipient.status, recipient.error = State.POISON, STATUS, why[:500]
        recipient.due = due
    log(
        Event.SET_ASIDE,
        queue_id=message.queue_id,
        sender=message.envelope.sender,
        recipients=len(meant),
        words=why[:500],
    )
    return tuple(r.address for r in meant)


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
    """Removes the copy of a message. `queue_id` names a message in the queue, or a copy (`copies`)."""
    with contextlib.suppress(OSError):
        copy_of(folder, queue_id).unlink(missing_ok=True)


def copies(folder: Path) -> list[str]:
    """The queue ids of all copies that the queue in `folder` keeps, of messages that are done, too."""
    try:
        return sorted(name.removesuffix(".eml") for name in os.listdir(folder / FOLDER) if name.endswith(".eml"))
    except OSError:
        return []


def remove_old_copies(folder: Path) -> None:
    """Removes copies that were kept long enough. Blocks: to be called in a thread."""
    old = time.time() - KEPT
    for queue_id in copies(folder):
        with contextlib.suppress(OSError):
            if copy_of(folder, queue_id).stat(follow_symlinks=False).st_mtime < old:
                drop_copy(folder, queue_id)
