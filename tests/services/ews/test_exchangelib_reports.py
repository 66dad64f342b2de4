"""exchangelib at a door, in the cases that its users reported of other servers (ecederstrand/exchangelib by number).

covers: services.ews.fields.people, services.ews.operations.find_folder, services.ews.operations.find_item
covers: services.ews.operations.get_attachment, services.ews.operations.resolve_names
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from exchangelib import UTC, Account, EWSDateTime, FolderCollection, ItemAttachment, Message
from exchangelib.errors import ErrorFolderNotFound, ErrorNameResolutionNoResults

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject
from postern.items.stored import values_of
from postern.model.folders import FolderKind
from postern.model.items import NewItem
from tests.services.dav.site import ALICE, BOB
from tests.services.ews.exchange import account
from tests.services.ews.site import EwsDoor

pytestmark = pytest.mark.slow

ODD = base64.b64encode(b"pl\x11a\x12n\x14.txt").decode()
"""A name with characters that XML cannot have."""
AWKWARD = (
    b"From: undisclosed\r\nSender: <>\r\nTo: undisclosed-recipients:;\r\nCc: Only Name <>\r\nSubject: =?utf-8?b?eA94Cw==?=\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\nHi\x0b\x1b\r\n"
    b'--B\r\nContent-Type: text/plain; name="=?utf-8?b?%b?="\r\nContent-Disposition: attachment\r\n\r\nplan\r\n'
    b"--B\r\nContent-Type: text/plain; name=empty.txt\r\nContent-Disposition: attachment\r\n\r\n\r\n"
    b"--B\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\nSubject: within\r\n\r\nInner\r\n--B--\r\n"
) % ODD.encode()
OWN_ZONE = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:Own\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\n"
    b"TZOFFSETFROM:-0815\r\nTZOFFSETTO:-0815\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:u1\r\n"
    b"DTSTAMP:20261101T000000Z\r\nDTSTART;TZID=Own:20261201T090000\r\nDTEND;TZID=Own:20261201T100000\r\nSUMMARY:Own\r\n"
    b"END:VEVENT\r\nEND:VCALENDAR\r\n"
)


def at_a_door(folder: Path, work: Callable[[Account], None], before: Callable[[EwsDoor], Awaitable[None]]) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            await door.mailboxes.logon(door.guid(ALICE))
            await before(door)
            await door.beside(lambda: work(account(door, folder, ALICE)))

    asyncio.run(steps())


async def bring(door: EwsDoor, kind: FolderKind, *contents: bytes) -> None:
    guid = door.guid(ALICE)
    folder = next(node.id for node in await door.mailboxes.tree(guid) if node.kind is kind)
    await door.mailboxes.create(guid, folder, [NewItem(content) for content in contents])


def test_folders_are_paged_together(tmp_path: Path) -> None:
    """#1022: a folder without items said that it had more. #41, #294: a page did not say where the next one begins."""

    async def before(door: EwsDoor) -> None:
        await bring(door, FolderKind.INBOX, *[b"Subject: in %d\r\n\r\nx" % number for number in range(7)])
        await bring(door, FolderKind.SENT, *[b"Subject: out %d\r\n\r\nx" % number for number in range(3)])

    def work(mine: Account) -> None:
        folders = FolderCollection(account=mine, folders=[mine.inbox, mine.drafts, mine.sent, mine.junk])
        found = folders.filter(subject__contains="n").only("subject")
        found.page_size = 2
        assert sorted(item.subject for item in found) == [f"in {number}" for number in range(7)]
        every = folders.all().only("subject")
        every.page_size = 2
        assert len(list(every)) == 10
        # #294: folders in pages, too.
        for number in range(5):
            mine.inbox.__class__(parent=mine.inbox, name=f"f{number}").save()
        walked = list(FolderCollection(account=mine, folders=[mine.inbox]).find_folders(page_size=2))
        assert sorted(each.name for each in walked) == [f"f{number}" for number in range(5)]

    at_a_door(tmp_path, work, before)


def test_an_awkward_message_is_read_whole(tmp_path: Path) -> None:
    """#1200: control characters in a name ended the stream of an attachment. #436, #539: an empty file had no Content.
    nylas/exchangelib#20: a mailbox without an address."""

    async def before(door: EwsDoor) -> None:
        await bring(door, FolderKind.INBOX, AWKWARD)

    def work(mine: Account) -> None:
        (item,) = mine.inbox.all()
        assert isinstance(item, Message) and item.subject is not None
        assert item.author.email_address == "undisclosed" and item.sender is None and item.to_recipients is None
        assert [(each.name, each.email_address) for each in item.cc_recipients] == [("Only Name", None)]
        within, plan, empty = item.attachments
        assert plan.content == b"plan"
        with plan.fp as stream:
            assert stream.read() == b"plan"
        with empty.fp as stream:
            assert stream.read() == b""
        assert empty.size == 0 and not empty.content
        assert isinstance(within, ItemAttachment) and within.item.subject == "within"
        # #524: what was read is saved again.
        item.is_read = True
        item.save()

    at_a_door(tmp_path, work, before)


def test_a_zone_that_windows_does_not_have(tmp_path: Path) -> None:
    """#314: a StartTimeZone with an empty Id."""

    async def before(door: EwsDoor) -> None:
        guid = door.guid(ALICE)
        folder = next(node.id for node in await door.mailboxes.tree(guid) if node.kind is FolderKind.CALENDAR)
        parsed = calendar_object.read(OWN_ZONE)
        assert isinstance(parsed, CalendarObject)
        await door.mailboxes.put(guid, folder, "a.ics", OWN_ZONE, "IPM.Appointment", values_of(parsed, 0))

    def work(mine: Account) -> None:
        start = EWSDateTime(2026, 12, 1, tzinfo=UTC)
        (item,) = mine.calendar.view(start=start, end=start + timedelta(days=1))
        assert item.start == EWSDateTime(2026, 12, 1, 17, 15, tzinfo=UTC)
        item.subject = "Other"
        item.save(update_fields=["subject"])
        (again,) = mine.calendar.all()
        assert (again.subject, again.start) == ("Other", item.start)

    at_a_door(tmp_path, work, before)


def test_what_is_not_there_is_told_by_its_code(tmp_path: Path) -> None:
    """#374: folders that are not here broke the tree. #205, #242: names that mean nobody, or several people. #559: items in every
    folder below the top."""

    async def before(door: EwsDoor) -> None:
        await bring(door, FolderKind.INBOX, b"Subject: in\r\n\r\nx")

    def work(mine: Account) -> None:
        assert "Inbox" in mine.root.tree()
        with pytest.raises(ErrorFolderNotFound):
            mine.conversation_history.refresh()
        (nobody,) = mine.protocol.resolve_names(["nobody at all"])
        assert isinstance(nobody, ErrorNameResolutionNoResults)
        (bob,) = mine.protocol.resolve_names([BOB])
        assert bob.email_address == BOB
        top = mine.root / "Top of Information Store"
        assert [item.subject for item in top.children.filter(subject="in").only("subject")] == ["in"]

    at_a_door(tmp_path, work, before)
