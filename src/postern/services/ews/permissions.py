"""The rights of others in a folder as a PermissionSet, or in a calendar a CalendarPermissionSet (MS-OXWSFOLD section 2.2.4.14,
MS-OXWSMTGS section 2.2.4.6)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

from postern.model.address_book import AddressBookEntry
from postern.model.directory import RecipientType
from postern.model.folders import ANONYMOUS, EVERYBODY, FolderKind, FolderNode, Right
from postern.model.sharing import DEFAULT_RIGHTS, FREE_BUSY, ROLES, role_of
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import boolean, element, is_true, t, value
from postern.services.ews.access import Call, Mailbox

MAX_PERMISSIONS = 1_000
"""Entries of one folder, as the store has them."""
LEVELS: Mapping[str, str] = MappingProxyType(
    {
        "None": "none",
        "Owner": "owner",
        "PublishingEditor": "publishing-editor",
        "Editor": "editor",
        "PublishingAuthor": "publishing-author",
        "Author": "author",
        "NoneditingAuthor": "nonediting-author",
        "Reviewer": "reviewer",
        "Contributor": "contributor",
        "FreeBusyTimeOnly": "free-busy",
        "FreeBusyTimeAndSubjectAndLocation": "free-busy-details",
    }
)
"""The levels of MS-OXWSFOLD section 2.2.5.2 and MS-OXWSMTGS section 2.2.5.2 by the roles of `model.sharing`. The last two are for
calendars alone."""
_LEVEL_OF = {role: level for level, role in LEVELS.items()}
_OF_CALENDARS = ("FreeBusyTimeOnly", "FreeBusyTimeAndSubjectAndLocation")
_FLAGS = {
    "CanCreateItems": Right.CREATE,
    "CanCreateSubFolders": Right.CREATE_SUBFOLDER,
    "IsFolderOwner": Right.OWNER,
    "IsFolderVisible": Right.VISIBLE,
    "IsFolderContact": Right.CONTACT,
}
_ACTIONS = {
    "EditItems": {"None": Right(0), "Owned": Right.EDIT_OWNED, "All": Right.EDIT_OWNED | Right.EDIT_ANY},
    "DeleteItems": {"None": Right(0), "Owned": Right.DELETE_OWNED, "All": Right.DELETE_OWNED | Right.DELETE_ANY},
}
_READS = {
    "None": Right(0),
    "TimeOnly": Right.FREE_BUSY_SIMPLE,
    "TimeAndSubjectAndLocation": FREE_BUSY,
    "FullDetails": FREE_BUSY | Right.READ_ANY,
}
_DISTINGUISHED = {"Default": EVERYBODY, "Anonymous": ANONYMOUS}


# What an answer shows


def markup(node: FolderNode, entries: Mapping[UUID, Right], people: Mapping[UUID, AddressBookEntry]) -> str:
    """The PermissionSet of a folder; `people` are those of its entries whom the directory knows."""
    name = "CalendarPermission" if node.is_calendar else "Permission"
    shown = {EVERYBODY: DEFAULT_RIGHTS.get(node.kind, Right(0)), ANONYMOUS: Right(0), **entries}
    known = [
        _permission(name, _user_id(grantee, people), rights)
        for grantee, rights in shown.items()
        if grantee in people or grantee in (EVERYBODY, ANONYMOUS)
    ]
    unknown = [
        value("t:UnknownEntry", str(grantee))
        for grantee in entries
        if grantee not in people and grantee not in (EVERYBODY, ANONYMOUS)
    ]
    more = element("t:UnknownEntries", *unknown) if unknown else ""
    return element("t:PermissionSet", element(f"t:{name}s", *known), more)


def _user_id(grantee: UUID, people: Mapping[UUID, AddressBookEntry]) -> str:
    for name, each in _DISTINGUISHED.items():
        if each == grantee:
            return element("t:UserId", value("t:DistinguishedUser", name))
    return user_id(people[grantee])


def user_id(person: AddressBookEntry) -> str:
    """The UserId of somebody in the directory (MS-OXWSCDATA section 2.2.4.62)."""
    return element(
        "t:UserId", value("t:PrimarySmtpAddress", person.primary), value("t:DisplayName", person.display_name)
    )


def _permission(name: str, user: str, rights: Right) -> str:
    """One entry, in the order of BasePermissionType and what is derived from it."""
    flags = [boolean(f"t:{flag}", bool(rights & right)) for flag, right in _FLAGS.items()]
    actions = [
        value(f"t:{action}", next(each for each in reversed(by_value) if rights & by_value[each] == by_value[each]))
        for action, by_value in _ACTIONS.items()
    ]
    is_of_calendar = name == "CalendarPermission"
    reads = read_level(rights, is_of_calendar)
    level = value(f"t:{name}Level", level_of(rights, is_of_calendar))
    return element(f"t:{name}", user, *flags, *actions, value("t:ReadItems", reads), level)


def read_level(rights: Right, is_of_calendar: bool) -> str:
    """The value of ReadItems for these rights."""
    if rights & Right.READ_ANY:
        return "FullDetails"
    if not is_of_calendar or not rights & FREE_BUSY:
        return "None"
    return "TimeAndSubjectAndLocation" if rights & Right.FREE_BUSY_DETAILED else "TimeOnly"


def level_of(rights: Right, is_of_calendar: bool = False) -> str:
    """The level that has these rights, or "Custom"."""
    level = _LEVEL_OF.get(role_of(rights), "Custom")
    return "None" if level in _OF_CALENDARS and not is_of_calendar else level


# What a request says


async def read_set(call: Call, node: FolderNode, permissions: xml.Element) -> dict[UUID, Right]:
    """Reads a PermissionSet, and returns the rights of everybody in it. Raises EwsError: ErrorInvalidPermissionSettings,
    ErrorInvalidUserInfo, ErrorDuplicateUserIdsSpecified, and those for a set that is not of such a folder."""
    name = "CalendarPermission" if node.is_calendar else "Permission"
    other = "Permission" if node.is_calendar else "CalendarPermission"
    if permissions.find(t(f"{other}s")) is not None:
        raise EwsError(
            Code.CANNOT_SET_NON_CALENDAR_PERMISSION_ON_CALENDAR_FOLDER
            if node.is_calendar
            else Code.CANNOT_SET_CALENDAR_PERMISSION_ON_NON_CALENDAR_FOLDER
        )
    unknown = permissions.find(t("UnknownEntries"))
    if unknown is not None and unknown.elements:
        raise EwsError(Code.CANNOT_SET_PERMISSION_UNKNOWN_ENTRIES)
    listed = permissions.find(t(f"{name}s"))
    if listed is None:
        raise EwsError(Code.SCHEMA_VALIDATION)
    if len(listed.elements) > MAX_PERMISSIONS:
        raise EwsError(Code.INVALID_PERMISSION_SETTINGS)
    entries: dict[UUID, Right] = {}
    for each in listed.elements:
        grantee = await grantee_of(call, each.find(t("UserId")))
        if grantee in entries:
            raise EwsError(Code.DUPLICATE_USER_IDS_SPECIFIED)
        entries[grantee] = _rights(each, node.is_calendar)
    return entries


async def grantee_of(call: Call, user: xml.Element | None, code: Code = Code.INVALID_USER_INFO) -> UUID:
    """The directory id of a UserId, or the one that stands for everybody. Raises EwsError with `code` for one who is not here."""
    if user is None:
        raise EwsError(Code.SCHEMA_VALIDATION)
    distinguished = user.text_of(t("DistinguishedUser"))
    address = user.text_of(t("PrimarySmtpAddress"))
    if distinguished in _DISTINGUISHED and not address:
        return _DISTINGUISHED[distinguished]
    if not address:
        # A SID is nothing that the directory is asked for.
        raise EwsError(Code.INVALID_USER_SID if user.text_of(t("SID")) else Code.MISSING_USER_ID_INFORMATION)
    grantee = await call.access.sharing.grantee(address.lower())
    if grantee is None:
        raise EwsError(code)
    return grantee


def _rights(permission: xml.Element, is_of_calendar: bool) -> Right:
    level = permission.text_of(t("CalendarPermissionLevel" if is_of_calendar else "PermissionLevel"))
    if level in LEVELS and (is_of_calendar or level not in _OF_CALENDARS):
        # The single rights are not looked at beside a level, as Exchange 2013 has it (MS-OXWSFOLD section 2.2.4.15, note 9).
        return ROLES[LEVELS[level]]
    if level != "Custom":
        raise EwsError(Code.SCHEMA_VALIDATION)
    rights = Right(0)
    for flag, right in _FLAGS.items():
        if is_true(permission.text_of(t(flag))):
            rights |= right
    for action, by_value in _ACTIONS.items():
        rights |= _chosen(by_value, permission.text_of(t(action)))
    reads = permission.text_of(t("ReadItems"))
    if not is_of_calendar and reads not in ("", "None", "FullDetails"):
        raise EwsError(Code.SCHEMA_VALIDATION)
    return rights | _chosen(_READS, reads)


def _chosen(by_value: Mapping[str, Right], text: str) -> Right:
    if text and text not in by_value:
        raise EwsError(Code.SCHEMA_VALIDATION)
    return by_value[text or "None"]


async def set_entries(call: Call, mailbox: Mailbox, node: FolderNode, entries: Mapping[UUID, Right]) -> None:
    """Makes these the entries of others in a folder, and takes the other entries out. Without one for EVERYBODY, everybody has
    what `DEFAULT_RIGHTS` says of the folder: in a calendar, free/busy times. Raises EwsError ErrorAccessDenied,
    ErrorInvalidPermissionSettings, ErrorInvalidUserInfo."""
    mailbox.demand(node, Right.OWNER)
    if entries and node.kind is FolderKind.OUTBOX:
        # Messages leave there in the owner's name.
        raise EwsError(Code.INVALID_PERMISSION_SETTINGS)
    if mailbox.id in entries:
        raise EwsError(Code.INVALID_USER_INFO)
    known = await mailbox.server.items.rights(mailbox.id, node.id)
    unsaid = {EVERYBODY: DEFAULT_RIGHTS.get(node.kind, Right(0)), ANONYMOUS: Right(0)}
    wanted: dict[UUID, Right | None] = {grantee: None for grantee in known if grantee not in entries}
    for grantee, rights in entries.items():
        # A set says nothing of private items, which delegates may see or not.
        kept = rights | known.get(grantee, Right(0)) & Right.PRIVATE
        if known.get(grantee, unsaid.get(grantee)) != kept:
            wanted[grantee] = kept
    # The caller's own rights come last: without them he could not go on.
    for grantee in sorted(wanted, key=lambda each: each == mailbox.caller):
        await call.access.sharing.set_rights(mailbox.recipient, node.id, grantee, wanted[grantee])
    mailbox.forget_nodes()


async def people_of(call: Call, grantees: list[UUID]) -> dict[UUID, AddressBookEntry]:
    """Those of these grantees whom the directory knows; who is hidden from address lists is known by the address alone."""
    asked = [each for each in grantees if each not in (EVERYBODY, ANONYMOUS)]
    entries = await call.access.directory.address_book_entries(asked) if asked else {}
    hidden = [each for each in asked if each not in entries]
    addresses = await call.access.sharing.addresses(hidden) if hidden else {}
    return entries | {
        guid: AddressBookEntry(guid, RecipientType.USER, address, (address,)) for guid, address in addresses.items()
    }
