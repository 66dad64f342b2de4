"""Requests on their way to a method: what the paths name, whose things they are, and what the store's errors become.

covers: places, mailbox, nodes, remembered, request, services.http.long_bodies
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postern.model.directory import DirectoryUnavailable, RecipientType
from postern.model.mailbox import MailboxError
from postern.services.dav import request
from postern.services.dav.application import METHODS
from postern.services.dav.places import Place, Space, place_of
from postern.services.http import long_bodies
from tests.services.dav.site import (
    ALICE,
    BOB,
    CALENDAR,
    CONTACTS,
    FILES,
    HOME,
    PRINCIPAL,
    XMLNS,
    DavDoor,
    DavSite,
    card,
    event,
    propfind,
    report,
)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/dav/", Place(Space.ROOT)),
        ("/DAV", Place(Space.ROOT)),
        ("/dav/principals/", Place(Space.PRINCIPALS)),
        ("/dav/principals/users/", Place(Space.PRINCIPALS, "", ("users",))),
        ("/dav/principals/users/a@b.test", Place(Space.PRINCIPALS, "a@b.test")),
        ("/dav/calendars/", Place(Space.CALENDARS)),
        ("/dav/Calendars/a@b.test/", Place(Space.CALENDARS, "a@b.test")),
        ("/dav/calendars/a@b.test/office/x.ics", Place(Space.CALENDARS, "a@b.test", ("office", "x.ics"), False)),
        ("/dav/files/a@b.test/x/y/z/", Place(Space.FILES, "a@b.test", ("x", "y", "z"))),
        ("/dav/calendars/a@b.test/office/x.ics/y", None),
        ("/dav/principals/groups/x", None),
        ("/dav/principals/users/x/y", None),
        ("/dav//calendars", None),
        ("/dav/other/", None),
        ("/elsewhere/", None),
        ("/", None),
        ("/dav/files/a@b.test" + "/x" * 33, None),
    ],
)
def test_paths(path: str, place: Place | None) -> None:
    assert place_of(path) == place


def test_options_tell_the_classes() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            answer = await client.options(CALENDAR)
            assert "calendar-access" in answer.headers["dav"] and "addressbook" in answer.headers["dav"]
            assert {"REPORT", "MKCALENDAR"} <= set(answer.headers["allow"].split(", "))
            classes = (await client.options(FILES)).headers["dav"].split(", ")
            assert "2" in classes and "calendar-access" not in classes

    asyncio.run(work())


def test_what_is_not_there() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            for path in (f"{CALENDAR}none.ics", f"{HOME}none/", f"{FILES}none", "/dav/other/", f"{CALENDAR}a/b/c/"):
                assert (await client.request("PROPFIND", path, headers={"depth": "0"})).status_code == 404, path
                assert (await client.get(path)).status_code == 404, path
                assert (await client.delete(path)).status_code == 404, path
            assert (await client.request("FROB", CALENDAR)).status_code == 501

    asyncio.run(work())


def test_things_that_stay() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            for path in ("/dav/", "/dav/principals/", PRINCIPAL, HOME, CALENDAR, CONTACTS, FILES, "/dav/calendars/"):
                assert (await client.delete(path)).status_code == 403, path
                answer = await client.get(path)
                assert answer.status_code == 200 and answer.text.startswith("A collection"), path

    asyncio.run(work())


def test_what_cannot_be_read_is_a_bad_request() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            assert (await client.request("PROPFIND", CALENDAR, headers={"depth": "2"})).status_code == 400
            assert (await client.request("PROPFIND", CALENDAR, content="<a", headers={"depth": "0"})).status_code == 400
            assert (await client.request("PROPFIND", CALENDAR, content=f"<D:mkcol {XMLNS}/>")).status_code == 422
            assert (await client.request("UNLOCK", FILES, headers={"lock-token": "x"})).status_code == 400

    asyncio.run(work())


def test_stores_and_directories_that_do_not_answer() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            site.mailboxes.unavailable = True
            answer = await client.request("PROPFIND", CALENDAR, headers={"depth": "0"})
            assert answer.status_code == 503 and answer.headers["retry-after"]
            site.mailboxes.unavailable = False

            async def away(address: str) -> None:
                raise DirectoryUnavailable

            site.recipients.recipient = away  # type: ignore[method-assign, assignment] # a directory that is away
            assert (await client.get(f"{CALENDAR}x.ics")).status_code == 503

    asyncio.run(work())


QUERY = '<C:calendar-query><D:prop/><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
MULTIGET = f"<C:calendar-multiget><D:prop/><D:href>{CALENDAR}x.ics</D:href></C:calendar-multiget>"


@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize("body", ["", QUERY, MULTIGET])
def test_a_store_that_fails_in_the_middle_of_an_answer(
    monkeypatch: pytest.MonkeyPatch, has_begun: bool, body: str
) -> None:
    """As long as nothing was sent the client is asked to come again. An answer that has begun cannot become another: the door
    cuts the connection, and nobody takes a part for the whole."""

    async def fails(*arguments: Any) -> Any:
        raise MailboxError("UNAVAILABLE", "The database does not answer")

    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            await client.put(f"{CALENDAR}x.ics", content=event("x"))
            monkeypatch.setattr(site.mailboxes, "resources", fails)
            monkeypatch.setattr(site.mailboxes, "named", fails)

            async def ask() -> httpx.Response:
                if body:
                    return await report(client, CALENDAR, body)
                return await client.request("PROPFIND", CALENDAR, headers={"depth": "1"})

            if has_begun:
                monkeypatch.setattr(request, "PIECE", 1)
                with pytest.raises(MailboxError):
                    await ask()
            else:
                answer = await ask()
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")

    asyncio.run(work())


def test_who_has_no_mailbox() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client("nobody@example.test") as client:
            assert (await client.options("/dav/")).status_code == 403
        known = site.recipients.known
        known[BOB] = replace(known[BOB], type=RecipientType.CONTACT)
        async with site.client(BOB) as client:
            assert (await client.options("/dav/")).status_code == 403

    asyncio.run(work())


def test_a_full_mailbox() -> None:
    async def work() -> None:
        site = DavSite()
        site.recipients.known[ALICE] = replace(site.recipients.known[ALICE], quota=100)
        async with site.client() as client:
            answer = await client.put(f"{CALENDAR}x.ics", content=event("x"))
            assert answer.status_code == 507 and b"quota-not-exceeded" in answer.content
            answers = await propfind(client, CALENDAR, "D:quota-available-bytes", "D:quota-used-bytes")
            assert answers.text(CALENDAR, "D:quota-available-bytes") == "100"

    asyncio.run(work())


def test_a_quota_that_is_taken_away_binds_no_more() -> None:
    async def work() -> None:
        site = DavSite()
        unbounded = site.recipients.known[ALICE]
        site.recipients.known[ALICE] = replace(unbounded, quota=100)
        async with site.client() as client:
            assert (await client.put(f"{CALENDAR}x.ics", content=event("x"))).status_code == 507
            site.recipients.known[ALICE] = unbounded
            assert (await client.put(f"{CALENDAR}x.ics", content=event("x"))).status_code == 201

    asyncio.run(work())


def test_any_address_of_the_owner_is_his_path() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            path = f"/dav/calendars/post.{ALICE.upper()}/calendar/"
            assert (await client.put(f"{path}x.ics", content=event("x"))).status_code == 201
            assert (await client.get(f"{CALENDAR}x.ics")).content == event("x")
            answers = await propfind(client, path, "D:getetag", depth="1")
            assert set(answers) == {CALENDAR, f"{CALENDAR}x.ics"}

    asyncio.run(work())


BODIES = (
    b"",
    f"<D:propfind {XMLNS}><D:allprop/></D:propfind>".encode(),
    f"<D:sync-collection {XMLNS}><D:sync-token/><D:sync-level>1</D:sync-level></D:sync-collection>".encode(),
    f"<C:calendar-multiget {XMLNS}><D:href>/dav/calendars/{BOB}/calendar/b.ics</D:href></C:calendar-multiget>".encode(),
    f"<D:expand-property {XMLNS}><D:property name='owner'/></D:expand-property>".encode(),
    f"<D:propertyupdate {XMLNS}><D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set></D:propertyupdate>".encode(),
    event("new"),
    card("new"),
)
BOBS = (
    f"/dav/calendars/{BOB}/",
    f"/dav/calendars/{BOB}/calendar/",
    f"/dav/calendars/{BOB}/calendar/b.ics",
    f"/dav/calendars/{BOB}/new/",
    f"/dav/addressbooks/{BOB}/contacts/",
    f"/dav/addressbooks/{BOB}/contacts/b.vcf",
    f"/dav/files/{BOB}/",
    f"/dav/files/{BOB}/b.txt",
    f"/dav/files/post.{BOB}/b.txt",
    f"/dav/FILES/{BOB.upper()}/b.txt",
)
MINE = f"{CALENDAR}a.ics"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_nothing_of_another_is_seen_or_changed(data: st.DataObject) -> None:
    """Whatever alice asks about bob's things, by whichever method, they are not there, and all of his is as it was."""
    method = data.draw(st.sampled_from(sorted(METHODS)))
    target = data.draw(st.sampled_from(BOBS))
    body = data.draw(st.sampled_from(BODIES))
    headers = data.draw(
        st.fixed_dictionaries(
            {"depth": st.sampled_from(("0", "1", "infinity"))},
            optional={
                "destination": st.sampled_from((*BOBS, MINE, f"{FILES}x")),
                "overwrite": st.sampled_from("TF"),
                "if-match": st.just("*"),
                "lock-token": st.just("<urn:uuid:1>"),
                "prefer": st.just("return=minimal"),
            },
        )
    )

    async def work() -> None:
        site = DavSite()
        async with site.client(BOB) as bob, site.client() as alice:
            for path, content in ((BOBS[2], event("b")), (BOBS[5], card("b")), (BOBS[7], b"secret of b")):
                assert (await bob.put(path, content=content)).status_code == 201
            await alice.put(MINE, content=event("a"))
            before = await _all_of(bob)
            if data.draw(st.booleans()):
                answer = await alice.request(method, target, content=body, headers=headers)
                assert answer.status_code == 404, (answer.status_code, answer.text)
            else:
                answer = await alice.request(method, MINE, content=body, headers={**headers, "destination": target})
            assert b"secret" not in answer.content and b"UID:b" not in answer.content
            if method in ("COPY", "MOVE"):
                assert answer.status_code in (403, 404)
            assert await _all_of(bob) == before

    asyncio.run(work())


async def _all_of(bob: Any) -> list[bytes]:
    trees = [await bob.request("PROPFIND", BOBS[at], headers={"depth": "1"}) for at in (0, 1, 4, 6)]
    return [*(answer.content for answer in trees), *[(await bob.get(BOBS[at])).content for at in (2, 5, 7)]]


def test_a_multiget_of_another_s_resources_finds_none() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client(BOB) as bob, site.client() as alice:
            await bob.put(BOBS[2], content=event("b"))
            answer = await alice.request("REPORT", CALENDAR, content=BODIES[3])
            assert answer.status_code == 207 and b"404" in answer.content and b"UID:b" not in answer.content

    asyncio.run(work())


def test_at_the_door() -> None:
    async def work() -> None:
        async with DavDoor().opened_to_dav() as door, door.client() as client:
            answers = await propfind(client, "/dav/", "D:current-user-principal")
            assert answers.hrefs("/dav/", "D:current-user-principal") == [PRINCIPAL]
            put = await client.put(f"{CALENDAR}x.ics", content=event("x"), headers={"if-none-match": "*"})
            assert put.status_code == 201
            got = await client.get(f"{CALENDAR}x.ics")
            assert got.content == event("x") and got.headers["etag"] == put.headers["etag"]
            head = await client.head(f"{CALENDAR}x.ics")
            assert head.headers["content-length"] == str(len(event("x"))) and not head.content
            for path in (CALENDAR, f"{CALENDAR}none.ics"):
                head, got = await client.head(path), await client.get(path)
                assert head.headers["content-length"] == got.headers["content-length"] and got.content
                assert head.status_code == got.status_code and not head.content
            answers = await propfind(client, CALENDAR, "D:getetag", depth="1")
            assert answers.text(f"{CALENDAR}x.ics", "D:getetag") == put.headers["etag"]
            assert (await client.request("PROPFIND", "/dav/", auth=("alice", "wrong"))).status_code == 401
            assert (await client.request("PROPFIND", BOBS[1], headers={"depth": "0"})).status_code == 404

    asyncio.run(work())


def test_a_caller_has_few_long_bodies_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sent sixty of sixteen megabytes, as slowly as he liked, had them all in the memory of a worker."""
    monkeypatch.setattr(request, "LONG_BODY", 10)
    monkeypatch.setattr(long_bodies, "MOST_LONG", 1)

    async def work() -> None:
        site = DavSite()
        waits, goes_on = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"x" * 11
            waits.set()
            await goes_on.wait()
            yield b"x"

        async with site.client() as alice, site.client(BOB) as bob:
            first = asyncio.create_task(alice.put(f"{FILES}a", content=slow()))
            await waits.wait()
            answer = await alice.put(f"{FILES}b", content=b"x" * 11)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert (await alice.put(f"{FILES}c", content=b"x" * 10)).status_code == 201
            assert (await bob.put(f"/dav/files/{BOB}/a", content=b"x" * 11)).status_code == 201
            goes_on.set()
            assert (await first).status_code == 201
            assert (await alice.put(f"{FILES}b", content=b"x" * 11)).status_code == 201
            assert (await alice.put(f"{FILES}b", content=b"x" * 11)).status_code == 204

    asyncio.run(work())
