"""Values of mailboxes come back from their parameters; what does not add up is a ValueError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.folders import Folder, FolderKind
from postern.model.items import FetchedItems, NewItem
from postern.model.mailbox import KEEP_QUOTA
from postern.model.search import SearchTerm, SortKey
from postern.protocols.dcerpc.interfaces import mailbox_values as values

U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
NAMES = st.lists(st.text(max_size=8), min_size=1, max_size=3).map(tuple)
FOLDERS = st.builds(
    Folder, U32, NAMES, st.sampled_from(FolderKind), U32, U32, U64, U32, U32, U32, U64, U32, st.booleans(), NAMES
)
RANGES = st.lists(st.tuples(U32, U32), max_size=3).map(tuple)
TERMS = st.recursive(
    st.builds(SearchTerm, st.text(max_size=5), st.text(max_size=5), st.text(max_size=5), st.integers(-9, 9), RANGES),
    lambda terms: st.builds(
        SearchTerm, st.sampled_from(["and", "or", "not"]), terms=st.lists(terms, max_size=3).map(tuple)
    ),
    max_leaves=10,
)
DELIVERIES = st.builds(
    Delivery,
    st.text(max_size=9),
    st.binary(max_size=30),
    st.lists(st.uuids(), max_size=3),
    st.text(max_size=9),
    st.integers(0, 2**40),
    st.just(()),
)


@given(st.lists(FOLDERS, max_size=4))
def test_folders(folders: list[Folder]) -> None:
    assert values.read_folders(*values.folders(folders)) == folders


@given(TERMS)
def test_search_programs(term: SearchTerm) -> None:
    assert values.read_term(values.term(term)) == term


@given(st.lists(DELIVERIES, max_size=4))
def test_deliveries(deliveries: list[Delivery]) -> None:
    granted = [one._replace(quotas=[n - 1 for n, _ in enumerate(one.mailboxes)]) for one in deliveries]
    assert values.read_deliveries(values.deliveries(granted)) == granted
    kept = [one._replace(quotas=[KEEP_QUOTA] * len(one.mailboxes)) for one in deliveries]
    assert values.read_deliveries(values.deliveries(deliveries)) == kept


@given(st.lists(st.builds(NewItem, st.binary(max_size=9), U64, st.none() | st.integers(0, 2**40)), max_size=4))
def test_new_items(items: list[NewItem]) -> None:
    assert values.read_new_items(*values.new_items(items)) == items


@given(st.lists(NAMES, max_size=4))
def test_paths(paths: list[tuple[str, ...]]) -> None:
    assert values.read_paths(*values.paths(paths)) == paths


def test_fetched_items_and_sort_keys() -> None:
    items = FetchedItems([1, 5], [3, 2**63], [7, 8], [9, 10], [-1, 2**40], [b"e", b""], contents=[b"x" * 9, b"y"])
    back = values.read_fetched(values.fetched(items))
    assert (back.uids, back.flags, back.dates, back.contents) == (items.uids, items.flags, items.dates, items.contents)
    assert list(back.headers) == []
    keys = [SortKey("date", True), SortKey("subject")]
    assert values.read_sort_keys(*values.sort_keys(keys)) == keys


def test_ranges_are_cut_to_what_a_uid_can_be() -> None:
    assert values.read_ranges(values.ranges([(1, 2**40)])) == [(1, 2**32 - 1)]
    assert values.read_ranges(values.ranges([(-5, 3), (9, 2**32)])) == [(0, 3), (9, 2**32 - 1)]


def test_statuses_by_delivery() -> None:
    assert values.read_statuses(b"\0\1\2", [1, 2]) == [
        [DeliveryStatus.DELIVERED],
        [DeliveryStatus.DUPLICATE, DeliveryStatus.OVER_QUOTA],
    ]


def test_what_does_not_add_up_is_refused() -> None:
    term = list(values.term(SearchTerm("and", terms=(SearchTerm("all"),))))
    deep = SearchTerm("all")
    for _ in range(values.MAX_DEPTH + 1):
        deep = SearchTerm("not", terms=(deep,))
    for broken in (
        [*term[:4], values.words([2, 0]), *term[5:]],  # more children than terms
        [*term[:4], values.words([0, 0]), *term[5:]],  # terms left over
        [*term[:5], values.words([1, 0]), term[6]],  # ranges that are not there
        values.term(deep),
        values.term(SearchTerm("and", terms=(SearchTerm("all"),) * values.MAX_TERMS)),
        [[], [], [], b"", b"", b"", b""],
    ):
        with pytest.raises(ValueError):
            values.read_term(broken)
    for read, parameters in (
        (values.read_statuses, (b"\0", [2])),
        (values.read_statuses, (b"\x09", [1])),
        (values.read_uuids, (bytes(17),)),
        (values.read_ranges, (bytes(4),)),
        (values.read_paths, (values.words([2]), [b"a"])),
        (values.read_kind, (99,)),
    ):
        with pytest.raises(ValueError):
            read(*parameters)
