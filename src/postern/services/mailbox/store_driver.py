"""The store driver is a Carrier that delivers parcels into mailboxes over hub-to-mailbox-mapi, a batch in each call.

The mailbox server commits and drops duplicates; the queue tries again. A mailbox that its server does not have yet is opened
once, and delivered to again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.mail import Action, NextHop, Parcel, RecipientOutcome
from postern.model.mailbox import MailboxError
from postern.services.mailbox.peer import DeliveryMailboxes, MailboxPeer
from postern.transport.segments import DamagedBody

CALL_BYTES = 16_777_216
"""Octets of content in one call. A single larger message goes alone."""

_OUTCOMES: dict[DeliveryStatus, tuple[Action, str, str]] = {
    DeliveryStatus.DELIVERED: (Action.DELIVERED, "2.1.5", ""),
    DeliveryStatus.DUPLICATE: (Action.DELIVERED, "2.1.5", "delivered before"),
    DeliveryStatus.OVER_QUOTA: (Action.FAILED, "5.2.2", "the mailbox is full"),
    DeliveryStatus.NO_MAILBOX: (Action.FAILED, "5.1.1", "there is no such mailbox"),
    DeliveryStatus.TEMPORARY: (Action.DELAYED, "4.2.0", "the mailbox store could not take it now"),
    DeliveryStatus.POISON: (
        Action.DELAYED,
        "5.6.0",
        "its mailbox server gave it up: twice it could not be rendered or stored",
    ),
}


class StoreDriver:
    """Delivers into mailboxes; a process has one driver. `peer` finds the mailbox server that has the hop's database now, and is
    asked for each batch. `hub` is this hub's name: queue ids are unique within a hub only. `quota` is the size that a mailbox may
    have, in octets, where the directory has no quota for its owner; 0: no limit."""

    max_batch = 200

    def __init__(self, peer: Callable[[str], MailboxPeer[DeliveryMailboxes] | None], hub: str, quota: int = 0) -> None:
        self._peer = peer
        self._hub = hub
        self._quota = quota

    async def carry(self, hop: NextHop, parcels: Sequence[Parcel]) -> Sequence[Sequence[RecipientOutcome]]:
        """Delivers parcels, and returns for each an outcome for each recipient, in order (see model.mail.Carrier). Never
        raises."""
        (database,) = hop.destinations
        peer = self._peer(database)
        if peer is None:
            text = f"{database} is no mailbox database of this organization"
            return [_all(parcel, "4.4.4", text, database) for parcel in parcels]
        outcomes: list[Sequence[RecipientOutcome]] = []
        for batch in _batches(parcels):
            outcomes += await self._deliver(peer, batch)
        return outcomes

    async def _deliver(
        self, peer: MailboxPeer[DeliveryMailboxes], parcels: Sequence[Parcel]
    ) -> list[Sequence[RecipientOutcome]]:
        """Delivers a batch. A parcel that cannot be read from the queue waits alone; the others go on."""
        outcomes: dict[int, Sequence[RecipientOutcome]] = {}
        whole: list[Parcel] = []
        deliveries: list[Delivery] = []
        for number, parcel in enumerate(parcels):
            try:
                deliveries.append(self._delivery(parcel))
            except (OSError, DamagedBody) as error:
                outcomes[number] = _all(parcel, "4.3.0", str(error), peer.server)
            else:
                whole.append(parcel)
        carried = iter(await self._call(peer, whole, deliveries) if whole else ())
        return [outcomes[number] if number in outcomes else next(carried) for number in range(len(parcels))]

    async def _call(
        self, peer: MailboxPeer[DeliveryMailboxes], parcels: Sequence[Parcel], deliveries: Sequence[Delivery]
    ) -> list[Sequence[RecipientOutcome]]:
        try:
            statuses = await peer.mailboxes.deliver(deliveries)
            missing = {
                mailbox
                for delivery, row in zip(deliveries, statuses, strict=True)
                if DeliveryStatus.NO_MAILBOX in row
                for mailbox, status in zip(delivery.mailboxes, row, strict=True)
                if status is DeliveryStatus.NO_MAILBOX
            }
            if missing:
                for mailbox in missing:
                    await peer.mailboxes.logon(mailbox)
                statuses = await peer.mailboxes.deliver(deliveries)
        except MailboxError as error:
            # 4.4.1 tells the queue that the server does not answer, and that nothing is wrong with the message.
            status = "4.4.1" if error.code == "UNAVAILABLE" else "4.2.0"
            return [_all(parcel, status, str(error), peer.server) for parcel in parcels]
        return [
            _outcomes(peer, parcel, dict(zip(delivery.mailboxes, row, strict=True)))
            for parcel, delivery, row in zip(parcels, deliveries, statuses, strict=True)
        ]

    def _delivery(self, parcel: Parcel) -> Delivery:
        # Two addresses of one person lead to one mailbox.
        mailboxes = dict.fromkeys(parcel.mailboxes.values())
        return Delivery(
            f"{self._hub}/{parcel.queue_id}",
            parcel.content.bytes(),
            tuple(mailboxes),
            parcel.envelope.sender,
            int(parcel.received),
            [parcel.quotas.get(mailbox, self._quota) for mailbox in mailboxes]
            if parcel.quotas
            else [self._quota] * len(mailboxes),
        )


def _outcomes(
    peer: MailboxPeer[DeliveryMailboxes], parcel: Parcel, statuses: dict[UUID, DeliveryStatus]
) -> list[RecipientOutcome]:
    mechanism, cipher = peer.proof()
    outcomes = []
    for recipient in parcel.envelope.recipients:
        guid = parcel.mailboxes.get(recipient.address)
        status = statuses[guid] if guid is not None else DeliveryStatus.NO_MAILBOX
        action, code, text = _OUTCOMES[status]
        poisoned = status is DeliveryStatus.POISON
        outcomes.append(
            RecipientOutcome(recipient.address, action, code, text, peer.server, mechanism, cipher, poison=poisoned)
        )
    return outcomes


def _batches(parcels: Sequence[Parcel]) -> list[list[Parcel]]:
    batches: list[list[Parcel]] = [[]]
    size = 0
    for parcel in parcels:
        size += parcel.content.size
        if batches[-1] and size > CALL_BYTES:
            batches.append([])
            size = parcel.content.size
        batches[-1].append(parcel)
    return batches


def _all(parcel: Parcel, status: str, text: str, remote: str) -> list[RecipientOutcome]:
    return [
        RecipientOutcome(recipient.address, Action.DELAYED, status, text, remote)
        for recipient in parcel.envelope.recipients
    ]
