"""The part of a result that a search asks for, its order and its groups (MS-OXWSSRCH section 2.2.4)."""

from __future__ import annotations

from dataclasses import dataclass

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.conditions import Condition, read_restriction
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m, t, unsigned
from postern.protocols.ews.paths import FieldPath, PropertyPath, read_path

MAX_ROWS = 1_000
"""Items or folders of one answer, as Exchange 2010 and later have it; a larger number in a request is taken as this one."""
MAX_KEYS = 16
"""Properties that a result is sorted by."""
_MAX_NAME = 256


@dataclass(frozen=True, slots=True)
class Indexed:
    """Up to `most` from the one with the number `offset` on; with `from_end` those before it, counted from the end."""

    offset: int = 0
    from_end: bool = False
    most: int = MAX_ROWS


@dataclass(frozen=True, slots=True)
class Fractional:
    """Up to `most` from the place `numerator`/`denominator` of the result on."""

    numerator: int
    denominator: int
    most: int = MAX_ROWS


@dataclass(frozen=True, slots=True)
class Seek:
    """Up to `most` from the first one that meets a condition; with `from_end` up to the last one that does."""

    condition: Condition
    from_end: bool = False
    most: int = MAX_ROWS


@dataclass(frozen=True, slots=True)
class Contacts:
    """Up to `most` contacts whose names are between two; "" is no bound."""

    first: str = ""
    last: str = ""
    most: int = MAX_ROWS


View = Indexed | Fractional | Seek | Contacts


@dataclass(frozen=True, slots=True)
class Order:
    path: PropertyPath
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class Grouping:
    """The result in groups of items with one value of `path`. The groups are in the order of the least or, with `is_maximum`, the
    greatest value of `aggregate` in each."""

    path: PropertyPath
    aggregate: PropertyPath
    is_maximum: bool
    is_descending: bool


def read_view(request: xml.Element, end: str = "ItemView") -> View:
    """Reads the view of a request, whose elements end with "ItemView" or "FolderView"; without one, it is the beginning. Raises
    EwsError: ErrorInvalidIndexedPagingParameters, ErrorInvalidFractionalPagingParameters, ErrorInvalidPagingMaxRows; those of
    `conditions.read_restriction`.

    Bound: linear in the element, as `conditions.read_restriction`.
    """
    indexed = request.find(m(f"IndexedPage{end}"))
    if indexed is not None:
        offset = _number(indexed, "Offset", Code.INVALID_INDEXED_PAGING_PARAMETERS)
        return Indexed(offset, _is_from_end(indexed), _most(indexed))
    fractional = request.find(m(f"FractionalPage{end}"))
    if fractional is not None:
        numerator = _number(fractional, "Numerator", Code.INVALID_FRACTIONAL_PAGING_PARAMETERS)
        denominator = _number(fractional, "Denominator", Code.INVALID_FRACTIONAL_PAGING_PARAMETERS)
        # "between 0 and 1" (MS-OXWSSRCH section 2.2.4.13)
        if not 0 <= numerator <= denominator or not denominator:
            raise EwsError(Code.INVALID_FRACTIONAL_PAGING_PARAMETERS)
        return Fractional(numerator, denominator, _most(fractional))
    sought = request.find(m(f"SeekToConditionPage{end}"))
    if sought is not None:
        condition = read_restriction(sought.find(t("Condition")))
        if condition is None:
            raise EwsError(Code.INVALID_RESTRICTION)
        return Seek(condition, _is_from_end(sought), _most(sought))
    contacts = request.find(m("ContactsView"))
    if contacts is not None:
        first, last = contacts.attributes.get("InitialName", ""), contacts.attributes.get("FinalName", "")
        if max(len(first), len(last)) > _MAX_NAME:
            raise EwsError(Code.RESTRICTION_TOO_LONG)
        return Contacts(first, last, _most(contacts))
    return Indexed()


def _number(view: xml.Element, name: str, code: Code) -> int:
    number = unsigned(view.attributes.get(name, ""), 10)
    if number is None or number >= 1 << 31:
        raise EwsError(code)
    return number


def _most(view: xml.Element) -> int:
    if "MaxEntriesReturned" not in view.attributes:
        return MAX_ROWS
    most = _number(view, "MaxEntriesReturned", Code.INVALID_PAGING_MAX_ROWS)
    if not most:
        raise EwsError(Code.INVALID_PAGING_MAX_ROWS)
    return min(most, MAX_ROWS)


def _is_from_end(view: xml.Element) -> bool:
    text = view.attributes.get("BasePoint", "Beginning")
    if text not in ("Beginning", "End"):
        raise EwsError(Code.SCHEMA_VALIDATION)
    return text == "End"


def read_order(order: xml.Element | None) -> tuple[Order, ...]:
    """Reads a SortOrder. Raises EwsError.

    Bound: linear; at most MAX_KEYS properties.
    """
    keys = order.elements if order is not None else []
    if len(keys) > MAX_KEYS:
        raise EwsError(Code.UNSUPPORTED_PATH_FOR_SORT_GROUP, f"A result is sorted by {MAX_KEYS} properties at most.")
    return tuple(_key(each) for each in keys)


def _key(key: xml.Element) -> Order:
    if key.name != t("FieldOrder") or len(key.elements) != 1:
        raise EwsError(Code.SCHEMA_VALIDATION)
    return Order(read_path(key.elements[0]), _is_descending(key))


def _is_descending(element: xml.Element) -> bool:
    text = element.attributes.get("Order", "Ascending")
    if text not in ("Ascending", "Descending"):
        raise EwsError(Code.SCHEMA_VALIDATION)
    return text == "Descending"


TOPIC = FieldPath("message:ConversationTopic")
RECEIVED = FieldPath("item:DateTimeReceived")


def read_grouping(request: xml.Element) -> Grouping | None:
    """Reads the GroupBy or DistinguishedGroupBy of a request; None: it has none. Raises EwsError.

    Bound: linear in the element.
    """
    named = request.find(m("DistinguishedGroupBy"))
    if named is not None:
        if named.text_of(t("StandardGroupBy")) != "ConversationTopic":
            raise EwsError(Code.SCHEMA_VALIDATION)
        # By topic, each group with its newest item (MS-OXWSSRCH section 2.2.4.9).
        return Grouping(TOPIC, RECEIVED, True, _is_descending(named))
    own = request.find(m("GroupBy"))
    if own is None:
        return None
    aggregate = own.find(t("AggregateOn"))
    paths = [each for each in own.elements if each is not aggregate]
    if aggregate is None or len(paths) != 1 or len(aggregate.elements) != 1:
        raise EwsError(Code.SCHEMA_VALIDATION)
    how = aggregate.attributes.get("Aggregate", "")
    if how not in ("Minimum", "Maximum"):
        raise EwsError(Code.SCHEMA_VALIDATION)
    return Grouping(read_path(paths[0]), read_path(aggregate.elements[0]), how == "Maximum", _is_descending(own))
