"""exchangelib hears of a mailbox at the real organization, whose workers share the port: what one worker began, another goes on
with."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import pytest
from exchangelib import Account
from exchangelib.properties import CreatedEvent, Event, NewMailEvent, StatusEvent

from tests.clients.people import Mailbox
from tests.organization import PASSWORD
from tests.services.ews.exchange import account_at

pytestmark = pytest.mark.slow
CONNECTIONS = 8
"""New connections that ask one after another: with two workers, one in 128 runs would have them all at the same one."""


def opened(mailbox: Mailbox) -> Account:
    organization = mailbox.organization
    url = f"https://localhost:{organization.port(443)}/EWS/Exchange.asmx"
    return account_at(url, organization.authority, mailbox.address, password=PASSWORD)


def append(mailbox: Mailbox, subject: str) -> None:
    with mailbox.imap() as imap:
        imap.append("INBOX", None, None, f"From: bob@example.test\r\nSubject: {subject}\r\n\r\nx\r\n".encode())


def pulled(account: Account, subscription: str, watermark: str) -> list[Event]:
    return [event for each in account.inbox.get_events(subscription, watermark) for event in each.events]


def test_events_are_pulled_from_any_worker(mailbox: Callable[[], Mailbox]) -> None:
    made = mailbox()
    subscription, watermark = opened(made).inbox.subscribe_to_pull()
    for number in range(CONNECTIONS):
        append(made, f"Lunch {number}")
        events = pulled(opened(made), subscription, watermark)
        assert [type(event) for event in events[:2]] == [CreatedEvent, NewMailEvent]
        watermark = events[-1].watermark
    (event,) = pulled(opened(made), subscription, watermark)
    assert isinstance(event, StatusEvent)


def test_a_stream_tells_what_was_delivered(mailbox: Callable[[], Mailbox]) -> None:
    made = mailbox()
    told: queue.Queue[list[type]] = queue.Queue()
    account = opened(made)
    subscription = account.inbox.subscribe_to_streaming()

    def listen() -> None:
        for notification in opened(made).inbox.get_streaming_events(subscription, connection_timeout=1):
            told.put([type(event) for event in notification.events])
            return

    thread = threading.Thread(target=listen)
    thread.start()
    append(made, "Lunch")
    assert told.get(timeout=30)[:2] == [CreatedEvent, NewMailEvent]
    thread.join(30)


def test_configurations_and_exports_are_kept(mailbox: Callable[[], Mailbox]) -> None:
    made = mailbox()
    append(made, "Lunch")
    account = opened(made)
    account.inbox.create_user_configuration("Test", dictionary={"a": 1}, xml_data=b"<a/>")
    told = opened(made).inbox.get_user_configuration("Test")
    assert (told.dictionary, told.xml_data) == ({"a": 1}, b"<a/>")
    items = list(account.inbox.all().only("subject"))
    (exported,) = account.export(items)
    account.upload([(account.drafts, exported)])
    assert [item.subject for item in account.drafts.all().only("subject")] == ["Lunch"]
    ids = {item.conversation_id.id for folder in (account.inbox, account.drafts) for item in folder.all()}
    assert len(ids) == 1
