"""Notifications that are sent to subscribers (MS-OXWSPSNTIF section 3.2): each push subscription is a task of this process.

A subscription lives as long as its process, its subscriber wants more, and its user may log on. A subscriber notices the end of
its server by the status that does not come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Protocol

from postern.model.directory import DirectoryUnavailable
from postern.model.mailbox import MailboxError
from postern.model.security import Identity
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.envelope import CLOSING, CONTENT_TYPE, start_tag
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import MESSAGES, SOAP, TYPES, value
from postern.protocols.ews.subscriptions import SubscriptionId, Watermark, read_result
from postern.protocols.http.client import Response
from postern.protocols.http.events import Field
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.events import Told, events_since, notification
from postern.services.ews.impersonation import renewed
from postern.services.ews.operation import as_error
from postern.services.ews.subscriptions import Kept
from postern.services.ews.watching import GATHER, RETRY, UNREACHABLE, open_watched
from postern.services.http.outgoing import OutgoingError, Target, target_of
from postern.telemetry.log import Event, log
from postern.trust.reauthorization import Registration

FIRST_RETRY = 30.0
"""Seconds until a subscriber that did not answer is asked again; each time twice as long, until that is longer than its status
frequency. Then the subscription ends."""
MINUTE = 60
_ACTION = (b"SOAPAction", f'"{MESSAGES}/SendNotification"'.encode())
_FIELDS = ((b"Content-Type", CONTENT_TYPE.encode()), _ACTION)


class Poster(Protocol):
    """Posts to subscribers, as `services.http.outgoing.Outgoing` does."""

    async def post(self, target: Target, body: bytes, fields: Sequence[Field]) -> Response: ...


class NoPusher:
    """Stands where notifications are configured and cannot be sent, and refuses each subscription with the reason."""

    async def begin(self, call: Call, subscription: SubscriptionId, url: str) -> None:
        raise EwsError(
            Code.INTERNAL_SERVER_TRANSIENT_ERROR,
            "This server cannot send notifications now, as its log says: pull them, or subscribe again later.",
        )


class Unsubscribed(Exception):
    """The subscriber wants no more notifications."""


class Pusher:
    """Sends the notifications of one process. `registers` has a function called when an account may not be logged on any more.
    With `is_clear`, URLs of http are taken beside those of https."""

    def __init__(
        self,
        poster: Poster,
        registers: Callable[[Identity, Callable[[], None]], Registration | None],
        is_clear: bool = False,
    ) -> None:
        self._poster = poster
        self._registers = registers
        self._is_clear = is_clear
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, call: Call, subscription: SubscriptionId, url: str) -> None:
        target = target_of(url)
        if target is None or (target.scheme == "http" and not self._is_clear):
            raise EwsError(Code.INVALID_PUSH_SUBSCRIPTION_URL)
        kept = call.access.subscriptions.add(subscription)
        # The request is not kept, only who made it.
        own = Call(call.access, call.identity, call.header, call.impersonator)
        task = asyncio.get_running_loop().create_task(self._serve(own, kept, target))
        kept.displace = partial(_end, task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ends all subscriptions."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, call: Call, kept: Kept, target: Target) -> None:
        """Notifies one subscriber until that ends."""
        displace = kept.displace
        registrations = [self._registers(each, displace) for each in _accounts(call)] if displace is not None else []
        why = "the server or the account ended it"
        try:
            await self._notify(call, kept, target)
        except Unsubscribed:
            why = "the subscriber wants no more"
        except OutgoingError as error:
            why = str(error)
        except (EwsError, MailboxError, DirectoryUnavailable) as error:
            why = as_error(error).code.value
        finally:
            for registration in registrations:
                if registration is not None:
                    registration.end()
            kept.displace = None
            call.access.subscriptions.end(kept)
            log(Event.NOTIFICATIONS_ENDED, path="ews-notification", name=call.identity.name, host=target.host, why=why)

    async def _notify(self, call: Call, kept: Kept, target: Target) -> None:
        wake = asyncio.Event()
        mailbox = await _opened(call, kept)
        watch = mailbox.server.changes.watch(mailbox.id, kept.change, wake.set)
        try:
            # The first notification says that the subscription has begun (MS-OXWSPSNTIF section 3.2.4).
            told = Told(kept.change)
            while True:
                await self._send(call, kept, target, told)
                if told.more:
                    wake.set()
                told = await _next(call, kept, wake)
        finally:
            watch.close()

    async def _send(self, call: Call, kept: Kept, target: Target, told: Told) -> None:
        """Sends one notification until the subscriber has it. Raises OutgoingError where it does not answer, Unsubscribed."""
        now = int(call.access.subscriptions.now)
        before, after = (str(Watermark(kept.id.mailbox, change, now)) for change in (kept.change, told.change))
        body = _envelope(call, notification(str(kept.id), before, after, told))
        delay = FIRST_RETRY
        while True:
            try:
                response = await self._poster.post(target, body, _FIELDS)
                if response.status != HTTPStatus.OK:
                    raise OutgoingError(f"{target.host} answers with status {response.status}")
                goes_on = read_result(response.body)
                break
            except (OutgoingError, EwsError) as error:
                if delay > kept.id.minutes * MINUTE:
                    raise OutgoingError(str(error)) from None
                await asyncio.sleep(delay)
                delay *= 2
        if not goes_on:
            raise Unsubscribed
        kept.change = told.change


def _accounts(call: Call) -> list[Identity]:
    """The user who acts, and who acts in that one's place: a subscription ends with the account of either."""
    return [call.identity] if call.impersonator is None else [call.identity, call.impersonator]


def _end(task: asyncio.Task[None]) -> None:
    task.cancel()


async def _opened(call: Call, kept: Kept) -> Mailbox:
    """The mailbox of a subscription that begins. One that cannot be read is asked again until its subscriber would have heard
    that the subscription stands. Raises EwsError, MailboxError, DirectoryUnavailable."""
    for _ in range(int(kept.id.minutes * MINUTE / RETRY)):
        try:
            return await open_watched(await renewed(call), kept.id)
        except (EwsError, MailboxError, DirectoryUnavailable) as error:
            if as_error(error).code not in UNREACHABLE:
                raise
        await asyncio.sleep(RETRY)
    return await open_watched(await renewed(call), kept.id)


async def _next(call: Call, kept: Kept, wake: asyncio.Event) -> Told:
    """The next events of a subscription; none, when its subscriber is to hear that it still stands."""
    loop = asyncio.get_running_loop()
    until = loop.time() + kept.id.minutes * MINUTE
    while True:
        if loop.time() >= until:
            # Changes of which nothing is told may go on all the time.
            return Told(kept.change)
        try:
            async with asyncio.timeout_at(until):
                await wake.wait()
        except TimeoutError:
            return Told(kept.change)
        await asyncio.sleep(GATHER)
        wake.clear()
        try:
            mailbox = await open_watched(await renewed(call), kept.id)
            told = await events_since(mailbox, kept.id, kept.change)
        except (EwsError, MailboxError, DirectoryUnavailable) as error:
            known = as_error(error)
            if known.code not in UNREACHABLE:
                raise known from None
            loop.call_later(RETRY, wake.set)
            continue
        if told.events or told.more:
            return told
        kept.change = told.change


def _envelope(call: Call, inner: str) -> bytes:
    version = f'<t:RequestServerVersion xmlns:t="{TYPES}" Version="{call.header.version.label}"/>'
    code = value("m:ResponseCode", Code.NO_ERROR)
    return (
        f'{xml.DECLARATION.rstrip()}<s:Envelope xmlns:s="{SOAP}"><s:Header>{version}</s:Header><s:Body>'
        f"{start_tag('SendNotification')}<m:ResponseMessages>"
        f'<m:SendNotificationResponseMessage ResponseClass="Success">{code}{inner}</m:SendNotificationResponseMessage>'
        f"</m:ResponseMessages></m:SendNotification>{CLOSING}"
    ).encode()
