"""Filters of queries as values: those of calendars (RFC 4791 section 9.7) and those of address books (RFC 6352 section 10.5).

Names of components, properties and parameters are in upper case. A list without entries asks for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Collation(Enum):
    """Ways of comparing texts (RFC 4790; RFC 5051 for `UNICODE`)."""

    OCTET = "i;octet"
    ASCII = "i;ascii-casemap"
    UNICODE = "i;unicode-casemap"


class MatchType(Enum):
    """Places where a text must stand in a value (RFC 6352 section 10.5.4); a calendar query always says `CONTAINS`."""

    CONTAINS = "contains"
    EQUALS = "equals"
    STARTS = "starts-with"
    ENDS = "ends-with"


@dataclass(frozen=True, slots=True)
class TextMatch:
    text: str
    collation: Collation = Collation.ASCII
    negate: bool = False
    kind: MatchType = MatchType.CONTAINS


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A span of time in seconds since the epoch; None: without begin, or without end."""

    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class ParameterFilter:
    name: str
    is_not_defined: bool = False
    text: TextMatch | None = None


@dataclass(frozen=True, slots=True)
class PropertyFilter:
    """Wants a property. `all_of` says whether all of `texts` and `parameters` must match, or any (`test` of RFC 6352); in a
    calendar query it is all."""

    name: str
    is_not_defined: bool = False
    time_range: TimeRange | None = None
    texts: tuple[TextMatch, ...] = ()
    parameters: tuple[ParameterFilter, ...] = ()
    all_of: bool = True


@dataclass(frozen=True, slots=True)
class ComponentFilter:
    """Wants a component; that of a whole query has the name "VCALENDAR"."""

    name: str
    is_not_defined: bool = False
    time_range: TimeRange | None = None
    properties: tuple[PropertyFilter, ...] = ()
    components: tuple[ComponentFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class CardFilter:
    """Wants a card: all of these properties, or any of them. Without properties, each card is wanted."""

    properties: tuple[PropertyFilter, ...] = ()
    all_of: bool = False
