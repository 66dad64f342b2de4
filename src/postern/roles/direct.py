"""temporary"""
from uuid import UUID
from postern.model.mail import Action, RecipientOutcome
from postern.model.mailbox import Delivery
class DirectCarrier:
    max_batch = 100
    def __init__(self, db): self.db = db
    async def carry(self, hop, parcels):
        try:
            ds = [Delivery(p.queue_id, p.content.bytes(), [UUID(p.mailboxes[r.address]) for r in p.envelope.recipients], p.envelope.sender, int(p.received)) for p in parcels]
            res = await self.db.deliver(ds)
            return [[RecipientOutcome(r.address, Action.DELIVERED if s in (0,1) else Action.FAILED, "2.1.5", str(s)) for r, s in zip(p.envelope.recipients, st)] for p, st in zip(parcels, res)]
        except Exception as e:
            return [[RecipientOutcome(r.address, Action.DELAYED, "4.3.0", repr(e)) for r in p.envelope.recipients] for p in parcels]
