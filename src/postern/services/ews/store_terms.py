"""The part of a condition that the store can search for (`model.search.SearchTerm`).

What the store finds is all that meets the condition, and perhaps more; `is_exact` says that there is no more. The rest is judged
item by item (`judging`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from postern.model.items import Flag
from postern.model.search import SearchTerm
from postern.protocols.ews.conditions import And, Anywhere, Compare, Condition, Contains, Mode, Not, Operator, Or
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import unsigned
from postern.protocols.ews.paths import FieldPath, PropertyPath
from postern.protocols.ews.times import read_time

_DEEPEST = 30
"""Levels of conditions that are given to the store."""
_DAY = 86_400


class Pushed(NamedTuple):
    """A term of the store. None: the store can find nothing of the condition, so that all items have to be judged."""

    term: SearchTerm | None
    is_exact: bool


_NOTHING = Pushed(None, False)
_TEXTS = {
    "message:From": "from",
    "message:Sender": "from",
    "message:ToRecipients": "to",
    "message:CcRecipients": "cc",
    "message:BccRecipients": "bcc",
}
"""Properties whose texts stand in an address field."""


ALWAYS = frozenset({"message:IsRead", "item:Flag", "item:DateTimeReceived", "item:Size", "item:ItemClass"})
"""Properties that the store knows of all items. Others it knows of mail: it does not read the formats of appointments and
contacts."""


def pushed(
    condition: Condition, named: Callable[[PropertyPath], PropertyPath], is_mail: bool, depth: int = 0
) -> Pushed:
    """Returns what the store can find of a condition. `named` returns for a property that has several paths that of the schema.
    `is_mail`: it searches a folder with mail alone.

    Bound: linear in the condition.
    """
    if depth > _DEEPEST:
        return _NOTHING
    if isinstance(condition, And):
        parts = [pushed(term, named, is_mail, depth + 1) for term in condition.terms]
        terms = tuple(part.term for part in parts if part.term is not None)
        is_exact = all(part.is_exact for part in parts)
        return Pushed(SearchTerm("and", terms=terms), is_exact) if terms else _NOTHING
    if isinstance(condition, Or):
        parts = [pushed(term, named, is_mail, depth + 1) for term in condition.terms]
        terms = tuple(part.term for part in parts if part.term is not None)
        if len(terms) < len(parts):
            return _NOTHING
        return Pushed(SearchTerm("or", terms=terms), all(part.is_exact for part in parts))
    if isinstance(condition, Not):
        inner = pushed(condition.term, named, is_mail, depth + 1)
        if inner.term is None or not inner.is_exact:
            return _NOTHING
        return Pushed(SearchTerm("not", terms=(inner.term,)), True)
    if isinstance(condition, Anywhere) and is_mail:
        return Pushed(SearchTerm("body" if condition.in_body else "text", condition.text), True)
    if isinstance(condition, Compare | Contains):
        path = named(condition.path)
        uri = path.uri if isinstance(path, FieldPath) and (is_mail or path.uri in ALWAYS) else ""
        return _compared(uri, condition) if isinstance(condition, Compare) else _contained(uri, condition)
    return _NOTHING


def _contained(uri: str, condition: Contains) -> Pushed:
    text = condition.text
    if uri == "item:Flag" and text == "Flagged" and condition.mode is Mode.FULL:
        return Pushed(SearchTerm("flag", number=Flag.FLAGGED), True)
    if not text.strip():
        return _NOTHING
    if uri == "item:Body":
        # Contents are not read to be judged: the store knows their texts, without regard to case.
        return Pushed(SearchTerm("body", text), True)
    if condition.ignores_accents:
        # What the store keeps has its accents still.
        return _NOTHING
    if uri == "item:ItemClass":
        is_prefix = condition.mode in (Mode.PREFIXED, Mode.FULL)
        is_exact = condition.mode is Mode.PREFIXED and condition.ignores_case
        return Pushed(SearchTerm("class", text), is_exact) if is_prefix else _NOTHING
    if uri == "item:Subject":
        is_exact = condition.mode is Mode.SUBSTRING and condition.ignores_case
        return Pushed(SearchTerm("subject", text), is_exact)
    if uri in _TEXTS:
        return Pushed(SearchTerm(_TEXTS[uri], text), False)
    return _NOTHING


def _compared(uri: str, condition: Compare) -> Pushed:
    if not isinstance(condition.other, str):
        return _NOTHING
    make = _COMPARED.get(uri)
    return make(condition.operator, condition.other.strip()) if make is not None else _NOTHING


def _not(term: SearchTerm) -> SearchTerm:
    return SearchTerm("not", terms=(term,))


def _is_read(operator: Operator, text: str) -> Pushed:
    seen = SearchTerm("flag", number=Flag.SEEN)
    if operator not in (Operator.EQUAL, Operator.NOT_EQUAL) or text not in ("true", "false", "0", "1"):
        return _NOTHING
    wanted = (text in ("true", "1")) == (operator is Operator.EQUAL)
    return Pushed(seen if wanted else _not(seen), True)


def _from(number: int, operator: Operator, make: Callable[[int], SearchTerm]) -> SearchTerm:
    """The term for a whole number, of terms which mean that it is as large as theirs, or larger."""
    at_least, more = make(number), make(number + 1)
    return {
        Operator.GREATER_OR_EQUAL: at_least,
        Operator.GREATER: more,
        Operator.LESS: _not(at_least),
        Operator.LESS_OR_EQUAL: _not(more),
        Operator.EQUAL: SearchTerm("and", terms=(at_least, _not(more))),
        Operator.NOT_EQUAL: SearchTerm("or", terms=(_not(at_least), more)),
    }[operator]


def _received(operator: Operator, text: str) -> Pushed:
    try:
        at = read_time(text)
    except EwsError:
        return _NOTHING
    return Pushed(_from(at, operator, lambda number: SearchTerm("arrived", number=number)), True)


def _sent(operator: Operator, text: str) -> Pushed:
    """By days of the sender, whose zone nobody knows here: a day more on each side."""
    try:
        day = read_time(text) // _DAY
    except EwsError:
        return _NOTHING
    since, before = SearchTerm("sentsince", number=day - 1), SearchTerm("sentbefore", number=day + 2)
    if operator in (Operator.GREATER, Operator.GREATER_OR_EQUAL):
        return Pushed(since, False)
    if operator in (Operator.LESS, Operator.LESS_OR_EQUAL):
        return Pushed(before, False)
    return Pushed(SearchTerm("and", terms=(since, before)), False) if operator is Operator.EQUAL else _NOTHING


def _size(operator: Operator, text: str) -> Pushed:
    size = unsigned(text, 18)
    if size is None:
        return _NOTHING
    return Pushed(_from(size, operator, lambda number: SearchTerm("larger", number=number - 1)), True)


def _equal_text(key: str, name: str = "") -> Callable[[Operator, str], Pushed]:
    def make(operator: Operator, text: str) -> Pushed:
        if operator is not Operator.EQUAL or not text:
            return _NOTHING
        return Pushed(SearchTerm(key, text, name), False)

    return make


_COMPARED: Mapping[str, Callable[[Operator, str], Pushed]] = {
    "message:IsRead": _is_read,
    "item:DateTimeReceived": _received,
    "item:DateTimeSent": _sent,
    "item:Size": _size,
    "item:ItemClass": _equal_text("class"),
    "item:Subject": _equal_text("subject"),
    "message:InternetMessageId": _equal_text("header", "message-id"),
}
