"""GetStreamingEvents (MS-OXWSNTIF section 3.1.4.2): events are told on a connection that stays open, up to half an hour.

The answer is a row of envelopes, one for each notification, and others that say only that the connection still stands. Nothing is
asked at intervals: the one wait of this process for changes of mailboxes wakes the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from postern.model.directory import DirectoryUnavailable
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.envelope import CLOSING, Fault, opening, start_tag
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m, t, value
from postern.protocols.ews.subscriptions import SubscriptionKind, read_minutes, read_subscription
from postern.protocols.ews.versions import Version
from postern.services.access.changes import Watch
from postern.services.ews.access import Call
from postern.services.ews.events import events_since, streamed
from postern.services.ews.impersonation import renewed
from postern.services.ews.operation import as_error
from postern.services.ews.subscriptions import MAX_SUBSCRIPTIONS, Kept
from postern.services.ews.watching import GATHER, RETRY, UNREACHABLE, open_watched

MAX_MINUTES = 30
"""Minutes that a connection stays open at most (MS-OXWSNTIF section 2.2.5.7)."""
HEARTBEAT = 30.0
"""Seconds after which an envelope says that the connection still stands: proxies cut those on which nothing comes in a minute."""


@dataclass(slots=True)
class _Stream:
    """One connection that waits. `wake` is set when there may be something to tell, `is_displaced` when another connection has
    taken over one of its subscriptions, or one was ended."""

    call: Call
    kept: dict[str, Kept]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    changed: set[str] = field(default_factory=set)
    watches: dict[str, Watch] = field(default_factory=dict)

    def tell(self, text: str) -> None:
        """There may be events of a subscription."""
        self.changed.add(text)
        self.wake.set()

    def drop(self, text: str, displace: bool = False) -> None:
        """The subscription is told of here no more."""
        kept = self.kept.pop(text, None)
        if kept is not None and not displace:
            kept.displace = None
        watch = self.watches.pop(text, None)
        if watch is not None:
            watch.close()
        self.wake.set()

    async def envelopes(self) -> AsyncIterator[str]:
        """Tells of what has happened, an envelope for each subscription."""
        wanted, self.changed = self.changed, set()
        for text in sorted(wanted):
            kept = self.kept.get(text)
            if kept is None:
                continue
            try:
                call = await renewed(self.call)
                more = True
                while more:
                    mailbox = await open_watched(call, kept.id)
                    told = await events_since(mailbox, kept.id, kept.change)
                    if text not in self.watches:
                        # All sessions share one wait: a number that is made up must not come into it.
                        changes = mailbox.server.changes
                        self.watches[text] = changes.watch(mailbox.id, told.change, partial(self.tell, text))
                    kept.used = self.call.access.subscriptions.now
                    if told.events:
                        yield _success(f"<m:Notifications>{streamed(text, told)}</m:Notifications>")
                    kept.change, more = told.change, told.more
            except (EwsError, MailboxError, DirectoryUnavailable) as error:
                known = as_error(error)
                if known.code in UNREACHABLE:
                    asyncio.get_running_loop().call_later(RETRY, self.tell, text)
                    continue
                self.drop(text)
                yield _failure(known, [text])


class GetStreamingEvents:
    """The operation."""

    name = "GetStreamingEvents"
    since = Version.V2010_SP1
    section = "MS-OXWSNTIF 3.1.4.2"

    async def answer(self, call: Call, request: xml.Element) -> AsyncGenerator[str, None]:
        kept, failed, seconds = _read(call, request)
        assert call.identity.guid is not None
        subscriptions = call.access.subscriptions
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        begin, end = _around(call)
        try:
            subscriptions.enter(call.identity.guid)
        except EwsError as error:
            raise Fault(error.code, str(error), error.values) from None
        try:
            with _streaming(call, kept) as stream:
                for refusal, ids in failed:
                    yield begin + _failure(refusal, ids) + end
                if kept:
                    yield begin + _success(value("m:ConnectionStatus", "OK")) + end
                yield ""
                for text in kept:
                    stream.tell(text)
                said = loop.time()
                while stream.kept and loop.time() < until:
                    stream.wake.clear()
                    async for envelope in stream.envelopes():
                        yield begin + envelope + end
                        yield ""
                        said = loop.time()
                    if not stream.kept:
                        break
                    # Changes of which nothing is told wake this as well.
                    if await _woken(stream.wake, min(said + HEARTBEAT, until) - loop.time()):
                        await asyncio.sleep(GATHER)
                        continue
                    yield begin + _success(value("m:ConnectionStatus", "OK")) + end
                    yield ""
                    said = loop.time()
                yield begin + _success(value("m:ConnectionStatus", "Closed")) + end
        finally:
            subscriptions.leave(call.identity.guid)


async def _woken(wake: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set within this time; no event counts when the time is over."""
    if seconds <= 0:
        return False
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return False
    return True


@contextmanager
def _streaming(call: Call, kept: dict[str, Kept]) -> Iterator[_Stream]:
    """A stream of these subscriptions. Connections that told of them before do so no more."""
    stream = _Stream(call, dict(kept))
    for text, each in kept.items():
        if each.displace is not None:
            each.displace()
        each.displace = partial(stream.drop, text, True)
    try:
        yield stream
    finally:
        now = call.access.subscriptions.now
        for each in stream.kept.values():
            each.used = now
        for text in list(stream.kept):
            stream.drop(text)


def _read(call: Call, request: xml.Element) -> tuple[dict[str, Kept], list[tuple[EwsError, list[str]]], int]:
    """The subscriptions of a request, those that there are none of, with the reason, and the seconds. Raises Fault."""
    named = (request.find(m("SubscriptionIds")) or xml.Element("")).find_all(t("SubscriptionId"))
    try:
        minutes = read_minutes(request.text_of(m("ConnectionTimeout")), MAX_MINUTES)
        if not 0 < len(named) <= MAX_SUBSCRIPTIONS:
            raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_SUBSCRIPTIONS} subscriptions.")
        if call.identity.guid is None:
            raise EwsError(Code.ACCESS_DENIED)
    except EwsError as error:
        raise Fault(error.code, str(error), error.values) from None
    kept: dict[str, Kept] = {}
    failed: dict[Code, tuple[EwsError, list[str]]] = {}
    for each in named:
        text = each.text.strip()
        try:
            subscription = read_subscription(text)
            if subscription.kind is not SubscriptionKind.STREAMING:
                raise EwsError(Code.INVALID_SUBSCRIPTION)
            kept[text] = call.access.subscriptions.known(subscription, call.identity.guid)
        except EwsError as error:
            failed.setdefault(error.code, (error, []))[1].append(text)
    return kept, list(failed.values()), minutes * 60


def _around(call: Call) -> tuple[str, str]:
    begin = opening() + start_tag("GetStreamingEventsResponse") + "<m:ResponseMessages>"
    return begin, f"</m:ResponseMessages></m:GetStreamingEventsResponse>{CLOSING}"


def _success(content: str) -> str:
    code = value("m:ResponseCode", Code.NO_ERROR)
    return (
        f'<m:GetStreamingEventsResponseMessage ResponseClass="Success">{code}{content}'
        "</m:GetStreamingEventsResponseMessage>"
    )


def _failure(error: EwsError, ids: list[str]) -> str:
    named = "".join([value("t:SubscriptionId", text) for text in ids])
    return (
        f'<m:GetStreamingEventsResponseMessage ResponseClass="Error">{error.markup}'
        f"<m:ErrorSubscriptionIds>{named}</m:ErrorSubscriptionIds></m:GetStreamingEventsResponseMessage>"
    )


GET_STREAMING_EVENTS = GetStreamingEvents()
