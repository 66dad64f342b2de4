"""The properties of contacts, in the order of ContactItemType (MS-OXWSCONT section 2.2.4.2)."""

from __future__ import annotations

from postern.items.properties import Value
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import boolean, element, value
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.versions import Version
from postern.services.ews.contact_editor import CONTACTS, MAPPINGS, NO_MAPPING
from postern.services.ews.fields.dictionaries import (
    EMAIL_ADDRESSES,
    IM_ADDRESSES,
    PHONE_NUMBERS,
    PHYSICAL_ADDRESSES,
)
from postern.services.ews.fields.field import Field
from postern.services.ews.fields.mapped import DATE_AT_NOON, Form, choices, constant
from postern.services.ews.fields.own_items import common, item_fields
from postern.services.ews.item_view import ItemView, Need
from postern.services.ews.map_editor import MapEditor

_WORDS = {number: word for word, number in MAPPINGS.items()}
_PLACES = choices("None", "Home", "Business", "Other")
"""PhysicalAddressIndexType by PidLidPostalAddressId (MS-OXOCNTC section 2.2.1.3.9)."""
_COMPLETE_NAME = (
    ("Title", "PidTagDisplayNamePrefix"),
    ("FirstName", "PidTagGivenName"),
    ("MiddleName", "PidTagMiddleName"),
    ("LastName", "PidTagSurname"),
    ("Suffix", "PidTagGeneration"),
    ("Initials", "PidTagInitials"),
    ("FullName", "PidTagDisplayName"),
    ("Nickname", "PidTagNickname"),
    ("YomiFirstName", "PidLidYomiFirstName"),
    ("YomiLastName", "PidLidYomiLastName"),
)


def _mapping(sent: xml.Element) -> Value:
    number = MAPPINGS.get(sent.text.strip())
    if number is None:
        raise EwsError(Code.SCHEMA_VALIDATION)
    return number


_MAPPING = Form(lambda held: _WORDS.get(held, "None") if isinstance(held, int) else "None", _mapping)


def _file_as(view: ItemView, shape: Shape) -> str:
    """FileAs; a contact that CardDAV made has none, and is filed by its name."""
    text = CONTACTS.text(view, "PidLidFileUnder") or CONTACTS.text(view, "PidTagDisplayName")
    return value("t:FileAs", text) if text else ""


def _put_file_as(editor: MapEditor, sent: xml.Element | None) -> None:
    editor.put(CONTACTS.property("PidLidFileUnder"), sent.text or None if sent is not None else None)


def _complete_name(view: ItemView, shape: Shape) -> str:
    texts = [(name, CONTACTS.text(view, canonical)) for name, canonical in _COMPLETE_NAME]
    return element("t:CompleteName", *[value(f"t:{name}", text) for name, text in texts if text])


def _has_picture(view: ItemView, shape: Shape) -> str:
    return boolean("t:HasPicture", bool(CONTACTS.value(view, CONTACTS.property("PidLidHasPicture"))))


def _full(view: ItemView, shape: Shape) -> str:
    names = (CONTACTS.text(view, "PidLidYomiFirstName"), CONTACTS.text(view, "PidLidYomiLastName"))
    text = " ".join(filter(None, names))
    return value("t:PhoneticFullName", text) if text else ""


FILE_AS = Field(
    "contacts:FileAs",
    "FileAs",
    _file_as,
    needs=Need.CONTENT | Need.BAG,
    default=True,
    property=CONTACTS.property("PidLidFileUnder"),
    write=_put_file_as,
)
_SP2 = Version.V2010_SP2
_field = CONTACTS.field
CONTACT_FIELDS: tuple[Field, ...] = (
    *item_fields(common(CONTACTS)),
    FILE_AS,
    _field("contacts:FileAsMapping", "PidLidFileUnderId", _MAPPING, absent=NO_MAPPING),
    _field("contacts:DisplayName", "PidTagDisplayName"),
    _field("contacts:GivenName", "PidTagGivenName"),
    _field("contacts:Initials", "PidTagInitials"),
    _field("contacts:MiddleName", "PidTagMiddleName"),
    _field("contacts:Nickname", "PidTagNickname"),
    Field("contacts:CompleteName", "CompleteName", _complete_name, needs=Need.CONTENT | Need.BAG, default=True),
    _field("contacts:CompanyName", "PidTagCompanyName", default=True),
    EMAIL_ADDRESSES,
    PHYSICAL_ADDRESSES,
    PHONE_NUMBERS,
    _field("contacts:AssistantName", "PidTagAssistant"),
    _field("contacts:Birthday", "PidTagBirthday", DATE_AT_NOON),
    _field("contacts:BusinessHomePage", "PidTagBusinessHomePage"),
    _field("contacts:Children", "PidTagChildrensNames"),
    _field("contacts:Companies", "PidLidCompanies"),
    constant("contacts:ContactSource", "<t:ContactSource>Store</t:ContactSource>"),
    _field("contacts:Department", "PidTagDepartmentName"),
    _field("contacts:Generation", "PidTagGeneration"),
    IM_ADDRESSES,
    _field("contacts:JobTitle", "PidTagTitle", default=True),
    _field("contacts:Manager", "PidTagManagerName"),
    _field("contacts:Mileage", "PidLidMileage"),
    _field("contacts:OfficeLocation", "PidTagOfficeLocation"),
    _field("contacts:PostalAddressIndex", "PidLidPostalAddressId", _PLACES, absent=0),
    _field("contacts:Profession", "PidTagProfession"),
    _field("contacts:SpouseName", "PidTagSpouseName"),
    _field("contacts:Surname", "PidTagSurname"),
    _field("contacts:WeddingAnniversary", "PidTagWeddingAnniversary", DATE_AT_NOON),
    Field("contacts:HasPicture", "HasPicture", _has_picture, Version.V2010, Need.CONTENT),
    Field("contacts:PhoneticFullName", "PhoneticFullName", _full, _SP2, Need.CONTENT),
    _field("contacts:PhoneticFirstName", "PidLidYomiFirstName", since=_SP2, is_written=False),
    _field("contacts:PhoneticLastName", "PidLidYomiLastName", since=_SP2, is_written=False),
    # Those below are of the directory alone (MS-OXWSCONT section 2.2.4.2), and of no contact in a mailbox.
    constant("contacts:Alias", "", _SP2),
    constant("contacts:Notes", "", _SP2),
    constant("contacts:Photo", "", _SP2),
    constant("contacts:UserSMIMECertificate", "", _SP2),
    constant("contacts:MSExchangeCertificate", "", _SP2),
    constant("contacts:DirectoryId", "", _SP2),
    constant("contacts:ManagerMailbox", "", _SP2),
    constant("contacts:DirectReports", "", _SP2),
)
