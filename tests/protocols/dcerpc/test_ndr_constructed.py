"""Constructed types: octets worked out by hand from C706 section 14.3, round trips, the address book's types as impacket reads
and writes them, and what garbage may do (raise NdrError, nothing else)."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impacket.dcerpc.v5 import nspi
from impacket.dcerpc.v5.dtypes import LONG
from impacket.dcerpc.v5.ndr import NDRCALL

from postern.protocols.dcerpc.ndr import U8, U16, U32, U64, Message, NdrError, Reader, Writer
from postern.protocols.dcerpc.ndr_constructed import (
    MAX_DEPTH,
    Conformant,
    Constructed,
    Repeated,
    SizeOf,
    String,
    Struct,
    Union,
    Unique,
    Varying,
)
from tests.protocols.dcerpc.nspi_types import AND, EXIST, NOT, RESTRICTION, ROW_SET, TAGS

I32S = st.integers(-(2**31), 2**31 - 1)
OCTETS = st.binary(max_size=9)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=5)
"""Without halves of surrogate pairs, which Windows and we carry and impacket does not read."""
CONTENTS: dict[int, st.SearchStrategy[Any]] = {
    0x0002: st.integers(-(2**15), 2**15 - 1),
    0x0003: I32S,
    0x000B: st.integers(0, 1),
    0x001E: st.none() | st.text("abc", max_size=5),
    0x001F: st.none() | TEXTS,
    0x0040: st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    0x0048: st.none() | st.uuids(),
    0x0102: st.tuples(OCTETS),
    0x1003: st.tuples(st.lists(I32S, max_size=3)),
    0x101F: st.tuples(st.lists(TEXTS, max_size=3)),
    0x1102: st.tuples(st.lists(st.tuples(OCTETS), max_size=3)),
}


@st.composite
def values(draw: st.DrawFn) -> tuple[int, int, tuple[int, Any]]:
    tag = draw(st.sampled_from(list(CONTENTS)))
    return 0x3000_0000 | tag, 0, (tag, draw(CONTENTS[tag]))


ROWS = st.tuples(st.lists(st.tuples(st.just(0), st.none() | st.lists(values(), max_size=4)), max_size=3))
RESTRICTIONS = st.recursive(
    st.tuples(st.tuples(st.just(EXIST), st.tuples(st.just(0), st.integers(0, 99), st.just(0)))),
    lambda inner: st.tuples(
        st.tuples(st.just(AND), st.tuples(st.lists(inner, max_size=3)))
        | st.tuples(st.just(NOT), st.tuples(st.none() | inner))
    ),
    max_leaves=8,
)


def encoded(type_: Constructed, value: Any) -> bytes:
    out = Writer()
    type_.put(out, value)
    return bytes(out.data)


def back(type_: Constructed, value: Any) -> Any:
    return type_.get(Reader(encoded(type_, value)))


# By hand


def test_what_pointers_lead_to_follows_the_whole_structure() -> None:
    type_ = Struct(("a", Unique(String())), ("b", U16), ("c", Unique(U32)))
    assert encoded(type_, ("x", 7, None)).hex() == (
        "00000200" "07000000" "00000000"  # a's pointer, b with its padding, a null pointer
        "02000000" "00000000" "02000000" "78000000"  # the string of two characters
    )  # fmt: skip
    assert back(type_, ("x", 7, 5)) == ("x", 7, 5)


def test_the_count_of_an_array_at_the_end_stands_first() -> None:
    inner = Struct(("n", SizeOf("data")), ("data", Conformant(U64)))
    outer = Struct(("first", U16), ("inner", inner))
    data = encoded(outer, (5, ([9],)))
    assert data.hex() == "0100000000000000050000000000000001000000000000000900000000000000"
    assert outer.get(Reader(data)) == (5, ([9],))


def test_the_targets_of_an_arrays_elements_follow_the_array_in_order() -> None:
    type_ = Conformant(Unique(Struct(("p", Unique(U8)))))
    data = encoded(type_, [(1,), (2,)])
    pointer = "00000200"
    assert data.hex() == "02000000" + 2 * pointer + pointer + "01" + "000000" + pointer + "02"
    assert type_.get(Reader(data)) == [(1,), (2,)]


def test_varying_arrays_may_have_room_for_more() -> None:
    assert encoded(TAGS, ([7],)).hex() == "0200000001000000000000000100000007000000"
    assert back(TAGS, ([],)) == ([],)
    with pytest.raises(NdrError):
        TAGS.get(Reader(struct.pack("<IIIII", 1, 2, 0, 2, 7)))
    with pytest.raises(NdrError):
        TAGS.get(Reader(struct.pack("<IIIII", 2, 1, 1, 1, 7)))


def test_names_and_parameters() -> None:
    class Version(NamedTuple):
        numbers: list[int]
        name: str | None

    version = Struct(("numbers", Repeated(U16, 3)), ("name", Unique(String("ascii", 1))), make=Version)
    message = Message([U16, version, U32])
    values = [1, Version([12, 0, 6], "outlook"), 2]
    assert message.decode(message.encode(values)) == values


def test_what_does_not_fit() -> None:
    for type_, value in (
        (Repeated(U16, 3), [1, 2]),
        (Struct(("a", U16)), (1, 2)),
        (Union(U32, {1: U8, 2: None}), (3, 1)),
        (Unique(String("ascii", 1)), "ß"),
    ):
        with pytest.raises(NdrError):
            encoded(type_, value)
    assert back(Union(U32, {1: U8, 2: None}), (2, None)) == (2, None)
    for data in (struct.pack("<I", 9), struct.pack("<I", 1)):
        with pytest.raises(NdrError):
            Union(U32, {1: U8, 2: None}).get(Reader(data))
    counted = Struct(("n", SizeOf("data")), ("data", Unique(Conformant(U8))))
    with pytest.raises(NdrError, match="count"):
        counted.get(Reader(struct.pack("<IIIB", 2, 1, 1, 7)))
    with pytest.raises(NdrError, match="larger"):
        counted.get(Reader(struct.pack("<III", 2**31, 1, 2**31)))
    for declared in (
        lambda: Conformant(Conformant(U8)),
        lambda: Struct(("a", Varying(U8)), ("b", U8)),
        lambda: Union(U32, {1: String()}),
    ):
        with pytest.raises(ValueError):
            declared()


# Round trips


@given(ROWS)
def test_rows_come_back(rows: Any) -> None:
    assert back(ROW_SET, rows) == rows


@given(RESTRICTIONS)
def test_types_that_contain_themselves_come_back(restriction: Any) -> None:
    assert back(RESTRICTION, restriction) == restriction


def test_nothing_is_too_deep_for_the_stack() -> None:
    deep: Any = ((EXIST, (0, 1, 0)),)
    for _ in range(MAX_DEPTH):
        deep = ((NOT, (deep,)),)
    assert back(RESTRICTION, deep) == deep
    with pytest.raises(NdrError, match="deep"):
        encoded(RESTRICTION, ((NOT, (deep,)),))
    wire = struct.pack("<II", NOT, 1) * 50_000
    with pytest.raises(NdrError):
        RESTRICTION.get(Reader(wire))


@given(st.binary(max_size=200))
def test_garbage_is_an_ndr_error_or_a_value(data: bytes) -> None:
    for type_ in (ROW_SET, RESTRICTION, TAGS):
        try:
            type_.get(Reader(data))
        except NdrError:
            pass


# As impacket has them


class Carried(NDRCALL):  # type: ignore[misc]  # impacket has no types
    structure = (("rows", nspi.PropertyRowSet_r),)


class CarriedTags(NDRCALL):  # type: ignore[misc]  # as above
    structure = (("tags", nspi.PropertyTagArray_r),)


_ARMS = {0x0002: "i", 0x0003: "l", 0x000B: "b", 0x001E: "lpszA", 0x001F: "lpszW", 0x0102: "bin", 0x1003: "MVl"}
SIMPLE = values().filter(lambda value: value[2][0] in _ARMS and value[2][1] is not None)
FULL_ROWS = st.tuples(st.lists(st.tuples(st.just(0), st.lists(SIMPLE, min_size=1, max_size=4)), min_size=1, max_size=3))


def _long(number: int) -> Any:
    made = LONG()
    made["Data"] = number
    return made


def _theirs(value: Any) -> Any:
    tag, reserved, (arm, content) = value
    made = nspi.PropertyValue_r()
    made["ulPropTag"], made["ulReserved"] = tag, reserved
    made["Value"]["tag"] = arm
    name = _ARMS[arm]
    if name == "bin":
        made["Value"]["bin"]["cValues"] = len(content[0])
        made["Value"]["bin"]["lpb"] = [bytes([octet]) for octet in content[0]]
    elif name == "MVl":
        made["Value"]["MVl"]["cValues"] = len(content[0])
        for number in content[0]:
            made["Value"]["MVl"]["lpl"].append(_long(number))
    elif isinstance(content, str):
        made["Value"][name] = content + "\0"
    else:
        made["Value"][name] = content
    return made


def _ours(value: Any) -> Any:
    arm = value["Value"]["tag"]
    content = value["Value"][_ARMS[arm]]
    if arm == 0x0102:
        content = (b"".join(content["lpb"]),)
    elif arm == 0x1003:
        content = ([number["Data"] for number in content["lpl"]],)
    elif isinstance(content, str):
        content = content.removesuffix("\0")
    return value["ulPropTag"], value["ulReserved"], (arm, content)


@given(FULL_ROWS)
def test_impacket_reads_our_rows(rows: Any) -> None:
    theirs = Carried(encoded(ROW_SET, rows))
    assert theirs["rows"]["cRows"] == len(rows[0])
    read = [(row["Reserved"], [_ours(value) for value in row["lpProps"]]) for row in theirs["rows"]["aRow"]]
    assert (read,) == rows


def test_half_a_surrogate_pair_goes_there_and_back() -> None:
    rows = ([(0, [(0x3001_001F, 0, (31, "a\ud800"))])],)
    assert ROW_SET.get(Reader(encoded(ROW_SET, rows))) == rows


@given(FULL_ROWS)
def test_we_read_impackets_rows(rows: Any) -> None:
    theirs = Carried()
    for reserved, content in rows[0]:
        row = nspi.PropertyRow_r()
        row["Reserved"], row["cValues"] = reserved, len(content)
        row["lpProps"] = [_theirs(value) for value in content]
        theirs["rows"]["aRow"].append(row)
    theirs["rows"]["cRows"] = len(rows[0])
    assert ROW_SET.get(Reader(theirs.getData())) == rows


def test_a_uuid_behind_a_pointer() -> None:
    some = UUID("00112233-4455-6677-8899-aabbccddeeff")
    rows = ([(0, [(0x3000_0048, 0, (0x48, some))])],)
    theirs = Carried(encoded(ROW_SET, rows))
    assert theirs["rows"]["aRow"][0]["lpProps"][0]["Value"]["lpguid"] == some.bytes_le
