"""exchangelib sends mail at the real organization: through the outbox and the hub into the other's inbox, and the answer back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
from exchangelib import FileAttachment, HTMLBody, ItemAttachment, Message
from exchangelib.errors import ErrorSendAsDenied
from exchangelib.folders import Folder

from tests.clients.people import Mailbox
from tests.clients.test_ews_search import opened

pytestmark = pytest.mark.slow
LARGE = 25 << 20


def awaited(folder: Folder, subject: str, is_whole: bool = True) -> Message:
    """The message with this subject, as soon as it is there; `is_whole`: with all properties."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for item in folder.all().only("subject"):
            if item.subject == subject:
                return folder.get(id=item.id, changekey=item.changekey) if is_whole else item
        time.sleep(0.2)
    raise AssertionError(f"{subject} did not come")


def test_a_letter_an_answer_and_what_was_kept(mailbox: Callable[[], Mailbox]) -> None:
    people = mailbox(), mailbox()
    mine, other = map(opened, people)
    letter = Message(
        account=mine,
        folder=mine.drafts,
        subject="Mittagspause",
        body=HTMLBody("<p>Um zwölf?</p>"),
        to_recipients=[people[1].address],
    )
    letter.attach(FileAttachment(name="Karte.txt", content=b"Suppe, Fisch\r\n"))
    letter.attach(ItemAttachment(name="before", item=Message(account=mine, subject="Before", body="x")))
    letter.save().send()
    came = awaited(other.inbox, "Mittagspause")
    assert came.sender.email_address == people[0].address and not came.is_read and not came.is_draft
    assert "Um zwölf?" in came.body and came.text_body.strip() == "Um zwölf?"
    file, item = sorted(came.attachments, key=lambda each: isinstance(each, ItemAttachment))
    assert file.content == b"Suppe, Fisch\r\n" and item.item.subject == "Before"
    came.reply(subject="RE: Mittagspause", body="Gern.")
    answer = awaited(mine.inbox, "RE: Mittagspause")
    sent = awaited(mine.sent, "Mittagspause")
    assert answer.in_reply_to == sent.message_id and answer.conversation_id.id == sent.conversation_id.id
    assert "Gern." in answer.body and "Um zwölf?" in answer.body
    answer.is_read = True
    answer.save(update_fields=["is_read"])
    assert [each.subject for each in mine.inbox.filter(is_read=False).only("subject")] == []
    Message(account=mine, subject="Fort", body="x", to_recipients=[people[1].address]).send(save_copy=False)
    Message(account=mine, subject="Dort", body="x", to_recipients=[people[1].address]).send(copy_to_folder=mine.junk)
    awaited(other.inbox, "Fort")
    awaited(mine.junk, "Dort")
    assert sorted(each.subject for each in mine.sent.all().only("subject")) == ["Mittagspause"]
    with pytest.raises(ErrorSendAsDenied):
        Message(account=mine, subject="No", author=people[1].address, to_recipients=[people[1].address]).send()


def test_a_large_attachment_comes_whole(mailbox: Callable[[], Mailbox]) -> None:
    people = mailbox(), mailbox()
    mine, other = map(opened, people)
    octets = os.urandom(LARGE)
    letter = Message(account=mine, folder=mine.drafts, subject="Large", to_recipients=[people[1].address])
    letter.save()
    letter.attach(FileAttachment(name="large.bin", content=octets))
    letter.send()
    awaited(other.inbox, "Large", is_whole=False)
    (letter,) = other.inbox.all().only("attachments")
    (file,) = letter.attachments
    with file.fp as stream:
        assert b"".join(iter(lambda: stream.read(1 << 16), b"")) == octets
