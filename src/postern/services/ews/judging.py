"""Whether an item or a folder meets a condition, by the texts of its properties as answers show them.

The values of a property are told apart by their form: times, numbers, and else texts. Texts are compared without regard to case
(docs/quirks.md).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from postern.protocols.ews.conditions import (
    And,
    Compare,
    Condition,
    Contains,
    Excludes,
    Exists,
    Mode,
    Not,
    Operator,
    Or,
)
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.paths import FieldPath, PropertyPath
from postern.protocols.ews.times import read_time

R = TypeVar("R")
Values = Callable[[R], Sequence[str]]
"""Returns the values that an item or a folder has of a property, as texts."""
Judge = Callable[[R], bool]
Key = tuple[int, float, str]
"""A value as it is compared: its kind, and the number or the text."""
ANYWHERE = FieldPath("*")
"""Stands for all texts of an item, those of its body among them."""
MISSING: Key = (0, 0.0, "")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:T[\d:.]++)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,18})?", re.ASCII)
_GAP = re.compile(r"\W")
_TRIES = 16
"""Places that are looked at before a text is gone through sign by sign, which takes longer, and no longer than that."""
_BOOLEANS = {"true": 1.0, "false": 0.0}


def key_of(text: str) -> Key:
    """A value as it is compared and sorted.

    Bound: linear in the text.
    """
    if not text[:1].isdecimal() and text[:1] not in "+-tf":
        return 3, 0.0, text.casefold()
    if text in _BOOLEANS:
        return 1, _BOOLEANS[text], ""
    if _NUMBER.fullmatch(text):
        return 1, float(text), ""
    if _TIME.fullmatch(text):
        try:
            return 2, float(read_time(text)), ""
        except EwsError:
            pass
    return 3, 0.0, text.casefold()


def _orders(operator: Operator, key: Key, other: Key) -> bool:
    if operator is Operator.EQUAL:
        return key == other
    if operator is Operator.NOT_EQUAL:
        return key != other
    if operator is Operator.GREATER:
        return key > other
    if operator is Operator.GREATER_OR_EQUAL:
        return key >= other
    return key < other if operator is Operator.LESS else key <= other


def judge(condition: Condition, values: Callable[[PropertyPath], Values[R]]) -> Judge[R]:
    """Makes a judge of a condition. `values` returns the reader of a property, or raises EwsError for one that nobody can ask
    for."""
    if isinstance(condition, And | Or):
        judges = [judge(term, values) for term in condition.terms]
        if isinstance(condition, And):
            return lambda row: all(each(row) for each in judges)
        return lambda row: any(each(row) for each in judges)
    if isinstance(condition, Not):
        inner = judge(condition.term, values)
        return lambda row: not inner(row)
    if isinstance(condition, Compare):
        return _comparison(condition, values)
    if isinstance(condition, Contains):
        return _containment(condition, values(condition.path))
    if isinstance(condition, Exists):
        there = values(condition.path)
        return lambda row: bool(there(row))
    if isinstance(condition, Excludes):
        return _exclusion(condition, values(condition.path))
    everything, wanted = values(ANYWHERE), condition.text.casefold()
    return lambda row: any(wanted in text.casefold() for text in everything(row))


def _comparison(condition: Compare, values: Callable[[PropertyPath], Values[R]]) -> Judge[R]:
    mine, operator = values(condition.path), condition.operator
    if isinstance(condition.other, str):
        constant = condition.other
        key = key_of(constant)

        def compares(row: R) -> bool:
            texts = mine(row) or ([""] if not constant else [])
            if operator is Operator.NOT_EQUAL:
                return all(not _matches(Operator.EQUAL, text, key, constant) for text in texts)
            return any(_matches(operator, text, key, constant) for text in texts)

        return compares
    theirs = values(condition.other)

    def compares_both(row: R) -> bool:
        others = theirs(row)
        return any(_matches(operator, text, key_of(other), other) for text in mine(row) for other in others[:1])

    return compares_both


def _matches(operator: Operator, text: str, key: Key, constant: str) -> bool:
    mine = key_of(text)
    if mine[0] != key[0]:
        # A number beside a text, as a subject "2026" is: both are texts.
        return _orders(operator, (3, 0.0, text.casefold()), (3, 0.0, constant.casefold()))
    return _orders(operator, mine, key)


def _containment(condition: Contains, mine: Values[R]) -> Judge[R]:
    wanted = _form(condition.text, condition)
    holds = _HOLDS[condition.mode](wanted)
    return lambda row: any(holds(_form(text, condition)) for text in mine(row))


def _form(text: str, condition: Contains) -> str:
    if condition.ignores_case:
        text = text.casefold()
    if condition.ignores_accents and not text.isascii():
        text = "".join([each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each)])
    return text


def stands_on_words(text: str, wanted: str, is_whole: bool) -> bool:
    """Whether `wanted` stands in a text where a word begins; `is_whole`: and ends with a word.

    Bound: linear in both texts.
    """

    def fits(start: int) -> bool:
        end = start + len(wanted)
        begins = start == 0 or not _is_letter(text[start - 1])
        return begins and not (is_whole and end < len(text) and _is_letter(text[end]))

    start = text.find(wanted)
    for _ in range(_TRIES):
        if start < 0 or not wanted or fits(start):
            return start >= 0
        # The next word begins behind something that is no letter.
        gap = _GAP.search(text, start)
        start = text.find(wanted, gap.end()) if gap is not None else -1
    return start >= 0 and any(fits(each) for each in _places(text, wanted, start))


def _places(text: str, wanted: str, start: int) -> Iterator[int]:
    """The places of a text in another, from `start` on, which may overlap: by the way of Knuth, Morris and Pratt, which never
    goes back."""
    borders = [0]
    held = 0
    for sign in wanted[1:]:
        while held and wanted[held] != sign:
            held = borders[held - 1]
        held += wanted[held] == sign
        borders.append(held)
    held = 0
    for place in range(start, len(text)):
        sign = text[place]
        while held and wanted[held] != sign:
            held = borders[held - 1]
        held += wanted[held] == sign
        if held == len(wanted):
            yield place - held + 1
            held = borders[held - 1]


def _is_letter(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


_HOLDS: dict[Mode, Callable[[str], Callable[[str], bool]]] = {
    Mode.FULL: lambda wanted: lambda text: text == wanted,
    Mode.PREFIXED: lambda wanted: lambda text: text.startswith(wanted),
    Mode.SUBSTRING: lambda wanted: lambda text: wanted in text,
    Mode.PREFIX_ON_WORDS: lambda wanted: lambda text: stands_on_words(text, wanted, False),
    Mode.EXACT_PHRASE: lambda wanted: lambda text: stands_on_words(text, wanted, True),
}


def _exclusion(condition: Excludes, mine: Values[R]) -> Judge[R]:
    def excludes(row: R) -> bool:
        for text in mine(row):
            kind, number, _ = key_of(text)
            if kind == 1 and int(number) & condition.mask:
                return False
        return True

    return excludes


def paths_of(condition: Condition) -> list[PropertyPath]:
    """The properties that a condition asks for.

    Bound: linear in the condition.
    """
    paths: list[PropertyPath] = []
    waiting = [condition]
    while waiting:
        here = waiting.pop()
        if isinstance(here, And | Or):
            waiting.extend(here.terms)
        elif isinstance(here, Not):
            waiting.append(here.term)
        elif isinstance(here, Compare):
            paths.append(here.path)
            if not isinstance(here.other, str):
                paths.append(here.other)
        elif isinstance(here, Contains | Exists | Excludes):
            paths.append(here.path)
    return paths
