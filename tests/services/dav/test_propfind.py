"""PROPFIND: what clients ask for when they look for calendars and address books, and what dead properties come back as.

covers: live, properties, resource_properties
"""

from __future__ import annotations

import asyncio

import pytest

from tests.services.dav.site import (
    ALICE,
    CALENDAR,
    CONTACTS,
    FILES,
    HOME,
    NAMES,
    PRINCIPAL,
    TASKS,
    XMLNS,
    DavSite,
    Responses,
    card,
    event,
    failed,
    propfind,
    todo,
)


def test_a_client_finds_its_calendars() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            root = await propfind(client, "/dav/", "D:current-user-principal", "D:resourcetype")
            assert root.hrefs("/dav/", "D:current-user-principal") == [PRINCIPAL]
            me = await propfind(
                client,
                PRINCIPAL,
                "C:calendar-home-set",
                "A:addressbook-home-set",
                "C:calendar-user-address-set",
                "D:displayname",
                "D:resourcetype",
                "S:email-address-set",
            )
            assert me.hrefs(PRINCIPAL, "C:calendar-home-set") == [HOME]
            assert me.hrefs(PRINCIPAL, "A:addressbook-home-set") == [f"/dav/addressbooks/{ALICE}/"]
            assert f"mailto:{ALICE}" in me.hrefs(PRINCIPAL, "C:calendar-user-address-set")
            assert me.text(PRINCIPAL, "D:displayname") == "Alice"
            kind = me.prop(PRINCIPAL, "D:resourcetype")
            assert kind is not None and kind.find("D:principal", NAMES) is not None
            home = await propfind(
                client, HOME, "D:resourcetype", "D:displayname", "C:supported-calendar-component-set", depth="1"
            )
            assert set(home) == {HOME, CALENDAR, TASKS}
            for path, components in ((CALENDAR, ["VEVENT"]), (TASKS, ["VTODO"])):
                kind = home.prop(path, "D:resourcetype")
                assert kind is not None and kind.find("C:calendar", NAMES) is not None
                taken = home.prop(path, "C:supported-calendar-component-set")
                assert taken is not None and [part.get("name") for part in taken] == components
            assert home.prop(HOME, "C:supported-calendar-component-set", 404) is not None

    asyncio.run(work())


def test_the_tree_can_be_walked() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            seen, waiting = set(), ["/dav/"]
            while waiting:
                answers = await propfind(client, waiting.pop(), "D:resourcetype", depth="1")
                waiting += [path for path in answers if path not in seen]
                seen |= set(answers)
            assert {PRINCIPAL, CALENDAR, TASKS, CONTACTS, FILES, "/dav/principals/users/"} <= seen

    asyncio.run(work())


def test_the_properties_of_resources() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            tag = (await client.put(f"{CALENDAR}한 글.ics", content=event("x"))).headers["etag"]
            path = f"{CALENDAR}%ED%95%9C%20%EA%B8%80.ics"
            answers = await propfind(
                client,
                CALENDAR,
                "D:getetag",
                "D:getcontenttype",
                "D:getcontentlength",
                "D:getlastmodified",
                "D:creationdate",
                "D:resourcetype",
                "C:calendar-data",
                "X:x xmlns:X='urn:x'",
                depth="1",
            )
            assert answers.text(path, "D:getetag") == tag
            assert answers.text(path, "D:getcontenttype") == "text/calendar; charset=utf-8"
            assert answers.text(path, "D:getcontentlength") == str(len(event("x")))
            assert str(answers.text(path, "D:getlastmodified")).endswith("GMT")
            assert str(answers.text(path, "D:creationdate")).endswith("Z")
            assert answers.text(path, "D:resourcetype") == ""
            assert answers.prop(path, "{urn:x}x", 404) is not None
            one = await propfind(client, path, "D:getetag")
            assert one.text(path, "D:getetag") == tag

    asyncio.run(work())


def test_all_properties_and_their_names() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{FILES}a.txt", content=b"hello")
            path = f"{FILES}a.txt"
            answers = await propfind(client, path)
            assert answers.text(path, "D:getcontenttype") == "text/plain"
            assert answers.prop(path, "D:supportedlock") is not None
            assert answers.prop(path, "D:acl") is None, "RFC 3744 section 5 keeps it out of allprop"
            for target in (path, FILES, CALENDAR):
                body = f"<D:propfind {XMLNS}><D:propname/></D:propfind>"
                names = Responses(await client.request("PROPFIND", target, content=body, headers={"depth": "0"}))
                assert names.text(target, "D:acl") == "" and names.prop(target, "D:resourcetype") is not None
            assert names.prop(CALENDAR, "S:getctag") is not None
            body = f"<D:propfind {XMLNS}><D:allprop/><D:include><D:acl/><S:getctag/></D:include></D:propfind>"
            more = Responses(await client.request("PROPFIND", CALENDAR, content=body, headers={"depth": "0"}))
            assert more.prop(CALENDAR, "D:acl") is not None and more.prop(CALENDAR, "S:getctag") is not None

    asyncio.run(work())


def test_preferences() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{CALENDAR}x.ics", content=event("x"))
            answers = await propfind(
                client, CALENDAR, "D:getetag", "X:x xmlns:X='urn:x'", depth="1", prefer="return=minimal, depth-noroot"
            )
            assert list(answers) == [f"{CALENDAR}x.ics"]
            assert answers.prop(f"{CALENDAR}x.ics", "{urn:x}x", 404) is None
            brief = await propfind(client, CALENDAR, "D:getetag", brief="t")
            assert brief.prop(CALENDAR, "D:getetag", 404) is None

    asyncio.run(work())


@pytest.mark.parametrize("path", ["/dav/", HOME, CALENDAR, CONTACTS])
def test_infinite_depth_is_for_documents(path: str) -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            answer = await client.request("PROPFIND", path)
            assert answer.status_code == 403 and failed(answer) == "D:propfind-finite-depth"

    asyncio.run(work())


def test_documents_to_any_depth() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            for name in ("a/", "a/b/", "c/"):
                assert (await client.request("MKCOL", FILES + name)).status_code == 201
            for name in ("a/b/x", "a/y", "z"):
                assert (await client.put(FILES + name, content=b"x")).status_code == 201
            answers = await propfind(client, FILES, "D:resourcetype", depth="infinity")
            names = ("", "a/", "a/b/", "a/b/x", "a/y", "c/", "z")
            assert set(answers) == {FILES + name for name in names}

    asyncio.run(work())


def test_ctag_and_sync_token_change_with_what_is_in_it() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:

            async def state() -> tuple[str | None, str | None]:
                answers = await propfind(client, HOME, "S:getctag", "D:sync-token", depth="1")
                assert answers.text(TASKS, "D:sync-token") != answers.text(CALENDAR, "D:sync-token")
                return answers.text(CALENDAR, "S:getctag"), answers.text(CALENDAR, "D:sync-token")

            before = await state()
            assert await state() == before and all(before)
            await client.put(f"{CALENDAR}x.ics", content=event("x"))
            after = await state()
            assert after[0] != before[0] and after[1] != before[1]
            await client.delete(f"{CALENDAR}x.ics")
            assert await state() not in (before, after)

    asyncio.run(work())


def test_what_the_server_supports() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            names = ("D:supported-report-set", "D:current-user-privilege-set", "C:max-resource-size", "D:add-member")
            answers = await propfind(client, CALENDAR, *names, "C:supported-calendar-data", "A:supported-address-data")
            reports = answers.prop(CALENDAR, "D:supported-report-set")
            assert reports is not None
            named = {report[0].tag for report in reports.iter("{DAV:}report")}
            assert {"{DAV:}sync-collection", "{urn:ietf:params:xml:ns:caldav}calendar-multiget"} <= named
            privileges = answers.prop(CALENDAR, "D:current-user-privilege-set")
            assert privileges is not None and privileges.find("D:privilege/D:write", NAMES) is not None
            assert int(answers.text(CALENDAR, "C:max-resource-size") or 0) > 1_000_000
            assert answers.hrefs(CALENDAR, "D:add-member") == [CALENDAR]
            assert answers.prop(CALENDAR, "A:supported-address-data", 404) is not None
            book = await propfind(client, CONTACTS, "A:supported-address-data", "C:supported-calendar-data")
            versions = book.prop(CONTACTS, "A:supported-address-data")
            assert versions is not None and [part.get("version") for part in versions] == ["3.0", "4.0"]
            assert book.prop(CONTACTS, "C:supported-calendar-data", 404) is not None

    asyncio.run(work())


def test_ten_thousand_resources_come_in_pages() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.put(f"{CALENDAR}x.ics", content=event("x"))
            from postern.services.dav import propfind as module

            page, module.PAGE = module.PAGE, 3
            try:
                for number in range(10):
                    await client.put(f"{CONTACTS}{number}.vcf", content=card(str(number)))
                answers = await propfind(client, CONTACTS, "D:getetag", depth="1")
            finally:
                module.PAGE = page
            assert len(answers) == 11
            await client.put(f"{TASKS}t.ics", content=todo("t"))
            assert len(await propfind(client, TASKS, "D:getetag", depth="1")) == 2

    asyncio.run(work())
