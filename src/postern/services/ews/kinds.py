"""The kinds of items: their element, class and properties, and how they are made and changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from postern.items import contact, note_properties, task
from postern.items.appointment import ITEM_CLASS as APPOINTMENT
from postern.items.appointment_properties import APPOINTMENT_PROPERTIES
from postern.items.contact_properties import CONTACT_PROPERTIES
from postern.items.mail_content import MailContent
from postern.items.message_properties import FLAG_STATUS, MESSAGE_PROPERTIES, MailRecord
from postern.items.note_properties import NOTE_PROPERTIES
from postern.items.properties import PropertyMap
from postern.items.task_properties import TASK_PROPERTIES
from postern.model.folders import FolderKind, is_class
from postern.model.item_store import PropertyName
from postern.model.items import MESSAGE
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import TYPES, element, t
from postern.services.ews import calendar_deleting, extended, meeting_messages
from postern.services.ews.access import Call
from postern.services.ews.appointments import of_view
from postern.services.ews.calendar_editor import CalendarEditor
from postern.services.ews.contact_editor import ContactEditor, card_of
from postern.services.ews.deleting import Delete
from postern.services.ews.editing import Editor
from postern.services.ews.fields import bag
from postern.services.ews.fields.calendar import CALENDAR_FIELDS
from postern.services.ews.fields.contact import CONTACT_FIELDS
from postern.services.ews.fields.distribution_list import LIST_FIELDS
from postern.services.ews.fields.field import Field
from postern.services.ews.fields.item import ITEM_FIELDS
from postern.services.ews.fields.meeting import CANCELLATION_FIELDS, REQUEST_FIELDS, RESPONSE_FIELDS
from postern.services.ews.fields.message import MESSAGE_FIELDS
from postern.services.ews.fields.post import POST_FIELDS
from postern.services.ews.fields.task import TASK_FIELDS
from postern.services.ews.item_view import NOTHING, ItemView, Need
from postern.services.ews.list_editor import ListEditor
from postern.services.ews.mail_editor import MailEditor
from postern.services.ews.note_editor import POST_CLASS, NoteEditor, PostEditor, note_of
from postern.services.ews.places import Place
from postern.services.ews.task_editor import TaskEditor, delete_task, task_of

Edit = Callable[[Call, Place, ItemView | None], Editor]
"""Begins a new item in a folder (None), or a change of one that is there; its view has its content and its bag."""


@dataclass(frozen=True)
class ItemKind:
    """A kind of items. `element` is its element in `t:`; `item_class` its class, and the beginning of those derived from it.
    `fields` stand in the order of the schema. `home` is the folder in which a new item is stored if the request names none. `map`
    has its MAPI properties, which are read from what `read` makes of a view. `edit` makes and changes items; None: these items
    cannot be made. `delete` is for those whose deletion does more than take them away. `needs` are the parts that are read
    whatever is asked for."""

    element: str
    item_class: str
    fields: Sequence[Field]
    home: FolderKind = FolderKind.DRAFTS
    map: PropertyMap[Any] | None = None
    read: Callable[[ItemView], Any] | None = None
    edit: Edit | None = None
    delete: Delete | None = None
    needs: Need = NOTHING

    @cached_property
    def key(self) -> str:
        """A text that no other kind has."""
        return f"{self.element}/{self.item_class}"

    @cached_property
    def by_uri(self) -> dict[str, Field]:
        """The fields by their paths, and by those of their parts."""
        return {uri: each for each in self.fields for uri in (each.uri, *each.parts)}

    @cached_property
    def by_element(self) -> dict[str, Field]:
        return {each.element: each for each in self.fields}

    @cached_property
    def bag_names(self) -> list[PropertyName]:
        """The names of those properties that the map leaves to the bag."""
        if self.map is None:
            return []
        return [entry.property.name for entry in self.map if not entry.place and entry.property.name is not None]


MAX_PROPERTIES = 500
"""Properties of one item that a request makes or changes: more than any kind of item has in the schema."""


def put_all(kind: ItemKind, editor: Editor, item: xml.Element) -> None:
    """Puts all properties of an item's element into its editor. Raises EwsError."""
    if len(item.children) > MAX_PROPERTIES and len(item.elements) > MAX_PROPERTIES:
        raise EwsError(Code.INVALID_REQUEST, f"A request gives an item at most {MAX_PROPERTIES} properties.")
    for each in sorted(item.elements, key=lambda each: each.local != "MimeContent"):
        if each.local == "ExtendedProperty":
            editor.extend(*extended.read(each))
            continue
        field = kind.by_element.get(each.local)
        if field is None or field.since > editor.call.header.version:
            raise EwsError(Code.INVALID_PROPERTY_REQUEST, path=element("t:FieldURI", FieldURI=f"item:{each.local}"))
        if field.write is None:
            raise EwsError(Code.INVALID_PROPERTY_SET, path=element("t:FieldURI", FieldURI=field.uri))
        field.write(editor, each)


def edit_mail(call: Call, place: Place, view: ItemView | None) -> MailEditor:
    """Begins or changes a message."""
    return MailEditor(call, place, view, _nested)


def _nested(call: Call, place: Place, wanted: xml.Element) -> bytes:
    """The octets of an item that is attached: a message, or what is made as one."""
    kind = kind_to_make(wanted)
    editor = kind.edit(call, place, None) if kind is not None and kind.edit is not None else None
    if kind is None or not isinstance(editor, MailEditor):
        raise EwsError(Code.INVALID_ITEM_FOR_OPERATION_CREATE_ITEM_ATTACHMENT)
    put_all(kind, editor, wanted)
    return editor.content()


def record_of(view: ItemView) -> MailRecord:
    """A message as its map of MAPI properties reads it."""
    stored = view.stored
    return MailRecord(
        MailContent(view.content or b""),
        stored.flags,
        stored.size,
        stored.internal_date,
        stored.created,
        stored.item_class,
        flag_status if isinstance(flag_status := bag.value_of(view, FLAG_STATUS), int) else None,
    )


_BY_CONTENT = "\0"
"""A class that no item has."""
_CONTENT = Need.CONTENT | Need.STRUCTURE

KINDS = (
    ItemKind(
        "CalendarItem",
        APPOINTMENT,
        CALENDAR_FIELDS,
        FolderKind.CALENDAR,
        APPOINTMENT_PROPERTIES,
        lambda view: of_view(view).content,
        CalendarEditor,
        calendar_deleting.delete,
    ),
    ItemKind(
        "Message",
        MESSAGE,
        MESSAGE_FIELDS,
        map=MESSAGE_PROPERTIES,
        read=record_of,
        edit=edit_mail,
        needs=Need.STRUCTURE,
    ),
    ItemKind(
        "Contact", contact.ITEM_CLASS, CONTACT_FIELDS, FolderKind.CONTACTS, CONTACT_PROPERTIES, card_of, ContactEditor
    ),
    ItemKind(
        "DistributionList",
        contact.LIST_CLASS,
        LIST_FIELDS,
        FolderKind.CONTACTS,
        CONTACT_PROPERTIES,
        card_of,
        ListEditor,
    ),
    ItemKind(
        "Task", task.ITEM_CLASS, TASK_FIELDS, FolderKind.TASKS, TASK_PROPERTIES, task_of, TaskEditor, delete=delete_task
    ),
    ItemKind(
        "PostItem",
        POST_CLASS,
        POST_FIELDS,
        FolderKind.INBOX,
        MESSAGE_PROPERTIES,
        record_of,
        lambda call, place, view: PostEditor(call, place, view, _nested),
        needs=Need.STRUCTURE,
    ),
    # Exchange tells a note as a message, and makes it of one.
    ItemKind(
        "Message",
        note_properties.ITEM_CLASS,
        MESSAGE_FIELDS,
        FolderKind.NOTES,
        NOTE_PROPERTIES,
        note_of,
        lambda call, place, view: NoteEditor(call, place, view, _nested),
        needs=Need.STRUCTURE,
    ),
    ItemKind("Item", "", ITEM_FIELDS),
    # Kinds that are known by the content, as `kind_of_view` has it.
    *(
        ItemKind(name, _BY_CONTENT, fields, map=MESSAGE_PROPERTIES, read=record_of, needs=_CONTENT)
        for name, fields in (
            (meeting_messages.REQUEST, REQUEST_FIELDS),
            (meeting_messages.RESPONSE, RESPONSE_FIELDS),
            (meeting_messages.CANCELLATION, CANCELLATION_FIELDS),
        )
    ),
)
"""The kinds, each before those whose class is a beginning of its own."""
BY_ELEMENT = {kind.element: kind for kind in reversed(KINDS)}
"""The first kind with each element."""


def kind_to_make(item: xml.Element) -> ItemKind | None:
    """The kind of an item that a request describes: by its element, and among those of one element by the class that it gives;
    None: there is no such kind."""
    kind = BY_ELEMENT.get(item.local) if item.namespace == TYPES else None
    if kind is None:
        return None
    by_class = kind_of(item.text_of(t("ItemClass")).strip())
    return by_class if by_class.element == kind.element else kind


@lru_cache(maxsize=1_000)
def kind_of(item_class: str) -> ItemKind:
    """The kind of a class: "IPM.Note.Mine" is a message.

    Bound: linear in the class.
    """
    for kind in KINDS:
        if not kind.item_class or is_class(item_class, kind.item_class):
            return kind
    return BY_ELEMENT["Item"]


def kind_of_view(view: ItemView) -> ItemKind:
    """The kind of an item as it was read. A message that may bring a meeting, and has come without its content, is taken for a
    request, whose properties are read from it."""
    kind: ItemKind | None = view.parsed.get(kind_of_view)
    if kind is None:
        kind = kind_of(view.stored.item_class)
        if kind.item_class == MESSAGE and meeting_messages.may_bring_meeting(view.structure):
            if view.content is None:
                return BY_ELEMENT[meeting_messages.REQUEST]
            kind = BY_ELEMENT.get(meeting_messages.element_of(view), kind)
        view.parsed[kind_of_view] = kind
    return kind
