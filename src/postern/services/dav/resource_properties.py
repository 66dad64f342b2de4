"""The properties of resources, and the responses that have them. What is asked for is put together once, and filled in for each
resource: a calendar has ten thousand.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import repeat

from postern.model.resources import Resource
from postern.protocols import xml
from postern.protocols.dav import multistatus
from postern.protocols.dav.bodies import PropFind, Wanted
from postern.protocols.dav.fields import Preferences
from postern.protocols.dav.multistatus import href_of, hrefs_of
from postern.protocols.dav.names import caldav, carddav, dav, element
from postern.protocols.http.dates import http_date
from postern.services.dav import meetings, privileges, properties
from postern.services.dav.folders import CALENDARS, Collection, Kind
from postern.services.dav.live import href, privileges_in
from postern.services.dav.locks import NO_LOCKS, SUPPORTED_LOCK, Locks, discovery
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import ROOT, principal_path

_TYPES = mimetypes.MimeTypes()
_KIND_TYPES = {
    Kind.CALENDAR: "text/calendar; charset=utf-8",
    Kind.TASKS: "text/calendar; charset=utf-8",
    Kind.INBOX: "text/calendar; charset=utf-8",
    Kind.ADDRESSBOOK: "text/vcard; charset=utf-8",
}
CALENDAR_DATA = caldav("calendar-data")
ADDRESS_DATA = carddav("address-data")
SCHEDULE_TAG = caldav("schedule-tag")
"""The property that only meetings have (RFC 6638 section 3.2.10)."""
DATA = (CALENDAR_DATA, ADDRESS_DATA)
"""Properties that only reports have: the content itself."""


def etag_of(resource: Resource) -> str:
    """Returns the strong entity tag, with its quotes."""
    return f'"{resource.tag.hex()}"'


def content_type_of(kind: Kind, name: str) -> str:
    """Returns the content type; that of a document goes by its name, as web servers do it."""
    fixed = _KIND_TYPES.get(kind)
    if fixed is not None:
        return fixed
    guessed, encoding = _TYPES.guess_type(name)
    return guessed if guessed is not None and encoding is None else "application/octet-stream"


Value = Callable[[Resource], str]


def _values(box: OwnMailbox, container: Collection, locks: Locks) -> Mapping[str, str | Value]:
    """The markup of each property's whole element: a constant of the collection, or a function of the resource."""

    def each(name: str, inner: Value) -> Value:
        start, end = f"<D:{name}>", f"</D:{name}>"
        return lambda resource: f"{start}{inner(resource)}{end}"

    fixed = _KIND_TYPES.get(container.kind)
    owner, caller = href(principal_path(box.address)), href(principal_path(box.me.address))
    granted, acl = privileges_in(container, box)
    values: dict[str, str | Value] = {
        dav("resourcetype"): "<D:resourcetype/>",
        dav("getetag"): lambda resource: f'<D:getetag>"{resource.tag.hex()}"</D:getetag>',
        dav("getcontenttype"): f"<D:getcontenttype>{fixed}</D:getcontenttype>"
        if fixed
        else each("getcontenttype", lambda resource: xml.text(content_type_of(container.kind, resource.name))),
        dav("getcontentlength"): lambda resource: f"<D:getcontentlength>{resource.size}</D:getcontentlength>",
        dav("getlastmodified"): each("getlastmodified", lambda resource: http_date(resource.modified).decode()),
        dav("creationdate"): each(
            "creationdate", lambda resource: f"{datetime.fromtimestamp(resource.created, UTC):%Y-%m-%dT%H:%M:%SZ}"
        ),
        dav("owner"): f"<D:owner>{owner}</D:owner>",
        dav("current-user-principal"): f"<D:current-user-principal>{caller}</D:current-user-principal>",
        dav("principal-collection-set"): element(dav("principal-collection-set"), href(f"{ROOT}principals/users/")),
        dav("current-user-privilege-set"): element(dav("current-user-privilege-set"), granted),
        dav("supported-privilege-set"): element(dav("supported-privilege-set"), privileges.SUPPORTED),
    }
    if acl is not None:
        values[dav("acl")] = element(dav("acl"), acl)
    if container.is_address_list:
        del values[dav("owner")]
    if container.kind is Kind.FILES:
        values[dav("supportedlock")] = element(dav("supportedlock"), SUPPORTED_LOCK)
        values[dav("lockdiscovery")] = lambda resource: element(
            dav("lockdiscovery"), discovery(locks.covering(container.path + resource.name))
        )
    return values


IN_ALL = tuple(
    dav(name)
    for name in (
        "resourcetype",
        "getetag",
        "getcontenttype",
        "getcontentlength",
        "getlastmodified",
        "creationdate",
        "supportedlock",
        "lockdiscovery",
    )
)


class ResourceResponses:
    """Writes the responses about resources of one collection. Call `prepare` before those of each page."""

    def __init__(
        self, box: OwnMailbox, container: Collection, find: PropFind, preferences: Preferences, locks: Locks = NO_LOCKS
    ) -> None:
        self._box = box
        self._find = find
        self._base = href_of(container.path)
        self._is_minimal = preferences.is_minimal
        values = _values(box, container, locks)
        if find.wanted is Wanted.NAMES:
            names: Sequence[str] = ()
            parts: list[str | Value] = [element(name) for name in values]
        else:
            names = find.names if find.wanted is Wanted.NAMED else (*IN_ALL, *find.names)
            parts = [values[name] for name in names if name in values]
        self._unknown = [name for name in names if name not in values and name not in DATA]
        if find.wanted is Wanted.ALL:
            self._unknown = [name for name in self._unknown if name not in IN_ALL]
        self._missing = "".join(map(element, self._unknown))
        self._parts = parts
        self._each = [part for part in parts if not isinstance(part, str)]
        has_some = bool(parts) or any(name in DATA for name in names)
        self._template = self._compiled() if has_some else ""
        self._dead: dict[int, dict[str, str]] = {}
        self._is_calendar = container.kind in CALENDARS

    def _compiled(self) -> str:
        """Returns a response with a place for the name, one for each value that differs between resources, and one for the
        markup of the content."""
        present = "".join([_constant(part) if isinstance(part, str) else "%s" for part in self._parts])
        href = f"{_constant(self._base)}%s"
        return multistatus.properties(href, f"{present}%s", _constant(self._missing), self._is_minimal)

    async def prepare(self, resources: Sequence[Resource]) -> None:
        """Reads the dead properties of resources, where they are asked for."""
        if self._find.wanted is Wanted.NAMED and not self._unknown:
            return
        names = self._unknown if self._find.wanted is Wanted.NAMED else None
        self._dead = await properties.read(self._box, [resource.id for resource in resources], names)
        if SCHEDULE_TAG in self._unknown and self._is_calendar:
            for number, tag in (await meetings.tags_of(self._box, resources)).items():
                markup = element(SCHEDULE_TAG, xml.text(f'"{tag}"'))
                self._dead[number] = {**self._dead.get(number, {}), SCHEDULE_TAG: markup}

    def response(self, resource: Resource, data: str = "") -> str:
        """Returns the response about a resource. `data` is the markup of its content, if that was asked for."""
        dead = self._dead.get(resource.id)
        if dead is None and self._template:
            return self._template % (href_of(resource.name), *[value(resource) for value in self._each], data)
        present = "".join([part if isinstance(part, str) else part(resource) for part in self._parts])
        missing = self._missing
        if dead is not None:
            if self._find.wanted is Wanted.NAMES:
                present += "".join(map(element, dead))
            else:
                present += "".join(dead.values())
            missing = "".join([element(name) for name in self._unknown if name not in dead])
        return multistatus.properties(self._base + href_of(resource.name), present + data, missing, self._is_minimal)

    def responses(self, resources: Sequence[Resource], data: Iterable[str] = repeat("")) -> list[str]:
        """Returns the response about each resource, whose contents `data` has, at half the cost of one after the other."""
        if self._dead or not self._template:
            return [self.response(resource, markup) for resource, markup in zip(resources, data, strict=False)]
        hrefs = hrefs_of([resource.name for resource in resources])
        values = [map(value, resources) for value in self._each]
        return list(map(self._template.__mod__, zip(hrefs, *values, data, strict=False)))


def _constant(markup: str) -> str:
    """Returns markup as it stands in a template."""
    return markup.replace("%", "%%")
