"""Subscriptions: pulled and streamed events, by rights, and what is forged.

covers: events, subscriptions, watching, services.ews.operations.subscribe, services.ews.operations.get_events
covers: services.ews.operations.unsubscribe, services.ews.operations.get_streaming_events, protocols.ews.subscriptions
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from dataclasses import replace
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import pytest

from postern.model.folders import FolderKind, Right
from postern.model.items import FlagChange, NewItem
from postern.model.organization import Impersonation
from postern.model.security import Identity, Mechanism, Peer, PrincipalKind
from postern.protocols.ews.subscriptions import (
    EventKind,
    SubscriptionId,
    SubscriptionKind,
    Watermark,
    read_subscription,
    read_watermark,
)
from postern.services.access.changes import MailboxChanges, Watch
from postern.services.ews import subscriptions
from postern.services.ews.application import EwsApplication
from postern.services.ews.operations import get_streaming_events
from postern.services.ews.operations.every import OPERATIONS
from postern.services.http.site import Caller
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import NAMES, ROW, Answer, EwsSite, envelope
from tests.support.waiting import until

EVERY = ("Copied", "Created", "Deleted", "Modified", "Moved", "NewMail", "FreeBusyChanged")
MESSAGE = b"From: carol@example.test\r\nSubject: Lunch\r\n\r\nHello\r\n"


def folders_of(*names: str, mailbox: str = "") -> str:
    owner = f"<t:Mailbox><t:EmailAddress>{mailbox}</t:EmailAddress></t:Mailbox>" if mailbox else ""
    return "".join(f'<t:DistinguishedFolderId Id="{name}">{owner}</t:DistinguishedFolderId>' for name in names)


def subscribe(kind: str = "Pull", folders: str = "", events: tuple[str, ...] = EVERY, more: str = "") -> str:
    place = f"<t:FolderIds>{folders}</t:FolderIds>" if folders else ""
    every = "" if folders else ' SubscribeToAllFolders="true"'
    types = "".join(f"<t:EventType>{event}Event</t:EventType>" for event in events)
    last = {"Pull": "<t:Timeout>10</t:Timeout>", "Push": "<t:StatusFrequency>1</t:StatusFrequency>"}.get(kind, "")
    return (
        f"<m:Subscribe><m:{kind}SubscriptionRequest{every}>{place}<t:EventTypes>{types}</t:EventTypes>{more}{last}"
        f"</m:{kind}SubscriptionRequest></m:Subscribe>"
    )


def get_events(subscription: str, watermark: str) -> str:
    return (
        f"<m:GetEvents><m:SubscriptionId>{subscription}</m:SubscriptionId>"
        f"<m:Watermark>{watermark}</m:Watermark></m:GetEvents>"
    )


def changes_of(site: EwsSite) -> MailboxChanges:
    server = site.access.server("")
    assert server is not None
    return server.changes


def unsubscribe(subscription: str) -> str:
    return f"<m:Unsubscribe><m:SubscriptionId>{subscription}</m:SubscriptionId></m:Unsubscribe>"


class Puller:
    """A client that pulls the events of one subscription."""

    def __init__(self, site: EwsSite, answer: Answer, address: str = ALICE) -> None:
        assert answer.codes == ["NoError"], answer.text
        self.site, self.address = site, address
        self.id = answer.find(".//m:SubscriptionId").text or ""
        self.watermark = answer.find(".//m:Watermark").text or ""

    async def pull(self) -> list[str]:
        """The names of the events, "Created item" or "Modified folder"; it goes on behind the last."""
        answer = await self.site.ask(get_events(self.id, self.watermark), self.address)
        assert answer.codes == ["NoError"], answer.text
        self.watermark = answer.texts(".//m:Notification//t:Watermark")[-1]
        self.answer = answer
        events = [each for each in answer.find(".//m:Notification") if each.tag.endswith("Event")]
        return [_name(each.tag, each.find("{*}ItemId") is not None) for each in events]


def _name(tag: str, is_item: bool) -> str:
    name = tag.rpartition("}")[2].removesuffix("Event")
    return name if name == "Status" else f"{name} {'item' if is_item else 'folder'}"


def test_events_of_items_are_pulled() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, drafts = await site.folder(FolderKind.INBOX), await site.folder(FolderKind.DRAFTS)
        guid = guid_of(ALICE)
        puller = Puller(site, await site.ask(subscribe(folders=folders_of("inbox"))))
        assert await puller.pull() == ["Status"]
        (item,) = await site.mailboxes.create(guid, inbox, [NewItem(MESSAGE)])
        assert await puller.pull() == ["Created item", "NewMail item", "Modified folder"]
        assert puller.answer.texts(".//t:UnreadCount") == ["1"]
        await site.mailboxes.change_flags(guid, inbox, [(1, 1)], FlagChange.ADD, 1)
        assert await puller.pull() == ["Modified item", "Modified folder"]
        assert puller.answer.texts(".//t:UnreadCount") == ["0"]
        assert await puller.pull() == ["Status"]
        await site.mailboxes.move_items(guid, [item], drafts)
        assert await puller.pull() == ["Moved item", "Modified folder"]
        moved = puller.answer.find(".//t:MovedEvent")
        assert [each.tag.rpartition("}")[2] for each in moved] == [
            "Watermark",
            "TimeStamp",
            "ItemId",
            "ParentFolderId",
            "OldItemId",
            "OldParentFolderId",
        ]
        # In another folder than the one that is watched.
        await site.mailboxes.delete(guid, [item])
        assert await puller.pull() == ["Status"]
        (item,) = await site.mailboxes.create(guid, inbox, [NewItem(MESSAGE)])
        await puller.pull()
        await site.mailboxes.delete(guid, [item])
        assert await puller.pull() == ["Deleted item", "Modified folder"]

    asyncio.run(steps())


def test_the_whole_mailbox_tells_of_folders_and_busy_times() -> None:
    async def steps() -> None:
        site = EwsSite()
        calendar, guid = await site.folder(FolderKind.CALENDAR), guid_of(ALICE)
        events = ("Created", "Deleted", "FreeBusyChanged")
        puller = Puller(site, await site.ask(subscribe(events=events)))
        node = await site.mailboxes.create_in(guid, 0, "Projects")
        assert await puller.pull() == ["Created folder"]
        await site.mailboxes.delete_folder(guid, node.id)
        assert await puller.pull() == ["Deleted folder"]
        await site.mailboxes.create(guid, calendar, [NewItem(MESSAGE, item_class="IPM.Appointment")])
        assert await puller.pull() == ["Created item", "FreeBusyChanged item"]
        # From a watermark on, another subscription goes on.
        mark = puller.watermark
        await site.mailboxes.create_in(guid, 0, "Others")
        more = f"<t:Watermark>{mark}</t:Watermark>"
        assert await Puller(site, await site.ask(subscribe(more=more))).pull() == ["Created folder"]

    asyncio.run(steps())


def test_many_events_come_in_pages() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, guid = await site.folder(FolderKind.INBOX), guid_of(ALICE)
        puller = Puller(site, await site.ask(subscribe(events=("Created",))))
        for _ in range(12):
            await site.mailboxes.create(guid, inbox, [NewItem(MESSAGE)] * 100)
        told = 0
        pages = 0
        while True:
            told += len(await puller.pull())
            pages += 1
            if puller.answer.texts(".//t:MoreEvents") == ["false"]:
                break
        assert (told, pages) == (1_200, 3)

    asyncio.run(steps())


def test_others_folders_are_watched_by_rights() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, guid = await site.folder(FolderKind.INBOX), guid_of(ALICE)
        await site.folder(FolderKind.INBOX, BOB)
        body = subscribe(folders=folders_of("inbox", mailbox=ALICE))
        assert (await site.ask(body, BOB)).codes == ["ErrorFolderNotFound"]
        owner = next(each for each in site.recipients.known.values() if each.guid == guid)
        await site.sharing.set_rights(owner, inbox, guid_of(BOB), Right.VISIBLE)
        assert (await site.ask(body, BOB)).codes == ["ErrorAccessDenied"]
        await site.sharing.set_rights(owner, inbox, guid_of(BOB), Right.READ_ANY | Right.VISIBLE)
        puller = Puller(site, await site.ask(body, BOB), BOB)
        await site.mailboxes.create(guid, inbox, [NewItem(MESSAGE)])
        await site.mailboxes.create_in(guid, 0, "Secret")
        assert await puller.pull() == ["Created item", "NewMail item", "Modified folder"]
        # Another's subscription is no way in, and neither is one that was made up.
        mine = read_subscription(puller.id)
        forged = replace(mine, folders=(), nonce=b"made up.")
        assert (await site.ask(get_events(puller.id, puller.watermark))).codes == ["ErrorSubscriptionAccessDenied"]
        assert (await site.ask(get_events(str(forged), puller.watermark), BOB)).codes == ["ErrorAccessDenied"]
        forged = replace(mine, folders=())
        assert (await site.ask(get_events(str(forged), puller.watermark), BOB)).codes == ["ErrorSubscriptionNotFound"]
        await site.sharing.set_rights(owner, inbox, guid_of(BOB), None)
        assert (await site.ask(get_events(puller.id, puller.watermark), BOB)).codes == ["ErrorAccessDenied"]

    asyncio.run(steps())


def test_what_is_no_subscription_is_refused() -> None:
    async def steps() -> None:
        site = EwsSite()
        await site.folder(FolderKind.INBOX)
        puller = Puller(site, await site.ask(subscribe()))
        mark, mine = read_watermark(puller.watermark), read_subscription(puller.id)
        for subscription, watermark, code in (
            ("x", puller.watermark, "ErrorInvalidSubscription"),
            (puller.id, "x", "ErrorInvalidWatermark"),
            (puller.id, str(replace(mark, change=mark.change + 1_000)), "ErrorInvalidWatermark"),
            (puller.id, str(replace(mark, mailbox=guid_of(BOB))), "ErrorInvalidWatermark"),
            (str(replace(mine, kind=SubscriptionKind.STREAMING)), puller.watermark, "ErrorInvalidPullSubscriptionId"),
        ):
            assert (await site.ask(get_events(subscription, watermark))).codes == [code]
        for body, code in (
            (subscribe(events=("Nothing",)), "ErrorSchemaValidation"),
            (subscribe(folders=folders_of("inbox", "nowhere")), "ErrorFolderNotFound"),
            (subscribe(more="<t:Watermark>x</t:Watermark>"), "ErrorInvalidWatermark"),
            (subscribe(kind="Push", more=""), "ErrorInvalidSubscriptionRequest"),
        ):
            assert (await site.ask(body)).codes == [code]
        both = subscribe(folders=folders_of("inbox")).replace("Request>", 'Request SubscribeToAllFolders="1">', 1)
        assert (await site.ask(both)).codes == ["ErrorInvalidSubscriptionRequest"]
        assert (await site.ask(subscribe("Streaming"), version="Exchange2010")).codes == [
            "ErrorInvalidSubscriptionRequest"
        ]
        assert (await site.ask(unsubscribe(puller.id))).codes == ["NoError"]
        assert (await site.ask(unsubscribe(puller.id))).codes == ["ErrorSubscriptionNotFound"]
        assert (await site.ask(get_events(puller.id, puller.watermark))).codes == ["ErrorSubscriptionNotFound"]

    asyncio.run(steps())


def test_subscriptions_expire_and_are_counted() -> None:
    async def steps() -> None:
        site = EwsSite()
        now = 1_000_000.0
        site.access.subscriptions._clock = lambda: now
        await site.folder(FolderKind.INBOX)
        puller = Puller(site, await site.ask(subscribe()))
        now += 599
        await puller.pull()
        # Another process, which knows nothing of it, sees by the watermark that it is in use.
        site.access.subscriptions._by_user.clear()
        now += 599
        await puller.pull()
        now += 601
        assert (await site.ask(get_events(puller.id, puller.watermark))).codes == ["ErrorExpiredSubscription"]
        site.access.subscriptions._by_user.clear()
        assert (await site.ask(get_events(puller.id, puller.watermark))).codes == ["ErrorExpiredSubscription"]
        for _ in range(subscriptions.MAX_SUBSCRIPTIONS):
            assert (await site.ask(subscribe())).codes == ["NoError"]
        assert (await site.ask(subscribe())).codes == ["ErrorExceededSubscriptionCount"]
        now += 601
        assert (await site.ask(subscribe())).codes == ["NoError"]
        assert read_watermark(str(Watermark(guid_of(ALICE), 5, 7))) == Watermark(guid_of(ALICE), 5, 7)

    asyncio.run(steps())


class Stream:
    """A connection on which events are told, read envelope by envelope."""

    def __init__(self, site: EwsSite, *ids: str, minutes: int = 1, address: str = ALICE, header: str = "") -> None:
        named = "".join(f"<t:SubscriptionId>{each}</t:SubscriptionId>" for each in ids)
        body = (
            f"<m:GetStreamingEvents><m:SubscriptionIds>{named}</m:SubscriptionIds>"
            f"<m:ConnectionTimeout>{minutes}</m:ConnectionTimeout></m:GetStreamingEvents>"
        )
        self._site, self._ids = site, ids
        self._body: list[bytes] = [envelope(body, header=header)]
        self._gone = asyncio.Event()
        self._envelopes: asyncio.Queue[str] = asyncio.Queue()
        self.status = 0
        identity = Identity(PrincipalKind.USER, address, Mechanism.NTLM, guid_of(address))
        caller = Caller(identity, ROW, Peer("192.0.2.1", 40_000), None)
        scope = {"type": "http", "method": "POST", "headers": [], "extensions": {"postern": caller}}
        self.task = asyncio.create_task(site.application(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self._body:
            return {"type": "http.request", "body": self._body.pop(), "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.status = message.get("status", self.status)
        for part in message.get("body", b"").decode().split("</s:Envelope>")[:-1]:
            self._envelopes.put_nowait(f"{part}</s:Envelope>")

    async def next(self) -> list[str]:
        """The next envelope: the status of the connection, its events, or the code of an error."""
        async with asyncio.timeout(10):
            self.text = await self._envelopes.get()
        root = ElementTree.fromstring(self.text.encode())
        if (status := root.findtext(".//m:ConnectionStatus", "", NAMES)) or root.find(
            ".//m:Notification", NAMES
        ) is None:
            return [status or root.findtext(".//m:ResponseCode", "", NAMES)]
        events = [each for each in root.iter() if each.tag.endswith("Event")]
        return [_name(each.tag, each.find("{*}ItemId") is not None) for each in events]

    async def settled(self) -> None:
        """Waits until the application knows that its last envelope was sent."""
        mark = read_subscription(self._ids[0])
        kept = self._site.access.subscriptions._by_user[mark.user][mark.nonce]
        change = (await self._site.mailboxes.logon(mark.mailbox)).change
        await until(lambda: kept.change == change)

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def streaming(site: EwsSite, folders: str = "", address: str = ALICE, header: str = "") -> str:
    answer = await site.ask(subscribe("Streaming", folders), address, header=header)
    assert answer.codes == ["NoError"] and not answer.all(".//m:Watermark"), answer.text
    return answer.find(".//m:SubscriptionId").text or ""


def test_events_are_streamed() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, guid = await site.folder(FolderKind.INBOX), guid_of(ALICE)
        text = await streaming(site, folders_of("inbox"))
        # What happens before the connection is there is told on it.
        await site.mailboxes.create(guid, inbox, [NewItem(MESSAGE)])
        stream = Stream(site, text)
        assert await stream.next() == ["OK"]
        assert await stream.next() == ["Created item", "NewMail item", "Modified folder"]
        assert "Watermark" not in stream.text
        await site.mailboxes.change_flags(guid, inbox, [(1, 1)], FlagChange.ADD, 1)
        assert await stream.next() == ["Modified item", "Modified folder"]
        await stream.settled()
        await stream.leave()
        # A later connection goes on where that one ended; the next takes over from one that still stands.
        await site.mailboxes.create(guid, inbox, [NewItem(MESSAGE)])
        stream = Stream(site, text)
        assert await stream.next() == ["OK"]
        assert await stream.next() == ["Created item", "NewMail item", "Modified folder"]
        await stream.settled()
        other = Stream(site, text, await streaming(site))
        assert await stream.next() == ["Closed"]
        assert await other.next() == ["OK"]
        await site.mailboxes.create(guid, inbox, [NewItem(MESSAGE)])
        assert await other.next() == ["Created item", "NewMail item", "Modified folder"]
        await other.leave()
        assert not site.access.subscriptions._streams
        changes = changes_of(site)
        assert not changes._watches
        await changes.close()

    asyncio.run(steps())


def test_a_stream_says_that_it_stands_while_other_folders_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_streaming_events, "HEARTBEAT", 0.2)
    monkeypatch.setattr(get_streaming_events, "GATHER", 0.0)

    async def steps() -> None:
        site = EwsSite()
        drafts = await site.folder(FolderKind.DRAFTS)
        stream = Stream(site, await streaming(site, folders_of("inbox")))

        async def others() -> None:
            while True:
                await site.mailboxes.create(guid_of(ALICE), drafts, [NewItem(MESSAGE)])
                await asyncio.sleep(0.02)

        busy = asyncio.create_task(others())
        try:
            assert [await stream.next() for _ in range(3)] == [["OK"]] * 3
        finally:
            busy.cancel()
            await stream.leave()
            await changes_of(site).close()

    asyncio.run(steps())


def test_a_made_up_change_number_does_not_come_into_the_wait_of_all_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[int] = []
    watch = MailboxChanges.watch

    def noted(self: MailboxChanges, mailbox: UUID, change: int, changed: Callable[[], None]) -> Watch:
        watched.append(change)
        return watch(self, mailbox, change, changed)

    monkeypatch.setattr(MailboxChanges, "watch", noted)

    async def steps() -> None:
        site = EwsSite()
        await site.folder(FolderKind.INBOX)
        text = await streaming(site)
        made_up = replace(read_subscription(text), change=1 << 61, nonce=bytes(8))
        stream = Stream(site, str(made_up))
        assert [await stream.next() for _ in range(3)] == [["OK"], ["ErrorInvalidWatermark"], ["Closed"]]
        assert not watched
        stream = Stream(site, text)
        assert await stream.next() == ["OK"]
        await until(lambda: bool(watched))
        assert watched == [read_subscription(text).change]
        await stream.leave()
        await changes_of(site).close()

    asyncio.run(steps())


def test_what_another_process_gave_is_forgotten_when_it_is_over() -> None:
    now = 1_000_000.0
    known = subscriptions.Subscriptions(lambda: now)
    for number in range(5):
        user = UUID(int=number + 1)
        known.known(
            SubscriptionId(SubscriptionKind.PULL, user, user, EventKind.CREATED, 10, 1, int(now), bytes(8)), user
        )
        now += 3_600
    assert len(known._by_user) == 1


def test_a_stream_ends_with_its_subscription_or_its_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_streaming_events, "HEARTBEAT", 0.05)

    async def steps() -> None:
        site = EwsSite()
        inbox, guid = await site.folder(FolderKind.INBOX), guid_of(ALICE)
        text = await streaming(site)
        stream = Stream(site, text, "x")
        assert await stream.next() == ["ErrorInvalidSubscription"]
        assert "<m:ErrorSubscriptionIds><t:SubscriptionId>x</t:SubscriptionId></m:ErrorSubscriptionIds>" in stream.text
        # The connection is said to stand.
        assert [await stream.next() for _ in range(3)] == [["OK"]] * 3
        assert (await site.ask(unsubscribe(text))).codes == ["NoError"]
        while (told := await stream.next()) == ["OK"]:
            pass
        assert told == ["Closed"]
        stream = Stream(site, text)
        assert [await stream.next(), await stream.next()] == [["ErrorSubscriptionNotFound"], ["Closed"]]
        owner = next(each for each in site.recipients.known.values() if each.guid == guid)
        await site.sharing.set_rights(owner, inbox, guid_of(BOB), Right.READ_ANY)
        theirs = await streaming(site, folders_of("inbox", mailbox=ALICE), BOB)
        stream = Stream(site, theirs, address=BOB)
        assert await stream.next() == ["OK"]
        await site.sharing.set_rights(owner, inbox, guid_of(BOB), None)
        await site.mailboxes.create(guid, inbox, [NewItem(MESSAGE)])
        while (told := await stream.next()) == ["OK"]:
            pass
        assert told == ["ErrorAccessDenied"] and await stream.next() == ["Closed"]
        await stream.task
        # Those that another process gave long ago are not known here.
        old = replace(read_subscription(theirs), made=read_subscription(theirs).made - 1_801, nonce=bytes(8))
        stream = Stream(site, str(old), address=BOB)
        assert await stream.next() == ["ErrorSubscriptionNotFound"]
        await stream.task
        await changes_of(site).close()

    asyncio.run(steps())


def test_a_stream_in_anothers_place_ends_with_the_right_to_be_there() -> None:
    async def steps() -> None:
        site = EwsSite()
        grants = [Impersonation((BOB,), (ALICE,))]
        site.access = replace(site.access, impersonations=lambda: grants)
        site.application = EwsApplication(site.access, OPERATIONS)
        inbox, guid = await site.folder(FolderKind.INBOX), guid_of(ALICE)
        header = (
            f"<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>{ALICE}</t:PrimarySmtpAddress>"
            "</t:ConnectingSID></t:ExchangeImpersonation>"
        )
        stream = Stream(site, await streaming(site, "", BOB, header), address=BOB, header=header)
        assert await stream.next() == ["OK"]
        await site.mailboxes.create(guid, inbox, [NewItem(MESSAGE)])
        assert (await stream.next())[:2] == ["Created item", "NewMail item"]
        grants.clear()
        await site.mailboxes.create(guid, inbox, [NewItem(MESSAGE)])
        assert [await stream.next(), await stream.next()] == [["ErrorImpersonateUserDenied"], ["Closed"]]
        await stream.task
        await changes_of(site).close()

    asyncio.run(steps())


def test_streams_of_a_user_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_STREAMS", 1)

    async def steps() -> None:
        site = EwsSite()
        await site.folder(FolderKind.INBOX)
        first = Stream(site, await streaming(site))
        assert await first.next() == ["OK"]
        second = Stream(site, await streaming(site))
        await second.task
        await second.next()
        assert second.status == 500 and "ErrorExceededConnectionCount" in second.text
        await first.leave()
        third = Stream(site, await streaming(site), minutes=31)
        await third.task
        assert third.status == 500
        await changes_of(site).close()

    asyncio.run(steps())
