"""Paths of properties, as requests name them (MS-OXWSCDATA section 2.2.4.23, MS-OXWSXPROP section 2.1.5)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import TYPES, element

MAX_PATHS = 500
"""Properties of one list that are read."""
SETS = {
    "Meeting": UUID("6ed8da90-450b-101b-98da-00aa003f1305"),
    "Appointment": UUID("00062002-0000-0000-c000-000000000046"),
    "Common": UUID("00062008-0000-0000-c000-000000000046"),
    "PublicStrings": UUID("00020329-0000-0000-c000-000000000046"),
    "Address": UUID("00062004-0000-0000-c000-000000000046"),
    "InternetHeaders": UUID("00020386-0000-0000-c000-000000000046"),
    "CalendarAssistant": UUID("11000e07-b51b-40d6-af21-caa85edab1d0"),
    "UnifiedMessaging": UUID("4442858e-a9e3-4e80-b900-317a210cc15b"),
    "Task": UUID("00062003-0000-0000-c000-000000000046"),
    "Sharing": UUID("00062040-0000-0000-c000-000000000046"),
}
"""The sets of named properties by the names that requests give them (MS-OXWSXPROP section 2.1.7)."""
TYPE_NUMBERS = {
    "Short": 0x0002,
    "Integer": 0x0003,
    "Float": 0x0004,
    "Double": 0x0005,
    "Currency": 0x0006,
    "ApplicationTime": 0x0007,
    "Boolean": 0x000B,
    "Long": 0x0014,
    "String": 0x001F,
    "SystemTime": 0x0040,
    "CLSID": 0x0048,
    "Binary": 0x0102,
}
"""The types of properties (MS-OXCDATA section 2.11.1) by their names in requests; with "Array" behind it, a type has several
values."""
ARRAY = 0x1000


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A property of the schema, for example "item:Subject"."""

    uri: str


@dataclass(frozen=True, slots=True)
class IndexedPath:
    """One value of a property that has several by name: "contacts:EmailAddress", "EmailAddress1"."""

    uri: str
    index: str


@dataclass(frozen=True, slots=True)
class ExtendedPath:
    """A MAPI property, by its tag's id, or by a set and in it a number or a text. `type` is the name of its type, for example
    "String" or "StringArray"."""

    type: str
    tag: int | None = None
    set: UUID | None = None
    lid: int | None = None
    name: str = ""

    @property
    def type_number(self) -> int:
        """The type's number (MS-OXCDATA section 2.11.1)."""
        if self.type.endswith("Array"):
            return TYPE_NUMBERS[self.type[:-5]] | ARRAY
        return TYPE_NUMBERS[self.type]


PropertyPath = FieldPath | IndexedPath | ExtendedPath


def read_path(path: xml.Element) -> PropertyPath:
    """Reads a FieldURI, IndexedFieldURI or ExtendedFieldURI. Raises EwsError.

    Bound: linear in the element.
    """
    if path.namespace == TYPES:
        named = path.attributes
        if path.local == "FieldURI":
            return FieldPath(named.get("FieldURI", ""))
        if path.local == "IndexedFieldURI":
            return IndexedPath(named.get("FieldURI", ""), named.get("FieldIndex", ""))
        if path.local == "ExtendedFieldURI":
            return _extended(named)
    raise EwsError(Code.INVALID_PROPERTY_REQUEST)


def read_paths(paths: xml.Element | None) -> tuple[PropertyPath, ...]:
    """Reads a list of paths, each once. Raises EwsError.

    Bound: linear; at most MAX_PATHS paths.
    """
    if paths is None:
        return ()
    if len(paths.elements) > MAX_PATHS:
        raise EwsError(Code.INVALID_PROPERTY_REQUEST, f"More than {MAX_PATHS} properties are asked for.")
    return tuple(dict.fromkeys(map(read_path, paths.elements)))


def _extended(named: dict[str, str]) -> ExtendedPath:
    """Reads the attributes of an ExtendedFieldURI, of which only some combinations are valid (MS-OXWSXPROP section 2.1.5)."""
    type_ = named.get("PropertyType", "")
    if type_.removesuffix("Array") not in TYPE_NUMBERS or type_ == "BooleanArray":
        code = (
            Code.UNSUPPORTED_MAPI_PROPERTY_TYPE
            if type_ in ("Error", "Null", "Object")
            else Code.INVALID_EXTENDED_PROPERTY
        )
        raise EwsError(code)
    tag, set_ = named.get("PropertyTag"), _set(named)
    lid, name = named.get("PropertyId"), named.get("PropertyName", "")
    try:
        if tag is not None and set_ is None and lid is None and not name:
            number = int(tag, 16) if tag[:2].lower() == "0x" else int(tag)
            # Ids from 0x8000 on are numbers of named properties, which differ from mailbox to mailbox.
            if not 0 < number < 0x8000 or len(tag) > 10:
                raise EwsError(Code.INVALID_EXTENDED_PROPERTY)
            return ExtendedPath(type_, tag=number)
        if tag is None and set_ is not None and (lid is None) != (not name):
            if lid is None:
                return ExtendedPath(type_, set=set_, name=name)
            number = int(lid) if len(lid) <= 11 else -1
            if not 0 <= number < 2**31:
                raise EwsError(Code.INVALID_EXTENDED_PROPERTY)
            return ExtendedPath(type_, set=set_, lid=number)
    except ValueError:
        pass
    raise EwsError(Code.INVALID_EXTENDED_PROPERTY)


def _set(named: dict[str, str]) -> UUID | None:
    distinguished, own = named.get("DistinguishedPropertySetId"), named.get("PropertySetId")
    if distinguished is not None and own is None and distinguished in SETS:
        return SETS[distinguished]
    if own is not None and distinguished is None and len(own) <= 38:
        try:
            return UUID(own)
        except ValueError:
            pass
    if distinguished is None and own is None:
        return None
    raise EwsError(Code.INVALID_EXTENDED_PROPERTY)


_SET_NAMES = {uuid: name for name, uuid in SETS.items()}


def path_markup(path: PropertyPath) -> str:
    """A path as it stands in an answer."""
    if isinstance(path, FieldPath):
        return element("t:FieldURI", FieldURI=path.uri)
    if isinstance(path, IndexedPath):
        return element("t:IndexedFieldURI", FieldURI=path.uri, FieldIndex=path.index)
    attributes: dict[str, str] = {}
    if path.set is not None:
        known = _SET_NAMES.get(path.set)
        attributes["DistinguishedPropertySetId" if known else "PropertySetId"] = known or str(path.set)
    if path.tag is not None:
        attributes["PropertyTag"] = f"0x{path.tag:x}"
    if path.name:
        attributes["PropertyName"] = path.name
    if path.lid is not None:
        attributes["PropertyId"] = str(path.lid)
    return element("t:ExtendedFieldURI", **attributes, PropertyType=path.type)
