"""Subscriptions and watermarks as clients keep them (MS-OXWSNTIF sections 2.2.5.4 and 2.2.5.6; clients treat both as opaque).

A subscription id says all that the subscription is, so that every process can answer for it. Neither carries a secret: whoever
makes one up is asked for the same rights as a client that was told it.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from uuid import UUID

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m, t, unsigned

_MARK = 0xA2
_FORM = struct.Struct(">BB16s16sBHqq8sH")
"""A mark, kind, user, mailbox, events, minutes, change number, time, a nonce, and how many folders follow."""
_FOLDER = struct.Struct(">q")
_WATERMARK_MARK = 0xA3
_WATERMARK = struct.Struct(">B16sqq")
MAX_FOLDERS = 200
"""Folders of one subscription."""
_MAX_LENGTH = 4_096
"""Characters of a subscription id that are read: one with MAX_FOLDERS has 2,224."""
NONCE = 8
"""Octets that tell two subscriptions apart that are alike."""
_ANSWER = xml.Bounds(octets=65_536, depth=32, elements=1_000, attributes=1_000)
MAX_MINUTES = 1_440
"""Minutes of a timeout or of a status frequency (MS-OXWSNTIF sections 2.2.5.3 and 2.2.5.5)."""


class EventKind(IntFlag):
    """The events that one can subscribe to (MS-OXWSNTIF section 2.2.5.1)."""

    COPIED = 1
    CREATED = 2
    DELETED = 4
    MODIFIED = 8
    MOVED = 16
    NEW_MAIL = 32
    FREE_BUSY_CHANGED = 64


LABELS = {
    "CopiedEvent": EventKind.COPIED,
    "CreatedEvent": EventKind.CREATED,
    "DeletedEvent": EventKind.DELETED,
    "ModifiedEvent": EventKind.MODIFIED,
    "MovedEvent": EventKind.MOVED,
    "NewMailEvent": EventKind.NEW_MAIL,
    "FreeBusyChangedEvent": EventKind.FREE_BUSY_CHANGED,
}


class SubscriptionKind(IntEnum):
    PULL = 1
    PUSH = 2
    STREAMING = 3


@dataclass(frozen=True, slots=True)
class SubscriptionId:
    """A subscription of a user to a mailbox: to these folders, or to all of them (()). `minutes` is the timeout of a pull
    subscription, or the status frequency of a push subscription. `change` is the mailbox's change number from which on events are
    told, `made` the time of the subscription in seconds since the epoch."""

    kind: SubscriptionKind
    user: UUID
    mailbox: UUID
    events: EventKind
    minutes: int
    change: int
    made: int
    nonce: bytes
    folders: tuple[int, ...] = ()

    def __str__(self) -> str:
        head = _FORM.pack(
            _MARK,
            self.kind,
            self.user.bytes,
            self.mailbox.bytes,
            self.events,
            self.minutes,
            self.change,
            self.made,
            self.nonce,
            len(self.folders),
        )
        return base64.b64encode(head + b"".join(map(_FOLDER.pack, self.folders))).decode("ascii")


def read_subscription(text: str) -> SubscriptionId:
    """Reads a subscription id. Raises EwsError ErrorInvalidSubscription.

    Bound: linear; at most 4,096 characters and MAX_FOLDERS folders.
    """
    if len(text) > _MAX_LENGTH:
        raise EwsError(Code.INVALID_SUBSCRIPTION)
    try:
        octets = base64.b64decode(text, validate=True)
        mark, kind, user, mailbox, events, minutes, change, made, nonce, count = _FORM.unpack_from(octets)
        if mark != _MARK or len(octets) != _FORM.size + count * _FOLDER.size or count > MAX_FOLDERS:
            raise ValueError
        if not 0 < events < 128 or minutes > MAX_MINUTES or change < 0:
            raise ValueError
        folders = tuple(number for (number,) in _FOLDER.iter_unpack(octets[_FORM.size :]))
        return SubscriptionId(
            SubscriptionKind(kind),
            UUID(bytes=user),
            UUID(bytes=mailbox),
            EventKind(events),
            minutes,
            change,
            made,
            nonce,
            folders,
        )
    except (ValueError, binascii.Error, struct.error):
        raise EwsError(Code.INVALID_SUBSCRIPTION) from None


@dataclass(frozen=True, slots=True)
class Watermark:
    """A place in the changes of a mailbox up to which a client has been told: `change` is a change number, `told` the time at
    which the watermark was given, in seconds since the epoch."""

    mailbox: UUID
    change: int
    told: int

    def __str__(self) -> str:
        octets = _WATERMARK.pack(_WATERMARK_MARK, self.mailbox.bytes, self.change, self.told)
        return base64.b64encode(octets).decode("ascii")


def read_watermark(text: str) -> Watermark:
    """Reads a watermark. Raises EwsError ErrorInvalidWatermark.

    Bound: linear; at most 4,096 characters.
    """
    try:
        if len(text) > _MAX_LENGTH:
            raise ValueError
        mark, mailbox, change, told = _WATERMARK.unpack(base64.b64decode(text, validate=True))
        if mark != _WATERMARK_MARK or change < 1:
            raise ValueError
        return Watermark(UUID(bytes=mailbox), change, told)
    except (ValueError, binascii.Error, struct.error):
        raise EwsError(Code.INVALID_WATERMARK) from None


def read_events(types: xml.Element | None) -> EventKind:
    """Reads an EventTypes. Raises EwsError ErrorSchemaValidation for an unknown one, or for none.

    Bound: linear in the element.
    """
    events = EventKind(0)
    for each in types.find_all(t("EventType")) if types is not None else []:
        kind = LABELS.get(each.text.strip())
        if kind is None:
            raise EwsError(Code.SCHEMA_VALIDATION)
        events |= kind
    if not events:
        raise EwsError(Code.SCHEMA_VALIDATION)
    return events


def read_result(octets: bytes) -> bool:
    """Reads what a subscriber answers to a notification (MS-OXWSPSNTIF section 2.2.3.2): whether it wants more. Raises EwsError
    ErrorSchemaValidation for an answer that says neither.

    Bound: linear; at most 65,536 octets.
    """
    try:
        root = xml.read(octets, _ANSWER)
    except xml.XmlError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None
    for each in root.walk():
        if each.name == m("SubscriptionStatus"):
            if each.text.strip() in ("OK", "Unsubscribe"):
                return each.text.strip() == "OK"
            break
    raise EwsError(Code.SCHEMA_VALIDATION)


def read_minutes(text: str, most: int = MAX_MINUTES) -> int:
    """Reads a number of minutes, from 1 to `most`. Raises EwsError ErrorSchemaValidation.

    Bound: constant.
    """
    minutes = unsigned(text, 5)
    if minutes is None or not 1 <= minutes <= most:
        raise EwsError(Code.SCHEMA_VALIDATION)
    return minutes
