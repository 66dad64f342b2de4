"""Time zones by reference (RFC 7809): what GET and reports bring, and the two properties of a calendar."""

from __future__ import annotations

import asyncio

from tests.services.dav.site import CALENDAR, HOME, XMLNS, DavSite, Responses, event, propfind, report

NAMED = event("a", "Lunch", "20260301T120000Z").replace(
    b"DTSTART:20260301T120000Z", b"DTSTART;TZID=Asia/Seoul:20260301T120000"
)
ZONE = "BEGIN:VTIMEZONE"


def test_a_client_says_whether_it_wants_the_zones() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            path = f"{CALENDAR}a.ics"
            tag = (await client.put(path, content=NAMED)).headers["etag"]
            for wish, there in (("", False), ("F", False), ("t", True), ("nonsense", False)):
                headers = {"caldav-timezones": wish} if wish else {}
                answer = await client.get(path, headers=headers)
                assert (ZONE in answer.text) is there and answer.headers["etag"] == tag
                assert "CalDAV-Timezones" in answer.headers["vary"]
                head = await client.head(path, headers=headers)
                assert head.headers["content-length"] == str(len(answer.content))
                data = "<D:prop><C:calendar-data/></D:prop>"
                sync = f"<D:sync-collection><D:sync-token/><D:sync-level>1</D:sync-level>{data}</D:sync-collection>"
                whole = "<C:filter><C:comp-filter name='VCALENDAR'/></C:filter>"
                for body in (
                    f"<C:calendar-multiget>{data}<D:href>{path}</D:href></C:calendar-multiget>",
                    f"<C:calendar-query>{data}{whole}</C:calendar-query>",
                    sync,
                ):
                    answers = Responses(await report(client, CALENDAR, body, **headers))
                    assert (ZONE in (answers.text(path, "C:calendar-data") or "")) is there, (wish, body)
            await client.put(path, content=(await client.get(path, headers={"caldav-timezones": "T"})).content)
            assert ZONE in (await client.get(path)).text
            assert ZONE not in (await client.get(path, headers={"caldav-timezones": "F"})).text
            assert "calendar-no-timezone" in (await client.options(CALENDAR)).headers["dav"]

    asyncio.run(work())


def test_the_name_and_the_description_of_a_calendar_s_zone_go_together() -> None:
    async def work() -> None:
        async with DavSite().client() as client:

            async def patch(inner: str) -> tuple[str | None, bool]:
                body = f"<D:propertyupdate {XMLNS}>{inner}</D:propertyupdate>"
                assert (await client.request("PROPPATCH", CALENDAR, content=body)).status_code == 207
                return await seen(CALENDAR)

            async def seen(path: str) -> tuple[str | None, bool]:
                answers = await propfind(client, path, "C:calendar-timezone-id", "C:calendar-timezone")
                text = answers.text(path, "C:calendar-timezone")
                return answers.text(path, "C:calendar-timezone-id"), text is not None and ZONE in text

            def set_(name: str, value: str) -> str:
                return f"<D:set><D:prop><C:{name}>{value}</C:{name}></D:prop></D:set>"

            assert await patch(set_("calendar-timezone-id", "Asia/Seoul")) == ("Asia/Seoul", True)
            answers = await propfind(client, CALENDAR, "C:calendar-timezone")
            text = answers.text(CALENDAR, "C:calendar-timezone") or ""
            berlin = text.replace("Asia/Seoul", "Europe/Berlin")
            assert await patch(set_("calendar-timezone", berlin)) == ("Europe/Berlin", True)
            assert await patch(set_("calendar-timezone", text.replace("Asia/Seoul", "Mine"))) == (None, True)
            assert await patch(set_("calendar-timezone-id", "W. Europe Standard Time")) == ("Europe/Berlin", True)
            assert await patch("<D:remove><D:prop><C:calendar-timezone-id/></D:prop></D:remove>") == (None, False)
            assert await patch(set_("calendar-timezone-id", "Nowhere/Land")) == (None, False)
            body = (
                f"<C:mkcalendar {XMLNS}><D:set><D:prop><C:calendar-timezone-id>Asia/Seoul</C:calendar-timezone-id>"
                "</D:prop></D:set></C:mkcalendar>"
            )
            assert (await client.request("MKCALENDAR", f"{HOME}new/", content=body)).status_code == 201
            assert await seen(f"{HOME}new/") == ("Asia/Seoul", True)

    asyncio.run(work())
