"""What a carrier gets of a message: its recipients for that hop, their mailboxes and what these may hold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from postern.model.mail import Envelope, EnvelopeRecipient, HopKind, NextHop
from postern.transport.categorize import Routed
from postern.transport.hop import parcel_of
from postern.transport.queued import QueuedMessage, QueuedRecipient

HOP = NextHop(HopKind.MAILBOX, ("mbx1",), "hub-to-mailbox-mapi")


def test_a_parcel_has_the_quotas_of_those_who_have_their_own() -> None:
    people = [SimpleNamespace(address=f"{name}@x.test", envelope_recipient=None) for name in ("alice", "bob")]
    envelope = Envelope("s@x.test", tuple(EnvelopeRecipient(one.address) for one in people))
    message = SimpleNamespace(
        envelope=envelope, recipients=people, queue_id="q", message_id="", content=None, origin=None, received=0.0
    )
    routed = [
        Routed(number, True, one.address, HOP, guid, quota=quota)
        for number, (one, guid, quota) in enumerate(zip(people, ("aa", "bb"), (1024, 0), strict=True))
    ]
    pairs = list(zip(cast("list[QueuedRecipient]", people), routed, strict=True))
    parcel = parcel_of(cast("QueuedMessage", message), pairs, alone=False)
    assert parcel.mailboxes == {"alice@x.test": "aa", "bob@x.test": "bb"}
    assert parcel.quotas == {"aa": 1024}
