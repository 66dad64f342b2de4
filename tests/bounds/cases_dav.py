"""Worst cases of what reads DAV: fields and bodies."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from postern.protocols.dav import bodies, conditions, fields, names, reports
from postern.protocols.xml import Element
from postern.services.dav import filters, places
from postern.services.dav.request import Refusal
from tests.bounds.growth import Cases, Work

P = "protocols.dav."
NS = b' xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'


def _body(read: Callable[[bytes], object], start: bytes, piece: bytes, end: bytes) -> Callable[[int], Work]:
    """A body that is read to its first error; bounds end it early, and what grows before them shows."""

    def build(size: int) -> Work:
        data = start.replace(b">", NS + b">", 1) + piece * (size // len(piece)) + end

        def work() -> None:
            with suppress(bodies.BodyError):
                read(data)

        return work

    return build


def _field(read: Callable[[str], object], piece: str, before: str = "") -> Callable[[int], Work]:
    def build(size: int) -> Work:
        value = before + piece * (size // len(piece))

        def work() -> None:
            with suppress(fields.FieldError):
                read(value)

        return work

    return build


S = "services.dav."


def _elements(read: Callable[[Element], object], root: str, inner: str) -> Callable[[int], Work]:
    """An element with as many others in it as there are places for."""

    def build(size: int) -> Work:
        name, attributes = f"{{{names.CALDAV}}}{inner}", {"name": "VCALENDAR"}
        part = Element(f"{{{names.CALDAV}}}{root}", attributes, [Element(name, attributes) for _ in range(size // 64)])

        def work() -> None:
            with suppress(Refusal):
                read(part)

        return work

    return build


def _zone(size: int) -> Work:
    def work() -> None:
        with suppress(Refusal):
            filters.floating_zone("BEGIN:VCALENDAR\r\n" + "A:b\r\n" * (size // 5), "")

    return work


def _refused(read: Callable[[str, str], object], value: str) -> None:
    with suppress(Refusal):
        read(value, value)


CASES: Cases = {
    P + "fields.read_depth": _field(lambda value: fields.read_depth(value, fields.Depth.ZERO), " "),
    P + "fields.read_overwrite": _field(fields.read_overwrite, " ", "T"),
    P + "fields.read_url": _field(fields.read_url, "%2e/", "/"),
    P + "fields.read_timeout": _field(lambda value: fields.read_timeout(value, 1, 9), "Second-,"),
    P + "fields.read_lock_token": _field(fields.read_lock_token, "a:", "<"),
    P + "fields.read_preferences": _field(fields.read_preferences, "return=minimal,"),
    P + "conditions.read_if": _field(conditions.read_if, "(Not <a:b>) "),
    P + "conditions.read_if: spaces": _field(conditions.read_if, " ", "("),
    P + "names.opening": lambda size: lambda: names.opening('{"' + "&" * size + "}a"),
    P + "bodies.document": _body(lambda data: bodies.document(data, names.dav("a")), b"<a>", b"<b/>", b"</a>"),
    P + "bodies.read_propfind": _body(bodies.read_propfind, b"<propfind><prop>", b"<a/>", b"</prop></propfind>"),
    P + "bodies.wanted_of": _body(bodies.read_propfind, b"<propfind><prop/>", b"<propname/>", b"</propfind>"),
    P + "bodies.read_proppatch": _body(
        bodies.read_proppatch, b"<propertyupdate>", b"<set><prop><a/></prop></set>", b"</propertyupdate>"
    ),
    P + "bodies.read_creation": _body(bodies.read_creation, b"<mkcol><set><prop>", b"<a/>", b"</prop></set></mkcol>"),
    P + "bodies.read_lock": _body(
        bodies.read_lock,
        b"<lockinfo><lockscope><exclusive/></lockscope><locktype><write/></locktype><owner>",
        b"<a/>",
        b"</owner></lockinfo>",
    ),
    P + "bodies.read_acl": _body(bodies.read_acl, b"<acl>", b"<ace/>", b"</acl>"),
    P + "reports.read_report": _body(
        reports.read_report, b"<C:calendar-multiget>", b"<href>a</href>", b"</C:calendar-multiget>"
    ),
    P + "reports.read_report: properties": _body(
        reports.read_report, b"<expand-property>", b"<property name='a'/>", b"</expand-property>"
    ),
    S + "filters.component_filter": _elements(filters.component_filter, "filter", "comp-filter"),
    S + "filters.card_filter": _elements(filters.card_filter, "filter", "prop-filter"),
    S + "filters.time_range": _field(lambda value: _refused(filters.time_range, value), "0"),
    S + "filters.calendar_data": _elements(filters.calendar_data, "calendar-data", "comp"),
    S + "filters.address_data": _elements(filters.address_data, "address-data", "prop"),
    S + "filters.floating_zone": _zone,
    S + "filters.kept_zone": lambda size: (
        lambda: filters.kept_zone("BEGIN:VCALENDAR\r\n" + "A:b\r\n" * (size // 5), "x" * size)
    ),
    S + "places.place_of": lambda size: lambda: places.place_of("/dav/files" + "/a" * (size // 2)),
}
