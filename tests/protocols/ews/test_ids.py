"""Ids and change keys: each is read as it was written, and what was made up is refused."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import (
    MAX_LENGTH,
    ROOT,
    AttachmentId,
    ConversationId,
    FolderId,
    ItemId,
    change_key,
    read_change_key,
    read_id,
)

NUMBERS = st.integers(-(2**63), 2**63 - 1)
IDS = st.one_of(
    st.builds(FolderId, st.uuids(), NUMBERS),
    st.builds(ItemId, st.uuids(), NUMBERS, st.none() | NUMBERS),
    st.builds(AttachmentId, st.uuids(), NUMBERS, st.integers(0, 65_535), NUMBERS),
    st.builds(ConversationId, st.uuids(), NUMBERS),
)


@given(IDS)
def test_an_id_is_read_as_it_was_written(known: FolderId | ItemId) -> None:
    assert read_id(str(known)) == known


@given(st.text() | st.binary(max_size=60).map(lambda octets: octets.hex()))
def test_what_is_made_up_is_no_id(text: str) -> None:
    with pytest.raises(EwsError) as raised:
        read_id(text)
    assert raised.value.code is (Code.INVALID_ID_MALFORMED if text else Code.INVALID_ID_EMPTY)
    with pytest.raises(EwsError):
        read_change_key(text)


def test_a_spoiled_id_names_nothing_else() -> None:
    text = str(FolderId(UUID(int=7), ROOT))
    for spoiled in (text[:-4], text + "AAAA", "AA" + text[2:], text.replace("oQE", "oQk"), "A" * (MAX_LENGTH + 4)):
        with pytest.raises(EwsError):
            read_id(spoiled)


@given(st.integers(0, 2**63 - 1))
def test_a_change_key_is_read_as_it_was_written(change: int) -> None:
    assert read_change_key(change_key(change)) == change
