"""The mailbox that a subscription watches, opened anew for each look at it: rights change while a subscription lasts."""

from __future__ import annotations

from postern.model.folders import Right
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.subscriptions import SubscriptionId
from postern.services.ews.access import Call, Mailbox

GATHER = 0.2
"""Seconds for which changes are gathered before they are told."""
RETRY = 5.0
"""Seconds until a mailbox that could not be read is asked again."""
UNREACHABLE = frozenset({Code.MAILBOX_STORE_UNAVAILABLE, Code.SERVER_BUSY})
"""The errors of a mailbox that comes back."""


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
