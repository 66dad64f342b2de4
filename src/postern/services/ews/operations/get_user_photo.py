"""GetUserPhoto (MS-OXWSCONT section 3.1.4.7): the picture of somebody, as the caller's contacts have it."""

from __future__ import annotations

import base64
from functools import partial

from postern.items import attachments, contact
from postern.model.folders import FolderKind, Right, is_class
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import boolean, m, value
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.contact_editor import card_of
from postern.services.ews.item_view import ItemView, Need, load_pages
from postern.services.ews.operation import Direct
from postern.services.scheduling.aside import aside

SIZES = frozenset({f"HR{edge}x{edge}" for edge in (48, 64, 96, 120, 240, 360, 432, 504, 648)})
"""UserPhotoSizeType (MS-OXWSCONT section 2.2.5.8). A picture is told as it is, whatever size is asked for."""
MAX_CARDS = 10
"""Contacts with an address that are looked through for a picture."""


async def run(call: Call, request: xml.Element) -> str:
    address = request.text_of(m("Email")).strip().lower()
    if not address:
        raise EwsError(Code.SCHEMA_VALIDATION)
    if request.text_of(m("SizeRequested")) not in SIZES:
        raise EwsError(Code.INVALID_PHOTO_SIZE)
    picture = await _picture(call, address)
    if picture is None:
        raise EwsError(Code.ITEM_NOT_FOUND)
    return boolean("m:HasChanged", True) + value("m:PictureData", base64.b64encode(picture).decode("ascii"))


async def _picture(call: Call, address: str) -> bytes | None:
    """The picture of the first contact that has this address and one in the card."""
    own = await call.own()
    await own.nodes()
    place = await own.of_kind(FolderKind.CONTACTS)
    own.demand(place, Right.READ_ANY)
    ids = (await own.store.with_addresses(own.id, [address])).get(address, [])
    async for views in load_pages(call, own, ids[:MAX_CARDS], Need.CONTENT):
        for view in views:
            picture = await aside(view.content or b"", partial(_picture_in, view))
            if picture is not None:
                return picture
    return None


def _picture_in(view: ItemView) -> bytes | None:
    if is_class(view.stored.item_class, contact.ITEM_CLASS):
        for attachment in attachments.of_contact(card_of(view)):
            if attachment.line.name == "PHOTO" and attachment.octets:
                return attachment.octets
    return None


GET_USER_PHOTO = Direct("GetUserPhoto", Version.V2013, "MS-OXWSCONT 3.1.4.7", run)
