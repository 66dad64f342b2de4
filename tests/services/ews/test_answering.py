"""Replies and forwarded messages.

covers: responses
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from postern.model.folders import FolderKind
from postern.model.items import Flag, FlagChange
from postern.protocols.ews.ids import ItemId, read_id
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_items import read
from tests.services.ews.test_messages import MIXED, content, made, received, recipients


def answer_to(
    item: str, more: str = "", body: str = '<t:NewBodyContent BodyType="Text">mine</t:NewBodyContent>'
) -> str:
    return f'{more}<t:ReferenceItemId Id="{item}"/>{body}'


def test_a_reply_goes_to_the_author_and_quotes_the_message() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await received(site, MIXED, Flag.SEEN)
        assert (await site.ask(made(answer_to(item), "SendAndSaveCopy", kind="ReplyToItem"))).codes == ["NoError"]
        (octets,) = await content(site, FolderKind.OUTBOX)
        head = octets.partition(b"\r\n\r\n")[0]
        assert b"\r\nIn-Reply-To: <m1@example.test>" in head and b"\r\nReferences: <m1@example.test>" in head
        assert b"To: =?utf-8?b?Qm9iIErDtg==?= <bob@example.test>\r\n" in head and b"carol" not in head
        stored = await site.mailboxes.get(guid_of(ALICE), [getattr(read_id(item), "item", 0)])
        assert stored[0].flags & Flag.ANSWERED
        everyone = await site.ask(made(answer_to(item), "SaveOnly", kind="ReplyAllToItem"))
        draft = everyone.find(".//t:Message/t:ItemId").attrib["Id"]
        told = await site.ask(read(draft, base="AllProperties"))
        assert told.texts(".//t:Subject") == ["RE: Über lunch"]
        assert told.texts(".//t:ToRecipients/t:Mailbox/t:EmailAddress") == [BOB, "carol@else.test"]
        assert told.texts(".//t:CcRecipients/t:Mailbox/t:EmailAddress") == ["dave@else.test"]
        text = told.texts(".//t:Body")[0]
        assert text.index("mine") < text.index("Bob Jö") < text.index("Grüße")
        assert told.texts(".//t:HasAttachments") == ["false"] and told.texts(".//t:IsDraft") == ["true"]
        unique = await site.ask(read(draft, '<t:FieldURI FieldURI="item:UniqueBody"/>'))
        assert "mine" in unique.texts(".//t:UniqueBody")[0] and "Grüße" not in unique.texts(".//t:UniqueBody")[0]

    asyncio.run(steps())


def test_a_message_of_the_last_hours_of_time_is_answered() -> None:
    async def steps() -> None:
        for date in (b"31 Dec 9999 23:59:59 -1400", b"1 Jan 0001 00:00:00 +1400"):
            site = EwsSite()
            item = await received(site, b"From: bob@example.test\r\nDate: " + date + b"\r\n\r\nHello\r\n")
            assert (await site.ask(made(answer_to(item), kind="ReplyToItem"))).codes == ["NoError"]

    asyncio.run(steps())


def test_a_forwarded_message_takes_its_attachments_along() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await received(site, MIXED)
        more = "<t:Subject>Look</t:Subject>" + recipients("ToRecipients", "eve@else.test")
        answer = await site.ask(made(answer_to(item, more), "SaveOnly", kind="ForwardItem"))
        told = await site.ask(read(answer.find(".//t:ItemId").attrib["Id"], base="AllProperties"))
        assert told.texts(".//t:Subject") == ["Look"]
        assert told.texts(".//t:Attachments/*/t:Name") == ["note.txt", "message"]
        assert not told.all(".//t:InReplyTo") and told.texts(".//t:References") == ["<m1@example.test>"]
        assert (await site.ask(made(answer_to(item), "SendOnly", kind="ForwardItem"))).codes == [
            "ErrorMissingRecipients"
        ]

    asyncio.run(steps())


def test_what_cannot_be_answered_is_refused() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await received(site, MIXED)
        for address, properties, code in (
            (BOB, answer_to(item), "ErrorItemNotFound"),
            (ALICE, "", "ErrorMissingInformationReferenceItemId"),
            (ALICE, answer_to(item, "<t:Categories/>"), "ErrorInvalidPropertySet"),
        ):
            assert (await site.ask(made(properties, kind="ReplyToItem"), address)).codes == [code]
        draft = (await site.ask(made("<t:Subject>x</t:Subject>"))).find(".//t:ItemId").attrib["Id"]
        assert (await site.ask(made(answer_to(draft), kind="ReplyToItem"))).codes == ["ErrorInvalidReferenceItem"]
        quiet = await site.ask(made(answer_to(item, body=""), "SaveOnly", kind="SuppressReadReceipt"))
        assert quiet.codes == ["NoError"]
        told = await site.ask(read(item, base="Default"))
        assert told.texts(".//t:IsRead") == ["true"] and not told.all(".//t:SuppressReadReceipt")

    asyncio.run(steps())


def test_a_flag_that_is_set_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await received(site, MIXED)
        number = read_id(item)
        assert isinstance(number, ItemId)
        send = site.mailboxes.send

        async def flagged(*told: Any, **more: Any) -> int:
            inbox = await site.folder(FolderKind.INBOX)
            await site.mailboxes.change_flags(guid_of(ALICE), inbox, [(1, 1)], FlagChange.ADD, Flag.FLAGGED)
            return await send(*told, **more)

        monkeypatch.setattr(site.mailboxes, "send", flagged)
        assert (await site.ask(made(answer_to(item), "SendAndSaveCopy", kind="ReplyToItem"))).codes == ["NoError"]
        (stored,) = await site.mailboxes.get(guid_of(ALICE), [number.item])
        assert stored.flags == Flag.ANSWERED | Flag.FLAGGED

    asyncio.run(steps())
