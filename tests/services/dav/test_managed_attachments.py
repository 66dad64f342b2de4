"""Managed attachments: POST to an object, and GET of what it names (RFC 8607).

covers: attached, enclosures, managed_attachments
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from uuid import UUID

import httpx
import pytest

from postern.items import calendar_object
from postern.items.attachments import of_calendar
from postern.items.calendar_object import Refused
from postern.model.folders import EVERYBODY, FolderKind, Right
from postern.model.mailbox import MailboxError
from postern.services.dav import attached, contents, enclosures, meetings, octets, remembered
from postern.services.scheduling import aside
from tests.services.dav.site import ALICE, BOB, CALENDAR, HOME, TASKS, DavSite, event, failed, guid_of, propfind, todo
from tests.services.dav.test_meetings import CAROL, START, Post, meeting, work

EVENT = f"{CALENDAR}a.ics"
TEXT = {"content-type": "text/plain", "content-disposition": 'attachment; filename="agenda.txt"'}


async def post(
    client: httpx.AsyncClient, action: str, content: bytes = b"", path: str = EVENT, **headers: str
) -> httpx.Response:
    return await client.post(f"{path}?action=attachment-{action}", content=content, headers={**TEXT, **headers})


async def attachments(client: httpx.AsyncClient, path: str = EVENT) -> list[tuple[str, str]]:
    """The ids and the paths that an object names, in all its components."""
    calendar = calendar_object.read((await client.get(path)).content)
    assert not isinstance(calendar, Refused) and not calendar.defects
    lines = [line for part in calendar.parts for line in part.lines("ATTACH")]
    assert all(line.value.startswith("https://mail.example.test/dav/attachments/") for line in lines)
    return [(line.parameter("MANAGED-ID"), line.value.removeprefix("https://mail.example.test")) for line in lines]


async def kept(site: DavSite) -> list[str]:
    """The names of all attachments that alice's mailbox keeps."""
    nodes = await site.mailboxes.tree(guid_of(ALICE))
    folders = [node.id for node in nodes if node.folder_class == attached.FOLDER_CLASS]
    assert len(folders) <= 1
    return [name for each in folders for name in (await site.mailboxes.resources(guid_of(ALICE), each)).names]


def test_an_attachment_is_added_replaced_and_removed() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            before = (await client.put(EVENT, content=event("a"))).headers["etag"]
            answer = await post(client, "add", b"one", prefer="return=representation")
            assert answer.status_code == 201 and answer.headers["content-location"] == EVENT
            first = answer.headers["cal-managed-id"]
            assert answer.headers["etag"] != before and f"MANAGED-ID={first}".encode() in answer.content
            assert answer.content == (await client.get(EVENT)).content
            ((id_, path),) = await attachments(client)
            assert id_ == first and path.endswith("-agenda.txt")
            read = await client.get(path)
            assert (read.status_code, read.content) == (200, b"one")
            assert read.headers["content-type"] == "text/plain" and read.headers["content-disposition"] == "attachment"
            assert (await client.get(path, headers={"range": "bytes=1-"})).content == b"ne"
            assert (await client.get(path, headers={"if-none-match": read.headers["etag"]})).status_code == 304

            answer = await post(client, f"update&managed-id={first}", b"two")
            second = answer.headers["cal-managed-id"]
            assert answer.status_code == 204 and second != first and answer.headers["etag"]
            assert (await client.get(path)).status_code == 404
            ((id_, path),) = await attachments(client)
            assert id_ == second and (await client.get(path)).content == b"two"
            assert len(await kept(site)) == 1

            answer = await post(client, f"remove&managed-id={second}")
            assert answer.status_code == 204 and "cal-managed-id" not in answer.headers
            assert await attachments(client) == [] and await kept(site) == []
            assert (await client.get(EVENT)).content == event("a"), "nothing else of it has changed"

    asyncio.run(work())


def test_occurrences_of_a_series() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(EVENT, content=event("a", "Daily", "20260301T120000Z", "RRULE:FREQ=DAILY;COUNT=4"))
            answer = await post(client, "add&rid=20260302T120000Z,M", b"x")
            assert answer.status_code == 201 and len(await attachments(client)) == 2
            id_ = answer.headers["cal-managed-id"]
            assert (await post(client, f"remove&managed-id={id_}&rid=M")).status_code == 204
            assert len(await attachments(client)) == 1
            assert (await client.get((await attachments(client))[0][1])).status_code == 200
            await client.put(f"{TASKS}t.ics", content=todo("t"))
            assert (await post(client, "add", b"x", f"{TASKS}t.ics")).status_code == 201

    asyncio.run(work())


@pytest.mark.parametrize(
    ("query", "precondition"),
    [
        ("nothing", "C:valid-action"),
        ("add&managed-id=x", "C:valid-managed-id"),
        ("add&rid=20260305T120000Z", "C:valid-rid"),
        ("add&rid=", "C:valid-rid"),
        ("update", "C:valid-managed-id"),
        ("update&managed-id=x", "C:valid-managed-id"),
        ("update&managed-id=x&rid=M", "C:valid-rid"),
        ("remove", "C:valid-managed-id"),
        ("remove&managed-id=x", "C:valid-managed-id"),
        ("remove&managed-id=" + "0" * 32, "C:valid-managed-id"),
    ],
)
def test_what_cannot_be(query: str, precondition: str) -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.put(EVENT, content=event("a"))
            answer = await post(client, query, b"x")
            assert (answer.status_code, failed(answer)) == (403, precondition)
            assert (await client.get(EVENT)).content == event("a") and await kept(site) == []

    asyncio.run(work())


def test_places_conditions_and_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            tag = (await client.put(EVENT, content=event("a"))).headers["etag"]
            for path, status in ((CALENDAR, 405), (f"{CALENDAR}none.ics", 404), (HOME, 405)):
                assert (await post(client, "add", b"x", path)).status_code == status
            assert (await post(client, "add", b"x", **{"if-match": '"0"'})).status_code == 412
            assert await kept(site) == []
            assert (await post(client, "add", b"x", **{"if-match": tag})).status_code == 201
            answer = await client.post(f"{EVENT}?action=attachment-add&{'&'.join(f'x{i}=' for i in range(20))}")
            assert answer.status_code == 400
            monkeypatch.setattr("postern.services.dav.managed_attachments.MAX_RESOURCE", 10)
            answer = await post(client, "add", b"x" * 11)
            assert (answer.status_code, failed(answer)) == (403, "C:max-attachment-size")
            monkeypatch.setattr("postern.services.dav.managed_attachments.MAX_MANAGED", 1)
            answer = await post(client, "add", b"x")
            assert (answer.status_code, failed(answer)) == (403, "C:max-attachments-per-resource")
            assert len(await kept(site)) == 1
            options = await client.options(EVENT)
            assert "calendar-managed-attachments" in options.headers["dav"]
            names = ("C:max-attachment-size", "C:max-attachments-per-resource", "C:managed-attachments-server-URL")
            answers = await propfind(client, CALENDAR, *names)
            assert answers.text(CALENDAR, names[0]) and answers.text(CALENDAR, names[1]) == "100"
            assert (await propfind(client, HOME, *names)).prop(HOME, names[2]) is not None

    asyncio.run(work())


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("", "attachment"),
        ("attachment; filename*=UTF-8''%ED%9A%8C%EC%9D%98.txt", "회의.txt"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\a\\\\b c.doc"', "b c.doc"),
        (f'attachment; filename="{"n" * 300}.pdf"', "n" * 200),
    ],
)
def test_names_of_files(disposition: str, name: str) -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.put(EVENT, content=event("a"))
            assert (await post(client, "add", b"x", **{"content-disposition": disposition})).status_code == 201
            assert [each[33:] for each in await kept(site)] == [name]
            ((_, path),) = await attachments(client)
            assert (await client.get(path)).content == b"x"
            assert (await client.get(EVENT)).text.replace("\r\n ", "").count(f"FILENAME={name}") == 1

    asyncio.run(work())


def test_an_attachment_lasts_as_long_as_something_names_it() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.put(EVENT, content=event("a"))
            await post(client, "add", b"x")
            ((id_, path),) = await attachments(client)
            with_it = (await client.get(EVENT)).content.replace(b"\r\n ", b"")
            other = f"{CALENDAR}b.ics"
            assert (await client.put(other, content=with_it.replace(b"UID:a", b"UID:b"))).status_code == 201
            assert (await client.delete(EVENT)).status_code == 204
            assert (await client.get(path)).status_code == 200
            assert (await client.put(other, content=event("b"))).status_code == 204
            assert (await client.get(path)).status_code == 404 and await kept(site) == []
            answer = await client.put(EVENT, content=with_it)
            assert (answer.status_code, failed(answer)) == (403, "C:valid-managed-id")
            foreign = with_it.replace(ALICE.encode(), BOB.encode())
            assert (await client.put(EVENT, content=foreign)).status_code == 201, "an invitation brings it"
            new = (await post(client, "add", b"y")).headers["cal-managed-id"]
            mixed = (
                (await client.get(EVENT))
                .content.replace(b"\r\n ", b"")
                .replace(f"ID={new}".encode(), f"ID={id_}".encode())
            )
            assert failed(await client.put(EVENT, content=mixed)) == "C:valid-managed-id"

    asyncio.run(work())


def test_what_a_crash_leaves_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "SWEEP_SECONDS", 0.0)

    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.put(EVENT, content=event("a"))

            async def crash(*arguments: Any) -> None:
                raise OSError("the process has ended")

            with monkeypatch.context() as broken:
                broken.setattr("postern.services.dav.resources.store", crash)
                with pytest.raises(OSError):
                    await post(client, "add", b"x")
            assert len(await kept(site)) == 1 and await attachments(client) == []
            await post(client, "add", b"y")
            assert len(await kept(site)) == 2, "the object may still come"
            monkeypatch.setattr(attached, "UNNAMED_SECONDS", -10)
            await post(client, "add", b"z")
            assert len(await kept(site)) == len(await attachments(client)) == 2

    asyncio.run(work())


def test_a_change_meanwhile_and_a_full_mailbox(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.put(EVENT, content=event("a"))
            put = site.mailboxes.put
            codes = ["MODIFIED", "MODIFIED"]

            async def refusing(*arguments: Any) -> Any:
                if arguments[2] == "a.ics" and codes:
                    raise MailboxError(codes.pop(), "no")
                return await put(*arguments)

            monkeypatch.setattr(site.mailboxes, "put", refusing)
            assert (await post(client, "add", b"x")).status_code == 201
            codes[:] = ["OVERQUOTA"]
            assert (await post(client, "add", b"x")).status_code == 507
            codes[:] = ["MODIFIED"] * 9
            assert (await post(client, "add", b"x")).status_code == 412
            assert len(await kept(site)) == 1

    asyncio.run(work())


def test_those_who_may_read_it() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as alice, site.client(BOB) as bob:

            async def seen(*lines: str) -> int:
                await alice.delete(EVENT)
                await alice.put(EVENT, content=event("a", "Lunch", "20260301T120000Z", *lines))
                await post(alice, "add", b"x")
                ((_, path),) = await attachments(alice)
                answer = await bob.get(path)
                assert (answer.content == b"x") == (answer.status_code == 200)
                for method in ("PUT", "DELETE", "PROPFIND", "POST"):
                    assert (await bob.request(method, path)).status_code == 405
                assert (await alice.get(path)).status_code == 200
                return answer.status_code

            organizer = f"ORGANIZER:mailto:{ALICE}"
            assert await seen() == 404
            assert await seen(organizer, "ATTENDEE:mailto:other@example.test") == 404
            assert await seen(organizer, f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:post.{BOB}") == 200
            assert await seen(f"ORGANIZER:mailto:{BOB}", f"ATTENDEE:mailto:{ALICE}") == 404, "it is alice's own"
            nodes = await site.mailboxes.tree(guid_of(ALICE))
            calendar = next(node.id for node in nodes if node.folder_class == "IPF.Appointment")
            await site.sharing.set_rights(site.recipients.known[ALICE], calendar, EVERYBODY, Right.READ_ANY)
            assert await seen() == 200
            assert await seen("CLASS:PRIVATE") == 404
            owned = Right.READ_ANY | Right.OWNER
            await site.sharing.set_rights(site.recipients.known[ALICE], calendar, guid_of(BOB), owned)
            assert await seen("CLASS:PRIVATE") == 200, "he sees the appointment, too"
            for path in (
                "nobody@example.test/x",
                f"{BOB}/x",
                f"{ALICE}/{'0' * 32}-x",
                f"{ALICE}/",
                "x",
                f"{ALICE}/a/b",
            ):
                assert (await bob.get(f"/dav/attachments/{path}")).status_code == 404

    asyncio.run(work())


def test_guests_hear_of_an_attachment_and_read_it() -> None:
    async def steps(site: DavSite, post_: Post, alice: httpx.AsyncClient) -> None:
        assert (await alice.put(EVENT, content=meeting())).status_code == 201
        assert await post_.collect() == [f"REQUEST {BOB}"]
        await post(alice, "add", b"x")
        assert await post_.collect() == [f"REQUEST {BOB}"]
        _, _, message, _ = post_.sent[-1]
        (line,) = message.main.lines("ATTACH")
        async with site.client(BOB) as bob:
            assert (await bob.get(line.value.removeprefix("https://mail.example.test"))).content == b"x"
        await post(alice, f"remove&managed-id={line.parameter('MANAGED-ID')}")
        assert await post_.collect() == [f"REQUEST {BOB}"]
        assert post_.sent[-1][2].main.first("ATTACH") is None and await kept(site) == []

    work(steps)


def test_guests_elsewhere_get_a_small_file_with_the_invitation(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(site: DavSite, post_: Post, alice: httpx.AsyncClient) -> None:
        await alice.put(EVENT, content=meeting(who=(BOB, CAROL)))
        assert await post_.collect() == [f"REQUEST {BOB} {CAROL}"]
        await post(alice, "add", b"small")
        assert await post_.collect() == [f"REQUEST {BOB}", f"REQUEST {CAROL}"]
        (here,), (elsewhere,) = (list(message.main.lines("ATTACH")) for _, _, message, _ in post_.sent[-2:])
        assert here.value.startswith("https://") and here.parameter("MANAGED-ID")
        assert (elsewhere.parameter("ENCODING"), elsewhere.parameter("VALUE")) == ("BASE64", "BINARY")
        (file,) = of_calendar(post_.sent[-1][2])
        assert (file.octets, file.name, file.media) == (b"small", "agenda.txt", "text/plain")
        monkeypatch.setattr(enclosures, "MAX_ENCLOSED", 1_000)
        await post(alice, "add", b"x" * 1_000)
        assert await post_.collect() == [f"REQUEST {BOB}", f"REQUEST {CAROL}"]
        assert [bool(each.uri) for each in of_calendar(post_.sent[-1][2])] == [False, True], "too large to go along"
        await alice.delete(EVENT)
        assert await post_.collect() == [f"CANCEL {BOB} {CAROL}"] and await kept(site) == []

    work(steps)


def test_mailboxes_without_attachments_are_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            monkeypatch.setattr(site.mailboxes, "with_addresses", None)
            for _ in range(2):
                await client.put(EVENT, content=event("a"))
            assert (await client.delete(EVENT)).status_code == 204

    asyncio.run(work())


def test_a_large_object_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is changed, looked at and written of a large object is so in a thread."""
    threads: dict[str, set[threading.Thread]] = {}

    def watch(module: Any, name: str) -> None:
        whole = getattr(module, name)

        def watched(*arguments: Any) -> Any:
            threads.setdefault(name, set()).add(threading.current_thread())
            return whole(*arguments)

        monkeypatch.setattr(module, name, watched)

    watch(contents, "examine")
    for name in ("values_of", "schedule_tag", "write_statuses"):
        watch(meetings, name)
    watch(enclosures, "enclose")
    monkeypatch.setattr(octets, "AT_ONCE", 0)
    monkeypatch.setattr(aside, "AT_ONCE", 0)

    async def steps(site: DavSite, letters: Post, client: httpx.AsyncClient) -> None:
        await client.put(EVENT, content=meeting(who=(BOB, CAROL)))
        assert (await post(client, "add", b"one")).status_code == 201
        await client.get(EVENT)

    work(steps)
    assert threads.keys() == {"examine", "values_of", "schedule_tag", "write_statuses", "enclose"}
    assert threading.main_thread() not in set().union(*threads.values())


def test_nobody_gets_an_attachment_to_read_by_naming_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write in one calendar of a mailbox read what hangs on others, and what was closed to him since."""

    async def work() -> None:
        site = DavSite()
        async with site.client() as alice, site.client(BOB) as bob:
            await alice.put(EVENT, content=event("a", "Secret", "20300301T120000Z", "CLASS:PRIVATE"))
            assert (await post(alice, "add", b"secret")).status_code == 201
            ((id_, path),) = await attachments(alice)
            nodes = {node.kind: node.id for node in await site.mailboxes.tree(guid_of(ALICE))}
            rights = Right.READ_ANY | Right.CREATE | Right.EDIT_ANY | Right.DELETE_ANY | Right.VISIBLE
            await site.sharing.set_rights(
                site.recipients.known[ALICE], nodes[FolderKind.CALENDAR], guid_of(BOB), rights
            )
            named = event("b", "Open", START, f"ATTACH;MANAGED-ID={id_}:https://mail.example.test{path}")
            answer = await bob.put(f"{CALENDAR}b.ics", content=named)
            assert (answer.status_code, failed(answer)) == (403, "C:valid-managed-id")
            elsewhere = named.replace(f"https://mail.example.test{path}".encode(), b"https://files.example.test/x")
            for other in (
                elsewhere,
                elsewhere.replace(b"ATTACH", b"ATT\r\n ACH"),
                elsewhere.replace(b"ATTACH", b"att\n\tach"),
                elsewhere.replace(b"ATTACH", b"ATT\n ACH").replace(b"\r\n", b"\n").replace(b"\n", b"\r"),
            ):
                answer = await bob.put(f"{CALENDAR}b.ics", content=other)
                assert answer.status_code == 403 and failed(answer) == "C:valid-managed-id", other
            assert (await bob.get(path)).status_code == 404
            assert (await bob.put(f"{CALENDAR}b.ics", content=event("b"))).status_code == 201
            assert (await post(bob, "add", b"his", f"{CALENDAR}b.ics")).status_code == 201
            octets = (await bob.get(f"{CALENDAR}b.ics")).content
            assert (await bob.put(f"{CALENDAR}b.ics", content=octets.replace(b"Lunch", b"Dinner"))).status_code == 204
            tree, asked = site.mailboxes.tree, 0

            async def counted(mailbox: UUID) -> Any:
                nonlocal asked
                asked += 1
                return await tree(mailbox)

            monkeypatch.setattr(site.mailboxes, "tree", counted)
            assert (await bob.put(f"{CALENDAR}c.ics", content=octets.replace(b"UID:b", b"UID:c"))).status_code == 201
            assert asked == 1, "the folders are asked for once a request"

    asyncio.run(work())
