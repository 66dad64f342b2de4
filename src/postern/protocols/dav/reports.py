"""The bodies of REPORT: CalDAV (RFC 4791 section 7), CardDAV (RFC 6352 section 8), sync-collection (RFC 6578), expand-property
(RFC 3253 section 3.8), and those of RFC 3744 section 9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from postern.protocols.dav.bodies import KINDS, MAX_PROPERTIES, BodyError, PropFind, Wanted, document, wanted_of
from postern.protocols.dav.fields import MAX_URL
from postern.protocols.dav.names import caldav, calendar_server, carddav, dav
from postern.protocols.xml import Element

MAX_HREFS = 5_000
"""Resources that one multiget names. Clients ask for 10 to 1,000 at a time."""
MAX_EXPANSION = 4
"""Levels of expand-property that are read."""
MAX_EXPANDED = 64
"""Properties of one expand-property report, on all levels together."""
MAX_SEARCHES = 16


@dataclass(frozen=True, slots=True)
class Query:
    """calendar-query and addressbook-query. `filter` is the element as it came; `limit` bounds the results (RFC 6352
    section 8.6.1), 0 for none. `timezone` is the iCalendar text for floating times, `timezone_id` the zone's name (RFC 7809)."""

    properties: PropFind
    filter: Element | None
    limit: int = 0
    timezone: str = ""
    timezone_id: str = ""


@dataclass(frozen=True, slots=True)
class Multiget:
    """calendar-multiget and addressbook-multiget. `hrefs` are as they came."""

    properties: PropFind
    hrefs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FreeBusyQuery:
    """The time range as it came: "20260101T000000Z"."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class SyncCollection:
    """`token` is "" for the first time; `limit` 0 for none."""

    properties: PropFind
    token: str
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Expansion:
    """A property by name, whose hrefs are followed for the properties `of` what is there."""

    name: str
    of: tuple[Expansion, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpandProperty:
    properties: tuple[Expansion, ...]


@dataclass(frozen=True, slots=True)
class PropertySearch:
    """A text that one of these properties has (RFC 3744 section 9.4), without regard to case. `starts`, `ends`: where it stands
    (match-type of calendarserver.org's extension); with neither, anywhere."""

    names: tuple[str, ...]
    text: str
    starts: bool = False
    ends: bool = False


@dataclass(frozen=True, slots=True)
class PrincipalSearch:
    """principal-property-search. With `any_of` a principal that fits one search is enough. RFC 3744 wants one search at least;
    clients that list all principals send none."""

    properties: PropFind
    searches: tuple[PropertySearch, ...]
    in_all: bool
    any_of: bool


@dataclass(frozen=True, slots=True)
class PrincipalMatch:
    """principal-match (RFC 3744 section 9.3): the principals that are the caller himself."""

    properties: PropFind


@dataclass(frozen=True, slots=True)
class PrincipalSearchPropertySet:
    pass


@dataclass(frozen=True, slots=True)
class PrincipalTokens:
    """calendarserver-principal-search: the principals of which each token begins a name or an address. `context` is what they
    are wanted for: "user", "group", "location", "resource" or "attendee", which is all of these. `limit` 0 is none."""

    properties: PropFind
    tokens: tuple[str, ...]
    context: str
    limit: int = 0


@dataclass(frozen=True, slots=True)
class AclPrincipals:
    """acl-principal-prop-set: the principals that the resource's access control list names."""

    properties: PropFind


Report = (
    Query
    | Multiget
    | FreeBusyQuery
    | SyncCollection
    | ExpandProperty
    | PrincipalSearch
    | PrincipalTokens
    | PrincipalMatch
    | PrincipalSearchPropertySet
    | AclPrincipals
)


def read_report(data: bytes, charset: str = "") -> tuple[str, Report]:
    """Reads a REPORT: its name, and its content. Raises BodyError.

    Bound: linear; at most MAX_HREFS hrefs, MAX_SEARCHES searches and MAX_EXPANDED properties to expand.
    """
    root = document(data, *_READERS, charset=charset)
    return root.name, _READERS[root.name](root)


def _wanted(root: Element) -> PropFind:
    """The properties; a report that names none asks for none."""
    return wanted_of(root) if any(child.name in KINDS for child in root.elements) else PropFind(Wanted.NAMED)


def _number(text: str) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) == 0:
        raise BodyError("a limit is a number from 1 on", 422)
    return int(text)


def _calendar_query(root: Element) -> Query:
    timezone, name = root.text_of(caldav("timezone")), root.text_of(caldav("timezone-id"))
    return Query(_wanted(root), root.find(caldav("filter")), 0, timezone, name)


def _addressbook_query(root: Element) -> Query:
    limit = _number(root.text_of(carddav("limit"), carddav("nresults")))
    return Query(_wanted(root), root.find(carddav("filter")), limit)


def _multiget(root: Element) -> Multiget:
    hrefs = tuple(dict.fromkeys([href.text.strip() for href in root.find_all(dav("href"))]))
    if not hrefs:
        raise BodyError("no href is named")
    if len(hrefs) > MAX_HREFS:
        raise BodyError("too many hrefs", 413)
    return Multiget(_wanted(root), hrefs)


def _free_busy(root: Element) -> FreeBusyQuery:
    span = root.find(caldav("time-range"))
    if span is None or not {"start", "end"} <= span.attributes.keys():
        raise BodyError("a time range with start and end is wanted")
    return FreeBusyQuery(span.attributes["start"], span.attributes["end"])


def _sync(root: Element) -> SyncCollection:
    token, level = root.find(dav("sync-token")), root.text_of(dav("sync-level"))
    if token is None:
        raise BodyError("no sync-token")
    if level not in ("1", "infinite", ""):
        raise BodyError("the sync-level is 1 or infinite")
    if len(token.text) > MAX_URL:
        raise BodyError("the sync-token is too long")
    limit = _number(root.text_of(dav("limit"), dav("nresults")))
    return SyncCollection(_wanted(root), token.text.strip(), limit)


def _expand(root: Element) -> ExpandProperty:
    budget = [MAX_EXPANDED]
    return ExpandProperty(_expansions(root, 1, budget))


def _expansions(parent: Element, level: int, budget: list[int]) -> tuple[Expansion, ...]:
    expansions = []
    for element in parent.find_all(dav("property")):
        budget[0] -= 1
        if budget[0] < 0 or level > MAX_EXPANSION:
            raise BodyError("too many properties to expand", 413)
        name, space = element.attributes.get("name", ""), element.attributes.get("namespace", "DAV:")
        if not name or "{" in name + space or "}" in name + space:
            raise BodyError("a property without a name")
        expansions.append(Expansion(f"{{{space}}}{name}", _expansions(element, level + 1, budget)))
    return tuple(expansions)


_OF_SEARCH = frozenset(map(dav, ("property-search", "apply-to-principal-collection-set", "prop", "limit")))


def _principal_search(root: Element) -> PrincipalSearch:
    parts = root.find_all(dav("property-search"))
    if len(parts) > MAX_SEARCHES:
        raise BodyError("too many searches", 413)
    in_all = root.find(dav("apply-to-principal-collection-set")) is not None
    searches = tuple(_search(part) for part in parts)
    wanted = _wanted(root)
    if wanted.wanted is Wanted.NAMED and not wanted.names:
        # The library caldav has the properties beside an empty prop.
        beside = dict.fromkeys(child.name for child in root.elements if child.name not in _OF_SEARCH)
        wanted = PropFind(Wanted.NAMED, tuple(beside)[:MAX_PROPERTIES])
    return PrincipalSearch(wanted, searches, in_all, root.attributes.get("test") == "anyof")


def _search(part: Element) -> PropertySearch:
    prop, match = part.find(dav("prop")), part.find(dav("match"))
    if prop is None or match is None:
        raise BodyError("a property-search has prop and match")
    kind = match.attributes.get("match-type", "contains")
    starts, ends = kind in ("starts-with", "equals"), kind in ("ends-with", "equals")
    return PropertySearch(tuple(child.name for child in prop.elements), match.text.strip(), starts, ends)


def _principal_tokens(root: Element) -> PrincipalTokens:
    tokens = tuple(token for part in root.find_all(calendar_server("search-token")) if (token := part.text.strip()))
    if len(tokens) > MAX_SEARCHES:
        raise BodyError("too many searches", 413)
    if not tokens:
        raise BodyError("no search-token")
    limit = _number(root.text_of(calendar_server("limit"), calendar_server("nresults")))
    return PrincipalTokens(_wanted(root), tokens, root.attributes.get("context", ""), limit)


_READERS: Mapping[str, Callable[[Element], Report]] = {
    caldav("calendar-query"): _calendar_query,
    carddav("addressbook-query"): _addressbook_query,
    caldav("calendar-multiget"): _multiget,
    carddav("addressbook-multiget"): _multiget,
    caldav("free-busy-query"): _free_busy,
    dav("sync-collection"): _sync,
    dav("expand-property"): _expand,
    dav("principal-property-search"): _principal_search,
    calendar_server("calendarserver-principal-search"): _principal_tokens,
    dav("principal-match"): lambda root: PrincipalMatch(_wanted(root)),
    dav("principal-search-property-set"): lambda root: PrincipalSearchPropertySet(),
    dav("acl-principal-prop-set"): lambda root: AclPrincipals(_wanted(root)),
}
