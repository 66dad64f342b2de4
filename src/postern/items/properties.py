"""Maps of MAPI properties to their homes: a place in an item's content, or the item's bag (docs/decisions/0003).

Each class of items has one map. A property that the map finds a place for is read from the content and written to it, by every
protocol. All others are in the bag. Some follow from others, as the length of an appointment does from its start and its end:
they are read, and writing them changes nothing. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from postern.model.item_store import PropertyName

S = TypeVar("S")
"""The content that a map reads and changes."""
Value = bool | int | float | str | bytes | tuple[str, ...]

APPOINTMENT = UUID("00062002-0000-0000-c000-000000000046")
"""PSETID_Appointment (MS-OXPROPS section 1.3.2), as the sets below."""
TASK = UUID("00062003-0000-0000-c000-000000000046")
ADDRESS = UUID("00062004-0000-0000-c000-000000000046")
COMMON = UUID("00062008-0000-0000-c000-000000000046")
NOTE = UUID("0006200e-0000-0000-c000-000000000046")
MEETING = UUID("6ed8da90-450b-101b-98da-00aa003f1305")
PUBLIC_STRINGS = UUID("00020329-0000-0000-c000-000000000046")
INTERNET_HEADERS = UUID("00020386-0000-0000-c000-000000000046")
"""PS_INTERNET_HEADERS (MS-OXPROPS section 1.3.2): a field of the header by its name."""
DAV = UUID("a3a5f0d4-5b0b-4d6e-9d0c-7f7a54ad4e0b")
"""A set of our own: the properties that clients of DAV set, by their names in Clark's notation."""
CONFIGURATIONS = UUID("8f3e2f0c-6f5b-4d0e-9a53-3a1f1d0c7be1")
"""A set of our own: user configurations, by the id of a folder that is none in the store, a colon, and their name."""


class Type(IntEnum):
    """Types of values (MS-OXCDATA section 2.11.1)."""

    INTEGER16 = 0x0002
    INTEGER32 = 0x0003
    FLOATING64 = 0x0005
    BOOLEAN = 0x000B
    STRING = 0x001F
    TIME = 0x0040
    BINARY = 0x0102
    STRINGS = 0x101F


class Property(NamedTuple):
    """A property by its canonical name (MS-OXPROPS): with an `id` of its own, or one that each mailbox numbers by its `name`. For
    example `Property("PidTagSubject", Type.STRING, 0x0037)`."""

    canonical: str
    type: Type
    id: int = 0
    name: PropertyName | None = None

    @property
    def key(self) -> int | PropertyName:
        return self.name or self.id


@dataclass(frozen=True, slots=True)
class Mapped(Generic[S]):
    """A property and its home. `place` names the lines of the content that have it, for example "DTSTART"; "" is the bag. Without
    `write` the property follows from others."""

    property: Property
    place: str = ""
    read: Callable[[S], Value | None] | None = None
    write: Callable[[S, Value | None], None] | None = None


class PropertyMap(Generic[S]):
    """The map of one class. Values are written in the order of the map, and removed in the opposite order."""

    def __init__(self, entries: Iterable[Mapped[S]]) -> None:
        self._entries = {entry.property.key: entry for entry in entries}

    def __iter__(self) -> Iterator[Mapped[S]]:
        return iter(self._entries.values())

    def find(self, key: int | PropertyName) -> Mapped[S] | None:
        """The entry of a property's id or name; None: nobody here knows it, and it is in the bag."""
        return self._entries.get(key)

    def read(self, content: S, properties: Iterable[Property] | None = None) -> dict[Property, Value]:
        """The values that the content has of these properties, or of all.

        Bound: linear in the content for each property.
        """
        wanted = None if properties is None else {each.key for each in properties}
        values: dict[Property, Value] = {}
        for key, entry in self._entries.items():
            if entry.read is not None and (wanted is None or key in wanted):
                value = entry.read(content)
                if value is not None:
                    values[entry.property] = value
        return values

    def write(self, content: S, values: Mapping[Property, Value | None]) -> dict[Property, Value | None]:
        """Writes values into the content, None to remove one, and returns those that belong into the bag. What the content says
        already is left as it is, octet by octet.

        Bound: linear in the content for each value.
        """
        by_key = {each.key: value for each, value in values.items()}
        removed = [key for key in reversed(self._entries) if key in by_key and by_key[key] is None]
        for key in [*removed, *(key for key in self._entries if by_key.get(key) is not None)]:
            entry, value = self._entries[key], by_key[key]
            if entry.read is not None and entry.write is not None and entry.read(content) != value:
                entry.write(content, value)
        return {each: value for each, value in values.items() if not self._is_in_content(each)}

    def _is_in_content(self, each: Property) -> bool:
        entry = self._entries.get(each.key)
        return entry is not None and bool(entry.place)


LANGUAGE = Property(
    "PidNameContentLanguage",
    Type.STRING,
    0,
    PropertyName(INTERNET_HEADERS, None, "content-language"),
)
"""The language of an item, as a header of mail says it: named in PS_INTERNET_HEADERS (MS-OXPROPS section 1.3.2)."""

IM_ADDRESSES = tuple(
    Property(
        f"ImAddress{number}",
        Type.STRING,
        0,
        PropertyName(PUBLIC_STRINGS, None, f"http://schemas.microsoft.com/exchange/imaddress{number}"),
    )
    for number in (2, 3)
)
"""The second and the third address of instant messaging of a contact, as Exchange names them."""


def tagged(canonical: str, number: int, type_: Type = Type.STRING) -> Property:
    """A property with an id of its own."""
    return Property(canonical, type_, number)


def named(canonical: str, set_: UUID, lid: int, type_: Type = Type.STRING) -> Property:
    """A property that has a number in a set."""
    return Property(canonical, type_, 0, PropertyName(set_, lid))


def follows(entry: Mapped[S]) -> Mapped[S]:
    """The entry of a property that follows from others: it is read, and not written."""
    return replace(entry, write=None)


def in_bag(*properties: Property) -> list[Mapped[S]]:
    """The entries of properties that no format has a place for."""
    return [Mapped(each) for each in properties]
