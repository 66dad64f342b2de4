"""GetDelegate, AddDelegate, UpdateDelegate and RemoveDelegate (MS-OXWSDLGM section 3.1.4)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from postern.model.address_book import AddressBookEntry
from postern.model.directory import DirectoryUnavailable
from postern.model.folders import ANONYMOUS, EVERYBODY
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.envelope import CLOSING, opening, start_tag
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import boolean, element, is_true, m, t, value
from postern.protocols.ews.versions import Version
from postern.services.ews import permissions
from postern.services.ews.access import Call
from postern.services.ews.delegates import DELIVERIES, FOLDERS, LEVELS, MAX_DELEGATES, Delegate, Delegates, Record
from postern.services.ews.operation import as_error

_GRANT = (
    "The delegate has the rights in the folders. Sending on behalf is granted by an administrator, and was not yet."
)
_REVOKE = (
    "The rights in the folders are taken back. Sending on behalf is taken back by an administrator, and was not yet."
)
_TAG = "m:DelegateUserResponseMessageType"
Run = Callable[[Call, Delegates, xml.Element], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class DelegateOperation:
    """An operation on delegates: its answer is a response message itself, and holds one for each delegate. `run` returns what
    stands behind the response code."""

    name: str
    section: str
    run: Run
    since: Version = Version.V2007_SP1

    async def answer(self, call: Call, request: xml.Element) -> AsyncGenerator[str, None]:
        name = f"{self.name}Response"
        try:
            address = request.text_of(m("Mailbox"), t("EmailAddress"))
            delegates = await Delegates.of(call, await call.mailbox(address))
            content = value("m:ResponseCode", Code.NO_ERROR) + await self.run(call, delegates, request)
            response_class = "Success"
        except (EwsError, MailboxError, DirectoryUnavailable) as error:
            content, response_class = as_error(error).markup, "Error"
        tag = start_tag(name).replace(">", f' ResponseClass="{response_class}">', 1)
        yield f"{opening()}{tag}{content}</m:{name}>{CLOSING}"


async def _get(call: Call, delegates: Delegates, request: xml.Element) -> str:
    with_permissions = is_true(request.attributes.get("IncludePermissions", ""))
    asked = request.find(m("UserIds"))
    parts: list[str] = []
    if asked is None:
        every = delegates.guids()
        people = await permissions.people_of(call, every)
        for guid in every:
            if guid in people:
                parts.append(await _shown(delegates, guid, people[guid], with_permissions))
    else:
        for user in _bounded(asked):
            parts.append(await _attempted(_one(call, delegates, user, with_permissions)))
    delivery = delegates.record.delivery
    if delivery not in _deliveries(call.header.version):
        delivery = Record().delivery
    return _messages(parts) + value("m:DeliverMeetingRequests", delivery)


def _deliveries(version: Version) -> tuple[str, ...]:
    """The ways of delivery that the schema of a version has: NoForward came with Exchange 2010 (MS-OXWSDLGM section 2.2.5.2)."""
    return DELIVERIES if version >= Version.V2010 else DELIVERIES[:-1]


async def _one(call: Call, delegates: Delegates, user: xml.Element, with_permissions: bool) -> str:
    guid = await _delegate(call, delegates, user)
    people = await permissions.people_of(call, [guid])
    return await _shown(delegates, guid, people.get(guid), with_permissions)


async def _add(call: Call, delegates: Delegates, request: xml.Element) -> str:
    return await _change(call, delegates, request, is_new=True)


async def _update(call: Call, delegates: Delegates, request: xml.Element) -> str:
    return await _change(call, delegates, request, is_new=False)


async def _change(call: Call, delegates: Delegates, request: xml.Element, is_new: bool) -> str:
    delivery = request.text_of(m("DeliverMeetingRequests"))
    if delivery:
        if delivery not in _deliveries(call.header.version):
            raise EwsError(Code.SCHEMA_VALIDATION)
        delegates.record.delivery = delivery
    users = request.find(m("DelegateUsers"))
    if users is None and (is_new or not delivery):
        raise EwsError(Code.SCHEMA_VALIDATION)
    parts = [await _attempted(_put(call, delegates, each, is_new)) for each in (_bounded(users) if users else [])]
    await delegates.keep()
    return _messages(parts)


async def _put(call: Call, delegates: Delegates, user: xml.Element, is_new: bool) -> str:
    named = user.find(t("UserId"))
    if is_new:
        guid = await _new(call, delegates, named)
    else:
        guid = await _delegate(call, delegates, named)
    copies, private = user.find(t("ReceiveCopiesOfMeetingMessages")), user.find(t("ViewPrivateItems"))
    await delegates.put(
        Delegate(
            guid,
            _levels(user.find(t("DelegatePermissions"))),
            is_true(copies.text) if copies is not None else None,
            is_true(private.text) if private is not None else None,
        )
    )
    people = await permissions.people_of(call, [guid])
    warning = "" if delegates.may_send(guid) else _GRANT
    return await _shown(delegates, guid, people.get(guid), True, warning)


async def _new(call: Call, delegates: Delegates, user: xml.Element | None) -> UUID:
    guid = await _known(call, user)
    if guid == delegates.owner:
        raise EwsError(Code.DELEGATE_CANNOT_ADD_OWNER)
    if guid in delegates.record.copies:
        raise EwsError(Code.DELEGATE_ALREADY_EXISTS)
    return guid


async def _delegate(call: Call, delegates: Delegates, user: xml.Element | None) -> UUID:
    guid = await _known(call, user)
    if guid not in delegates:
        raise EwsError(Code.NOT_DELEGATE)
    return guid


async def _known(call: Call, user: xml.Element | None) -> UUID:
    guid = await permissions.grantee_of(call, user, Code.DELEGATE_NO_USER)
    if guid in (EVERYBODY, ANONYMOUS):
        raise EwsError(Code.INVALID_DELEGATE_USER_ID)
    return guid


def _levels(permissions_: xml.Element | None) -> dict[str, str]:
    levels: dict[str, str] = {}
    if permissions_ is None:
        return levels
    for name in FOLDERS:
        level = permissions_.text_of(t(f"{name}FolderPermissionLevel"))
        if level == "Custom":
            raise EwsError(Code.INVALID_DELEGATE_PERMISSION)
        if level and level not in LEVELS:
            raise EwsError(Code.SCHEMA_VALIDATION)
        if level:
            levels[name] = level
    return levels


async def _remove(call: Call, delegates: Delegates, request: xml.Element) -> str:
    users = request.find(m("UserIds"))
    if users is None:
        raise EwsError(Code.SCHEMA_VALIDATION)
    parts = [await _attempted(_removed(call, delegates, each)) for each in _bounded(users)]
    await delegates.keep()
    return _messages(parts)


async def _removed(call: Call, delegates: Delegates, user: xml.Element) -> str:
    guid = await _delegate(call, delegates, user)
    await delegates.remove(guid)
    return _message("", _REVOKE if delegates.may_send(guid) else "")


def _bounded(users: xml.Element) -> list[xml.Element]:
    if not 0 < len(users.elements) <= MAX_DELEGATES:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_DELEGATES} delegates.")
    return users.elements


# What the answer holds


async def _attempted(part: Awaitable[str]) -> str:
    try:
        return await part
    except (EwsError, MailboxError, DirectoryUnavailable) as error:
        return f'<{_TAG} ResponseClass="Error">{as_error(error).markup}</{_TAG}>'


def _messages(parts: list[str]) -> str:
    return element("m:ResponseMessages", *parts) if parts else ""


async def _shown(
    delegates: Delegates, guid: UUID, person: AddressBookEntry | None, with_permissions: bool, warning: str = ""
) -> str:
    delegate = await delegates.get(guid)
    levels = [value(f"t:{name}FolderPermissionLevel", level) for name, level in delegate.levels.items()]
    user = permissions.user_id(person) if person is not None else "<t:UserId/>"
    content = element(
        "m:DelegateUser",
        user,
        element("t:DelegatePermissions", *levels) if with_permissions else "",
        boolean("t:ReceiveCopiesOfMeetingMessages", bool(delegate.copies)),
        boolean("t:ViewPrivateItems", bool(delegate.sees_private)),
    )
    return _message(content, warning)


def _message(content: str, warning: str) -> str:
    """The message of one delegate that was done; with `warning` something is left to an administrator."""
    text = value("m:MessageText", warning) if warning else ""
    code = value("m:ResponseCode", Code.NO_ERROR)
    link = "<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>" if warning else ""
    return f'<{_TAG} ResponseClass="{"Warning" if warning else "Success"}">{text}{code}{link}{content}</{_TAG}>'


GET_DELEGATE = DelegateOperation("GetDelegate", "MS-OXWSDLGM 3.1.4.2", _get)
ADD_DELEGATE = DelegateOperation("AddDelegate", "MS-OXWSDLGM 3.1.4.1", _add)
UPDATE_DELEGATE = DelegateOperation("UpdateDelegate", "MS-OXWSDLGM 3.1.4.4", _update)
REMOVE_DELEGATE = DelegateOperation("RemoveDelegate", "MS-OXWSDLGM 3.1.4.3", _remove)
