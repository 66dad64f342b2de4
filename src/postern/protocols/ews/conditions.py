"""Restrictions of a search (MS-OXWSSRCH sections 2.2.4 and 2.2.5): conditions on properties, and what joins them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import TYPES, t
from postern.protocols.ews.paths import PropertyPath, read_path

MAX_CONDITIONS = 255
"""Conditions of one restriction, with what joins them."""
MAX_CONSTANT = 8_000
"""Characters of a value to compare with; what the store searches for is not longer."""


class Operator(StrEnum):
    EQUAL = "IsEqualTo"
    NOT_EQUAL = "IsNotEqualTo"
    GREATER = "IsGreaterThan"
    GREATER_OR_EQUAL = "IsGreaterThanOrEqualTo"
    LESS = "IsLessThan"
    LESS_OR_EQUAL = "IsLessThanOrEqualTo"


class Mode(StrEnum):
    """Places of a text in a value (MS-OXWSSRCH section 2.2.5.3)."""

    FULL = "FullString"
    PREFIXED = "Prefixed"
    SUBSTRING = "Substring"
    PREFIX_ON_WORDS = "PrefixOnWords"
    EXACT_PHRASE = "ExactPhrase"


_OPERATORS = {operator.value: operator for operator in Operator}
_MODES = {mode.value: mode for mode in Mode}
_LOOSE = frozenset({"Loose", "LooseAndIgnoreCaseAndIgnoreNonSpace"})
_COMPARISONS = {
    # By the name of a comparison, whether it ignores case and accents (MS-OXWSSRCH section 2.2.5.2).
    "Exact": (False, False),
    "IgnoreCase": (True, False),
    "IgnoreNonSpacingCharacters": (False, True),
    "IgnoreCaseAndNonSpacingCharacters": (True, True),
    "LooseAndIgnoreCase": (True, False),
    "LooseAndIgnoreNonSpace": (False, True),
    **dict.fromkeys(_LOOSE, (True, True)),
}


@dataclass(frozen=True, slots=True)
class Compare:
    """The value of a property compared with a text, or with the value of another property."""

    path: PropertyPath
    operator: Operator
    other: str | PropertyPath


@dataclass(frozen=True, slots=True)
class Contains:
    path: PropertyPath
    text: str
    mode: Mode = Mode.FULL
    ignores_case: bool = False
    ignores_accents: bool = False


@dataclass(frozen=True, slots=True)
class Exists:
    path: PropertyPath


@dataclass(frozen=True, slots=True)
class Excludes:
    """None of these bits is set in a number."""

    path: PropertyPath
    mask: int


@dataclass(frozen=True, slots=True)
class And:
    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    term: Condition


@dataclass(frozen=True, slots=True)
class Anywhere:
    """A text in the text of an item, in its header or its body. Only a QueryString makes it. `in_body`: in its body alone."""

    text: str
    in_body: bool = False


Condition = Compare | Contains | Exists | Excludes | And | Or | Not | Anywhere


_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]++", re.ASCII)


def with_times(condition: Condition, utc: Callable[[str], str]) -> Condition:
    """The condition with each time to compare with that names no offset replaced by what `utc` makes of it.

    Bound: linear in the condition.
    """
    if isinstance(condition, And | Or):
        return replace(condition, terms=tuple(with_times(term, utc) for term in condition.terms))
    if isinstance(condition, Not):
        return Not(with_times(condition.term, utc))
    if isinstance(condition, Compare) and isinstance(condition.other, str) and _LOCAL.fullmatch(condition.other):
        return replace(condition, other=utc(condition.other))
    return condition


def read_restriction(restriction: xml.Element | None) -> Condition | None:
    """Reads a Restriction, or the Condition of a view. Raises EwsError: ErrorInvalidRestriction, ErrorRestrictionTooComplex,
    ErrorRestrictionTooLong, ErrorInvalidExcludesRestriction.

    Bound: linear in the element; at most MAX_CONDITIONS conditions, each of at most MAX_CONSTANT characters.
    """
    if restriction is None:
        return None
    inner = restriction.elements
    if len(inner) != 1:
        raise EwsError(Code.INVALID_RESTRICTION)
    return _Reader().read(inner[0])


class _Reader:
    def __init__(self) -> None:
        self._left = MAX_CONDITIONS

    def read(self, expression: xml.Element) -> Condition:
        self._left -= 1
        if self._left < 0:
            raise EwsError(Code.RESTRICTION_TOO_COMPLEX)
        kind = expression.local if expression.namespace == TYPES else ""
        inner = expression.elements
        if kind in ("And", "Or") and inner:
            terms = tuple(map(self.read, inner))
            return And(terms) if kind == "And" else Or(terms)
        if kind == "Not" and len(inner) == 1:
            return Not(self.read(inner[0]))
        if kind == "Exists" and len(inner) == 1:
            return Exists(read_path(inner[0]))
        if len(inner) == 2:
            path, other = inner
            if kind in _OPERATORS:
                return self._comparison(read_path(path), _OPERATORS[kind], other)
            if kind == "Contains" and other.name == t("Constant"):
                return self._contains(expression.attributes, read_path(path), _constant(other))
            if kind == "Excludes" and other.name == t("Bitmask"):
                return Excludes(read_path(path), _mask(other.attributes.get("Value", "")))
        raise EwsError(Code.INVALID_RESTRICTION)

    @staticmethod
    def _comparison(path: PropertyPath, operator: Operator, other: xml.Element) -> Compare:
        values = other.elements
        if other.name != t("FieldURIOrConstant") or len(values) != 1:
            raise EwsError(Code.INVALID_RESTRICTION)
        if values[0].name == t("Constant"):
            return Compare(path, operator, _constant(values[0]))
        return Compare(path, operator, read_path(values[0]))

    @staticmethod
    def _contains(attributes: dict[str, str], path: PropertyPath, text: str) -> Contains:
        mode = _MODES.get(attributes.get("ContainmentMode", Mode.FULL.value))
        comparison = _COMPARISONS.get(attributes.get("ContainmentComparison", "Exact"))
        if mode is None or comparison is None:
            raise EwsError(Code.SCHEMA_VALIDATION)
        return Contains(path, text, mode, *comparison)


def _constant(element: xml.Element) -> str:
    text = element.attributes.get("Value")
    if text is None:
        raise EwsError(Code.INVALID_RESTRICTION)
    if len(text) > MAX_CONSTANT:
        raise EwsError(Code.RESTRICTION_TOO_LONG)
    return text


def _mask(text: str) -> int:
    digits = text[2:] if text[:2].lower() == "0x" else text
    try:
        if not digits.isalnum() or len(digits) > 20:
            raise ValueError
        mask = int(digits, 10 if digits is text else 16)
    except ValueError:
        raise EwsError(Code.INVALID_EXCLUDES_RESTRICTION) from None
    if mask >= 1 << 32:
        raise EwsError(Code.INVALID_EXCLUDES_RESTRICTION)
    return mask
