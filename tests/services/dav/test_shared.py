"""Others' calendars and address books: where they are found, and what each right allows.

covers: guarded, privileges
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postern.model.folders import EVERYBODY, FolderKind, Right
from postern.model.mailbox import MailboxError
from postern.model.sharing import FREE_BUSY, ROLES
from postern.services.dav.application import METHODS
from tests.services.dav.site import (
    ALICE,
    BOB,
    CALENDAR,
    CONTACTS,
    FILES,
    HOME,
    PRINCIPAL,
    TASKS,
    XMLNS,
    DavSite,
    Responses,
    card,
    event,
    failed,
    guid_of,
    propfind,
    report,
)

BOBS_HOME = f"/dav/calendars/{BOB}/"
MOUNTED = f"{BOBS_HOME}~{ALICE}~calendar/"
BOBS_PRINCIPAL = f"/dav/principals/users/{BOB}/"
PRIVATE = event("p", "secret", "20260302T120000Z", "CLASS:PRIVATE")
PRIVATE_OCCURRENCE = event("s", "open", "20260302T120000Z", "RRULE:FREQ=DAILY;COUNT=3").replace(
    b"END:VCALENDAR",
    b"BEGIN:VEVENT\r\nUID:s\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20260303T120000Z\r\nDTSTART:20260303T130000Z\r\n"
    b"SUMMARY:secret\r\nCLASS:PRIVATE\r\nEND:VEVENT\r\nEND:VCALENDAR",
)
COLOUR = (
    f"<D:propertyupdate {XMLNS}><D:set><D:prop><I:calendar-color>#f00</I:calendar-color></D:prop></D:set>"
    f"</D:propertyupdate>"
).encode()
QUERY = (
    f"<C:calendar-query {XMLNS}><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name='VCALENDAR'/></C:filter>"
    f"</C:calendar-query>"
).encode()
GRANT = (
    f"<D:acl {XMLNS}><D:ace><D:principal><D:href>{BOBS_PRINCIPAL}</D:href></D:principal>"
    f"<D:grant><D:privilege><D:all/></D:privilege></D:grant></D:ace></D:acl>"
).encode()
BUSY = '<C:free-busy-query><C:time-range start="20260301T000000Z" end="20260401T000000Z"/></C:free-busy-query>'


async def grant(site: DavSite, rights: Right | None, kind: FolderKind = FolderKind.CALENDAR, to: Any = None) -> None:
    alice = guid_of(ALICE)
    await site.mailboxes.logon(alice)
    node = next(node for node in await site.mailboxes.tree(alice) if node.kind is kind)
    await site.sharing.set_rights(site.recipients.known[ALICE], node.id, to or guid_of(BOB), rights)


def test_a_shared_calendar_is_listed_in_the_own_home_and_is_the_same() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as alice, site.client(BOB) as bob:
            await alice.put(f"{CALENDAR}a.ics", content=event("a"))
            assert MOUNTED not in await propfind(bob, BOBS_HOME, depth="1")
            await grant(site, ROLES["editor"])
            names = ("D:owner", "D:displayname", "D:current-user-principal", "D:sync-token")
            listed = await propfind(bob, BOBS_HOME, *names, depth="1")
            assert set(listed) == {BOBS_HOME, f"{BOBS_HOME}calendar/", f"{BOBS_HOME}tasks/", MOUNTED}
            assert listed.hrefs(MOUNTED, "D:owner") == [PRINCIPAL]
            assert listed.hrefs(MOUNTED, "D:current-user-principal") == [BOBS_PRINCIPAL]
            assert listed.text(MOUNTED, "D:displayname") == "Calendar (Alice)"
            direct = await propfind(bob, CALENDAR, *names, "D:getetag", depth="1")
            assert set(direct) == {CALENDAR, f"{CALENDAR}a.ics"}
            mounted = await propfind(bob, MOUNTED, *names, "D:getetag", depth="1")
            assert set(mounted) == {MOUNTED, f"{MOUNTED}a.ics"}
            assert direct.text(CALENDAR, "D:sync-token") == mounted.text(MOUNTED, "D:sync-token")
            etag = direct.text(f"{CALENDAR}a.ics", "D:getetag")
            assert etag == mounted.text(f"{MOUNTED}a.ics", "D:getetag")
            answer = await bob.put(f"{MOUNTED}a.ics", content=event("a", "Dinner"), headers={"if-match": etag or ""})
            assert answer.status_code == 204
            assert b"Dinner" in (await alice.get(f"{CALENDAR}a.ics")).content
            assert (await bob.put(f"{CALENDAR}b.ics", content=event("b"))).status_code == 201
            for path in (MOUNTED, CALENDAR):
                body = (
                    f"<C:calendar-multiget><D:prop><C:calendar-data/></D:prop>"
                    f"<D:href>{path}b.ics</D:href><D:href>{path.replace('@', '%40')}a.ics</D:href>"
                    f"<D:href>{BOBS_HOME}calendar/b.ics</D:href></C:calendar-multiget>"
                )
                found = Responses(await report(bob, path, body))
                assert found.prop(f"{path}b.ics", "C:calendar-data") is not None
                assert found.prop(f"{path}a.ics", "C:calendar-data") is not None
                assert found.status(f"{BOBS_HOME}calendar/b.ics") == 404
            moved = await bob.request("MOVE", f"{MOUNTED}b.ics", headers={"destination": f"{MOUNTED}c.ics"})
            assert moved.status_code == 201
            moved = await bob.request("MOVE", f"{MOUNTED}c.ics", headers={"destination": f"{BOBS_HOME}calendar/c.ics"})
            assert moved.status_code == 403
            assert (await bob.delete(f"{MOUNTED}c.ics")).status_code == 204
            assert (await bob.delete(MOUNTED)).status_code == 403
            assert (await bob.request("MKCALENDAR", f"{HOME}new/")).status_code == 403
            await grant(site, None)
            assert (await bob.get(f"{MOUNTED}a.ics")).status_code == 404

    asyncio.run(work())


def test_what_a_group_has_and_what_everybody_has() -> None:
    async def work() -> None:
        site = DavSite()
        team = guid_of("team@example.test")
        async with site.client() as alice, site.client(BOB) as bob:
            await alice.put(f"{CONTACTS}a.vcf", content=card("a"))
            await grant(site, ROLES["reviewer"], FolderKind.CONTACTS, EVERYBODY)
            mounted = f"/dav/addressbooks/{BOB}/~{ALICE}~contacts/"
            assert mounted in await propfind(bob, f"/dav/addressbooks/{BOB}/", depth="1")
            assert (await bob.get(f"{mounted}a.vcf")).content == card("a")
            assert (await bob.put(f"{mounted}b.vcf", content=card("b"))).status_code == 403
            await grant(site, Right(0), FolderKind.CONTACTS, team)
            site.recipients.groups[guid_of(BOB)] = (team,)
            fresh = DavSite()  # which remembers nothing of his groups
            fresh.mailboxes, fresh.recipients.groups = site.mailboxes, site.recipients.groups
            async with fresh.client(BOB) as again:
                assert (await again.get(f"{CONTACTS}a.vcf")).status_code == 404

    asyncio.run(work())


@pytest.mark.parametrize(
    ("role", "privileges"),
    [
        ("reviewer", {"read-current-user-privilege-set", "read", "read-free-busy"}),
        ("contributor", {"read-current-user-privilege-set", "bind"}),
        ("author", {"read-current-user-privilege-set", "read", "bind", "read-free-busy"}),
        (
            "editor",
            {"read-current-user-privilege-set", "read", "bind", "unbind", "write-content", "read-free-busy"},
        ),
    ],
)
def test_privileges_say_what_may_be_done(role: str, privileges: set[str]) -> None:
    async def work() -> None:
        site = DavSite()
        await grant(site, ROLES[role])
        async with site.client() as alice, site.client(BOB) as bob:
            await alice.put(f"{CALENDAR}a.ics", content=event("a"))
            told = (await propfind(bob, MOUNTED, "D:current-user-privilege-set")).prop(
                MOUNTED, "D:current-user-privilege-set"
            )
            assert told is not None
            assert {each[0].tag.partition("}")[2] for each in told} == privileges
            statuses = {
                "read": (await bob.get(f"{MOUNTED}a.ics")).status_code == 200,
                "bind": (await bob.put(f"{MOUNTED}b.ics", content=event("b"))).status_code == 201,
                "write-content": (await bob.put(f"{MOUNTED}a.ics", content=event("a", "x"))).status_code == 204,
                "unbind": (await bob.delete(f"{MOUNTED}a.ics")).status_code == 204,
            }
            assert statuses == {name: name in privileges for name in statuses}
            assert (await bob.request("PROPPATCH", MOUNTED, content=COLOUR)).status_code == 403

    asyncio.run(work())


def test_private_appointments_are_hidden_and_not_written_over() -> None:
    async def work() -> None:
        site = DavSite()
        await grant(site, ROLES["editor"])
        async with site.client() as alice, site.client(BOB) as bob:
            await alice.put(f"{CALENDAR}a.ics", content=event("a"))
            await alice.put(f"{CALENDAR}p.ics", content=PRIVATE)
            assert set(await propfind(bob, MOUNTED, depth="1")) == {MOUNTED, f"{MOUNTED}a.ics"}
            sync = (
                "<D:sync-collection><D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level></D:sync-collection>"
            )
            first = Responses(await report(bob, MOUNTED, sync.format("")))
            assert set(first) == {f"{MOUNTED}a.ics"}
            answer = await bob.request("REPORT", MOUNTED, content=QUERY)
            assert b"secret" not in answer.content and b"UID:a" in answer.content
            assert (await bob.get(f"{MOUNTED}p.ics")).status_code == 404
            for attempt in (
                bob.put(f"{MOUNTED}p.ics", content=event("p")),
                bob.put(f"{MOUNTED}p.ics", content=event("p"), headers={"if-none-match": "*"}),
                bob.request("MOVE", f"{MOUNTED}a.ics", headers={"destination": f"{MOUNTED}p.ics"}),
            ):
                assert (await attempt).status_code == 403
            assert (await bob.delete(f"{MOUNTED}p.ics")).status_code == 404
            conflict = await bob.put(f"{MOUNTED}other.ics", content=event("p"))
            assert conflict.status_code == 403 and failed(conflict) == "C:no-uid-conflict"
            assert (await alice.get(f"{CALENDAR}p.ics")).content == PRIVATE
            # One that becomes private is gone for those who had it.
            await alice.put(f"{CALENDAR}a.ics", content=event("a", "secret", "20260301T120000Z", "CLASS:CONFIDENTIAL"))
            token = first.root.findtext("{DAV:}sync-token", "")
            second = Responses(await report(bob, MOUNTED, sync.format(token)))
            assert second.status(f"{MOUNTED}a.ics") == 404
            # The time is taken all the same.
            busy = await report(bob, MOUNTED, BUSY)
            assert b"20260302T120000Z" in busy.content and b"secret" not in busy.content
            await grant(site, ROLES["owner"])
            assert (await bob.get(f"{MOUNTED}p.ics")).content == PRIVATE

    asyncio.run(work())


def test_everybody_may_ask_when_somebody_is_busy_and_nothing_else() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as alice, site.client(BOB) as bob:
            await alice.put(f"{CALENDAR}a.ics", content=event("a"))
            answer = await report(bob, CALENDAR, BUSY)
            assert answer.status_code == 200 and b"FREEBUSY" in answer.content and b"UID:a" not in answer.content
            for path in (CALENDAR, HOME):
                assert (await bob.request("PROPFIND", path, headers={"depth": "0"})).status_code == 404
            assert (await report(bob, TASKS, BUSY)).status_code == 404
            await grant(site, Right(0), to=EVERYBODY)
            assert (await report(bob, CALENDAR, BUSY)).status_code == 404
            await grant(site, ROLES["free-busy-details"])
            assert (await report(bob, CALENDAR, BUSY)).status_code == 200
            assert (await bob.request("PROPFIND", CALENDAR, headers={"depth": "0"})).status_code == 404

    asyncio.run(work())


def test_full_access_is_found_as_a_delegate_finds_it() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as alice, site.client(BOB) as bob:
            await alice.put(f"{CALENDAR}p.ics", content=PRIVATE)
            await alice.put(f"{FILES}a.txt", content=b"text")
            await site.sharing.set_full_access(site.recipients.known[ALICE], guid_of(BOB), True)
            proxy = "S:calendar-proxy-write-for"
            told = await propfind(bob, BOBS_PRINCIPAL, proxy, "C:calendar-home-set")
            assert told.hrefs(BOBS_PRINCIPAL, proxy) == [PRINCIPAL]
            body = (
                "<D:expand-property><D:property name='calendar-proxy-write-for' namespace='http://calendarserver.org/ns/'>"
                "<D:property name='calendar-home-set' namespace='urn:ietf:params:xml:ns:caldav'/></D:property>"
                "</D:expand-property>"
            )
            assert HOME.encode() in (await report(bob, BOBS_PRINCIPAL, body)).content
            assert (await propfind(bob, PRINCIPAL, "C:calendar-home-set")).hrefs(PRINCIPAL, "C:calendar-home-set") == [
                HOME
            ]
            assert MOUNTED not in await propfind(bob, BOBS_HOME, depth="1")
            assert CALENDAR in await propfind(bob, HOME, depth="1")
            assert (await bob.get(f"{CALENDAR}p.ics")).content == PRIVATE
            assert (await bob.get(f"{FILES}a.txt")).content == b"text"
            assert (await bob.put(f"{FILES}b.txt", content=b"more")).status_code == 201
            assert (await bob.request("MKCALENDAR", f"{HOME}new/")).status_code == 201
            assert (await bob.delete(f"{HOME}new/")).status_code == 204
            assert (await bob.get(f"{BOBS_HOME}calendar/p.ics")).status_code == 404

    asyncio.run(work())


def test_an_author_changes_and_removes_what_he_has_made() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as alice, site.client(BOB) as bob:
            await alice.put(f"{CALENDAR}a.ics", content=event("a"))
            await grant(site, ROLES["author"])
            mine, hers = f"{MOUNTED}b.ics", f"{MOUNTED}a.ics"
            assert (await bob.put(mine, content=event("b"))).status_code == 201
            assert (await bob.put(mine, content=event("b", "Dinner"))).status_code == 204
            assert (await bob.put(hers, content=event("a", "Dinner"))).status_code == 403
            answer = await bob.request("PROPPATCH", hers, content=COLOUR)
            assert (answer.status_code, failed(answer)) == (403, "D:need-privileges")
            assert not await site.mailboxes.property_names(guid_of(ALICE))
            assert "200 OK" in (await bob.request("PROPPATCH", mine, content=COLOUR)).text
            assert (await bob.delete(hers)).status_code == 403
            # The owner changes it, and it stays his.
            assert (await alice.put(f"{CALENDAR}b.ics", content=event("b", "Breakfast"))).status_code == 204
            await grant(site, ROLES["nonediting-author"])
            assert (await bob.put(mine, content=event("b", "Supper"))).status_code == 403
            assert (await bob.delete(mine)).status_code == 204

    asyncio.run(work())


def test_those_who_share_are_found_by_their_names() -> None:
    async def work() -> None:
        site = DavSite()
        search = (
            "<D:principal-property-search><D:property-search><D:prop><D:displayname/></D:prop><D:match>ali</D:match>"
            "</D:property-search><D:prop><C:calendar-home-set/><A:addressbook-home-set/></D:prop>"
            "</D:principal-property-search>"
        )
        async with site.client(BOB) as bob:
            found = Responses(await report(bob, "/dav/principals/", search))
            assert found.prop(PRINCIPAL, "A:addressbook-home-set") is None
            await grant(site, ROLES["reviewer"])
            found = Responses(await report(bob, "/dav/principals/", search))
            assert found.hrefs(PRINCIPAL, "C:calendar-home-set") == [HOME] and len(found) == 1
            assert found.prop(PRINCIPAL, "A:addressbook-home-set") is not None
            listed = await propfind(bob, HOME, "D:resourcetype", depth="1")
            assert set(listed) == {HOME, CALENDAR}

    asyncio.run(work())


def test_a_server_that_does_not_answer_hides_what_is_shared_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        site = DavSite()
        await grant(site, ROLES["reviewer"])

        async def away(*_: Any) -> Any:
            raise MailboxError("UNAVAILABLE", "away")

        async with site.client(BOB) as bob:
            assert MOUNTED in await propfind(bob, BOBS_HOME, depth="1")
            monkeypatch.setattr(site.sharing, "shared", away)
            assert set(await propfind(bob, BOBS_HOME, depth="1")) == {
                BOBS_HOME,
                f"{BOBS_HOME}calendar/",
                f"{BOBS_HOME}tasks/",
            }
            monkeypatch.setattr(site.sharing, "rights", away)
            assert (await bob.get(f"{MOUNTED}a.ics")).status_code == 503

    asyncio.run(work())


def test_a_delegate_invites_only_where_he_may_send_on_behalf() -> None:
    async def work() -> None:
        site = DavSite()
        await grant(site, ROLES["editor"])
        meeting = event("m", "Plans", "20300301T120000Z", f"ORGANIZER:mailto:{ALICE}", "ATTENDEE:mailto:c@other.test")
        async with site.client(BOB) as bob:
            answer = await bob.put(f"{MOUNTED}m.ics", content=meeting)
            assert answer.status_code == 403 and failed(answer) == "D:need-privileges"
            assert await outbox(site) == []
            alice = site.recipients.known[ALICE]
            site.recipients.known[ALICE] = replace(alice, delegates=(BOB,))
            assert (await bob.put(f"{MOUNTED}m.ics", content=meeting)).status_code == 201
            (letter,) = await outbox(site)
            assert b"To: <c@other.test>" in letter and b"From: <alice@" in letter
            await grant(site, ROLES["reviewer"])
            assert (await bob.delete(f"{MOUNTED}m.ics")).status_code == 403
            assert len(await outbox(site)) == 1, "no letter stays behind"
            for segment in ("inbox", "outbox"):
                for path in (f"{HOME}{segment}/", f"{BOBS_HOME}~{ALICE}~{segment}/"):
                    assert (await bob.request("PROPFIND", path, headers={"depth": "0"})).status_code == 404
                    assert (await bob.post(path, content=b"")).status_code == 404

    asyncio.run(work())


def test_who_leaves_a_shared_calendar_ends_nothing_in_it() -> None:
    """Programs send DELETE for a shared calendar that their user does not want to see any more."""

    async def work() -> None:
        site = DavSite()
        meeting = event("m", "Plans", "20300301T120000Z", f"ORGANIZER:mailto:{ALICE}", "ATTENDEE:mailto:c@other.test")
        alice = site.recipients.known[ALICE]
        site.recipients.known[ALICE] = replace(alice, delegates=(BOB,))
        async with site.client() as owner, site.client(BOB) as bob:
            assert (await owner.request("MKCALENDAR", f"{HOME}plans/")).status_code == 201
            assert (await owner.put(f"{HOME}plans/m.ics", content=meeting)).status_code == 201
            node = next(node for node in await site.mailboxes.tree(guid_of(ALICE)) if node.name == "plans")
            await site.sharing.set_rights(alice, node.id, guid_of(BOB), ROLES["editor"])
            sent = len(await outbox(site))
            for path in (f"{HOME}plans/", f"{BOBS_HOME}~{ALICE}~plans/"):
                answer = await bob.delete(path)
                assert answer.status_code == 403 and failed(answer) == "D:need-privileges"
            assert (await bob.get(f"{HOME}plans/m.ics")).status_code == 200 and len(await outbox(site)) == sent

    asyncio.run(work())


async def outbox(site: DavSite) -> list[bytes]:
    """The letters in alice's outbox."""
    nodes = await site.mailboxes.tree(guid_of(ALICE))
    folder = next(node.id for node in nodes if node.kind is FolderKind.OUTBOX)
    created = (await site.mailboxes.changes(guid_of(ALICE), folder, 0)).created
    return [item.content or b"" for item in await site.mailboxes.get(guid_of(ALICE), created, True)]


# Exactly what is granted, whatever is asked

PATHS = (
    *(CALENDAR, f"{CALENDAR}a.ics", f"{CALENDAR}p.ics", f"{CALENDAR}new.ics"),
    *(MOUNTED, f"{MOUNTED}a.ics", f"{MOUNTED}p.ics", f"{MOUNTED}new.ics"),
    *(HOME, TASKS, CONTACTS, f"{CONTACTS}c.vcf", FILES, f"{FILES}f.txt", PRINCIPAL, f"{HOME}fresh/"),
)
BODIES = (
    b"",
    f"<D:propfind {XMLNS}><D:allprop/></D:propfind>".encode(),
    f"<D:sync-collection {XMLNS}><D:sync-token/><D:sync-level>1</D:sync-level></D:sync-collection>".encode(),
    f"<C:calendar-multiget {XMLNS}><D:prop><C:calendar-data/></D:prop><D:href>{CALENDAR}a.ics</D:href>"
    f"<D:href>{MOUNTED}a.ics</D:href><D:href>{MOUNTED}p.ics</D:href></C:calendar-multiget>".encode(),
    QUERY,
    COLOUR,
    GRANT,
    event("new"),
    event("a", "changed"),
    card("new"),
)
OPEN, PRIVATE_WORD, OTHER = b"open words", b"secret", b"other words"


async def state(alice: httpx.AsyncClient) -> dict[str, bytes]:
    """All that the owner has in the calendar, by path; and apart from that, under other names, all else."""
    contents: dict[str, bytes] = {}
    for at, folder in (("", CALENDAR), ("else:", CONTACTS), ("else:", FILES), ("else:", TASKS), ("else:", HOME)):
        answer = await alice.request("PROPFIND", folder, headers={"depth": "1"})
        paths = [path for path in Responses(answer) if not path.endswith("/")]
        contents |= {at + path: (await alice.get(path)).content for path in paths}
        if folder != CALENDAR:
            contents[f"else:{folder}"] = b" ".join(sorted(path.encode() for path in Responses(answer)))
    color = (await propfind(alice, CALENDAR, "I:calendar-color")).text(CALENDAR, "I:calendar-color")
    contents["color"] = (color or "").encode()
    return contents


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_exactly_what_is_granted_can_be_done(data: st.DataObject) -> None:
    """Bob asks anything by any method with any rights in alice's calendar. What he reads, adds, changes and removes there is what
    his rights say; nothing else of hers changes or is told."""
    rights = Right(data.draw(st.integers(0, 0x1FFF))) & ~Right.OWNER
    path, goal = data.draw(st.sampled_from(PATHS)), data.draw(st.sampled_from((*PATHS, f"{BOBS_HOME}calendar/x.ics")))
    optional: dict[str, Any] = {"overwrite": st.sampled_from("TF")}
    if data.draw(st.booleans()):
        # What can change something, if there is the right to it.
        method = data.draw(st.sampled_from(("PUT", "DELETE", "MOVE", "COPY", "PROPPATCH", "ACL", "GET", "REPORT")))
        path, goal = data.draw(st.sampled_from(PATHS[:8])), data.draw(st.sampled_from(PATHS[:8]))
        fitting = {"PUT": event(path[-5], "changed"), "PROPPATCH": COLOUR, "ACL": GRANT, "REPORT": QUERY}
        body = fitting.get(method, b"")
    else:
        method = data.draw(st.sampled_from(sorted(METHODS)))
        body = data.draw(st.sampled_from(BODIES))
        optional |= {"if-none-match": st.just("*"), "if-match": st.just("*")}
    headers = data.draw(
        st.fixed_dictionaries({"depth": st.sampled_from(("0", "1")), "destination": st.just(goal)}, optional=optional)
    )

    async def work() -> None:
        site = DavSite()
        async with site.client() as alice, site.client(BOB) as bob:
            for at, content in (
                (f"{CALENDAR}a.ics", event("a", OPEN.decode())),
                (f"{CALENDAR}p.ics", PRIVATE),
                (f"{CONTACTS}c.vcf", card("c", OTHER.decode())),
                (f"{FILES}f.txt", OTHER),
            ):
                assert (await alice.put(at, content=content)).status_code == 201
            await grant(site, rights)
            before = await state(alice)
            answer = await bob.request(method, path, content=body, headers=headers)
            after = await state(alice)
            told = answer.content.replace(body, b"") if body else answer.content
            assert answer.status_code < 500, (answer.status_code, answer.text)
            assert PRIVATE_WORD not in told and OTHER not in told
            if not rights & Right.READ_ANY:
                assert OPEN not in told and b"a.ics" not in told.replace(f"{CALENDAR}a.ics".encode(), b"").replace(
                    f"{MOUNTED}a.ics".encode(), b""
                )
            if not rights & ~FREE_BUSY:
                # That somebody is here is no secret: what is refused of a principal is its rights.
                refusals = (403, 404) if path.startswith("/dav/principals/") else (404,)
                assert answer.status_code in refusals, (answer.status_code, answer.text)
            assert {at: content for at, content in after.items() if at.startswith(("else:", "color"))} == {
                at: content for at, content in before.items() if at.startswith(("else:", "color"))
            }
            assert after[f"{CALENDAR}p.ics"] == PRIVATE
            changes = {at for at in before.keys() | after.keys() if before.get(at) != after.get(at)}
            for at in changes:
                needed = Right.CREATE if at not in before else Right.DELETE_ANY if at not in after else Right.EDIT_ANY
                if method in ("COPY", "MOVE") and needed is Right.EDIT_ANY:
                    needed = Right.CREATE | Right.DELETE_ANY
                assert rights & needed == needed, (at, needed)
            granted = await site.mailboxes.mailbox_rights(guid_of(ALICE))
            assert [dict(entries) for entries in granted.values()] == [{guid_of(BOB): rights}]

    asyncio.run(work())


@pytest.mark.parametrize(
    ("content", "is_hidden"),
    [
        (PRIVATE_OCCURRENCE, True),
        (event("x", "secret", "20260302T120000Z", "CLASS:X-UNKNOWN"), True),
        (event("x", "secret", "20260302T120000Z", "CLASS:PUBLIC", "CLASS:PRIVATE"), True),
        (event("x", "golf", "20260302T120000Z", "CLASS:X-PERSONAL"), False),
        (card("x", "Secret", "CLASS:PRIVATE"), True),
        (card("x", "Open", "CLASS:PUBLIC"), False),
    ],
)
def test_what_is_private_in_any_part_and_by_any_word_is_hidden(content: bytes, is_hidden: bool) -> None:
    async def work() -> None:
        site = DavSite()
        is_card = content.startswith(b"BEGIN:VCARD")
        path = f"{CONTACTS}x.vcf" if is_card else f"{CALENDAR}x.ics"
        async with site.client() as alice, site.client(BOB) as bob:
            assert (await alice.put(path, content=content)).status_code == 201
            await grant(site, ROLES["editor"], FolderKind.CONTACTS if is_card else FolderKind.CALENDAR)
            assert (await bob.get(path)).status_code == (404 if is_hidden else 200)
            assert (await bob.put(path, content=content)).status_code == (403 if is_hidden else 204)

    asyncio.run(work())


def test_what_is_private_is_asked_once_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        site, asked = DavSite(), list[int]()
        async with site.client() as alice, site.client(BOB) as bob:
            for name in "abc":
                await alice.put(f"{CALENDAR}{name}.ics", content=event(name))
            await grant(site, ROLES["reviewer"])
            private = site.mailboxes.private_resources

            async def counted(mailbox: UUID, folder: int) -> list[int]:
                asked.append(folder)
                return await private(mailbox, folder)

            monkeypatch.setattr(site.mailboxes, "private_resources", counted)
            answer = await bob.request("REPORT", MOUNTED, content=QUERY, headers={"Depth": "1"})
            assert answer.text.count("BEGIN:VEVENT") == 3 and len(asked) == 1

    asyncio.run(work())


def test_whoever_may_not_set_properties_leaves_no_names_behind() -> None:
    """A mailbox numbers 32,000 names at most: a reader used them up for its owner."""

    async def work() -> None:
        site = DavSite()
        async with site.client() as alice, site.client(BOB) as bob:
            await alice.put(f"{CALENDAR}a.ics", content=event("a"))
            await grant(site, ROLES["reviewer"])
            for path in (f"{CALENDAR}a.ics", CALENDAR, MOUNTED):
                answer = await bob.request("PROPPATCH", path, content=COLOUR)
                assert (answer.status_code, failed(answer)) == (403, "D:need-privileges")
            assert not await site.mailboxes.property_names(guid_of(ALICE))

    asyncio.run(work())
