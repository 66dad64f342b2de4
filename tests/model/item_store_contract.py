"""What every implementation of ItemStore and FolderTree must do, beside FolderStore and ImapItems on the same mailbox.

A test module subclasses ItemStoreContract and says how to open one; each test has a new mailbox of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID, uuid4

import pytest

from postern.model.delivery import Delivery
from postern.model.folder_names import FORMER_NAMES, folder_names
from postern.model.folders import (
    ANONYMOUS,
    EVERYBODY,
    FOLDER_CLASSES,
    MAIL,
    FolderKind,
    FolderNode,
    FolderTree,
    Right,
)
from postern.model.item_store import (
    FIRST_PROPERTY_NAME,
    MAX_PROPERTIES,
    MAX_PROPERTY_OCTETS,
    ItemStore,
    PropertyName,
    StoredItem,
)
from postern.model.items import MESSAGE, Column, Flag, FlagChange, NewItem
from postern.model.mailbox_server import Mailboxes
from postern.model.search import SearchTerm, SortKey
from tests.model import mailboxes_contract
from tests.model.mailboxes_contract import ALL, message, refused, words

CALENDAR, APPOINTMENT = "IPF.Appointment", "IPM.Appointment"
EVENT = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
SET = UUID("00062002-0000-0000-c000-000000000046")


class Store(Mailboxes, FolderTree, ItemStore, Protocol):
    """All interfaces of mailboxes."""


Opened = Callable[[], AbstractAsyncContextManager[Store]]


@dataclass
class Box(mailboxes_contract.Box):
    store: Store

    @property
    def archive(self) -> int:
        return self.kinds[FolderKind.ARCHIVE]

    async def create(self, *contents: bytes, folder: int = 0) -> list[int]:
        return await self.store.create(self.guid, folder or self.inbox, [NewItem(content) for content in contents])

    async def item(self, number: int, content: bool = False) -> StoredItem:
        (item,) = await self.store.get(self.guid, [number], content)
        return item

    async def change(self) -> int:
        return (await self.store.logon(self.guid)).change

    async def changes(self, folder: int | None, since: int, most: int = 10_000) -> tuple[list[int], ...]:
        """The ids that were created, changed, removed and moved."""
        said = await self.store.changes(self.guid, folder, since, most)
        assert not said.more and said.change == await self.change()
        return list(said.created), list(said.changed), list(said.removed), list(said.moved)

    async def node(self, folder: int) -> FolderNode:
        (node,) = [node for node in await self.store.tree(self.guid) if node.id == folder]
        return node

    async def used(self) -> int:
        return (await self.store.used([self.guid]))[0]


def check(opened: Opened, steps: Callable[[Box], Awaitable[None]], quota: int = 0) -> None:
    mailboxes_contract.check(opened, steps, quota, Box)


class ItemStoreContract:
    """Subclasses give the fixture `opened`."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError

    # Items

    def test_an_item_has_an_id_a_class_and_a_place(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            new = [NewItem(message("a"), Flag.SEEN, 1_234_567_890), NewItem(EVENT, item_class=APPOINTMENT)]
            first, second = await box.store.create(box.guid, box.inbox, new)
            items = await box.store.get(box.guid, [second, first, 1 << 40])
            assert [item.id for item in items] == [second, first]
            event, mail = items
            assert (mail.folder, mail.uid, mail.item_class, mail.flags) == (box.inbox, 1, MESSAGE, Flag.SEEN)
            assert (mail.size, mail.internal_date, mail.content) == (len(message("a")), 1_234_567_890, None)
            assert (event.item_class, event.uid, event.change) == (APPOINTMENT, 2, await box.change())
            assert abs(event.created - event.internal_date) <= 5 and mail.created >= event.created > mail.internal_date
            assert (await box.item(first, content=True)).content == message("a")
            assert (await box.item(second, content=True)).content == EVENT
            assert list((await box.store.fetch(box.guid, box.inbox, ALL, Column.CONTENT)).contents) == [
                message("a"),
                EVENT,
            ]

        check(opened, steps)

    def test_what_imap_and_hubs_bring_has_ids_too(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.store.append(box.guid, box.inbox, [NewItem(message("a"), item_class=APPOINTMENT)])
            await box.store.deliver([Delivery("hub/1", message("b"), [box.guid])])
            created, *_ = await box.changes(box.inbox, 0)
            items = await box.store.get(box.guid, created)
            assert [(item.uid, item.item_class) for item in items] == [(1, MESSAGE), (2, MESSAGE)]
            assert all(item.created for item in items)

        check(opened, steps)

    @pytest.mark.parametrize("item_class", ["", "x" * 256, "IPM.\r\nNote", "IPM.Änderung"])
    def test_classes_that_cannot_be(self, opened: Opened, item_class: str) -> None:
        async def steps(box: Box) -> None:
            new = [NewItem(message(), item_class=item_class)]
            await refused("CANNOT", box.store.create(box.guid, box.inbox, new))

        check(opened, steps)

    def test_one_mailbox_does_not_see_the_items_of_another(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            other, store = uuid4(), box.store
            await store.logon(other)
            (item,) = await box.create(message())
            their_inbox = next(f.id for f in await store.folders(other) if f.kind is FolderKind.INBOX)
            assert await store.get(other, [item]) == []
            assert await store.delete(other, [item]) == []
            assert await store.move_items(other, [item], their_inbox) == []
            assert await store.copy_items(other, [item], their_inbox) == {}
            for request in (
                store.update(other, item, message("b")),
                store.properties(other, item),
                store.set_properties(other, item, {1: b""}),
                store.changes(other, box.inbox, 0),
                store.create(other, box.inbox, [NewItem(message())]),
                store.move_items(box.guid, [item], their_inbox),
                store.rights(other, box.inbox),
                store.set_rights(other, box.inbox, EVERYBODY, Right.VISIBLE),
                store.move_folder(other, box.archive, 0, "x"),
                store.create_in(other, box.archive, "x"),
            ):
                await refused("NONEXISTENT", request)
            assert (await box.item(item)).folder == box.inbox

        check(opened, steps)

    def test_an_update_keeps_the_id_and_gives_a_new_uid(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            first, second = await box.create(message("a"), message("b"))
            since = (await box.store.folder(box.guid, box.inbox)).highest_modseq
            await box.store.change_flags(box.guid, box.inbox, [(1, 1)], FlagChange.ADD, Flag.FLAGGED)
            item = await box.store.update(box.guid, first, message("a", "longer than before"), APPOINTMENT)
            assert (item.id, item.folder, item.uid, item.flags) == (first, box.inbox, 3, Flag.FLAGGED)
            assert (item.item_class, item.change) == (APPOINTMENT, await box.change())
            assert (await box.item(first, content=True)).content == message("a", "longer than before")
            index = await box.store.index(box.guid, box.inbox, since)
            assert (words(index.uids), words(index.vanished)) == ([3], [1])
            folder = await box.store.folder(box.guid, box.inbox)
            octets = len(message("a", "longer than before") + message("b"))
            assert (folder.messages, folder.uid_next, folder.size, await box.used()) == (2, 4, octets, octets)
            assert await box.changes(box.inbox, since) == ([], [first], [], [])
            assert (await box.item(second)).uid == 2

        check(opened, steps)

    def test_an_update_of_what_changed_meanwhile_is_refused(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            (item,) = await box.create(message("a"))
            seen = (await box.item(item)).change
            await box.store.update(box.guid, item, message("b"), unchanged_since=seen)
            await refused("MODIFIED", box.store.update(box.guid, item, message("c"), unchanged_since=seen))
            await box.store.update(box.guid, item, message("d"))
            assert (await box.item(item, content=True)).content == message("d")
            await refused("NONEXISTENT", box.store.update(box.guid, item + 1_000, message()))
            await refused("CANNOT", box.store.update(box.guid, item, message(), "x" * 256))

        check(opened, steps)

    def test_what_is_being_sent_is_not_changed(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            (item,) = await box.create(message(), folder=box.kinds[FolderKind.OUTBOX])
            uid = (await box.item(item)).uid
            await box.store.submit(box.guid, uid)
            await refused("CANNOT", box.store.update(box.guid, item, message("b")))
            await box.store.submitted(box.guid, uid)
            assert (await box.item(item)).folder == box.kinds[FolderKind.SENT], "it kept its id"

        check(opened, steps)

    def test_properties_say_what_becomes_of_what_was_sent(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            outbox, count = box.kinds[FolderKind.OUTBOX], (8).to_bytes(4, "little")
            fates = {
                "gone": {0x0E01000B: b"\x01"},
                "elsewhere": {0x0E0A0102: count + box.archive.to_bytes(8, "big"), 0x0E01000B: b"\0"},
                "nowhere": {0x0E0A0102: count + (1 << 40).to_bytes(8, "big")},
            }
            ids: dict[str, int] = {}
            for name, bag in fates.items():
                (ids[name],) = await box.create(message(name), folder=outbox)
                await box.store.set_properties(box.guid, ids[name], bag)
                uid = (await box.item(ids[name])).uid
                await box.store.submit(box.guid, uid)
                await box.store.submitted(box.guid, uid)
            assert await box.store.get(box.guid, [ids["gone"]]) == []
            for name, folder in (("elsewhere", box.archive), ("nowhere", box.kinds[FolderKind.SENT])):
                assert (await box.item(ids[name])).folder == folder
                assert await box.store.properties(box.guid, ids[name]) == {}
            assert await box.store.outbox(box.guid) == []

        check(opened, steps)

    def test_a_full_mailbox_takes_nothing_larger(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            large, small = message(body="x" * 600), message()
            (item,) = await box.create(large)
            await refused("OVERQUOTA", box.create(large))
            await refused("OVERQUOTA", box.store.copy_items(box.guid, [item], box.archive))
            await refused("OVERQUOTA", box.store.update(box.guid, item, message(body="x" * 1_100)))
            await box.store.update(box.guid, item, small)
            assert await box.used() == len(small)

        check(opened, steps, quota=1_000)

    def test_deleting_by_id_from_several_folders(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            first, second = await box.create(message("a"), message("b"))
            (third,) = await box.create(message("c"), folder=box.archive)
            since = await box.change()
            assert await box.store.delete(box.guid, [third, first, 1 << 40]) == [first, third]
            assert await box.store.delete(box.guid, [first]) == []
            assert [item.id for item in await box.store.get(box.guid, [first, second, third])] == [second]
            assert await box.changes(box.inbox, since) == ([], [], [first], [])
            assert await box.changes(None, since) == ([], [], [first, third], [])
            assert words((await box.store.index(box.guid, box.inbox, since)).vanished) == [1]
            assert await box.used() == len(message("b"))
            assert (await box.store.folder(box.guid, box.inbox)).unseen == 1

        check(opened, steps)

    def test_moved_items_keep_their_ids(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            first, second = await box.create(message("a"), message("b"))
            (third,) = await box.create(message("c"), folder=box.archive)
            made = (await box.item(first)).created
            since = await box.change()
            assert await box.store.move_items(box.guid, [third, first], box.archive) == [first, third]
            moved = await box.item(first)
            assert (moved.folder, moved.uid, moved.created) == (box.archive, 2, made)
            assert (await box.item(third)).uid == 1, "where it was"
            assert await box.changes(box.inbox, since) == ([], [], [], [first])
            assert await box.changes(box.archive, since) == ([first], [], [], [])
            assert await box.changes(None, since) == ([first], [], [], [])
            await box.store.move_items(box.guid, [first], box.inbox)
            assert await box.changes(box.inbox, since) == ([first], [], [], []), "it is there again"
            await box.store.copy(box.guid, box.inbox, ALL, box.archive, move=True)
            assert {(await box.item(number)).folder for number in (first, second)} == {box.archive}
            assert await box.changes(box.inbox, since) == ([], [], [], [first, second])

        check(opened, steps)

    def test_imaps_move_within_a_folder_is_a_change(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            (item,) = await box.create(message())
            since = await box.change()
            await box.store.copy(box.guid, box.inbox, ALL, box.inbox, move=True)
            assert (await box.item(item)).uid == 2
            assert await box.changes(box.inbox, since) == ([], [item], [], [])

        check(opened, steps)

    def test_copies_are_items_of_their_own(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            new = [NewItem(EVENT, internal_date=5, item_class=APPOINTMENT), NewItem(message("b"))]
            first, second = await box.store.create(box.guid, box.inbox, new)
            await box.store.set_properties(box.guid, first, {0x0E1E_0003: b"\1\0\0\0"})
            copies = await box.store.copy_items(box.guid, [second, first], box.archive)
            assert list(copies) == [first, second] and not set(copies.values()) & {first, second}
            copy = await box.item(copies[first], content=True)
            assert (copy.folder, copy.item_class, copy.internal_date, copy.content) == (
                box.archive,
                APPOINTMENT,
                5,
                EVENT,
            )
            assert await box.store.properties(box.guid, copy.id) == {0x0E1E_0003: b"\1\0\0\0"}
            assert await box.store.properties(box.guid, copies[second]) == {}
            await box.store.set_properties(box.guid, first, {0x0E1E_0003: None})
            assert await box.store.properties(box.guid, copy.id) != {}
            assert await box.used() == 2 * len(EVENT + message("b"))

        check(opened, steps)

    # Changes

    def test_flags_expunges_and_new_items_are_told_apart(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            first, second, third = await box.create(message("a"), message("b"), message("c"))
            assert await box.changes(box.inbox, 0) == ([first, second, third], [], [], [])
            since = await box.change()
            assert await box.changes(box.inbox, since) == ([], [], [], [])
            await box.store.change_flags(box.guid, box.inbox, [(1, 1)], FlagChange.ADD, Flag.SEEN)
            await box.store.change_flags(box.guid, box.inbox, [(2, 2)], FlagChange.ADD, Flag.DELETED)
            await box.store.expunge(box.guid, box.inbox)
            (fourth,) = await box.create(message("d"))
            await box.store.change_flags(box.guid, box.inbox, [(4, 4)], FlagChange.ADD, Flag.SEEN)
            assert await box.changes(box.inbox, since) == ([fourth], [first], [second], [])
            assert await box.changes(None, since) == ([fourth], [first], [second], [])
            assert await box.changes(box.inbox, 0) == ([first, third, fourth], [], [], [])
            assert await box.changes(box.archive, 0) == ([], [], [], [])
            await refused("NONEXISTENT", box.store.changes(box.guid, 1 << 40, 0))

        check(opened, steps)

    def test_changes_come_in_pages_and_none_is_missed(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            ids = [(await box.create(message(str(n))))[0] for n in range(6)]
            # Changed when the first page was told already: the first has it as new, the second once more as changed.
            await box.store.change_flags(box.guid, box.inbox, [(1, 1)], FlagChange.ADD, Flag.SEEN)
            await box.store.delete(box.guid, [ids[1]])
            pages, since, more = [], 0, True
            while more:
                page = await box.store.changes(box.guid, box.inbox, since, 2)
                pages.append((list(page.created), list(page.changed), list(page.removed)))
                since, more = page.change, page.more
            assert [number for created, _, _ in pages for number in created] == [ids[0], *ids[2:]]
            assert [number for _, changed, _ in pages for number in changed] == [ids[0]]
            assert all(number == ids[1] for _, _, removed in pages for number in removed)
            assert since == await box.change()
            # One change is told whole.
            await box.store.move_items(box.guid, ids[2:], box.archive)
            page = await box.store.changes(box.guid, box.archive, 0, 2)
            assert (list(page.created), page.more) == (ids[2:], False)

        check(opened, steps)

    # Properties

    def test_a_bag_of_properties(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            (item,) = await box.create(message())
            since = await box.change()
            store = box.store
            assert await store.properties(box.guid, item) == {}
            await store.set_properties(box.guid, item, {0x8000_001F: b"a\0\0\0", 0xFFFF_0003: b"", 5: b"x" * 5_000})
            await store.set_properties(box.guid, item, {5: b"y", 0xFFFF_0003: None, 0x1000_0003: None})
            assert await store.properties(box.guid, item) == {0x8000_001F: b"a\0\0\0", 5: b"y"}
            assert await box.changes(box.inbox, since) == ([], [item], [], [])
            for values in ({0: b""}, {1 << 32: b""}, {-1: b""}):
                await refused("CANNOT", store.set_properties(box.guid, item, values))
            await refused("LIMIT", store.set_properties(box.guid, item, {6: b"z" * MAX_PROPERTY_OCTETS}))
            await refused(
                "LIMIT", store.set_properties(box.guid, item, dict.fromkeys(range(6, 6 + MAX_PROPERTIES), b""))
            )
            assert await store.properties(box.guid, item) == {0x8000_001F: b"a\0\0\0", 5: b"y"}
            await store.move_items(box.guid, [item], box.archive)
            await store.update(box.guid, item, message("b"))
            assert await store.properties(box.guid, item) == {0x8000_001F: b"a\0\0\0", 5: b"y"}
            await store.delete(box.guid, [item])
            await refused("NONEXISTENT", store.properties(box.guid, item))

        check(opened, steps)

    def test_bags_of_several_items(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            other, store = uuid4(), box.store
            await store.logon(other)
            first, second, third = await box.create(message("a"), message("b"), message("c"))
            await store.set_properties(box.guid, first, {5: b"x", 0xFFFF_0003: b""})
            await store.set_properties(box.guid, third, {6: b"y"})
            assert await store.bags(box.guid, [third, second, first, 1 << 40]) == {
                first: {5: b"x", 0xFFFF_0003: b""},
                third: {6: b"y"},
            }
            assert await store.bags(other, [first]) == await store.bags(box.guid, []) == {}

        check(opened, steps)

    def test_property_names_are_numbered_per_mailbox(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            other, store = uuid4(), box.store
            await store.logon(other)
            place, lid = PropertyName(SET, None, "장소"), PropertyName(SET, 0x820D)
            assert await store.property_ids(box.guid, [place, lid]) == [0, 0]
            first = FIRST_PROPERTY_NAME
            assert await store.property_ids(box.guid, [place, lid, place], create=True) == [first, first + 1, first]
            assert await store.property_ids(box.guid, [PropertyName(SET, 1), lid]) == [0, first + 1]
            assert await store.property_ids(other, [lid], create=True) == [first]
            assert await store.property_names(box.guid) == {first: place, first + 1: lid}
            for name in (PropertyName(SET), PropertyName(SET, None, "x" * 256), PropertyName(SET, -1)):
                await refused("CANNOT", store.property_ids(box.guid, [name], create=True))

        check(opened, steps)

    @pytest.mark.parametrize("text", ["\ud800", "a\udc00b", "a\0b"])
    def test_no_property_has_a_name_that_is_not_kept_as_it_is(self, opened: Opened, text: str) -> None:
        """A lone surrogate would be kept as "?", and so be the name of another property."""

        async def steps(box: Box) -> None:
            for create in (False, True):
                names = [PropertyName(SET, None, "before"), PropertyName(SET, None, text)]
                await refused("CANNOT", box.store.property_ids(box.guid, names, create))
            assert await box.store.property_names(box.guid) == {}

        check(opened, steps)

    # Folders

    def test_folders_have_parents_names_and_classes(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            below = await box.store.create_folder(box.guid, ["a", "b", "c"])
            node = await box.node(below.id)
            parent = await box.node(node.parent)
            assert (node.name, node.folder_class, node.kind) == ("c", MAIL, FolderKind.USER)
            assert (parent.name, (await box.node(parent.parent)).name) == ("b", "a")
            assert (await box.node(parent.parent)).parent == 0
            made = await box.store.create_in(box.guid, parent.id, "inbox", CALENDAR)
            assert (made.parent, made.name, made.folder_class) == (parent.id, "inbox", CALENDAR)
            assert made.change == await box.change()
            await refused("ALREADYEXISTS", box.store.create_in(box.guid, parent.id, "c"))
            await refused("ALREADYEXISTS", box.store.create_in(box.guid, 0, "Inbox"))
            await refused("NONEXISTENT", box.store.create_in(box.guid, 1 << 40, "x"))
            for name in ("", "a/b", "x" * 256):
                await refused("CANNOT", box.store.create_in(box.guid, 0, name))
            await refused("CANNOT", box.store.create_in(box.guid, 0, "x", "IPF.\n"))
            await refused("NONEXISTENT", box.store.tree(uuid4()))

        check(opened, steps)

    def test_imap_sees_folders_with_mail_only(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            calendar = await box.store.create_in(box.guid, 0, "Team", CALENDAR)
            notes = await box.store.create_in(box.guid, 0, "Sticky", MAIL + ".Sticky")
            await box.store.create(box.guid, calendar.id, [NewItem(EVENT, item_class=APPOINTMENT)])
            paths = {folder.path for folder in await box.store.folders(box.guid)}
            assert ("Team",) not in paths and ("Sticky",) in paths
            assert {calendar.id, notes.id} <= {node.id for node in await box.store.tree(box.guid)}
            await refused("ALREADYEXISTS", box.store.create_folder(box.guid, ["Team"]))

        check(opened, steps)

    def test_a_mailbox_has_well_known_folders_without_mail(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            known = {n.kind: n for n in await store.tree(guid) if n.kind in FOLDER_CLASSES}
            assert {kind: node.folder_class for kind, node in known.items()} == FOLDER_CLASSES
            assert {kind: node.name for kind, node in known.items()} == folder_names("en")
            assert {node.parent for node in known.values()} == {0}
            assert not known.keys() & box.kinds.keys() and not set(folder_names("en").values()) & {
                name for path in await store.subscriptions(guid) for name in path
            }
            calendar = known[FolderKind.CALENDAR]
            await refused("CANNOT", store.delete_folder(guid, calendar.id))
            await refused("CANNOT", store.move_folder(guid, calendar.id, box.archive, "x"))
            await refused("ALREADYEXISTS", store.create_in(guid, 0, "Calendar", CALENDAR))
            assert (await store.create_in(guid, calendar.id, "below", CALENDAR)).parent == calendar.id
            before = await store.tree(guid)
            await store.logon(guid)
            assert await store.tree(guid) == before

        check(opened, steps)

    def test_a_well_known_folder_makes_way_for_one_with_mail(self, opened: Opened) -> None:
        """Programs keep notes in a folder `Notes` that they make over IMAP."""

        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            notes = next(node for node in await store.tree(guid) if node.kind is FolderKind.NOTES)
            below = await store.create_in(guid, notes.id, "below", CALENDAR)
            since = await box.change()
            made = await store.create_folder(guid, ["Notes"])
            assert (made.path, made.kind) == (("Notes",), FolderKind.USER)
            assert ((await box.node(notes.id)).name, (await box.node(below.id)).parent) == ("Notes1", notes.id)
            said = await store.folder_changes(guid, since)
            assert [node.id for node in said.created] == [made.id]
            assert [node.id for node in said.changed] == [notes.id]
            await refused("ALREADYEXISTS", store.create_folder(guid, ["Notes"]))
            await store.rename_folder(guid, made.id, ["Tasks"])
            names = {node.kind: node.name for node in await store.tree(guid)}
            assert (names[FolderKind.TASKS], (await store.folder(guid, made.id)).path) == ("Tasks1", ("Tasks",))
            await refused("ALREADYEXISTS", store.move_folder(guid, made.id, 0, "Journal"))
            await refused("CANNOT", store.rename_folder(guid, box.kinds[FolderKind.SENT], ["Journal"]))
            assert "Journal" in {node.name for node in await store.tree(guid)}

        check(opened, steps)

    def test_well_known_folders_are_named_in_a_language(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            await store.create_in(guid, 0, "연락처")
            below = await store.create_in(
                guid, next(n.id for n in await store.tree(guid) if n.kind is FolderKind.CALENDAR), "below", CALENDAR
            )

            async def names() -> dict[FolderKind, str]:
                return {n.kind: n.name for n in await store.tree(guid) if n.kind in FOLDER_CLASSES}

            since = await box.change()
            await store.name_folders(guid, folder_names("ko"), FORMER_NAMES)
            korean = {**folder_names("ko"), FolderKind.CONTACTS: "Contacts"}
            assert await names() == korean, "one name was taken"
            assert len((await store.folder_changes(guid, since)).changed) == len(FOLDER_CLASSES) - 1
            assert (await store.folder(guid, below.id)).path == ("일정", "below")
            await store.name_folders(guid, {FolderKind.CALENDAR: "Mine"}, ["일정"])
            await store.name_folders(guid, folder_names("de"), FORMER_NAMES)
            assert await names() == {**folder_names("de"), FolderKind.CALENDAR: "Mine"}, "one was named by its owner"
            await refused("CANNOT", store.name_folders(guid, {FolderKind.CALENDAR: "a/b"}, ["Mine"]))
            await refused("NONEXISTENT", store.name_folders(uuid4(), folder_names("de"), FORMER_NAMES))

        check(opened, steps)

    def test_a_folder_moves_with_what_is_below(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            below = await store.create_folder(guid, ["a", "b", "c"])
            b = (await box.node(below.id)).parent
            a = (await box.node(b)).parent
            await store.move_folder(guid, b, box.archive, "B")
            node = await box.node(b)
            assert (node.parent, node.name, node.change) == (box.archive, "B", await box.change())
            assert (await store.folder(guid, below.id)).path == ("Archive", "B", "c")
            assert (await box.node(below.id)).parent == b
            await store.move_folder(guid, b, 0, "b")
            assert (await store.folder(guid, b)).path == ("b",)
            await refused("CANNOT", store.move_folder(guid, b, below.id, "x"))
            await refused("ALREADYEXISTS", store.move_folder(guid, b, 0, "a"))
            await refused("CANNOT", store.move_folder(guid, box.inbox, a, "x"))
            await refused("CANNOT", store.move_folder(guid, b, a, ""))
            await refused("NONEXISTENT", store.move_folder(guid, b, 1 << 40, "x"))
            # IMAP's RENAME says the same to the tree.
            await store.rename_folder(guid, b, ["a", "deep", "er"])
            node = await box.node(b)
            assert (node.name, (await box.node(node.parent)).name) == ("er", "deep")

        check(opened, steps)

    def test_no_folder_is_made_or_moved_where_its_path_could_not_be(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            deepest = await store.create_folder(guid, ["a"] * 32)
            longest = await store.create_folder(guid, ["x" * 249] * 8)
            nodes = {node.id: node for node in await store.tree(guid)}
            (top,) = [node.id for node in nodes.values() if node.name == "a" and node.parent == 0]
            for parent in (deepest.id, longest.id):
                await refused("CANNOT", store.create_in(guid, parent, "b"))
                await refused("CANNOT", store.move_folder(guid, box.archive, parent, "Archive"))
            await refused("CANNOT", store.move_folder(guid, top, box.archive, "a"))
            await refused("CANNOT", store.move_folder(guid, top, nodes[longest.id].parent, "a" * 250))
            assert {node.id: node for node in await store.tree(guid)} == nodes

        check(opened, steps)

    def test_what_a_deleted_folder_leaves_hangs_from_the_nearest_above(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            below = await store.create_folder(guid, ["a", "b", "c"])
            b = (await box.node(below.id)).parent
            a = (await box.node(b)).parent
            await store.delete_folder(guid, b)
            assert (await box.node(below.id)).parent == a
            await store.delete_folder(guid, a)
            orphan = await box.node(below.id)
            assert (orphan.parent, orphan.change) == (0, await box.change())
            again = await store.create_folder(guid, ["a", "b"])
            assert (await box.node(below.id)).parent == again.id

        check(opened, steps)

    def test_changes_of_folders(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            everything = await store.folder_changes(guid, 0)
            assert {node.id for node in everything.created} == {node.id for node in await store.tree(guid)}
            assert {node.id for node in everything.created} > set(box.kinds.values())
            assert (list(everything.changed), list(everything.removed)) == ([], [])
            kept = await store.create_folder(guid, ["kept"])
            gone = await store.create_folder(guid, ["gone"])
            since = (await store.folder_changes(guid, 0)).change
            await box.create(message(), folder=kept.id)
            nothing = await store.folder_changes(guid, since)
            assert (list(nothing.created), list(nothing.changed), list(nothing.removed)) == ([], [], [])
            new = await store.create_in(guid, kept.id, "new")
            await store.rename_folder(guid, kept.id, ["renamed"])
            await store.delete_folder(guid, gone.id)
            said = await store.folder_changes(guid, since)
            assert [node.id for node in said.created] == [new.id]
            assert [(node.id, node.name) for node in said.changed] == [(kept.id, "renamed")]
            assert (list(said.removed), said.change) == ([gone.id], await box.change())
            assert list((await store.folder_changes(guid, 0)).removed) == []
            await refused("NONEXISTENT", store.folder_changes(uuid4(), 0))

        check(opened, steps)

    # Rights

    def test_rights_of_others(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid, bob = box.store, box.guid, uuid4()
            folder = await store.create_folder(guid, ["shared"])
            assert await store.rights(guid, folder.id) == {}
            since = await box.change()
            await store.set_rights(guid, folder.id, bob, Right.READ_ANY | Right.VISIBLE)
            await store.set_rights(guid, folder.id, EVERYBODY, Right.FREE_BUSY_SIMPLE)
            await store.set_rights(guid, folder.id, ANONYMOUS, Right(0))
            await store.set_rights(guid, folder.id, bob, Right.READ_ANY)
            assert await store.rights(guid, folder.id) == {
                bob: Right.READ_ANY,
                EVERYBODY: Right.FREE_BUSY_SIMPLE,
                ANONYMOUS: Right(0),
            }
            assert [node.id for node in (await store.folder_changes(guid, since)).changed] == [folder.id]
            await store.set_rights(guid, box.inbox, bob, Right.OWNER)
            entries = await store.mailbox_rights(guid)
            assert entries == {folder.id: await store.rights(guid, folder.id), box.inbox: {bob: Right.OWNER}}
            await store.set_rights(guid, folder.id, EVERYBODY, None)
            assert set(await store.rights(guid, folder.id)) == {bob, ANONYMOUS}
            await store.delete_folder(guid, folder.id)
            await refused("NONEXISTENT", store.rights(guid, folder.id))

        check(opened, steps)

    def test_what_others_share_is_found_in_one_question(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid, bob, group, other = box.store, box.guid, uuid4(), uuid4(), uuid4()
            await store.logon(other)
            calendar = next(node.id for node in await store.tree(other) if node.kind is FolderKind.CALENDAR)
            await store.set_rights(guid, box.inbox, bob, Right.READ_ANY)
            await store.set_rights(guid, box.archive, group, Right(0))
            await store.set_rights(guid, box.archive, uuid4(), Right.OWNER)
            await store.set_rights(other, calendar, bob, Right.FREE_BUSY_SIMPLE)
            said = await store.shared_with([bob, group])
            assert {(s.mailbox, s.folder.id, s.grantee, s.rights) for s in said} == {
                (guid, box.inbox, bob, Right.READ_ANY),
                (guid, box.archive, group, Right(0)),
                (other, calendar, bob, Right.FREE_BUSY_SIMPLE),
            }
            assert {s.folder.id: s.folder for s in said}[box.inbox] == await box.node(box.inbox)
            assert await store.shared_with([]) == await store.shared_with([uuid4()]) == []

        check(opened, steps)

    def test_full_access_to_a_mailbox(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid, bob, group, other = box.store, box.guid, uuid4(), uuid4(), uuid4()
            await store.logon(other)
            assert await store.full_access(guid) == await store.accessible([bob, group]) == []
            await store.set_full_access(guid, bob, True)
            await store.set_full_access(guid, bob, True)
            await store.set_full_access(other, group, True)
            await store.set_full_access(guid, group, True)
            assert await store.full_access(guid) == sorted([bob, group])
            assert await store.accessible([bob, group]) == sorted([guid, other])
            assert await store.accessible([bob]) == [guid]
            assert await store.accessible([]) == await store.accessible([uuid4()]) == []
            await store.set_full_access(guid, bob, False)
            await store.set_full_access(guid, bob, False)
            assert await store.full_access(guid) == [group]
            await refused("NONEXISTENT", store.full_access(uuid4()))
            await refused("NONEXISTENT", store.set_full_access(uuid4(), bob, True))

        check(opened, steps)

    def test_a_folder_has_a_bag_of_properties(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid, other = box.store, box.guid, uuid4()
            await store.logon(other)
            assert await store.folder_properties(guid, [box.inbox, box.archive, 1 << 40]) == {
                box.inbox: {},
                box.archive: {},
            }
            since = await box.change()
            await store.set_folder_properties(guid, box.inbox, {0x8001_001F: b"a\0", 0xFFFF_0102: b"", 5: b"x"})
            await store.set_folder_properties(guid, box.inbox, {5: None, 0xFFFF_0102: b"y", 6: None})
            bag = {0x8001_001F: b"a\0", 0xFFFF_0102: b"y"}
            assert await store.folder_properties(guid, [box.inbox]) == {box.inbox: bag}
            assert [node.id for node in (await store.folder_changes(guid, since)).changed] == [box.inbox]
            assert await box.changes(None, since) == ([], [], [], [])
            await refused("CANNOT", store.set_folder_properties(guid, box.inbox, {0: b""}))
            await refused("LIMIT", store.set_folder_properties(guid, box.inbox, {7: b"z" * MAX_PROPERTY_OCTETS}))
            many = dict.fromkeys(range(6, 6 + MAX_PROPERTIES), b"")
            await refused("LIMIT", store.set_folder_properties(guid, box.inbox, many))
            await refused("NONEXISTENT", store.set_folder_properties(other, box.inbox, {5: b""}))
            assert await store.folder_properties(other, [box.inbox]) == {}
            assert await store.folder_properties(guid, [box.inbox]) == {box.inbox: bag}
            gone = (await store.create_in(guid, 0, "gone")).id
            await store.set_folder_properties(guid, gone, {5: b"x"})
            await store.delete_folder(guid, gone)
            assert await store.folder_properties(guid, [gone]) == {}

        check(opened, steps)

    def test_changes_wake_those_who_wait(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            (item,) = await box.create(message())
            folder = (await box.store.create_folder(box.guid, ["x"])).id
            for act in (
                lambda: box.store.create_in(box.guid, 0, "y"),
                lambda: box.store.move_folder(box.guid, folder, 0, "z"),
                lambda: box.store.set_rights(box.guid, folder, EVERYBODY, Right.VISIBLE),
                lambda: box.store.set_folder_properties(box.guid, folder, {5: b"x"}),
                lambda: box.store.set_full_access(box.guid, EVERYBODY, True),
                lambda: box.store.name_folders(box.guid, folder_names("fr"), FORMER_NAMES),
                lambda: box.create(message("b")),
                lambda: box.store.update(box.guid, item, message("c")),
                lambda: box.store.set_properties(box.guid, item, {5: b""}),
                lambda: box.store.move_items(box.guid, [item], folder),
                lambda: box.store.copy_items(box.guid, [item], folder),
                lambda: box.store.delete(box.guid, [item]),
            ):
                before = await box.change()
                waiting = asyncio.create_task(box.store.wait({box.guid: before}, 30))
                await act()
                assert (await waiting)[box.guid] > before

        check(opened, steps)

    def test_columns_are_those_of_the_folder_in_the_order_that_was_asked_for(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            first, second = await box.create(message("one"), message("two"))
            wanted = Column.ENVELOPE | Column.BODYSTRUCTURE | Column.HEADER | Column.CONTENT
            by_uid = await box.store.fetch(box.guid, box.inbox, ALL, wanted)
            told = await box.store.columns(box.guid, [second, 99_999_999, first], wanted)
            assert [item.id for item in told.items] == [second, first]
            for columns, other in (
                (told.envelopes, by_uid.envelopes),
                (told.structures, by_uid.structures),
                (told.headers, by_uid.headers),
                ([item.content for item in told.items], by_uid.contents),
            ):
                assert list(columns) == list(reversed(other))
            alone = await box.store.columns(box.guid, [first], Column.ENVELOPE)
            assert alone.envelopes and not alone.structures and not alone.headers and alone.items[0].content is None
            other = uuid4()
            await box.store.logon(other)
            assert not (await box.store.columns(other, [first], Column.ENVELOPE)).items

        check(opened, steps)

    def test_a_folder_is_walked_in_the_order_of_arrival(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            first, second = await box.create(message("one"), message("two"))
            then = await box.change()
            (third,) = await box.create(message("three"))

            async def walked(after: int, most: int, until: int = 0) -> list[int]:
                told = await box.store.walk(box.guid, box.inbox, after, most, Column.ENVELOPE, until)
                assert len(told.envelopes) == len(told.items) and not told.headers
                return [item.id for item in told.items]

            assert await walked(0, 100) == [first, second, third]
            assert await walked(0, 100, then) == [first, second]
            assert await walked(0, 1) == [first]
            assert await walked((await box.item(first)).uid, 1) == [second]
            assert await walked((await box.item(third)).uid, 1) == []
            with_headers = await box.store.walk(box.guid, box.inbox, 0, 1, Column.HEADER)
            assert list(with_headers.headers) == list(
                (await box.store.columns(box.guid, [first], Column.HEADER)).headers
            )
            await refused("NONEXISTENT", box.store.walk(box.guid, 99_999_999, 0, 1, Column(0)))

        check(opened, steps)

    def test_what_only_reads_an_item_is_told_apart(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            ids = await box.create(message("one"), message("two"))

            async def flagged(change: FlagChange, flags: int, count: int = 1) -> None:
                last = (await box.item(ids[count - 1])).uid
                first = (await box.item(ids[0])).uid
                await box.store.change_flags(box.guid, box.inbox, [(first, last)], change, flags)

            async def others() -> list[int]:
                return list((await box.store.columns(box.guid, ids, Column(0))).others)

            made = await others()
            assert made == [(await box.item(number)).change for number in ids]
            for change in (FlagChange.ADD, FlagChange.REMOVE):
                await flagged(change, Flag.SEEN)
                assert await others() == made
            assert (await box.item(ids[0])).change > made[0]
            await flagged(FlagChange.ADD, Flag.SEEN, 2)
            assert await others() == made
            await flagged(FlagChange.ADD, Flag.FLAGGED, 2)
            now = [(await box.item(number)).change for number in ids]
            assert await others() == now and now[0] > made[0]
            await flagged(FlagChange.REMOVE, Flag.SEEN)
            assert await others() == now
            await flagged(FlagChange.REPLACE, Flag.SEEN)
            assert (await others())[0] == (await box.item(ids[0])).change

        check(opened, steps)

    def test_a_page_is_a_part_of_the_order(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            items = [
                NewItem(message(f"subject {number % 3}"), internal_date=1_000 - number // 2) for number in range(10)
            ]
            ids = await box.store.create(box.guid, box.inbox, items)
            dates = {number: item.internal_date or 0 for number, item in zip(ids, items, strict=True)}

            async def page(offset: int, most: int, *order: SortKey) -> list[int]:
                part = await box.store.find(box.guid, box.inbox, order, offset, most)
                assert part.total == 10
                return list(part.ids)

            newest = sorted(ids, key=lambda number: -dates[number])
            assert await page(0, 100, SortKey("arrival", True)) == newest
            assert await page(3, 4, SortKey("arrival", True)) == newest[3:7]
            assert await page(9, 4, SortKey("arrival")) == sorted(ids, key=lambda number: dates[number])[9:]
            assert await page(10, 4, SortKey("arrival")) == []
            assert await page(0, 4, SortKey("subject")) == ids[0::3]
            assert await page(8, 4) == ids[8:]
            part = await box.store.find(box.guid, box.inbox, [], 0, 2, SearchTerm("subject", "subject 1"))
            assert (list(part.ids), part.total) == (ids[1::3][:2], 3)
            since = SearchTerm("arrived", number=998)
            part = await box.store.find(box.guid, box.inbox, [SortKey("arrival")], 0, 100, since)
            assert set(part.ids) == {number for number in ids if dates[number] >= 998} and part.total == len(part.ids)
            await box.store.create(box.guid, box.inbox, [NewItem(message("a"), item_class="IPM.Note.Mine")])
            part = await box.store.find(box.guid, box.inbox, [], 0, 100, SearchTerm("class", "ipm.note.M"))
            assert part.total == 1
            for order in ([SortKey("arrival")], [SortKey("size")]):
                await refused("NONEXISTENT", box.store.find(box.guid, 99_999_999, order, 0, 1))

        check(opened, steps)
