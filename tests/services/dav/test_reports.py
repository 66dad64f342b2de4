"""Multigets, sync-collection, expand-property and the reports about principals.

covers: data, principals
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from postern.items.series import Series
from postern.services.dav import ahead, data, reports
from postern.services.scheduling import aside
from tests.services.dav.site import (
    ALICE,
    BOB,
    CALENDAR,
    CONTACTS,
    FILES,
    HOME,
    NAMES,
    PRINCIPAL,
    TASKS,
    DavSite,
    Responses,
    card,
    event,
    failed,
    propfind,
    report,
)


def hrefs(*paths: str) -> str:
    return "".join(f"<D:href>{path}</D:href>" for path in paths)


def test_multigets_bring_the_contents() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            odd = event("y", "a < b & c \u0085").replace(b"\r\n", b"\n")
            await client.put(f"{CALENDAR}x.ics", content=event("x"))
            await client.put(f"{CALENDAR}y y.ics", content=odd)
            asked = (f"{CALENDAR}y%20y.ics", f"https://mail.example.test{CALENDAR}x.ics", f"{CALENDAR}none.ics")
            body = "<C:calendar-multiget><D:prop><D:getetag/><C:calendar-data/></D:prop>"
            answers = Responses(await report(client, CALENDAR, f"{body}{hrefs(*asked)}</C:calendar-multiget>"))
            assert list(answers) == [f"{CALENDAR}y%20y.ics", f"{CALENDAR}x.ics", f"{CALENDAR}none.ics"]
            assert str(answers.text(f"{CALENDAR}x.ics", "C:calendar-data")).encode() == event("x")
            assert str(answers.text(f"{CALENDAR}y%20y.ics", "C:calendar-data")).encode() == odd
            assert answers.status(f"{CALENDAR}none.ics") == 404
            await client.put(f"{CONTACTS}x", content=card("x", "김"))
            body = f"<A:addressbook-multiget><D:prop><A:address-data/></D:prop>{hrefs(f'{CONTACTS}x')}</A:addressbook-multiget>"
            answers = Responses(await report(client, CONTACTS, body))
            assert str(answers.text(f"{CONTACTS}x", "A:address-data")).encode() == card("x", "김")

    asyncio.run(work())


def test_a_multiget_of_large_contents_keeps_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        monkeypatch.setattr(ahead, "SMALL", 400)
        monkeypatch.setattr(reports, "AT_ONCE", 3)
        async with DavSite().client() as client:
            there = {name: event(name, "x" * size) for name, size in (("a", 1), ("b", 900), ("c", 1), ("d", 900))}
            for name, content in there.items():
                await client.put(f"{CALENDAR}{name}.ics", content=content)
            names = ("d", "none", "a", "c", "b")
            body = "<C:calendar-multiget><D:prop><C:calendar-data/></D:prop>"
            asked = hrefs(*(f"{CALENDAR}{name}.ics" for name in names))
            answers = Responses(await report(client, CALENDAR, f"{body}{asked}</C:calendar-multiget>"))
            assert list(answers) == [f"{CALENDAR}{name}.ics" for name in names]
            for name, content in there.items():
                assert str(answers.text(f"{CALENDAR}{name}.ics", "C:calendar-data")).encode() == content
            assert answers.status(f"{CALENDAR}none.ics") == 404

    asyncio.run(work())


def test_a_multiget_of_many_keeps_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        monkeypatch.setattr(reports, "BATCH", 3)
        async with DavSite().client() as client:
            paths = [f"{CALENDAR}{number}.ics" for number in range(10)]
            for path in paths:
                await client.put(path, content=event(path))
            paths.reverse()
            body = f"<C:calendar-multiget><D:prop><D:getetag/></D:prop>{hrefs(*paths)}</C:calendar-multiget>"
            assert list(Responses(await report(client, CALENDAR, body))) == paths

    asyncio.run(work())


def test_hrefs_that_lead_elsewhere() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{FILES}x", content=b"secret")
            await client.put(f"{CONTACTS}x", content=card("x"))
            paths = (
                f"{FILES}x",
                f"{CONTACTS}x",
                f"/dav/calendars/{BOB}/calendar/x.ics",
                "https://elsewhere.test/x",
                "nonsense &amp; more",
                CALENDAR,
            )
            body = f"<C:calendar-multiget><D:prop><C:calendar-data/></D:prop>{hrefs(*paths)}</C:calendar-multiget>"
            answers = Responses(await report(client, CALENDAR, body))
            assert [answers.status(path) for path in answers] == [404] * 6

    asyncio.run(work())


async def sync(client: httpx.AsyncClient, token: str = "", path: str = CALENDAR, more: str = "") -> httpx.Response:
    body = (
        f"<D:sync-collection><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>{more}"
        "<D:prop><D:getetag/></D:prop></D:sync-collection>"
    )
    return await report(client, path, body)


def token_of(answers: Responses) -> str:
    return answers.root.findtext("D:sync-token", "", NAMES)


def test_sync() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            x, y, z = (f"{CALENDAR}{name}.ics" for name in "xyz")
            for path in (x, y):
                await client.put(path, content=event(path))
            first = Responses(await sync(client))
            assert set(first) == {x, y} and first.text(x, "D:getetag")
            told = (await propfind(client, CALENDAR, "D:sync-token")).text(CALENDAR, "D:sync-token")
            assert told == token_of(first)
            assert list(Responses(await sync(client, token_of(first)))) == []
            await client.put(x, content=event(x, "Other"))
            await client.put(z, content=event(z))
            await client.delete(y)
            second = Responses(await sync(client, token_of(first)))
            assert set(second) == {x, y, z} and second.status(y) == 404
            assert list(Responses(await sync(client, token_of(second)))) == []
            await client.request("MOVE", z, headers={"destination": y})
            third = Responses(await sync(client, token_of(second)))
            assert third.status(z) == 404 and third.text(y, "D:getetag")

    asyncio.run(work())


def test_sync_in_pages() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            for number in range(5):
                await client.put(f"{CALENDAR}{number}.ics", content=event(str(number)))
            token, seen, pages = "", set(), 0
            while True:
                page = Responses(await sync(client, token, more="<D:limit><D:nresults>2</D:nresults></D:limit>"))
                pages, token = pages + 1, token_of(page)
                seen |= set(page) - {CALENDAR}
                if CALENDAR not in page:
                    break
                assert page.status(CALENDAR) == 507 and len(page) == 3
            assert pages == 3 and len(seen) == 5

    asyncio.run(work())


def test_tokens_that_were_never_told() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            mine = token_of(Responses(await sync(client)))
            number = int(mine.rpartition("-")[2])
            for token in (
                "x",
                "data:,1",
                f"{mine}x",
                mine.replace(str(number), str(number + 1000)),
                f"{mine}{'9' * 30}",
            ):
                answer = await sync(client, token)
                assert answer.status_code == 403 and failed(answer) == "D:valid-sync-token", token
            assert (await sync(client, mine, TASKS)).status_code == 403

    asyncio.run(work())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (HOME, "<D:sync-collection><D:sync-token/></D:sync-collection>"),
        (CONTACTS, f"<C:calendar-multiget>{hrefs(CONTACTS)}</C:calendar-multiget>"),
        (CALENDAR, "<A:addressbook-query><A:filter/></A:addressbook-query>"),
        (CALENDAR, "<D:principal-search-property-set/>"),
        (FILES, "<C:calendar-query/>"),
    ],
)
def test_reports_where_they_are_none(path: str, body: str) -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            answer = await report(client, path, body)
            assert answer.status_code == 403 and failed(answer) == "D:supported-report"

    asyncio.run(work())


def test_expand_property() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{CALENDAR}x.ics", content=event("x"))
            body = (
                "<D:expand-property><D:property name='owner'><D:property name='displayname'/>"
                "<D:property name='calendar-home-set' namespace='urn:ietf:params:xml:ns:caldav'>"
                "<D:property name='resourcetype'/></D:property></D:property>"
                "<D:property name='getetag'/><D:property name='nothing'/></D:expand-property>"
            )
            for path in (CALENDAR, f"{CALENDAR}x.ics"):
                answers = Responses(await report(client, path, body))
                inner = answers.prop(path, "D:owner/D:response")
                assert inner is not None and inner.findtext("D:href", "", NAMES) == PRINCIPAL
                assert inner.findtext("D:propstat/D:prop/D:displayname", "", NAMES) == "Alice"
                home = inner.find("D:propstat/D:prop/C:calendar-home-set/D:response", NAMES)
                assert home is not None and home.findtext("D:href", "", NAMES) == HOME
                assert answers.prop(path, "D:nothing", 404) is not None
            assert answers.text(f"{CALENDAR}x.ics", "D:getetag")

    asyncio.run(work())


def search(text: str, name: str = "D:displayname", more: str = "", kind: str = "") -> str:
    match = f"<D:match{kind}>{text}</D:match>"
    return (
        f"<D:principal-property-search{more}><D:property-search><D:prop><{name}/></D:prop>{match}</D:property-search>"
        "<D:prop><D:displayname/></D:prop></D:principal-property-search>"
    )


def test_principals_are_searched() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            for body, is_there in (
                (search("ALI"), True),
                (search("lice"), True),
                (search(ALICE, "S:email-address-set"), True),
                (search("lic", kind=" match-type='starts-with'"), False),
                (search("ice", kind=" match-type='ends-with'"), True),
                (search("alice", kind=" match-type='equals'"), True),
                (search("alice", "D:getetag"), False),
            ):
                answers = Responses(await report(client, "/dav/principals/users/", body))
                assert list(answers) == ([PRINCIPAL] if is_there else []), body
            body = "<D:principal-property-search test='anyof'><D:prop><D:displayname/></D:prop></D:principal-property-search>"
            assert set(Responses(await report(client, "/dav/", body))) == {PRINCIPAL, PRINCIPAL.replace(ALICE, BOB)}, (
                "all of them"
            )
            answer = await report(client, "/dav/", "<D:principal-search-property-set/>")
            assert answer.status_code == 200 and b"displayname" in answer.content
            body = "<D:principal-match><D:self/><D:prop><D:displayname/></D:prop></D:principal-match>"
            assert list(Responses(await report(client, "/dav/", body))) == [PRINCIPAL]
            body = "<D:acl-principal-prop-set><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>"
            assert list(Responses(await report(client, CALENDAR, body))) == [PRINCIPAL]
            assert list(Responses(await report(client, "/dav/", body))) == []

    asyncio.run(work())


def test_what_one_report_may_cost_is_shared_by_what_it_expands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "STEPS", 100)

    async def work() -> None:
        async with DavSite().client() as client:
            for name in ("a", "b"):
                series = event(name, name, "20260301T120000Z", "RRULE:FREQ=DAILY")
                await client.put(f"{CALENDAR}{name}.ics", content=series)
            asked = '<C:calendar-data><C:expand start="20260301T000000Z" end="20260401T000000Z"/></C:calendar-data>'
            hrefs = "".join(f"<D:href>{CALENDAR}{name}.ics</D:href>" for name in ("a", "b"))
            body = f"<C:calendar-multiget><D:prop>{asked}</D:prop>{hrefs}</C:calendar-multiget>"
            told = Responses(await report(client, CALENDAR, body))
            assert (told.text(f"{CALENDAR}a.ics", "C:calendar-data") or "").count("BEGIN:VEVENT") == 31
            assert told.status(f"{CALENDAR}b.ics") == 507
            body = "<D:sync-collection><D:sync-token/><D:sync-level>1</D:sync-level>"
            told = Responses(await report(client, CALENDAR, f"{body}<D:prop>{asked}</D:prop></D:sync-collection>"))
            assert told.status(f"{CALENDAR}b.ics") == 507

    asyncio.run(work())


def test_others_have_their_turn_between_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report about thousands of small objects with heavy rules had the loop for itself until its end."""
    monkeypatch.setattr(aside, "LONG", 0.0)

    async def work() -> None:
        served: list[str] = []
        loop = asyncio.get_running_loop()
        for name in ("a", "b"):
            loop.call_soon(served.append, "other")
            await aside.aside(b"BEGIN:VCALENDAR", partial(served.append, name))
        assert served == ["a", "other", "b", "other"]

    asyncio.run(work())


def test_rules_are_expanded_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule of forty octets takes a second and more, for which the loop stood."""
    threads: list[threading.Thread] = []
    between = Series.between

    def watched(series: Series, *arguments: Any, **more: Any) -> Iterator[Any]:
        threads.append(threading.current_thread())
        return between(series, *arguments, **more)

    monkeypatch.setattr(Series, "between", watched)
    span = 'start="20260301T000000Z" end="20260401T000000Z"'
    data = f"<D:prop><C:calendar-data><C:expand {span}/></C:calendar-data></D:prop>"
    comps = f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range {span}/></C:comp-filter></C:comp-filter>'
    reports = [
        f"<C:calendar-multiget>{data}{hrefs(f'{CALENDAR}a.ics')}</C:calendar-multiget>",
        f"<C:calendar-query>{data}<C:filter>{comps}</C:filter></C:calendar-query>",
        f"<C:free-busy-query><C:time-range {span}/></C:free-busy-query>",
    ]

    async def work() -> None:
        async with DavSite().client() as client:
            series = event("a", "a", "20260301T120000Z", "RRULE:FREQ=DAILY").replace(b"RRULE", b"rrule")
            assert (await client.put(f"{CALENDAR}a.ics", content=series)).status_code == 201
            for body in reports:
                threads.clear()
                assert (await report(client, CALENDAR, body)).status_code in (200, 207)
                assert threads and threading.main_thread() not in threads

    asyncio.run(work())
