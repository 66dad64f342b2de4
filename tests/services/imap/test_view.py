"""Sequence numbers against a plain list as the model."""

from __future__ import annotations

from array import array
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from postern.model.folders import Folder, FolderKind
from postern.model.items import Index
from postern.protocols.imap.cursor import STAR
from postern.services.imap.homes import Home, Place
from postern.services.imap.view import WORD, FolderView, batches, merged

HOME = cast(Home, None)  # a view asks its home for nothing


def folder(messages: int, uid_next: int, modseq: int = 1) -> Folder:
    return Folder(1, ("INBOX",), FolderKind.INBOX, 1, uid_next, modseq, messages, 0, 0, 0, uid_next, True, ())


def index(uids: list[int], flags: list[int] | None = None, vanished: list[int] | None = None, modseq: int = 1) -> Index:
    return Index(
        modseq,
        max(uids, default=0) + 1,
        len(uids),
        array(WORD, uids).tobytes(),
        array("Q", flags or [0] * len(uids)).tobytes(),
        array("Q", [1] * len(uids)).tobytes(),
        array(WORD, vanished or []).tobytes(),
    )


def view(uids: list[int]) -> FolderView:
    made = FolderView(Place(HOME, folder(len(uids), max(uids, default=0) + 1)), False, [])
    made.load(index(uids), None)
    return made


UIDS = st.sets(st.integers(1, 60)).map(sorted)
RANGES = st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70)), max_size=6).map(tuple)


@given(UIDS, RANGES)
def test_uid_sets_name_the_messages_they_name(uids: list[int], ranges: tuple[tuple[int, int], ...]) -> None:
    made = view(uids)
    slices = made.slices(ranges, by_uid=True)
    assert slices is not None
    found = [made.uids[at] for low, high in slices for at in range(low, high)]
    top = max(uids, default=0)
    wanted = set()
    for first, last in ranges:
        low, high = sorted((top if first == STAR else first, top if last == STAR else last))
        wanted |= {uid for uid in uids if low <= uid <= high}
    assert found == sorted(wanted)


@given(UIDS, RANGES)
def test_number_sets_name_positions_or_are_refused(uids: list[int], ranges: tuple[tuple[int, int], ...]) -> None:
    made = view(uids)
    count = len(uids)
    slices = made.slices(ranges, by_uid=False)
    if count and any((first or count) > count or (last or count) > count for first, last in ranges):
        assert slices is None
        return
    assert slices is not None
    found = [at + 1 for low, high in slices for at in range(low, high)]
    wanted = set()
    for first, last in ranges:
        low, high = sorted((first or count, last or count))
        wanted |= set(range(low, high + 1)) if count else set()
    assert found == sorted(wanted)


@given(UIDS, st.sets(st.integers(1, 60)))
def test_expunges_are_told_so_that_a_client_ends_with_the_same_list(uids: list[int], gone: set[int]) -> None:
    made, client = view(uids), list(uids)
    for number in made.expunge(gone):
        del client[number - 1]
    assert client == list(made.uids) == [uid for uid in uids if uid not in gone]
    assert len(made.flags) == len(made.uids)


@given(UIDS, st.sets(st.integers(1, 60)), st.integers(0, 5))
def test_a_late_index_keeps_the_numbers_of_select(uids: list[int], gone: set[int], arrived: int) -> None:
    top = max(uids, default=0)
    made = FolderView(Place(HOME, folder(len(uids), top + 1)), False, [])
    assert made.count == len(uids)
    left = [uid for uid in uids if uid not in gone] + list(range(top + 1, top + 1 + arrived))
    vanished = [uid for uid in uids if uid in gone]
    made.load(index(left, modseq=9), index(left[-1:], None, vanished, 9))
    assert list(made.uids) == uids and made.vanished == vanished
    changes = made.apply(index(left, None, vanished, 9))
    assert len(changes.arrived) == arrived and made.modseq == 9
    made.expunge(made.vanished)
    assert list(made.uids) == left


def test_flags_are_told_once() -> None:
    made = view([1, 5, 9])
    assert made.apply(index([5, 9], [1, 0], modseq=4)).flagged == [1]
    assert made.apply(index([5, 9], [1, 0], modseq=4)).flagged == []


def test_what_came_and_went_unseen_is_not_told() -> None:
    made = view([1, 2])
    changes = made.apply(index([], None, [3, 4], modseq=7))
    assert not changes.arrived and made.vanished == []


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)).map(lambda p: (p[0], p[0] + p[1])), max_size=9))
def test_merged_and_batches_keep_every_position_once(slices: list[tuple[int, int]]) -> None:
    positions = sorted({at for low, high in slices for at in range(low, high)})
    whole = merged(slices)
    assert [at for low, high in whole for at in range(low, high)] == positions
    groups = list(batches(whole, 4))
    assert [at for group in groups for low, high in group for at in range(low, high)] == positions
    assert all(sum(high - low for low, high in group) <= 4 for group in groups)


@given(UIDS, st.lists(st.integers(1, 4), max_size=8), st.booleans())
def test_recent_messages_are_counted_and_kept_in_few_ranges(uids: list[int], lengths: list[int], loaded: bool) -> None:
    made, recent, next_uid = view(uids), set(), max(uids, default=0) + 1
    if not loaded:
        made = FolderView(Place(HOME, folder(len(uids), next_uid)), False, [])
    all_uids = list(uids)
    for at, length in enumerate(lengths):
        new = list(range(next_uid, next_uid + length))
        all_uids += new
        if loaded:
            assert list(made.apply(index(new, modseq=2 + at)).arrived) == new
        else:
            assert list(made.apply_unloaded(index(new, modseq=2 + at)) or ()) == new
        # What another session claimed (every third) is not recent here; what is claimed here may not have been told yet.
        first = new[-1] + 1 if at % 3 == 1 else new[0]
        made.claim(first, new[-1] + at % 2)
        made.count_recent(new)
        recent |= set(range(first, new[-1] + at % 2 + 1))
        next_uid += length + (1 if at % 2 else 0)
    assert made.count == len(all_uids)
    if not loaded:
        made.load(index(all_uids, modseq=99), None)
    recent &= set(all_uids)
    assert list(made.uids) == all_uids and made.recent_count == len(recent)
    assert {uid for uid in made.uids if made.is_recent(uid)} == recent
    made.expunge(all_uids[::2])
    assert made.recent_count == len(recent - set(all_uids[::2]))


def test_without_a_look_only_arrivals_are_taken() -> None:
    made = FolderView(Place(HOME, folder(3, 10)), False, [])
    assert made.apply_unloaded(index([9], modseq=2)) is None
    assert made.apply_unloaded(index([], None, [4], 2)) is None
    assert made.apply_unloaded(index([11, 12], modseq=2)) == array(WORD, [11, 12])
    assert (made.count, made.next_uid, made.modseq) == (5, 13, 2)
