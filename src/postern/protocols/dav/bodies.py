"""The bodies of PROPFIND, PROPPATCH, MKCOL, MKCALENDAR, LOCK and ACL (RFC 4918 section 14, RFC 5689, RFC 4791, RFC 3744).

`reports` reads those of REPORT. What cannot be read raises BodyError.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from postern.protocols import xml
from postern.protocols.dav.names import PREFIXES, caldav, dav
from postern.protocols.xml import Element

BOUNDS = xml.Bounds(octets=4_194_304, depth=32, elements=40_000, attributes=40_000)
"""Bounds of a body. 5,000 hrefs of 255 letters that each take three octets in nine characters are 3 MB."""
MAX_PROPERTIES = 256
"""Properties that one request names. Clients ask for 30."""
MAX_VALUE = 32_768
"""Octets of one dead property: half of what the bag of an item holds."""
MAX_ACES = 100


class BodyError(Exception):
    """A body that cannot be read. `status` is 400, 413 for what is too much, or 422 for what is well-formed and makes no
    sense (RFC 4918 section 11.2)."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def document(data: bytes, *roots: str, charset: str = "") -> Element:
    """Reads a body whose root has one of these names. Raises BodyError.

    Bound: linear; at most as much as BOUNDS has.
    """
    if len(data) > BOUNDS.octets:
        raise BodyError("the body is too large", 413)
    try:
        root = xml.read(data, BOUNDS, charset)
    except xml.XmlError as error:
        raise BodyError(str(error)) from None
    if root.name not in roots:
        raise BodyError("the body's root is not the one of this method", 422)
    return root


KINDS = frozenset({dav("prop"), dav("allprop"), dav("propname")})
"""The elements that say which properties are wanted. They may stand among thousands of others."""


class Wanted(Enum):
    """The ways in which a PROPFIND asks: for properties by name, for all, or only for the names."""

    NAMED = auto()
    ALL = auto()
    NAMES = auto()


@dataclass(frozen=True, slots=True)
class PropFind:
    """A question for properties. With `Wanted.ALL`, `names` are those that come besides (`include`). `parts` has what is inside
    an element of `prop`, for those who look there (`calendar-data`, `address-data`, properties of `expand-property`)."""

    wanted: Wanted = Wanted.ALL
    names: tuple[str, ...] = ()
    parts: Mapping[str, Element] = field(default_factory=dict)


def read_propfind(data: bytes, charset: str = "") -> PropFind:
    """Reads a PROPFIND; an empty body asks for all properties (RFC 4918 section 9.1). Raises BodyError.

    Bound: linear; at most MAX_PROPERTIES properties.
    """
    if not data.strip():
        return PropFind()
    root = document(data, dav("propfind"), charset=charset)
    return wanted_of(root)


def wanted_of(parent: Element) -> PropFind:
    """The question of an element that has `prop`, `allprop` or `propname` in it. Raises BodyError.

    Bound: linear; at most MAX_PROPERTIES properties.
    """
    kinds = [child for child in parent.elements if child.name in KINDS]
    if len(kinds) != 1:
        raise BodyError("one of prop, allprop and propname is wanted")
    (kind,) = kinds
    if kind.name == dav("propname"):
        return PropFind(Wanted.NAMES)
    include = parent.find(dav("include"))
    elements = kind.elements if kind.name == dav("prop") else include.elements if include is not None else []
    names = tuple(dict.fromkeys(element.name for element in elements))
    if len(names) > MAX_PROPERTIES:
        raise BodyError("too many properties", 413)
    parts = {element.name: element for element in elements if element.children or element.attributes}
    return PropFind(Wanted.NAMED if kind.name == dav("prop") else Wanted.ALL, names, parts)


@dataclass(frozen=True, slots=True)
class Change:
    """A property to set, or with None to remove."""

    name: str
    value: Element | None

    @property
    def markup(self) -> str:
        """The property as an element that can stand in any document."""
        assert self.value is not None
        return xml.write(self.value, PREFIXES, declaration=False).decode()


def read_proppatch(data: bytes, charset: str = "") -> list[Change]:
    """Reads the changes of a PROPPATCH in the order of the document, which counts (RFC 4918 section 9.2). Raises BodyError.

    Bound: linear; at most MAX_PROPERTIES properties.
    """
    root = document(data, dav("propertyupdate"), charset=charset)
    changes = list(_changes(root, root.elements))
    if not changes:
        raise BodyError("no property is set or removed")
    return changes


def _changes(root: Element, parts: Iterable[Element]) -> Iterable[Change]:
    count = 0
    for part in parts:
        if part.name not in (dav("set"), dav("remove")):
            continue
        for prop in part.find_all(dav("prop")):
            for element in prop.elements:
                count += 1
                if count > MAX_PROPERTIES:
                    raise BodyError("too many properties", 413)
                if part.name == dav("remove"):
                    yield Change(element.name, None)
                    continue
                languages = [
                    each.attributes[xml.LANGUAGE] for each in (root, part, prop) if xml.LANGUAGE in each.attributes
                ]
                if languages and xml.LANGUAGE not in element.attributes:
                    # RFC 4918 section 4.3: the language that is in scope is a part of the value.
                    element = replace(element, attributes={xml.LANGUAGE: languages[-1], **element.attributes})
                yield Change(element.name, element)


def read_creation(data: bytes, charset: str = "") -> list[Change]:
    """Reads the properties of an extended MKCOL (RFC 5689) or of MKCALENDAR (RFC 4791 section 5.3.1); an empty body sets none.
    Raises BodyError.

    Bound: linear; at most MAX_PROPERTIES properties.
    """
    if not data.strip():
        return []
    root = document(data, dav("mkcol"), caldav("mkcalendar"), charset=charset)
    return [change for change in _changes(root, root.find_all(dav("set"))) if change.value is not None]


@dataclass(frozen=True, slots=True)
class LockRequest:
    """A new lock. `owner` is the markup that the client wants to be told of it: an element `D:owner`, or ""."""

    exclusive: bool
    owner: str = ""


def read_lock(data: bytes, charset: str = "") -> LockRequest | None:
    """Reads a LOCK; None for an empty body, which refreshes a lock (RFC 4918 section 9.10.2). Raises BodyError.

    Bound: linear; the owner has MAX_VALUE octets at most.
    """
    if not data.strip():
        return None
    root = document(data, dav("lockinfo"), charset=charset)
    scopes = {child.name for child in getattr(root.find(dav("lockscope")), "elements", [])}
    if root.find(dav("locktype"), dav("write")) is None or scopes not in ({dav("exclusive")}, {dav("shared")}):
        raise BodyError("a lock is a write lock, exclusive or shared", 422)
    owner = root.find(dav("owner"))
    markup = xml.write(owner, PREFIXES, declaration=False).decode() if owner is not None else ""
    if len(markup.encode()) > MAX_VALUE:
        raise BodyError("the owner of the lock is too long", 413)
    return LockRequest(scopes == {dav("exclusive")}, markup)


@dataclass(frozen=True, slots=True)
class Ace:
    """An entry of an access control list (RFC 3744 section 5.5). `principal` is an href, or the Clark name of `all`,
    `authenticated`, `unauthenticated`, `self` or a property."""

    principal: str
    grants: tuple[str, ...]
    denies: tuple[str, ...]
    inverted: bool = False


def read_acl(data: bytes, charset: str = "") -> list[Ace]:
    """Reads the body of an ACL request. Raises BodyError.

    Bound: linear; at most MAX_ACES entries.
    """
    root = document(data, dav("acl"), charset=charset)
    entries = root.find_all(dav("ace"))
    if len(entries) > MAX_ACES:
        raise BodyError("too many entries", 413)
    return [_ace(entry) for entry in entries]


def _ace(entry: Element) -> Ace:
    inverted = entry.find(dav("invert"))
    principal = (inverted if inverted is not None else entry).find(dav("principal"))
    if principal is None or len(principal.elements) != 1:
        raise BodyError("an entry has one principal")
    (who,) = principal.elements
    name = who.text.strip() if who.name == dav("href") else who.name
    if who.name == dav("property") and who.elements:
        name = who.elements[0].name
    return Ace(name, _privileges(entry, "grant"), _privileges(entry, "deny"), inverted is not None)


def _privileges(entry: Element, kind: str) -> tuple[str, ...]:
    wanted = [each for part in entry.find_all(dav(kind)) for each in part.find_all(dav("privilege"))]
    return tuple(child.name for each in wanted for child in each.elements)
