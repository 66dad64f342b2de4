"""The kinds of items: their element, class and properties, and how they are made and changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from postern.items import contact
from postern.items.contact_properties import CONTACT_PROPERTIES
from postern.items.properties import PropertyMap
from postern.model.folders import FolderKind
from postern.model.item_store import PropertyName
from postern.model.items import MESSAGE
from postern.services.ews.access import Call
from postern.services.ews.contact_editor import ContactEditor, card_of
from postern.services.ews.deleting import Delete
from postern.services.ews.editing import Editor
from postern.services.ews.fields.contact import CONTACT_FIELDS
from postern.services.ews.fields.distribution_list import LIST_FIELDS
from postern.services.ews.fields.field import Field
from postern.services.ews.fields.item import ITEM_FIELDS
from postern.services.ews.fields.message import MESSAGE_FIELDS
from postern.services.ews.item_view import ItemView
from postern.services.ews.list_editor import ListEditor
from postern.services.ews.mail_editor import MailEditor
from postern.services.ews.places import Place

Edit = Callable[[Call, Place, ItemView | None], Editor]
"""Begins a new item in a folder (None), or a change of one that is there; its view has its content and its bag."""


@dataclass(frozen=True)
class ItemKind:
    """A kind of items. `element` is its element in `t:`; `item_class` its class, and the beginning of those derived from it.
    `fields` stand in the order of the schema. `home` is the folder in which a new item is stored if the request names none. `map`
    has its MAPI properties, which are read from what `read` makes of a view. `edit` makes and changes items; None: these items
    cannot be made. `delete` is for those whose deletion does more than take them away."""

    element: str
    item_class: str
    fields: Sequence[Field]
    home: FolderKind = FolderKind.DRAFTS
    map: PropertyMap[Any] | None = None
    read: Callable[[ItemView], Any] | None = None
    edit: Edit | None = None
    delete: Delete | None = None

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


KINDS = (
    ItemKind("Message", MESSAGE, MESSAGE_FIELDS, edit=MailEditor),
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
    ItemKind("Item", "", ITEM_FIELDS),
)
"""The kinds, each before those whose class is a beginning of its own."""
BY_ELEMENT = {kind.element: kind for kind in KINDS}


@lru_cache(maxsize=1_000)
def kind_of(item_class: str) -> ItemKind:
    """The kind of a class: "IPM.Note.Mine" is a message.

    Bound: linear in the class.
    """
    folded = item_class.lower()
    for kind in KINDS:
        name = kind.item_class.lower()
        if folded == name or folded.startswith(f"{name}.") or not name:
            return kind
    return KINDS[-1]
