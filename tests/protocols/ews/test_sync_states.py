"""Synchronization states, written and read."""

from __future__ import annotations

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.sync_states import (
    Fate,
    FoldersState,
    ItemsState,
    read_folders_state,
    read_items_state,
)

BOX = UUID(int=5)
NUMBERS = st.integers(0, 2**62)


@given(NUMBERS, NUMBERS, st.integers(-1, 2**31), NUMBERS, st.sampled_from(Fate), NUMBERS)
def test_a_state_is_read_as_it_was_written(
    folder: int, since: int, walked: int, within: int, fate: Fate, item: int
) -> None:
    state = ItemsState(BOX, folder, since, walked, within, fate, item)
    assert read_items_state(str(state)) == state
    folders = FoldersState(BOX, folder, since)
    assert read_folders_state(str(folders)) == folders


@given(st.one_of(st.text(max_size=200), st.binary(max_size=120).map(lambda octets: base64.b64encode(octets).decode())))
def test_what_is_no_state_is_refused(text: str) -> None:
    for read in (read_items_state, read_folders_state):
        with pytest.raises(EwsError) as caught:
            read(text)
        assert caught.value.code is Code.INVALID_SYNC_STATE_DATA


def test_a_state_of_another_kind_or_of_strange_numbers_is_refused() -> None:
    for text in (
        str(FoldersState(BOX, 1, 1)),
        str(ItemsState(BOX, 1, -1)),
        str(ItemsState(BOX, 1, 1, -2)),
        str(ItemsState(BOX, 1, 1, 1, -1)),
        str(ItemsState(BOX, 1, 1, 1, 1, Fate.CREATED, -1)),
    ):
        with pytest.raises(EwsError):
            read_items_state(text)
    with pytest.raises(EwsError):
        read_folders_state(str(ItemsState(BOX, 1, 1)))
