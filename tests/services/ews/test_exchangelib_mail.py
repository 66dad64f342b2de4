"""exchangelib at a door: messages are sent, saved, changed, answered, and carry attachments of both kinds.

covers: services.ews.operations.send_item
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from exchangelib import FileAttachment, HTMLBody, ItemAttachment, Mailbox, Message

from postern.model.folders import FolderKind
from postern.model.items import NewItem
from tests.services.dav.site import ALICE, BOB
from tests.services.ews.exchange import account
from tests.services.ews.site import EwsDoor
from tests.services.ews.test_messages import MIXED

pytestmark = pytest.mark.slow


async def carried(door: EwsDoor) -> list[bytes]:
    """Does what a hub does with the outbox, and returns what was in it."""
    guid = door.guid(ALICE)
    outbox = next(node.id for node in await door.mailboxes.tree(guid) if node.kind is FolderKind.OUTBOX)
    taken = []
    for uid in await door.mailboxes.outbox(guid):
        item = door.mailboxes._folder(guid, outbox).items[uid]
        taken.append(item.content)
        await door.mailboxes.submitted(guid, uid)
    return taken


def test_messages_are_sent_saved_changed_and_answered(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            guid = door.guid(ALICE)
            await door.mailboxes.logon(guid)
            inbox = next(node.id for node in await door.mailboxes.tree(guid) if node.kind is FolderKind.INBOX)
            await door.mailboxes.create(guid, inbox, [NewItem(MIXED)])

            def draft() -> None:
                mine = account(door, tmp_path, ALICE)
                message = Message(
                    account=mine,
                    folder=mine.drafts,
                    subject="Größe",
                    body=HTMLBody("<p>Hällo</p>"),
                    to_recipients=[Mailbox(name="Bob", email_address=BOB)],
                    bcc_recipients=["eve@else.test"],
                    categories=["Red Category"],
                    importance="High",
                )
                message.attach(FileAttachment(name="é.txt", content=b"abc" * 30_000))
                message.attach(ItemAttachment(name="inner", item=Message(subject="Within", body="hello", account=mine)))
                message.save()
                again = mine.drafts.get(subject="Größe")
                assert again.body.strip() == "<p>Hällo</p>" and isinstance(again.body, HTMLBody)
                assert again.is_draft and again.importance == "High" and again.categories == ["Red Category"]
                assert [each.email_address for each in again.bcc_recipients] == ["eve@else.test"]
                file, inner = sorted(again.attachments, key=lambda each: isinstance(each, ItemAttachment))
                assert (file.name, file.content) == ("é.txt", b"abc" * 30_000)
                assert (inner.item.subject, inner.item.text_body.strip()) == ("Within", "hello")
                again.subject = "Kleiner"
                again.body = "text"
                again.is_read = True
                again.save(update_fields=["subject", "body", "is_read"])
                again.attach(FileAttachment(name="more", content=b"more"))
                again.refresh()
                assert (again.subject, again.body.strip(), len(again.attachments)) == ("Kleiner", "text", 3)
                again.detach(next(each for each in again.attachments if each.name == "inner"))
                again.refresh()
                assert sorted(each.name for each in again.attachments) == ["more", "é.txt"]
                again.send()
                assert mine.drafts.all().count() == 0

            await door.beside(draft)
            (sent,) = await carried(door)
            assert sent.count(b"Message-ID:") == 1 and b"From: Alice" in sent and b"Bcc: eve@else.test" in sent

            def answers() -> None:
                mine = account(door, tmp_path, ALICE)
                assert mine.sent.get(subject="Kleiner").is_read
                received = mine.inbox.get(subject="Über lunch")
                assert received.sender.email_address == BOB and not received.is_read and received.has_attachments
                assert received.headers and received.unique_body and received.text_body == "Grüße"
                received.is_read = True
                received.save(update_fields=["is_read"])
                received.refresh()
                assert received.is_read
                received.reply(subject="Re: lunch", body="yes")
                received.reply_all(subject="Re: lunch", body=HTMLBody("<b>yes</b>"))
                received.forward(subject="Fw: lunch", body="look", to_recipients=["eve@else.test"])
                kept = received.create_reply(subject="later", body="x").save(mine.drafts)
                assert mine.drafts.get(id=kept.id, changekey=kept.changekey).subject == "later"
                Message(account=mine, subject="gone", body="x", to_recipients=[BOB]).send(save_copy=False)
                Message(account=mine, folder=mine.junk, subject="kept", body="x", to_recipients=[BOB]).send(
                    copy_to_folder=mine.junk
                )

            await door.beside(answers)
            letters = await carried(door)
            assert len(letters) == 5
            assert b"note.txt" not in letters[0] and b"note.txt" in letters[2]
            assert b"carol@else.test" in letters[1] and b"carol@else.test" not in letters[0].partition(b"\r\n\r\n")[0]

            def end() -> None:
                mine = account(door, tmp_path, ALICE)
                sent = sorted(item.subject for item in mine.sent.all().only("subject"))
                assert sent == ["Fw: lunch", "Kleiner", "Re: lunch", "Re: lunch"]
                assert [item.subject for item in mine.junk.all().only("subject")] == ["kept"]
                received = mine.inbox.get(subject="Über lunch")
                assert received.mime_content == MIXED
                # What the client says beside the content goes before what is in it.
                said = {"importance": "High", "sensitivity": "Private", "is_read_receipt_requested": True}
                Message(account=mine, folder=mine.inbox, mime_content=MIXED, **said).save()
                assert [item.mime_content for item in mine.inbox.all().only("mime_content")] == [MIXED, MIXED]

            await door.beside(end)

    asyncio.run(steps())
