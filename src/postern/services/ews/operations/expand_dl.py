"""ExpandDL (MS-OXWSDLIST section 3.1.4.1): the members of a group of the directory, or of a list in a mailbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from postern.items import contact
from postern.model.directory import RecipientType
from postern.model.folders import is_class
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId, read_id
from postern.protocols.ews.names import m, t
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.correspondents import Correspondent, mailbox_markup, of_entry
from postern.services.ews.item_view import Need, load_one
from postern.services.ews.list_editor import listed, prepare_members
from postern.services.ews.operation import Batch, attempted

MAX_MEMBERS = 10_000
AT_ONCE = 500
"""Members that the directory is asked for at once."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    mailbox = request.find(m("Mailbox"))
    if mailbox is None:
        raise EwsError(Code.SCHEMA_VALIDATION)
    yield await attempted(_expanded(call, mailbox))


async def _expanded(call: Call, mailbox: xml.Element) -> str:
    item = mailbox.find(t("ItemId"))
    members = await _of_item(call, item) if item is not None else await _of_group(call, mailbox)
    is_last = "true" if len(members) <= MAX_MEMBERS else "false"
    inner = "".join([mailbox_markup(each, call.header.version) for each in members[:MAX_MEMBERS]])
    total = f'TotalItemsInView="{len(members)}" IncludesLastItemInRange="{is_last}"'
    return f"<m:DLExpansion {total}>{inner}</m:DLExpansion>"


async def _of_item(call: Call, item: xml.Element) -> Sequence[Correspondent]:
    wanted = read_id(item.attributes.get("Id", ""))
    if not isinstance(wanted, ItemId):
        raise EwsError(Code.INVALID_ID_MALFORMED)
    view = await load_one(call, wanted, Need.CONTENT)
    if not is_class(view.stored.item_class, contact.LIST_CLASS):
        raise EwsError(Code.INVALID_ITEM_FOR_OPERATION_EXPAND_DL)
    await prepare_members([view])
    return [member.who for member in listed(view) if member.who.address or member.who.item is not None]


async def _of_group(call: Call, mailbox: xml.Element) -> Sequence[Correspondent]:
    """The members of a group, one level deep: a group among them is told as one (MS-OXWSDLIST section 3.1.4.1)."""
    address = mailbox.text_of(t("EmailAddress")).strip().lower()
    routing = mailbox.text_of(t("RoutingType")).upper()
    if not address or routing not in ("", "SMTP"):
        raise EwsError(Code.INVALID_MAILBOX if not address else Code.INVALID_ROUTING_TYPE)
    directory = call.access.directory
    group = await directory.recipient(address)
    if group is None or group.type is not RecipientType.GROUP:
        raise EwsError(Code.NAME_RESOLUTION_NO_RESULTS)
    members: list[Correspondent] = []
    addresses = group.members[: MAX_MEMBERS + 1]
    for start in range(0, len(addresses), AT_ONCE):
        page = addresses[start : start + AT_ONCE]
        known = await directory.recipients(page)
        members += [of_entry(known[each]) if each in known else Correspondent(each, each) for each in page]
    return members


EXPAND_DL = Batch("ExpandDL", Version.V2007, "MS-OXWSDLIST 3.1.4.1", run)
