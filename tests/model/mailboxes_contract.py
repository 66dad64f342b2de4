"""What every implementation of Mailboxes must do: the store, RPC in front of it, and the fake of the services' tests.

A test module subclasses MailboxesContract and says how to open one; each test has a new mailbox of its own.
"""

from __future__ import annotations

import asyncio
import random
from array import array
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.folders import FOLDER_CLASSES, Folder, FolderKind
from postern.model.items import Column, FetchedItems, Flag, FlagChange, Index, NewItem
from postern.model.mailbox import MailboxError
from postern.model.mailbox_server import Mailboxes
from postern.model.search import SearchTerm, SortKey

Opened = Callable[[], AbstractAsyncContextManager[Mailboxes]]
ALL = [(1, 0xFFFFFFFF)]
DAY = 86_400


def message(subject: str = "hello", body: str = "text", **headers: str) -> bytes:
    """A small message; header names with underscores for hyphens."""
    lines = [f"Subject: {subject}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}\r\n").encode()


def words(packed: bytes, code: str = "I") -> list[int]:
    """Packed little-endian words: "I" of 32 bits, "Q" of 64."""
    return list(array(code, packed))


@dataclass
class Box:
    """One mailbox, with the ids of its well-known folders."""

    store: Mailboxes
    guid: UUID
    kinds: dict[FolderKind, int]

    @property
    def inbox(self) -> int:
        return self.kinds[FolderKind.INBOX]

    async def append(self, *contents: bytes, folder: int = 0, flags: int = 0, date: int | None = None) -> list[int]:
        items = [NewItem(content, flags, date) for content in contents]
        return list((await self.store.append(self.guid, folder or self.inbox, items)).targets)

    async def folder(self, folder: int = 0) -> Folder:
        return await self.store.folder(self.guid, folder or self.inbox)

    async def index(self, since: int = 0, folder: int = 0) -> Index:
        return await self.store.index(self.guid, folder or self.inbox, since)

    async def fetch(self, columns: Column, uids: Sequence[tuple[int, int]] = ALL, folder: int = 0) -> FetchedItems:
        return await self.store.fetch(self.guid, folder or self.inbox, uids, columns)

    async def flag(
        self, change: FlagChange, flags: int, uids: Sequence[tuple[int, int]] = ALL, unchanged_since: int | None = None
    ) -> list[list[int]]:
        """The UIDs, flags, mod-sequences, and the UIDs that were modified."""
        said = await self.store.change_flags(self.guid, self.inbox, uids, change, flags, unchanged_since)
        return [list(said.uids), list(said.flags), list(said.modseqs), list(said.modified)]

    async def search(self, key: str, sort: Sequence[SortKey] = (), **values: object) -> list[int]:
        term = SearchTerm(key, **values)  # type: ignore[arg-type]  # a test's own words
        return list((await self.store.search(self.guid, self.inbox, term, sort)).uids)

    async def deliver(self, name: str, content: bytes, quotas: Sequence[int] = ()) -> DeliveryStatus:
        ((status,),) = await self.store.deliver([Delivery(name, content, [self.guid], "a@b.test", 0, quotas)])
        return status


async def refused(code: str, request: Awaitable[object]) -> str:
    """The words with which the request is refused."""
    with pytest.raises(MailboxError) as caught:
        await request
    assert caught.value.code == code
    return str(caught.value)


def check(opened: Opened, steps: Callable[[Any], Awaitable[None]], quota: int = 0, box: type[Box] = Box) -> None:
    """Takes the steps in a new mailbox."""

    async def run() -> None:
        async with opened() as store:
            guid = uuid4()
            await store.logon(guid, quota)
            kinds = {folder.kind: folder.id for folder in await store.folders(guid)}
            await steps(box(store, guid, kinds))

    asyncio.run(asyncio.wait_for(run(), 60))


class MailboxesContract:
    """Subclasses give the fixture `opened`."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError

    # Mailboxes

    def test_logon_makes_a_mailbox_with_its_well_known_folders_once(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.append(message())
            info = await box.store.logon(box.guid)
            assert (info.mailbox, info.used, info.items, info.quota) == (box.guid, len(message()), 1, 0)
            folders = {folder.path: folder.kind for folder in await box.store.folders(box.guid)}
            assert folders == {
                ("INBOX",): FolderKind.INBOX,
                ("Sent Items",): FolderKind.SENT,
                ("Drafts",): FolderKind.DRAFTS,
                ("Deleted Items",): FolderKind.DELETED,
                ("Junk E-mail",): FolderKind.JUNK,
                ("Outbox",): FolderKind.OUTBOX,
                ("Archive",): FolderKind.ARCHIVE,
            }
            assert sorted(await box.store.subscriptions(box.guid)) == sorted(folders)

        check(opened, steps)

    def test_a_quota_counts_from_the_logon_that_names_it(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            assert (await box.store.logon(box.guid, 1000)).quota == 1000
            assert (await box.store.logon(box.guid)).quota == 1000
            assert (await box.store.logon(box.guid, 0)).quota == 0

        check(opened, steps)

    def test_what_mailboxes_hold_and_nothing_for_one_that_is_not_there(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.append(message(), message())
            assert await box.store.used([uuid4(), box.guid]) == [0, 2 * len(message())]

        check(opened, steps)

    def test_a_mailbox_that_was_never_opened_is_not_there(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await refused("NONEXISTENT", box.store.folders(uuid4()))
            await refused("NONEXISTENT", box.store.create_folder(uuid4(), ["a"]))

        check(opened, steps)

    def test_one_mailbox_does_not_see_the_folders_of_another(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            other = uuid4()
            await box.store.logon(other)
            for request in (
                box.store.folder(other, box.inbox),
                box.store.index(other, box.inbox),
                box.store.append(other, box.inbox, [NewItem(message())]),
                box.store.change_flags(other, box.inbox, ALL, FlagChange.ADD, 1),
                box.store.expunge(other, box.inbox),
                box.store.delete_folder(other, box.inbox),
                box.store.copy(other, box.inbox, ALL, box.inbox),
            ):
                await refused("NONEXISTENT", request)

        check(opened, steps)

    # Folders

    def test_creating_a_folder_makes_its_parents(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            made = await box.store.create_folder(box.guid, ["a", "b", "c"])
            assert (made.path, made.kind, made.messages, made.uid_next) == (("a", "b", "c"), FolderKind.USER, 0, 1)
            paths = {folder.path for folder in await box.store.folders(box.guid)}
            assert {("a",), ("a", "b"), ("a", "b", "c")} <= paths
            assert "exists" in await refused("ALREADYEXISTS", box.store.create_folder(box.guid, ["a"]))

        check(opened, steps)

    @pytest.mark.parametrize("path", [[], [""], ["a", ""], ["bell\x07"], ["x" * 256], ["n"] * 33])
    def test_names_that_cannot_be(self, opened: Opened, path: list[str]) -> None:
        async def steps(box: Box) -> None:
            await refused("CANNOT", box.store.create_folder(box.guid, path))

        check(opened, steps)

    def test_inbox_knows_no_case(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await refused("ALREADYEXISTS", box.store.create_folder(box.guid, ["inbox"]))
            assert (await box.store.create_folder(box.guid, ["Inbox", "회의"])).path == ("INBOX", "회의")

        check(opened, steps)

    def test_a_name_used_again_gets_a_larger_uidvalidity(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            first = await box.store.create_folder(box.guid, ["again"])
            await box.store.delete_folder(box.guid, first.id)
            await refused("NONEXISTENT", box.store.folder(box.guid, first.id))
            assert (await box.store.create_folder(box.guid, ["again"])).uid_validity > first.uid_validity

        check(opened, steps)

    def test_deleting_a_folder_leaves_those_below_it(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.store.create_folder(box.guid, ["a", "b"])
            (parent,) = [folder.id for folder in await box.store.folders(box.guid) if folder.path == ("a",)]
            await box.append(message(), folder=parent)
            await box.store.delete_folder(box.guid, parent)
            paths = {folder.path for folder in await box.store.folders(box.guid)}
            assert ("a", "b") in paths and ("a",) not in paths
            assert (await box.store.logon(box.guid)).used == 0

        check(opened, steps)

    def test_renaming_takes_along_what_is_below(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.store.create_folder(box.guid, ["old", "below"])
            (old,) = [folder.id for folder in await box.store.folders(box.guid) if folder.path == ("old",)]
            await refused("CANNOT", box.store.rename_folder(box.guid, old, ["old", "deeper"]))
            await refused("ALREADYEXISTS", box.store.rename_folder(box.guid, old, ["INBOX"]))
            await box.store.rename_folder(box.guid, old, ["new", "name"])
            paths = {folder.path for folder in await box.store.folders(box.guid)}
            assert {("new",), ("new", "name"), ("new", "name", "below")} <= paths and ("old",) not in paths
            assert (await box.folder(old)).path == ("new", "name")

        check(opened, steps)

    def test_renaming_onto_what_a_deleted_parent_left_is_refused(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.store.create_folder(box.guid, ["gone", "left"])
            (gone,) = [folder.id for folder in await box.store.folders(box.guid) if folder.path == ("gone",)]
            await box.store.delete_folder(box.guid, gone)
            mine = await box.store.create_folder(box.guid, ["mine"])
            await refused("ALREADYEXISTS", box.store.rename_folder(box.guid, mine.id, ["gone"]))

        check(opened, steps)

    def test_renaming_makes_no_path_that_cannot_be(self, opened: Opened) -> None:
        """Neither the path of the folder, nor of one below it, gets too many names or octets; parents stay unmade."""
        deep = [f"d{n}" for n in range(31)]
        long, fitting = ["x" * 200] * 7, ["new", "y" * 195, "y" * 195, "y" * 197]

        async def steps(box: Box) -> None:
            await box.store.create_folder(box.guid, [*deep, "d31"])
            await box.store.create_folder(box.guid, [f"e{n}" for n in range(32)])
            await box.store.create_folder(box.guid, ["long", *long])
            before = {folder.path: folder.id for folder in await box.store.folders(box.guid)}
            for old, new in (
                ("e0", [*deep, "e0"]),
                ("e0", ["new", "e0"]),
                ("long", [*fitting[:3], fitting[3] + "y"]),
                ("long", ["z" * 255] * 8),
            ):
                await refused("CANNOT", box.store.rename_folder(box.guid, before[(old,)], new))
                assert {folder.path: folder.id for folder in await box.store.folders(box.guid)} == before
            await box.store.rename_folder(box.guid, before[("long",)], fitting)
            names = ["/".join(folder.path) for folder in await box.store.folders(box.guid)]
            assert max(map(len, names)) == 2_000

        check(opened, steps)

    def test_the_longest_paths_fit(self, opened: Opened) -> None:
        """Whatever they hold: these do not compress, and each name leaves most of a word unused."""
        letters = random.Random(8)
        names = ["".join(chr(letters.randrange(0x21, 0x7E)) for _ in range(61)).replace("/", "~") for _ in range(32)]
        longest = [*names[:31], names[31] + "12345678901234567"]
        assert len("/".join(longest)) == 2_000

        async def steps(box: Box) -> None:
            made = await box.store.create_folder(box.guid, longest)
            await box.store.subscribe(box.guid, longest, True)
            assert (await box.folder(made.id)).path == tuple(longest) in await box.store.subscriptions(box.guid)
            too_long = [*longest[:31], longest[31] + "x"]
            far_too_long = ["".join(chr(letters.randrange(0x4E00, 0x9FFF)) for _ in range(85)) for _ in range(31)]
            for path in (too_long, far_too_long):
                await refused("CANNOT", box.store.create_folder(box.guid, path))
                await refused("CANNOT", box.store.subscribe(box.guid, path, True))

        check(opened, steps)

    def test_parents_that_are_missing_count_as_folders(self, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        # Five well-known folders are not shown here.
        monkeypatch.setattr("postern.store.folders.MAX_FOLDERS", 10 + len(FOLDER_CLASSES))

        async def steps(box: Box) -> None:
            assert len(await box.store.folders(box.guid)) == 7
            old = await box.store.create_folder(box.guid, ["old"])
            await refused("LIMIT", box.store.create_folder(box.guid, ["a", "b", "c"]))
            await refused("LIMIT", box.store.rename_folder(box.guid, old.id, ["a", "b", "c", "new"]))
            await refused("LIMIT", box.store.rename_folder(box.guid, box.inbox, ["a", "b", "c"]))
            assert len(await box.store.folders(box.guid)) == 8
            await box.store.rename_folder(box.guid, old.id, ["a", "b", "new"])
            await refused("LIMIT", box.store.create_folder(box.guid, ["more"]))
            await box.store.rename_folder(box.guid, old.id, ["a", "newer"])
            assert len(await box.store.folders(box.guid)) == 10, "a full mailbox still renames"

        check(opened, steps)

    def test_renaming_inbox_moves_its_items_and_inbox_stays(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.append(message("one"), message("two"))
            await box.store.rename_folder(box.guid, box.inbox, ["kept"])
            (kept,) = [folder for folder in await box.store.folders(box.guid) if folder.path == ("kept",)]
            inbox = await box.folder()
            assert (inbox.messages, inbox.path, inbox.uid_next) == (0, ("INBOX",), 3)
            assert (kept.messages, kept.kind) == (2, FolderKind.USER)

        check(opened, steps)

    def test_well_known_folders_stay(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            for kind in (FolderKind.INBOX, FolderKind.SENT, FolderKind.OUTBOX):
                await refused("CANNOT", box.store.delete_folder(box.guid, box.kinds[kind]))
            await refused("CANNOT", box.store.rename_folder(box.guid, box.kinds[FolderKind.SENT], ["x"]))
            await box.store.rename_folder(box.guid, box.kinds[FolderKind.ARCHIVE], ["Old mail"])
            await box.store.delete_folder(box.guid, box.kinds[FolderKind.ARCHIVE])

        check(opened, steps)

    def test_subscriptions_need_no_folder(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.store.subscribe(box.guid, ["not", "there"], True)
            await box.store.subscribe(box.guid, ["not", "there"], True)
            await box.store.subscribe(box.guid, ["Drafts"], False)
            subscribed = await box.store.subscriptions(box.guid)
            assert ("not", "there") in subscribed and ("Drafts",) not in subscribed
            folders = {folder.path: folder.subscribed for folder in await box.store.folders(box.guid)}
            assert folders[("INBOX",)] and not folders[("Drafts",)]

        check(opened, steps)

    def test_keywords_are_bits_without_case(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            bits = await box.store.keywords(box.guid, box.inbox, ["$Work", "other"], True)
            assert bits == 1 << 8 | 1 << 9
            assert await box.store.keywords(box.guid, box.inbox, ["OTHER", "unknown"], False) == 1 << 9
            assert (await box.folder()).keywords == ("$Work", "other")
            await box.store.keywords(box.guid, box.inbox, [f"k{n}" for n in range(52)], True)
            await refused("LIMIT", box.store.keywords(box.guid, box.inbox, ["one more"], True))

        check(opened, steps)

    # Items

    def test_appended_items_come_back_as_they_were(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            contents = [message(f"number {n}", "본문 " * n) for n in range(4)]
            assert await box.append(*contents, flags=1, date=1_234_567_890) == [1, 2, 3, 4]
            found = await box.fetch(
                Column.CONTENT | Column.HEADER | Column.SIZE | Column.INTERNAL_DATE | Column.FLAGS, [(3, 9), (1, 1)]
            )
            chosen = [contents[0], contents[2], contents[3]]
            assert list(found.uids) == [1, 3, 4]
            assert list(found.contents) == chosen
            assert list(found.headers) == [one[: one.index(b"\r\n\r\n") + 4] for one in chosen]
            assert list(found.sizes) == [len(one) for one in chosen]
            assert list(found.dates) == [1_234_567_890] * 3
            assert list(found.flags) == [1] * 3
            folder = await box.folder()
            assert (folder.messages, folder.unseen, folder.deleted, folder.uid_next) == (4, 0, 0, 5)
            assert folder.size == sum(map(len, contents))

        check(opened, steps)

    def test_renderings_are_imaps(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.append(message("a subject", From="Kim <kim@example.test>"))
            found = await box.fetch(Column.ENVELOPE | Column.BODYSTRUCTURE | Column.BODY)
            sender = b'(("Kim" NIL "kim" "example.test"))'
            assert list(found.envelopes) == [b'(NIL "a subject" ' + b" ".join([sender] * 3) + b" NIL NIL NIL NIL NIL)"]
            assert found.structures[0].startswith(b'("text" "plain"')
            assert found.bodies[0].startswith(b'("text" "plain"')

        check(opened, steps)

    def test_an_append_is_all_or_nothing(self, opened: Opened) -> None:
        content = message(body="x" * 400)

        async def steps(box: Box) -> None:
            await box.append(content)
            said = await refused("OVERQUOTA", box.append(content, content + b"y"))
            assert said == "The mailbox is full"
            assert (await box.folder()).messages == 1

        check(opened, steps, quota=2 * len(content))

    def test_copying_counts_and_moving_does_not(self, opened: Opened) -> None:
        content = message(body="x" * 400)

        async def steps(box: Box) -> None:
            drafts, junk = box.kinds[FolderKind.DRAFTS], box.kinds[FolderKind.JUNK]
            await box.append(content)
            await box.store.copy(box.guid, box.inbox, ALL, drafts)
            await refused("OVERQUOTA", box.store.copy(box.guid, box.inbox, ALL, drafts))
            await box.store.copy(box.guid, box.inbox, ALL, junk, move=True)
            assert (await box.store.logon(box.guid)).items == 2

        check(opened, steps, quota=2 * len(content))

    def test_a_copy_keeps_flags_and_keywords_by_name(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            archive = box.kinds[FolderKind.ARCHIVE]
            await box.store.keywords(box.guid, archive, ["other"], True)
            bits = await box.store.keywords(box.guid, box.inbox, ["$Work", "OTHER"], True)
            await box.append(message("a"), message("b"), flags=bits | 2)
            copied = await box.store.copy(box.guid, box.inbox, [(1, 1)], archive)
            there = await box.folder(archive)
            assert (list(copied.sources), list(copied.targets)) == ([1], [1])
            assert (copied.uid_validity, there.keywords) == (there.uid_validity, ("other", "$Work"))
            found = await box.fetch(Column.FLAGS, folder=archive)
            assert list(found.flags) == [2 | await box.store.keywords(box.guid, archive, ["$work", "other"], False)]

        check(opened, steps)

    def test_a_move_vanishes_from_its_folder(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            archive = box.kinds[FolderKind.ARCHIVE]
            await box.append(message("a"), message("b"))
            since = (await box.folder()).highest_modseq
            moved = await box.store.copy(box.guid, box.inbox, [(2, 7)], archive, move=True)
            assert (list(moved.sources), list(moved.targets)) == ([2], [1])
            assert words((await box.index(since)).vanished) == [2]
            within = await box.store.copy(box.guid, archive, [(1, 1)], archive, move=True)
            assert list(within.targets) == [2]
            assert (await box.folder(archive)).messages == 1

        check(opened, steps)

    def test_a_copy_of_nothing_does_nothing(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            before = (await box.store.logon(box.guid)).change
            copied = await box.store.copy(box.guid, box.inbox, [(5, 9)], box.kinds[FolderKind.DRAFTS])
            assert (list(copied.sources), list(copied.targets)) == ([], [])
            assert (await box.store.logon(box.guid)).change == before

        check(opened, steps)

    def test_flags_replaced_added_and_removed(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.append(message("a"), message("b"), message("c"))
            before = (await box.folder()).highest_modseq
            uids, flags, modseqs, _ = await box.flag(FlagChange.ADD, Flag.SEEN, [(1, 2)])
            first = modseqs[0]
            assert (uids, flags, modseqs) == ([1, 2], [1, 1], [first, first]) and first > before
            # Nothing changes: said as it stands, the mod-sequence stays.
            assert (await box.flag(FlagChange.ADD, Flag.SEEN, [(1, 1)]))[2] == [first]
            assert (await box.folder()).highest_modseq == first
            uids, flags, (second,), _ = await box.flag(FlagChange.REPLACE, 2 | 8, [(3, 3)])
            assert (uids, flags) == ([3], [10]) and second > first
            assert (await box.flag(FlagChange.REMOVE, 1, [(1, 3)]))[1] == [0, 0, 10]
            folder = await box.folder()
            assert (folder.messages, folder.unseen, folder.deleted) == (3, 3, 1)

        check(opened, steps)

    def test_what_changed_meanwhile_is_not_changed(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.append(message("a"), message("b"), message("c"))
            before = (await box.folder()).highest_modseq
            first = (await box.flag(FlagChange.ADD, 1, [(1, 2)]))[2][0]
            assert await box.flag(FlagChange.REMOVE, 1, [(1, 2)], before) == [[], [], [], [1, 2]]
            assert (await box.flag(FlagChange.ADD, 2, [(1, 3)], before))[3] == [1, 2]
            assert (await box.flag(FlagChange.REMOVE, 1, [(1, 2)], first))[3] == []

        check(opened, steps)

    def test_an_index_since_tells_what_changed_and_vanished(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.append(*[message(str(n)) for n in range(6)])
            whole = await box.index()
            assert words(whole.uids) == [1, 2, 3, 4, 5, 6]
            assert words(whole.flags, "Q") == [0] * 6
            assert set(words(whole.modseqs, "Q")) == {whole.highest_modseq}
            assert (whole.uid_next, whole.messages, whole.last_uid) == (7, 6, 6)
            await box.flag(FlagChange.ADD, Flag.DELETED, [(2, 3), (5, 5)])
            assert await box.store.expunge(box.guid, box.inbox, [(1, 4)]) == [2, 3]
            news = await box.index(whole.highest_modseq)
            assert (words(news.uids), words(news.vanished), news.messages) == ([5], [2, 3], 4)
            later = await box.index(news.highest_modseq)
            assert (later.uids, later.vanished) == (b"", b"")
            changed = await box.store.fetch(box.guid, box.inbox, ALL, Column.MODSEQ, whole.highest_modseq)
            assert list(changed.uids) == [5]

        check(opened, steps)

    def test_expunge_removes_what_is_deleted_and_within(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.append(message("a"), message("b"), message("c"))
            modseq = (await box.folder()).highest_modseq
            assert await box.store.expunge(box.guid, box.inbox) == []
            assert (await box.folder()).highest_modseq == modseq
            await box.flag(FlagChange.ADD, Flag.DELETED, [(1, 2)])
            assert await box.store.expunge(box.guid, box.inbox, []) == []
            assert await box.store.expunge(box.guid, box.inbox, [(2, 3)]) == [2]
            assert await box.store.expunge(box.guid, box.inbox) == [1]
            assert (await box.store.logon(box.guid)).used == len(message("c"))

        check(opened, steps)

    def test_recent_is_claimed_once(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.append(message("a"))
            assert (await box.store.folder(box.guid, box.inbox, claim_recent=True)).recent_uid == 1
            assert (await box.folder()).recent_uid == 2
            await box.append(message("b"), message("c"))
            look = box.store.look
            since = (await box.folder()).highest_modseq - 1
            first, last = (await look(box.guid, box.inbox, since, 4, True)).recent
            assert first > last, "nothing came that is not known"
            assert (await look(box.guid, box.inbox, since, 2, False)).recent == (2, 3)
            assert (await look(box.guid, box.inbox, since, 2, True)).recent == (2, 3)
            first, last = (await look(box.guid, box.inbox, since, 2, True)).recent
            assert first > last, "claimed before"

        check(opened, steps)

    def test_the_first_that_is_not_seen(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            assert await box.store.first_unseen(box.guid, box.inbox) == 0
            await box.append(message("a"), message("b"), message("c"), flags=1)
            assert await box.store.first_unseen(box.guid, box.inbox) == 0
            await box.append(message("d"), message("e"))
            for seen, expected in (([(4, 4)], 5), ([(5, 5)], 0)):
                await box.flag(FlagChange.ADD, Flag.SEEN, seen)
                assert await box.store.first_unseen(box.guid, box.inbox) == expected
            await box.flag(FlagChange.REMOVE, Flag.SEEN, [(2, 5)])
            assert await box.store.first_unseen(box.guid, box.inbox) == 2
            # Counted as clients count, by place and not by UID.
            await box.flag(FlagChange.REPLACE, Flag.DELETED, [(1, 2)])
            await box.store.expunge(box.guid, box.inbox)
            await box.flag(FlagChange.ADD, Flag.SEEN, [(3, 3)])
            assert await box.store.first_unseen(box.guid, box.inbox) == 2

        check(opened, steps)

    # Search

    def test_search_by_words_flags_sizes_and_days(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.append(message("Rent", "pay the Müller", From="Ann <ann@example.test>"), date=10 * DAY)
            await box.append(message("lunch", "see you", To="bob@example.test"), date=20 * DAY, flags=1)
            assert await box.search("all") == [1, 2]
            assert await box.search("subject", text="RENT") == [1]
            assert await box.search("text", text="müller") == [1]
            assert await box.search("body", text="rent") == []
            assert await box.search("from", text="ann@") == [1]
            assert await box.search("header", name="to", text="") == [2]
            assert await box.search("flag", number=1) == [2]
            assert await box.search("since", number=20) == [2]
            assert await box.search("before", number=20) == [1]
            assert await box.search("larger", number=len(message("lunch", "see you", To="bob@example.test"))) == [1]
            assert await box.search("uid", uids=((2, 9),)) == [2]
            seen, rent = SearchTerm("flag", number=1), SearchTerm("subject", text="rent")
            assert await box.search("or", terms=(seen, rent)) == [1, 2]
            assert await box.search("and", terms=(seen, rent)) == []
            assert await box.search("not", terms=(seen,)) == [1]

        check(opened, steps)

    def test_search_decodes_what_mail_encodes(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.append(
                message("=?utf-8?b?7ZqM7J2Y?=", "VGhlIGNhZsOpIGlzIG9wZW4=", MIME_Version="1.0").replace(
                    b"\r\n\r\n",
                    b"\r\nContent-Transfer-Encoding: base64\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
                )
            )
            assert await box.search("subject", text="회의") == [1]
            assert await box.search("body", text="CAFÉ is") == [1]
            assert await box.search("body", text="VGhl") == []

        check(opened, steps)

    def test_search_by_the_days_that_mails_name(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.append(message("a", Date="Mon, 23 Nov 2026 23:30:00 -0800"), date=5 * DAY)
            await box.append(message("b"), date=20_781 * DAY)  # the day without a Date is that of its arrival
            day = 20_780  # 23 November 2026, whatever the time zone
            assert await box.search("senton", number=day) == [1]
            assert await box.search("sentsince", number=day + 1) == [2]
            assert await box.search("sentbefore", number=day) == []
            assert await box.search("on", number=5) == [1]

        check(opened, steps)

    def test_sorting(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            for subject, size in (("beta", 30), ("Re: alpha", 10), ("gamma", 20)):
                await box.append(message(subject, "x" * size))
            assert await box.search("all", [SortKey("subject")]) == [2, 1, 3]
            assert await box.search("all", [SortKey("size", True)]) == [1, 3, 2]

        check(opened, steps)

    def test_threads(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            dates = [f"Mon, 23 Nov 2026 12:00:0{n} +0000" for n in range(4)]
            await box.append(message("trip", Message_ID="<a@x>", Date=dates[0]))
            await box.append(message("rent", Message_ID="<b@x>", Date=dates[1]))
            await box.append(message("Re: trip", Message_ID="<c@x>", Date=dates[2], References="<a@x>"))
            await box.append(message("other words", Message_ID="<d@x>", Date=dates[3], References="<a@x> <c@x>"))
            everything = SearchTerm("all")
            thread = box.store.thread
            assert await thread(box.guid, box.inbox, everything, "REFERENCES") == b"(1 3 4)(2)"
            assert await thread(box.guid, box.inbox, everything, "ORDEREDSUBJECT") == b"(1 3)(2)(4)"
            some = SearchTerm("uid", uids=((2, 3),))
            assert await thread(box.guid, box.inbox, some, "REFERENCES") == b"(2)(3)"

        check(opened, steps)

    # Delivery, the outbox, changes

    def test_a_delivery_said_again_is_a_duplicate(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            assert await box.deliver("hub/1", message("a")) is DeliveryStatus.DELIVERED
            assert await box.deliver("hub/1", message("a")) is DeliveryStatus.DUPLICATE
            assert await box.deliver("hub/2", message("a")) is DeliveryStatus.DELIVERED
            folder = await box.folder()
            assert (folder.messages, folder.unseen) == (2, 2)
            found = await box.fetch(Column.CONTENT)
            assert list(found.contents) == [b"Return-Path: <a@b.test>\r\n" + message("a")] * 2

        check(opened, steps)

    def test_nobody_gets_what_is_for_no_mailbox_and_the_others_do(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            nobody = uuid4()
            said = await box.store.deliver([Delivery("hub/1", message(), [nobody, box.guid])])
            assert said == [[DeliveryStatus.NO_MAILBOX, DeliveryStatus.DELIVERED]]
            assert await box.store.used([nobody]) == [0]

        check(opened, steps)

    def test_a_full_mailbox_gets_what_still_fits(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            large, small = message(body="x" * 3_000), message()
            said = await box.store.deliver([Delivery("hub/1", large, [box.guid]), Delivery("hub/2", small, [box.guid])])
            assert said == [[DeliveryStatus.OVER_QUOTA], [DeliveryStatus.DELIVERED]]
            assert await box.deliver("hub/3", large, [0]) is DeliveryStatus.DELIVERED, "no bound from now on"

        check(opened, steps, quota=2_000)

    def test_the_outbox_holds_what_was_submitted_until_a_hub_has_it(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            outbox, sent = box.kinds[FolderKind.OUTBOX], box.kinds[FolderKind.SENT]
            (uid,) = await box.append(message("to go"), folder=outbox)
            assert await box.store.outbox(box.guid) == []
            await box.store.submit(box.guid, uid)
            await box.store.submit(box.guid, uid)
            assert await box.store.outbox(box.guid) == [uid]
            await box.store.submitted(box.guid, uid)
            await box.store.submitted(box.guid, uid)
            assert await box.store.outbox(box.guid) == []
            there = await box.folder(sent)
            assert (there.messages, there.unseen) == (1, 0)
            assert (await box.folder(outbox)).messages == 0
            await refused("NONEXISTENT", box.store.submit(box.guid, 99))

        check(opened, steps)

    def test_waiting_ends_with_a_change(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            change = (await box.store.logon(box.guid)).change
            assert await box.store.wait({box.guid: change}, 0.05) == {}
            waiting = asyncio.create_task(box.store.wait({box.guid: change}, 30))
            await asyncio.sleep(0.05)
            await box.append(message())
            seen = (await waiting)[box.guid]
            assert seen > change
            assert await box.store.wait({box.guid: change}, 30) == {box.guid: seen}

        check(opened, steps)
