"""Sticky notes and posts: messages that nobody sends."""

from __future__ import annotations

import time
from email.utils import formatdate

from postern.items import note_properties
from postern.items.note_properties import NoteContent
from postern.model.folders import MAIL, is_class
from postern.model.items import Flag
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.services.ews.access import Call
from postern.services.ews.editing import Disposition, How, Saved
from postern.services.ews.item_view import ItemView
from postern.services.ews.mail_editor import MailEditor, Nested
from postern.services.ews.places import Place

POST_CLASS = "IPM.Post"


def note_of(view: ItemView) -> NoteContent:
    """A note as the map of its properties reads it."""
    return NoteContent(view.content or b"")


class _Unsent(MailEditor):
    """A message of a class that is stored, and never sent."""

    base_class: str

    def __init__(self, call: Call, place: Place, view: ItemView | None, nested: Nested | None = None) -> None:
        super().__init__(call, place, view, nested)
        if view is None:
            self.item_class = self.base_class
            # It is no draft, and whoever writes it has read it.
            self.flags |= Flag.SEEN
            self._has_flags = True

    def content(self) -> bytes:
        if not is_class(self.item_class, self.base_class):
            raise EwsError(Code.OBJECT_TYPE_CHANGED)
        return super().content()

    async def create(self, how: How) -> Saved | None:
        if how.disposition not in (None, Disposition.SAVE_ONLY):
            raise EwsError(Code.INVALID_ITEM_FOR_OPERATION_SEND_ITEM)
        return await super().create(how)


class NoteEditor(_Unsent):
    """A sticky note."""

    base_class = note_properties.ITEM_CLASS


class PostEditor(_Unsent):
    """A post: a message that is put into a folder, where others read it (MS-OXWSPOST section 2.2.4.1)."""

    base_class = POST_CLASS

    async def create(self, how: How) -> Saved | None:
        if not is_class(self.place.node.folder_class, MAIL):
            raise EwsError(Code.CANNOT_CREATE_POST_ITEM_IN_NON_MAIL_FOLDER)
        if not self.message.people("From"):
            own = (await self.call.own()).recipient
            self.message.set_people("From", [(own.display_name, own.primary)])
        self.message.set_text("Date", formatdate(time.time()))
        return await super().create(how)
