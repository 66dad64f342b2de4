"""The bodies of REPORT."""

from __future__ import annotations

import pytest

from postern.protocols.dav.bodies import BodyError, PropFind, Wanted
from postern.protocols.dav.names import DECLARATIONS, caldav, carddav, dav
from postern.protocols.dav.reports import (
    MAX_EXPANDED,
    MAX_HREFS,
    AclPrincipals,
    ExpandProperty,
    Expansion,
    FreeBusyQuery,
    Multiget,
    PrincipalMatch,
    PrincipalSearch,
    PrincipalSearchPropertySet,
    PropertySearch,
    Query,
    Report,
    SyncCollection,
    read_report,
)

ETAG = "<prop><getetag/></prop>"
FIND = PropFind(Wanted.NAMED, (dav("getetag"),))
NOTHING = PropFind(Wanted.NAMED)


def read(text: str) -> tuple[str, Report]:
    start, _, rest = text.partition(">")
    empty = start.endswith("/")
    root = f'{start.rstrip("/")} xmlns="DAV:"{DECLARATIONS}{"/" if empty else ""}>'
    return read_report((root + rest).encode())


def test_queries() -> None:
    name, query = read(
        f"<C:calendar-query>{ETAG}<C:filter><C:comp-filter name='VCALENDAR'/></C:filter>"
        "<C:timezone>BEGIN:VCALENDAR</C:timezone></C:calendar-query>"
    )
    assert name == caldav("calendar-query") and isinstance(query, Query)
    assert query.properties == FIND and query.timezone == "BEGIN:VCALENDAR" and query.limit == 0
    assert query.filter is not None and query.filter.elements[0].attributes == {"name": "VCALENDAR"}
    name, query = read(
        "<A:addressbook-query><A:filter/><A:limit><A:nresults>100</A:nresults></A:limit></A:addressbook-query>"
    )
    assert name == carddav("addressbook-query") and isinstance(query, Query)
    assert query.limit == 100 and query.properties == NOTHING
    assert read("<C:calendar-query/>")[1] == Query(NOTHING, None)


def test_multigets() -> None:
    _, multiget = read(
        f"<C:calendar-multiget>{ETAG}<href> /a </href><href>/b</href><href>/a</href></C:calendar-multiget>"
    )
    assert multiget == Multiget(FIND, ("/a", "/b"))
    assert read("<A:addressbook-multiget><href>/a</href></A:addressbook-multiget>")[1] == Multiget(NOTHING, ("/a",))


def test_free_busy() -> None:
    span = "<C:time-range start='20260101T000000Z' end='20260201T000000Z'/>"
    _, query = read(f"<C:free-busy-query>{span}</C:free-busy-query>")
    assert query == FreeBusyQuery("20260101T000000Z", "20260201T000000Z")


def test_sync() -> None:
    text = "<sync-collection><sync-token>{}</sync-token><sync-level>{}</sync-level>{}<prop><getetag/></prop></sync-collection>"
    assert read(text.format("", "1", ""))[1] == SyncCollection(FIND, "")
    limit = "<limit><nresults>7</nresults></limit>"
    assert read(text.format(" data:,1-2 ", "infinite", limit))[1] == SyncCollection(FIND, "data:,1-2", 7)


def test_expand_property() -> None:
    _, report = read(
        "<expand-property><property name='owner'><property name='displayname'/>"
        "<property name='calendar-home-set' namespace='urn:ietf:params:xml:ns:caldav'/></property></expand-property>"
    )
    inner = (Expansion(dav("displayname")), Expansion(caldav("calendar-home-set")))
    assert report == ExpandProperty((Expansion(dav("owner"), inner),))


def test_principals() -> None:
    _, search = read(
        "<principal-property-search test='anyof'><property-search><prop><displayname/></prop>"
        "<match match-type='starts-with'>al</match></property-search><property-search><prop><displayname/></prop>"
        "<match>x</match></property-search><prop><getetag/></prop><apply-to-principal-collection-set/>"
        "</principal-property-search>"
    )
    searches = (PropertySearch((dav("displayname"),), "al", starts=True), PropertySearch((dav("displayname"),), "x"))
    assert search == PrincipalSearch(FIND, searches, True, True)
    beside = "<prop/><getetag/>"  # as the library caldav writes it
    assert read(f"<principal-property-search>{beside}</principal-property-search>")[1] == PrincipalSearch(
        PropFind(Wanted.NAMED, (dav("getetag"),)), (), False, False
    )
    assert read("<principal-search-property-set/>")[1] == PrincipalSearchPropertySet()
    assert read("<principal-match><self/></principal-match>")[1] == PrincipalMatch(NOTHING)
    assert read(f"<acl-principal-prop-set>{ETAG}</acl-principal-prop-set>")[1] == AclPrincipals(FIND)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("<unknown-report/>", 422),
        ("<C:calendar-multiget/>", 400),
        (
            "<C:calendar-multiget>"
            + "".join(f"<href>{n}</href>" for n in range(MAX_HREFS + 1))
            + "</C:calendar-multiget>",
            413,
        ),
        ("<C:free-busy-query/>", 400),
        ("<C:free-busy-query><C:time-range start='1'/></C:free-busy-query>", 400),
        ("<sync-collection/>", 400),
        ("<sync-collection><sync-token/><sync-level>2</sync-level></sync-collection>", 400),
        ("<sync-collection><sync-token/><limit><nresults>0</nresults></limit></sync-collection>", 422),
        ("<sync-collection><sync-token/><limit><nresults>x</nresults></limit></sync-collection>", 422),
        (f"<sync-collection><sync-token>{'x' * 9000}</sync-token></sync-collection>", 400),
        ("<expand-property><property/></expand-property>", 400),
        ("<expand-property>" + "<property name='a'/>" * (MAX_EXPANDED + 1) + "</expand-property>", 413),
        ("<expand-property>" + "<property name='a'>" * 5 + "</property>" * 5 + "</expand-property>", 413),
        ("<principal-property-search>" + "<property-search/>" * 17 + "</principal-property-search>", 413),
        ("<principal-property-search><property-search/></principal-property-search>", 400),
    ],
)
def test_what_is_no_report(text: str, status: int) -> None:
    with pytest.raises(BodyError) as caught:
        read(text)
    assert caught.value.status == status
