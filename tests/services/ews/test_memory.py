"""What a request reads stays within memory: contents a few at a time, each once, and told before the next ones are read.

covers: item_view, item_reading, rendering, occurrences
covers: services.ews.operations.get_item, services.ews.operations.find_calendar, services.ews.operations.get_attachment
covers: services.ews.operations.get_user_photo
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from postern.model.folders import FolderKind
from postern.model.item_store import ItemColumns
from postern.model.items import Column, NewItem
from postern.model.security import Identity, Mechanism, PrincipalKind
from postern.protocols import xml
from postern.protocols.ews.ids import ItemId, read_id
from postern.protocols.ews.names import MESSAGES, TYPES
from postern.services.ews import item_reading, item_view
from postern.services.ews.access import Call
from postern.services.ews.operations import get_item
from postern.services.ews.operations.get_item import GET_ITEM
from tests.services.dav.site import ALICE, guid_of
from tests.services.ews.post import Post
from tests.services.ews.site import EwsSite
from tests.services.ews.test_attachments import attached as attaching
from tests.services.ews.test_attachments import file, got, ids_of
from tests.services.ews.test_calendar_items import HOUR, SERIES, ZONE, id_of, made, occurrence, work
from tests.services.ews.test_calendar_items import read as read_items
from tests.services.ews.test_find_calendar import view
from tests.services.ews.test_lists import crew, member
from tests.services.ews.test_meetings import work as meeting
from tests.services.ews.test_messages import MIXED, received
from tests.services.ews.test_names import contact
from tests.services.ews.test_people import find as find_people

LONG = 70_000
"""Octets of a content that is sent while it is encoded."""


class Reads:
    """The contents that a site's store gives: for each call, how many."""

    def __init__(self, site: EwsSite) -> None:
        self.events: list[str | int] = []
        self._columns = site.mailboxes.columns
        site.mailboxes.columns = self.columns  # type: ignore[method-assign]  # counts what is read

    async def columns(self, mailbox: UUID, ids: Sequence[int], columns: Column) -> ItemColumns:
        told = await self._columns(mailbox, ids, columns)
        if columns & Column.CONTENT and told.items:
            self.events.append(len(told.items))
        return told

    @property
    def counts(self) -> list[int]:
        return [each for each in self.events if isinstance(each, int)]


def shape_with_content(*ids: str) -> str:
    named = "".join([f'<t:ItemId Id="{each}"/>' for each in ids])
    return (
        "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>"
        f"</m:ItemShape><m:ItemIds>{named}</m:ItemIds></m:GetItem>"
    )


async def letters(site: EwsSite, count: int, size: int = LONG) -> list[str]:
    """The ids of new messages in the inbox of alice."""
    inbox = await site.folder(FolderKind.INBOX)
    items = [NewItem(f"Subject: {place}\r\n\r\n".encode() + b"x" * size) for place in range(count)]
    return [str(ItemId(guid_of(ALICE), each)) for each in await site.mailboxes.create(guid_of(ALICE), inbox, items)]


async def told(site: EwsSite, reads: Reads, *ids: str) -> list[str]:
    """Asks for items with their contents, and notes each answer among the reads; returns the kinds of the answers."""
    identity = Identity(PrincipalKind.USER, ALICE, Mechanism.NTLM, guid_of(ALICE))
    body = shape_with_content(*ids).replace("<m:GetItem", f'<m:GetItem xmlns:m="{MESSAGES}" xmlns:t="{TYPES}"', 1)
    kinds = []
    async for part in GET_ITEM.run(Call(site.access, identity), xml.read(body.encode())):
        kinds.append(type(part).__name__)
        reads.events.append("told")
    return kinds


def most_waiting(events: Sequence[str | int]) -> int:
    """The most contents that have been read and not been told."""
    waiting = most = 0
    for each in events:
        waiting += each if isinstance(each, int) else -1
        most = max(most, waiting)
    return most


def test_items_are_told_before_others_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(site: EwsSite) -> None:
        monkeypatch.setattr(item_reading, "PAGE_OCTETS", 1)
        ids = await letters(site, 5)
        card = await contact(site, "Ann", "ann@sea.test")
        gone = str(ItemId(guid_of(ALICE), 99_999))
        for named, kinds in (
            # One that was just deleted: all that come after it used to wait for it.
            ([gone, *ids], ["EwsError", *["Long"] * 5]),
            ([*ids[:2], gone, *ids[2:], gone], ["Long", "Long", "EwsError", "Long", "Long", "Long", "EwsError"]),
            # Kinds that need other parts of an item.
            ([ids[0], card, *ids[1:]], ["Long", "str", "Long", "Long", "Long", "Long"]),
        ):
            reads = Reads(site)
            assert await told(site, reads, *named) == kinds
            assert most_waiting(reads.events) <= 1, reads.events

    work(steps)


def test_an_item_that_is_named_again_is_read_again_unless_it_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(site: EwsSite) -> None:
        (long,) = await letters(site, 1)
        short, other = await letters(site, 2, 10)
        reads = Reads(site)
        assert await told(site, reads, long, short, long, short, other, short) == [
            "Long", "str", "Long", "str", "str", "str",
        ]  # fmt: skip
        assert sum(reads.counts) == 4
        monkeypatch.setattr(get_item, "PAGE_OCTETS", 10)
        reads = Reads(site)
        assert await told(site, reads, short, short) == ["str", "str"]
        assert sum(reads.counts) == 2
        answer = await site.ask(shape_with_content(short, long, short, "x"))
        subjects = [each.attrib["Id"] for each in answer.all(".//t:ItemId")]
        assert subjects == [short, long, short] and answer.codes[3] != "NoError"

    work(steps)


def test_a_series_is_read_once_for_its_occurrences(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(site: EwsSite) -> None:
        daily = SERIES.replace(">5<", ">40<")
        series = [id_of(await site.ask(made(daily))) for _ in range(2)]
        reads = Reads(site)
        named = [occurrence(series[0], number) for number in range(1, 31)]
        answer = await site.ask(read_items(*named, base="Default"))
        assert set(answer.codes) == {"NoError"} and sum(reads.counts) == 2
        starts = answer.texts(".//t:CalendarItem/t:Start")
        assert starts[0] == "2026-12-01T08:00:00Z" and len(set(starts)) == 30
        # By their ids, of two series in turn, and with one that is not there.
        ids = [each.attrib["Id"] for each in answer.all(".//t:CalendarItem/t:ItemId")]
        others = [
            each.attrib["Id"]
            for each in (await site.ask(read_items(occurrence(series[1], 1), base="Default"))).all(".//t:ItemId")
        ]
        reads = Reads(site)
        answer = await site.ask(
            read_items(*ids[:3], others[0], ids[3], occurrence(series[1], 41), ids[4], base="Default")
        )
        assert answer.codes == [*["NoError"] * 5, "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange", "NoError"]
        assert answer.texts(".//t:CalendarItem/t:Start")[4:] == starts[3:5] and sum(reads.counts) <= 4
        # Large ones take each other's places.
        monkeypatch.setattr(item_view, "PAGE_OCTETS", 1)
        reads = Reads(site)
        assert (await site.ask(read_items(ids[0], ids[1], others[0], ids[2], base="Default"))).codes == ["NoError"] * 4
        assert reads.counts == [1, 1, 1]

    work(steps)


def test_an_item_is_read_once_for_its_attachments() -> None:
    async def steps(site: EwsSite) -> None:
        item = await received(site, MIXED)
        ids = ids_of(await site.ask(attaching(item, "".join([file(f"{n}.txt", b"%d" % n) for n in range(8)]))))
        reads = Reads(site)
        assert (await site.ask(got(*ids, "x", ids[0]))).codes == [
            *["NoError"] * 8,
            "ErrorInvalidIdMalformed",
            "NoError",
        ]
        assert reads.counts == [1]

    work(steps)


def test_contents_are_read_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cards(site: EwsSite) -> list[str]:
        ids = [await contact(site, name, f"{name.lower()}@sea.test") for name in ("Ann", "Anna", "Annie")]
        return [*ids, (await site.ask(crew(*[member(each) for each in ids]))).find(".//t:ItemId").attrib["Id"]]

    async def steps(site: EwsSite, post: Post) -> None:
        *_, crew_ = await cards(site)
        for _ in range(3):
            await site.ask(made(SERIES))
            await site.ask(made(HOUR + ZONE))
        alone = id_of(await site.ask(made(HOUR + ZONE)))
        picture = (
            "<m:GetUserPhoto><m:Email>ann@sea.test</m:Email><m:SizeRequested>HR48x48</m:SizeRequested></m:GetUserPhoto>"
        )
        monkeypatch.setattr(item_view, "PAGE_OCTETS", 1)
        monkeypatch.setattr(item_reading, "PAGE_OCTETS", 1)
        for body, path, count in (
            (
                view("2026-12-01T00:00:00Z", "2026-12-09T00:00:00Z", base="AllProperties"),
                ".//t:Items/t:CalendarItem",
                19,
            ),
            (read_items(alone), ".//t:ConflictingMeetings/t:CalendarItem", 6),
            (find_people(), ".//t:Persona", 4),
            (find_people(query="ann"), ".//t:Persona", 3),
            (read_items(crew_), ".//t:Member", 3),
            (picture, ".//m:PictureData", 0),
        ):
            reads = Reads(site)
            answer = await site.ask(body)
            assert len(answer.all(path)) == count, answer.text[:3_000]
            assert reads.counts and max(reads.counts) == 1, (body, reads.counts)

    meeting(steps)


def test_pages_of_contents_are_in_the_order_of_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(site: EwsSite) -> None:
        numbers = [_number(each) for each in await letters(site, 7, 100)][::-1]
        call = Call(site.access, Identity(PrincipalKind.USER, ALICE, Mechanism.NTLM, guid_of(ALICE)))
        mailbox = await call.own()
        monkeypatch.setattr(item_view, "PAGE_OCTETS", 300)
        pages = [
            [each.stored.id for each in page]
            async for page in item_view.load_pages(call, mailbox, [*numbers, 99_999], item_view.Need.CONTENT)
        ]
        assert [number for page in pages for number in page] == numbers
        assert [len(page) for page in pages] == [2, 2, 2, 1]
        monkeypatch.setattr(item_view, "PAGE", 1)
        pages = [[each.stored.id for each in page] async for page in _all(call, mailbox, numbers)]
        assert [len(page) for page in pages] == [1] * 7

    work(steps)


def _number(text: str) -> int:
    read = read_id(text)
    assert isinstance(read, ItemId)
    return read.item


def _all(call: Call, mailbox: Any, numbers: Sequence[int]) -> Any:
    return item_view.load_pages(call, mailbox, numbers, item_view.Need.CONTENT)
