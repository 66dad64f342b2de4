"""MKCALENDAR, MKCOL and the end of collections.

covers: folders
"""

from __future__ import annotations

import asyncio

import pytest

from postern.model.folders import FolderKind
from postern.services.dav import attached, documents, folders
from tests.services.dav.site import (
    ALICE,
    CALENDAR,
    CONTACTS,
    FILES,
    HOME,
    NAMES,
    XMLNS,
    DavSite,
    card,
    event,
    failed,
    guid_of,
    propfind,
    todo,
)

BOOKS = f"/dav/addressbooks/{ALICE}/"
TEAM = f"{BOOKS}team/"


def creation(root: str, sets: str) -> str:
    return f"<{root} {XMLNS}><D:set><D:prop>{sets}</D:prop></D:set></{root}>"


def test_mkcalendar_with_properties() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            sets = (
                "<D:displayname>Lisa's Events</D:displayname><C:calendar-description>x</C:calendar-description>"
                "<C:supported-calendar-component-set><C:comp name='VEVENT'/></C:supported-calendar-component-set>"
            )
            answer = await client.request("MKCALENDAR", f"{HOME}events/", content=creation("C:mkcalendar", sets))
            assert answer.status_code == 201
            path = f"{HOME}events/"
            seen = await propfind(
                client, path, "D:displayname", "C:calendar-description", "C:supported-calendar-component-set"
            )
            assert seen.text(path, "D:displayname") == "Lisa's Events"
            assert seen.text(path, "C:calendar-description") == "x"
            taken = seen.prop(path, "C:supported-calendar-component-set")
            assert taken is not None and [part.get("name") for part in taken] == ["VEVENT"]
            node = next(node for node in await site.mailboxes.tree(guid_of(ALICE)) if node.name == "Lisa's Events")
            assert node.folder_class == "IPF.Appointment"
            answer = await client.put(f"{path}x.ics", content=todo("x"))
            assert answer.status_code == 403 and failed(answer) == "C:supported-calendar-component"

    asyncio.run(work())


def test_a_list_of_tasks_is_a_folder_of_tasks() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            sets = "<C:supported-calendar-component-set><C:comp name='VTODO'/></C:supported-calendar-component-set>"
            await client.request("MKCALENDAR", f"{HOME}todo/", content=creation("C:mkcalendar", sets))
            assert (await client.put(f"{HOME}todo/x.ics", content=todo("x"))).status_code == 201
            node = next(node for node in await site.mailboxes.tree(guid_of(ALICE)) if node.name == "todo")
            assert node.folder_class == "IPF.Task"

    asyncio.run(work())


def test_a_calendar_of_which_nothing_is_said_takes_all() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            assert (await client.request("MKCALENDAR", f"{HOME}all")).status_code == 201
            assert (await client.put(f"{HOME}all/x.ics", content=todo("x"))).status_code == 201
            assert (await client.put(f"{HOME}all/y.ics", content=event("y"))).status_code == 201

    asyncio.run(work())


def test_extended_mkcol() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            kind = "<D:resourcetype><D:collection/><A:addressbook/></D:resourcetype><D:displayname>Team</D:displayname>"
            answer = await client.request(
                "MKCOL", TEAM, content=creation("D:mkcol", kind), headers={"content-type": "text/xml"}
            )
            assert answer.status_code == 201
            seen = await propfind(client, TEAM, "D:displayname", "D:resourcetype")
            assert seen.text(TEAM, "D:displayname") == "Team"
            types = seen.prop(TEAM, "D:resourcetype")
            assert types is not None and types.find("A:addressbook", NAMES) is not None
            assert (await client.put(f"{TEAM}x.vcf", content=card("x"))).status_code == 201
            kind = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
            path = f"{HOME}made/"
            assert (await client.request("MKCOL", path, content=creation("D:mkcol", kind))).status_code == 201
            assert (await client.put(f"{path}x.ics", content=event("x"))).status_code == 201

    asyncio.run(work())


def test_a_property_that_cannot_be_set_makes_nothing() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            sets = "<D:displayname>x</D:displayname><D:getetag>y</D:getetag><D:sync-token>y</D:sync-token>"
            for method, path, root, answered in (
                ("MKCOL", TEAM, "D:mkcol", b"mkcol-response"),
                ("MKCALENDAR", f"{HOME}x/", "C:mkcalendar", b"mkcalendar-response"),
                ("MKCOL", f"{FILES}x/", "D:mkcol", b"mkcol-response"),
            ):
                answer = await client.request(method, path, content=creation(root, sets))
                assert answer.status_code == 424 and answered in answer.content, answer.text
                assert answer.content.count(b"403") == 1 and answer.content.count(b"424") == 1
                assert (await client.request("PROPFIND", path, headers={"depth": "0"})).status_code == 404

    asyncio.run(work())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("MKCALENDAR", CALENDAR, 405),
        ("MKCALENDAR", f"{CALENDAR}inner/", 403),
        ("MKCALENDAR", TEAM, 403),
        ("MKCALENDAR", f"{FILES}x/", 403),
        ("MKCALENDAR", "/dav/x/", 404),
        ("MKCOL", CONTACTS, 405),
        ("MKCOL", f"{CONTACTS}inner/", 409),
        ("MKCOL", FILES, 405),
        ("MKCOL", f"{FILES}no/such/", 409),
        ("MKCOL", "/dav/", 405),
        ("MKCOL", "/dav/principals/users/new@example.test/", 404),
    ],
)
def test_places_where_no_collection_can_be(method: str, path: str, status: int) -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            assert (await client.request(method, path)).status_code == status

    asyncio.run(work())


def test_a_resource_is_in_the_way() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{FILES}a", content=b"x")
            assert (await client.request("MKCOL", f"{FILES}a/")).status_code == 405
            assert (await client.request("MKCOL", f"{FILES}b/")).status_code == 201
            assert (await client.put(f"{FILES}b", content=b"x")).status_code == 405
            assert (await client.put(f"{FILES}b/", content=b"x")).status_code == 405

    asyncio.run(work())


def test_bodies_that_are_none() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            answer = await client.request("MKCOL", f"{FILES}a/", content="x", headers={"content-type": "text/plain"})
            assert answer.status_code == 415
            answer = await client.request("MKCOL", f"{FILES}a/", content="<a/>", headers={"content-type": "text/xml"})
            assert answer.status_code == 415
            assert (await client.request("MKCALENDAR", f"{HOME}a/", content="<a/>")).status_code == 422
            kind = "<D:resourcetype><D:collection/><x:y xmlns:x='urn:x'/></D:resourcetype>"
            answer = await client.request("MKCOL", f"{HOME}a/", content=creation("D:mkcol", kind))
            assert answer.status_code == 403 and failed(answer) == "D:valid-resourcetype"

    asyncio.run(work())


def test_names_that_mail_has_already() -> None:
    """The store has one folder of a name; the collection is there all the same, and shows the name that the client gave."""

    async def work() -> None:
        async with DavSite().client() as client:
            body = creation("C:mkcalendar", "<D:displayname>Drafts</D:displayname>")
            assert (await client.request("MKCALENDAR", f"{HOME}one/", content=body)).status_code == 201
            assert (await client.request("MKCALENDAR", f"{HOME}two/", content=body)).status_code == 201
            for path in (f"{HOME}one/", f"{HOME}two/"):
                assert (await propfind(client, path, "D:displayname")).text(path, "D:displayname") == "Drafts"

    asyncio.run(work())


def test_a_collection_goes_with_what_is_in_it() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            path = f"{HOME}office/"
            for _ in range(2):
                assert (await client.request("MKCALENDAR", path)).status_code == 201
                assert (await client.put(f"{path}x.ics", content=event("x"))).status_code == 201
                assert (await client.delete(path)).status_code == 204
                assert (await client.get(f"{path}x.ics")).status_code == 404
            assert path not in await propfind(client, HOME, "D:getetag", depth="1")

    asyncio.run(work())


def test_folders_of_documents_go_with_those_below() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            for name in ("a/", "a/b/", "a/b/c/"):
                await client.request("MKCOL", FILES + name)
            await client.put(f"{FILES}a/b/c/x", content=b"x")
            assert (await client.delete(f"{FILES}a/")).status_code == 204
            assert list(await propfind(client, FILES, "D:getetag", depth="infinity")) == [FILES]
            assert {node.name for node in await site.mailboxes.tree(guid_of(ALICE))}.isdisjoint("abc")

    asyncio.run(work())


def test_folders_that_others_made_or_threw_away() -> None:
    """A calendar that Outlook made is there, by its id, and stays under its path when it is renamed."""

    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await propfind(client, HOME, "D:displayname", depth="1")
            mailbox, store = guid_of(ALICE), site.mailboxes
            node = await store.create_in(mailbox, 0, "Outlook's", "IPF.Appointment")
            path = f"{HOME}{node.id}/"
            assert (await client.put(f"{path}x.ics", content=event("x"))).status_code == 201
            await store.move_folder(mailbox, node.id, 0, "Renamed")
            assert (await propfind(client, path, "D:displayname")).text(path, "D:displayname") == "Renamed"
            tree = await store.tree(mailbox)
            trash = next(node for node in tree if node.kind is FolderKind.DELETED)
            await store.move_folder(mailbox, node.id, trash.id, "Renamed")
            assert (await client.get(f"{path}x.ics")).status_code == 404
            assert path not in await propfind(client, HOME, "D:displayname", depth="1")

    asyncio.run(work())


@pytest.mark.parametrize("path", [f"{HOME}work/", f"{BOOKS}work/", f"{FILES}work/"])
def test_a_collection_whose_properties_cannot_be_kept_is_not_made(path: str) -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            long = "y" * 100
            value = f"<D:set><D:prop><x:{long} xmlns:x='urn:{'x' * 200}'>1</x:{long}></D:prop></D:set>"
            body = f"<D:mkcol {XMLNS}>{value}</D:mkcol>"
            assert (await client.request("MKCOL", path, content=body)).status_code == 507
            assert (await client.request("PROPFIND", path, headers={"depth": "0"})).status_code == 404

    asyncio.run(work())


@pytest.mark.parametrize("number", [1, 2])
def test_mail_folders_have_the_names_of_the_servers_own(number: int) -> None:
    """Other programs may have made folders with these names: then the server takes a second one, or says what is in its way."""

    async def work() -> None:
        site = DavSite()
        names = [*folders.FILES_NAMES[:number], *folders.INBOX_NAMES[:number], *attached.FOLDER_NAMES[:number]]
        async with site.client() as client:
            await client.put(f"{CALENDAR}x.ics", content=event("x"))
            for name in names:
                await site.mailboxes.create_in(guid_of(ALICE), 0, name, "IPF.Note")
            answers = [
                await client.put(f"{FILES}x", content=b"x"),
                await client.request("PROPFIND", f"{HOME}inbox/", headers={"depth": "0"}),
                await client.post(f"{CALENDAR}x.ics?action=attachment-add", content=b"x"),
            ]
            statuses = [answer.status_code for answer in answers]
            assert statuses == ([201, 207, 201] if number == 1 else [409, 409, 409])
            assert number == 1 or all("rename one" in answer.text for answer in answers)

    asyncio.run(work())


def test_a_mail_folder_has_the_name_of_the_folder_of_locks() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.put(f"{FILES}x", content=b"x")
            await site.mailboxes.create_in(guid_of(ALICE), 0, documents.FOLDER_NAME, "IPF.Note")
            kinds = "<D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>"
            info = f"<D:lockinfo {XMLNS}>{kinds}</D:lockinfo>"
            answer = await client.request("LOCK", f"{FILES}x", content=info)
            assert answer.status_code == 409 and documents.FOLDER_NAME in answer.text

    asyncio.run(work())
