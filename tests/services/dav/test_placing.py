"""COPY and MOVE of resources and of folders."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.services.dav.site import (
    BOB,
    CALENDAR,
    CONTACTS,
    FILES,
    HOME,
    TASKS,
    DavSite,
    card,
    event,
    failed,
    propfind,
    todo,
)

OFFICE = f"{HOME}office/"


async def place(client: httpx.AsyncClient, method: str, source: str, goal: str, **headers: str) -> int:
    return (await client.request(method, source, headers={"destination": goal, **headers})).status_code


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_an_event_goes_to_another_calendar(method: str) -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.request("MKCALENDAR", OFFICE)
            tag = (await client.put(f"{CALENDAR}x.ics", content=event("x"))).headers["etag"]
            goal = f"https://mail.example.test{OFFICE}y%20z.ics"
            assert await place(client, method, f"{CALENDAR}x.ics", goal, overwrite="F") == 201
            got = await client.get(f"{OFFICE}y z.ics")
            assert got.content == event("x") and got.headers["etag"] == tag
            assert (await client.get(f"{CALENDAR}x.ics")).status_code == (200 if method == "COPY" else 404)

    asyncio.run(work())


def test_a_name_changes() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{CALENDAR}x.ics", content=event("x"))
            assert await place(client, "MOVE", f"{CALENDAR}x.ics", f"{CALENDAR}y.ics") == 201
            assert (await client.get(f"{CALENDAR}y.ics")).status_code == 200
            assert await place(client, "MOVE", f"{CALENDAR}y.ics", f"{CALENDAR}y.ics") == 403

    asyncio.run(work())


def test_a_copy_in_the_same_calendar_would_be_a_second_one_of_its_uid() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{CALENDAR}x.ics", content=event("x"))
            answer = await client.request("COPY", f"{CALENDAR}x.ics", headers={"destination": f"{CALENDAR}y.ics"})
            assert answer.status_code == 403 and failed(answer) == "C:no-uid-conflict"
            assert f"{CALENDAR}x.ics" in answer.text

    asyncio.run(work())


def test_overwrite() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{FILES}x", content=b"x")
            await client.put(f"{FILES}y", content=b"y")
            assert await place(client, "COPY", f"{FILES}x", f"{FILES}y", overwrite="F") == 412
            assert (await client.get(f"{FILES}y")).content == b"y"
            assert await place(client, "COPY", f"{FILES}x", f"{FILES}y", overwrite="T") == 204
            assert (await client.get(f"{FILES}y")).content == b"x"

    asyncio.run(work())


@pytest.mark.parametrize(
    ("goal", "status"),
    [
        (f"{HOME}none/x.ics", 409),
        (f"{HOME}x.ics", 403),
        (HOME, 403),
        (f"{CONTACTS}x", 403),
        (f"{FILES}x", 403),
        (f"{TASKS}x.ics", 403),
        (f"/dav/calendars/{BOB}/calendar/x.ics", 403),
        ("https://elsewhere.test/x", 502),
        ("x.ics", 400),
        ("/elsewhere", 403),
        ("/dav/", 403),
    ],
)
def test_destinations_that_are_none(goal: str, status: int) -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{CALENDAR}x.ics", content=event("x"))
            for method in ("COPY", "MOVE"):
                assert await place(client, method, f"{CALENDAR}x.ics", goal) == status
            assert (await client.get(f"{CALENDAR}x.ics")).status_code == 200

    asyncio.run(work())


def test_without_a_destination() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{TASKS}x.ics", content=todo("x"))
            assert (await client.request("MOVE", f"{TASKS}x.ics")).status_code == 400
            assert await place(client, "MOVE", f"{TASKS}none.ics", f"{TASKS}y.ics") == 404
            await client.put(f"{CONTACTS}x", content=card("x"))
            assert await place(client, "MOVE", CONTACTS, f"{HOME}x/") == 403
            assert await place(client, "COPY", TASKS, f"{HOME}x/") == 403

    asyncio.run(work())


async def _tree(client: httpx.AsyncClient) -> None:
    for name in ("a/", "a/b/"):
        await client.request("MKCOL", FILES + name)
    for name in ("a/x", "a/b/y"):
        await client.put(FILES + name, content=name.encode())
    body = "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><p xmlns='urn:x'>q</p></D:prop></D:set></D:propertyupdate>"
    for name in ("a/", "a/x"):
        assert (await client.request("PROPPATCH", FILES + name, content=body)).status_code == 207


async def _names(client: httpx.AsyncClient) -> set[str]:
    answers = await propfind(client, FILES, "D:resourcetype", depth="infinity")
    return {path.removeprefix(FILES) for path in answers} - {""}


def test_a_folder_is_copied() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await _tree(client)
            assert await place(client, "COPY", f"{FILES}a/", f"{FILES}c") == 201
            assert await _names(client) == {"a/", "a/b/", "a/x", "a/b/y", "c/", "c/b/", "c/x", "c/b/y"}
            assert (await client.get(f"{FILES}c/b/y")).content == b"a/b/y"
            for path in (f"{FILES}c/", f"{FILES}c/x"):
                assert (await propfind(client, path, "p xmlns='urn:x'")).text(path, "{urn:x}p") == "q"
            assert await place(client, "COPY", f"{FILES}a/", f"{FILES}c/", overwrite="F") == 412
            assert await place(client, "COPY", f"{FILES}a/", f"{FILES}c/", depth="0") == 204
            assert await _names(client) == {"a/", "a/b/", "a/x", "a/b/y", "c/"}
            assert await place(client, "COPY", f"{FILES}a/", f"{FILES}a/b/c/") == 403
            assert await place(client, "COPY", f"{FILES}a/b/", f"{FILES}a/") == 403
            assert await place(client, "COPY", f"{FILES}a/", f"{FILES}d/", depth="1") == 400
            assert await place(client, "COPY", FILES, f"{FILES}d/") == 403

    asyncio.run(work())


def test_a_folder_moves() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await _tree(client)
            await client.put(f"{FILES}z", content=b"z")
            assert await place(client, "MOVE", f"{FILES}a/", f"{FILES}z") == 204
            assert await _names(client) == {"z/", "z/b/", "z/x", "z/b/y"}
            assert await place(client, "MOVE", f"{FILES}z/b/", f"{FILES}b/") == 201
            assert await _names(client) == {"z/", "z/x", "b/", "b/y"}
            assert await place(client, "MOVE", f"{FILES}z/x", f"{FILES}b") == 204
            assert await _names(client) == {"z/", "b"}
            assert await place(client, "MOVE", f"{FILES}z/", f"{FILES}b", depth="0") == 400

    asyncio.run(work())
