"""`model.mailbox`'s values come back from their parameters; what does not add up is a ValueError.

covers: mailbox, search_codecs
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.folders import Folder, FolderKind, FolderNode
from postern.model.items import FetchedItems, Index, NewItem
from postern.model.mailbox import KEEP_QUOTA
from postern.model.search import SearchTerm, SortKey
from postern.protocols.dcerpc.codecs import BOOLEAN, Codec, Rows, numbered, write_words
from postern.protocols.dcerpc.interfaces import item_codecs
from postern.protocols.dcerpc.interfaces import mailbox_codecs as codecs
from postern.protocols.dcerpc.interfaces.search_codecs import MAX_DEPTH, MAX_TERMS, SORT, TERM

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


def back(codec: Codec, value: Any) -> Any:
    """The value as the other side reads it."""
    assert codec.write is not None and codec.read is not None
    wire = codec.write(value)
    return codec.read(*wire) if codec.wide else codec.read(wire)


@given(st.lists(FOLDERS, max_size=4))
def test_folders(folders: list[Folder]) -> None:
    assert back(codecs.FOLDERS, folders) == folders
    for folder in folders:
        assert back(codecs.FOLDER, folder) == folder


@given(TERMS)
def test_search_programs(term: SearchTerm) -> None:
    assert back(TERM, term) == term


@given(st.lists(DELIVERIES, max_size=4))
def test_deliveries(deliveries: list[Delivery]) -> None:
    granted = [d._replace(quotas=[n - 1 for n, _ in enumerate(d.mailboxes)]) for d in deliveries]
    assert back(codecs.DELIVERIES, granted) == granted
    kept = [d._replace(quotas=[KEEP_QUOTA] * len(d.mailboxes)) for d in deliveries]
    assert back(codecs.DELIVERIES, deliveries) == kept


@given(st.lists(st.builds(NewItem, st.binary(max_size=9), U64, st.none() | st.integers(0, 2**40)), max_size=4))
def test_new_items(items: list[NewItem]) -> None:
    assert back(codecs.NEW_ITEMS, items) == items


@given(st.lists(NAMES, max_size=4))
def test_paths(paths: list[tuple[str, ...]]) -> None:
    assert back(codecs.PATHS, paths) == paths


def test_fetched_items_and_sort_keys() -> None:
    items = FetchedItems([1, 5], [3, 2**63], [7, 8], [9, 10], [-1, 2**40], [b"e", b""], contents=[b"x" * 9, b"y"])
    heard = back(codecs.FETCHED, items)
    assert (heard.uids, heard.flags, heard.dates) == (items.uids, items.flags, items.dates)
    assert (heard.contents, list(heard.headers)) == (items.contents, [])
    keys = [SortKey("date", True), SortKey("subject")]
    assert back(SORT, keys) == keys


def test_indexes() -> None:
    index = Index(7, 9, 2, b"\1\0\0\0\2\0\0\0", bytes(16), bytes(16), b"")
    assert back(codecs.INDEX, index) == index
    assert back(codecs.LOOK, index._replace(recent=(1, 2))) == index._replace(recent=(1, 2))


def test_ranges_are_cut_to_what_a_uid_can_be() -> None:
    assert back(codecs.RANGES, [(1, 2**40)]) == [(1, 2**32 - 1)]
    assert back(codecs.RANGES, [(-5, 3), (9, 2**32)]) == [(0, 3), (9, 2**32 - 1)]
    assert back(codecs.LIMITED_RANGES, []) == []
    assert back(codecs.LIMITED_RANGES, None) is None


def test_what_counts_only_with_a_condition() -> None:
    assert [back(codecs.UNCHANGED_SINCE, modseq) for modseq in (None, 0, 7)] == [None, 0, 7]


def test_statuses_by_delivery() -> None:
    said = [[DeliveryStatus.DELIVERED], [DeliveryStatus.DUPLICATE, DeliveryStatus.OVER_QUOTA]]
    box = UUID(int=1)
    deliveries = [Delivery("a", b"", (box,)), Delivery("b", b"", (box, box))]
    assert codecs.statuses_of(back(codecs.STATUSES, said), deliveries) == said
    with pytest.raises(ValueError):
        codecs.statuses_of([DeliveryStatus.DELIVERED], deliveries)
    with pytest.raises(ValueError):
        codecs.used_of([1], (box, box))


def test_a_wait_is_bounded() -> None:
    assert back(codecs.MILLISECONDS, 2.5) == 2.5
    assert back(codecs.MILLISECONDS, 4_000_000.0) == codecs.MAX_WAIT


def test_what_does_not_add_up_is_refused() -> None:
    term = list(TERM.write(SearchTerm("and", terms=(SearchTerm("all"),))))
    deep = SearchTerm("all")
    for _ in range(MAX_DEPTH + 1):
        deep = SearchTerm("not", terms=(deep,))
    for broken in (
        [*term[:4], write_words([2, 0]), *term[5:]],  # more children than terms
        [*term[:4], write_words([0, 0]), *term[5:]],  # terms left over
        [*term[:5], write_words([1, 0]), term[6]],  # ranges that are not there
        TERM.write(deep),
        TERM.write(SearchTerm("and", terms=(SearchTerm("all"),) * MAX_TERMS)),
        [[], [], [], b"", b"", b"", b""],
    ):
        with pytest.raises(ValueError):
            TERM.read(*broken)
    records, names = codecs.FOLDERS.write([Folder(1, ("a", "b"), FolderKind.USER, 1, 1, 1, 0, 0, 0, 0, 1, False, ())])
    for codec, wire in (
        (codecs.STATUSES, (b"\x09",)),
        (codecs.RANGES, (bytes(4),)),
        (codecs.PATHS, (write_words([2]), [b"a"])),
        (codecs.KIND, (99,)),
        (codecs.FLAG_CHANGE, (3,)),
        (codecs.FOLDERS, (records, names[:1])),
        (codecs.FOLDER, ([], [])),
    ):
        assert codec.read is not None
        with pytest.raises(ValueError):
            codec.read(*wire)


NEWER_KIND = 1_000
"""The number of a kind of folder that only a newer server has."""


def test_a_client_reads_a_newer_servers_kind_of_folder_as_the_users_own() -> None:
    newer = Rows(
        ("folders", "names"),
        Folder,
        codecs.FOLDER_STRUCTURE,
        {"kind": numbered("kind of folder", {"voicemail": NEWER_KIND}), "subscribed": BOOLEAN},
        {"name_count": "path", "keyword_count": "keywords"},
    )
    voicemail: Any = "voicemail"
    folder = Folder(7, ("Voice",), voicemail, 1, 2, 3, 4, 5, 6, 7, 8, True, ())
    assert codecs.FOLDERS.read(*newer.write([folder])) == [replace(folder, kind=FolderKind.USER)]
    node = FolderNode(7, 0, "Voice", "IPF.Note", FolderKind.INBOX, 3)
    names = [name for name, _ in item_codecs.nodes().types]
    wire = list(item_codecs.nodes().write([node]))
    wire[names.index("kinds")] = write_words([NEWER_KIND])
    assert item_codecs.nodes().read(*wire) == [replace(node, kind=FolderKind.USER)]


def test_a_server_refuses_to_create_a_kind_of_folder_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="an unknown kind of folder"):
        codecs.KIND.read(NEWER_KIND)
