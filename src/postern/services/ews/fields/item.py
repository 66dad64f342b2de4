"""The properties of every item, in the order of ItemType (MS-OXWSCORE section 2.2.4.24)."""

from __future__ import annotations

import base64

from postern.items.properties import Type, tagged
from postern.protocols import xml
from postern.protocols.ews.ids import FolderId
from postern.protocols.ews.names import element, number, value
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.times import written
from postern.services.ews.fields import mime
from postern.services.ews.fields.field import Field
from postern.services.ews.item_view import ItemView, Need
from postern.services.ews.mail_editor import MailEditor


def _mime_content(view: ItemView, shape: Shape) -> str:
    octets = base64.b64encode(view.content or b"").decode("ascii")
    return f'<t:MimeContent CharacterSet="UTF-8">{octets}</t:MimeContent>'


def _id(view: ItemView, shape: Shape) -> str:
    return element("t:ItemId", Id=str(view.id), ChangeKey=view.change_key)


def _parent(view: ItemView, shape: Shape) -> str:
    return element("t:ParentFolderId", Id=str(FolderId(view.mailbox.id, view.node.id)))


def _set_subject(editor: MailEditor, subject: xml.Element | None) -> None:
    editor.subject = subject.text if subject is not None else ""


ITEM_ID = Field("item:ItemId", "ItemId", _id, default=True)
EXTENDED = Field("item:ExtendedProperty", "ExtendedProperty", lambda view, shape: "")
"""The place of MAPI properties, which `rendering` writes."""
ITEM_FIELDS: tuple[Field, ...] = (
    Field("item:MimeContent", "MimeContent", _mime_content, needs=Need.CONTENT, single=True),
    ITEM_ID,
    Field("item:ParentFolderId", "ParentFolderId", _parent),
    Field("item:ItemClass", "ItemClass", lambda view, shape: value("t:ItemClass", view.stored.item_class)),
    Field(
        "item:Subject",
        "Subject",
        lambda view, shape: value("t:Subject", mime.text(view, b"subject")),
        needs=Need.HEADER,
        default=True,
        property=tagged("PidTagSubject", 0x0037),
        write=_set_subject,
        sort="subject",
        search="subject",
    ),
    Field(
        "item:DateTimeReceived",
        "DateTimeReceived",
        lambda view, shape: value("t:DateTimeReceived", written(view.stored.internal_date)),
        property=tagged("PidTagMessageDeliveryTime", 0x0E06, Type.TIME),
        sort="arrival",
    ),
    Field("item:Size", "Size", lambda view, shape: number("t:Size", view.stored.size), default=True, sort="size"),
    Field(
        "item:DateTimeCreated",
        "DateTimeCreated",
        lambda view, shape: value("t:DateTimeCreated", written(view.stored.created)),
        default=True,
    ),
    EXTENDED,
)
