"""The elements of a query as the values that `items` works with: filters (RFC 4791 section 9.7, RFC 6352 section 10.5), and the
parts that are wanted of the content (RFC 4791 section 9.6, RFC 6352 section 10.4).

What cannot be read raises Refusal with the precondition of the document.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from postern.items.calendar_data import Pick, Wanted
from postern.items.contact import VERSIONS
from postern.items.filters import (
    CardFilter,
    Collation,
    ComponentFilter,
    MatchType,
    ParameterFilter,
    PropertyFilter,
    TextMatch,
    TimeRange,
)
from postern.items.zones import zone_named, zone_of_calendar
from postern.protocols.dav.names import CALDAV, CARDDAV, caldav, carddav, element
from postern.protocols.ical.values import Kind, read_when
from postern.protocols.ical.zones import UTC_ZONE, Zone
from postern.protocols.xml import Element
from postern.services.dav.request import Refusal

MAX_FILTERS = 64
"""Filters of one query: each object is held against each of them."""
MAX_TEXT = 1_000
"""Characters of a text that is looked for."""
MAX_PICKED = 256
"""Components and properties that are picked of the content."""
_FILTERS = frozenset({"comp-filter", "prop-filter", "param-filter", "text-match", "time-range"})


def invalid(space: str, name: str = "valid-filter") -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, element(f"{{{space}}}{name}"))


def _check(root: Element | None, space: str) -> Element:
    if root is None or sum(each.local in _FILTERS for each in root.walk()) > MAX_FILTERS:
        raise invalid(space)
    return root


def component_filter(root: Element | None) -> ComponentFilter:
    """Reads the filter of a calendar-query.

    Bound: linear; at most MAX_FILTERS filters.
    """
    (kind,) = kinds if len(kinds := _check(root, CALDAV).find_all(caldav("comp-filter"))) == 1 else (None,)
    if kind is None or kind.attributes.get("name", "").upper() != "VCALENDAR":
        raise invalid(CALDAV)
    return _component(kind)


def _name(part: Element, space: str) -> str:
    name = part.attributes.get("name", "").strip().upper()
    if not name or len(name) > MAX_TEXT:
        raise invalid(space)
    return name


def _component(part: Element) -> ComponentFilter:
    name = _name(part, CALDAV)
    if part.find(caldav("is-not-defined")) is not None:
        return ComponentFilter(name, is_not_defined=True)
    return ComponentFilter(
        name,
        time_range=_time_range(part),
        properties=tuple(_property(each) for each in part.find_all(caldav("prop-filter"))),
        components=tuple(_component(each) for each in part.find_all(caldav("comp-filter"))),
    )


def _property(part: Element) -> PropertyFilter:
    return PropertyFilter(
        _name(part, CALDAV),
        part.find(caldav("is-not-defined")) is not None,
        _time_range(part),
        tuple(_text(each, CALDAV) for each in part.find_all(caldav("text-match"))),
        tuple(_parameter(each, CALDAV) for each in part.find_all(caldav("param-filter"))),
    )


def _parameter(part: Element, space: str) -> ParameterFilter:
    text = part.find(f"{{{space}}}text-match")
    return ParameterFilter(
        _name(part, space),
        part.find(f"{{{space}}}is-not-defined") is not None,
        _text(text, space) if text is not None else None,
    )


def _text(part: Element, space: str) -> TextMatch:
    default = "i;ascii-casemap" if space == CALDAV else "i;unicode-casemap"
    try:
        collation = Collation(part.attributes.get("collation", default).replace("default", default))
        kind = MatchType(part.attributes.get("match-type", "contains") if space == CARDDAV else "contains")
    except ValueError:
        raise invalid(space, "supported-collation" if "collation" in part.attributes else "valid-filter") from None
    if len(part.text) > MAX_TEXT:
        raise invalid(space)
    return TextMatch(part.text, collation, part.attributes.get("negate-condition", "no").lower() == "yes", kind)


def _time_range(part: Element) -> TimeRange | None:
    span = part.find(caldav("time-range"))
    return None if span is None else time_range(span.attributes.get("start"), span.attributes.get("end"))


def time_range(start: str | None, end: str | None) -> TimeRange:
    """Reads a time range, whose times are in UTC (RFC 4791 section 9.9). One end at least is there.

    Bound: constant.
    """
    span = TimeRange(*[None if text is None else _time(text) for text in (start, end)])
    if (span.start is None and span.end is None) or (
        span.start is not None and span.end is not None and span.end <= span.start
    ):
        raise invalid(CALDAV)
    return span


def _time(text: str) -> int:
    when = read_when(text.strip()) if len(text) < MAX_TEXT else None
    if when is None or when.kind is not Kind.UTC:
        raise invalid(CALDAV)
    return UTC_ZONE.utc(when.local)


def card_filter(root: Element | None) -> CardFilter:
    """Reads the filter of an addressbook-query.

    Bound: linear; at most MAX_FILTERS filters.
    """
    root = _check(root, CARDDAV)
    parts = root.find_all(carddav("prop-filter"))
    return CardFilter(tuple(map(_card_property, parts)), _all_of(root))


def _all_of(part: Element) -> bool:
    test = part.attributes.get("test", "anyof")
    if test not in ("anyof", "allof"):
        raise invalid(CARDDAV)
    return test == "allof"


def _card_property(part: Element) -> PropertyFilter:
    return PropertyFilter(
        _name(part, CARDDAV),
        part.find(carddav("is-not-defined")) is not None,
        None,
        tuple(_text(each, CARDDAV) for each in part.find_all(carddav("text-match"))),
        tuple(_parameter(each, CARDDAV) for each in part.find_all(carddav("param-filter"))),
        _all_of(part),
    )


def calendar_data(part: Element | None) -> Wanted:
    """Reads what is wanted of a calendar object.

    Bound: linear; at most MAX_PICKED components and properties.
    """
    if part is None:
        return Wanted()
    _check_data(part, CALDAV, "supported-calendar-data", "text/calendar", ("2.0",))
    whole = part.find(caldav("comp"))
    return Wanted(
        _pick(whole) if whole is not None else None,
        _span(part, "expand"),
        _span(part, "limit-recurrence-set"),
        _span(part, "limit-freebusy-set"),
    )


def _check_data(part: Element, space: str, precondition: str, media: str, versions: tuple[str, ...]) -> None:
    version = part.attributes.get("version")
    if part.attributes.get("content-type", media) != media or (version is not None and version not in versions):
        raise invalid(space, precondition)
    if sum(1 for _ in part.walk()) > MAX_PICKED:
        raise invalid(space)


def _pick(part: Element) -> Pick:
    names = tuple(
        (_name(each, CALDAV), each.attributes.get("novalue") == "yes") for each in part.find_all(caldav("prop"))
    )
    inner = tuple(map(_pick, part.find_all(caldav("comp"))))
    # RFC 4791 section 9.6.1: without any of them, a component is wanted whole.
    is_whole = not names and not inner
    every = part.find(caldav("allprop")) is not None or is_whole
    all_components = part.find(caldav("allcomp")) is not None or is_whole
    return Pick(_name(part, CALDAV), None if every else names, None if all_components else inner)


def _span(part: Element, name: str) -> TimeRange | None:
    span = part.find(caldav(name))
    if span is None:
        return None
    if not {"start", "end"} <= span.attributes.keys():
        raise invalid(CALDAV)
    return time_range(span.attributes["start"], span.attributes["end"])


class CardWanted(NamedTuple):
    """A request for a card: in a version ("": the one that it has), and with these properties, each with whether its value is
    left out; None stands for all."""

    version: str
    properties: tuple[tuple[str, bool], ...] | None


def address_data(part: Element | None) -> CardWanted | None:
    """Reads what is wanted of a card; None for all of it, as it is.

    Bound: linear; at most MAX_PICKED properties.
    """
    if part is None:
        return None
    _check_data(part, CARDDAV, "supported-address-data", "text/vcard", VERSIONS)
    names = tuple(
        (_name(each, CARDDAV), each.attributes.get("novalue") == "yes") for each in part.find_all(carddav("prop"))
    )
    version = part.attributes.get("version", "")
    return CardWanted(version, names or None) if names or version else None


def kept_zone(text: str, name: str) -> Zone:
    """Returns the zone of a calendar's properties, by its name or else by its iCalendar text; UTC where they have none.

    Bound: linear in the texts.
    """
    return zone_named(name.strip()) or (zone_of_calendar(text.encode()) if text else None) or UTC_ZONE


def floating_zone(text: str, name: str) -> Zone:
    """Returns the zone of times without one, as a query has it: by its name (RFC 7809) or its iCalendar text. Raises Refusal.

    Bound: linear in the texts.
    """
    if name:
        zone: Zone | None = zone_named(name)
        if zone is None:
            raise invalid(CALDAV, "valid-timezone")
        return zone
    zone = zone_of_calendar(text.encode())
    if zone is None:
        raise invalid(CALDAV, "valid-calendar-data")
    return zone
