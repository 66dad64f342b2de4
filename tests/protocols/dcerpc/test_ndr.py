"""NDR: bytes worked out by hand from C706 chapter 14, round trips, and what garbage may do (raise NdrError, nothing else)."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.protocols.dcerpc.interfaces.mailbox_codecs import FOLDER_STRUCTURE
from postern.protocols.dcerpc.interfaces.mailbox_items import MAILBOX_ITEMS
from postern.protocols.dcerpc.ndr import (
    I64,
    U8,
    U16,
    U32,
    U64,
    UUID_T,
    Array,
    Message,
    NdrError,
    Records,
    Structure,
    Text,
)
from postern.protocols.dcerpc.ndr_blobs import Blobs, Texts

SOME = UUID("00112233-4455-6677-8899-aabbccddeeff")


def test_numbers_are_aligned_to_their_own_size() -> None:
    message = Message([U8, U16, U8, U32, U8, U64, UUID_T])
    data = message.encode((1, 2, 3, 4, 5, 6, SOME))
    assert data.hex() == "01000200030000000400000005000000060000000000000033221100554477668899aabbccddeeff"
    assert message.decode(bytes(data)) == [1, 2, 3, 4, 5, 6, SOME]


def test_arrays_are_counted_pointed_to_and_aligned() -> None:
    message = Message([U8, Array(U8), Array(U64), U8])
    data = message.encode((1, b"abc", struct.pack("<Q", 7), 9))
    assert data.hex() == (
        "01000000"
        "03000000"
        "00000200"
        "03000000"
        "61626300"  # count, pointer, max_count, bytes; padding to 4
        "01000000"
        "00000200"
        "01000000"
        "0700000000000000"
        "09"
    )
    assert message.decode(data) == [1, b"abc", struct.pack("<Q", 7), 9]


def test_an_array_of_longs_is_aligned_to_eight_behind_its_count() -> None:
    message = Message([Array(U64)])
    assert message.encode((struct.pack("<Q", 7),)).hex() == "010000000000020001000000000000000700000000000000"


def test_a_string_has_three_counts_and_its_zero() -> None:
    message = Message([Text()])
    data = message.encode(("Aß",))
    assert data.hex() == "000002000300000000000000030000004100df000000"
    assert message.decode(data) == ["Aß"]


def test_a_null_pointer_is_an_empty_array() -> None:
    assert Message([Array(U8), U32]).decode(struct.pack("<III", 0, 0, 5)) == [b"", 5]
    with pytest.raises(NdrError):
        Message([Array(U8)]).decode(struct.pack("<III", 1, 0, 1))


def test_a_structure_with_a_hole_is_not_declared() -> None:
    with pytest.raises(ValueError):
        Structure("HOLE", (("a", U32), ("b", U64)))
    with pytest.raises(ValueError):
        Structure("TAIL", (("a", U64), ("b", U32)))
    assert FOLDER_STRUCTURE.size == 64


@pytest.mark.parametrize(
    "stub",
    [
        struct.pack("<III", 2**31, 0x20000, 2**31),  # larger than the stub
        struct.pack("<III", 4, 0x20000, 5) + bytes(8),  # two sizes
        struct.pack("<II", 4, 0x20000),
    ],
)
def test_a_count_that_lies_is_refused_before_anything_is_made(stub: bytes) -> None:
    for type_ in (Array(U8), Array(U64), Blobs(), Records(FOLDER_STRUCTURE)):
        with pytest.raises(NdrError):
            Message([type_]).decode(stub)


def test_blobs_must_add_up() -> None:
    good = bytes(Message([Blobs()]).encode(([b"ab", b"", b"c"],)))
    assert Message([Blobs()]).decode(good) == [[b"ab", b"", b"c"]]
    broken = good.replace(struct.pack("<III", 2, 0, 1), struct.pack("<III", 2, 9, 1))
    with pytest.raises(NdrError):
        Message([Blobs()]).decode(broken)


def test_a_value_that_does_not_fit_is_the_callers_mistake() -> None:
    for type_, value in ((U8, 256), (U32, -1), (U64, 2**64), (I64, 2**63), (U32, "x")):
        with pytest.raises(NdrError):
            Message([type_]).encode((value,))


VALUES = {
    U8: st.integers(0, 255),
    U16: st.integers(0, 65535),
    U32: st.integers(0, 2**32 - 1),
    U64: st.integers(0, 2**64 - 1),
    I64: st.integers(-(2**63), 2**63 - 1),
    UUID_T: st.uuids(),
    Array(U8): st.binary(max_size=20),
    Array(U32): st.lists(st.integers(0, 2**32 - 1), max_size=5).map(lambda v: struct.pack(f"<{len(v)}I", *v)),
    Array(U64): st.lists(st.integers(0, 2**64 - 1), max_size=5).map(lambda v: struct.pack(f"<{len(v)}Q", *v)),
    Blobs(): st.lists(st.binary(max_size=9), max_size=5),
    Texts(): st.lists(st.text(max_size=5), max_size=5).map(tuple),
    Text(): st.text(st.characters(exclude_characters="\0"), max_size=9),
    Records(Structure("PAIR", (("a", U64), ("b", U32), ("c", U32)))): st.lists(
        st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 9), st.integers(0, 9)), max_size=4
    ),
}


@given(st.data())
def test_every_message_comes_back(data: st.DataObject) -> None:
    types = data.draw(st.lists(st.sampled_from(list(VALUES)), max_size=8))
    values = [data.draw(VALUES[type_]) for type_ in types]
    message = Message(types)
    assert message.decode(memoryview(bytes(message.encode(values)))) == values


@given(st.binary(max_size=400), st.integers(0, 60))
def test_garbage_is_an_ndr_error_or_values(stub: bytes, which: int) -> None:
    operations = MAILBOX_ACCESS.operations + MAILBOX_DELIVERY.operations + MAILBOX_ITEMS.operations
    operation = operations[which % len(operations)]
    for message in (operation.request, operation.reply):
        try:
            message.decode(stub)
        except NdrError:
            pass
