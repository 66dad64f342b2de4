"""Delegates: added, shown, changed and removed; what they may do then.

covers: delegates, services.ews.operations.delegates
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from postern.items.properties import Type
from postern.items.property_values import encoded
from postern.model.folders import FolderKind, Right
from postern.model.item_store import RenderedItem
from postern.model.resources import NewResource
from postern.model.security import Identity, Mechanism, PrincipalKind
from postern.model.sharing import ROLES
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId
from postern.services.access.sharing import MailboxRights
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.delegates import _NAME, Delegates
from tests.services.dav.site import ALICE, BOB, event, guid_of
from tests.services.ews.site import Answer, EwsSite
from tests.services.ews.test_permissions import user

CAROL = "carol@example.test"
MAILBOX = f"<m:Mailbox><t:EmailAddress>{ALICE}</t:EmailAddress></m:Mailbox>"


def putting(operation: str, who: str = user(BOB), more: str = "", delivery: str = "", **levels: str) -> str:
    inner = "".join(
        f"<t:{name}FolderPermissionLevel>{level}</t:{name}FolderPermissionLevel>" for name, level in levels.items()
    )
    permissions = f"<t:DelegatePermissions>{inner}</t:DelegatePermissions>" if inner else ""
    delivered = f"<m:DeliverMeetingRequests>{delivery}</m:DeliverMeetingRequests>" if delivery else ""
    users = f"<m:DelegateUsers><t:DelegateUser>{who}{permissions}{more}</t:DelegateUser></m:DelegateUsers>"
    return f"<m:{operation}>{MAILBOX}{users}{delivered}</m:{operation}>"


def asking(*users: str, operation: str = "GetDelegate") -> str:
    named = f"<m:UserIds>{''.join(users)}</m:UserIds>" if users else ""
    attributes = ' IncludePermissions="true"' if operation == "GetDelegate" else ""
    return f"<m:{operation}{attributes}>{MAILBOX}{named}</m:{operation}>"


def levels(answer: Answer) -> list[tuple[str, str]]:
    every = answer.find(".//t:DelegatePermissions")
    return [(each.tag.rpartition("}")[2].removesuffix("FolderPermissionLevel"), each.text or "") for each in every]


def test_a_delegate_is_added_shown_changed_and_removed() -> None:
    async def steps() -> None:
        site = EwsSite()
        calendar, inbox = await site.folder(FolderKind.CALENDAR), await site.folder(FolderKind.INBOX)
        guid = guid_of(ALICE)
        more = "<t:ReceiveCopiesOfMeetingMessages>true</t:ReceiveCopiesOfMeetingMessages>"
        answer = await site.ask(
            putting("AddDelegate", more=more, delivery="DelegatesOnly", Calendar="Editor", Inbox="Reviewer")
        )
        # An administrator has yet to let him send on behalf, and the answer says so.
        (message,) = answer.messages
        assert answer.content.attrib == {"ResponseClass": "Success"} and answer.codes == ["NoError"]
        assert message.attrib == {"ResponseClass": "Warning"} and "administrator" in answer.texts(".//m:MessageText")[0]
        shown = await site.ask(asking())
        assert levels(shown) == [
            ("Calendar", "Editor"),
            ("Tasks", "None"),
            ("Inbox", "Reviewer"),
            ("Contacts", "None"),
            ("Notes", "None"),
            ("Journal", "None"),
        ]
        assert [each.tag.rpartition("}")[2] for each in shown.find(".//m:DelegateUser")] == [
            "UserId",
            "DelegatePermissions",
            "ReceiveCopiesOfMeetingMessages",
            "ViewPrivateItems",
        ]
        assert shown.texts(".//t:PrimarySmtpAddress") == [BOB]
        assert shown.texts(".//t:ReceiveCopiesOfMeetingMessages") == ["true"]
        assert shown.texts("m:DeliverMeetingRequests") == ["DelegatesOnly"]
        assert await site.mailboxes.mailbox_rights(guid) == {
            calendar: {guid_of(BOB): ROLES["editor"]},
            inbox: {guid_of(BOB): ROLES["reviewer"]},
        }
        await site.ask(putting("UpdateDelegate", Calendar="Author", Inbox="None"))
        shown = await site.ask(asking(user(BOB)))
        assert dict(levels(shown))["Calendar"] == "Author" and dict(levels(shown))["Inbox"] == "None"
        assert shown.texts(".//t:ReceiveCopiesOfMeetingMessages") == ["true"]
        assert (await site.ask(asking(user(BOB), operation="RemoveDelegate"))).codes == ["NoError"]
        assert not (await site.ask(asking())).messages
        assert await site.mailboxes.mailbox_rights(guid) == {}

    asyncio.run(steps())


def test_only_who_may_send_on_behalf_is_a_delegate_without_a_warning() -> None:
    async def steps() -> None:
        site = EwsSite()
        await site.folder(FolderKind.INBOX)
        site.recipients.known[ALICE] = replace(site.recipients.known[ALICE], delegates=(BOB,))
        shown = await site.ask(asking())
        assert shown.texts(".//t:PrimarySmtpAddress") == [BOB] and {level for _, level in levels(shown)} == {"None"}
        (message,) = (await site.ask(putting("AddDelegate", Tasks="Editor"))).messages
        assert message.attrib == {"ResponseClass": "Success"}
        removed = await site.ask(asking(user(BOB), operation="RemoveDelegate"))
        assert removed.messages[0].attrib == {"ResponseClass": "Warning"}

    asyncio.run(steps())


def test_a_delegate_sees_private_items_where_the_owner_says_so() -> None:
    async def steps() -> None:
        site = EwsSite()
        calendar = await site.folder(FolderKind.CALENDAR)
        guid = guid_of(ALICE)
        resource = NewResource(event("a"), "IPM.Appointment", RenderedItem("a", is_private=True))
        (number,) = await site.mailboxes.add(guid, calendar, [resource])
        get = (
            "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
            '<t:FieldURI FieldURI="item:EffectiveRights"/></t:AdditionalProperties></m:ItemShape>'
            f'<m:ItemIds><t:ItemId Id="{ItemId(guid, number)}"/></m:ItemIds></m:GetItem>'
        )
        await site.ask(putting("AddDelegate", Calendar="Editor"))
        assert (await site.ask(get, BOB)).codes == ["ErrorItemNotFound"]
        sees = "<t:ViewPrivateItems>{}</t:ViewPrivateItems>"
        await site.ask(putting("UpdateDelegate", more=sees.format("true")))
        assert (await site.ask(get, BOB)).texts(".//t:ViewPrivateItems") == ["true"]
        shown = await site.ask(asking())
        assert dict(levels(shown))["Calendar"] == "Editor" and shown.texts(".//t:ViewPrivateItems") == ["true"]
        await site.ask(putting("UpdateDelegate", Calendar="Reviewer"))
        assert (await site.ask(get, BOB)).codes == ["NoError"]
        await site.ask(putting("UpdateDelegate", more=sees.format("false")))
        assert (await site.ask(get, BOB)).codes == ["ErrorItemNotFound"]
        rights = (await site.mailboxes.rights(guid, calendar))[guid_of(BOB)]
        assert rights == ROLES["reviewer"] and Right.PRIVATE not in rights

    asyncio.run(steps())


@pytest.mark.parametrize(
    "request_, code",
    [
        (putting("AddDelegate", user(ALICE)), "ErrorDelegateCannotAddOwner"),
        (putting("AddDelegate", user("nobody@example.test")), "ErrorDelegateNoUser"),
        (putting("AddDelegate", user("Default")), "ErrorInvalidDelegateUserId"),
        (putting("AddDelegate", user(CAROL)), "ErrorDelegateAlreadyExists"),
        (putting("AddDelegate", Calendar="Custom"), "ErrorInvalidDelegatePermission"),
        (putting("AddDelegate", Calendar="Owner"), "ErrorSchemaValidation"),
        (putting("UpdateDelegate", Calendar="Editor"), "ErrorNotDelegate"),
        (asking(user(BOB)), "ErrorNotDelegate"),
        (asking(user(BOB), operation="RemoveDelegate"), "ErrorNotDelegate"),
    ],
)
def test_what_cannot_be_done_with_a_delegate_is_told(request_: str, code: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        await site.folder(FolderKind.INBOX)
        site.recipients.known[CAROL] = replace(
            site.recipients.known[BOB], guid=guid_of(CAROL), primary=CAROL, addresses=(CAROL,)
        )
        assert (await site.ask(putting("AddDelegate", user(CAROL)))).codes == ["NoError"]
        answer = await site.ask(request_)
        assert answer.codes == [code]
        assert (await site.mailboxes.mailbox_rights(guid_of(ALICE))) == {}

    asyncio.run(steps())


def test_delegates_are_the_owners_to_name() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        owner = site.recipients.known[ALICE]
        await site.sharing.set_rights(owner, inbox, guid_of(BOB), ROLES["owner"])
        for request in (asking(), putting("AddDelegate"), asking(user(BOB), operation="RemoveDelegate")):
            answer = await site.ask(request, BOB)
            assert answer.content.attrib == {"ResponseClass": "Error"}
            assert answer.texts("m:ResponseCode") == ["ErrorAccessDenied"]
        await site.sharing.set_full_access(owner, guid_of(BOB), True)
        assert (await site.ask(asking(), BOB)).texts("m:ResponseCode") == ["NoError"]
        answer = await site.ask(asking(), version="Exchange2007")
        assert (answer.status, answer.fault) == (500, "ErrorInvalidRequest")

    asyncio.run(steps())


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"copies": 4, "delivery": []}', '{"copies": {"x": 1}, "delivery": "x"}']
)
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, guid = await site.folder(FolderKind.INBOX), guid_of(ALICE)
        (number,) = await site.mailboxes.property_ids(guid, [_NAME], True)
        await site.mailboxes.set_folder_properties(guid, inbox, {number << 16 | 0x1F: encoded(Type.STRING, text)})
        shown = await site.ask(asking())
        assert shown.texts("m:DeliverMeetingRequests") == ["DelegatesAndMe"] and not shown.messages

    asyncio.run(steps())


def test_a_mailbox_that_nobody_has_opened_names_nobody() -> None:
    async def steps() -> None:
        site = EwsSite()
        whole = MailboxRights(guid_of(ALICE), (guid_of(BOB),), {}, is_full=True)
        mailbox = Mailbox(site.recipients.known[ALICE], cast(Any, site.access.server("db")), whole, 0)
        call = Call(site.access, Identity(PrincipalKind.USER, BOB, Mechanism.NTLM, guid_of(BOB)))
        with pytest.raises(EwsError) as refused:
            await Delegates.of(call, mailbox)
        assert refused.value.code is Code.FOLDER_NOT_FOUND

    asyncio.run(steps())


def test_a_way_of_delivery_that_came_later_is_not_told_before() -> None:
    async def steps() -> None:
        site = EwsSite()
        await site.folder(FolderKind.INBOX)
        request = putting("AddDelegate", delivery="NoForward")
        early = await site.ask(request, version="Exchange2007_SP1")
        assert early.texts("m:ResponseCode") == ["ErrorSchemaValidation"]
        await site.ask(request)
        for version, delivery in (("Exchange2007_SP1", "DelegatesAndMe"), ("Exchange2010", "NoForward")):
            assert (await site.ask(asking(), version=version)).texts("m:DeliverMeetingRequests") == [delivery]

    asyncio.run(steps())
