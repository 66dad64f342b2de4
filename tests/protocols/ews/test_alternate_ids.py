"""Ids in all their forms: each is read as it was written, and has the layout of MAPI where it is an entry id."""

from __future__ import annotations

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.ews.alternate_ids import IdFormat, read_alternate, written_alternate
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ROOT, TOP, AttachmentId, ConversationId, FolderId, ItemId

NUMBERS = st.integers(-(2**47), 2**47 - 1)
MAILBOX = UUID("d2719c01-3f4a-4c58-9d7e-0a1b2c3d4e5f")


@given(st.sampled_from(IdFormat), st.builds(FolderId, st.uuids(), NUMBERS) | st.builds(ItemId, st.uuids(), NUMBERS))
def test_an_id_is_read_as_it_was_written(form: IdFormat, id_: FolderId | ItemId) -> None:
    assert read_alternate(form, written_alternate(form, id_)) == id_


def test_an_entry_id_has_the_layout_of_mapi() -> None:
    folder = bytes.fromhex(written_alternate(IdFormat.HEX_ENTRY, FolderId(MAILBOX, 7)))
    item = base64.b64decode(written_alternate(IdFormat.ENTRY, ItemId(MAILBOX, 7)))
    assert len(folder) == 46 and len(item) == 70
    for octets, kind in ((folder, 1), (item, 7)):
        assert octets[:4] == bytes(4) and octets[4:20] == MAILBOX.bytes_le
        assert octets[20:22] == bytes((kind, 0)) and octets[-8:] == bytes((0, 0, 0, 0, 0, 7, 0, 0))
    assert read_alternate(IdFormat.HEX_ENTRY, folder.hex()) == FolderId(MAILBOX, 7)
    for above in (TOP, ROOT):
        text = written_alternate(IdFormat.STORE, FolderId(MAILBOX, above))
        assert read_alternate(IdFormat.STORE, text) == FolderId(MAILBOX, above)


@pytest.mark.parametrize(
    "form, text, code",
    [
        (IdFormat.EWS, "", Code.INVALID_ID_EMPTY),
        (IdFormat.HEX_ENTRY, "00", Code.INVALID_ID_MALFORMED),
        (IdFormat.HEX_ENTRY, "xy", Code.INVALID_ID_MALFORMED),
        (IdFormat.HEX_ENTRY, "00" * 46, Code.INVALID_ID_MALFORMED),
        (IdFormat.ENTRY, "!", Code.INVALID_ID_MALFORMED),
        (IdFormat.OWA, "%", Code.INVALID_ID_MALFORMED),
        (IdFormat.STORE, "A" * 2_000, Code.INVALID_ID_MALFORMED),
    ],
)
def test_what_is_no_id_is_refused(form: IdFormat, text: str, code: Code) -> None:
    with pytest.raises(EwsError) as refused:
        read_alternate(form, text)
    assert refused.value.code is code


@pytest.mark.parametrize(
    "id_",
    [ItemId(MAILBOX, 7, 1_000), AttachmentId(MAILBOX, 7, 0), ConversationId(MAILBOX, 7)],
    ids=lambda id_: type(id_).__name__,
)
def test_what_is_no_item_and_no_folder_has_no_entry_id(id_: ItemId | AttachmentId | ConversationId) -> None:
    assert read_alternate(IdFormat.OWA, written_alternate(IdFormat.OWA, id_)) == id_
    with pytest.raises(EwsError) as refused:
        written_alternate(IdFormat.ENTRY, id_)
    assert refused.value.code is Code.UNSUPPORTED_TYPE_FOR_CONVERSION
