"""Codecs put together values from parameters, and say so where they do not add up."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.dcerpc import codecs
from postern.protocols.dcerpc.codecs import BOOLEAN, TEXTS, UUIDS, WORDS, Parameter, Parameters, Wide, numbered, record
from postern.protocols.dcerpc.ndr import U32, Structure, Text


@dataclass(frozen=True)
class Point:
    x: int
    y: int
    names: tuple[str, ...] = ()


PAIR = Wide((("first", U32), ("second", U32)), lambda pair: pair, lambda *pair: pair)
POINTS = codecs.Rows(
    ("points", "texts"), Point, Structure("POINT", (("y", U32), ("x", U32), ("count", U32))), {}, {"count": "names"}
)


@given(st.lists(st.integers(0, 2**32 - 1)), st.lists(st.uuids()), st.booleans())
def test_arrays(numbers: list[int], uuids: list[object], boolean: bool) -> None:
    for codec, value in ((WORDS, numbers), (UUIDS, uuids), (BOOLEAN, boolean)):
        assert codec.read is not None
        assert codec.read(value if codec.write is None else codec.write(value)) == value
    with pytest.raises(ValueError):
        codecs.read_uuids(bytes(17))


def test_parameters_of_one_place_and_of_several() -> None:
    parameters = Parameters((Parameter("a", U32), Parameter("pair", PAIR), Parameter("list", WORDS, "numbers")))
    assert [name for name, _ in parameters.types] == ["a", "first", "second", "list"]
    assert parameters.names == ("a", "pair", "numbers")
    wire = parameters.write((1, (2, 3), [4]))
    assert wire == [1, 2, 3, b"\4\0\0\0"]
    assert parameters.read(wire) == [1, (2, 3), [4]]


@pytest.mark.parametrize("order", [("x", "y"), ("y", "x"), ("x", "y", "names")])
def test_records_in_any_order_of_their_fields(order: tuple[str, ...]) -> None:
    types = {"x": U32, "y": U32, "names": TEXTS}
    codec = record(Point, [Parameter(f"the_{name}", types[name], name) for name in order])
    point = Point(1, 2, ("a",) if "names" in order else ())
    assert codec.read(*codec.write(point)) == point


@given(st.lists(st.builds(Point, st.integers(0, 99), st.integers(0, 99), st.lists(st.text()).map(tuple))))
def test_rows_with_their_texts(points: list[Point]) -> None:
    records, texts = POINTS.write(points)
    assert POINTS.read(records, texts) == points
    for point in points:
        only = codecs.only(POINTS, "point")
        assert only.read(*only.write(point)) == point
    if texts:
        with pytest.raises(ValueError):
            POINTS.read(records, texts[:-1])
    with pytest.raises(ValueError, match="not one point"):
        codecs.only(POINTS, "point").read([], [])


def test_numbers_by_hand() -> None:
    codec = numbered("colour", {"red": 3, "blue": 7})
    assert codec.write is not None and codec.read is not None
    assert [codec.read(codec.write(colour)) for colour in ("red", "blue")] == ["red", "blue"]
    with pytest.raises(ValueError, match="an unknown colour"):
        codec.read(4)


def test_a_single_field_is_a_record_too() -> None:
    @dataclass
    class Name:
        name: str

    codec = record(Name, (Parameter("name", Text()),))
    assert codec.read(*codec.write(Name("a"))) == Name("a")


def test_mappings_are_two_columns() -> None:
    codec = codecs.mapping(Parameter("places", codecs.SIGNED_WORDS), Parameter("pairs", POINTS))
    assert [name for name, _ in codec.types] == ["places", "points", "texts"]
    points = {-1: Point(1, 2, ("a",)), 2**40: Point(3, 4)}
    places, *rows = codec.write(points)
    assert codec.read(places, *rows) == points
    with pytest.raises(ValueError, match="shorter"):
        codec.read(places + bytes(8), *rows)


def test_columns_of_single_values() -> None:
    colours = codecs.column(numbered("colour", {"red": 3, "blue": 7}))
    assert colours.write is not None and colours.read is not None
    assert colours.write(["blue", "red"]) == b"\7\0\0\0\3\0\0\0"
    assert colours.read(b"\7\0\0\0\3\0\0\0") == ["blue", "red"]
    with pytest.raises(ValueError, match="an unknown colour"):
        colours.read(b"\4\0\0\0")
    numbers = codecs.or_none(-1)
    assert numbers.write is not None and numbers.read is not None
    assert numbers.read(numbers.write([None, 0, 2**40])) == [None, 0, 2**40]
