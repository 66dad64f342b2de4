"""Compares texts by the collations of RFC 4790 and RFC 5051."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from itertools import chain

from postern.items.filters import Collation, MatchType, ParameterFilter, PropertyFilter, TextMatch
from postern.items.text import readable
from postern.protocols.content_lines import Line

# Putting marks in order takes the square of their number, so that text is composed in pieces, which end before a sign that
# composes with nothing, or else after 256 characters.
_PIECE = re.compile(r"[\x00-\x7f]?+[^\x00-\x7f]{0,256}+|[\x00-\x7f]++", re.DOTALL)
_ASCII_UPPER = {code: code + 32 for code in range(65, 91)}


def folded(text: str, collation: Collation) -> str:
    """The text in the form in which it is compared. RFC 5051 decomposes texts, and would find one Korean syllable in another that
    begins with it; they are composed instead.

    Bound: linear in the text; at most 18 characters for one.
    """
    if collation is Collation.OCTET:
        return text
    if text.isascii():
        return text.lower()
    if collation is Collation.ASCII:
        return text.translate(_ASCII_UPPER)
    pieces = _PIECE.findall(text)
    return "".join([unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", piece).casefold()) for piece in pieces])


def matches(value: str, wanted: TextMatch) -> bool:
    """Whether a value is what is wanted.

    Bound: linear in value and text, as Python's search is.
    """
    value, text = folded(value, wanted.collation), folded(wanted.text, wanted.collation)
    if wanted.kind is MatchType.EQUALS:
        there = value == text
    elif wanted.kind is MatchType.STARTS:
        there = value.startswith(text)
    elif wanted.kind is MatchType.ENDS:
        there = value.endswith(text)
    else:
        there = text in value
    return there is not wanted.negate


def _has_parameter(line: Line, wanted: ParameterFilter) -> bool:
    """Whether a line has a parameter as it is wanted."""
    values = line.parameter_values(wanted.name) if line.head else []
    defined = bool(values) or any(name == wanted.name for name, _ in line.parameters)
    if wanted.is_not_defined:
        return not defined
    if wanted.text is None or not defined:
        return defined
    return _any_matches(map(readable, values), wanted.text)


def has_property(
    lines: Iterable[Line], wanted: PropertyFilter, text_of: Callable[[Line], str], in_range: Callable[[Line], bool]
) -> bool:
    """Whether one of the lines of a property is as it is wanted. `text_of` reads a line's text, and `in_range` says whether its
    time is in the filter's span."""
    defined = False
    for line in lines:
        if wanted.is_not_defined:
            return False
        defined = True
        if wanted.time_range is not None and not in_range(line):
            continue
        if _fits(line, wanted, text_of):
            return True
    return wanted.is_not_defined and not defined


def _fits(line: Line, wanted: PropertyFilter, text_of: Callable[[Line], str]) -> bool:
    if not wanted.texts and not wanted.parameters:
        return True
    text = text_of(line) if wanted.texts else ""
    results = chain(
        (matches(text, each) for each in wanted.texts), (_has_parameter(line, each) for each in wanted.parameters)
    )
    return all(results) if wanted.all_of else any(results)


def _any_matches(values: Iterable[str], wanted: TextMatch) -> bool:
    """A negated match wants that no value matches (RFC 4791 section 9.7.5)."""
    results = [matches(value, wanted) for value in values]
    return all(results) if wanted.negate else any(results)
