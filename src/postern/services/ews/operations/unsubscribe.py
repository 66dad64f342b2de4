"""Unsubscribe (MS-OXWSNTIF section 3.1.4.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m
from postern.protocols.ews.subscriptions import SubscriptionKind, read_subscription
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    subscription = read_subscription(request.text_of(m("SubscriptionId")))
    if subscription.kind is SubscriptionKind.PUSH:
        # The subscriber ends a push subscription by its answer to a notification (MS-OXWSPSNTIF section 3.1.4.1).
        raise EwsError(Code.INVALID_SUBSCRIPTION)
    subscriptions = call.access.subscriptions
    subscriptions.end(subscriptions.known(subscription, call.identity.guid))
    yield ""


UNSUBSCRIBE = Batch("Unsubscribe", Version.V2007, "MS-OXWSNTIF 3.1.4.4", run)
