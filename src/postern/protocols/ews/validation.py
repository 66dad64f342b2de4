"""Checks a request against the schema of requests, before its operation reads it.

What the schema does not have is refused, and not passed over: a condition that stands beside its Restriction, or an attribute
with a letter too few, would else have an operation do something that the client did not mean. Names of elements and attributes
are checked, what is there twice, booleans, whole numbers, and texts of which the schema lists all; and of the element in the SOAP
body what must be there.

Some things are left out. What is missing further inside is for the readers to tell: clients of Exchange 2013 and later send
shapes without a BaseShape (otris/ews-cpp#125), and lists without anything. The order of elements is not checked: Exchange
has not done it since 2013. An element that came with a later version than the request names is taken, for it means what it
says. The names of properties, of well-known folders and of the like, of which later versions have more, are checked by their
readers, which have errors of their own for them. So are times, ids and octets in base64. A text beside elements is passed
over: it has no meaning that could be missed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from postern.protocols import xml
from postern.protocols.ews.names import MESSAGES, TYPES
from postern.protocols.ews.schema import Place, of_requests
from postern.protocols.ews.versions import Version

_SPACES = {"t": TYPES, "m": MESSAGES}
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_ANY = "any"
_SHOWN = 80
"""Characters of the request that a text about it has at most, at each place."""
_OPEN = frozenset(
    {
        "DistinguishedFolderIdNameType",
        "DistinguishedPropertySetType",
        "DictionaryURIType",
        "ExceptionPropertyURIType",
        "MapiPropertyTypeType",
        "ServiceConfigurationType.item",
        "UnindexedFieldURIType",
        "UserPhotoSizeType",
    }
)
"""Types whose values later versions of Exchange have more of. exchangelib asks for all well-known folders that it knows at once
(ecederstrand/exchangelib#1310)."""
_LEFT_OUT = frozenset(
    {
        # thunderbird/ews-rs may leave it out, types/update_item.rs.
        ("UpdateItemType", "ConflictResolution"),
        # exchangelib writes it as a text of the request.
        ("GetMailTipsType", "m:MailTipsRequested"),
    }
)
"""Elements and attributes that may be missing, other than the schema has it, each with its type."""
_BESIDE = {
    "BasePermissionType": [Place("t:CanCreateSubfolders", "xs:boolean", Version.V2007, 9)],
    "GetPasswordExpirationDateType": [Place("t:MailboxSmtpAddress", "xs:string", Version.V2010_SP2, 1)],
    "PermissionSetType": [Place("t:CalendarPermissions", "ArrayOfCalendarPermissionsType", Version.V2007, 1)],
}
_ATTRIBUTES_BESIDE = {
    "FindPeopleType": {"Traversal": Place("Traversal", "ItemQueryTraversalType", Version.V2013)},
    "RequestAttachmentIdType": {
        name: Place(name, "xs:string", Version.V2007) for name in ("RootItemId", "RootItemChangeKey")
    },
}
"""Elements and attributes that clients send beside those of the schema, by type. exchangelib finds people with a Traversal, names
an attachment as it was told, changes the rights in a calendar as those in a Folder, and writes CanCreateSubFolders so. The
MailboxSmtpAddress is GNOME/evolution-ews' (src/EWS/common/e-ews-connection.c)."""
_BOOLEANS = frozenset({"true", "false", "1", "0"})
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_BITS = {"xs:byte": 7, "xs:short": 15, "xs:int": 31, "xs:long": 63}


@dataclass(frozen=True, slots=True)
class Violation:
    """Says what is wrong in a request, in the words of Exchange, and has the element where it is."""

    text: str
    element: xml.Element


@dataclass(frozen=True, slots=True)
class _Form:
    """A type with what it has from those that it extends. Names of elements are Clark's; an element's place is a pair, of the
    type that has it and its place there. `text` is the type of its text, where it has no elements. `required` are the places
    that must be taken, with the names of the elements that take each; `must_have` are the attributes that must be there."""

    name: str
    text: str
    attributes: dict[str, Place]
    must_have: tuple[str, ...]
    elements: dict[str, tuple[tuple[int, int], str, bool]]
    required: dict[tuple[int, int], tuple[str, ...]]
    takes_any: bool


def violation_of(body: xml.Element) -> Violation | None:
    """The first thing in a request that the schema does not have; None: all is in order, or there is no such request in it.
    `body` is the element in the SOAP body.

    Bound: linear in the request.
    """
    place = of_requests().asks.get(f"m:{body.local}") if body.namespace == MESSAGES else None
    waiting = [(body, _form(place.type))] if place is not None else []
    while waiting:
        element, form = waiting.pop()
        if element.attributes:
            form = _named(element, form)
        if element.attributes or form.must_have:
            wrong = _wrong_attribute(element, form)
            if wrong is not None:
                return wrong
        if form.text:
            wrong = _wrong_text(element, form)
        elif element.children or form.required:
            wrong = _wrong_element(element, form, waiting)
        else:
            continue
        if wrong is not None and element.attributes.get(_NIL) not in ("true", "1"):
            return wrong
    return None


def _named(element: xml.Element, form: _Form) -> _Form:
    """The type of an element, which xsi:type may name more narrowly."""
    named = element.attributes.get(_TYPE, "").rpartition(":")[2].strip()
    return _form(named) if named and of_requests().extends(named, form.name) else form


@cache
def _form(type_name: str) -> _Form:
    chain = of_requests().chain(type_name)
    if not chain or chain[-1].is_text:
        return _Form(type_name, type_name, {}, (), {}, {}, False)
    attributes = {name: place for kind in chain for name, place in kind.attributes.items()}
    attributes |= _ATTRIBUTES_BESIDE.get(type_name, {})
    is_request = any(place.type == type_name for place in of_requests().asks.values())
    must_have = tuple(
        name
        for name, place in attributes.items()
        if is_request and place.is_required and (type_name, name) not in _LEFT_OUT
    )
    if chain[-1].form == "text":
        return _Form(type_name, chain[0].base, attributes, must_have, {}, {}, False)
    elements: dict[str, tuple[tuple[int, int], str, bool]] = {}
    takers: dict[tuple[int, int], list[Place]] = {}
    for depth, kind in enumerate(chain):
        for place in (*kind.elements, *_BESIDE.get(kind.name, [])):
            elements[_clark(place.name)] = (depth, place.at), place.type, place.repeats
            takers.setdefault((depth, place.at), []).append(place)
    required = {
        at: tuple([place.name for place in places])
        for at, places in takers.items()
        if is_request and any(place.is_required and (type_name, place.name) not in _LEFT_OUT for place in places)
    }
    return _Form(type_name, "", attributes, must_have, elements, required, "*" in elements)


def _clark(name: str) -> str:
    prefix, colon, local = name.partition(":")
    return f"{{{_SPACES[prefix]}}}{local}" if colon else name


def _wrong_attribute(element: xml.Element, form: _Form) -> Violation | None:
    for name, text in element.attributes.items():
        place = form.attributes.get(name)
        if place is not None:
            if not _fits(text, place.type):
                return Violation(f"The '{name}' attribute is invalid - {_unfit(text, place.type)}", element)
        # Attributes of other namespaces are no part of the schema, as that of an editor or a signature.
        elif not name.startswith("{") or name[1:].partition("}")[0] in (TYPES, MESSAGES):
            return Violation(f"The '{name[:_SHOWN]}' attribute is not declared.", element)
    for name in form.must_have:
        if name not in element.attributes:
            return Violation(f"The required attribute '{name}' is missing.", element)
    return None


def _wrong_text(element: xml.Element, form: _Form) -> Violation | None:
    inner = element.elements
    if inner:
        text = f"The element '{_shown(element)}' cannot contain child element '{inner[0].local[:_SHOWN]}' because"
        return Violation(f"{text} the parent element's content model is text only.", inner[0])
    if _fits(element.text, form.text):
        return None
    return Violation(f"The '{_shown(element)}' element is invalid - {_unfit(element.text, form.text)}", element)


def _wrong_element(element: xml.Element, form: _Form, waiting: list[tuple[xml.Element, _Form]]) -> Violation | None:
    """Checks which elements are in one. They are put behind those that wait to be looked into themselves."""
    taken: set[tuple[int, int]] = set()
    inner: list[tuple[xml.Element, _Form]] = []
    for child in element.children:
        if isinstance(child, str):
            continue
        known = form.elements.get(child.name)
        if known is None:
            if form.takes_any:
                continue
            return Violation(f"The element {_place(element)} has invalid child element {_place(child)}.", child)
        at, type_name, repeats = known
        if at in taken and not repeats:
            return Violation(f"The element {_place(element)} has invalid child element {_place(child)}.", child)
        taken.add(at)
        if type_name != _ANY:
            inner.append((child, _form(type_name)))
    for at, names in form.required.items():
        if at not in taken:
            expected = ", ".join([f"'{name.partition(':')[2]}'" for name in names])
            text = (
                f"The element {_place(element)} has incomplete content. List of possible elements expected: {expected}."
            )
            return Violation(text, element)
    inner.reverse()
    waiting += inner
    return None


def _place(element: xml.Element) -> str:
    return f"'{element.local[:_SHOWN]}' in namespace '{element.namespace[:_SHOWN]}'"


def _shown(element: xml.Element) -> str:
    return f"{element.namespace[:_SHOWN]}:{element.local[:_SHOWN]}"


def _fits(text: str, type_name: str) -> bool:
    if type_name == "xs:string":
        return True
    if type_name == "xs:boolean":
        return text.strip() in _BOOLEANS
    if type_name in _BITS:
        number = text.strip()
        return _WHOLE.fullmatch(number) is not None and -1 << _BITS[type_name] <= int(number) < 1 << _BITS[type_name]
    kind = of_requests().kinds.get(type_name)
    if kind is None or type_name in _OPEN:
        return True
    if kind.form == "list":
        return all(_fits(part, kind.members[0]) for part in text.split())
    if kind.form == "union":
        return any(_fits(text, member) for member in kind.members)
    if kind.values:
        return text.strip() in kind.values
    return _fits(text, kind.base)


def _unfit(text: str, type_name: str) -> str:
    return f"The value '{text[:_SHOWN]}' is invalid according to its datatype '{type_name.removeprefix('xs:')}'."
