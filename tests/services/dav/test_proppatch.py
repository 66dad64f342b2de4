"""PROPPATCH: what clients set comes back as they set it, all of it or nothing.

covers: documents
"""

from __future__ import annotations

import asyncio

import httpx

from postern.services.dav import documents
from postern.services.dav.mailbox import own_mailbox
from tests.services.dav.site import (
    ALICE,
    CALENDAR,
    CONTACTS,
    FILES,
    HOME,
    NAMES,
    XMLNS,
    DavSite,
    Responses,
    event,
    guid_of,
    propfind,
)

ZONE = "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:Asia/Seoul\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"


async def patch(client: httpx.AsyncClient, path: str, sets: str = "", removes: str = "") -> Responses:
    body = f"<D:set><D:prop>{sets}</D:prop></D:set>" if sets else ""
    body += f"<D:remove><D:prop>{removes}</D:prop></D:remove>" if removes else ""
    text = f"<D:propertyupdate {XMLNS}>{body}</D:propertyupdate>"
    return Responses(await client.request("PROPPATCH", path, content=text))


def test_a_calendar_s_name_colour_and_description() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.request("MKCALENDAR", f"{HOME}office/")
            for path in (CALENDAR, f"{HOME}office/", CONTACTS):
                sets = "<D:displayname>Büro &amp; mehr</D:displayname><I:calendar-color>#ff0000</I:calendar-color>"
                answers = await patch(
                    client, path, sets + "<C:calendar-description xml:lang='de'>x</C:calendar-description>"
                )
                assert answers.prop(path, "D:displayname") is not None
                seen = await propfind(client, path, "D:displayname", "I:calendar-color", "C:calendar-description")
                assert seen.text(path, "D:displayname") == "Büro & mehr"
                assert seen.text(path, "I:calendar-color") == "#ff0000"
                described = seen.prop(path, "C:calendar-description")
                assert described is not None
                assert described.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
                await patch(client, path, removes="<I:calendar-color/><D:displayname/>")
                seen = await propfind(client, path, "D:displayname", "I:calendar-color")
                assert seen.prop(path, "I:calendar-color", 404) is not None
                assert seen.text(path, "D:displayname")

    asyncio.run(work())


def test_other_clients_see_the_name_of_a_calendar() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.request("MKCALENDAR", f"{HOME}office/")
            await patch(client, f"{HOME}office/", "<D:displayname>Office</D:displayname>")
            names = {node.name for node in await site.mailboxes.tree(guid_of("alice@example.test"))}
            assert "Office" in names and "office" not in names
            assert (await propfind(client, f"{HOME}office/", "D:displayname")).text(
                f"{HOME}office/", "D:displayname"
            ) == "Office"

    asyncio.run(work())


def test_all_or_nothing() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{FILES}a", content=b"x")
            for path in (CALENDAR, f"{FILES}a"):
                answers = await patch(client, path, "<D:getetag>x</D:getetag><I:calendar-color>red</I:calendar-color>")
                assert answers.prop(path, "D:getetag", 403) is not None
                assert answers.prop(path, "I:calendar-color", 424) is not None
                error = answers.root.find(".//D:error/D:cannot-modify-protected-property", NAMES)
                assert error is not None
                seen = await propfind(client, path, "I:calendar-color")
                assert seen.prop(path, "I:calendar-color", 404) is not None

    asyncio.run(work())


def test_a_time_zone_is_one() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            answers = await patch(client, CALENDAR, "<C:calendar-timezone>nonsense</C:calendar-timezone>")
            assert answers.prop(CALENDAR, "C:calendar-timezone", 403) is not None
            assert answers.root.find(".//D:error/C:valid-calendar-data", NAMES) is not None
            await patch(client, CALENDAR, f"<C:calendar-timezone>{ZONE}</C:calendar-timezone>")
            seen = await propfind(client, CALENDAR, "C:calendar-timezone")
            assert str(seen.text(CALENDAR, "C:calendar-timezone")).split() == ZONE.split()

    asyncio.run(work())


def test_dead_properties_of_resources() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{CALENDAR}x.ics", content=event("x"))
            await client.put(f"{CALENDAR}y.ics", content=event("y"))
            path = f"{CALENDAR}x.ics"
            await patch(
                client, path, "<x:author xmlns:x='urn:x'>김 <x:b c='d'/>&lt;</x:author><D:displayname>N</D:displayname>"
            )
            answers = await propfind(client, CALENDAR, "x:author xmlns:x='urn:x'", "D:getetag", depth="1")
            author = answers.prop(path, "{urn:x}author")
            assert (
                author is not None and author.text == "김 " and author[0].attrib == {"c": "d"} and author[0].tail == "<"
            )
            assert answers.prop(f"{CALENDAR}y.ics", "{urn:x}author", 404) is not None
            every = await propfind(client, path)
            assert every.prop(path, "{urn:x}author") is not None and every.text(path, "D:displayname") == "N"
            await patch(client, path, removes="<x:author xmlns:x='urn:x'/>")
            assert (await propfind(client, path, "x:author xmlns:x='urn:x'")).prop(
                path, "{urn:x}author", 404
            ) is not None

    asyncio.run(work())


def test_too_much() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{FILES}a", content=b"x")
            for path in (CALENDAR, f"{FILES}a"):
                answers = await patch(client, path, f"<x:big xmlns:x='urn:x'>{'x' * 40_000}</x:big>")
                assert answers.prop(path, "{urn:x}big", 507) is not None
            sets = "".join(f"<x:p{n} xmlns:x='urn:x'>{'x' * 20_000}</x:p{n}>" for n in range(4))
            text = f"<D:propertyupdate {XMLNS}><D:set><D:prop>{sets}</D:prop></D:set></D:propertyupdate>"
            for path in (CALENDAR, f"{FILES}a"):
                assert (await client.request("PROPPATCH", path, content=text)).status_code == 507

    asyncio.run(work())


def test_what_has_no_properties_to_set() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            prop = "<D:prop><D:displayname>x</D:displayname></D:prop>"
            text = f"<D:propertyupdate {XMLNS}><D:set>{prop}</D:set></D:propertyupdate>"
            assert (await client.request("PROPPATCH", "/dav/", content=text)).status_code == 403
            answers = await patch(client, HOME, "<D:displayname>x</D:displayname>")
            assert answers.prop(HOME, "D:displayname", 403) is not None

    asyncio.run(work())


def test_changes_of_a_document_at_once_lose_nothing() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.options("/dav/")
        identity = type("I", (), {"name": "alice@example.test", "guid": guid_of("alice@example.test")})()
        boxes = [await own_mailbox(site.access, identity) for _ in range(5)]

        async def change(number: int) -> None:
            def add(document: documents.Document) -> None:
                document[str(number)] = number

            await documents.change(boxes[number], "test", add)

        await asyncio.gather(*[change(number) for number in range(5)])
        assert await documents.read(boxes[0], "test") == {str(number): number for number in range(5)}
        folders = [node for node in await boxes[0].tree() if node.folder_class == documents.FOLDER_CLASS]
        assert len(folders) == 1

    asyncio.run(work())


def test_a_calendar_keeps_its_name_where_another_property_cannot_be_kept() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            path, long = f"{HOME}work/", "y" * 100
            assert (await client.request("MKCALENDAR", path)).status_code == 201
            values = f"<D:displayname>Play</D:displayname><x:{long} xmlns:x='urn:{'x' * 200}'>1</x:{long}>"
            body = f"<D:propertyupdate {XMLNS}><D:set><D:prop>{values}</D:prop></D:set></D:propertyupdate>"
            assert (await client.request("PROPPATCH", path, content=body)).status_code == 507
            assert (await propfind(client, path, "D:displayname")).text(path, "D:displayname") == "work"
            assert "Play" not in {node.name for node in await site.mailboxes.tree(guid_of(ALICE))}

    asyncio.run(work())
