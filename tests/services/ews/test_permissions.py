"""The rights of others in folders: shown, set by level and one by one, and refused."""

from __future__ import annotations

import asyncio

import pytest

from postern.model.folders import ANONYMOUS, EVERYBODY, FolderKind, Right
from postern.model.sharing import FREE_BUSY, ROLES
from postern.services.ews.permissions import LEVELS
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import Answer, EwsSite
from tests.services.ews.test_folders import changed, created, grant, id_in, read

SET = '<t:FieldURI FieldURI="folder:PermissionSet"/>'


def user(address: str) -> str:
    if "@" in address:
        return f"<t:UserId><t:PrimarySmtpAddress>{address}</t:PrimarySmtpAddress></t:UserId>"
    if not address:
        return "<t:UserId/>"
    return f"<t:UserId><t:DistinguishedUser>{address}</t:DistinguishedUser></t:UserId>"


def entry(address: str, level: str, fields: str = "", kind: str = "Permission", reads: str = "") -> str:
    read_items = f"<t:ReadItems>{reads}</t:ReadItems>" if reads else ""
    return f"<t:{kind}>{user(address)}{fields}{read_items}<t:{kind}Level>{level}</t:{kind}Level></t:{kind}>"


def granting(folder: str, *entries: str, kind: str = "Permission", of: str = "Folder") -> str:
    permissions = f"<t:PermissionSet><t:{kind}s>{''.join(entries)}</t:{kind}s></t:PermissionSet>"
    return changed(folder, SET, permissions, of)


def shown(answer: Answer, kind: str = "Permission") -> dict[str, str]:
    """The levels by the users of a permission set."""
    return {
        each.findtext(".//{*}PrimarySmtpAddress") or each.findtext(".//{*}DistinguishedUser") or "": each.findtext(
            f"{{*}}{kind}Level", ""
        )
        for each in answer.all(f".//t:{kind}")
    }


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_kept_and_shown(level: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        calendar = await site.folder(FolderKind.CALENDAR)
        kind = "CalendarPermission"
        request = granting("calendar", entry(BOB, level, kind=kind), kind=kind, of="CalendarFolder")
        assert (await site.ask(request)).codes == ["NoError"]
        rights = await site.mailboxes.rights(guid_of(ALICE), calendar)
        assert rights == {guid_of(BOB): ROLES[LEVELS[level]]}
        told = await site.ask(read("calendar", SET))
        assert shown(told, kind) == {"Default": "FreeBusyTimeOnly", "Anonymous": "None", BOB: level}
        # In a folder without appointments, nobody is told when their owner is busy.
        request = granting("inbox", entry(BOB, level))
        if level.startswith("FreeBusy"):
            assert (await site.ask(request)).codes == ["ErrorSchemaValidation"]
        else:
            assert (await site.ask(request)).codes == ["NoError"]
            assert shown(await site.ask(read("inbox", SET)))[BOB] == level

    asyncio.run(steps())


def test_single_rights_are_kept_and_shown() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        fields = (
            "<t:CanCreateItems>true</t:CanCreateItems><t:CanCreateSubFolders>false</t:CanCreateSubFolders>"
            "<t:IsFolderVisible>true</t:IsFolderVisible><t:EditItems>Owned</t:EditItems><t:DeleteItems>All</t:DeleteItems>"
        )
        answer = await site.ask(granting("inbox", entry(BOB, "Custom", fields, reads="FullDetails")))
        assert answer.codes == ["NoError"]
        rights = (await site.mailboxes.rights(guid_of(ALICE), inbox))[guid_of(BOB)]
        deletes = Right.DELETE_ANY | Right.DELETE_OWNED
        assert rights == Right.CREATE | Right.VISIBLE | Right.EDIT_OWNED | deletes | Right.READ_ANY | FREE_BUSY
        told = await site.ask(read("inbox", SET))
        (custom,) = [each for each in told.all(".//t:Permission") if each.findtext("{*}PermissionLevel") == "Custom"]
        assert [(each.tag.rpartition("}")[2], each.text) for each in custom][1:] == [
            ("CanCreateItems", "true"),
            ("CanCreateSubFolders", "false"),
            ("IsFolderOwner", "false"),
            ("IsFolderVisible", "true"),
            ("IsFolderContact", "false"),
            ("EditItems", "Owned"),
            ("DeleteItems", "All"),
            ("ReadItems", "FullDetails"),
            ("PermissionLevel", "Custom"),
        ]

    asyncio.run(steps())


def test_a_set_takes_the_place_of_the_one_before() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        guid = guid_of(ALICE)
        await site.ask(granting("inbox", entry(BOB, "Reviewer"), entry("Default", "Contributor")))
        assert await site.mailboxes.rights(guid, inbox) == {
            guid_of(BOB): ROLES["reviewer"],
            EVERYBODY: ROLES["contributor"],
        }
        await site.ask(granting("inbox", entry("Anonymous", "Contributor"), entry("Default", "None")))
        assert await site.mailboxes.rights(guid, inbox) == {ANONYMOUS: ROLES["contributor"], EVERYBODY: Right(0)}
        await site.ask(changed("inbox", SET, how="DeleteFolderField"))
        assert await site.mailboxes.rights(guid, inbox) == {}
        # What everybody has anyway is no entry.
        await site.ask(granting("inbox", entry("Anonymous", "None"), entry("Default", "None")))
        assert await site.mailboxes.rights(guid, inbox) == {}

    asyncio.run(steps())


def test_a_new_folder_has_the_set_that_it_comes_with() -> None:
    async def steps() -> None:
        site = EwsSite()
        permissions = f"<t:PermissionSet><t:Permissions>{entry(BOB, 'Editor')}</t:Permissions></t:PermissionSet>"
        folder = id_in(await site.ask(created("Shared", more=permissions)))
        assert (await site.ask(read(folder), BOB)).codes == ["NoError"]

    asyncio.run(steps())


def test_sets_that_are_not_valid_are_refused() -> None:
    async def steps() -> None:
        site = EwsSite()
        unknown = (
            "<t:PermissionSet><t:Permissions/><t:UnknownEntries><t:UnknownEntry>x</t:UnknownEntry></t:UnknownEntries>"
        )
        for request, code in (
            (granting("inbox", entry("nobody@example.test", "Editor")), "ErrorInvalidUserInfo"),
            (granting("inbox", entry(ALICE, "Editor")), "ErrorInvalidUserInfo"),
            (granting("inbox", entry("Nobody", "Editor")), "ErrorSchemaValidation"),
            (granting("inbox", entry("", "Editor")), "ErrorMissingUserIdInformation"),
            (granting("inbox", entry(BOB, "Editor").replace("PrimarySmtpAddress", "SID")), "ErrorInvalidUserSid"),
            (granting("inbox", entry(BOB, "Editor"), entry(BOB, "Author")), "ErrorDuplicateUserIdsSpecified"),
            (granting("inbox", entry(BOB, "King")), "ErrorSchemaValidation"),
            (granting("inbox", entry(BOB, "Custom", "<t:EditItems>Some</t:EditItems>")), "ErrorSchemaValidation"),
            (granting("inbox", entry(BOB, "Custom", reads="TimeOnly")), "ErrorSchemaValidation"),
            (granting("outbox", entry(BOB, "Editor")), "ErrorInvalidPermissionSettings"),
            (
                granting("inbox", kind="CalendarPermission"),
                "ErrorCannotSetCalendarPermissionOnNonCalendarFolder",
            ),
            (
                granting("calendar", entry(BOB, "Editor")),
                "ErrorCannotSetNonCalendarPermissionOnCalendarFolder",
            ),
            (changed("inbox", SET, f"{unknown}</t:PermissionSet>"), "ErrorCannotSetPermissionUnknownEntries"),
        ):
            assert (await site.ask(request)).codes == [code], request
        assert await site.mailboxes.mailbox_rights(guid_of(ALICE)) == {}

    asyncio.run(steps())


def test_rights_in_anothers_folder_are_its_owners_to_grant() -> None:
    async def steps() -> None:
        site = EwsSite()
        folder = id_in(await site.ask(created("Shared")))
        number = next(node.id for node in await site.mailboxes.tree(guid_of(ALICE)) if node.name == "Shared")
        await grant(site, number, ROLES["publishing-editor"])
        request = granting(folder, entry(BOB, "Owner"))
        assert (await site.ask(request, BOB)).codes == ["ErrorAccessDenied"]
        assert shown(await site.ask(read(folder, SET), BOB)) == {}
        await grant(site, number, ROLES["owner"])
        assert shown(await site.ask(read(folder, SET), BOB))[BOB] == "Owner"
        assert (await site.ask(granting(folder, entry(BOB, "Reviewer")), BOB)).codes == ["NoError"]
        assert (await site.ask(request, BOB)).codes == ["ErrorAccessDenied"]

    asyncio.run(steps())


def test_one_who_has_left_is_an_unknown_entry() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        gone = guid_of("gone@example.test")
        await site.mailboxes.set_rights(guid_of(ALICE), inbox, gone, ROLES["editor"])
        told = await site.ask(read("inbox", SET))
        assert told.texts(".//t:UnknownEntry") == [str(gone)]
        assert set(shown(told)) == {"Default", "Anonymous"}

    asyncio.run(steps())
