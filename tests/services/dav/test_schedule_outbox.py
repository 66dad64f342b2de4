"""Schedule inbox and outbox, and asking by the outbox when others are busy (RFC 6638 sections 2, 5 and 6).

covers: busy, octets, schedule_markup
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from xml.etree import ElementTree

import httpx
import pytest

from postern.model.item_store import RenderedItem
from postern.services.mailbox.schedule_inbox import INBOX_CLASS
from tests.services.dav.site import (
    ALICE,
    BOB,
    CALENDAR,
    HOME,
    NAMES,
    PRINCIPAL,
    XMLNS,
    DavSite,
    Responses,
    event,
    guid_of,
    propfind,
    report,
)

INBOX, OUTBOX = f"{HOME}inbox/", f"{HOME}outbox/"
BOBS = f"/dav/calendars/{BOB}/calendar/"
FREE_BUSY = {"content-type": "text/calendar"}


def request(*who: str, organizer: str = ALICE, start: str = "20260301T000000Z", end: str = "20260302T000000Z") -> bytes:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//x//x//EN",
        "METHOD:REQUEST",
        "BEGIN:VFREEBUSY",
        "UID:f1",
        "DTSTAMP:20260101T000000Z",
        f"DTSTART:{start}",
        f"DTEND:{end}",
        f"ORGANIZER:mailto:{organizer}",
        *[f"ATTENDEE:mailto:{address}" for address in who],
        "END:VFREEBUSY",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(lines).encode()


def answers(answer: httpx.Response) -> dict[str, tuple[str, list[str]]]:
    """By recipient, the status and the lines of busy time."""
    assert answer.status_code == 200, answer.text
    told = {}
    for each in ElementTree.fromstring(answer.content).findall("C:response", NAMES):
        data = (each.findtext("C:calendar-data", "", NAMES)).splitlines()
        recipient = each.findtext("C:recipient/D:href", "", NAMES)
        told[recipient] = each.findtext("C:request-status", "", NAMES), [x for x in data if x.startswith("FREEBUSY")]
    return told


def work(steps: Callable[[DavSite, httpx.AsyncClient, httpx.AsyncClient], Awaitable[None]]) -> None:
    async def all_steps() -> None:
        site = DavSite()
        async with site.client(ALICE) as alice, site.client(BOB) as bob:
            await steps(site, alice, bob)

    asyncio.run(all_steps())


def test_a_principal_names_inbox_and_outbox() -> None:
    async def steps(site: DavSite, alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
        names = ("schedule-inbox-URL", "schedule-outbox-URL", "calendar-user-address-set", "calendar-user-type")
        told = await propfind(alice, PRINCIPAL, *[f"C:{name}" for name in names])
        assert told.hrefs(PRINCIPAL, "C:schedule-inbox-URL") == [INBOX]
        assert told.hrefs(PRINCIPAL, "C:schedule-outbox-URL") == [OUTBOX]
        assert told.hrefs(PRINCIPAL, "C:calendar-user-address-set") == [f"mailto:{ALICE}", f"mailto:post.{ALICE}"]
        assert told.text(PRINCIPAL, "C:calendar-user-type") == "INDIVIDUAL"
        options = await alice.request("OPTIONS", HOME)
        assert "calendar-auto-schedule" in options.headers["dav"]
        assert "calendar-auto-schedule" not in (await alice.request("OPTIONS", f"/dav/files/{ALICE}/")).headers["dav"]

    work(steps)


@pytest.mark.parametrize(
    ("path", "kind", "privileges"),
    [
        (INBOX, "inbox", ["deliver", "deliver-invite", "deliver-reply", "query-freebusy"]),
        (OUTBOX, "outbox", ["send", "send-invite", "send-reply", "send-freebusy"]),
    ],
)
def test_inbox_and_outbox_are_collections(path: str, kind: str, privileges: list[str]) -> None:
    async def steps(site: DavSite, alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
        names = (
            "D:resourcetype",
            "D:displayname",
            "D:owner",
            "D:current-user-privilege-set",
            "D:supported-privilege-set",
        )
        told = await propfind(alice, path, *names, "C:supported-calendar-component-set", "C:max-resource-size")
        types = told.prop(path, "D:resourcetype")
        assert types is not None and [each.tag.partition("}")[2] for each in types] == [
            "collection",
            f"schedule-{kind}",
        ]
        assert told.text(path, "D:displayname") == f"Schedule {kind}"
        for name in names[3:]:
            element = told.prop(path, name)
            assert element is not None
            has = {each.tag.partition("}")[2] for each in element.iter()}
            assert {f"schedule-{privilege}" for privilege in privileges} <= has
        assert (await alice.delete(path)).status_code == 403
        assert (await alice.put(f"{path}x.ics", content=event("x"))).status_code in (403, 409)
        assert (await alice.request("MKCALENDAR", path)).status_code == 405
        assert (await bob.request("PROPFIND", path, headers={"depth": "0"})).status_code == 404
        assert (await bob.post(path, content=request(BOB), headers=FREE_BUSY)).status_code == 404
        assert (await propfind(alice, path, "D:getetag", depth="1")).keys() == {path}

    work(steps)


def test_the_inbox_tells_the_default_calendar_and_is_made_once() -> None:
    async def steps(site: DavSite, alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
        told = await propfind(alice, INBOX, "C:schedule-default-calendar-URL")
        assert told.hrefs(INBOX, "C:schedule-default-calendar-URL") == [CALENDAR]
        home = await propfind(alice, HOME, "D:resourcetype", depth="1")
        assert list(home).count(INBOX) == 1
        await propfind(alice, INBOX, "D:resourcetype")
        nodes = await site.mailboxes.tree(guid_of(ALICE))
        assert sum(node.folder_class == INBOX_CLASS for node in nodes) == 1

    work(steps)


def test_messages_in_the_inbox_are_read_and_deleted() -> None:
    async def steps(site: DavSite, alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
        await propfind(alice, INBOX, "D:resourcetype")
        mailbox = guid_of(ALICE)
        inbox = next(node.id for node in await site.mailboxes.tree(mailbox) if node.folder_class == INBOX_CLASS)
        message = event("m1", "Talk").replace(b"VERSION:2.0", b"VERSION:2.0\r\nMETHOD:REQUEST")
        await site.mailboxes.put(mailbox, inbox, "7.ics", message, "IPM.Appointment", RenderedItem(uid="m1"))
        got = await alice.get(f"{INBOX}7.ics")
        assert got.content == message and "schedule-tag" not in got.headers
        body = "<D:sync-collection><D:sync-token/><D:prop><D:getetag/></D:prop></D:sync-collection>"
        assert f"{INBOX}7.ics" in Responses(await report(alice, INBOX, body))
        query = (
            "<C:calendar-query><D:prop><C:calendar-data/></D:prop>"
            '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
        )
        assert "METHOD:REQUEST" in (await report(alice, INBOX, query)).text
        headers = {"destination": f"{CALENDAR}x.ics"}
        assert (await alice.request("MOVE", f"{INBOX}7.ics", headers=headers)).status_code == 403
        assert (await alice.put(f"{CALENDAR}m1.ics", content=event("m1"))).status_code == 201, "another folder"
        assert (await alice.delete(f"{INBOX}7.ics")).status_code == 204

    work(steps)


def test_free_busy_of_others() -> None:
    async def steps(site: DavSite, alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
        await bob.put(f"{BOBS}a.ics", content=event("a", "Secret", "20260301T120000Z"))
        await bob.put(f"{BOBS}b.ics", content=event("b", "Daily", "20260201T150000Z", "RRULE:FREQ=DAILY"))
        await bob.put(f"{BOBS}c.ics", content=event("c", "Free", "20260301T170000Z", "TRANSP:TRANSPARENT"))
        asked = await alice.post(OUTBOX, content=request(BOB, "nobody@example.test", ALICE), headers=FREE_BUSY)
        assert "Secret" not in asked.text and "UID:f1" in asked.text and "METHOD:REPLY" in asked.text
        assert answers(asked) == {
            f"mailto:{BOB}": (
                "2.0;Success",
                [
                    "FREEBUSY;FBTYPE=BUSY:20260301T120000Z/20260301T130000Z",
                    "FREEBUSY;FBTYPE=BUSY:20260301T150000Z/20260301T160000Z",
                ],
            ),
            "mailto:nobody@example.test": ("3.7;Invalid calendar user", []),
            f"mailto:{ALICE}": ("2.0;Success", []),
        }

    work(steps)


def test_a_transparent_calendar_does_not_count() -> None:
    async def steps(site: DavSite, alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
        await alice.put(f"{CALENDAR}a.ics", content=event("a"))
        told = await propfind(alice, CALENDAR, "C:schedule-calendar-transp")
        assert told.prop(CALENDAR, "C:schedule-calendar-transp/C:opaque") is not None

        def change(value: str) -> str:
            inner = f"<C:schedule-calendar-transp><C:{value}/></C:schedule-calendar-transp>"
            return f"<D:propertyupdate {XMLNS}><D:set><D:prop>{inner}</D:prop></D:set></D:propertyupdate>"

        refused = await alice.request("PROPPATCH", CALENDAR, content=change("other"))
        assert " 403 " in refused.text
        await alice.request("PROPPATCH", CALENDAR, content=change("transparent"))
        told = await propfind(alice, CALENDAR, "C:schedule-calendar-transp")
        assert told.prop(CALENDAR, "C:schedule-calendar-transp/C:transparent") is not None
        asked = await alice.post(OUTBOX, content=request(ALICE), headers=FREE_BUSY)
        assert answers(asked)[f"mailto:{ALICE}"] == ("2.0;Success", [])

    work(steps)


def test_other_calendars_of_others_are_not_told() -> None:
    async def steps(site: DavSite, alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
        await bob.request("MKCALENDAR", f"/dav/calendars/{BOB}/hidden/")
        await bob.put(f"/dav/calendars/{BOB}/hidden/a.ics", content=event("a"))
        asked = await alice.post(OUTBOX, content=request(BOB), headers=FREE_BUSY)
        assert answers(asked)[f"mailto:{BOB}"] == ("2.0;Success", [])
        own = await bob.post(f"/dav/calendars/{BOB}/outbox/", content=request(BOB, organizer=BOB), headers=FREE_BUSY)
        assert len(answers(own)[f"mailto:{BOB}"][1]) == 1

    work(steps)


def test_somebody_whose_server_is_away() -> None:
    async def steps(site: DavSite, alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
        await propfind(bob, BOBS, "D:getetag")
        mailbox = site.mailboxes._mailboxes.pop(guid_of(BOB))
        asked = await alice.post(OUTBOX, content=request(BOB), headers=FREE_BUSY)
        assert answers(asked)[f"mailto:{BOB}"] == ("2.0;Success", []), "nobody has opened it"
        site.mailboxes._mailboxes[guid_of(BOB)] = mailbox

    work(steps)


@pytest.mark.parametrize(
    ("content", "kind", "precondition"),
    [
        (request(BOB), "text/plain", "supported-calendar-data"),
        (b"nothing", "text/calendar", "valid-calendar-data"),
        (request(BOB, organizer=BOB), "text/calendar", "valid-organizer"),
        (request(), "text/calendar", "valid-scheduling-message"),
        (request(BOB, start="20260303T000000Z"), "text/calendar", "valid-scheduling-message"),
        (request(BOB).replace(b"METHOD:REQUEST\r\n", b""), "text/calendar", "valid-scheduling-message"),
        (event("x"), "text/calendar", "valid-scheduling-message"),
        (request(*[f"a{number}@x.test" for number in range(101)]), "text/calendar", "max-attendees-per-instance"),
    ],
)
def test_what_is_no_request(content: bytes, kind: str, precondition: str) -> None:
    async def steps(site: DavSite, alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
        answer = await alice.post(OUTBOX, content=content, headers={"content-type": kind})
        assert answer.status_code == 403 and precondition in answer.text

    work(steps)
