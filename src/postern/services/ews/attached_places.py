"""The attachments that a request names by their ids (MS-OXWSATT section 2.2.4.9)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import AttachmentId, ItemId, read_id
from postern.protocols.ews.names import t
from postern.protocols.mime.layout import Node, every_attachment
from postern.services.ews.fields import mime
from postern.services.ews.item_view import ItemView, Need, ReadOnce


@dataclass(slots=True)
class AttachmentPlace:
    """An attachment in its item. `view` has the content; `top` are the attachments of the item itself."""

    view: ItemView
    node: Node
    top: list[Node]
    is_inline: bool


def read_attachment_id(named: xml.Element) -> AttachmentId:
    """Reads an AttachmentId. Raises EwsError ErrorInvalidAttachmentId for another id."""
    if named.name != t("AttachmentId"):
        raise EwsError(Code.SCHEMA_VALIDATION)
    wanted = read_id(named.attributes.get("Id", ""))
    if not isinstance(wanted, AttachmentId):
        raise EwsError(Code.INVALID_ATTACHMENT_ID)
    return wanted


async def holder(items: ReadOnce, mailbox_id: UUID, item: int) -> ItemView:
    """The item that has attachments. Raises EwsError ErrorItemNotFound."""
    return await items.view(ItemId(mailbox_id, item), Need.CONTENT | Need.STRUCTURE | Need.HEADER | Need.BAG)


def find(view: ItemView, wanted: AttachmentId) -> AttachmentPlace:
    """Finds an attachment in its item. Raises EwsError ErrorItemNotFound where it is not there, or the item has other parts by
    now."""
    if mime.check_of(view.structure) == wanted.check:
        told = mime.content_layout(view)
        for node in every_attachment(mime.root(view)):
            if node.number == wanted.index:
                return AttachmentPlace(view, node, told.attached, node.number in told.inline)
    raise EwsError(Code.ITEM_NOT_FOUND)
