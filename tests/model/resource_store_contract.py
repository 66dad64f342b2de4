"""What every implementation of ResourceStore must do, beside ItemStore and FolderTree on the same mailbox.

A test module subclasses ResourceStoreContract and says how to open one; each test has a new mailbox of its own, with a calendar.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import uuid4

import pytest

from postern.model.edits import EditStore
from postern.model.folders import FolderKind
from postern.model.item_store import FROM_EVER, Busy, RenderedItem
from postern.model.items import Flag, FlagChange, NewItem
from postern.model.mailbox import MailboxError
from postern.model.meetings import MeetingStore
from postern.model.resources import (
    ABSENT,
    MAX_OBJECT_UID,
    PRESENT,
    NewResource,
    Put,
    ResourceStore,
    content_tag,
)
from tests.model import item_store_contract, mailboxes_contract
from tests.model.item_store_contract import APPOINTMENT, CALENDAR
from tests.model.mailboxes_contract import ALL, message, refused

CONTACT = "IPM.Contact"
TASK = "IPM.Task"


class Store(item_store_contract.Store, ResourceStore, MeetingStore, EditStore, Protocol):
    """All interfaces of mailboxes."""


Opened = Callable[[], AbstractAsyncContextManager[Store]]


def event(uid: str, summary: str = "") -> bytes:
    return (
        f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nSUMMARY:{summary}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n".encode()
    )


def at(starts: int | None, ends: int | None = None, **values: object) -> RenderedItem:
    return replace(RenderedItem(uid=f"{starts}-{ends}", starts=starts, ends=ends), **values)  # type: ignore[arg-type]  # a test's own words


@dataclass
class Box(item_store_contract.Box):
    store: Store
    calendar: int = 0

    async def put(self, name: str, content: bytes = b"", folder: int = 0, uid: str = "", **conditions: object) -> Put:
        return await self.store.put(
            self.guid,
            folder or self.calendar,
            name,
            content or event(uid or name),
            APPOINTMENT,
            RenderedItem(uid=uid or name),
            **conditions,  # type: ignore[arg-type]  # a test's own words
        )

    async def letters(self, count: int) -> list[int]:
        """Ids of letters in the outbox that nobody has submitted."""
        outbox = next(node.id for node in await self.store.tree(self.guid) if node.kind is FolderKind.OUTBOX)
        return await self.store.create(self.guid, outbox, [NewItem(message(str(number))) for number in range(count)])

    async def put_sending(self, letters: Sequence[int], name: str, uid: str = "", **conditions: object) -> Put:
        return await self.store.put_sending(
            self.guid,
            letters,
            self.calendar,
            name,
            event(uid or name),
            APPOINTMENT,
            RenderedItem(uid=uid or name),
            **conditions,  # type: ignore[arg-type]  # a test's own words
        )

    async def add(self, *resources: RenderedItem | NewResource, folder: int = 0) -> list[int]:
        new = [r if isinstance(r, NewResource) else NewResource(event(r.uid), APPOINTMENT, r) for r in resources]
        return await self.store.add(self.guid, folder or self.calendar, new)

    async def names(self, folder: int = 0) -> list[str]:
        return list((await self.store.resources(self.guid, folder or self.calendar)).names)

    async def sync(self, since: int, folder: int = 0) -> tuple[list[str], list[str]]:
        """The names of what is there and of what is gone."""
        said = await self.store.resource_changes(self.guid, folder or self.calendar, since)
        assert not said.more and said.change == await self.ctag(folder)
        return sorted(said.there.names), list(said.gone)

    async def ctag(self, folder: int = 0) -> int:
        number = folder or self.calendar
        return (await self.store.folder_states(self.guid, [number]))[number].change


def check(opened: Opened, steps: Callable[[Box], Awaitable[None]], quota: int = 0) -> None:
    async def with_calendar(box: Box) -> None:
        box.calendar = (await box.store.create_in(box.guid, 0, "Team", CALENDAR)).id
        await steps(box)

    mailboxes_contract.check(opened, with_calendar, quota, Box)


class ResourceStoreContract:
    """Subclasses give the fixture `opened`."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError

    # Put

    def test_a_resource_is_found_by_name_uid_and_id(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid, calendar = box.store, box.guid, box.calendar
            content = event("u1", "Frühstück")
            put = await box.put("x.ics", content, uid="u1")
            assert (put.is_new, put.tag) == (True, content_tag(content))
            (item,) = await store.named(guid, calendar, ["nothing.ics", "x.ics", "x.ics"])
            assert (item.id, item.folder, item.name, item.uid) == (put.id, calendar, "x.ics", "u1")
            assert (item.tag, item.size, item.item_class) == (put.tag, len(content), APPOINTMENT)
            assert item.content is None and 0 <= item.modified - item.created <= 5
            assert abs(item.created - (await box.item(put.id)).created) <= 1
            (same,) = await store.with_ids(guid, [1 << 40, put.id], content=True)
            assert same == item._replace(content=content)
            assert [r.id for r in await store.with_uids(guid, calendar, ["u1", "u2", ""])] == [put.id]
            assert [r.id for r in await store.with_uids(guid, None, ["u1"])] == [put.id]
            assert len(await store.with_uids(guid, box.inbox, ["u1"])) == 0
            stored = await box.item(put.id, content=True)
            assert (stored.content, stored.flags, stored.item_class) == (content, Flag.SEEN, APPOINTMENT)

        check(opened, steps)

    def test_a_put_over_it_keeps_the_id_and_changes_the_tag(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            first = await box.put("x.ics", event("u", "a"))
            await box.store.set_properties(box.guid, first.id, {5: b"kept"})
            second = await box.put("x.ics", event("u", "b"), uid="other")
            assert (second.id, second.is_new, second.tag == first.tag) == (first.id, False, False)
            (item,) = await box.store.named(box.guid, box.calendar, ["x.ics"], content=True)
            assert (item.content, item.uid, item.tag) == (event("u", "b"), "other", second.tag)
            assert await box.store.properties(box.guid, first.id) == {5: b"kept"}
            assert (await box.put("x.ics", event("u", "b"))).tag == second.tag, "the same octets"
            await box.store.put(box.guid, box.calendar, "x.ics", event("u"), TASK, RenderedItem())
            assert (await box.item(first.id)).item_class == TASK
            assert list((await box.store.resources(box.guid, box.calendar)).classes) == [TASK]

        check(opened, steps)

    def test_the_tag_leaves_flags_and_properties_alone(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            put = await box.put("x.ics")
            uid = (await box.item(put.id)).uid
            await box.store.change_flags(box.guid, box.calendar, [(uid, uid)], FlagChange.ADD, Flag.FLAGGED)
            await box.store.set_properties(box.guid, put.id, {5: b"x"})
            await box.store.move_items(box.guid, [put.id], box.archive)
            (item,) = await box.store.with_ids(box.guid, [put.id])
            assert (item.tag, item.folder, item.name) == (put.tag, box.archive, "x.ics")

        check(opened, steps)

    def test_conditions_of_a_put(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await refused("MODIFIED", box.put("x.ics", expected=PRESENT))
            await refused("MODIFIED", box.put("x.ics", expected=b"t" * 16))
            first = await box.put("x.ics", expected=ABSENT)
            await refused("MODIFIED", box.put("x.ics", expected=ABSENT))
            second = await box.put("x.ics", event("x", "2"), expected=first.tag)
            await refused("MODIFIED", box.put("x.ics", event("x", "3"), expected=first.tag))
            third = await box.put("x.ics", event("x", "4"), expected=PRESENT)
            (item,) = await box.store.named(box.guid, box.calendar, ["x.ics"])
            assert item.tag == third.tag and third.id == second.id == first.id

        check(opened, steps)

    def test_of_two_puts_under_one_condition_one_is_kept(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            tag = (await box.put("old.ics")).tag
            for name, expected in (("new.ics", ABSENT), ("old.ics", tag)):
                puts = [box.put(name, event(name, str(n)), expected=expected) for n in range(5)]
                said = await asyncio.gather(*puts, return_exceptions=True)
                (kept,) = [one for one in said if isinstance(one, Put)]
                assert all(isinstance(one, MailboxError) and one.code == "MODIFIED" for one in said if one is not kept)
                (item,) = await box.store.named(box.guid, box.calendar, [name])
                assert (item.id, item.tag) == (kept.id, kept.tag)

        check(opened, steps)

    def test_a_uid_is_unique_where_that_is_asked(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.put("a.ics", uid="u", unique_uid=True)
            await refused("UIDEXISTS", box.put("b.ics", uid="u", unique_uid=True))
            await box.put("a.ics", event("u", "again"), uid="u", unique_uid=True)
            await box.put("b.ics", uid="u")
            assert list((await box.store.with_uids(box.guid, box.calendar, ["u"])).names) == ["a.ics", "b.ics"]
            await refused("UIDEXISTS", box.put("a.ics", event("u", "3"), uid="u", unique_uid=True))
            await box.put("c.ics", uid="u", folder=box.archive, unique_uid=True)
            for name in ("d.ics", "e.ics"):
                await box.store.put(box.guid, box.calendar, name, b"x", TASK, RenderedItem(), None, True)
            assert await box.names() == ["a.ics", "b.ics", "d.ics", "e.ics"]

        check(opened, steps)

    @pytest.mark.parametrize("name", ["", ".", "..", "a/b", "x" * 256, "가" * 86, "a\nb", "\x7f", "\ud800", "a\0"])
    def test_names_that_cannot_be(self, opened: Opened, name: str) -> None:
        async def steps(box: Box) -> None:
            put = box.store.put(box.guid, box.calendar, name, b"", APPOINTMENT, RenderedItem())
            await refused("CANNOT", put)

        check(opened, steps)

    @pytest.mark.parametrize("name", ["x", "Ä b+%20.ics", "가" * 85, "INBOX", "a\\b'\"{},.ics", " "])
    def test_names_are_kept_as_they_are(self, opened: Opened, name: str) -> None:
        async def steps(box: Box) -> None:
            await box.put(name, uid="u")
            assert await box.names() == [name]
            assert list((await box.store.named(box.guid, box.calendar, [name.upper() + "x", name])).names) == [name]

        check(opened, steps)

    def test_values_that_cannot_be(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            for rendered in (
                RenderedItem(uid="u" * (MAX_OBJECT_UID + 1)),
                RenderedItem(uid="a\nb"),
                RenderedItem(uid="\ud800"),
                RenderedItem(organizer="x" * 321),
                RenderedItem(status="x" * 33),
                RenderedItem(addresses=("a@b.test",) * 101),
                RenderedItem(addresses=("a\n@b.test",)),
            ):
                put = box.store.put(box.guid, box.calendar, "x", b"", APPOINTMENT, rendered)
                await refused("CANNOT", put)
                await refused("CANNOT", box.add(NewResource(b"", APPOINTMENT, rendered)))
            mail = box.store.put(box.guid, box.calendar, "x", b"", "IPM.Note", RenderedItem())
            await refused("CANNOT", mail)
            await refused("CANNOT", box.store.add(box.guid, box.calendar, []))
            assert await box.names() == []

        check(opened, steps)

    def test_octets_are_kept_as_they_are(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            for content in (
                b"BEGIN:VCALENDAR\nEND:VCALENDAR\n",
                b"\0\xff\r\r\n\n",
                b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
                b"x",
            ):
                put = await box.put("x", content)
                (item,) = await box.store.named(box.guid, box.calendar, ["x"], content=True)
                assert (item.content, item.size, put.tag) == (content, len(content), content_tag(content))
            put = await box.store.put(box.guid, box.calendar, "nothing", b"", "IPM.Document", RenderedItem())
            (item,) = await box.store.with_ids(box.guid, [put.id], content=True)
            assert (item.content, item.size) == (b"", 0)

        check(opened, steps)

    def test_a_full_mailbox_takes_no_resource(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            large = b"x" * 600
            await box.put("a", large)
            await refused("OVERQUOTA", box.put("b", large))
            await refused("OVERQUOTA", box.put("a", b"y" * 1_100))
            place = box.store.place(box.guid, box.calendar, "a", box.archive, "a", move=False, overwrite=True)
            await refused("OVERQUOTA", place)
            (item,) = await box.store.named(box.guid, box.calendar, ["a", "b"])
            assert (item.name, item.size, await box.used()) == ("a", 600, 600)

        check(opened, steps, quota=1_000)

    def test_one_mailbox_does_not_see_the_resources_of_another(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, other, folder = box.store, uuid4(), box.calendar
            await store.logon(other)
            put = await box.put("x")
            (contact,) = await box.add(NewResource(b"c", CONTACT, RenderedItem(addresses=("a@b.test",), reminds=5)))
            assert len(await store.with_ids(other, [put.id])) == 0
            assert len(await store.with_uids(other, None, ["x"])) == 0
            assert await store.with_addresses(other, ["a@b.test"]) == {}
            assert await store.folder_states(other, [folder]) == {}
            for request in (
                store.resources(other, folder),
                store.named(other, folder, ["x"]),
                store.with_uids(other, folder, ["x"]),
                store.put(other, folder, "x", b"", APPOINTMENT, RenderedItem()),
                store.add(other, folder, [NewResource(b"", APPOINTMENT)]),
                store.replace(other, put.id, b"", RenderedItem()),
                store.remove(other, folder, "x"),
                store.place(other, folder, "x", folder, "y", move=True, overwrite=True),
                store.place(box.guid, folder, "x", 1 << 40, "y", move=True, overwrite=True),
                store.resource_changes(other, folder, 0),
                store.overlapping(other, folder, 0, 1),
                store.set_reminder(other, contact, 5, None),
            ):
                await refused("NONEXISTENT", request)
            assert len(await box.names()) == 2

        check(opened, steps)

    # Several at once

    def test_resources_are_added_all_or_none(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            before = await box.change()
            new = [
                NewResource(event("a"), APPOINTMENT, RenderedItem(uid="a"), "a.ics"),
                NewResource(event("b"), APPOINTMENT, RenderedItem(uid="b"), flags=0, internal_date=77),
                NewResource(event("a"), CONTACT, RenderedItem(uid="c")),
            ]
            ids = await store.add(guid, box.calendar, new, unique_uids=True)
            assert await box.change() == before + 1
            first, second, third = await store.with_ids(guid, ids, content=True)
            assert (first.name, first.content, first.uid) == ("a.ics", event("a"), "a")
            assert second.name.endswith(".ics") and third.name.endswith(".vcf") and third.content == event("a")
            stored = await box.item(second.id)
            assert (stored.flags, stored.internal_date) == (0, 77)
            assert (await store.folder_states(guid, [box.calendar]))[box.calendar].unseen == 1
            again = NewResource(b"", APPOINTMENT, RenderedItem(uid="a"))
            await refused("UIDEXISTS", store.add(guid, box.calendar, [replace(again, rendered=at(1)), again], True))
            await refused("UIDEXISTS", store.add(guid, box.archive, [again, again], True))
            await refused("ALREADYEXISTS", store.add(guid, box.calendar, [again, replace(again, name="a.ics")]))
            await refused("ALREADYEXISTS", store.add(guid, box.archive, [replace(again, name="d.ics")] * 2))
            await refused("CANNOT", store.add(guid, box.calendar, [again, replace(again, name="a/b")]))
            assert len(await box.names()) == 3 and await box.names(box.archive) == []

        check(opened, steps)

    def test_a_folder_is_listed_in_pages(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid, names = box.store, box.guid, ["B", "a", "a.ics", "b", "ä", "회의.ics"]
            await box.add(
                *[NewResource(name.encode(), TASK, RenderedItem(uid=f"u{name}"), name) for name in names[::-1]]
            )
            await store.create(guid, box.calendar, [NewItem(b"", item_class=APPOINTMENT)])
            assert await box.names() == names, "an item without a name is none"
            pages, after = [], ""
            while page := await store.resources(guid, box.calendar, after, 2):
                pages.append(list(page.names))
                after = page.names[-1]
            assert pages == [["B", "a"], ["a.ics", "b"], ["ä", "회의.ics"]]
            listing = await store.resources(guid, box.calendar)
            assert [r.uid for r in listing] == [f"u{name}" for name in names]
            assert list(listing.sizes) == [len(name.encode()) for name in names]
            assert list(listing.tags) == [content_tag(name.encode()) for name in names]
            assert {*listing.folders} == {box.calendar} and all(r.content is None for r in listing)
            assert [r.content for r in await store.named(guid, box.calendar, ["ä", "B"], content=True)] == [
                "ä".encode(),
                b"B",
            ]
            assert len(await store.resources(guid, box.archive)) == 0

        check(opened, steps)

    # By id

    def test_replacing_by_id(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            put = await box.put("x.ics")
            seen = (await box.item(put.id)).change
            await refused("CANNOT", store.update(guid, put.id, event("x", "1")))
            said = await store.replace(guid, put.id, event("x", "2"), at(5, 6), TASK, seen)
            assert (said.id, said.is_new, said.tag) == (put.id, False, content_tag(event("x", "2")))
            await refused("MODIFIED", store.replace(guid, put.id, b"", RenderedItem(), unchanged_since=seen))
            await refused("NONEXISTENT", store.replace(guid, 1 << 40, b"", RenderedItem()))
            await refused("CANNOT", store.replace(guid, put.id, b"", RenderedItem(), "IPM.Note"))
            (item,) = await store.with_ids(guid, [put.id], content=True)
            assert (item.name, item.uid, item.tag, item.content) == ("x.ics", "5-6", said.tag, event("x", "2"))
            assert item.item_class == (await box.item(put.id)).item_class == TASK
            assert await store.overlapping(guid, box.calendar, 0, 10) == {put.id: at(5, 6)}

        check(opened, steps)

    def test_an_item_without_a_name_gets_one_when_it_is_replaced(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            mail, plain = await store.create(
                guid, box.calendar, [NewItem(message()), NewItem(event("p"), item_class=APPOINTMENT)]
            )
            since = await box.ctag()
            await refused("CANNOT", store.replace(guid, mail, b"", RenderedItem()))
            await store.replace(guid, plain, event("p", "2"), RenderedItem(uid="p"))
            (item,) = await store.with_ids(guid, [mail, plain])
            assert (item.id, item.uid) == (plain, "p") and item.name
            assert await box.sync(since) == ([item.name], [])

        check(opened, steps)

    # Removal

    def test_removal_under_a_condition(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid, calendar = box.store, box.guid, box.calendar
            old = await box.put("x.ics", event("x", "1"))
            new = await box.put("x.ics", event("x", "2"))
            await refused("NONEXISTENT", store.remove(guid, calendar, "y.ics"))
            await refused("MODIFIED", store.remove(guid, calendar, "x.ics", old.tag))
            await store.remove(guid, calendar, "x.ics", new.tag)
            await refused("NONEXISTENT", store.remove(guid, calendar, "x.ics", new.tag))
            again = await box.put("x.ics")
            assert again.is_new and again.id != old.id
            await store.remove(guid, calendar, "x.ics", PRESENT)
            await box.put("x.ics")
            await store.remove(guid, calendar, "x.ics")
            assert await box.names() == [] and await box.used() == 0

        check(opened, steps)

    # Moves

    def test_a_resource_moves_to_another_name(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid, calendar, archive = box.store, box.guid, box.calendar, box.archive
            put = await box.put("a.ics", uid="u")
            since, archived = await box.ctag(), await box.ctag(archive)
            moved = await store.place(guid, calendar, "a.ics", calendar, "b.ics", move=True, overwrite=False)
            assert (moved.id, moved.tag, moved.is_new) == (put.id, put.tag, True)
            assert await box.sync(since) == (["b.ics"], ["a.ics"])
            moved = await store.place(guid, calendar, "b.ics", archive, "c.ics", move=True, overwrite=False)
            assert (moved.id, moved.tag, moved.is_new) == (put.id, put.tag, True)
            assert await box.sync(since) == ([], ["a.ics", "b.ics"])
            assert await box.sync(archived, archive) == (["c.ics"], [])
            (item,) = await store.named(guid, archive, ["c.ics"])
            assert (item.id, item.uid, (await box.item(put.id)).folder) == (put.id, "u", archive)
            back = await store.place(guid, archive, "c.ics", calendar, "a.ics", move=True, overwrite=False)
            assert back.id == put.id and await box.sync(since) == (["a.ics"], ["b.ics"])

        check(opened, steps)

    def test_a_resource_is_copied_to_another_name(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid, calendar = box.store, box.guid, box.calendar
            put = await box.put("a.ics", uid="u")
            await store.set_properties(guid, put.id, {5: b"x"})
            since = await box.ctag()
            for target in (calendar, box.archive):
                copied = await store.place(guid, calendar, "a.ics", target, "b.ics", move=False, overwrite=False)
                assert (copied.tag, copied.is_new, copied.id != put.id) == (put.tag, True, True)
                (item,) = await store.named(guid, target, ["b.ics"], content=True)
                assert (item.id, item.uid, item.content) == (copied.id, "u", event("u"))
                assert await store.properties(guid, copied.id) == {5: b"x"}
            assert await box.names() == ["a.ics", "b.ics"] and await box.sync(since) == (["b.ics"], [])
            clash = store.place(guid, calendar, "a.ics", box.archive, "d.ics", False, True, unique_uid=True)
            await refused("UIDEXISTS", clash)
            over = await store.place(guid, calendar, "a.ics", box.archive, "b.ics", True, True, unique_uid=True)
            assert (over.id, over.is_new) == (put.id, False)

        check(opened, steps)

    def test_what_has_the_name_there_is_overwritten_or_refused(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid, calendar, archive = box.store, box.guid, box.calendar, box.archive
            await box.put("a"), await box.put("b"), await box.put("a", b"there", archive)
            for target, name in ((calendar, "b"), (archive, "a")):
                for move in (False, True):
                    place = store.place(guid, calendar, "a", target, name, move=move, overwrite=False)
                    await refused("ALREADYEXISTS", place)
            await refused("CANNOT", store.place(guid, calendar, "a", calendar, "a", move=True, overwrite=True))
            await refused("CANNOT", store.place(guid, calendar, "a", archive, "x/y", move=True, overwrite=True))
            await refused("NONEXISTENT", store.place(guid, calendar, "c", archive, "a", move=True, overwrite=True))
            since = await box.ctag()
            copied = await store.place(guid, calendar, "a", archive, "a", move=False, overwrite=True)
            assert not copied.is_new and await box.names(archive) == ["a"]
            moved = await store.place(guid, calendar, "a", calendar, "b", move=True, overwrite=True)
            assert not moved.is_new and await box.names() == ["b"]
            assert await box.sync(since) == (["b"], ["a"])
            assert await box.used() == len(event("a")) * 2

        check(opened, steps)

    def test_moved_and_copied_items_keep_their_names_unless_these_are_taken(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid, archive = box.store, box.guid, box.archive
            first, second = (await box.put("a.ics")).id, (await box.put("b.ics")).id
            await box.put("b.ics", b"there", archive)
            since, archived = await box.ctag(), await box.ctag(archive)
            copies = await store.copy_items(guid, [first, second], archive)
            await store.move_items(guid, [first, second], archive)
            names = {r.id: r.name for r in await store.resources(guid, archive)}
            assert len(set(names.values())) == 5 and names[copies[first]] == "a.ics"
            assert all(name.endswith(".ics") for name in names.values())
            assert await box.sync(since) == ([], ["a.ics", "b.ics"])
            there, gone = await box.sync(archived, archive)
            assert (set(there), gone) == (set(names.values()) - {"b.ics"}, [])
            # IMAP's ways, for what lies in a folder with mail.
            await store.copy(guid, archive, ALL, box.inbox)
            assert sorted(await box.names(box.inbox)) == sorted(names.values())
            await store.change_flags(guid, archive, ALL, FlagChange.ADD, Flag.DELETED)
            await store.expunge(guid, archive)
            assert await box.names(archive) == []
            assert await box.sync(archived, archive) == ([], sorted(names.values()))

        check(opened, steps)

    def test_imaps_move_within_a_folder_keeps_the_name(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            put = await box.put("a", folder=box.inbox)
            since = await box.ctag(box.inbox)
            await box.store.copy(box.guid, box.inbox, ALL, box.inbox, move=True)
            (item,) = await box.store.resources(box.guid, box.inbox)
            assert (item.id, item.name) == (put.id, "a")
            assert (await box.sync(since, box.inbox))[1] == []

        check(opened, steps)

    # Synchronization

    def test_one_change_is_one_short_answer(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            await box.add(*[at(n, n + 1) for n in range(20)])
            (await box.put("a"), await box.put("b"), await box.put("c"))
            assert len((await box.sync(0))[0]) == 23
            since = await box.ctag()
            assert await box.sync(since) == ([], [])
            await box.put("b", event("b", "2"))
            assert await box.sync(since) == (["b"], [])
            since = await box.ctag()
            await store.remove(guid, box.calendar, "a")
            await store.delete(guid, list((await store.named(guid, box.calendar, ["c"])).ids))
            await box.put("d")
            assert await box.sync(since) == (["d"], ["a", "c"])
            await box.put("a")
            await store.remove(guid, box.calendar, "d")
            assert await box.sync(since) == (["a"], ["c", "d"]), "what is there again is not gone"
            # Flags and properties change no resource, though they change the number.
            since = await box.ctag()
            await store.change_flags(guid, box.calendar, ALL, FlagChange.ADD, Flag.FLAGGED)
            assert await box.sync(since) == ([], []) and await box.ctag() > since
            assert (await box.sync(0))[1] == []

        check(opened, steps)

    def test_another_folders_changes_leave_the_number(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.put("a")
            before = await box.ctag()
            await box.put("a", folder=box.archive)
            assert await box.ctag() == before
            for since in (before + 100, (1 << 64) - 1):
                said = await box.store.resource_changes(box.guid, box.calendar, since)
                assert (said.change, len(said.there), list(said.gone)) == (before, 0, []), "it never told that number"

        check(opened, steps)

    def test_resources_are_synchronized_in_pages(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            names = [f"{n}.ics" for n in range(7)]
            for name in names:
                await box.put(name)
            start = await box.ctag()
            await store.remove(guid, box.calendar, names[3])
            await box.put(names[0], event("0", "again"))
            await store.remove(guid, box.calendar, names[6])
            await box.put(names[6])
            # Whoever begins anew may be told that something is gone which was there before.
            for since, there in ((0, {*names} - {names[3]}), (start, {names[0], names[6]})):
                told: list[str] = []
                lost: list[str] = []
                more = True
                while more:
                    page = await store.resource_changes(guid, box.calendar, since, 1)
                    assert len(page.there) + len(page.gone) <= 1
                    told, lost, since, more = [*told, *page.there.names], [*lost, *page.gone], page.change, page.more
                assert (set(told), lost, since) == (there, [names[3]], await box.ctag())
                assert len(told) == len(there)
            # One change is told whole.
            await box.add(at(1), at(2), at(3))
            page = await store.resource_changes(guid, box.calendar, await box.ctag() - 1, 2)
            assert (len(page.there), page.more) == (3, False)

        check(opened, steps)

    def test_what_folders_hold(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.put("a", b"12345")
            await box.append(message())
            states = await box.store.folder_states(box.guid)
            assert {node.id for node in await box.store.tree(box.guid)} == set(states)
            assert states[box.calendar][1:] == (1, 0, 5)
            assert states[box.inbox][1:] == (1, 1, len(message()))
            assert states[box.inbox].change == await box.change() > states[box.calendar].change
            assert await box.store.folder_states(box.guid, [1 << 40]) == {}
            some = await box.store.folder_states(box.guid, [box.calendar, 1 << 40])
            assert some == {box.calendar: states[box.calendar]}

        check(opened, steps)

    # Rendered values

    def test_values_are_kept_as_they_are_given(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            full = RenderedItem(
                "u1", -5, None, True, Busy.OUT_OF_OFFICE, True, "CONFIRMED", "ä@b.test", 77, ("a@b.test", "c@d.test")
            )
            task = RenderedItem(starts=FROM_EVER, reminds=0, status="NEEDS-ACTION")
            first, second = await box.add(full, task)
            assert await box.store.overlapping(box.guid, box.calendar, 0, 1) == {first: full, second: task}
            await box.store.copy_items(box.guid, [first], box.archive)
            copied = await box.store.overlapping(box.guid, box.archive, 0, 1)
            assert list(copied.values()) == [full]

        check(opened, steps)

    def test_what_overlaps_a_span(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            values = {
                "before": at(0, 10),
                "into": at(5, 15),
                "within": at(12, 13),
                "around": at(0, 100),
                "from": at(19, 30),
                "behind": at(20, 30),
                "series": at(3, None, expands=True),
                "later": at(25, None),
                "moment": at(10, 10),
                "moment before": at(9, 9),
                "moment behind": at(20, 20),
                "ever": at(FROM_EVER, None),
                "never": at(None),
            }
            ids = dict(zip(await box.add(*values.values()), values, strict=True))
            said = await box.store.overlapping(box.guid, box.calendar, 10, 20)
            assert [ids[number] for number in said] == ["into", "within", "around", "from", "series", "moment", "ever"]
            assert all(said[number] == values[ids[number]] for number in said)
            pages, after = [], 0
            while page := await box.store.overlapping(box.guid, box.calendar, 10, 20, after, 3):
                pages.append(len(page))
                after = max(page)
            assert pages == [3, 3, 1]
            assert await box.store.overlapping(box.guid, box.archive, 10, 20) == {}

        check(opened, steps)

    def test_what_is_private_is_known(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            folder = (await box.store.create_in(box.guid, 0, "Plans", "IPF.Appointment")).id
            assert await box.store.private_resources(box.guid, folder) == []
            private = RenderedItem(is_private=True)
            first, _, third = await box.add(private, RenderedItem(), private, folder=folder)
            assert await box.store.private_resources(box.guid, folder) == [first, third]
            await box.store.replace(box.guid, first, b"", RenderedItem())
            assert await box.store.private_resources(box.guid, folder) == [third]
            await refused("NONEXISTENT", box.store.private_resources(box.guid, 1 << 40))

        check(opened, steps)

    def test_contacts_are_found_by_address(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            contacts = (await box.store.create_in(box.guid, 0, "People", "IPF.Contact")).id
            both, other = await box.add(
                RenderedItem(addresses=("a@x.test", "b@x.test")), RenderedItem(addresses=("b@x.test",)), folder=contacts
            )
            said = await box.store.with_addresses(box.guid, ["b@x.test", "a@x.test", "c@x.test"])
            assert said == {"b@x.test": [both, other], "a@x.test": [both]}
            await box.store.replace(box.guid, both, b"", RenderedItem(addresses=("c@x.test",)))
            await box.store.delete(box.guid, [other])
            said = await box.store.with_addresses(box.guid, ["b@x.test", "a@x.test", "c@x.test"])
            assert said == {"c@x.test": [both]}

        check(opened, steps)

    def test_reminders_are_due_once(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            early = -(1 << 40) - uuid4().int % 1_000_000
            store, guid = box.store, box.guid

            async def due(until: int) -> list[tuple[int, int]]:
                said = await store.reminders(until, 1_000)
                assert said == sorted(said, key=lambda one: one.at)
                return [(one.item, one.at) for one in said if one.mailbox == guid]

            late, soon, _ = await box.add(
                RenderedItem(reminds=early + 5), RenderedItem(reminds=early + 1), RenderedItem(starts=0, ends=1)
            )
            assert await due(early) == []
            assert await due(early + 1) == [(soon, early + 1)]
            assert await due(early + 9) == [(soon, early + 1), (late, early + 5)]
            before = await box.change()
            assert not await store.set_reminder(guid, soon, early, None)
            assert await store.set_reminder(guid, soon, early + 1, early + 8)
            assert await store.set_reminder(guid, late, early + 5, None)
            assert not await store.set_reminder(guid, late, early + 5, None)
            assert await due(early + 9) == [(soon, early + 8)] and await box.change() == before
            await refused("NONEXISTENT", store.set_reminder(guid, 1 << 40, 0, None))
            await store.move_items(guid, [soon], box.kinds[FolderKind.DELETED])
            assert await due(early + 9) == [], "what was thrown away reminds nobody"

        check(opened, steps)

    def test_a_folder_takes_its_resources_with_it(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            put = await box.put("a", uid="u")
            await box.store.delete_folder(box.guid, box.calendar)
            assert len(await box.store.with_ids(box.guid, [put.id])) == 0
            assert len(await box.store.with_uids(box.guid, None, ["u"])) == 0
            await refused("NONEXISTENT", box.store.resources(box.guid, box.calendar))

        check(opened, steps)

    def test_changes_of_resources_wake_those_who_wait(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid, calendar = box.store, box.guid, box.calendar
            (item,) = await box.add(at(1))
            for act in (
                lambda: box.put("a"),
                lambda: box.put("a", b"2"),
                lambda: box.add(at(2)),
                lambda: store.replace(guid, item, b"3", at(3)),
                lambda: store.place(guid, calendar, "a", calendar, "b", move=True, overwrite=False),
                lambda: store.place(guid, calendar, "b", box.archive, "b", move=False, overwrite=False),
                lambda: store.remove(guid, calendar, "b"),
            ):
                before = await box.change()
                waiting = asyncio.create_task(store.wait({guid: before}, 30))
                await act()
                assert (await waiting)[guid] > before

        check(opened, steps)

    # Meetings

    def test_a_meeting_is_put_together_with_its_letters(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            letters = await box.letters(2)
            put = await box.put_sending(letters, "m.ics", expected=ABSENT)
            assert put.is_new and put.tag == content_tag(event("m.ics"))
            assert await box.store.outbox(box.guid) == [item.uid for item in await box.store.get(box.guid, letters)]
            assert await box.names() == ["m.ics"]

        check(opened, steps)

    def test_a_meeting_that_is_not_put_sends_nothing(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            letters = await box.letters(1)
            await box.put("m.ics")
            await refused("MODIFIED", box.put_sending(letters, "m.ics", expected=ABSENT))
            await refused("UIDEXISTS", box.put_sending(letters, "n.ics", uid="m.ics", unique_uid=True))
            await refused("MODIFIED", box.store.remove_sending(box.guid, letters, box.calendar, "m.ics", b"0" * 16))
            await refused("NONEXISTENT", box.store.remove_sending(box.guid, letters, box.calendar, "x.ics"))
            assert await box.store.outbox(box.guid) == []
            assert await box.names() == ["m.ics"]

        check(opened, steps)

    def test_a_letter_that_is_not_in_the_outbox_ends_the_change(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            letters = await box.letters(1)
            (elsewhere,) = await box.add(at(0))
            await refused("NONEXISTENT", box.put_sending([*letters, elsewhere], "m.ics"))
            await refused("NONEXISTENT", box.put_sending([1 << 40], "m.ics"))
            await box.put("n.ics")
            await refused("NONEXISTENT", box.store.remove_sending(box.guid, [elsewhere], box.calendar, "n.ics"))
            assert await box.store.outbox(box.guid) == []
            assert "m.ics" not in await box.names() and "n.ics" in await box.names()

        check(opened, steps)

    def test_a_meeting_is_removed_together_with_its_letters(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            letters = await box.letters(1)
            tag = (await box.put("m.ics")).tag
            await box.store.remove_sending(box.guid, letters, box.calendar, "m.ics", tag)
            assert len(await box.store.outbox(box.guid)) == 1
            assert await box.names() == []

        check(opened, steps)
