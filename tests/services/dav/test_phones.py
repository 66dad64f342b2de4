"""The requests of phones, in their order and with the properties for which they ask: each follows what the answer before it said.

Apple's devices (CoreDAV, as seen with iOS and macOS) and DAVx5 for Android (dav4jvm).

covers: application, principals
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from xml.etree import ElementTree

import httpx

from tests.services.dav.site import ALICE, NAMES, DavDoor, Responses, card, event

SPACES = {**NAMES, "M": "http://me.com/_namespace/", "P": "https://bitfire.at/webdav-push"}
XMLNS = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in SPACES.items())

APPLE_START = "D:current-user-principal D:principal-URL D:resourcetype"
APPLE_PRINCIPAL = (
    "C:calendar-home-set C:calendar-user-address-set D:current-user-principal D:displayname S:dropbox-home-URL "
    "S:email-address-set S:notification-URL D:principal-collection-set D:principal-URL D:resource-id "
    "C:schedule-inbox-URL C:schedule-outbox-URL D:supported-report-set"
)
APPLE_HOME = (
    "D:add-member S:allowed-sharing-modes I:autoprovisioned M:bulk-requests I:calendar-color C:calendar-description "
    "C:calendar-free-busy-set I:calendar-order C:calendar-timezone D:current-user-privilege-set "
    "C:default-alarm-vevent-date C:default-alarm-vevent-datetime D:displayname S:getctag I:language-code I:location-code "
    "D:owner S:pre-publish-url S:publish-url S:push-transports S:pushkey D:quota-available-bytes D:quota-used-bytes "
    "I:refreshrate D:resource-id D:resourcetype C:schedule-calendar-transp C:schedule-default-calendar-URL S:source "
    "S:subscribed-strip-alarms S:subscribed-strip-attachments S:subscribed-strip-todos "
    "C:supported-calendar-component-set C:supported-calendar-component-sets D:supported-report-set D:sync-token "
    "S:xmpp-server S:xmpp-uri"
)
APPLE_BOOK_PRINCIPAL = (
    "A:addressbook-home-set A:directory-gateway D:displayname S:email-address-set D:principal-collection-set "
    "D:principal-URL D:resource-id D:supported-report-set"
)
APPLE_BOOKS = (
    "D:add-member M:bulk-requests D:current-user-privilege-set D:displayname A:max-image-size A:max-resource-size "
    "S:me-card D:owner S:push-transports S:pushkey D:quota-available-bytes D:quota-used-bytes D:resource-id "
    "D:resourcetype D:supported-report-set D:sync-token"
)
DELEGATES = "".join(
    f'<D:property name="{name}" namespace="{NAMES["S"]}">'
    f'<D:property name="calendar-user-address-set" namespace="{NAMES["C"]}"/>'
    f'<D:property name="email-address-set" namespace="{NAMES["S"]}"/><D:property name="displayname" namespace="DAV:"/>'
    "</D:property>"
    for name in ("calendar-proxy-read-for", "calendar-proxy-write-for")
)
FREE_BUSY = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nCALSCALE:GREGORIAN\r\nPRODID:-//Apple Inc.//iOS 18.0//EN\r\nMETHOD:REQUEST\r\n"
    b"BEGIN:VFREEBUSY\r\nUID:busy\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260301T000000Z\r\nDTEND:20260302T000000Z\r\n"
    b"ORGANIZER:mailto:alice@example.test\r\nATTENDEE:mailto:bob@example.test\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
)
ANDROID_START = (
    "D:resourcetype D:displayname I:calendar-color C:calendar-description C:calendar-timezone "
    "D:current-user-privilege-set C:supported-calendar-component-set C:calendar-home-set D:current-user-principal"
)
ANDROID_BOOK_START = (
    "D:resourcetype D:displayname A:addressbook-description A:addressbook-home-set D:current-user-principal"
)
ANDROID_PRINCIPAL = (
    "D:displayname D:resourcetype {home} S:calendar-proxy-read-for S:calendar-proxy-write-for D:group-membership"
)
ANDROID_HOME = (
    "D:resourcetype D:displayname D:owner D:current-user-privilege-set A:addressbook-description I:calendar-color "
    "C:calendar-description C:calendar-timezone C:calendar-timezone-id C:supported-calendar-component-set S:source "
    "P:transports P:topic"
)
ANDROID_COLLECTION = "{limit} D:supported-report-set S:getctag D:sync-token"


def props(names: str) -> str:
    return f"<D:prop>{''.join(f'<{name}/>' for name in names.split())}</D:prop>"


class Phone:
    """A phone that knows a server's name, and whatever it is told there."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def send(self, method: str, path: str, body: str, depth: str = "0") -> httpx.Response:
        """Follows redirects, as phones do."""
        headers = {"depth": depth, "content-type": "text/xml; charset=utf-8"}
        return await self._client.request(method, path, content=declared(body), headers=headers, follow_redirects=True)

    async def ask(self, method: str, path: str, body: str, depth: str) -> Responses:
        return Responses(await self.send(method, path, body, depth))

    async def propfind(self, path: str, names: str, depth: str = "0") -> Responses:
        """Each property that was asked for is answered, whether it is there or not."""
        responses = await self.ask("PROPFIND", path, f"<D:propfind>{props(names)}</D:propfind>", depth)
        wanted = {clark(name) for name in names.split()}
        for response in responses.values():
            assert {each.tag for each in response.findall("D:propstat/D:prop/*", NAMES)} == wanted
        return responses

    async def options(self, path: str) -> set[str]:
        answer = await self._client.options(path)
        assert answer.status_code == 200
        return {word.strip() for word in answer.headers["dav"].split(",")}

    async def only(self, path: str, names: str, wanted: str) -> str:
        """The href that a property of a thing has."""
        (here, _), *more = (await self.propfind(path, names)).items()
        assert not more
        (href,) = (await self.propfind(here, wanted)).hrefs(here, wanted)
        return href

    async def changes(self, path: str, token: str, names: str, depth: str) -> tuple[Responses, str]:
        """One `sync-collection` from a state ("" for the first), and the state that it leads to."""
        body = f"<D:sync-collection><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>{props(names)}"
        responses = await self.ask("REPORT", path, f"{body}</D:sync-collection>", depth)
        return responses, responses.root.findtext("D:sync-token", "", NAMES)

    async def multiget(self, path: str, name: str, wanted: str, hrefs: Iterable[str], depth: str) -> Responses:
        paths = "".join(f"<D:href>{href}</D:href>" for href in hrefs)
        return await self.ask("REPORT", path, f"<{name}><D:prop>{wanted}</D:prop>{paths}</{name}>", depth)

    async def put(self, path: str, content: bytes, kind: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.put(path, content=content, headers={"content-type": kind, **named})

    async def post(self, path: str, content: bytes) -> httpx.Response:
        return await self._client.post(path, content=content, headers={"content-type": "text/calendar; charset=utf-8"})

    async def delete(self, path: str, tag: str) -> int:
        return (await self._client.delete(path, headers={"if-match": tag})).status_code


def declared(body: str) -> str:
    """A document, with the prefixes declared in its root."""
    begin, _, rest = body.partition(">")
    empty = "/" if begin.endswith("/") else ""
    return f'<?xml version="1.0" encoding="UTF-8"?>{begin.rstrip("/")} {XMLNS}{empty}>{rest}'


def clark(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{SPACES[prefix]}}}{local}"


def types(responses: Responses, href: str) -> set[str]:
    found = responses.prop(href, "D:resourcetype")
    assert found is not None
    return {each.tag for each in found}


def reports(responses: Responses, href: str) -> set[str]:
    found = responses.prop(href, "D:supported-report-set")
    assert found is not None
    return {each[0].tag for each in found.iter(clark("D:report"))}


def privileges(responses: Responses, href: str) -> set[str]:
    found = responses.prop(href, "D:current-user-privilege-set")
    assert found is not None
    return {each[0].tag for each in found.iter(clark("D:privilege"))}


def data(element: ElementTree.Element | None) -> str:
    assert element is not None and element.text
    return element.text


def with_a_phone(work: object) -> None:
    async def run() -> None:
        async with DavDoor().opened_to_dav() as door, door.client() as client:
            await work(Phone(client))  # type: ignore[operator]  # a coroutine function

    asyncio.run(run())


def test_apple_s_calendar() -> None:
    async def work(phone: Phone) -> None:
        (start, _), *more = (await phone.propfind("/.well-known/caldav", APPLE_START)).items()
        assert not more
        (principal,) = (await phone.propfind(start, APPLE_START)).hrefs(start, "D:current-user-principal")
        assert "calendar-access" in await phone.options(principal)
        told = await phone.propfind(principal, APPLE_PRINCIPAL)
        assert told.hrefs(principal, "D:principal-URL") == [principal]
        assert f"mailto:{ALICE}" in told.hrefs(principal, "C:calendar-user-address-set")
        assert clark("D:expand-property") in reports(told, principal)
        (home,) = told.hrefs(principal, "C:calendar-home-set")
        await phone.ask("REPORT", principal, f"<D:expand-property>{DELEGATES}</D:expand-property>", "0")

        listed = await phone.propfind(home, APPLE_HOME, "1")
        calendars = [href for href in listed if clark("C:calendar") in types(listed, href)]
        assert len(calendars) == 2 and home in listed
        for href in calendars:
            assert {clark("D:write-content"), clark("D:bind")} <= privileges(listed, href)
            assert {clark("D:sync-collection"), clark("C:calendar-multiget")} <= reports(listed, href)
            assert listed.hrefs(href, "D:owner") == [principal]
            assert listed.text(href, "S:getctag") and listed.text(href, "D:sync-token")
            assert listed.text(href, "D:displayname") in ("Calendar", "Tasks")
        (calendar,) = (href for href in calendars if 'name="VEVENT"' in shown(listed, href))
        # Where invitations come in, and where it asks when others are busy.
        (inbox,) = told.hrefs(principal, "C:schedule-inbox-URL")
        (outbox,) = told.hrefs(principal, "C:schedule-outbox-URL")
        coming = await phone.propfind(inbox, "D:resourcetype C:schedule-default-calendar-URL C:calendar-free-busy-set")
        assert clark("C:schedule-inbox") in types(coming, inbox)
        assert coming.hrefs(inbox, "C:schedule-default-calendar-URL") == [calendar]
        assert (await phone.propfind(inbox, "D:getcontenttype D:getetag", "1")).keys() == {inbox}
        busy = await phone.post(outbox, FREE_BUSY)
        told_of = ElementTree.fromstring(busy.content)
        assert busy.status_code == 200 and told_of.tag == clark("C:schedule-response"), busy.text
        assert "VFREEBUSY" in data(told_of.find("C:response/C:calendar-data", NAMES))
        order = "<D:set><D:prop><I:calendar-order>1</I:calendar-order><I:calendar-color>#FF2968FF</I:calendar-color>"
        kept = await phone.ask(
            "PROPPATCH", calendar, f"<D:propertyupdate>{order}</D:prop></D:set></D:propertyupdate>", "0"
        )
        assert kept.prop(calendar, "I:calendar-order") is not None
        again = await phone.propfind(calendar, APPLE_HOME)
        assert again.text(calendar, "I:calendar-color") == "#FF2968FF"

        # Apple sends this report with a Depth of 1; RFC 6578 section 3.2 has 0.
        _, token = await phone.changes(calendar, "", "D:getcontenttype D:getetag", "1")
        put = await phone.put(f"{calendar}x.ics", event("x"), "text/calendar", if_none_match="*")
        assert put.status_code == 201
        changed, token = await phone.changes(calendar, token, "D:getcontenttype D:getetag", "1")
        (href,) = changed
        assert (changed.text(href, "D:getcontenttype") or "").startswith("text/calendar")
        wanted = "<D:getetag/><C:calendar-data/><S:updated-by/><S:created-by/>"
        got = await phone.multiget(calendar, "C:calendar-multiget", wanted, [href], "1")
        assert "UID:x" in data(got.prop(href, "C:calendar-data"))
        tag = got.text(href, "D:getetag") or ""
        span = '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20260201T000000Z"/>'
        query = f"<C:calendar-query>{props('D:getcontenttype D:getetag')}{span}"
        found = await phone.ask(
            "REPORT", calendar, f"{query}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>", "1"
        )
        assert list(found) == [href] and found.text(href, "D:getetag") == tag
        put = await phone.put(href, event("x", "Dinner"), "text/calendar", if_match=tag)
        assert put.status_code == 204
        assert await phone.delete(href, tag) == 412 and await phone.delete(href, put.headers["etag"]) == 204
        changed, _ = await phone.changes(calendar, token, "D:getcontenttype D:getetag", "1")
        assert list(changed) == [href] and changed.status(href) == 404

        made = (
            "<D:set><D:prop><D:displayname>Travel</D:displayname>"
            '<C:calendar-free-busy-set><YES xmlns=""/></C:calendar-free-busy-set>'
            "<I:calendar-color>#34AADCFF</I:calendar-color><I:calendar-order>2</I:calendar-order>"
            '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set></D:prop></D:set>'
        )
        answer = await phone.send("MKCALENDAR", f"{home}9F0E/", f"<C:mkcalendar>{made}</C:mkcalendar>")
        assert answer.status_code == 201, answer.text
        listed = await phone.propfind(home, APPLE_HOME, "1")
        assert listed.text(f"{home}9F0E/", "D:displayname") == "Travel"

    with_a_phone(work)


def shown(responses: Responses, href: str) -> str:
    found = responses.prop(href, "C:supported-calendar-component-set")
    return "" if found is None else ElementTree.tostring(found, "unicode")


def test_apple_s_contacts() -> None:
    async def work(phone: Phone) -> None:
        (start, _), *_ = (await phone.propfind("/.well-known/carddav", APPLE_START)).items()
        (principal,) = (await phone.propfind(start, APPLE_START)).hrefs(start, "D:current-user-principal")
        assert "addressbook" in await phone.options(principal)
        told = await phone.propfind(principal, APPLE_BOOK_PRINCIPAL)
        (home,) = told.hrefs(principal, "A:addressbook-home-set")
        listed = await phone.propfind(home, APPLE_BOOKS, "1")
        (book,) = (href for href in listed if clark("A:addressbook") in types(listed, href) and owned(listed, href))
        assert {clark("D:sync-collection"), clark("A:addressbook-multiget")} <= reports(listed, book)
        assert (await phone.put(f"{book}b.vcf", card("b"), "text/vcard", if_none_match="*")).status_code == 201
        changed, token = await phone.changes(book, "", "D:getetag", "1")
        wanted = "<D:getetag/><A:address-data/>"
        got = await phone.multiget(book, "A:addressbook-multiget", wanted, changed, "1")
        (href,) = got
        assert "UID:b" in data(got.prop(href, "A:address-data")) and href == f"{book}b.vcf"
        changed, _ = await phone.changes(book, token, "D:getetag", "1")
        assert not changed

    with_a_phone(work)


def owned(responses: Responses, href: str) -> bool:
    return clark("D:write-content") in privileges(responses, href)


def test_davx5_s_calendars() -> None:
    async def work(phone: Phone) -> None:
        (start, _), *_ = (await phone.propfind("/.well-known/caldav", ANDROID_START)).items()
        (principal,) = (await phone.propfind(start, "D:current-user-principal")).hrefs(
            start, "D:current-user-principal"
        )
        assert "calendar-access" in await phone.options(principal)
        told = await phone.propfind(principal, "C:calendar-user-address-set")
        assert f"mailto:{ALICE}" in told.hrefs(principal, "C:calendar-user-address-set")
        homes = await phone.propfind(principal, ANDROID_PRINCIPAL.format(home="C:calendar-home-set"))
        assert clark("D:principal") in types(homes, principal)
        (home,) = homes.hrefs(principal, "C:calendar-home-set")
        listed = await phone.propfind(home, ANDROID_HOME, "1")
        events = [href for href in listed if 'name="VEVENT"' in shown(listed, href)]
        (calendar,) = events
        assert {clark("D:write-content"), clark("D:unbind")} <= privileges(listed, calendar)
        here = await phone.propfind(calendar, ANDROID_COLLECTION.format(limit="C:max-resource-size"))
        assert clark("D:sync-collection") in reports(here, calendar) and here.text(calendar, "D:sync-token")
        assert int(here.text(calendar, "C:max-resource-size") or 0) > 1 << 20

        kind = "text/calendar; charset=utf-8"
        assert (await phone.put(f"{calendar}d.ics", event("d"), kind, if_none_match="*")).status_code == 201
        assert (await phone.put(f"{calendar}d.ics", event("d"), kind, if_none_match="*")).status_code == 412
        changed, token = await phone.changes(calendar, "", "D:getetag", "0")
        assert list(changed) == [f"{calendar}d.ics"]
        wanted = "<D:getcontenttype/><D:getetag/><C:schedule-tag/><C:calendar-data/>"
        got = await phone.multiget(calendar, "C:calendar-multiget", wanted, [*changed, f"{calendar}gone.ics"], "0")
        assert "UID:d" in data(got.prop(f"{calendar}d.ics", "C:calendar-data"))
        assert got.status(f"{calendar}gone.ics") == 404
        # What no longer is a token makes it list everything again (RFC 6578 section 3.2).
        lost = f"<D:sync-collection><D:sync-token>{token}0</D:sync-token><D:sync-level>1</D:sync-level>{props('D:getetag')}"
        answer = await phone.send("REPORT", calendar, f"{lost}</D:sync-collection>")
        assert answer.status_code in (403, 409) and "valid-sync-token" in answer.text

    with_a_phone(work)


def test_davx5_s_contacts() -> None:
    async def work(phone: Phone) -> None:
        (start, _), *_ = (await phone.propfind("/.well-known/carddav", ANDROID_BOOK_START)).items()
        principal = await phone.only(start, ANDROID_BOOK_START, "D:current-user-principal")
        assert "addressbook" in await phone.options(principal)
        homes = await phone.propfind(principal, ANDROID_PRINCIPAL.format(home="A:addressbook-home-set"))
        (home,) = homes.hrefs(principal, "A:addressbook-home-set")
        listed = await phone.propfind(home, ANDROID_HOME, "1")
        (book,) = (href for href in listed if clark("A:addressbook") in types(listed, href) and owned(listed, href))
        here = await phone.propfind(
            book, ANDROID_COLLECTION.format(limit="A:max-resource-size A:supported-address-data")
        )
        versions = here.prop(book, "A:supported-address-data")
        assert versions is not None and "4.0" in [each.get("version") for each in versions]
        kind = "text/vcard; version=4.0; charset=utf-8"
        assert (await phone.put(f"{book}three.vcf", card("three"), "text/vcard", if_none_match="*")).status_code == 201
        four = card("four", "Vier").replace(b"VERSION:3.0", b"VERSION:4.0")
        assert (await phone.put(f"{book}four.vcf", four, kind, if_none_match="*")).status_code == 201
        changed, _ = await phone.changes(book, "", "D:getetag", "0")
        wanted = '<D:getcontenttype/><D:getetag/><A:address-data content-type="text/vcard" version="4.0"/>'
        got = await phone.multiget(book, "A:addressbook-multiget", wanted, changed, "0")
        assert len(got) == 2
        for href in got:
            assert "VERSION:4.0" in data(got.prop(href, "A:address-data"))

    with_a_phone(work)
