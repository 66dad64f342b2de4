"""The properties of posts, in the order of PostItemType (MS-OXWSPOST section 2.2.4.1), most of which messages have, too."""

from __future__ import annotations

from dataclasses import replace

from postern.protocols.ews.names import value
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.times import written
from postern.protocols.mime.dates import parse_date
from postern.services.ews.fields import mime
from postern.services.ews.fields.field import Field
from postern.services.ews.fields.item import ITEM_FIELDS
from postern.services.ews.fields.message import MESSAGE_FIELDS
from postern.services.ews.item_view import ItemView, Need

_BY_ELEMENT = {each.element: each for each in MESSAGE_FIELDS}


def _posted(view: ItemView, shape: Shape) -> str:
    told = parse_date(mime.envelope(view).date)
    return value("t:PostedTime", written(told[0] if told is not None else view.stored.internal_date))


POST_FIELDS: tuple[Field, ...] = (
    *ITEM_FIELDS,
    _BY_ELEMENT["ConversationIndex"],
    _BY_ELEMENT["ConversationTopic"],
    _BY_ELEMENT["From"],
    _BY_ELEMENT["InternetMessageId"],
    _BY_ELEMENT["IsRead"],
    Field("postitem:PostedTime", "PostedTime", _posted, needs=Need.ENVELOPE, default=True),
    _BY_ELEMENT["References"],
    replace(_BY_ELEMENT["Sender"], default=True),
)
