"""Conversations: found in a folder, read as a tree, and acted upon; by rights.

covers: conversation_index, conversation_rendering, conversations_named, follow_up, services.ews.operations.find_conversation
covers: services.ews.operations.get_conversation_items, services.ews.operations.apply_conversation_action
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from postern.model.folders import FolderKind, Right
from postern.model.items import Flag, FlagChange, NewItem
from postern.protocols.ews.ids import ConversationId
from postern.services.ews import conversation_index, conversations_named
from postern.services.ews.operations import apply_conversation_action, get_conversation_items
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.exchange import account
from tests.services.ews.site import Answer, EwsDoor, EwsSite

NO_ONE = ConversationId(guid_of(ALICE), 7)


def mail(subject: str, number: int, answers: int = 0, sender: str = "Bob <bob@example.test>") -> NewItem:
    reply = f"In-Reply-To: <{answers}@x>\r\n" if answers else ""
    text = (
        f"From: {sender}\r\nTo: alice@example.test\r\nSubject: {subject}\r\nMessage-ID: <{number}@x>\r\n{reply}"
        f"Importance: {'high' if number == 2 else 'normal'}\r\n\r\nHello\r\n"
    )
    return NewItem(text.encode(), 0, 1_000_000 + number)


def find(view: str = "", folder: str = "inbox", more: str = "") -> str:
    parent = f'<m:ParentFolderId><t:DistinguishedFolderId Id="{folder}"/></m:ParentFolderId>'
    return f"<m:FindConversation>{view}{parent}{more}</m:FindConversation>"


def page(offset: int, most: int, base: str = "Beginning") -> str:
    return f'<m:IndexedPageItemView MaxEntriesReturned="{most}" Offset="{offset}" BasePoint="{base}"/>'


def items_of(conversation: str, order: str = "TreeOrderAscending", more: str = "") -> str:
    return (
        "<m:GetConversationItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
        f'<t:FieldURI FieldURI="item:Subject"/></t:AdditionalProperties></m:ItemShape>{more}'
        f"<m:SortOrder>{order}</m:SortOrder><m:Conversations><t:Conversation>"
        f'<t:ConversationId Id="{conversation}"/></t:Conversation></m:Conversations></m:GetConversationItems>'
    )


def act(action: str, conversation: str, more: str = "") -> str:
    return (
        f"<m:ApplyConversationAction><m:ConversationActions><t:ConversationAction><t:Action>{action}</t:Action>"
        f'<t:ConversationId Id="{conversation}"/>{more}</t:ConversationAction></m:ConversationActions>'
        "</m:ApplyConversationAction>"
    )


def code_of(answer: Answer) -> str:
    return answer.content.findtext("{*}ResponseCode", "")


async def filled(site: EwsSite) -> tuple[int, int]:
    inbox, sent = await site.folder(FolderKind.INBOX), await site.folder(FolderKind.SENT)
    guid = guid_of(ALICE)
    letters = [mail("Lunch", 1), mail("RE: Lunch", 2, 1, "carol@example.test"), mail("Dinner", 3)]
    await site.mailboxes.create(guid, inbox, letters)
    await site.mailboxes.create(guid, sent, [mail("Re: Re: lunch", 4, 2, "alice@example.test")])
    return inbox, sent


def test_the_conversations_of_a_folder_are_found() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, _ = await filled(site)
        answer = await site.ask(find())
        assert code_of(answer) == "NoError"
        assert answer.texts(".//t:ConversationTopic") == ["Dinner", "Lunch"]
        assert answer.texts(".//m:TotalConversationsInView") == ["2"]
        lunch = answer.all(".//t:Conversation")[1]
        told = {each.tag.rpartition("}")[2]: "".join(each.itertext()) for each in lunch if not each.tag.endswith("Ids")}
        assert told["UniqueSenders"] == "carol@example.testBob"
        assert (told["MessageCount"], told["GlobalMessageCount"]) == ("2", "3")
        assert (told["UnreadCount"], told["GlobalUnreadCount"]) == ("2", "3")
        assert (told["Importance"], told["GlobalImportance"]) == ("High", "High")
        assert (told["LastDeliveryTime"], told["GlobalLastDeliveryTime"]) == (
            "1970-01-12T13:46:42Z",
            "1970-01-12T13:46:44Z",
        )
        assert len(lunch.findall(".//{*}GlobalItemIds/{*}ItemId")) == 3
        # What has changed since is known.
        await site.mailboxes.create(guid_of(ALICE), inbox, [mail("AW: Dinner", 5, 3)])
        assert (await site.ask(find(page(0, 1)))).texts(".//t:MessageCount") == ["2"]
        for view, topics in (
            (page(1, 5), ["Lunch"]),
            (page(0, 1, "End"), ["Lunch"]),
            (page(1, 250, "End"), ["Dinner"]),
            (page(2, 250, "End"), []),
            (page(5, 5), []),
            (
                '<m:SortOrder><t:FieldOrder Order="Ascending"><t:FieldURI FieldURI="conversation:LastDeliveryTime"/>'
                "</t:FieldOrder></m:SortOrder>",
                ["Lunch", "Dinner"],
            ),
        ):
            assert (await site.ask(find(view))).texts(".//t:ConversationTopic") == topics
        for view, offset in (
            (page(0, 1), "1"),
            (page(1, 5), "2"),
            (page(0, 1, "End"), "1"),
            (page(1, 250, "End"), "2"),
        ):
            assert (await site.ask(find(view))).texts(".//m:IndexedOffset") == [offset]
        assert (await site.ask(find(page(0, 1, "Middle")))).fault == "ErrorSchemaValidation"
        assert (await site.ask(find(), version="Exchange2010_SP1")).texts(".//m:TotalConversationsInView") == []

    asyncio.run(steps())


def test_conversations_are_found_by_what_their_messages_are() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, _ = await filled(site)
        await site.mailboxes.change_flags(guid_of(ALICE), inbox, [(1, 1), (3, 3)], FlagChange.ADD, Flag.SEEN)
        await site.mailboxes.change_flags(guid_of(ALICE), inbox, [(3, 3)], FlagChange.ADD, Flag.FLAGGED)
        for view, query, topics in (
            ("Unread", "", ["Lunch"]),
            ("Flagged", "", ["Dinner"]),
            ("HasAttachment", "", []),
            ("All", "from:carol", ["Lunch"]),
            ("Unread", "subject:dinner", []),
        ):
            more = f"<m:QueryString>{query}</m:QueryString>" if query else ""
            body = find(more=more).replace("<m:FindConversation", f'<m:FindConversation ViewFilter="{view}"', 1)
            assert (await site.ask(body)).texts(".//t:ConversationTopic") == topics, (view, query)
            # All messages of a conversation are counted.
        assert (await site.ask(body.replace("Unread", "All"))).texts(".//t:MessageCount") == ["1"]

    asyncio.run(steps())


def test_conversations_are_found_in_all_folders_below_one() -> None:
    # nmarus/node-ews#49: a whole mailbox is searched from its root.
    async def steps() -> None:
        site = EwsSite()
        inbox, _ = await filled(site)
        guid = guid_of(ALICE)
        below = (await site.mailboxes.create_in(guid, inbox, "Below")).id
        await site.mailboxes.create(guid, below, [mail("Supper", 9)])
        for folder in ("root", "msgfolderroot"):
            answer = await site.ask(find(folder=folder))
            assert code_of(answer) == "NoError" and answer.texts(".//t:ConversationTopic") == []
            deep = find(folder=folder).replace("<m:FindConversation", '<m:FindConversation Traversal="Deep"', 1)
            answer = await site.ask(deep)
            assert answer.texts(".//t:ConversationTopic") == ["Supper", "lunch", "Dinner"]
            assert answer.texts(".//t:MessageCount") == ["1", "3", "1"]
            asked = deep.replace("</m:FindConversation>", "<m:QueryString>supper</m:QueryString></m:FindConversation>")
            assert (await site.ask(asked)).texts(".//t:ConversationTopic") == ["Supper"]
        deep = find().replace("<m:FindConversation", '<m:FindConversation Traversal="Deep"', 1)
        assert (await site.ask(deep)).texts(".//t:ConversationTopic") == ["Supper", "Dinner", "Lunch"]
        # Others see what they may read.
        named = '<t:DistinguishedFolderId Id="root"><t:Mailbox><t:EmailAddress>alice@example.test</t:EmailAddress></t:Mailbox>'
        others = deep.replace('<t:DistinguishedFolderId Id="inbox"/>', f"{named}</t:DistinguishedFolderId>")
        assert (await site.ask(others, BOB)).texts(".//t:ConversationTopic") == []

    asyncio.run(steps())


def test_the_messages_of_a_conversation_are_read() -> None:
    async def steps() -> None:
        site = EwsSite()
        await filled(site)
        lunch = (await site.ask(find())).all(".//t:ConversationId")[1].attrib["Id"]
        for order, subjects in (
            ("TreeOrderAscending", ["Lunch", "RE: Lunch", "Re: Re: lunch"]),
            ("DateOrderDescending", ["Re: Re: lunch", "RE: Lunch", "Lunch"]),
        ):
            assert (await site.ask(items_of(lunch, order))).texts(".//t:Subject") == subjects
        answer = await site.ask(items_of(lunch))
        assert answer.texts(".//t:InternetMessageId") == ["<1@x>", "<2@x>", "<4@x>"]
        assert answer.texts(".//t:ParentInternetMessageId") == ["<1@x>", "<2@x>"]
        without = '<m:FoldersToIgnore><t:DistinguishedFolderId Id="sentitems"/></m:FoldersToIgnore>'
        assert len((await site.ask(items_of(lunch, more=without))).texts(".//t:Subject")) == 2
        few = "<m:MaxItemsToReturn>1</m:MaxItemsToReturn>"
        assert len((await site.ask(items_of(lunch, more=few))).texts(".//t:Subject")) == 1
        # The item's own property is the same.
        item = answer.all(".//t:ItemId")[0].attrib["Id"]
        shape = (
            "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
            '<t:FieldURI FieldURI="item:ConversationId"/></t:AdditionalProperties></m:ItemShape>'
            f'<m:ItemIds><t:ItemId Id="{item}"/></m:ItemIds></m:GetItem>'
        )
        assert (await site.ask(shape)).find(".//t:ConversationId").attrib["Id"] == lunch
        assert (await site.ask(items_of(item))).codes == ["ErrorInvalidIdMalformed"]
        assert (await site.ask(items_of(str(NO_ONE)))).codes == ["ErrorItemNotFound"]
        assert (await site.ask(items_of(lunch, "x"))).codes == ["ErrorSchemaValidation"]

    asyncio.run(steps())


def test_messages_that_answer_each_other_in_a_ring_are_all_told() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        await site.mailboxes.create(
            guid_of(ALICE), inbox, [mail("x", 1, 2), mail("x", 2, 1), mail("x", 3, 3), mail("x", 3)]
        )
        conversation = (await site.ask(find())).find(".//t:ConversationId").attrib["Id"]
        assert len((await site.ask(items_of(conversation))).all(".//t:Message")) == 4

    asyncio.run(steps())


def test_actions_are_applied() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, sent = await filled(site)
        guid = guid_of(ALICE)
        lunch = (await site.ask(find())).all(".//t:ConversationId")[1].attrib["Id"]

        async def flags(folder: int) -> list[int]:
            items = await site.mailboxes.get(guid, range(100_000))
            return [item.flags for item in items if item.folder == folder]

        here = '<t:ContextFolderId><t:DistinguishedFolderId Id="inbox"/></t:ContextFolderId>'
        assert (await site.ask(act("SetReadState", lunch, f"{here}<t:IsRead>true</t:IsRead>"))).codes == ["NoError"]
        assert sorted(await flags(inbox)) == [0, Flag.SEEN, Flag.SEEN] and await flags(sent) == [0]
        flagged = "<t:Flag><t:FlagStatus>Flagged</t:FlagStatus></t:Flag>"
        assert (await site.ask(act("Flag", lunch, flagged))).codes == ["NoError"]
        assert await flags(sent) == [Flag.FLAGGED]
        known = "<t:ConversationLastSyncTime>1970-01-12T13:46:41Z</t:ConversationLastSyncTime>"
        target = '<t:DestinationFolderId><t:DistinguishedFolderId Id="drafts"/></t:DestinationFolderId>'
        assert (await site.ask(act("Move", lunch, known + target))).codes == ["NoError"]
        drafts = await site.folder(FolderKind.DRAFTS)
        assert len(await flags(drafts)) == 1
        assert (await site.ask(act("Copy", lunch, here + target))).codes == ["NoError"]
        assert len(await flags(drafts)) == 2 and len(await flags(inbox)) == 2
        assert (await site.ask(act("Delete", lunch, f"{here}<t:DeleteType>HardDelete</t:DeleteType>"))).codes == [
            "NoError"
        ]
        assert len(await flags(inbox)) == 1
        for action, code in (
            ("AlwaysMove", "ErrorInvalidOperation"),
            ("Nothing", "ErrorSchemaValidation"),
            ("Delete", "NoError"),
            ("Delete", "NoError"),
        ):
            assert (await site.ask(act(action, lunch))).codes == [code]
        assert (await site.ask(act("Delete", str(NO_ONE)))).codes == ["ErrorItemNotFound"]

    asyncio.run(steps())


def test_others_see_what_they_may_read() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, _ = await filled(site)
        lunch = (await site.ask(find())).all(".//t:ConversationId")[1].attrib["Id"]
        assert (await site.ask(items_of(lunch), BOB)).codes == ["ErrorItemNotFound"]
        assert (await site.ask(act("Delete", lunch), BOB)).codes == ["ErrorItemNotFound"]
        owner = next(each for each in site.recipients.known.values() if each.guid == guid_of(ALICE))
        await site.sharing.set_rights(owner, inbox, guid_of(BOB), Right.VISIBLE | Right.READ_ANY)
        theirs = (
            f'<m:ParentFolderId><t:DistinguishedFolderId Id="inbox"><t:Mailbox><t:EmailAddress>{ALICE}</t:EmailAddress>'
            "</t:Mailbox></t:DistinguishedFolderId></m:ParentFolderId>"
        )
        answer = await site.ask(f"<m:FindConversation>{theirs}</m:FindConversation>", BOB)
        assert answer.texts(".//t:GlobalMessageCount") == ["1", "2"]
        assert (await site.ask(items_of(lunch), BOB)).texts(".//t:Subject") == ["Lunch", "RE: Lunch"]
        assert (await site.ask(act("Delete", lunch), BOB)).codes == ["ErrorAccessDenied"]
        assert (await site.ask(act("SetReadState", lunch, "<t:IsRead>1</t:IsRead>"), BOB)).codes == [
            "ErrorAccessDenied"
        ]

    asyncio.run(steps())


def test_what_is_not_supported_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        site = EwsSite()
        await filled(site)
        by_size = (
            '<m:SortOrder><t:FieldOrder Order="Ascending"><t:FieldURI FieldURI="conversation:Size"/>'
            "</t:FieldOrder></m:SortOrder>"
        )
        for body, code in (
            (find(page(-1, 1)), "ErrorInvalidIndexedPagingParameters"),
            (find(page(0, 0)), "ErrorInvalidPagingMaxRows"),
            (find(by_size), "ErrorUnsupportedPathForSortGroup"),
            (
                find().replace("<m:FindConversation", '<m:FindConversation ViewFilter="Clutter"'),
                "ErrorUnsupportedQueryFilter",
            ),
            (find(folder="nowhere"), "ErrorFolderNotFound"),
        ):
            assert code_of(await site.ask(body)) == code
        # A process remembers so many messages, and reads them again.
        monkeypatch.setattr(conversation_index, "MAX_KEPT", 3)
        await site.folder(FolderKind.INBOX, BOB)
        await site.ask(find(), BOB)
        assert guid_of(ALICE) not in site.access.conversations._indexes
        assert len((await site.ask(find())).all(".//t:Conversation")) == 2

    asyncio.run(steps())


class Calls:
    """Counts the calls of some functions of a store."""

    def __init__(self, site: EwsSite, *names: str) -> None:
        self.counts = dict.fromkeys(names, 0)
        self.given: list[tuple[Any, ...]] = []
        for name in names:
            setattr(site.mailboxes, name, self._counted(name, getattr(site.mailboxes, name)))

    def _counted(self, name: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(*given: Any, **named: Any) -> Any:
            self.counts[name] += 1
            self.given.append((name, *given))
            return await work(*given, **named)

        return counted


def test_flags_of_a_conversation_are_changed_folder_by_folder() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, _ = await filled(site)
        guid = guid_of(ALICE)
        await site.mailboxes.create(guid, inbox, [mail("RE: Lunch", number, 1) for number in range(10, 50)])
        lunch = (await site.ask(find())).all(".//t:ConversationId")[0].attrib["Id"]
        change_flags = site.mailboxes.change_flags

        async def raced(mailbox: UUID, folder: int, uids: Any, change: FlagChange, flags: int, *more: Any) -> Any:
            # Somebody flags a message after it was read.
            await change_flags(mailbox, folder, [(1, 1)], FlagChange.ADD, Flag.FLAGGED)
            return await change_flags(mailbox, folder, uids, change, flags, *more)

        site.mailboxes.change_flags = raced  # type: ignore[assignment,method-assign]  # as if another were quicker
        calls = Calls(site, "change_flags", "get")
        assert (await site.ask(act("SetReadState", lunch, "<t:IsRead>true</t:IsRead>"))).codes == ["NoError"]
        assert calls.counts["change_flags"] == 2 and calls.counts["get"] < 10
        items = await site.mailboxes.get(guid, range(100_000))
        assert sorted({item.flags for item in items if item.folder == inbox}) == [
            0, Flag.SEEN, Flag.SEEN | Flag.FLAGGED,
        ]  # fmt: skip
        # What is so already is left alone.
        calls = Calls(site, "change_flags")
        assert (await site.ask(act("SetReadState", lunch, "<t:IsRead>true</t:IsRead>"))).codes == ["NoError"]
        assert calls.counts["change_flags"] == 0

    asyncio.run(steps())


def test_a_conversation_gets_a_flag_with_its_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        site = EwsSite()
        await filled(site)
        lunch = (await site.ask(find())).all(".//t:ConversationId")[1].attrib["Id"]

        async def flag(inner: str) -> tuple[list[str], set[str]]:
            codes = (await site.ask(act("Flag", lunch, f"<t:Flag>{inner}</t:Flag>"))).codes
            told = await site.ask(items_of(lunch).replace("item:Subject", "item:Flag"))
            return codes, {"|".join(each.itertext()) for each in told.all(".//t:Flag")}

        dates = "<t:StartDate>2026-12-01T00:00:00Z</t:StartDate><t:DueDate>2026-12-02T00:00:00Z</t:DueDate>"
        done = "<t:FlagStatus>Complete</t:FlagStatus><t:CompleteDate>2026-12-03T00:00:00Z</t:CompleteDate>"
        complete = {"Complete|2026-12-03T00:00:00Z"}
        assert await flag(f"<t:FlagStatus>Flagged</t:FlagStatus>{dates}") == (
            ["NoError"],
            {"Flagged|2026-12-01T00:00:00Z|2026-12-02T00:00:00Z"},
        )
        assert await flag(done) == (["NoError"], complete)
        assert await flag(done + dates) == (["ErrorInvalidArgument"], complete)
        monkeypatch.setattr(apply_conversation_action, "MAX_DATED", 2)
        assert await flag(done) == (["ErrorInvalidOperation"], complete)
        assert await flag("<t:FlagStatus>Flagged</t:FlagStatus>") == (["NoError"], {"Flagged"})
        # Only what has something of a flag is written to.
        calls = Calls(site, "set_properties")
        assert await flag("<t:FlagStatus>NotFlagged</t:FlagStatus>") == (["NoError"], {"NotFlagged"})
        assert calls.counts["set_properties"] == 0

    asyncio.run(steps())


def test_the_messages_of_a_conversation_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        site = EwsSite()
        await filled(site)
        lunch = (await site.ask(find())).all(".//t:ConversationId")[1].attrib["Id"]
        with_mime = "<t:IncludeMimeContent>true</t:IncludeMimeContent><t:AdditionalProperties>"
        for body in (
            items_of(lunch).replace("<t:AdditionalProperties>", with_mime),
            items_of(lunch).replace("item:Subject", "item:MimeContent"),
        ):
            assert (await site.ask(body)).codes == ["ErrorInvalidPropertyForOperation"]
        # The first one goes beyond; of the others the ids are told.
        monkeypatch.setattr(get_conversation_items, "MAX_MARKUP", 1)
        answer = await site.ask(items_of(lunch))
        assert answer.texts(".//t:Subject") == ["Lunch"] and len(answer.all(".//t:ItemId")) == 3

    asyncio.run(steps())


def test_a_mailbox_is_gone_through_once_for_several_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[list[int]] = []
    members = conversations_named.members

    def counted(numbers: Mapping[int, int], wanted: Collection[int]) -> dict[int, list[int]]:
        walks.append(list(wanted))
        return members(numbers, wanted)

    async def steps() -> None:
        site = EwsSite()
        await filled(site)
        ids = [each.attrib["Id"] for each in (await site.ask(find())).all(".//t:Conversation/t:ConversationId")]
        monkeypatch.setattr(conversations_named, "members", counted)
        named = "".join(
            [f'<t:Conversation><t:ConversationId Id="{each}"/></t:Conversation>' for each in (*ids, "x", ids[0])]
        )
        body = items_of("?").replace('<t:Conversation><t:ConversationId Id="?"/></t:Conversation>', named)
        answer = await site.ask(body)
        assert answer.codes == ["NoError", "NoError", "ErrorInvalidIdMalformed", "NoError"]
        assert answer.texts(".//t:Subject") == ["Dinner", "Lunch", "RE: Lunch", "Re: Re: lunch", "Dinner"]
        assert len(walks) == 1

    asyncio.run(steps())


def test_only_the_messages_of_a_page_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, _ = await filled(site)
        guid = guid_of(ALICE)
        await site.mailboxes.create(guid, inbox, [mail(f"Letter {number}", number) for number in range(10, 60)])
        deep = find(page(0, 1)).replace("<m:FindConversation", '<m:FindConversation Traversal="Deep"', 1)
        deep = deep.replace('Id="inbox"', 'Id="msgfolderroot"')
        assert (await site.ask(deep)).texts(".//t:ConversationTopic") == ["Letter 59"]
        calls = Calls(site, "get")
        assert (await site.ask(deep)).texts(".//t:ConversationTopic") == ["Letter 59"]
        assert sum(len(given[2]) for given in calls.given) <= 2
        # Pages of messages are read one after the other.
        monkeypatch.setattr(conversations_named, "PAGE", 1)
        lunch = (await site.ask(find())).all(".//t:ConversationId")[-1].attrib["Id"]
        assert len((await site.ask(items_of(lunch))).texts(".//t:Subject")) == 3
        monkeypatch.setattr(get_conversation_items, "MAX_ITEMS", 1)
        assert (await site.ask(items_of(lunch))).texts(".//t:Subject") == ["RE: Lunch"]

    asyncio.run(steps())


@pytest.mark.slow
def test_exchangelib_groups_by_conversation(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            mine, guid = await door.beside(lambda: account(door, tmp_path, ALICE)), door.guid(ALICE)
            await door.mailboxes.logon(guid)
            inbox = next(node for node in await door.mailboxes.tree(guid) if node.kind is FolderKind.INBOX)
            await door.mailboxes.create(guid, inbox.id, [mail("Lunch", 1), mail("RE: Lunch", 2, 1), mail("Dinner", 3)])

            def grouped() -> list[list[str]]:
                by_id: dict[str, list[str]] = {}
                for item in mine.inbox.all().only("subject", "conversation_id"):
                    by_id.setdefault(item.conversation_id.id, []).append(item.subject)
                return sorted(sorted(each) for each in by_id.values())

            assert await door.beside(grouped) == [["Dinner"], ["Lunch", "RE: Lunch"]]

    asyncio.run(steps())
