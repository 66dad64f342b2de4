"""The properties of messages, in the order of MessageType (MS-OXWSMSG section 2.2.4.1)."""

from __future__ import annotations

from postern.model.items import Flag
from postern.protocols.ews.names import boolean
from postern.services.ews.fields.field import Field
from postern.services.ews.fields.item import ITEM_FIELDS

MESSAGE_FIELDS: tuple[Field, ...] = (
    *ITEM_FIELDS,
    Field(
        "message:IsRead",
        "IsRead",
        lambda view, shape: boolean("t:IsRead", bool(view.stored.flags & Flag.SEEN)),
        default=True,
    ),
)
