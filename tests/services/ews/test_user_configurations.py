"""User configurations: kept, changed, read by rights, and what is none.

covers: user_configurations, protocols.ews.user_configurations, services.ews.operations.create_user_configuration
covers: services.ews.operations.get_user_configuration, services.ews.operations.update_user_configuration
covers: services.ews.operations.delete_user_configuration
"""

from __future__ import annotations

import asyncio
import base64
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from exchangelib.errors import ErrorItemNotFound, ErrorItemSave

from postern.items.properties import CONFIGURATIONS, Type
from postern.items.property_values import encoded
from postern.model.folders import FolderKind, Right
from postern.model.item_store import PropertyName
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.exchange import account
from tests.services.ews.site import EwsDoor, EwsSite


def name(text: str = "Options", folder: str = "inbox", mailbox: str = "", space: str = "t") -> str:
    owner = f"<t:Mailbox><t:EmailAddress>{mailbox}</t:EmailAddress></t:Mailbox>" if mailbox else ""
    return (
        f'<{space}:UserConfigurationName Name="{text}"><t:DistinguishedFolderId Id="{folder}">{owner}'
        f"</t:DistinguishedFolderId></{space}:UserConfigurationName>"
    )


def entry(key: str, type_: str, *texts: str) -> str:
    values = "".join(f"<t:Value>{text}</t:Value>" for text in texts)
    return (
        f"<t:DictionaryEntry><t:DictionaryKey><t:Type>String</t:Type><t:Value>{key}</t:Value></t:DictionaryKey>"
        f"<t:DictionaryValue><t:Type>{type_}</t:Type>{values}</t:DictionaryValue></t:DictionaryEntry>"
    )


def write(operation: str, parts: str, **place: str) -> str:
    inner = f"<m:UserConfiguration>{name(**place)}{parts}</m:UserConfiguration>"
    return f"<m:{operation}>{inner}</m:{operation}>"


def get(parts: str = "All", **place: str) -> str:
    return (
        f"<m:GetUserConfiguration>{name(**place, space='m')}"
        f"<m:UserConfigurationProperties>{parts}</m:UserConfigurationProperties></m:GetUserConfiguration>"
    )


def delete(**place: str) -> str:
    return f"<m:DeleteUserConfiguration>{name(**place, space='m')}</m:DeleteUserConfiguration>"


def data(octets: bytes, element: str = "XmlData") -> str:
    return f"<t:{element}>{base64.b64encode(octets).decode()}</t:{element}>"


def test_a_configuration_is_kept_changed_and_deleted() -> None:
    async def steps() -> None:
        site = EwsSite()
        dictionary = (
            f"<t:Dictionary>{entry('a', 'Integer32', '-5')}{entry('b', 'StringArray', 'x', 'y')}</t:Dictionary>"
        )
        assert (await site.ask(get())).codes == ["ErrorItemNotFound"]
        assert (await site.ask(write("CreateUserConfiguration", dictionary + data(b"<x/>")))).codes == ["NoError"]
        assert (await site.ask(write("CreateUserConfiguration", data(b"<x/>")))).codes == ["ErrorItemSave"]
        answer = await site.ask(get())
        configuration = answer.find(".//m:UserConfiguration")
        assert [each.tag.rpartition("}")[2] for each in configuration] == [
            "UserConfigurationName",
            "ItemId",
            "Dictionary",
            "XmlData",
        ]
        assert answer.texts(".//t:DictionaryKey/t:Value") == ["a", "b"]
        assert answer.texts(".//t:DictionaryValue/t:Value") == ["-5", "x", "y"]
        # A change of a part leaves the others.
        assert (await site.ask(write("UpdateUserConfiguration", data(b"\0\1", "BinaryData")))).codes == ["NoError"]
        answer = await site.ask(get("XmlData BinaryData"))
        assert answer.texts(".//t:XmlData") == ["PHgvPg=="] and answer.texts(".//t:BinaryData") == ["AAE="]
        assert not answer.all(".//t:Dictionary") and not answer.all(".//t:ItemId")
        # A value may be nothing.
        nil = '<t:DictionaryValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/></t:DictionaryEntry>'
        key = entry("c", "Byte", "1").partition("<t:DictionaryValue>")[0]
        assert (await site.ask(write("UpdateUserConfiguration", f"<t:Dictionary>{key}{nil}</t:Dictionary>"))).codes == [
            "NoError"
        ]
        assert (await site.ask(get())).find(".//t:DictionaryValue").attrib == {
            "{http://www.w3.org/2001/XMLSchema-instance}nil": "true"
        }
        # Another folder, and one above the tree, have others of the same name.
        for folder in ("calendar", "root", "msgfolderroot"):
            assert (await site.ask(get(folder=folder))).codes == ["ErrorItemNotFound"]
            assert (await site.ask(write("CreateUserConfiguration", data(folder.encode()), folder=folder))).codes == [
                "NoError"
            ]
        assert (await site.ask(get(folder="root"))).texts(".//t:XmlData") == ["cm9vdA=="]
        assert (await site.ask(delete())).codes == ["NoError"]
        for gone in (delete(), get(), write("UpdateUserConfiguration", data(b"x"))):
            assert (await site.ask(gone)).codes == ["ErrorItemNotFound"]
        assert (await site.ask(get(folder="calendar"))).codes == ["NoError"]

    asyncio.run(steps())


def test_anothers_configuration_is_read_and_changed_by_rights() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, guid = await site.folder(FolderKind.INBOX), guid_of(ALICE)
        assert (await site.ask(write("CreateUserConfiguration", data(b"x")))).codes == ["NoError"]
        mine = {"mailbox": ALICE}
        assert (await site.ask(get(**mine), BOB)).codes == ["ErrorFolderNotFound"]
        owner = next(each for each in site.recipients.known.values() if each.guid == guid)
        for rights, reads, writes in (
            (Right.VISIBLE, "ErrorAccessDenied", "ErrorAccessDenied"),
            (Right.VISIBLE | Right.READ_ANY, "NoError", "ErrorAccessDenied"),
            (Right.OWNER | Right.READ_ANY, "NoError", "NoError"),
        ):
            await site.sharing.set_rights(owner, inbox, guid_of(BOB), rights)
            assert (await site.ask(get(**mine), BOB)).codes == [reads]
            assert (await site.ask(write("UpdateUserConfiguration", data(b"y"), **mine), BOB)).codes == [writes]

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        (f"<t:Dictionary>{entry('a', 'Integer32', '2147483648')}</t:Dictionary>", "ErrorInvalidValueForProperty"),
        (f"<t:Dictionary>{entry('a', 'Nothing', '1')}</t:Dictionary>", "ErrorSchemaValidation"),
        (f"<t:Dictionary>{entry('a', 'Byte', '1', '2')}</t:Dictionary>", "ErrorInvalidValueForProperty"),
        (f"<t:Dictionary>{entry('a', 'Byte', '1') * 2}</t:Dictionary>", "ErrorInvalidValueForProperty"),
        (f"<t:Dictionary>{entry('a', 'DateTime', 'now')}</t:Dictionary>", "ErrorInvalidValueForProperty"),
        (f"<t:Dictionary>{entry('a', 'Byte', '1') * 1_001}</t:Dictionary>", "ErrorDataSizeLimitExceeded"),
        ("<t:XmlData>!</t:XmlData>", "ErrorInvalidValueForProperty"),
        (data(b"x" * 262_145), "ErrorDataSizeLimitExceeded"),
        (data(bytes(range(256)) * 300 + bytes(1)), "NoError"),
    ],
)
def test_values_are_checked(parts: str, code: str) -> None:
    async def steps() -> None:
        assert (await EwsSite().ask(write("CreateUserConfiguration", parts))).codes == [code]

    asyncio.run(steps())


def test_what_does_not_fit_or_was_not_written_here_is_refused() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, guid = await site.folder(FolderKind.INBOX), guid_of(ALICE)
        noise = random.Random(1).randbytes(80_000)
        assert (await site.ask(write("CreateUserConfiguration", data(noise)))).codes == ["ErrorDataSizeLimitExceeded"]
        for text in ("", "x" * 201):
            assert (await site.ask(get(text=text))).codes == ["ErrorInvalidRequest"]
        assert (await site.ask(get("Id Nothing"))).codes == ["ErrorSchemaValidation"]
        assert (await site.ask(get(folder="nowhere"))).codes == ["ErrorFolderNotFound"]
        # A program may write anything into the property by its name.
        (number,) = await site.mailboxes.property_ids(guid, [PropertyName(CONFIGURATIONS, None, ":Options")], True)
        for octets in (b"x", b"[]"):
            value = encoded(Type.BINARY, octets)
            await site.mailboxes.set_folder_properties(guid, inbox, {number << 16 | Type.BINARY: value})
            assert (await site.ask(get())).codes == ["ErrorItemCorrupt"]

    asyncio.run(steps())


@pytest.mark.slow
def test_exchangelib_keeps_its_configurations(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            mine = await door.beside(lambda: account(door, tmp_path, ALICE))

            def keep() -> None:
                dictionary = {
                    "text": "häh",
                    "number": 7,
                    "yes": True,
                    "list": ("a", "b"),
                    datetime(2026, 1, 2, tzinfo=UTC): b"\0\xff",
                }
                inbox = mine.inbox
                inbox.create_user_configuration("Test", dictionary=dictionary, xml_data=b"<a/>", binary_data=b"\1")
                with pytest.raises(ErrorItemSave):
                    inbox.create_user_configuration("Test")
                told = inbox.get_user_configuration("Test")
                assert told.dictionary == dictionary
                assert (told.xml_data, told.binary_data, told.user_configuration_name.name) == (b"<a/>", b"\1", "Test")
                inbox.update_user_configuration("Test", dictionary={"x": 1})
                assert inbox.get_user_configuration("Test").dictionary == {"x": 1}
                inbox.delete_user_configuration("Test")
                with pytest.raises(ErrorItemNotFound):
                    inbox.get_user_configuration("Test")

            await door.beside(keep)

    asyncio.run(steps())
