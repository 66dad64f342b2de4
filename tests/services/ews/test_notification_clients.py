"""exchangelib subscribes: it pulls events, has them streamed, and listens for those that are pushed.

covers: pushing
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from exchangelib.properties import CreatedEvent, MovedEvent, NewMailEvent, StatusEvent
from exchangelib.services import SendNotification

from postern.model.folders import FolderKind
from postern.model.items import NewItem
from postern.model.organization import Profile
from postern.paths.table import settle
from postern.services.ews.application import EwsApplication
from postern.services.ews.operations.every import OPERATIONS
from postern.services.ews.pushing import Pusher
from postern.services.http.outgoing import Outgoing, Permitted
from postern.telemetry.observed import Observed
from tests.services.dav.site import ALICE
from tests.services.ews.exchange import account
from tests.services.ews.site import EwsDoor
from tests.services.http.test_outgoing import Names

pytestmark = pytest.mark.slow
MESSAGE = b"From: bob@example.test\r\nTo: alice@example.test\r\nSubject: Lunch\r\n\r\nHello\r\n"


async def folder_of(door: EwsDoor, kind: FolderKind) -> int:
    guid = door.guid(ALICE)
    await door.mailboxes.logon(guid)
    return next(node.id for node in await door.mailboxes.tree(guid) if node.kind is kind)


def test_events_are_pulled(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            guid, inbox = door.guid(ALICE), await folder_of(door, FolderKind.INBOX)
            mine = await door.beside(lambda: account(door, tmp_path, ALICE))
            subscription, watermark = await door.beside(lambda: mine.inbox.subscribe_to_pull())
            await door.mailboxes.create(guid, inbox, [NewItem(MESSAGE)])

            def events(watermark: str) -> tuple[list[type], str]:
                told = mine.inbox.get_events(subscription, watermark)
                every = [event for notification in told for event in notification.events]
                return [type(event) for event in every], every[-1].watermark

            kinds, watermark = await door.beside(lambda: events(watermark))
            assert kinds[:2] == [CreatedEvent, NewMailEvent]
            kinds, watermark = await door.beside(lambda: events(watermark))
            assert kinds == [StatusEvent]

            def move() -> None:
                (item,) = mine.inbox.all().only("subject")
                item.move(mine.trash)

            await door.beside(move)
            kinds, watermark = await door.beside(lambda: events(watermark))
            assert MovedEvent in kinds and CreatedEvent not in kinds
            await door.beside(lambda: mine.inbox.unsubscribe(subscription))

    asyncio.run(steps())


def test_events_are_streamed(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            guid, inbox = door.guid(ALICE), await folder_of(door, FolderKind.INBOX)
            mine = await door.beside(lambda: account(door, tmp_path, ALICE))
            told: queue.Queue[list[type]] = queue.Queue()

            def listen() -> None:
                with mine.inbox.streaming_subscription() as subscription:
                    told.put([])
                    for notification in mine.inbox.get_streaming_events(subscription, connection_timeout=1):
                        told.put([type(event) for event in notification.events])
                        break

            listening = asyncio.create_task(door.beside(listen))
            assert await door.beside(lambda: told.get(timeout=10)) == []
            await door.mailboxes.create(guid, inbox, [NewItem(MESSAGE)])
            assert (await door.beside(lambda: told.get(timeout=10)))[:2] == [CreatedEvent, NewMailEvent]
            await listening

    asyncio.run(steps())


@contextmanager
def listener(told: queue.Queue[list[type]], protocol: Any) -> Iterator[int]:
    """A listener as exchangelib's documentation shows one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            service = SendNotification(protocol=protocol)
            events = [event for notification in service.parse(body) for event in notification.events]
            told.put([type(event) for event in events])
            ends = any(isinstance(event, CreatedEvent) for event in events)
            answer = service.unsubscribe_payload() if ends else service.ok_payload()
            self.send_response(200)
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_events_are_pushed(tmp_path: Path) -> None:
    async def steps() -> None:
        door = EwsDoor()
        outgoing = Outgoing(
            settle(Profile.PRACTICAL)["ews-notification"],
            cast(Any, Names()),
            Observed(None),
            door.client_tls(),
            Permitted(["127.0.0.0/8"]),
        )
        pusher = Pusher(outgoing, door.authenticator.reauthorization.register, True)
        door.application = EwsApplication(replace(door.ews, pushing=pusher), OPERATIONS)
        async with door.opened_to_ews():
            guid, inbox = door.guid(ALICE), await folder_of(door, FolderKind.INBOX)
            mine = await door.beside(lambda: account(door, tmp_path, ALICE))
            told: queue.Queue[list[type]] = queue.Queue()
            with listener(told, mine.protocol) as port:
                url = f"http://127.0.0.1:{port}/"
                await door.beside(lambda: mine.inbox.subscribe_to_push(callback_url=url))
                assert await door.beside(lambda: told.get(timeout=10)) == [StatusEvent]
                await door.mailboxes.create(guid, inbox, [NewItem(MESSAGE)])
                assert (await door.beside(lambda: told.get(timeout=10)))[:2] == [CreatedEvent, NewMailEvent]
                # Its answer ends the subscription.
                await asyncio.wait_for(asyncio.gather(*pusher._tasks), 10)

    asyncio.run(steps())
