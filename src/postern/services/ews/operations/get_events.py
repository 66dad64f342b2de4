"""GetEvents (MS-OXWSNTIF section 3.1.4.1): a client asks for the events of its pull subscription."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m
from postern.protocols.ews.subscriptions import SubscriptionKind, Watermark, read_subscription, read_watermark
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.events import events_since, notification
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.watching import open_watched


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    yield await attempted(_events(call, request))


async def _events(call: Call, request: xml.Element) -> str:
    subscription = read_subscription(request.text_of(m("SubscriptionId")))
    if subscription.kind is not SubscriptionKind.PULL:
        raise EwsError(Code.INVALID_PULL_SUBSCRIPTION_ID)
    before = request.text_of(m("Watermark"))
    watermark = read_watermark(before)
    if watermark.mailbox != subscription.mailbox:
        raise EwsError(Code.INVALID_WATERMARK)
    subscriptions = call.access.subscriptions
    subscriptions.known(subscription, call.identity.guid, float(watermark.told))
    mailbox = await open_watched(call, subscription)
    told = await events_since(mailbox, subscription, watermark.change)
    after = Watermark(mailbox.id, told.change, int(subscriptions.now))
    return notification(str(subscription), before, str(after), told)


GET_EVENTS = Batch("GetEvents", Version.V2007, "MS-OXWSNTIF 3.1.4.1", run)
