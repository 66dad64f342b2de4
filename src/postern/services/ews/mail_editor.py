"""Messages that a request makes or changes."""

from __future__ import annotations

from postern.model.items import MESSAGE
from postern.services.ews.access import Call
from postern.services.ews.editing import Editor
from postern.services.ews.item_view import ItemView
from postern.services.ews.places import Place


class MailEditor(Editor):
    """A message. `subject` is its Subject."""

    def __init__(self, call: Call, place: Place, view: ItemView | None) -> None:
        super().__init__(call, place, view, MESSAGE)
        self.subject = ""

    def content(self) -> bytes:
        return f"Subject: {self.subject}\r\n\r\n".encode()
