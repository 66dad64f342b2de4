"""The interface of availability-to-mailbox: client access servers ask when the owners of mailboxes are busy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any
from uuid import UUID

from postern.model.availability import Asked, Availability, BusyEvent, EventFlag, Span, State, Told, WhenBusy
from postern.model.item_store import Busy
from postern.protocols.dcerpc.codecs import (
    BOOLEAN,
    UUIDS,
    Parameter,
    Wide,
    parts,
    read_signed_words,
    read_texts,
    read_uuids,
    read_words,
    write_signed_words,
    write_texts,
    write_uuids,
    write_words,
)
from postern.protocols.dcerpc.interface import Interface, Operation, Syntax
from postern.protocols.dcerpc.interfaces.mailbox_codecs import REFUSALS
from postern.protocols.dcerpc.ndr import I64, U8, U32, Array, Text
from postern.protocols.dcerpc.ndr_blobs import Blobs

TIMEOUT = 30.0
"""Seconds that a caller waits for the calendars of one call."""


def _write_asked(asked: Sequence[Asked]) -> tuple[Any, ...]:
    return (
        write_uuids([each.mailbox for each in asked]),
        write_words([len(each.addresses) for each in asked]),
        write_texts([address for each in asked for address in each.addresses]),
    )


def _read_asked(mailboxes: bytes, counts: bytes, addresses: Sequence[bytes]) -> list[Asked]:
    owners = parts(read_words(counts), read_texts(addresses))
    return [Asked(mailbox, tuple(texts)) for mailbox, texts in zip(read_uuids(mailboxes), owners, strict=True)]


_ASKED = Wide(
    (("mailboxes", Array(U8)), ("address_counts", Array(U32)), ("addresses", Blobs())), _write_asked, _read_asked
)
_SPAN = Wide(
    (("start", I64), ("end", I64), ("zone", Array(I64))),
    lambda span: (span.start, span.end, write_signed_words(span.zone)),
    lambda start, end, zone: Span(start, end, tuple(read_signed_words(zone))),
)


def _write_told(answers: Sequence[WhenBusy]) -> tuple[Any, ...]:
    events = [event for answer in answers for event in answer.events]
    return (
        bytes([answer.told for answer in answers]),
        bytes([answer.state for answer in answers]),
        write_texts([answer.hours for answer in answers]),
        write_words([len(answer.events) for answer in answers]),
        write_signed_words(list(chain.from_iterable((event.start, event.end, event.item) for event in events))),
        bytes([event.busy for event in events]),
        bytes([event.flags for event in events]),
        write_texts([text for event in events for text in (event.subject, event.location)]),
    )


def read_told(
    told: bytes,
    states: bytes,
    hours: Sequence[bytes],
    counts: bytes,
    numbers: bytes,
    busy: bytes,
    flags: bytes,
    texts: Sequence[bytes],
) -> list[WhenBusy]:
    """Reads the answers from their columns. Raises ValueError.

    Bound: linear in the stub.
    """
    triples = iter(read_signed_words(numbers))
    pairs = iter(read_texts(texts))
    rows = zip(zip(triples, triples, triples, strict=True), busy, flags, zip(pairs, pairs, strict=True), strict=True)
    events = [
        BusyEvent(start, end, Busy(state), EventFlag(flag & 0x1F), item, subject, location)
        for (start, end, item), state, flag, (subject, location) in rows
    ]
    columns = zip(told, parts(read_words(counts), events), read_texts(hours), states, strict=True)
    return [WhenBusy(Told(kind), tuple(part), text, State(state)) for kind, part, text, state in columns]


_TOLD = Wide(
    (
        ("told", Array(U8)),
        ("states", Array(U8)),
        ("hours", Blobs()),
        ("event_counts", Array(U32)),
        ("times_and_items", Array(I64)),
        ("busy", Array(U8)),
        ("flags", Array(U8)),
        ("subjects_and_locations", Blobs()),
    ),
    _write_told,
    read_told,
)


def _for_each(answers: list[WhenBusy], asked: Sequence[Asked], *_: object) -> list[WhenBusy]:
    """Checks the answer. Raises ValueError unless there is one for each mailbox."""
    if len(answers) != len(asked):
        raise ValueError("another number of mailboxes")
    return answers


MAILBOX_AVAILABILITY: Interface[Availability] = Interface(
    "postern_availability",
    Syntax(UUID("3c5f7e0a-94b1-4d28-8f36-1a7be2c9d504"), 1),
    {
        0: Operation(
            Availability.when_busy,
            "When the owners of mailboxes are busy between `start` and `end` (seconds since 1970, UTC), as far as somebody may\n"
            "know it who is `grantees`: the directory id of a user, then those of the user's groups. `addresses` are those of\n"
            "the owners, in lower case, address_counts for each mailbox. `zone` has the numbers of the time zone in which dates\n"
            "are read: the bias in minutes, then for the change to standard and to daylight time bias, month, order, weekday,\n"
            "minute and year each. The appointment with the UID `without` is left out. For each mailbox, told is 0 (no right),\n"
            "1 (times), 2 (subjects and places) or 3 (items); states is 0, 1 (the calendar cannot be read) or 2 (too many);\n"
            'hours are the working hours as XML (MS-OXOCAL), "" for none; times_and_items has start, end and item of each\n'
            "appointment, busy its PidLidBusyStatus, flags 1 for a meeting, 2 recurring, 4 an exception, 8 a reminder, 16\n"
            "private.",
            (
                Parameter("asked", _ASKED),
                Parameter("grantees", UUIDS),
                Parameter("span", _SPAN),
                Parameter("details", BOOLEAN),
                Parameter("without", Text()),
            ),
            _TOLD,
            REFUSALS,
            finish=_for_each,
            timeout=TIMEOUT,
        ),
    },
    """Postern availability

This interface is Postern's own: Exchange's counterpart has no public specification, so the UUID was minted here.
Path of the table: availability-to-mailbox. Callers: client access servers of the organization, proven by NTLM or Kerberos, under
packet privacy (RPC_C_AUTHN_LEVEL_PKT_PRIVACY) over ncacn_ip_tcp, or with the kernel's word over a unix socket. Every operation
returns 0, or the number of a mailbox error, with the words for it in error_text (UTF-8).

This file is generated from postern.protocols.dcerpc.""",
    Availability,
    sizes=(1,),
)
