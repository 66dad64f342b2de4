"""SyncFolderItems: all items at first, then what has changed."""

from __future__ import annotations

import asyncio
import base64
import zlib
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from postern.model.folders import FolderKind, Right
from postern.model.item_store import RenderedItem
from postern.model.items import Flag, FlagChange, NewItem
from postern.model.resources import NewResource
from postern.protocols.ews.ids import FolderId, ItemId
from postern.protocols.ews.sync_states import ItemsState
from tests.services.dav.site import ALICE, BOB, guid_of, recipient_of
from tests.services.ews.site import Answer, EwsSite

ALICE_GUID = guid_of(ALICE)
SUBJECT = '<t:FieldURI FieldURI="item:Subject"/>'


def message(subject: str) -> bytes:
    return f"From: bob@example.test\r\nSubject: {subject}\r\n\r\nHello\r\n".encode()


@dataclass
class Client:
    """A client that keeps what it is told of alice's inbox: the subjects by id."""

    site: EwsSite
    folder: int
    most: int = 512
    address: str = ALICE
    state: str = ""
    known: dict[str, str] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    async def of(cls, site: EwsSite, most: int = 512) -> Client:
        return cls(site, await site.folder(FolderKind.INBOX), most)

    def body(self, more: str = "", most: str = "", state: str | None = None, shape: str = "") -> str:
        told = self.state if state is None else state
        return (
            "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>"
            f"{shape}<t:AdditionalProperties>{SUBJECT}</t:AdditionalProperties></m:ItemShape>"
            f'<m:SyncFolderId><t:FolderId Id="{FolderId(ALICE_GUID, self.folder)}"/></m:SyncFolderId>'
            f"{f'<m:SyncState>{told}</m:SyncState>' if told else ''}{more}"
            f"<m:MaxChangesReturned>{most or self.most}</m:MaxChangesReturned></m:SyncFolderItems>"
        )

    async def page(self, more: str = "") -> bool:
        """One answer; whether it is the last."""
        answer = await self.site.ask(self.body(more), self.address)
        assert answer.codes == ["NoError"], answer.text
        self.state = answer.texts(".//m:SyncState")[0]
        changes = answer.find(".//m:Changes")
        assert len(changes) <= self.most
        for change in changes:
            tag = change.tag.rpartition("}")[2]
            (item_id,) = [each for each in change.iter() if each.tag.endswith("}ItemId")]
            (subject, *_) = [each.text or "" for each in change.iter() if each.tag.endswith("}Subject")] or [""]
            number = item_id.attrib["Id"]
            self.told.append((tag, subject or number))
            if tag in ("Create", "Update"):
                self.known[number] = subject
            elif tag == "Delete":
                self.known.pop(number, None)
        return answer.texts(".//m:IncludesLastItemInRange") == ["true"]

    async def all(self, more: str = "") -> list[tuple[str, str]]:
        """Asks until there is no more. Returns what was told."""
        self.told = []
        while not await self.page(more):
            pass
        return self.told

    @property
    def subjects(self) -> list[str]:
        return sorted(self.known.values())


async def create(site: EwsSite, folder: int, *subjects: str) -> list[int]:
    return await site.mailboxes.create(ALICE_GUID, folder, [NewItem(message(subject)) for subject in subjects])


@pytest.mark.parametrize("most", [1, 3, 4, 512])
def test_what_changes_is_told_once(most: int) -> None:
    async def steps() -> None:
        site = EwsSite()
        client = await Client.of(site, most)
        ids = await create(site, client.folder, *"abcdefgh")
        assert [tag for tag, _ in await client.all()] == ["Create"] * 8
        assert client.subjects == list("abcdefgh")
        assert await client.all() == []
        await create(site, client.folder, "i")
        drafts = await site.folder(FolderKind.DRAFTS)
        await site.mailboxes.move_items(ALICE_GUID, ids[:2], drafts)
        await site.mailboxes.delete(ALICE_GUID, ids[2:3])
        await site.mailboxes.update(ALICE_GUID, ids[3], message("D"))
        told = await client.all()
        gone = {str(ItemId(ALICE_GUID, number)) for number in ids[:3]}
        assert sorted(told) == sorted([("Create", "i"), ("Update", "D"), *(("Delete", number) for number in gone)])
        assert client.subjects == sorted("Defghi")
        # What comes back is new again.
        await site.mailboxes.move_items(ALICE_GUID, ids[:1], client.folder)
        assert await client.all() == [("Create", "a")]

    asyncio.run(steps())


@pytest.mark.parametrize("most", [1, 3, 5])
def test_a_change_that_is_larger_than_a_page_is_told_in_parts(most: int) -> None:
    async def steps() -> None:
        site = EwsSite()
        client = await Client.of(site, most)
        await create(site, client.folder, "old")
        await client.all()
        ids = await create(site, client.folder, *"abcdefghijkl")
        await create(site, client.folder, "z")
        # Changes of other folders and of the same items between the pages.
        assert not await client.page()
        await create(site, await site.folder(FolderKind.DRAFTS), "elsewhere")
        await client.page()
        await site.mailboxes.update(ALICE_GUID, ids[0], message("A"))
        while not await client.page():
            pass
        assert client.subjects == sorted([*"Abcdefghijkl", "z", "old"])
        await site.mailboxes.delete(ALICE_GUID, ids)
        told = await client.all()
        assert [tag for tag, _ in told] == ["Delete"] * 12
        assert client.subjects == ["old", "z"]

    asyncio.run(steps())


def test_what_happens_during_the_first_pages_is_told_after_them() -> None:
    async def steps() -> None:
        site = EwsSite()
        client = await Client.of(site, 3)
        ids = await create(site, client.folder, *"abcdefgh")
        await client.page()
        await site.mailboxes.delete(ALICE_GUID, [ids[0], ids[5]])
        await site.mailboxes.update(ALICE_GUID, ids[1], message("B"))
        await create(site, client.folder, "i")
        while not await client.page():
            pass
        assert client.subjects == sorted("Bcdeghi")

    asyncio.run(steps())


def test_what_is_only_read_is_told_as_such() -> None:
    async def steps() -> None:
        site = EwsSite()
        client = await Client.of(site)
        await create(site, client.folder, "a", "b")
        await client.all()

        async def flagged(change: FlagChange, flags: int) -> Answer:
            await site.mailboxes.change_flags(ALICE_GUID, client.folder, [(1, 1)], change, flags)
            answer = await site.ask(client.body())
            client.state = answer.texts(".//m:SyncState")[0]
            return answer

        answer = await flagged(FlagChange.ADD, Flag.SEEN)
        assert answer.texts(".//t:ReadFlagChange/t:IsRead") == ["true"]
        assert answer.find(".//t:ReadFlagChange/t:ItemId").attrib["ChangeKey"]
        assert len(answer.find(".//m:Changes")) == 1
        assert (await flagged(FlagChange.REMOVE, Flag.SEEN)).texts(".//t:ReadFlagChange/t:IsRead") == ["false"]
        assert (await flagged(FlagChange.ADD, Flag.FLAGGED)).texts(".//t:Update/t:Message/t:Subject") == ["a"]
        await site.mailboxes.change_flags(ALICE_GUID, client.folder, [(1, 1)], FlagChange.ADD, Flag.SEEN)
        # Flagged and read since the client asked: the whole item is told.
        assert (await flagged(FlagChange.REMOVE, Flag.FLAGGED)).texts(".//t:Update/t:Message/t:Subject") == ["a"]

    asyncio.run(steps())


def test_ignored_items_are_passed_over() -> None:
    async def steps() -> None:
        site = EwsSite()
        client = await Client.of(site)
        ids = await create(site, client.folder, "a", "b")
        ignored = f'<m:Ignore><t:ItemId Id="{ItemId(ALICE_GUID, ids[0])}"/></m:Ignore>'
        assert await client.all(ignored) == [("Create", "b")]
        await site.mailboxes.delete(ALICE_GUID, ids)
        assert await client.all(ignored) == [("Delete", str(ItemId(ALICE_GUID, ids[1])))]

    asyncio.run(steps())


def test_states_that_are_not_ours_are_refused() -> None:
    async def steps() -> None:
        site = EwsSite()
        client = await Client.of(site)
        await create(site, client.folder, "a")
        await client.all()
        octets = bytearray(base64.b64decode(client.state))
        octets[3] ^= 1
        forged = bytes(octets[:-4])
        drafts = await site.folder(FolderKind.DRAFTS)
        for state in (
            "x",
            "A" * 5_000,
            base64.b64encode(octets).decode(),
            base64.b64encode(forged + zlib.crc32(forged).to_bytes(4, "big")).decode(),
            str(ItemsState(ALICE_GUID, drafts, 1, -1)),
            str(ItemsState(guid_of(BOB), client.folder, 1, -1)),
            str(ItemsState(ALICE_GUID, client.folder, 1 << 61, -1)),
        ):
            answer = await site.ask(client.body(state=state))
            assert answer.codes == ["ErrorInvalidSyncStateData"], state
        for most in ("0", "513", "-1", "many"):
            assert (await site.ask(client.body(most=most))).codes == ["ErrorSchemaValidation"]
        mime = client.body(shape="<t:IncludeMimeContent>true</t:IncludeMimeContent>")
        assert (await site.ask(mime)).codes == ["ErrorInvalidPropertyForOperation"]
        client.folder = 99_999_999
        assert (await site.ask(client.body(state=""))).codes == ["ErrorSyncFolderNotFound"]

    asyncio.run(steps())


def test_properties_that_no_list_has_are_left_out() -> None:
    """exchangelib's sync_items() names every property that it knows."""

    async def steps() -> None:
        site = EwsSite()
        client = await Client.of(site)
        await create(site, client.folder, "a")
        for uri in ("item:Attachments", "item:Body", "item:MimeContent", "message:ToRecipients"):
            path = f'<t:FieldURI FieldURI="{uri}"/>'
            answer = await site.ask(client.body(state="").replace(SUBJECT, SUBJECT + path))
            assert answer.codes == ["NoError"], uri
            assert answer.texts(".//t:Subject") == ["a"]
            assert answer.all(f".//t:{uri.partition(':')[2]}") == []

    asyncio.run(steps())


def test_rights_decide_in_anothers_folder() -> None:
    async def steps() -> None:
        site = EwsSite()
        client = await Client.of(site, 2)
        client.folder = await site.folder(FolderKind.CALENDAR)
        await site.folder(FolderKind.INBOX, BOB)
        client.address = BOB

        async def grant(rights: Right) -> None:
            await site.sharing.set_rights(recipient_of(ALICE), client.folder, guid_of(BOB), rights)

        async def add(*private: bool) -> list[int]:
            content = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
            return await site.mailboxes.add(
                ALICE_GUID,
                client.folder,
                [
                    NewResource(content, "IPM.Appointment", RenderedItem(is_private=each), f"{uuid4()}.ics")
                    for each in private
                ],
            )

        assert (await site.ask(client.body(), BOB)).codes == ["ErrorSyncFolderNotFound"]
        await grant(Right.VISIBLE)
        assert (await site.ask(client.body(), BOB)).codes == ["ErrorAccessDenied"]
        await grant(Right.VISIBLE | Right.READ_ANY)
        await add(True, False, True, True, False, True, False)
        assert [tag for tag, _ in await client.all()] == ["Create"] * 3
        (shown, hidden) = await add(False, True)
        assert [tag for tag, _ in await client.all()] == ["Create"]
        assert str(ItemId(ALICE_GUID, shown)) in client.known and str(ItemId(ALICE_GUID, hidden)) not in client.known
        await grant(Right(0))
        assert (await site.ask(client.body(), BOB)).codes == ["ErrorSyncFolderNotFound"]

    asyncio.run(steps())


def test_a_folder_that_goes_meanwhile_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        site = EwsSite()
        client = await Client.of(site, 1)
        await client.all()
        await create(site, client.folder, "a", "b")

        async def gone(*_: object) -> dict[int, object]:
            return {}

        monkeypatch.setattr(site.mailboxes, "folder_states", gone)
        assert (await site.ask(client.body())).codes == ["ErrorFolderNotFound"]

    asyncio.run(steps())
