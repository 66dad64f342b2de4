"""Meetings by DAV: the letters that changes of them send, and what is written into them (RFC 6638 section 3).

covers: services.scheduling.sending, services.scheduling.aside
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

import httpx
import pytest

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject
from postern.items.imip import invitation_in
from postern.model.delivery import Delivery
from postern.model.folders import FolderKind
from postern.model.mailbox import MailboxError
from postern.services.mailbox.answering import Answering
from postern.services.mailbox.calendar_attendant import CalendarAttendant, OwnersDirectory
from postern.services.mailbox.owners_copy import AttendedStore
from tests.services.dav.site import ALICE, BOB, CALENDAR, HOME, DavSite, Responses, event, guid_of, propfind
from tests.services.fake_assistant_store import FakeAssistantStore

CAROL = "carol@elsewhere.test"
BOBS = f"/dav/calendars/{BOB}/calendar/"
START = "20300301T120000Z"
TAG = "if-schedule-tag-match"


def meeting(uid: str = "m1", *more: str, start: str = START, who: tuple[str, ...] = (BOB,)) -> bytes:
    people = [f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{address}" for address in who]
    return event(
        uid, "Talk", start, f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ALICE}", *people, *more
    )


@dataclass
class Post:
    """Carries the letters in outboxes to those whom they name, as hubs do, and has the attendants look at them."""

    site: DavSite
    sent: list[tuple[str, list[str], CalendarObject, bytes]] = field(default_factory=list)
    """Sender, recipients, message and mail of each letter that was submitted."""

    async def collect(self) -> list[str]:
        """Takes what was submitted; returns "METHOD recipients" of each letter."""
        store, before = self.site.mailboxes, len(self.sent)
        for sender in (ALICE, BOB):
            mailbox = guid_of(sender)
            if mailbox not in store._mailboxes:
                continue
            outbox = next(node.id for node in await store.tree(mailbox) if node.kind is FolderKind.OUTBOX)
            for uid in await store.outbox(mailbox):
                letter = next(item for item in store._folder(mailbox, outbox).items.values() if item.uid == uid)
                content = letter.content
                message = invitation_in(content)
                assert message is not None
                to = content.split(b"\r\nTo: ")[1].split(b"\r\nSubject")[0].decode()
                recipients = [each.strip("<> \r\n") for each in to.split(",")]
                self.sent.append((sender, recipients, message, content))
                await store.submitted(mailbox, uid)
        return [f"{message.method} {' '.join(recipients)}" for _, recipients, message, _ in self.sent[before:]]

    async def drafts(self, address: str = ALICE) -> int:
        """Letters in an outbox that nobody submitted."""
        store, mailbox = self.site.mailboxes, guid_of(address)
        outbox = next(node.id for node in await store.tree(mailbox) if node.kind is FolderKind.OUTBOX)
        return len(store._folder(mailbox, outbox).items)


def work(steps: Callable[[DavSite, Post, httpx.AsyncClient], Awaitable[None]]) -> None:
    async def all_steps() -> None:
        site = DavSite()
        async with site.client(ALICE) as alice:
            await steps(site, Post(site), alice)

    asyncio.run(all_steps())


def lines(content: bytes, name: str) -> list[str]:
    read = calendar_object.read(content)
    assert isinstance(read, CalendarObject)
    return [entry.raw.replace(b"\r\n ", b"").decode().strip() for part in read.parts for entry in part.lines(name)]


def attendee(content: bytes, address: str) -> str:
    return next(each for each in lines(content, "ATTENDEE") if each.lower().endswith(address))


def test_a_new_meeting_invites() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        put = await alice.put(f"{CALENDAR}m.ics", content=meeting(who=(BOB, CAROL, "nobody@example.test", "urn:x:1")))
        assert put.status_code == 201 and "etag" not in put.headers
        assert await post.collect() == [f"REQUEST {BOB} {CAROL}"]
        sender, _, message, mail = post.sent[0]
        assert b"Subject: Talk\r\n" in mail and f"From: <{sender}>".encode() in mail and message.uid == "m1"
        got = await alice.get(f"{CALENDAR}m.ics")
        assert got.headers["schedule-tag"] == put.headers["schedule-tag"]
        assert "SCHEDULE-STATUS=1.1" in attendee(got.content, BOB)
        assert "SCHEDULE-STATUS=1.1" in attendee(got.content, CAROL)
        assert "SCHEDULE-STATUS=3.7" in attendee(got.content, "nobody@example.test")
        assert "SCHEDULE-STATUS" not in attendee(got.content, ALICE)
        others = [line for line in got.content.splitlines() if b"ATTENDEE" not in line and not line.startswith(b" ")]
        assert set(others) < set(meeting().splitlines()), "all else is as it was put"

    work(steps)


def test_what_is_no_meeting_keeps_its_octets_and_sends_nothing() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        alone = event("m1", "Talk", START, f"ORGANIZER:mailto:{ALICE}")
        others = event("m2", "Talk", START, "ORGANIZER:mailto:x@elsewhere.test", "ATTENDEE:mailto:y@elsewhere.test")
        for name, octets in (("a.ics", event("plain")), ("b.ics", alone), ("c.ics", others)):
            put = await alice.put(CALENDAR + name, content=octets)
            got = await alice.get(CALENDAR + name)
            assert got.content == octets and put.headers["etag"] == got.headers["etag"]
            assert ("schedule-tag" in put.headers) is (name == "b.ics")
        assert await post.collect() == []

    work(steps)


def test_changes_are_told_to_those_whom_they_concern() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        path = f"{CALENDAR}m.ics"
        await alice.put(path, content=meeting())
        await post.collect()
        stored = (await alice.get(path)).content
        again = await alice.put(path, content=stored)
        assert again.status_code == 204 and "etag" in again.headers and await post.collect() == []
        await alice.put(path, content=stored.replace(b"SUMMARY:Talk", b"SUMMARY:Long talk"))
        assert await post.collect() == [f"REQUEST {BOB}"]
        await alice.put(path, content=meeting(who=(CAROL,)))
        assert sorted(await post.collect()) == [f"CANCEL {BOB}", f"REQUEST {CAROL}"]
        assert (await alice.delete(path)).status_code == 204
        assert await post.collect() == [f"CANCEL {CAROL}"]
        assert b"Subject: Canceled: Talk" in post.sent[-1][3]
        assert await post.drafts() == 0

    work(steps)


def test_a_meeting_that_is_no_more_one_is_cancelled() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        await alice.put(f"{CALENDAR}m.ics", content=meeting())
        await post.collect()
        put = await alice.put(f"{CALENDAR}m.ics", content=event("m1", "Talk", START))
        assert put.status_code == 204 and await post.collect() == [f"CANCEL {BOB}"]

    work(steps)


def test_a_moved_meeting_is_answered_anew() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        path = f"{CALENDAR}m.ics"
        accepted = meeting().replace(b"NEEDS-ACTION", b"ACCEPTED")
        await alice.put(path, content=accepted)
        await alice.put(path, content=accepted.replace(START.encode(), b"20300302T120000Z"))
        await post.collect()
        got = (await alice.get(path)).content
        assert lines(got, "SEQUENCE") == ["SEQUENCE:1"]
        assert "PARTSTAT=NEEDS-ACTION" in attendee(got, BOB) and "PARTSTAT=ACCEPTED" in attendee(got, ALICE)
        assert "SEQUENCE:1" in lines(post.sent[-1][2].root.octets(), "SEQUENCE")

    work(steps)


@pytest.mark.parametrize("agent", ["CLIENT", "NONE"])
def test_a_client_that_sends_by_itself(agent: str) -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        octets = meeting().replace(
            b"ATTENDEE;PARTSTAT=NEEDS", f"ATTENDEE;SCHEDULE-AGENT={agent};PARTSTAT=NEEDS".encode()
        )
        await alice.put(f"{CALENDAR}m.ics", content=octets)
        assert await post.collect() == [] and (await alice.get(f"{CALENDAR}m.ics")).content == octets

    work(steps)


def test_a_message_that_a_client_asks_for_is_sent_though_nothing_changed() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        path = f"{CALENDAR}m.ics"
        await alice.put(path, content=meeting())
        await post.collect()
        forced = meeting().replace(b"ATTENDEE;PARTSTAT=NEEDS", b"ATTENDEE;SCHEDULE-FORCE-SEND=REQUEST;PARTSTAT=NEEDS")
        await alice.put(path, content=forced)
        assert await post.collect() == [f"REQUEST {BOB}"]
        assert b"FORCE-SEND" not in (await alice.get(path)).content
        assert b"SCHEDULE-" not in post.sent[-1][2].root.octets()
        # It is not kept either where the meeting is one of others.
        theirs = forced.replace(ALICE.encode(), b"eve@else.test").replace(b"UID:", b"UID:of-others-")
        assert (await alice.put(f"{CALENDAR}n.ics", content=theirs)).status_code == 201
        assert await post.collect() == [] and b"FORCE-SEND" not in (await alice.get(f"{CALENDAR}n.ics")).content

    work(steps)


def test_a_member_that_is_added_invites() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        posted = await alice.post(CALENDAR, content=meeting(), headers={"content-type": "text/calendar"})
        assert posted.status_code == 201 and posted.headers["schedule-tag"]
        assert await post.collect() == [f"REQUEST {BOB}"]

    work(steps)


def test_a_calendar_that_goes_cancels_what_is_to_come() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        await alice.request("MKCALENDAR", f"{HOME}team/")
        await alice.put(f"{HOME}team/a.ics", content=meeting("a"))
        await alice.put(f"{HOME}team/b.ics", content=meeting("b", start="20200301T120000Z"))
        await post.collect()
        assert (await alice.delete(f"{HOME}team/")).status_code == 204
        assert await post.collect() == [f"CANCEL {BOB}"] and post.sent[-1][2].uid == "a"

    work(steps)


def test_a_change_that_fails_sends_nothing() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        await alice.put(f"{CALENDAR}plain.ics", content=event("m1"))
        put = await alice.put(f"{CALENDAR}m.ics", content=meeting("m1"))
        assert put.status_code == 403 and b"no-uid-conflict" in put.content
        store, letters = site.mailboxes.create, 0

        async def counted(*arguments: object) -> object:
            nonlocal letters
            letters += 1
            return await store(*arguments)  # type: ignore[arg-type]  # as they came

        site.mailboxes.create = counted  # type: ignore[method-assign,assignment]  # for this test
        taken = await alice.put(f"{CALENDAR}plain.ics", content=meeting("m1"), headers={"if-none-match": "*"})
        assert taken.status_code == 412 and letters == 1, "what the client does not want is not tried again"
        assert await post.collect() == [] and await post.drafts() == 0

    work(steps)


def test_a_change_that_others_overtake_is_made_of_what_is_there_then() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        path, store = f"{CALENDAR}m.ics", site.mailboxes
        await alice.put(path, content=meeting())
        await post.collect()
        put, overtaken = store.put, 0

        async def late(*arguments: object, **more: object) -> object:
            nonlocal overtaken
            overtaken += 1
            if overtaken == 1:
                raise MailboxError("MODIFIED", "The resource is another than was expected")
            return await put(*arguments, **more)  # type: ignore[arg-type]  # as they came

        store.put = late  # type: ignore[method-assign,assignment]  # for this test
        answer = await alice.put(path, content=meeting("m1", "LOCATION:Here"))
        assert answer.status_code == 204 and overtaken == 2
        assert await post.collect() == [f"REQUEST {BOB}"] and await post.drafts() == 0

    work(steps)


def test_a_folded_name_hides_no_meeting() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        await alice.put(f"{CALENDAR}m.ics", content=meeting().replace(b"ORGANIZER", b"Organ\r\n izer"))
        assert await post.collect() == [f"REQUEST {BOB}"]

    work(steps)


def test_a_meeting_that_is_over_invites_nobody_when_it_comes() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        octets = meeting(start="20200301T120000Z")
        assert (await alice.put(f"{CALENDAR}m.ics", content=octets)).status_code == 201
        assert (await alice.get(f"{CALENDAR}m.ics")).content == octets
        await alice.put(f"{CALENDAR}n.ics", content=meeting("n", "RRULE:FREQ=DAILY", start="20200301T120000Z"))
        assert await post.collect() == [f"REQUEST {BOB}"] and post.sent[-1][2].uid == "n", "it goes on"
        await alice.put(f"{CALENDAR}m.ics", content=octets.replace(b"Talk", b"Walk"))
        assert await post.collect() == [f"REQUEST {BOB}"], "a change is told"

    work(steps)


# --- preconditions


def test_somebody_has_a_meeting_once() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        await alice.request("MKCALENDAR", f"{HOME}team/")
        await alice.put(f"{CALENDAR}m.ics", content=meeting())
        await post.collect()
        for answer in (
            await alice.put(f"{HOME}team/n.ics", content=meeting()),
            await alice.request("COPY", f"{CALENDAR}m.ics", headers={"destination": f"{HOME}team/n.ics"}),
        ):
            assert answer.status_code == 403 and b"unique-scheduling-object-resource" in answer.content
            assert f"{CALENDAR}m.ics" in answer.text
        moved = await alice.request("MOVE", f"{CALENDAR}m.ics", headers={"destination": f"{HOME}team/n.ics"})
        assert moved.status_code == 201 and await post.collect() == []
        await alice.put(f"{CALENDAR}o.ics", content=meeting("o"))
        await post.collect()
        headers = {"destination": f"{CALENDAR}o.ics"}
        await alice.put(f"{CALENDAR}same.ics", content=event("m1"))
        kept = await alice.request("MOVE", f"{HOME}team/n.ics", headers=headers)
        assert kept.status_code == 403 and b"no-uid-conflict" in kept.content and await post.collect() == []
        await alice.delete(f"{CALENDAR}same.ics")
        assert (await alice.request("MOVE", f"{HOME}team/n.ics", headers=headers)).status_code == 204
        assert await post.collect() == [f"CANCEL {BOB}"] and post.sent[-1][2].uid == "o"

    work(steps)


def test_a_copy_in_the_place_of_a_meeting_cancels_it() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        await alice.put(f"{CALENDAR}m.ics", content=meeting())
        await alice.request("MKCALENDAR", f"{HOME}team/")
        await alice.put(f"{HOME}team/plain.ics", content=event("plain"))
        await post.collect()
        headers = {"destination": f"{CALENDAR}m.ics"}
        assert (
            await alice.request("COPY", f"{HOME}team/plain.ics", headers={**headers, "overwrite": "F"})
        ).status_code == 412
        assert await post.collect() == []
        assert (await alice.request("COPY", f"{HOME}team/plain.ics", headers=headers)).status_code == 204
        assert await post.collect() == [f"CANCEL {BOB}"]

    work(steps)


def test_a_meeting_keeps_its_organizer() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        await alice.put(f"{CALENDAR}m.ics", content=meeting())
        await post.collect()
        octets = meeting().replace(f"ORGANIZER:mailto:{ALICE}".encode(), f"ORGANIZER:mailto:{BOB}".encode())
        put = await alice.put(f"{CALENDAR}m.ics", content=octets)
        assert put.status_code == 403 and b"allowed-organizer-scheduling-object-change" in put.content
        two = meeting("n", "RRULE:FREQ=DAILY;COUNT=3").replace(
            b"END:VCALENDAR",
            meeting("n", "RECURRENCE-ID:20300302T120000Z")
            .split(b"\r\n", 3)[3]
            .replace(b"ORGANIZER:mailto:a", b"ORGANIZER:mailto:x"),
        )
        put = await alice.put(f"{CALENDAR}n.ics", content=two)
        assert put.status_code == 403 and b"same-organizer-in-all-components" in put.content
        assert await post.collect() == []

    work(steps)


def test_a_meeting_is_one_calendar() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        other = meeting("m1", "RECURRENCE-ID:20300302T120000Z", start="20300302T150000Z")
        put = await alice.put(f"{CALENDAR}m.ics", content=meeting("m1", "RRULE:FREQ=DAILY;COUNT=3") + other)
        assert put.status_code == 403 and b"valid-calendar-object-resource" in put.content
        assert await post.collect() == []

    work(steps)


def test_the_tag_stays_while_answers_change() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        path = f"{CALENDAR}m.ics"
        tag = (await alice.put(path, content=meeting())).headers["schedule-tag"]
        answered = meeting().replace(
            b"ATTENDEE;PARTSTAT=NEEDS-ACTION", b"ATTENDEE;X-POSTERN-REPLIED=20260101T000000Z;PARTSTAT=ACCEPTED"
        )
        mailbox = guid_of(ALICE)
        calendar = next(node.id for node in await site.mailboxes.tree(mailbox) if node.kind is FolderKind.CALENDAR)
        (stored,) = await site.mailboxes.named(mailbox, calendar, ["m.ics"])
        await site.mailboxes.replace(mailbox, stored.id, answered, site.mailboxes._item(mailbox, stored.id)[1].rendered)
        responses = await propfind(alice, CALENDAR, "D:getetag", "C:schedule-tag", depth="1")
        assert responses.text(path, "C:schedule-tag") == tag
        refused = await alice.put(path, content=meeting("m1", "LOCATION:A"), headers={TAG: '"other"'})
        assert refused.status_code == 412
        kept = await alice.put(path, content=meeting("m1", "LOCATION:A"), headers={TAG: tag})
        assert kept.status_code == 204 and kept.headers["schedule-tag"] != tag
        assert "PARTSTAT=ACCEPTED" in attendee((await alice.get(path)).content, BOB), "the answer came meanwhile"
        assert (await alice.delete(path, headers={TAG: tag})).status_code == 412
        assert (await alice.delete(path, headers={TAG: kept.headers["schedule-tag"]})).status_code == 204

    work(steps)


def test_only_meetings_have_a_tag() -> None:
    async def steps(site: DavSite, post: Post, alice: httpx.AsyncClient) -> None:
        await alice.put(f"{CALENDAR}plain.ics", content=event("plain"))
        responses: Responses = await propfind(alice, f"{CALENDAR}plain.ics", "C:schedule-tag")
        assert responses.prop(f"{CALENDAR}plain.ics", "C:schedule-tag", 404) is not None
        put = await alice.put(f"{CALENDAR}plain.ics", content=event("plain", "New"), headers={TAG: '"x"'})
        assert put.status_code == 412
        tagged = "<D:set><D:prop><C:schedule-tag>x</C:schedule-tag></D:prop></D:set>"
        body = f'<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{tagged}</D:propertyupdate>'
        answer = await alice.request("PROPPATCH", f"{CALENDAR}plain.ics", content=body)
        assert "cannot-modify-protected-property" in answer.text

    work(steps)


# --- attendees


def invited(site: DavSite, steps: Callable[[DavSite, Post, httpx.AsyncClient, str], Awaitable[None]]) -> None:
    """Does the steps as bob, who has alice's meeting in his calendar at the path that is given."""

    async def all_steps() -> None:
        async with site.client(ALICE) as alice, site.client(BOB) as bob:
            post = Post(site)
            await alice.put(f"{CALENDAR}m.ics", content=meeting(who=(BOB, CAROL)))
            await bob.put(f"{BOBS}m.ics", content=meeting(who=(BOB, CAROL)))
            assert await post.collect() == [f"REQUEST {BOB} {CAROL}"], "he has not answered"
            await steps(site, post, bob, f"{BOBS}m.ics")

    asyncio.run(all_steps())


def _accepted(octets: bytes) -> bytes:
    return octets.replace(f"NEEDS-ACTION;RSVP=TRUE:mailto:{BOB}".encode(), f"ACCEPTED:mailto:{BOB}".encode())


def test_an_attendee_answers() -> None:
    async def steps(site: DavSite, post: Post, bob: httpx.AsyncClient, path: str) -> None:
        tag = (await bob.get(path)).headers["schedule-tag"]
        put = await bob.put(path, content=_accepted(meeting(who=(BOB, CAROL))))
        assert put.status_code == 204 and put.headers["schedule-tag"] == tag
        assert await post.collect() == [f"REPLY {ALICE}"]
        sender, _, message, mail = post.sent[-1]
        assert sender == BOB and "PARTSTAT=ACCEPTED" in attendee(message.root.octets(), BOB)
        assert b"Subject: Accepted: Talk" in mail
        assert "SCHEDULE-STATUS=1.1" in lines((await bob.get(path)).content, "ORGANIZER")[0]
        assert (await bob.put(path, content=(await bob.get(path)).content)).status_code == 204
        assert await post.collect() == [], "he has answered"

    invited(DavSite(), steps)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (START.encode(), b"20300305T120000Z"),
        (f"mailto:{CAROL}".encode(), b"mailto:dave@elsewhere.test"),
        (f"ORGANIZER:mailto:{ALICE}".encode(), b"X-ORGANIZER:none"),
    ],
)
def test_an_attendee_may_not_change_what_is_the_organizers(old: bytes, new: bytes) -> None:
    async def steps(site: DavSite, post: Post, bob: httpx.AsyncClient, path: str) -> None:
        put = await bob.put(path, content=meeting(who=(BOB, CAROL)).replace(old, new))
        assert put.status_code == 403 and b"allowed-attendee-scheduling-object-change" in put.content
        assert await post.collect() == []

    invited(DavSite(), steps)


@pytest.mark.parametrize("told", [True, False])
def test_an_attendee_who_removes_his_copy_declines(told: bool) -> None:
    async def steps(site: DavSite, post: Post, bob: httpx.AsyncClient, path: str) -> None:
        headers = {} if told else {"schedule-reply": "F"}
        assert (await bob.delete(path, headers=headers)).status_code == 204
        assert await post.collect() == ([f"REPLY {ALICE}"] if told else [])
        if told:
            assert "PARTSTAT=DECLINED" in attendee(post.sent[-1][2].root.octets(), BOB)

    invited(DavSite(), steps)


# --- both sides


def test_both_copies_agree() -> None:
    """The letters go through the attendants of both mailboxes."""

    async def all_steps() -> None:
        site = DavSite()
        site.mailboxes = FakeAssistantStore()
        store = cast(FakeAssistantStore, site.mailboxes)

        class Owners:
            async def mailbox_owners(self, mailboxes: list[object]) -> dict[object, str]:
                return {guid_of(address): address for address in (ALICE, BOB)}

            async def recipient(self, address: str) -> object:
                return await site.recipients.recipient(address)

            async def recipients(self, addresses: list[str]) -> object:
                return await site.recipients.recipients(addresses)

        attendant = CalendarAttendant(
            cast(AttendedStore, store),
            cast(OwnersDirectory, Owners()),
            lambda: {"hub.example.test"},
            Answering(store, store),
        )
        post = Post(site)

        async def carry() -> list[str]:
            collected = await post.collect()
            for sender, recipients, _, mail in post.sent[len(post.sent) - len(collected) :]:
                trace = b"Received: from mailbox by hub.example.test (Postern) with MAPI; x\r\n"
                assert sender
                for address in recipients:
                    await store.deliver([Delivery(f"{len(post.sent)}/{address}", trace + mail, (guid_of(address),))])
            for waiting in await store.waiting_meetings():
                await attendant.attend(*waiting)
            return collected

        async with site.client(ALICE) as alice, site.client(BOB) as bob:
            for client in (alice, bob):
                await client.request("OPTIONS", "/dav/")
            await alice.put(f"{CALENDAR}m.ics", content=meeting())
            await carry()
            (path,) = [href for href in await propfind(bob, BOBS, "D:getetag", depth="1") if href.endswith(".ics")]
            octets = (await bob.get(path)).content
            assert "PARTSTAT=NEEDS-ACTION" in attendee(octets, BOB)
            await bob.put(path, content=_accepted(octets))
            await carry()
            answered = attendee((await alice.get(f"{CALENDAR}m.ics")).content, BOB)
            assert "PARTSTAT=ACCEPTED" in answered and "SCHEDULE-STATUS=2.0" in answered
            await alice.delete(f"{CALENDAR}m.ics")
            await carry()
            assert b"STATUS:CANCELLED" in (await bob.get(path)).content
            assert (await bob.delete(path)).status_code == 204 and await carry() == [], (
                "a cancelled meeting is not declined"
            )

    asyncio.run(all_steps())
