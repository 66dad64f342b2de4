"""exchangelib searches and synchronizes an inbox of 5,000 messages, at the real organization."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from exchangelib import Account, Q
from exchangelib.errors import ErrorInvalidSyncStateData

from tests.clients.people import Mailbox
from tests.organization import PASSWORD
from tests.services.ews.exchange import account_at

pytestmark = pytest.mark.slow
MANY = 5_000
AT_ONCE = 250


def message(number: int) -> bytes:
    return (
        f"From: sender{number % 7}@example.test\r\nTo: reader@example.test\r\nSubject: message {number:04}\r\n"
        f"Message-ID: <{number}@example.test>\r\n\r\nBody {number}\r\n"
    ).encode()


def fill(mailbox: Mailbox) -> None:
    """Appends MANY messages, a minute apart from each other, by MULTIAPPEND (RFC 3502)."""
    with mailbox.imap() as imap:
        for start in range(0, MANY, AT_ONCE):
            parts = []
            for number in range(start, start + AT_ONCE):
                hour, minute = divmod(number % 1_440, 60)
                content = message(number)
                date = f"{1 + number // 1_440:02}-Nov-2026 {hour:02}:{minute:02}:00 +0000"
                parts.append(b' "%s" {%d+}\r\n%s' % (date.encode(), len(content), content))
            imap.send(b"M1 APPEND INBOX" + b"".join(parts) + b"\r\n")
            while not (line := imap.readline()).startswith(b"M1 "):
                pass
            assert line.startswith(b"M1 OK"), line


def subjects(*numbers: int) -> list[str]:
    return [f"message {number:04}" for number in numbers]


@pytest.fixture(scope="module")
def filled(mailbox: Callable[[], Mailbox]) -> Mailbox:
    made = mailbox()
    fill(made)
    return made


def opened(mailbox: Mailbox) -> Account:
    organization = mailbox.organization
    url = f"https://localhost:{organization.port(443)}/EWS/Exchange.asmx"
    return account_at(url, organization.authority, mailbox.address, password=PASSWORD)


def test_a_folder_is_paged_through_filtered_and_sorted(filled: Mailbox) -> None:
    inbox = opened(filled).inbox
    every = {item.subject for item in inbox.all().only("subject")}
    assert every == set(subjects(*range(MANY)))
    newest = inbox.all().order_by("-datetime_received").only("subject")
    assert [item.subject for item in newest[:3]] == subjects(4999, 4998, 4997)
    assert [item.subject for item in newest[2_000:2_002]] == subjects(2999, 2998)
    oldest = inbox.all().order_by("subject").only("subject")
    assert [item.subject for item in oldest[:2]] == subjects(0, 1)

    def found(*conditions: object, **values: object) -> list[str]:
        return sorted(item.subject for item in inbox.filter(*conditions, **values).only("subject"))

    assert found(subject__icontains="MESSAGE 499") == subjects(*range(4990, 5000))
    assert found(subject="message 0007") == subjects(7)
    assert found(subject__startswith="message 000") == subjects(*range(10))
    begin, end = datetime(2026, 11, 2, 0, 0, tzinfo=UTC), datetime(2026, 11, 2, 0, 3, tzinfo=UTC)
    assert found(datetime_received__gte=begin, datetime_received__lt=end) == subjects(1440, 1441, 1442)
    assert found(Q(subject="message 0007") | Q(subject="message 4000")) == subjects(7, 4000)
    assert found(~Q(subject__contains="message"), is_read=False) == []
    assert found("subject:4321") == subjects(4321)
    # What the store does not know is judged, message by message.
    assert found(has_attachments=False, subject__icontains="MESSAGE 499") == subjects(*range(4990, 5000))
    assert inbox.filter(importance="High").count() == 0
    assert inbox.filter(is_read=False).count() == MANY
    with filled.imap() as imap:
        imap.select("INBOX")
        imap.store("1:3", "+FLAGS.SILENT", r"(\Seen)")
    assert found(is_read=True) == subjects(0, 1, 2)
    assert inbox.filter(is_read=True, subject__contains="0002").count() == 1


def test_an_inbox_is_synchronized(filled: Mailbox) -> None:
    inbox = opened(filled).inbox

    def changes() -> list[tuple[str, object]]:
        return list(inbox.sync_items(sync_state=inbox.item_sync_state, only_fields=["subject"]))

    first = changes()
    assert [kind for kind, _ in first] == ["create"] * MANY
    assert {item.subject for _, item in first} == set(subjects(*range(MANY)))  # type: ignore[attr-defined]  # exchangelib tells values of many kinds
    assert changes() == []
    with filled.imap() as imap:
        imap.select("INBOX")
        imap.store("10", "+FLAGS.SILENT", r"(\Seen)")
        ((kind, told),) = changes()
        assert kind == "read_flag_change" and told[1] is True  # type: ignore[index]  # exchangelib tells values of many kinds
        imap.store("10", "-FLAGS.SILENT", r"(\Seen)")
        imap.store("4999", "+FLAGS.SILENT", r"(\Deleted)")
        imap.expunge()
        assert sorted(kind for kind, _ in changes()) == ["delete", "read_flag_change"]
        imap.append("INBOX", None, None, message(9_999))
    ((kind, item),) = changes()
    assert kind == "create" and item.subject == "message 9999"  # type: ignore[attr-defined]  # exchangelib tells values of many kinds
    # The state says all: another session goes on with it.
    state, other = inbox.item_sync_state, opened(filled)
    assert list(other.inbox.sync_items(sync_state=state, only_fields=["subject"])) == []
    with pytest.raises(ErrorInvalidSyncStateData):
        list(other.sent.sync_items(sync_state=state, only_fields=["subject"]))


def test_a_tree_of_folders_is_synchronized(filled: Mailbox) -> None:
    root = opened(filled).msg_folder_root

    def changes() -> list[tuple[str, object]]:
        return list(root.sync_hierarchy(sync_state=root.folder_sync_state))

    first = changes()
    assert {kind for kind, _ in first} == {"create"} and len(first) >= 10
    with filled.imap() as imap:
        imap.create("Projects/Alpha")
        told = changes()
        assert [kind for kind, _ in told] == ["create", "create"]
        assert [folder.name for _, folder in told] == ["Projects", "Alpha"]  # type: ignore[attr-defined]  # exchangelib tells values of many kinds
        imap.rename("Projects", "Work")
        assert "update" in {kind for kind, _ in changes()}
        imap.delete("Work/Alpha")
    assert [kind for kind, _ in changes()] == ["delete"]
