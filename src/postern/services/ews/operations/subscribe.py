"""Subscribe (MS-OXWSNTIF section 3.1.4.3), for pull, push and streaming notifications."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from postern.model.folders import Right
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ABOVE
from postern.protocols.ews.names import is_true, m, t, value
from postern.protocols.ews.subscriptions import (
    MAX_FOLDERS,
    NONCE,
    SubscriptionId,
    SubscriptionKind,
    Watermark,
    read_events,
    read_minutes,
    read_watermark,
)
from postern.protocols.ews.versions import Version
from postern.services.ews import places
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.operation import Batch, attempted

_KINDS = {
    m("PullSubscriptionRequest"): SubscriptionKind.PULL,
    m("PushSubscriptionRequest"): SubscriptionKind.PUSH,
    m("StreamingSubscriptionRequest"): SubscriptionKind.STREAMING,
}


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    yield await attempted(_subscribe(call, request))


async def _subscribe(call: Call, request: xml.Element) -> str:
    wanted = request.elements[0] if len(request.elements) == 1 else xml.Element("")
    kind = _KINDS.get(wanted.name)
    if kind is None:
        raise EwsError(Code.SCHEMA_VALIDATION)
    if kind is SubscriptionKind.STREAMING and call.header.version < Version.V2010_SP1:
        raise EwsError(Code.INVALID_SUBSCRIPTION_REQUEST)
    events = read_events(wanted.find(t("EventTypes")))
    minutes = 0
    if kind is not SubscriptionKind.STREAMING:
        minutes = read_minutes(wanted.text_of(t("Timeout" if kind is SubscriptionKind.PULL else "StatusFrequency")))
    mailbox, folders = await _folders(call, wanted)
    latest = await change_of(mailbox)
    change = _start(mailbox, wanted, latest)
    subscriptions = call.access.subscriptions
    user = call.identity.guid
    if user is None:
        raise EwsError(Code.ACCESS_DENIED)
    now = int(subscriptions.now)
    made = SubscriptionId(kind, user, mailbox.id, events, minutes, change, now, os.urandom(NONCE), folders)
    if kind is SubscriptionKind.PUSH:
        if call.access.pushing is None:
            raise EwsError(
                Code.INVALID_SUBSCRIPTION_REQUEST, "This server sends no notifications to a URL: pull or stream them."
            )
        await call.access.pushing.begin(call, made, wanted.text_of(t("URL")))
    else:
        subscriptions.add(made)
    watermark = value("m:Watermark", str(Watermark(mailbox.id, change, now)))
    return value("m:SubscriptionId", str(made)) + ("" if kind is SubscriptionKind.STREAMING else watermark)


async def _folders(call: Call, wanted: xml.Element) -> tuple[Mailbox, tuple[int, ...]]:
    """The mailbox, and the folders in it; () for all of them."""
    named = wanted.find(t("FolderIds"))
    if is_true(wanted.attributes.get("SubscribeToAllFolders", "")):
        if named is not None:
            raise EwsError(Code.INVALID_SUBSCRIPTION_REQUEST, "Either folders are named, or all are meant.")
        return await call.own(), ()
    elements = named.elements if named is not None else []
    if not 0 < len(elements) <= MAX_FOLDERS:
        raise EwsError(Code.INVALID_SUBSCRIPTION_REQUEST, f"A subscription names 1 to {MAX_FOLDERS} folders.")
    watched = [await places.folder(call, each) for each in elements]
    mailbox = watched[0].mailbox
    if any(place.mailbox.id != mailbox.id for place in watched):
        raise EwsError(Code.INVALID_SUBSCRIPTION_REQUEST, "A subscription is to folders of one mailbox.")
    for place in watched:
        if place.node.id not in ABOVE:
            mailbox.demand(place.node, Right.READ_ANY)
    return mailbox, tuple(dict.fromkeys(place.node.id for place in watched))


async def change_of(mailbox: Mailbox) -> int:
    """The change number of a mailbox as it stands now."""
    return (await mailbox.server.items.folder_changes(mailbox.id, _BEYOND)).change


_BEYOND = (1 << 62) - 1
"""A change number that no mailbox comes to: after it, no folder has changed."""


def _start(mailbox: Mailbox, wanted: xml.Element, latest: int) -> int:
    """The change number from which on events are told: that of the watermark with which a client goes on, else the latest."""
    text = wanted.text_of(t("Watermark")) or wanted.text_of(m("Watermark"))
    if not text:
        return latest
    watermark = read_watermark(text)
    if watermark.mailbox != mailbox.id or watermark.change > latest:
        raise EwsError(Code.INVALID_WATERMARK)
    return watermark.change


SUBSCRIBE = Batch("Subscribe", Version.V2007, "MS-OXWSNTIF 3.1.4.3", run)
