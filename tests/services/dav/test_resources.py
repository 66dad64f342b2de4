"""GET, HEAD, PUT, POST and DELETE: octets come back as they were put, and conditions hold.

covers: contents, writing
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from postern.services.dav import resources
from tests.services.dav.site import (
    ALICE,
    CALENDAR,
    CONTACTS,
    FILES,
    HOME,
    NAMES,
    TASKS,
    DavSite,
    card,
    event,
    failed,
    guid_of,
    propfind,
    todo,
)

X = f"{CALENDAR}x.ics"


def test_octets_come_back_as_they_were_put() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            strange = event("x", "Füße 🎉", "20260301T120000Z", "X-ODD;A=b:c", "COMMENT:a\\, b").replace(b"\r\n", b"\n")
            for path, content in (
                (X, strange),
                (f"{CONTACTS}x.vcf", card("x", "김")),
                (f"{FILES}x", bytes(range(256))),
            ):
                answer = await client.put(path, content=content)
                assert answer.status_code == 201 and answer.headers["etag"].startswith('"')
                got = await client.get(path)
                assert got.content == content and got.headers["etag"] == answer.headers["etag"]
                again = await client.put(path, content=content)
                assert again.status_code == 204 and again.headers["etag"] == answer.headers["etag"]

    asyncio.run(work())


def test_types() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            for path, content, kind in (
                (X, event("x"), "text/calendar; charset=utf-8"),
                (f"{CONTACTS}x", card("x"), "text/vcard; charset=utf-8"),
                (f"{FILES}x.html", b"<script>", "text/html"),
                (f"{FILES}x.tar.gz", b"x", "application/octet-stream"),
                (f"{FILES}x", b"x", "application/octet-stream"),
            ):
                await client.put(path, content=content)
                assert (await client.get(path)).headers["content-type"] == kind
            page = await client.get(f"{FILES}x.html")
            assert (
                page.headers["content-disposition"] == "attachment"
                and "sandbox" in page.headers["content-security-policy"]
            )

    asyncio.run(work())


def test_conditions() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            new = {"if-none-match": "*"}
            answer = await client.put(X, content=event("x"), headers={"if-match": "*"})
            assert answer.status_code == 412
            tag = (await client.put(X, content=event("x"), headers=new)).headers["etag"]
            assert (await client.put(X, content=event("x", "Other"), headers=new)).status_code == 412
            changed = await client.put(X, content=event("x", "Other"), headers={"if-match": tag})
            assert changed.status_code == 204 and changed.headers["etag"] != tag
            assert (await client.put(X, content=event("x"), headers={"if-match": tag})).status_code == 412
            assert (await client.delete(X, headers={"if-match": tag})).status_code == 412
            now = changed.headers["etag"]
            assert (await client.get(X, headers={"if-none-match": now})).status_code == 304
            assert (await client.get(X, headers={"if-match": tag})).status_code == 412
            assert (await client.put(X, content=event("x"), headers={"if": f'(["{tag[1:-1]}"])'})).status_code == 412
            assert (await client.put(X, content=event("x"), headers={"if": f"([{now}])"})).status_code == 204
            assert (await client.delete(X, headers={"if-match": tag})).status_code == 204
            assert (await client.get(X)).status_code == 404

    asyncio.run(work())


@pytest.mark.parametrize(("path", "content"), [(f"{FILES}x", b"x"), (f"{CONTACTS}x.vcf", card("x"))])
def test_what_can_be_no_meeting_is_not_read_before_it_changes(
    path: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        site = DavSite()
        asked: list[tuple[Any, ...]] = []
        read = site.mailboxes.with_ids

        async def noted(*arguments: Any) -> Any:
            asked.append(arguments)
            return await read(*arguments)

        monkeypatch.setattr(site.mailboxes, "with_ids", noted)
        async with site.client() as client:
            for status in (201, 204):
                assert (await client.put(path, content=content)).status_code == status
            assert (await client.delete(path)).status_code == 204
            assert asked == []

    asyncio.run(work())


def test_nothing_comes_between_the_condition_and_the_change() -> None:
    """Another client changes the event after the condition was judged: the store holds it once more."""

    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            tag = (await client.put(X, content=event("x"))).headers["etag"]
            examine = resources.store

            async def slow(*arguments: Any) -> Any:
                resources.store = examine
                await client.put(X, content=event("x", "Faster"))
                return await examine(*arguments)

            resources.store = slow
            try:
                answer = await client.put(X, content=event("x", "Slower"), headers={"if-match": tag})
            finally:
                resources.store = examine
            assert answer.status_code == 412 and b"Faster" in (await client.get(X)).content

    asyncio.run(work())


@pytest.mark.parametrize(
    ("path", "content", "precondition"),
    [
        (X, b"", "C:valid-calendar-data"),
        (X, b"hello", "C:valid-calendar-data"),
        (X, b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n", "C:valid-calendar-object-resource"),
        (X, event("x").replace(b"UID:x", b"X:y"), "C:valid-calendar-object-resource"),
        (X, event("x").replace(b"VERSION:2.0", b"METHOD:REQUEST"), "C:valid-calendar-object-resource"),
        (X, event("x").replace(b"20260301T120000Z", b"yesterday"), "C:valid-calendar-data"),
        (X, todo("x"), "C:supported-calendar-component"),
        (f"{TASKS}x.ics", event("x"), "C:supported-calendar-component"),
        (X, card("x"), "C:valid-calendar-data"),
        (f"{CONTACTS}x", event("x"), "A:valid-address-data"),
        (f"{CONTACTS}x", card("x") + card("y"), "A:valid-address-data"),
        (f"{CONTACTS}x", card("x").replace(b"UID:x\r\n", b""), "A:valid-address-data"),
        (f"{CONTACTS}x", card("x").replace(b"3.0", b"2.1"), "A:supported-address-data"),
    ],
)
def test_what_a_collection_does_not_take(path: str, content: bytes, precondition: str) -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            answer = await client.put(path, content=content)
            assert answer.status_code == 403 and failed(answer) == precondition, answer.text
            assert (await client.get(path)).status_code == 404

    asyncio.run(work())


def test_media_types_and_sizes() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            answer = await client.put(X, content=event("x"), headers={"content-type": "application/json"})
            assert answer.status_code == 403 and failed(answer) == "C:supported-calendar-data"
            answer = await client.put(f"{CONTACTS}x", content=card("x"), headers={"content-type": "text/calendar"})
            assert answer.status_code == 403 and failed(answer) == "A:supported-address-data"
            large, resources.MAX_RESOURCE = resources.MAX_RESOURCE, 100
            try:
                answer = await client.put(X, content=event("x"))
                assert answer.status_code == 403 and failed(answer) == "C:max-resource-size"
                assert (await client.put(f"{FILES}x", content=bytes(101))).status_code == 413
            finally:
                resources.MAX_RESOURCE = large
            answer = await client.put(X, content=event("x"), headers={"content-range": "bytes 0-5/9"})
            assert answer.status_code == 400

    asyncio.run(work())


def test_a_uid_is_there_once() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(X, content=event("x"))
            for path, content in ((f"{CALENDAR}y.ics", event("x")), (X, event("y"))):
                answer = await client.put(path, content=content)
                assert answer.status_code == 403 and failed(answer) == "C:no-uid-conflict"
                assert f"<D:href>{X}</D:href>" in answer.text
            await client.request("MKCALENDAR", f"{HOME}office/")
            assert (await client.put(f"{HOME}office/x.ics", content=event("x"))).status_code == 201
            await client.put(f"{CONTACTS}x", content=card("x"))
            answer = await client.put(f"{CONTACTS}y", content=card("x"))
            assert failed(answer) == "A:no-uid-conflict"

    asyncio.run(work())


def test_places_where_nothing_can_be_put() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            for path, status in (
                (f"{HOME}none/x.ics", 409),
                (f"{FILES}none/x", 409),
                (f"{HOME}x.ics", 403),
                ("/dav/x.ics", 404),
                ("/dav/principals/x", 404),
                (HOME, 403),
                (CALENDAR.rstrip("/"), 403),
                (f"{CALENDAR}x.ics/", 405),
                (FILES.rstrip("/"), 409),
                (f"{CALENDAR}{'x' * 300}", 403),
            ):
                assert (await client.put(path, content=event("x"))).status_code == status, path

    asyncio.run(work())


def test_a_member_is_added() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            for path, content, suffix in ((CALENDAR, event("x"), ".ics"), (CONTACTS, card("x"), ".vcf")):
                answer = await client.post(path, content=content)
                assert answer.status_code == 201 and answer.headers["location"].endswith(suffix)
                assert (await client.get(answer.headers["location"])).content == content
                assert (await client.post(path, content=content)).status_code == 403
            assert (await client.post(FILES, content=b"x")).status_code == 405
            assert (await client.post(answer.headers["location"], content=card("y"))).status_code == 405

    asyncio.run(work())


def test_the_representation_comes_back_if_it_is_wanted() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            headers = {"prefer": "return=representation"}
            answer = await client.put(X, content=event("x"), headers=headers)
            assert answer.status_code == 201 and answer.content == event("x")
            answer = await client.put(X, content=event("x", "y"), headers=headers)
            assert answer.status_code == 200 and answer.content == event("x", "y")
            assert answer.headers["preference-applied"] == "return=representation"

    asyncio.run(work())


def test_ranges() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{FILES}x", content=b"0123456789")
            part = await client.get(f"{FILES}x", headers={"range": "bytes=2-4"})
            assert (
                part.status_code == 206 and part.content == b"234" and part.headers["content-range"] == "bytes 2-4/10"
            )
            assert (await client.get(f"{FILES}x", headers={"range": "bytes=20-"})).status_code == 416
            whole = await client.get(f"{FILES}x", headers={"range": "bytes=2-4", "if-range": '"other"'})
            assert whole.status_code == 200 and whole.content == b"0123456789"

    asyncio.run(work())


def test_the_store_knows_when_an_event_is() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.put(X, content=event("x", "Lunch", "20260301T120000Z"))
            await client.put(f"{CALENDAR}y.ics", content=event("y", "Weekly", "20260301T120000Z", "RRULE:FREQ=WEEKLY"))
            await client.put(f"{CALENDAR}z.ics", content=event("z", "Day", "20260301", "CLASS:PRIVATE"))
            await client.put(f"{TASKS}t.ics", content=todo("t").replace(b"DTSTART:20260301T120000Z\r\n", b""))
            mailbox, store = guid_of(ALICE), site.mailboxes
            nodes = {node.folder_class: node.id for node in await store.tree(mailbox)}
            calendar = nodes["IPF.Appointment"]
            noon = 1_772_366_400
            inside = await store.overlapping(mailbox, calendar, noon, noon + 60)
            by_uid = {rendered.uid: rendered for rendered in inside.values()}
            assert set(by_uid) == {"x", "y", "z"}
            assert (by_uid["x"].starts, by_uid["x"].ends, by_uid["x"].expands) == (noon, noon + 3600, False)
            assert by_uid["y"].ends is None and by_uid["y"].expands
            assert by_uid["z"].expands and by_uid["z"].is_private
            years = await store.overlapping(mailbox, calendar, noon + 10**8, noon + 10**8 + 60)
            assert [rendered.uid for rendered in years.values()] == ["y"]
            assert len(await store.overlapping(mailbox, nodes["IPF.Task"], 1, 2)) == 1

    asyncio.run(work())


def test_the_store_knows_the_next_reminder() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:-PT15M", "END:VALARM")
            start = int(time.time()) // 60 * 60 + 7200
            soon = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(start))
            await client.put(X, content=event("x", "Soon", soon, *alarm))
            yesterday = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(start - 86_400))
            await client.put(f"{CALENDAR}y.ics", content=event("y", "Daily", yesterday, "RRULE:FREQ=DAILY", *alarm))
            await client.put(f"{CALENDAR}z.ics", content=event("z", "Past", yesterday, *alarm))
            due = await site.mailboxes.reminders(start)
            assert [reminder.at for reminder in due] == [start - 900] * 2

    asyncio.run(work())


def test_what_is_too_long_to_look_up_is_stored_all_the_same() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            long = "é" * 300 + "@example.test"
            answer = await client.put(X, content=event("x", "Long", "20260301T120000Z", f"ORGANIZER:mailto:{long}"))
            assert answer.status_code == 201
            assert (await client.put(f"{CONTACTS}x", content=card("x", "Bo", f"EMAIL:{long}"))).status_code == 201

    asyncio.run(work())


def test_the_store_knows_the_addresses_of_a_contact() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.put(f"{CONTACTS}x", content=card("x", "Bo", "EMAIL;TYPE=work:Bo@Example.test"))
            known = await site.mailboxes.with_addresses(guid_of(ALICE), ["bo@example.test"])
            assert list(known) == ["bo@example.test"]
            await client.put(f"{CONTACTS}l", content=card("l", "List", "X-ADDRESSBOOKSERVER-KIND:group"))
            answers = await propfind(client, CONTACTS, "D:getetag", depth="1")
            assert len(answers.root.findall("D:response", NAMES)) == 3

    asyncio.run(work())
