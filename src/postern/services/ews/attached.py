"""Attachments of messages: told in answers, and read from requests (MS-OXWSATT sections 2.2.4.4 to 2.2.4.7)."""

from __future__ import annotations

import binascii
from collections.abc import Callable

from postern.items import mail_content
from postern.items.mail_content import Attached
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import AttachmentId
from postern.protocols.ews.names import TYPES, boolean, element, is_true, number, t, value
from postern.protocols.ews.times import written
from postern.protocols.ews.versions import Version
from postern.protocols.mime.layout import MAX_NAME, Node
from postern.protocols.mime.words import decode_words
from postern.services.ews.fields import mime
from postern.services.ews.item_view import ItemView
from postern.services.ews.meeting_messages import is_meeting_alone

MAX_TOLD = 1_000
"""Attachments of one item that an answer tells."""
MAX_OCTETS = 35 << 20
"""Octets of one attachment that a request brings."""
Nested = Callable[[xml.Element], bytes]
"""Makes the octets of an item that is attached. Raises EwsError."""


def attachments_markup(view: ItemView) -> str:
    """The Attachments of an item, without their contents; "" without any."""
    if is_meeting_alone(view):
        return ""
    told = mime.structure_layout(view)
    inner = "".join(["".join(tags(view, node, node.number in told.inline)) for node in told.attached[:MAX_TOLD]])
    return f"<t:Attachments>{inner}</t:Attachments>" if inner else ""


def id_of(view: ItemView, node: Node) -> AttachmentId:
    """The id of an attachment by its node in the structure of the view."""
    first, check = mime.parts_in_item(view)
    return AttachmentId(view.mailbox.id, view.stored.id, first + node.number, check)


def tags(view: ItemView, node: Node, is_inline: bool) -> tuple[str, str]:
    """The markup before and behind the content of an attachment, in the order of AttachmentType."""
    kind = "ItemAttachment" if node.is_message else "FileAttachment"
    parts = [f'<t:AttachmentId Id="{id_of(view, node)}"/>', value("t:Name", name_of(node))]
    if not node.is_message:
        parts.append(value("t:ContentType", node.media))
    if node.cid:
        parts.append(value("t:ContentId", node.cid))
    if node.location:
        parts.append(value("t:ContentLocation", node.location.decode("utf-8", "replace")))
    if view.call.header.version >= Version.V2010:
        # MS-OXWSATT section 2.2.4.4: Exchange 2007 has none of these three.
        parts.append(number("t:Size", node.octets))
        parts.append(value("t:LastModifiedTime", written(view.stored.modified)))
        parts.append(boolean("t:IsInline", is_inline))
        if not node.is_message:
            parts.append(boolean("t:IsContactPhoto", False))
    return f"<t:{kind}>{''.join(parts)}", f"</t:{kind}>"


def ids(view: ItemView) -> list[str]:
    """The attachments of an item as elements with nothing but their ids, which name the item and its change, too."""
    root = f' RootItemId="{view.id}" RootItemChangeKey="{view.change_key}"'
    told = []
    for node in mime.structure_layout(view).attached:
        kind = "ItemAttachment" if node.is_message else "FileAttachment"
        told.append(f'<t:{kind}><t:AttachmentId Id="{id_of(view, node)}"{root}/></t:{kind}>')
    return told


def name_of(node: Node) -> str:
    """The name of an attachment: its file name, or the subject of a message, or what it is."""
    if node.name:
        return node.name
    if node.is_message:
        told = decode_words(node.description).strip()
        return told[:MAX_NAME] or "message"
    return f"attachment.{node.subtype.decode('ascii', 'replace')[:20]}"


def read(wanted: xml.Element, nested: Nested) -> Attached:
    """Reads a FileAttachment or an ItemAttachment. Raises EwsError: ErrorRequiredPropertyMissing for one without content,
    ErrorSchemaValidation, ErrorAttachmentSizeLimitExceeded."""
    name = wanted.text_of(t("Name"))[:MAX_NAME]
    if wanted.name == t("ItemAttachment"):
        known = (
            "AttachmentId",
            "Name",
            "ContentType",
            "ContentId",
            "ContentLocation",
            "Size",
            "LastModifiedTime",
            "IsInline",
        )
        items = [each for each in wanted.elements if each.namespace == TYPES and each.local not in known]
        if len(items) != 1:
            raise EwsError(Code.MISSING_ITEM_FOR_CREATE_ITEM_ATTACHMENT)
        return mail_content.message(nested(items[0]), name)
    if wanted.name != t("FileAttachment"):
        raise EwsError(Code.SCHEMA_VALIDATION)
    content = wanted.find(t("Content"))
    if content is None:
        raise EwsError(Code.REQUIRED_PROPERTY_MISSING, path=element("t:FieldURI", FieldURI="item:Attachments"))
    octets = octets_of(content.text)
    # The text is not needed any more, and may be large.
    content.children.clear()
    inline = wanted.text_of(t("IsInline"))
    return mail_content.file(
        octets,
        name,
        wanted.text_of(t("ContentType")),
        wanted.text_of(t("ContentId")),
        wanted.text_of(t("ContentLocation")),
        # Requests of 2007 say of a picture within the text its id alone; some clients give every attachment an id.
        is_true(inline) if inline else bool(wanted.text_of(t("ContentId"))),
    )


def octets_of(text: str) -> bytes:
    """Reads xs:base64Binary. Raises EwsError: ErrorSchemaValidation, ErrorAttachmentSizeLimitExceeded."""
    if len(text) > MAX_OCTETS * 3 // 2:
        raise EwsError(Code.ATTACHMENT_SIZE_LIMIT_EXCEEDED)
    try:
        octets = base64_octets(text)
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None
    if len(octets) > MAX_OCTETS:
        raise EwsError(Code.ATTACHMENT_SIZE_LIMIT_EXCEEDED)
    return octets


def base64_octets(text: str) -> bytes:
    """Reads base64, also on several lines; the text is not copied where it is on one. Raises ValueError."""
    is_plain = not any(space in text for space in " \t\r\n")
    return binascii.a2b_base64(text if is_plain else "".join(text.split()), strict_mode=True)
