"""Personas: people as FindPeople and GetPersona tell them (MS-OXWSPERS section 3.1.4.1). Each is one contact, or one entry of
the directory; contacts of the same person are not put together.
"""

from __future__ import annotations

from collections.abc import Sequence

from postern.items import contact
from postern.model.address_book import AddressBookEntry
from postern.model.directory import RecipientType
from postern.protocols.ews.ids import FolderId, ItemId, change_key
from postern.protocols.ews.names import element, value
from postern.protocols.ews.paths import FieldPath
from postern.protocols.ews.shapes import Base, Shape
from postern.protocols.ews.times import written
from postern.protocols.ews.versions import Version
from postern.services.ews.contact_editor import CONTACTS, card_of
from postern.services.ews.correspondents import Correspondent, mailbox_markup, of_entry
from postern.services.ews.item_view import ItemView
from postern.services.ews.list_editor import correspondent_of

OF_DIRECTORY = 0
"""The number of the item in the id of an entry of the directory: no item has it."""
BAG_NAMES = [name for name in [CONTACTS.property("PidLidFileUnder").name] if name is not None]
"""The names of the properties that a persona of a contact is made of beside its card."""
_PHONES = {
    "BusinessPhoneNumbers": ("Business", "PidTagBusinessTelephoneNumber"),
    "HomePhones": ("Home", "PidTagHomeTelephoneNumber"),
    "MobilePhones": ("Mobile", "PidTagMobileTelephoneNumber"),
}


def of_card(view: ItemView, shape: Shape, name: str = "t:Persona") -> str:
    """The persona of a contact or a list."""
    version, rendered = view.call.header.version, contact.render(card_of(view))
    first = correspondent_of(view)._replace(item=None)
    mails = [first._replace(address=address) for address in rendered.emails]
    first_name, family = rendered.first, rendered.family
    source = element("t:SourceId", Id=str(view.id), ChangeKey=view.change_key)
    folder = element("t:FolderId", Id=str(FolderId(view.mailbox.id, view.node.id)))
    texts = {
        "PersonaType": "DistributionList" if rendered.kind == "group" else "Person",
        "CreationTime": written(view.stored.created),
        "DisplayName": rendered.name,
        "DisplayNameFirstLast": " ".join(filter(None, (first_name, family))) or rendered.name,
        "DisplayNameLastFirst": ", ".join(filter(None, (family, first_name))) or rendered.name,
        "FileAs": CONTACTS.text(view, "PidLidFileUnder") or rendered.name,
        "GivenName": first_name,
        "MiddleName": CONTACTS.text(view, "PidTagMiddleName"),
        "Surname": family,
        "Nickname": CONTACTS.text(view, "PidTagNickname"),
        "Title": rendered.title,
        "Department": CONTACTS.text(view, "PidTagDepartmentName"),
        "CompanyName": CONTACTS.text(view, "PidTagCompanyName"),
        "ImAddress": CONTACTS.text(view, "PidLidInstantMessagingAddress"),
        "HomeCity": CONTACTS.text(view, "PidTagHomeAddressCity"),
        "WorkCity": CONTACTS.text(view, "PidLidWorkAddressCity"),
    }
    phones = {name: _phone(kind, CONTACTS.text(view, canonical), "0") for name, (kind, canonical) in _PHONES.items()}
    attribution = element(
        "t:Attribution",
        value("t:Id", "0"),
        source,
        value("t:DisplayName", "Outlook"),
        "<t:IsWritable>true</t:IsWritable><t:IsQuickContact>false</t:IsQuickContact><t:IsHidden>false</t:IsHidden>",
        folder,
    )
    parts = _parts(texts, mails, version) | phones
    parts["FolderIds"] = element("t:FolderIds", folder)
    parts["Attributions"] = element("t:Attributions", attribution)
    return _persona(name, element("t:PersonaId", Id=str(view.id), ChangeKey=view.change_key), parts, shape)


def of_directory_entry(entry: AddressBookEntry, version: Version, shape: Shape, name: str = "t:Persona") -> str:
    """The persona of an entry of the directory."""
    types = {RecipientType.GROUP: "DistributionList", RecipientType.ROOM: "Room"}
    shown = entry.display_name or entry.primary
    own_id = {"Id": str(ItemId(entry.guid, OF_DIRECTORY)), "ChangeKey": change_key(0)}
    texts = {
        "PersonaType": types.get(entry.type, "Person"),
        "DisplayName": shown,
        "DisplayNameFirstLast": " ".join(filter(None, (entry.given_name, entry.surname))) or shown,
        "DisplayNameLastFirst": ", ".join(filter(None, (entry.surname, entry.given_name))) or shown,
        "FileAs": shown,
        "GivenName": entry.given_name,
        "Surname": entry.surname,
        "Title": entry.title,
        "Department": entry.department,
        "CompanyName": entry.company,
        "Location": entry.office,
    }
    attribution = element(
        "t:Attribution",
        value("t:Id", "0"),
        element("t:SourceId", **own_id),
        value("t:DisplayName", "GAL"),
        "<t:IsWritable>false</t:IsWritable><t:IsQuickContact>false</t:IsQuickContact><t:IsHidden>false</t:IsHidden>",
    )
    parts = _parts(texts, [of_entry(entry)], version)
    parts["Attributions"] = element("t:Attributions", attribution)
    parts["BusinessPhoneNumbers"] = _phone("Business", entry.telephone, "0")
    parts["MobilePhones"] = _phone("Mobile", entry.mobile, "0")
    return _persona(name, element("t:PersonaId", **own_id), parts, shape)


_ORDER = [
    "PersonaType",
    "CreationTime",
    "DisplayName",
    "DisplayNameFirstLast",
    "DisplayNameLastFirst",
    "FileAs",
    "GivenName",
    "MiddleName",
    "Surname",
    "Nickname",
    "Title",
    "Department",
    "CompanyName",
    "Location",
    "EmailAddress",
    "EmailAddresses",
    "ImAddress",
    "HomeCity",
    "WorkCity",
    "RelevanceScore",
    "FolderIds",
    "Attributions",
    "BusinessPhoneNumbers",
    "HomePhones",
    "MobilePhones",
]
"""The order of the elements that a persona has here."""


def _parts(texts: dict[str, str], mails: Sequence[Correspondent], version: Version) -> dict[str, str]:
    parts = {name: value(f"t:{name}", text) if text else "" for name, text in texts.items()}
    if mails:
        parts["EmailAddress"] = mailbox_markup(mails[0], version, "t:EmailAddress")
        addresses = [mailbox_markup(each, version, "t:Address") for each in mails]
        parts["EmailAddresses"] = element("t:EmailAddresses", *addresses)
    return parts


def _phone(kind: str, text: str, attribution: str) -> str:
    """The attributed values of one kind of numbers; "" without a number."""
    name = next(name for name, (each, _) in _PHONES.items() if each == kind)
    if not text:
        return ""
    inner = element("t:Value", value("t:Number", text), value("t:Type", kind))
    by = element("t:Attributions", value("t:Attribution", attribution))
    return element(f"t:{name}", element("t:PhoneNumberAttributedValue", inner, by))


def _persona(name: str, own_id: str, parts: dict[str, str], shape: Shape) -> str:
    shown = [
        parts.get(each, "")
        for each in _ORDER
        if shape.base is not Base.ID_ONLY or FieldPath(f"persona:{each}") in shape.paths
    ]
    return element(name, own_id, *shown)
