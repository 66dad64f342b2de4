"""Folders, subscriptions and keywords of a mailbox."""

from __future__ import annotations

from uuid import uuid4

import pytest

from postern.model.mailbox import KEYWORD_BASE, MAX_KEYWORDS, Column, Flag, FlagChange, FolderKind, MailboxError
from tests.store.conftest import Store, message

pytestmark = pytest.mark.slow


def test_a_mailbox_is_made_once_with_its_folders(store: Store) -> None:
    guid = uuid4()
    first = store.run(store.database.logon(guid, 1000))
    again = store.run(store.database.logon(guid))
    assert (first.quota, again.quota, again.change) == (1000, 1000, first.change)
    assert store.run(store.database.logon(guid, 2000)).quota == 2000
    folders = store.run(store.database.folders(guid))
    assert {folder.kind for folder in folders} == set(FolderKind) - {FolderKind.USER}
    assert all(folder.subscribed for folder in folders)
    assert len({folder.uid_validity for folder in folders}) == len(folders)


def test_what_is_not_there(store: Store) -> None:
    box, other = store.mailbox(), store.mailbox()
    for request in (
        store.database.folders(uuid4()),
        store.database.folder(box.guid, other.inbox),
        store.database.index(box.guid, other.inbox),
        store.database.fetch(box.guid, other.inbox, [(1, 9)], Column.FLAGS),
        store.database.expunge(box.guid, other.inbox),
        store.database.delete_folder(box.guid, other.inbox),
    ):
        with pytest.raises(MailboxError) as caught:
            store.run(request)
        assert caught.value.code == "NONEXISTENT"


def test_create_makes_parents_and_a_used_name_gets_a_larger_uidvalidity(store: Store) -> None:
    box = store.mailbox()
    made = store.run(store.database.create_folder(box.guid, ["업무", "2026", "회의"]))
    assert made.path == ("업무", "2026", "회의")
    paths = [folder.path for folder in store.run(store.database.folders(box.guid))]
    assert ("업무",) in paths and ("업무", "2026") in paths
    with pytest.raises(MailboxError, match="exists") as caught:
        store.run(store.database.create_folder(box.guid, ["업무"]))
    assert caught.value.code == "ALREADYEXISTS"
    store.run(store.database.delete_folder(box.guid, made.id))
    again = store.run(store.database.create_folder(box.guid, made.path))
    assert again.uid_validity > made.uid_validity


@pytest.mark.parametrize("path", [[], [""], ["a", ""], ["bell\x07"], ["x" * 256], ["n"] * 33])
def test_names_that_cannot_be(store: Store, path: list[str]) -> None:
    box = store.mailbox()
    with pytest.raises(MailboxError) as caught:
        store.run(store.database.create_folder(box.guid, path))
    assert caught.value.code == "CANNOT"


def test_inbox_knows_no_case(store: Store) -> None:
    box = store.mailbox()
    with pytest.raises(MailboxError) as caught:
        store.run(store.database.create_folder(box.guid, ["inbox"]))
    assert caught.value.code == "ALREADYEXISTS"
    assert store.run(store.database.create_folder(box.guid, ["Inbox", "sub"])).path == ("INBOX", "sub")


def test_rename_takes_what_is_below_along(store: Store) -> None:
    box = store.mailbox()
    store.run(store.database.create_folder(box.guid, ["a", "b", "c"]))
    folders = {folder.path: folder for folder in store.run(store.database.folders(box.guid))}
    a = folders[("a",)]
    store.run(store.database.rename_folder(box.guid, a.id, ["x", "y"]))
    after = {folder.path: folder.id for folder in store.run(store.database.folders(box.guid))}
    assert after[("x", "y")] == a.id
    assert after[("x", "y", "b", "c")] == folders[("a", "b", "c")].id
    assert ("x",) in after and ("a",) not in after
    with pytest.raises(MailboxError) as caught:
        store.run(store.database.rename_folder(box.guid, a.id, ["x", "y", "z"]))
    assert caught.value.code == "CANNOT"
    with pytest.raises(MailboxError) as caught:
        store.run(store.database.rename_folder(box.guid, a.id, ["Drafts"]))
    assert caught.value.code == "ALREADYEXISTS"


def test_renaming_inbox_moves_its_items_and_inbox_stays(store: Store) -> None:
    box = store.mailbox()
    box.append(message("one"), message("two"))
    store.run(store.database.rename_folder(box.guid, box.inbox, ["old mail"]))
    folders = {folder.path: folder for folder in store.run(store.database.folders(box.guid))}
    assert folders[("INBOX",)].messages == 0
    assert folders[("INBOX",)].id == box.inbox
    assert folders[("old mail",)].messages == 2


def test_delete_gives_the_space_back(store: Store) -> None:
    box = store.mailbox()
    made = store.run(store.database.create_folder(box.guid, ["big"]))
    box.append(message(body="x" * 5000), folder=made.id)
    assert store.run(store.database.logon(box.guid)).used > 5000
    store.run(store.database.delete_folder(box.guid, made.id))
    info = store.run(store.database.logon(box.guid))
    assert (info.used, info.items) == (0, 0)
    with pytest.raises(MailboxError) as caught:
        store.run(store.database.delete_folder(box.guid, box.inbox))
    assert caught.value.code == "CANNOT"


def test_subscriptions_do_not_need_a_folder(store: Store) -> None:
    box = store.mailbox()
    store.run(store.database.subscribe(box.guid, ["gone", "away"], True))
    store.run(store.database.subscribe(box.guid, ["gone", "away"], True))
    assert ("gone", "away") in store.run(store.database.subscriptions(box.guid))
    store.run(store.database.subscribe(box.guid, ["gone", "away"], False))
    store.run(store.database.subscribe(box.guid, ["Drafts"], False))
    assert ("gone", "away") not in store.run(store.database.subscriptions(box.guid))
    drafts = store.run(store.database.folder(box.guid, box.folders[FolderKind.DRAFTS]))
    assert not drafts.subscribed


def test_keywords_have_bits_up_to_a_limit(store: Store) -> None:
    box = store.mailbox()

    def bits(names: list[str], create: bool) -> int:
        return store.run(store.database.keywords(box.guid, box.inbox, names, create))

    assert bits(["$Forwarded", "$MDNSent"], True) == 3 << KEYWORD_BASE
    assert bits(["$forwarded", "unknown"], False) == 1 << KEYWORD_BASE
    assert bits([f"k{n}" for n in range(MAX_KEYWORDS - 2)], True) >> 62 == 0
    with pytest.raises(MailboxError) as caught:
        bits(["one too many"], True)
    assert caught.value.code == "LIMIT"
    assert len(store.run(store.database.folder(box.guid, box.inbox)).keywords) == MAX_KEYWORDS


def test_the_first_unseen_is_counted_as_clients_count(store: Store) -> None:
    box, database = store.mailbox(), store.database

    def first() -> int:
        return store.run(database.first_unseen(box.guid, box.inbox))

    assert first() == 0
    box.append(*(message(str(n)) for n in range(5)))
    assert first() == 1
    for seen, expected in (([(1, 2)], 3), ([(4, 4)], 3), ([(3, 3)], 5), ([(5, 5)], 0)):
        store.run(database.change_flags(box.guid, box.inbox, seen, FlagChange.ADD, Flag.SEEN))
        assert first() == expected
    store.run(database.change_flags(box.guid, box.inbox, [(5, 5)], FlagChange.REMOVE, Flag.SEEN))
    store.run(database.change_flags(box.guid, box.inbox, [(2, 3)], FlagChange.ADD, Flag.DELETED))
    store.run(database.expunge(box.guid, box.inbox))
    assert first() == 3


def test_recent_is_claimed_once(store: Store) -> None:
    box = store.mailbox()
    box.append(message(), message("b"))
    first = store.run(store.database.folder(box.guid, box.inbox, claim_recent=True))
    second = store.run(store.database.folder(box.guid, box.inbox, claim_recent=True))
    assert (first.recent_uid, second.recent_uid) == (1, 3)


def test_a_look_claims_what_came_for_one(store: Store) -> None:
    box, database = store.mailbox(), store.database
    since = store.run(database.index(box.guid, box.inbox)).highest_modseq
    box.append(message(), message("b"))

    def look(next_uid: int, claim: bool) -> tuple[int, int]:
        return store.run(database.look(box.guid, box.inbox, since, next_uid, claim)).recent

    nothing = (1, 0)
    assert look(1, False) == (1, 2) and look(3, True) == nothing
    assert look(1, True) == (1, 2)
    first, last = look(1, True)
    assert first > last
    box.append(message("c"))
    assert look(3, True) == (3, 3)
    found = store.run(database.look(box.guid, box.inbox, since, 9, True))
    assert found == store.run(database.index(box.guid, box.inbox, since)) and found.last_uid == 3
