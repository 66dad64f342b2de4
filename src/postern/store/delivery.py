"""Delivers batches, with one commit for each, and keeps the outbox of those who send."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import UUID

from postern.items.imip import CALENDAR_TYPES
from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.mailbox import KEEP_QUOTA
from postern.protocols.mime.header import count_fields, lines_end, split_fields
from postern.store import wire
from postern.store.connection import Pool, Rejected
from postern.store.items import retried
from postern.store.notices import Notices
from postern.store.rendered import PLACES, Batch, Unrenderable, placeholders
from postern.telemetry.attempts import LIMIT, forget, given_up, strike

_DELIVER = f"""SELECT statuses, changed, changes FROM deliver(
    $1::bigint[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint, $6::uuid[], $7::bigint[], $8::bigint[],
    {placeholders(9, PLACES)})"""  # noqa: S608 (our own words)

_CALENDARS = tuple(b'"%s"' % subtype for _, subtype in CALENDAR_TYPES)
"""Subtypes of the parts that `items.imip` reads. A name that happens to be one costs the attendant a look."""
_OF_VALUES = ("22", "23", "54")
"""Classes of SQLSTATE that blame the parameters, or the rows that they meet: data, integrity, limits exceeded."""


async def deliver(pool: Pool, notices: Notices, deliveries: Sequence[Delivery]) -> list[list[DeliveryStatus]]:
    if not deliveries:
        return []
    try:
        return await _deliver(pool, notices, deliveries)
    except Unrenderable as bad:
        return await _without(pool, notices, deliveries, bad)
    except Rejected as error:
        if len(deliveries) == 1:
            return [await _one_by_one(pool, notices, deliveries[0], error)]
    # One of the deliveries is poison: each is tried on its own, so that the rest arrives.
    return [(await deliver(pool, notices, [delivery]))[0] for delivery in deliveries]


async def _one_by_one(pool: Pool, notices: Notices, delivery: Delivery, error: Rejected) -> list[DeliveryStatus]:
    """Delivers a refused message to each of its mailboxes separately, for perhaps only one of them cannot take it. With one
    mailbox left, an error that blames the values (and not the database itself) counts, and at the limit the message is given up
    for this mailbox."""
    mailboxes = list(dict.fromkeys(delivery.mailboxes))
    if len(mailboxes) > 1:
        quotas = dict(zip(delivery.mailboxes, delivery.quotas, strict=False))
        alone = [delivery._replace(mailboxes=[box], quotas=[quotas[box]] if box in quotas else []) for box in mailboxes]
        status_of = {part.mailboxes[0]: (await deliver(pool, notices, [part]))[0][0] for part in alone}
        return [status_of[box] for box in delivery.mailboxes]
    status = DeliveryStatus.TEMPORARY
    if error.sqlstate.startswith(_OF_VALUES):
        key = f"{_key(delivery)}/{mailboxes[0].hex}"
        if strike(key, error).count >= LIMIT:
            status = DeliveryStatus.POISON
            forget(key)
    return [status] * len(delivery.mailboxes)


async def _without(
    pool: Pool, notices: Notices, deliveries: Sequence[Delivery], bad: Unrenderable
) -> list[list[DeliveryStatus]]:
    """Delivers all but the message that cannot be rendered. Once that one is given up its hub hears POISON, and sets it aside.
    The failures counted here are then forgotten, so that a retry by an administrator is tried again."""
    status = DeliveryStatus.TEMPORARY
    if given_up(bad.key) is not None:
        status = DeliveryStatus.POISON
        forget(bad.key)
    rest = iter(await deliver(pool, notices, [delivery for delivery in deliveries if _key(delivery) != bad.key]))
    return [[status] * len(delivery.mailboxes) if _key(delivery) == bad.key else next(rest) for delivery in deliveries]


def _key(delivery: Delivery) -> str:
    """The key under which the rendering of a delivery is marked, and its failures are counted."""
    return f"delivery/{delivery.delivery_id}"


async def _deliver(pool: Pool, notices: Notices, deliveries: Sequence[Delivery]) -> list[list[DeliveryStatus]]:
    batch = await Batch.of(
        [with_return_path(delivery) for delivery in deliveries], [_key(delivery) for delivery in deliveries]
    )
    now = int(time.time())
    places: dict[tuple[UUID, str], int] = {}
    which: list[int] = []
    dates: list[int] = []
    quotas: dict[UUID, int] = {}
    for delivery, place in zip(deliveries, batch.places, strict=True):
        for mailbox in delivery.mailboxes:
            if places.setdefault((mailbox, delivery.delivery_id), len(which)) == len(which):
                which.append(place)
                dates.append(delivery.received or now)
        quotas.update(zip(delivery.mailboxes, delivery.quotas, strict=False))
    granted = {mailbox: quota for mailbox, quota in quotas.items() if quota != KEEP_QUOTA}
    rows = await retried(
        pool,
        _DELIVER,
        [
            wire.int8s(which),
            wire.uuids([mailbox for mailbox, _ in places]),
            wire.texts([delivery_id for _, delivery_id in places]),
            wire.int8s(dates),
            wire.int8(now),
            wire.uuids(granted),
            wire.int8s(granted.values()),
            wire.int8s(_with_calendars(batch)),
            *batch.parameters(),
        ],
    )
    statuses, changed, changes = rows[0]
    for guid, change in zip(wire.to_array(changed), wire.to_array(changes), strict=True):
        notices.changed(UUID(bytes=guid), wire.to_int8(change))
    results = [DeliveryStatus(wire.to_int8(status)) for status in wire.to_array(statuses)]
    return [
        [results[places[mailbox, delivery.delivery_id]] for mailbox in delivery.mailboxes] for delivery in deliveries
    ]


def _with_calendars(batch: Batch) -> list[int]:
    """The messages of a batch, counted from 1, that have a part which may be a calendar, by their rendered BODYSTRUCTURE."""
    structures = (rendered.structure.lower() for rendered in batch.rendered)
    return [place for place, structure in enumerate(structures, 1) if any(mark in structure for mark in _CALENDARS)]


def with_return_path(delivery: Delivery) -> bytes:
    """Writes the reverse-path into the message, as final delivery does, and takes out such fields that others wrote (RFC 5321
    section 4.4): readers take the field for the reverse-path that our SMTP was given.

    Bound: linear in the message.
    """
    content = delivery.content
    end = lines_end(content)
    header = content if end < 0 else content[:end]
    if count_fields(header, b"return-path"):
        kept = [field for name, field in split_fields(header, most=None) if name != b"return-path"]
        content = b"".join([*kept, content[len(header) :]])
    path = delivery.return_path.encode("utf-8", "replace").translate(None, b"\r\n\0<>")
    return b"Return-Path: <%b>\r\n%b" % (path, content)


async def used(pool: Pool, mailboxes: Sequence[UUID]) -> list[int]:
    rows = await pool.run("SELECT guid, used FROM mailboxes WHERE guid = ANY ($1::uuid[])", [wire.uuids(mailboxes)])
    octets_of = {UUID(bytes=guid): wire.to_int8(octets) for guid, octets in rows if guid is not None}
    return [octets_of.get(mailbox, 0) for mailbox in mailboxes]


async def submit(pool: Pool, notices: Notices, mailbox: UUID, uid: int) -> None:
    rows = await pool.run("SELECT submit_item($1::uuid, $2::bigint)", [mailbox.bytes, wire.int8(uid)])
    notices.changed(mailbox, wire.to_int8(rows[0][0]))


async def outbox(pool: Pool, mailbox: UUID) -> list[int]:
    rows = await pool.run(
        "SELECT o.uid FROM outbox o JOIN mailboxes m ON m.id = o.mailbox WHERE m.guid = $1::uuid ORDER BY o.uid",
        [mailbox.bytes],
    )
    return [wire.to_int8(row[0]) for row in rows]


async def submitted(pool: Pool, notices: Notices, mailbox: UUID, uid: int) -> None:
    rows = await pool.run("SELECT submitted_item($1::uuid, $2::bigint)", [mailbox.bytes, wire.int8(uid)])
    notices.changed(mailbox, wire.to_int8(rows[0][0]))


async def waiting_mailboxes(pool: Pool) -> list[UUID]:
    """Returns the mailboxes with something in their outbox. The Mail Submission Service asks for them when it starts."""
    rows = await pool.run("SELECT DISTINCT m.guid FROM outbox o JOIN mailboxes m ON m.id = o.mailbox")
    return [UUID(bytes=row[0]) for row in rows]


async def forget_deliveries(pool: Pool, before: int) -> None:
    """Forgets the deliveries before a time (seconds since the epoch), which no hub will repeat."""
    await pool.run("DELETE FROM delivered WHERE at < $1::bigint", [wire.int8(before)])


async def sweep(pool: Pool, most: int) -> int:
    """Frees contents that lost their last item. Looks at `most` candidates at most, and returns at how many it looked."""
    rows = await pool.run("SELECT sweep($1::bigint)", [wire.int8(most)])
    return wire.to_int8(rows[0][0])
