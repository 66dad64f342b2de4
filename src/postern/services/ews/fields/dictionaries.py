"""The properties of contacts that have entries with keys: addresses and numbers (MS-OXWSCONT section 2.2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from postern.items.properties import Property
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import element, t, value
from postern.protocols.ews.paths import FieldPath, IndexedPath, path_markup
from postern.protocols.ews.shapes import Base, Shape
from postern.protocols.ews.versions import Version
from postern.services.ews.contact_editor import CONTACTS
from postern.services.ews.fields.field import Field
from postern.services.ews.fields.mapped import several
from postern.services.ews.item_view import ItemView, Need
from postern.services.ews.map_editor import MapEditor

MAX_ENTRIES = 100


def _is_whole(shape: Shape, uri: str, default: bool) -> bool:
    """Whether a shape asks for all entries; else for those of its indexed paths."""
    return shape.base is Base.ALL or (default and shape.base is Base.DEFAULT) or FieldPath(uri) in shape.paths


def _asked(shape: Shape, uri: str) -> set[str]:
    return {path.index for path in shape.paths if isinstance(path, IndexedPath) and path.uri == uri}


def _entries(sent: xml.Element) -> list[xml.Element]:
    entries = sent.find_all(t("Entry"))
    if len(entries) > MAX_ENTRIES:
        raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY)
    return entries


@dataclass(frozen=True)
class _Texts:
    """A dictionary of texts: the properties by their keys, in the order of the schema."""

    element: str
    part: str
    properties: Mapping[str, Property]
    default: bool = False

    @property
    def uri(self) -> str:
        return f"contacts:{self.element}"

    def field(self) -> Field:
        return Field(
            self.uri,
            self.element,
            self.read,
            needs=Need.CONTENT | Need.BAG,
            default=self.default,
            write=self.write,
            parts=(self.part,),
            write_part=self.write_part,
        )

    def read(self, view: ItemView, shape: Shape) -> str:
        keys = None if _is_whole(shape, self.uri, self.default) else _asked(shape, self.part)
        entries = []
        for key, property_ in self.properties.items():
            held = CONTACTS.value(view, property_) if keys is None or key in keys else None
            if held is not None:
                entries.append(element("t:Entry", xml.text(str(held)), Key=key, **self.attributes(view, key)))
        return several(self.element, entries)

    def attributes(self, view: ItemView, key: str) -> dict[str, str]:
        return {}

    def write(self, editor: MapEditor, sent: xml.Element | None) -> None:
        if sent is None:
            for key in self.properties:
                self.put(editor, key, None)
            return
        for entry in _entries(sent):
            self.put(editor, self.known(entry.attributes.get("Key", "")), entry)

    def write_part(self, editor: MapEditor, path: IndexedPath, sent: xml.Element | None) -> None:
        key = self.known(path.index, path)
        if sent is None:
            self.put(editor, key, None)
            return
        entries = [entry for entry in _entries(sent) if entry.attributes.get("Key") == key]
        if len(entries) != 1:
            raise EwsError(Code.UPDATE_PROPERTY_MISMATCH, path=path_markup(path))
        self.put(editor, key, entries[0])

    def known(self, key: str, path: IndexedPath | None = None) -> str:
        if key not in self.properties:
            raise EwsError(Code.SCHEMA_VALIDATION, path=path_markup(path) if path is not None else "")
        return key

    def put(self, editor: MapEditor, key: str, entry: xml.Element | None) -> None:
        editor.put(self.properties[key], entry.text.strip() or None if entry is not None else None)


class _Mails(_Texts):
    """The mail addresses, whose entries have the names of people beside them."""

    def attributes(self, view: ItemView, key: str) -> dict[str, str]:
        if view.call.header.version < Version.V2010:
            return {}
        name = CONTACTS.text(view, f"PidLidEmail{key[-1]}DisplayName")
        return {"Name": name, "RoutingType": "SMTP"} if name else {"RoutingType": "SMTP"}

    def put(self, editor: MapEditor, key: str, entry: xml.Element | None) -> None:
        super().put(editor, key, entry)
        name = entry.attributes.get("Name", "") if entry is not None else ""
        editor.put(CONTACTS.property(f"PidLidEmail{key[-1]}DisplayName"), name or None)


_property = CONTACTS.property
_MAIL_KEYS = ("EmailAddress1", "EmailAddress2", "EmailAddress3")
EMAIL_ADDRESSES = _Mails(
    "EmailAddresses",
    "contacts:EmailAddress",
    {key: _property(f"PidLidEmail{key[-1]}EmailAddress") for key in _MAIL_KEYS},
    default=True,
).field()
IM_ADDRESSES = _Texts(
    "ImAddresses",
    "contacts:ImAddress",
    {
        "ImAddress1": _property("PidLidInstantMessagingAddress"),
        "ImAddress2": _property("ImAddress2"),
        "ImAddress3": _property("ImAddress3"),
    },
    default=True,
).field()
_PHONES = {
    "AssistantPhone": "PidTagAssistantTelephoneNumber",
    "BusinessFax": "PidTagBusinessFaxNumber",
    "BusinessPhone": "PidTagBusinessTelephoneNumber",
    "BusinessPhone2": "PidTagBusiness2TelephoneNumber",
    "Callback": "PidTagCallbackTelephoneNumber",
    "CarPhone": "PidTagCarTelephoneNumber",
    "CompanyMainPhone": "PidTagCompanyMainTelephoneNumber",
    "HomeFax": "PidTagHomeFaxNumber",
    "HomePhone": "PidTagHomeTelephoneNumber",
    "HomePhone2": "PidTagHome2TelephoneNumber",
    "Isdn": "PidTagIsdnNumber",
    "MobilePhone": "PidTagMobileTelephoneNumber",
    "OtherFax": "PidTagPrimaryFaxNumber",
    "OtherTelephone": "PidTagOtherTelephoneNumber",
    "Pager": "PidTagPagerTelephoneNumber",
    "PrimaryPhone": "PidTagPrimaryTelephoneNumber",
    "RadioPhone": "PidTagRadioTelephoneNumber",
    "Telex": "PidTagTelexNumber",
    "TtyTddPhone": "PidTagTelecommunicationsDeviceForDeafTelephoneNumber",
}
PHONE_NUMBERS = _Texts(
    "PhoneNumbers",
    "contacts:PhoneNumber",
    {key: _property(canonical) for key, canonical in _PHONES.items()},
    default=True,
).field()
_PARTS = {
    "Street": "Street",
    "City": "City",
    "State": "StateOrProvince",
    "CountryOrRegion": "Country",
    "PostalCode": "PostalCode",
}


def _place(key: str, part: str) -> Property:
    if key == "Business":
        return _property(f"PidLidWorkAddress{'State' if part == 'State' else _PARTS[part]}")
    return _property(f"PidTag{key}Address{_PARTS[part]}")


_PLACES = {key: {part: _place(key, part) for part in _PARTS} for key in ("Business", "Home", "Other")}
_POSTAL = "contacts:PhysicalAddresses"
_POSTAL_PART = "contacts:PhysicalAddress:"


def _read_places(view: ItemView, shape: Shape) -> str:
    is_whole = _is_whole(shape, _POSTAL, False)
    entries = []
    for key, properties in _PLACES.items():
        parts = []
        for part, property_ in properties.items():
            if is_whole or key in _asked(shape, _POSTAL_PART + part):
                held = CONTACTS.value(view, property_)
                parts.append(value(f"t:{part}", str(held)) if held is not None else "")
        if any(parts):
            entries.append(element("t:Entry", *parts, Key=key))
    return several("PhysicalAddresses", entries)


def _write_places(editor: MapEditor, sent: xml.Element | None) -> None:
    if sent is None:
        for properties in _PLACES.values():
            for property_ in properties.values():
                editor.put(property_, None)
    for entry in _entries(sent) if sent is not None else ():
        properties = _PLACES.get(entry.attributes.get("Key", ""), {})
        for each in entry.elements:
            if each.local not in properties:
                raise EwsError(Code.SCHEMA_VALIDATION)
            editor.put(properties[each.local], each.text or None)


def _write_place(editor: MapEditor, path: IndexedPath, sent: xml.Element | None) -> None:
    part = path.uri.removeprefix(_POSTAL_PART)
    if path.index not in _PLACES or part not in _PARTS:
        raise EwsError(Code.INVALID_PROPERTY_REQUEST, path=path_markup(path))
    texts = [
        entry.text_of(t(part))
        for entry in (_entries(sent) if sent is not None else ())
        if entry.attributes.get("Key") == path.index
    ]
    if sent is not None and len(texts) != 1:
        raise EwsError(Code.UPDATE_PROPERTY_MISMATCH, path=path_markup(path))
    editor.put(_PLACES[path.index][part], (texts[0] or None) if texts else None)


PHYSICAL_ADDRESSES = Field(
    _POSTAL,
    "PhysicalAddresses",
    _read_places,
    needs=Need.CONTENT,
    write=_write_places,
    parts=tuple(_POSTAL_PART + part for part in _PARTS),
    write_part=_write_place,
)
