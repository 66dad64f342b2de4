"""calendar-query and free-busy-query: what the store knows decides where it can, and the content where it must.

covers: filters
"""

from __future__ import annotations

import asyncio

import httpx
import pytest

from postern.services.dav import calendar_query
from tests.services.dav.site import ALICE, BOB, CALENDAR, HOME, TASKS, DavSite, Responses, event, failed, report, todo

SEOUL = (
    "BEGIN:VCALENDAR&#13;\nBEGIN:VTIMEZONE&#13;\nTZID:Asia/Seoul&#13;\nBEGIN:STANDARD&#13;\nDTSTART:19700101T000000&#13;\n"
    "TZOFFSETFROM:+0900&#13;\nTZOFFSETTO:+0900&#13;\nEND:STANDARD&#13;\nEND:VTIMEZONE&#13;\nEND:VCALENDAR&#13;\n"
)
MARCH = "<C:time-range start='20260301T000000Z' end='20260401T000000Z'/>"


def query(inner: str, data: str = "", more: str = "", name: str = "VEVENT") -> str:
    return (
        f"<C:calendar-query><D:prop><D:getetag/>{data}</D:prop><C:filter><C:comp-filter name='VCALENDAR'>"
        f"<C:comp-filter name='{name}'>{inner}</C:comp-filter></C:comp-filter></C:filter>{more}</C:calendar-query>"
    )


async def names(client: httpx.AsyncClient, body: str, path: str = CALENDAR) -> list[str]:
    answers = Responses(await report(client, path, body))
    return sorted(href.removeprefix(path).removesuffix(".ics") for href in answers)


async def fill(client: httpx.AsyncClient) -> None:
    for name, *rest in (
        ("march", "20260310T120000Z"),
        ("april", "20260410T120000Z"),
        ("weekly", "20260101T120000Z", "RRULE:FREQ=WEEKLY"),
        ("january", "20260101T120000Z", "RRULE:FREQ=WEEKLY;COUNT=4"),
        ("day", "20260331", "LOCATION:Seoul"),
        ("floating", "20260401T020000"),
    ):
        start, *more = rest
        answer = await client.put(f"{CALENDAR}{name}.ics", content=event(name, f"The {name}", start, *more))
        assert answer.status_code == 201, answer.text


def test_time_ranges() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await fill(client)
            assert await names(client, query(MARCH)) == ["day", "march", "weekly"]
            assert await names(client, query("<C:time-range start='20260401T000000Z'/>")) == [
                "april",
                "floating",
                "weekly",
            ]
            assert await names(client, query("<C:time-range end='20260101T000000Z'/>")) == []
            instant = "<C:time-range start='20260310T123000Z' end='20260310T123001Z'/>"
            assert await names(client, query(instant)) == ["march"]
            every = ["april", "day", "floating", "january", "march", "weekly"]
            assert await names(client, query("")) == every
            assert await names(client, query("", name="VTODO")) == []

    asyncio.run(work())


def test_floating_times_are_in_the_zone_of_the_query() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await fill(client)
            for zone in (f"<C:timezone>{SEOUL}</C:timezone>", "<C:timezone-id>Asia/Seoul</C:timezone-id>"):
                assert await names(client, query(MARCH, more=zone)) == ["day", "floating", "march", "weekly"]
            body = (
                "<D:propertyupdate xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:set><D:prop>"
                f"<C:calendar-timezone>{SEOUL}</C:calendar-timezone></D:prop></D:set></D:propertyupdate>"
            )
            assert (await client.request("PROPPATCH", CALENDAR, content=body)).status_code == 207
            assert "floating" in await names(client, query(MARCH))
            zone = "<C:calendar-timezone-id>{}</C:calendar-timezone-id>"
            body = body[: body.index("<C:calendar-timezone>")] + zone + "</D:prop></D:set></D:propertyupdate>"
            answer = await client.request("PROPPATCH", CALENDAR, content=body.format("Mars/Base"))
            assert b"valid-timezone" in answer.content
            await client.request("PROPPATCH", CALENDAR, content=body.format("America/New_York"))
            assert "floating" not in await names(client, query(MARCH)), "the name goes before the text"
            for zone, precondition in (
                ("<C:timezone>nonsense</C:timezone>", "C:valid-calendar-data"),
                ("<C:timezone-id>Mars/Base</C:timezone-id>", "C:valid-timezone"),
            ):
                assert failed(await report(client, CALENDAR, query(MARCH, more=zone))) == precondition

    asyncio.run(work())


def test_filters_of_properties() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await fill(client)
            text = "<C:prop-filter name='SUMMARY'><C:text-match{}>{}</C:text-match></C:prop-filter>"
            assert await names(client, query(text.format("", "WEEK"))) == ["weekly"]
            assert await names(client, query(text.format(" collation='i;octet'", "WEEK"))) == []
            assert await names(client, query(text.format(" negate-condition='yes'", "y"))) == [
                "april",
                "floating",
                "march",
            ]
            assert await names(client, query(MARCH + text.format("", "the m"))) == ["march"]
            assert await names(client, query("<C:prop-filter name='LOCATION'/>")) == ["day"]
            undefined = "<C:prop-filter name='RRULE'><C:is-not-defined/></C:prop-filter>"
            assert await names(client, query(MARCH + undefined)) == ["day", "march"]
            answer = await report(client, CALENDAR, query(text.format(" collation='i;other'", "x")))
            assert answer.status_code == 403 and failed(answer) == "C:supported-collation"

    asyncio.run(work())


def test_tasks() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{TASKS}plain.ics", content=todo("plain"))
            due = todo("due").replace(b"DTSTART:20260301T120000Z\r\nDURATION:PT1H", b"DUE:20260501T000000Z")
            await client.put(f"{TASKS}due.ics", content=due)
            assert await names(client, query(MARCH, name="VTODO"), TASKS) == ["plain"]
            may = "<C:time-range start='20260430T000000Z' end='20260502T000000Z'/>"
            assert await names(client, query(may, name="VTODO"), TASKS) == ["due"]
            open_ = "<C:prop-filter name='COMPLETED'><C:is-not-defined/></C:prop-filter>"
            assert await names(client, query(open_, name="VTODO"), TASKS) == ["due", "plain"]

    asyncio.run(work())


def test_contents_whole_picked_and_expanded() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await fill(client)
            path = f"{CALENDAR}weekly.ics"
            answers = Responses(await report(client, CALENDAR, query(MARCH, "<C:calendar-data/>")))
            whole = str(answers.text(path, "C:calendar-data")).encode()
            assert whole == (await client.get(path)).content
            picked = (
                "<C:calendar-data><C:comp name='VCALENDAR'><C:prop name='VERSION'/><C:comp name='VEVENT'>"
                "<C:prop name='UID'/></C:comp></C:comp></C:calendar-data>"
            )
            text = str(Responses(await report(client, CALENDAR, query(MARCH, picked))).text(path, "C:calendar-data"))
            assert "UID:weekly" in text and "SUMMARY" not in text and "PRODID" not in text
            expand = "<C:calendar-data><C:expand start='20260301T000000Z' end='20260401T000000Z'/></C:calendar-data>"
            text = str(Responses(await report(client, CALENDAR, query(MARCH, expand))).text(path, "C:calendar-data"))
            assert text.count("BEGIN:VEVENT") == 4 and "RRULE" not in text and "20260305T120000Z" in text
            body = f"<C:calendar-multiget><D:prop>{expand}</D:prop><D:href>{path}</D:href></C:calendar-multiget>"
            assert Responses(await report(client, CALENDAR, body)).text(path, "C:calendar-data") == text

    asyncio.run(work())


FILTER = "<C:calendar-query><C:filter>{}</C:filter></C:calendar-query>"


@pytest.mark.parametrize(
    ("body", "precondition"),
    [
        ("<C:calendar-query/>", "C:valid-filter"),
        (FILTER.format(""), "C:valid-filter"),
        (FILTER.format("<C:comp-filter name='VEVENT'/>"), "C:valid-filter"),
        (FILTER.format("<C:comp-filter/>"), "C:valid-filter"),
        (FILTER.format("<C:comp-filter name='VCALENDAR'/>" * 2), "C:valid-filter"),
        (query("<C:time-range/>"), "C:valid-filter"),
        (query("<C:time-range start='yesterday'/>"), "C:valid-filter"),
        (query("<C:time-range start='20260301T000000'/>"), "C:valid-filter"),
        (query("<C:time-range start='20260301'/>"), "C:valid-filter"),
        (query("<C:time-range start='20260301T000000Z' end='20260201T000000Z'/>"), "C:valid-filter"),
        (query("<C:prop-filter/>"), "C:valid-filter"),
        (query("<C:prop-filter name='SUMMARY'/>" * 70), "C:valid-filter"),
        (query(f"<C:prop-filter name='A'><C:text-match>{'x' * 2000}</C:text-match></C:prop-filter>"), "C:valid-filter"),
        (query("", "<C:calendar-data version='1.0'/>"), "C:supported-calendar-data"),
        (query("", "<C:calendar-data content-type='text/x'/>"), "C:supported-calendar-data"),
        (query("", "<C:calendar-data><C:expand start='20260301T000000Z'/></C:calendar-data>"), "C:valid-filter"),
        (query("", f"<C:calendar-data>{'<C:x/>' * 300}</C:calendar-data>"), "C:valid-filter"),
    ],
)
def test_queries_that_are_none(body: str, precondition: str) -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            answer = await report(client, CALENDAR, body)
            assert answer.status_code == 403 and failed(answer) == precondition

    asyncio.run(work())


def test_rules_that_take_too_long_end_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        monkeypatch.setattr(calendar_query, "STEPS", 100)
        async with DavSite().client() as client:
            for number in range(5):
                rule = "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"
                await client.put(f"{CALENDAR}{number}.ics", content=event(str(number), "x", "20260101T120000Z", rule))
            answers = Responses(await report(client, CALENDAR, query(MARCH)))
            assert answers.status(CALENDAR) == 507

    asyncio.run(work())


def test_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        monkeypatch.setattr(calendar_query, "PAGE", 2)
        monkeypatch.setattr(calendar_query, "BATCH", 1)
        async with DavSite().client() as client:
            await fill(client)
            assert await names(client, query(MARCH)) == ["day", "march", "weekly"]
            assert len(await names(client, query(""))) == 6
            assert await names(client, query("<C:prop-filter name='LOCATION'/>", "<C:calendar-data/>")) == ["day"]

    asyncio.run(work())


def test_free_busy() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await fill(client)
            tentative, free = "STATUS:TENTATIVE", "TRANSP:TRANSPARENT"
            await client.put(f"{CALENDAR}maybe.ics", content=event("maybe", "x", "20260311T120000Z", tentative))
            await client.put(f"{CALENDAR}free.ics", content=event("free", "x", "20260312T180000Z", free))
            own = f"ORGANIZER:mailto:{BOB}\r\nATTENDEE;PARTSTAT=%s:mailto:post.{ALICE}"
            single, series = own % "DECLINED", own % "DECLINED" + "\r\nRRULE:FREQ=DAILY;COUNT=3"
            await client.put(f"{CALENDAR}no.ics", content=event("no", "x", "20260313T120000Z", single))
            await client.put(f"{CALENDAR}nos.ics", content=event("nos", "x", "20260314T120000Z", series))
            asked = own % "NEEDS-ACTION"
            await client.put(f"{CALENDAR}asked.ics", content=event("asked", "x", "20260318T120000Z", asked))
            body = f"<C:free-busy-query>{MARCH}</C:free-busy-query>"
            answer = await report(client, CALENDAR, body, depth="1")
            assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/calendar")
            times = [line for line in answer.text.splitlines() if line.startswith("FREEBUSY")]
            assert "FREEBUSY;FBTYPE=BUSY:20260310T120000Z/20260310T130000Z" in times
            assert "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260311T120000Z/20260311T130000Z" in times
            weekly = [line for line in times if "T120000Z/" in line and line.split("FBTYPE=")[1].startswith("BUSY:")]
            assert "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260318T120000Z/20260318T130000Z" in times
            assert not any(f"202603{day}T" in line for line in times for day in (13, 14, 15)), (
                "what is declined is free"
            )
            assert len(weekly) == 5, "four of the series, and one by itself"
            assert not any("20260312T18" in line for line in times)
            assert (await report(client, HOME, body)).status_code == 403
            assert (await report(client, CALENDAR, body.replace("20260301T000000Z", "x"))).status_code == 403

    asyncio.run(work())
