"""Notifications that are sent to subscribers: when, what, and to whom no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import pytest

from postern.model.directory import DirectoryUnavailable
from postern.model.folders import FolderKind
from postern.model.items import NewItem
from postern.model.mailbox import MailboxError
from postern.model.organization import Impersonation
from postern.model.security import Identity, Mechanism, PrincipalKind
from postern.protocols.ews.names import MESSAGES
from postern.protocols.ews.subscriptions import (
    EventKind,
    SubscriptionId,
    SubscriptionKind,
    Watermark,
    read_subscription,
)
from postern.protocols.http.client import Response
from postern.protocols.http.events import Field
from postern.services.ews import pushing, subscriptions
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.application import EwsApplication
from postern.services.ews.events import Told
from postern.services.ews.operations.every import OPERATIONS
from postern.services.ews.pushing import NoPusher, Pusher
from postern.services.http.outgoing import OutgoingError, Target
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import NAMES, EwsSite
from tests.services.ews.test_notifications import MESSAGE, changes_of, folders_of, get_events, subscribe, unsubscribe

URL = "https://listener.example.org/notify?id=1"


class Subscriber:
    """A subscriber that answers as it is told, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[str | OutgoingError | int] = []
        self.sent: asyncio.Queue[tuple[Target, str]] = asyncio.Queue()

    async def post(self, target: Target, body: bytes, fields: Sequence[Field]) -> Response:
        assert (b"Content-Type", b"text/xml; charset=utf-8") in fields
        self.sent.put_nowait((target, body.decode()))
        answer = self.answers.pop(0) if self.answers else "OK"
        if isinstance(answer, OutgoingError):
            raise answer
        if isinstance(answer, int):
            return Response(answer, (), b"")
        status = f"<m:SubscriptionStatus>{answer}</m:SubscriptionStatus>"
        envelope = f'<s:Envelope xmlns:s="{NAMES["s"]}" xmlns:m="{MESSAGES}"><s:Body>{status}</s:Body></s:Envelope>'
        return Response(200, (), envelope.encode())

    async def events(self) -> list[str]:
        async with asyncio.timeout(10):
            self.target, text = await self.sent.get()
        self.root = ElementTree.fromstring(text.encode())
        content = self.root.find(".//m:SendNotification//m:Notification", NAMES)
        assert content is not None
        return [each.tag.rpartition("}")[2] for each in content if each.tag.endswith("Event")]


class PushSite(EwsSite):
    def __init__(self, is_clear: bool = False) -> None:
        super().__init__()
        self.subscriber = Subscriber()
        self.revoked: dict[UUID | None, Callable[[], None]] = {}
        self.pusher = Pusher(self.subscriber, self._register, is_clear)
        self.access = replace(self.access, pushing=self.pusher)
        self.application = EwsApplication(self.access, OPERATIONS)

    def _register(self, identity: Identity, revoke: Callable[[], None]) -> None:
        self.revoked[identity.guid] = revoke

    async def subscribed(self, url: str = URL, folders: str = "", who: str = ALICE, header: str = "") -> Any:
        body = subscribe("Push", folders).replace("</t:StatusFrequency>", f"</t:StatusFrequency><t:URL>{url}</t:URL>")
        return await self.ask(body, who, header=header)

    async def ended(self) -> None:
        async with asyncio.timeout(10):
            await asyncio.gather(*self.pusher._tasks, return_exceptions=True)
        await self.pusher.close()
        changes = changes_of(self)
        assert not changes._watches
        await changes.close()


def test_a_subscriber_is_notified_until_it_wants_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "GATHER", 0.0)

    async def steps() -> None:
        site = PushSite()
        inbox = await site.folder(FolderKind.INBOX)
        answer = await site.subscribed(folders=folders_of("inbox"))
        assert answer.codes == ["NoError"]
        subscription = answer.find(".//m:SubscriptionId").text
        subscriber = site.subscriber
        assert await subscriber.events() == ["StatusEvent"]
        assert subscriber.target == Target("https", "listener.example.org", 443, "/notify?id=1")
        assert subscriber.root.findtext(".//t:SubscriptionId", "", NAMES) == subscription
        await site.mailboxes.create(guid_of(ALICE), inbox, [NewItem(MESSAGE)])
        assert await subscriber.events() == ["CreatedEvent", "NewMailEvent", "ModifiedEvent"]
        # Only the subscriber ends it.
        assert (await site.ask(unsubscribe(subscription or ""))).codes == ["ErrorInvalidSubscription"]
        subscriber.answers.append("Unsubscribe")
        await site.mailboxes.create(guid_of(ALICE), inbox, [NewItem(MESSAGE)])
        assert await subscriber.events() == ["CreatedEvent", "NewMailEvent", "ModifiedEvent"]
        await site.ended()

    asyncio.run(steps())


def test_a_subscriber_hears_that_its_subscription_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "MINUTE", 0.02)

    async def steps() -> None:
        site = PushSite()
        await site.folder(FolderKind.INBOX)
        assert (await site.subscribed()).codes == ["NoError"]
        assert [await site.subscriber.events() for _ in range(3)] == [["StatusEvent"]] * 3
        # The account may not be logged on any more.
        site.revoked[guid_of(ALICE)]()
        await site.ended()

    asyncio.run(steps())


def test_a_mailbox_that_cannot_be_read_for_a_while_does_not_end_a_new_subscription(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = pushing.open_watched
    failures: list[Exception] = [MailboxError("UNAVAILABLE", "no answer"), DirectoryUnavailable("directory")]

    async def unavailable(call: Call, subscription: SubscriptionId) -> Mailbox:
        if failures:
            raise failures.pop()
        return await opened(call, subscription)

    monkeypatch.setattr(pushing, "open_watched", unavailable)
    monkeypatch.setattr(pushing, "RETRY", 0.01)

    async def steps() -> None:
        site = PushSite()
        await site.folder(FolderKind.INBOX)
        assert (await site.subscribed()).codes == ["NoError"]
        assert await site.subscriber.events() == ["StatusEvent"]
        assert not failures
        await site.pusher.close()
        await site.ended()

    asyncio.run(steps())


def test_a_mailbox_that_cannot_be_read_ends_a_new_subscription(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    async def unavailable(*_: object) -> None:
        asked.append(_)
        raise MailboxError("UNAVAILABLE", "no answer")

    monkeypatch.setattr(pushing, "open_watched", unavailable)
    monkeypatch.setattr(pushing, "RETRY", 0.01)
    monkeypatch.setattr(pushing, "MINUTE", 0.05)

    async def steps() -> None:
        site = PushSite()
        await site.folder(FolderKind.INBOX)
        assert (await site.subscribed()).codes == ["NoError"]
        (task,) = site.pusher._tasks
        async with asyncio.timeout(10):
            await asyncio.wait([task])
        assert task.exception() is None and len(asked) > 1
        await site.pusher.close()

    asyncio.run(steps())


def test_a_server_that_cannot_send_says_so() -> None:
    async def steps() -> None:
        site = PushSite()
        site.access = replace(site.access, pushing=NoPusher())
        site.application = EwsApplication(site.access, OPERATIONS)
        await site.folder(FolderKind.INBOX)
        answer = await site.subscribed()
        assert answer.codes == ["ErrorInternalServerTransientError"] and "cannot send notifications" in answer.text

    asyncio.run(steps())


@pytest.mark.parametrize("account", [ALICE, BOB])
def test_a_subscription_in_the_place_of_another_ends_with_the_account_of_either(account: str) -> None:
    async def steps() -> None:
        site = PushSite()
        site.access = replace(site.access, impersonations=lambda: [Impersonation((BOB,), (ALICE,))])
        site.application = EwsApplication(site.access, OPERATIONS)
        await site.folder(FolderKind.INBOX)
        name = f"<t:PrimarySmtpAddress>{ALICE}</t:PrimarySmtpAddress>"
        header = f"<t:ExchangeImpersonation><t:ConnectingSID>{name}</t:ConnectingSID></t:ExchangeImpersonation>"
        assert (await site.subscribed(folders=folders_of("inbox"), who=BOB, header=header)).codes == ["NoError"]
        assert await site.subscriber.events() == ["StatusEvent"]
        site.revoked[guid_of(account)]()
        await site.ended()

    asyncio.run(steps())


def test_a_subscriber_that_does_not_answer_is_asked_again_and_then_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(pushing, "MINUTE", 0.03)

    async def steps() -> None:
        site = PushSite()
        await site.folder(FolderKind.INBOX)
        site.subscriber.answers = [500, OutgoingError("it is not there"), 302, "OK"]
        assert (await site.subscribed()).codes == ["NoError"]
        for _ in range(3):
            assert await site.subscriber.events() == ["StatusEvent"]
        # After waits of 0.01 and 0.02, the next one would be longer than the status frequency.
        await site.ended()
        assert site.subscriber.answers == ["OK"]

    asyncio.run(steps())


def test_a_subscriber_hears_that_its_subscription_stands_while_other_folders_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each look at the mailbox finds that it has changed again, and nothing to tell of."""

    class Changing(asyncio.Event):
        def clear(self) -> None:
            pass

    async def nothing(mailbox: Mailbox, subscription: SubscriptionId, since: int) -> Told:
        await asyncio.sleep(0.001)
        return Told(since + 1)

    monkeypatch.setattr(pushing, "MINUTE", 0.05)
    monkeypatch.setattr(pushing, "GATHER", 0.0)
    monkeypatch.setattr(pushing, "events_since", nothing)

    async def steps() -> None:
        site = PushSite()
        await site.folder(FolderKind.INBOX)
        identity = Identity(PrincipalKind.USER, ALICE, Mechanism.NTLM, guid_of(ALICE))
        subscription = SubscriptionId(
            SubscriptionKind.PUSH, guid_of(ALICE), guid_of(ALICE), EventKind.CREATED, 1, 1, 0, bytes(8)
        )
        kept, wake = site.access.subscriptions.add(subscription), Changing()
        wake.set()
        async with asyncio.timeout(5):
            told = await pushing._next(Call(site.access, identity), kept, wake)
        assert not told.events and told.change == kept.change > 2

    asyncio.run(steps())


def test_urls_are_checked() -> None:
    async def steps() -> None:
        site = PushSite()
        await site.folder(FolderKind.INBOX)
        for url in ("", "x", "ftp://a.example/", "http://a.example/", "https://u:p@a.example/", "https://a.example:x/"):
            assert (await site.subscribed(url)).codes == ["ErrorInvalidPushSubscriptionUrl"], url
        clear = PushSite(is_clear=True)
        await clear.folder(FolderKind.INBOX)
        assert (await clear.subscribed("http://a.example/")).codes == ["NoError"]
        await clear.pusher.close()
        await clear.ended()

    asyncio.run(steps())


def test_ids_that_are_made_up_do_not_free_the_place_of_a_subscription(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        monkeypatch.setattr(subscriptions, "MAX_SUBSCRIPTIONS", 2)
        monkeypatch.setattr(subscriptions, "_MAX_KEPT", 4)
        site = PushSite()
        for _ in range(2):
            answer = await site.subscribed(folders=folders_of("inbox"))
            pushed = read_subscription(answer.texts(".//m:SubscriptionId")[0])
            pulled = replace(pushed, kind=SubscriptionKind.PULL, minutes=10)
            assert (await site.ask(unsubscribe(str(pulled)))).codes == ["ErrorSubscriptionNotFound"]
        for number in range(9):
            mark = str(Watermark(pulled.mailbox, pulled.change, pulled.made))
            await site.ask(get_events(str(replace(pulled, nonce=b"%08d" % number)), mark))
        answer = await site.subscribed(folders=folders_of("inbox"))
        assert answer.codes == ["ErrorExceededSubscriptionCount"] and len(site.pusher._tasks) == 2
        await site.pusher.close()

    asyncio.run(steps())
