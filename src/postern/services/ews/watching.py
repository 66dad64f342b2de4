"""The mailbox that a subscription watches, opened anew for each look at it: rights change while a subscription lasts."""

from __future__ import annotations

from postern.model.folders import Right
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.subscriptions import SubscriptionId
from postern.services.ews.access import Call, Mailbox


async def open_watched(call: Call, subscription: SubscriptionId) -> Mailbox:
    """Opens the mailbox of a subscription. Raises EwsError: ErrorAccessDenied where the caller may read none of what it watches;
    ErrorItemNotFound for a mailbox that is not here."""
    mailbox = await call.mailbox_with(subscription.mailbox)
    if mailbox.is_whole:
        return mailbox
    nodes = await mailbox.nodes()
    watched = [nodes[folder] for folder in subscription.folders if folder in nodes]
    if not any(mailbox.rights_in(node) & Right.READ_ANY for node in watched):
        raise EwsError(Code.ACCESS_DENIED)
    return mailbox
