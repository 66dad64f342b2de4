"""What every implementation of EditStore must do, beside ResourceStore and ItemStore on the same mailbox.

A test module subclasses EditStoreContract, as it does ResourceStoreContract.
"""

from __future__ import annotations

import asyncio

import pytest

from postern.model.edits import Beside
from postern.model.item_store import MAX_PROPERTIES, MAX_PROPERTY_OCTETS, RenderedItem
from postern.model.items import MESSAGE, Flag, FlagChange, NewItem
from postern.model.resources import ABSENT, NewResource, Put, content_tag
from tests.model.item_store_contract import APPOINTMENT
from tests.model.mailboxes_contract import message, refused
from tests.model.resource_store_contract import TASK, Box, Opened, check, event

TOO_MUCH = {6: b"z" * (MAX_PROPERTY_OCTETS + 1)}
TOO_MANY = dict.fromkeys(range(6, 7 + MAX_PROPERTIES), b"")


def resource(name: str, uid: str = "") -> NewResource:
    return NewResource(event(uid or name), APPOINTMENT, RenderedItem(uid=uid or name), name)


async def put_with(box: Box, name: str, beside: Beside, letters: list[int] | None = None, **conditions: object) -> Put:
    return await box.store.put_with(
        box.guid,
        letters or [],
        box.calendar,
        name,
        event(name, "new"),
        APPOINTMENT,
        RenderedItem(uid=name),
        beside,
        **conditions,  # type: ignore[arg-type]  # a test's own words
    )


class EditStoreContract:
    """Subclasses give the fixture `opened`."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError

    # New items

    def test_new_items_come_with_their_bags(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            since = await box.change()
            items = [NewItem(message("a"), Flag.SEEN, 7), NewItem(message("b"))]
            mails = await box.store.create_with(box.guid, box.inbox, items, {5: b"x", 6: b""})
            named = await box.store.add_with(box.guid, box.calendar, [resource("a.ics")], {5: b"y"})
            assert await box.store.bags(box.guid, [*mails, *named]) == {
                **{number: {5: b"x", 6: b""} for number in mails},
                named[0]: {5: b"y"},
            }
            stored = await box.store.get(box.guid, mails, True)
            assert [(item.content, item.flags) for item in stored] == [(message("a"), Flag.SEEN), (message("b"), 0)]
            assert await box.names() == ["a.ics"]
            # A program that asks for changes is told of new items, and of no change of them.
            assert await box.changes(box.inbox, since) == (mails, [], [], [])
            assert (await box.store.create_with(box.guid, box.inbox, [NewItem(message("c"))], {}))[0] > mails[1]

        check(opened, steps)

    def test_nothing_is_made_where_the_bag_is_refused(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store = box.store
            for code, bag in (("LIMIT", TOO_MUCH), ("LIMIT", TOO_MANY), ("CANNOT", {0: b""})):
                await refused(code, store.create_with(box.guid, box.inbox, [NewItem(message())], bag))
                await refused(code, store.add_with(box.guid, box.calendar, [resource("a.ics")], bag))
            await store.add_with(box.guid, box.calendar, [resource("a.ics")], {5: b"kept"})
            await refused("ALREADYEXISTS", store.add_with(box.guid, box.calendar, [resource("a.ics")], {5: b""}))
            await refused("UIDEXISTS", store.add_with(box.guid, box.calendar, [resource("b.ics", "a.ics")], {}, True))
            await refused("NONEXISTENT", store.create_with(box.guid, 1 << 40, [NewItem(message())], {5: b""}))
            assert not (await store.changes(box.guid, box.inbox, 0)).created
            assert await box.names() == ["a.ics"]

        check(opened, steps)

    def test_new_items_do_not_pass_the_quota(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            big = [NewItem(message("x" * 2_000))]
            await refused("OVERQUOTA", box.store.create_with(box.guid, box.inbox, big, {5: b""}))
            (item,) = await box.store.create_with(box.guid, box.inbox, [NewItem(message())], {5: b"x"})
            edit = box.store.edit(box.guid, item, Beside(Flag.FLAGGED, {5: b"y"}), message("x" * 2_000))
            await refused("OVERQUOTA", edit)
            assert (await box.item(item)).flags == 0
            assert await box.store.properties(box.guid, item) == {5: b"x"}

        check(opened, steps, quota=1_000)

    # Edits

    def test_an_edit_changes_content_flags_and_bag(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            (item,) = await box.create(message("a"))
            before, since = await box.item(item), await box.change()
            beside = Beside(Flag.SEEN | Flag.FLAGGED, {5: b"x", 6: b"y"})
            change = await box.store.edit(box.guid, item, beside, message("b"), None, "IPM.Note.X", since)
            after = await box.item(item, content=True)
            assert (after.content, after.flags, after.item_class) == (message("b"), beside.flags, "IPM.Note.X")
            assert after.change == change == await box.change() and after.uid > before.uid
            assert await box.store.properties(box.guid, item) == {5: b"x", 6: b"y"}
            assert await box.changes(box.inbox, since) == ([], [item], [], [])
            await box.store.edit(box.guid, item, Beside(properties={5: None}), unchanged_since=change)
            assert await box.store.properties(box.guid, item) == {6: b"y"}
            assert (await box.item(item, content=True)).content == message("b")

        check(opened, steps)

    def test_an_edit_of_a_named_item_keeps_its_name(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            (item,) = await store.add_with(guid, box.calendar, [resource("a.ics")], {})
            new = event("other")
            change = await store.edit(guid, item, Beside(0, {5: b"x"}), new, RenderedItem(uid="other"), TASK)
            (there,) = await store.with_ids(guid, [item], content=True)
            assert (there.name, there.uid, there.tag) == ("a.ics", "other", content_tag(new))
            assert (there.content, there.item_class) == (new, TASK)
            assert ((await box.item(item)).change, (await box.item(item)).flags) == (change, 0)
            await refused("CANNOT", store.edit(guid, item, Beside(), event("x")))
            await refused("CANNOT", store.edit(guid, item, Beside(), event("x"), RenderedItem(), MESSAGE))
            assert await store.properties(guid, item) == {5: b"x"}

        check(opened, steps)

    def test_an_edit_keeps_keywords_and_says_what_was_only_read(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            word = await store.keywords(guid, box.inbox, ["Work"], True)
            (item,) = await store.create(guid, box.inbox, [NewItem(message(), word)])
            before = (await box.item(item)).change
            change = await store.edit(guid, item, Beside(Flag.SEEN | word << 1))
            stored = await box.item(item)
            assert (stored.flags, stored.change, change > before) == (Flag.SEEN | word, change, True)
            others = list((await store.walk(guid, box.inbox, 0, 9, 0)).others)  # type: ignore[arg-type]  # no column
            assert others == [before], "it was only read"
            assert await store.edit(guid, item, Beside(Flag.SEEN)) == change, "nothing has changed"
            assert await box.change() == change

        check(opened, steps)

    def test_an_edit_that_is_refused_changes_nothing(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            (mail,) = await store.create_with(guid, box.inbox, [NewItem(message("a"))], {5: b"x"})
            (named,) = await store.add_with(guid, box.calendar, [resource("a.ics")], {5: b"x"})
            changes = [(await box.item(item)).change for item in (mail, named)]
            for code, bag in (("LIMIT", TOO_MUCH), ("LIMIT", TOO_MANY), ("CANNOT", {1 << 32: b""})):
                beside = Beside(Flag.FLAGGED, {5: None, **bag})
                await refused(code, store.edit(guid, mail, beside, message("b")))
                await refused(code, store.edit(guid, mail, beside))
                await refused(code, store.edit(guid, named, beside, event("b"), RenderedItem()))
                await refused(code, put_with(box, "a.ics", beside))
                await refused(code, put_with(box, "new.ics", beside))
            assert [(await box.item(item)).change for item in (mail, named)] == changes
            assert (await box.item(mail, content=True)).content == message("a")
            assert (await box.item(named, content=True)).content == event("a.ics")
            assert await store.bags(guid, [mail, named]) == {mail: {5: b"x"}, named: {5: b"x"}}
            assert await box.names() == ["a.ics"]

        check(opened, steps)

    def test_an_edit_of_what_has_changed_meanwhile(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            (mail,) = await box.create(message("a"))
            (named,) = await box.store.add(guid, box.calendar, [resource("a.ics")])
            known = await box.change()
            await store.change_flags(guid, box.inbox, [(1, 1)], FlagChange.ADD, Flag.SEEN)
            await store.set_properties(guid, named, {5: b"x"})
            beside = Beside(Flag.FLAGGED, {5: b"y"})
            await refused("MODIFIED", store.edit(guid, mail, beside, message("b"), unchanged_since=known))
            await refused("MODIFIED", store.edit(guid, mail, beside, unchanged_since=known))
            values = RenderedItem()
            await refused("MODIFIED", store.edit(guid, named, beside, event("b"), values, unchanged_since=known))
            # The octets are still those that were expected.
            tag = content_tag(event("a.ics"))
            await refused("MODIFIED", put_with(box, "a.ics", beside, expected=tag, unchanged_since=known))
            assert (await box.item(mail)).flags == Flag.SEEN
            assert await store.bags(guid, [mail, named]) == {named: {5: b"x"}}
            for item in (1 << 40, 0):
                await refused("NONEXISTENT", store.edit(guid, item, beside))
                await refused("NONEXISTENT", store.edit(guid, item, beside, message()))

        check(opened, steps)

    def test_of_two_edits_by_the_same_change_one_is_made(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            (item,) = await box.create(message("a"))
            known = await box.change()
            edits = [
                box.store.edit(box.guid, item, Beside(None, {5: text}), message(text.decode()), unchanged_since=known)
                for text in (b"one", b"two")
            ]
            done = await asyncio.gather(*edits, return_exceptions=True)
            assert sorted(type(each).__name__ for each in done) == ["MailboxError", "int"]
            (bag,) = (await box.store.bags(box.guid, [item])).values()
            assert (await box.item(item, content=True)).content == message(bag[5].decode())

        check(opened, steps)

    # Meetings

    def test_a_meeting_is_put_with_its_letters_flags_and_bag(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            letters = await box.letters(2)
            put = await put_with(box, "m.ics", Beside(0, {5: b"x"}), letters[:1], expected=ABSENT)
            assert put.is_new and put.tag == content_tag(event("m.ics", "new"))
            assert (await box.item(put.id)).flags == 0
            assert await box.store.properties(box.guid, put.id) == {5: b"x"}
            again = await put_with(box, "m.ics", Beside(None, {6: b"y"}), letters[1:], unchanged_since=1 << 62)
            assert (again.id, again.is_new) == (put.id, False)
            assert await box.store.properties(box.guid, put.id) == {5: b"x", 6: b"y"}
            assert len(await box.store.outbox(box.guid)) == 2

        check(opened, steps)

    def test_letters_are_not_sent_where_the_bag_is_refused(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            letters = await box.letters(1)
            await refused("LIMIT", put_with(box, "m.ics", Beside(None, TOO_MUCH), letters))
            assert await box.store.outbox(box.guid) == []
            assert await box.names() == []

        check(opened, steps)

    # Sending

    def test_a_message_is_changed_and_sent(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            outbox = (await box.item((await box.letters(1))[0])).folder
            first, second = await box.create(message("a"), message("b"))
            known = await box.change()
            await store.send(guid, first, Beside(Flag.SEEN, {5: b"x"}), message("sent"), known)
            item = await box.item(first, content=True)
            assert (item.folder, item.content, item.flags) == (outbox, message("sent"), Flag.SEEN)
            assert await store.properties(guid, first) == {5: b"x"}
            await store.send(guid, second, Beside())
            items = await store.get(guid, [first, second])
            assert sorted(await store.outbox(guid)) == sorted([item.uid for item in items])
            assert (await box.item(second, content=True)).content == message("b")
            await refused("CANNOT", store.send(guid, first, Beside(), message("too late")))

        check(opened, steps)

    def test_a_message_that_is_not_sent_stays_as_it_was(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            store, guid = box.store, box.guid
            (item,) = await box.create(message("a"))
            known = await box.change()
            await refused("LIMIT", store.send(guid, item, Beside(Flag.SEEN, TOO_MUCH), message("b")))
            await store.set_properties(guid, item, {5: b"x"})
            for content in (None, message("b")):
                await refused("MODIFIED", store.send(guid, item, Beside(Flag.SEEN), content, known))
            stored = await box.item(item, content=True)
            assert (stored.folder, stored.flags, stored.content) == (box.inbox, 0, message("a"))
            assert await store.outbox(guid) == []
            await refused("NONEXISTENT", store.send(guid, 1 << 40, Beside()))

        check(opened, steps)
