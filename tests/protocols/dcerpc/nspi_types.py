"""Types of the address book's interface (MS-OXNSPI, MS-NSPI 2.3.1) for the tests of constructed types: pointers of every kind."""

from __future__ import annotations

from postern.protocols.dcerpc.ndr import U8, U16, U32, UUID_T, Fixed
from postern.protocols.dcerpc.ndr_constructed import (
    Conformant,
    Constructed,
    Itself,
    SizeOf,
    String,
    Struct,
    Union,
    Unique,
    Varying,
)

I16 = Fixed("short", "h", 2, 0)
I32 = Fixed("long", "i", 4, 0)


def counted(element: Constructed | Fixed) -> Struct:
    """Binary_r, LongArray_r, WStringArray_r and their like: a count and a pointer to as many."""
    return Struct(("count", SizeOf("elements")), ("elements", Unique(Conformant(element))))


STRING8, STRING = Unique(String("latin-1", 1)), Unique(String())
BINARY = counted(U8)
FILETIME = Struct(("low", U32), ("high", U32))
ARMS = {
    0x0001: I32,
    0x0002: I16,
    0x0003: I32,
    0x000B: U16,
    0x001E: STRING8,
    0x001F: STRING,
    0x0040: FILETIME,
    0x0048: Unique(UUID_T),
    0x0102: BINARY,
    0x1003: counted(I32),
    0x101F: counted(STRING),
    0x1102: counted(BINARY),
}
VALUE = Struct(("tag", U32), ("reserved", U32), ("value", Union(U32, ARMS)))
ROW = Struct(("reserved", U32), ("count", SizeOf("values")), ("values", Unique(Conformant(VALUE))))
ROW_SET = Struct(("count", SizeOf("rows")), ("rows", Conformant(ROW)))
TAGS = Struct(("count", SizeOf("tags")), ("tags", Varying(U32, spare=1)))

_SELF = Itself(lambda: RESTRICTION)
AND, NOT, EXIST = 0, 2, 8
RESTRICTION = Struct(
    (
        "choice",
        Union(
            U32,
            {
                AND: counted(_SELF),
                NOT: Struct(("one", Unique(_SELF))),
                EXIST: Struct(("a", U32), ("tag", U32), ("b", U32)),
            },
        ),
    )
)
