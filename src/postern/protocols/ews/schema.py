"""The schema of requests: a table of the types that they are made of, which `requests.tsv` keeps.

The table was written from the schemas in Microsoft's documents, and of the versions from Exchange 2007 SP1 on. Each type has its
elements in their order, with the version that brought each:

    ask    an element in the SOAP body of a request, its type, its version
    root   the same of an answer
    type   a type, the type that it extends, and whether it has a text or elements
           below it its attributes (`@`) and its elements: name, type, version, and place
    value  a type of texts, its base, and below it its values (`=`) with their versions and its patterns (`~`)
    list   a type of lists of texts, and the type of each
    union  a type of texts, and the types of which it is any

Elements of one place are a choice; `*` says that a place may be taken again, and `!` that it must be taken.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from postern.protocols.ews.versions import Version


@dataclass(slots=True)
class Place:
    """An element or attribute of a type. `name` has a prefix ("t:Subject"); `at` is its place among the elements."""

    name: str
    type: str
    since: Version
    at: int = 0
    is_required: bool = False
    repeats: bool = False


@dataclass(slots=True)
class Kind:
    """A type of the table. `form` is "text" or "elements" of a type that has attributes, else "value", "list" or "union".
    `values` are the texts that it may have, with the versions that brought them; `members` the types of a list or a union."""

    name: str
    form: str
    base: str = ""
    elements: list[Place] = field(default_factory=list)
    attributes: dict[str, Place] = field(default_factory=dict)
    values: dict[str, Version] = field(default_factory=dict)
    patterns: list[str] = field(default_factory=list)
    members: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether it is a text without attributes."""
        return self.form in ("value", "list", "union")


class Schema:
    """A table, read from its lines. `asks` are the elements in the SOAP body of requests, by their names ("m:GetItem"), and
    `roots` those of answers; `kinds` are the types."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.roots: dict[str, Place] = {}
        self.asks: dict[str, Place] = {}
        self.kinds: dict[str, Kind] = {}
        for line in lines:
            self._line(line.rstrip("\n").split("\t"))

    def _line(self, cells: list[str]) -> None:
        head, name, *rest = cells
        if head in ("root", "ask"):
            (self.roots if head == "root" else self.asks)[name] = Place(name, rest[0], _version(rest[1]))
        elif head:
            base, form = rest[0], rest[1] if head == "type" else head
            self._last = self.kinds[name] = Kind(name, form, "" if base == "-" else base)
            if head in ("list", "union"):
                self._last.members = tuple(base.split())
        elif name[0] == "@":
            self._last.attributes[name[1:]] = Place(name[1:], rest[0], _version(rest[1]), 0, "!" in rest[2])
        elif name[0] == "=":
            self._last.values[name[1:]] = _version(rest[0])
        elif name[0] == "~":
            self._last.patterns.append(name[1:])
        else:
            place = rest[2]
            at = int(place.rstrip("!*"))
            self._last.elements.append(Place(name, rest[0], _version(rest[1]), at, "!" in place, "*" in place))

    def chain(self, name: str) -> list[Kind]:
        """The type and those that it extends, the outermost first."""
        chain: list[Kind] = []
        while name in self.kinds:
            chain.insert(0, self.kinds[name])
            name = chain[0].base
        return chain

    def extends(self, name: str, base: str) -> bool:
        return any(kind.name == base for kind in self.chain(name))


def _version(text: str) -> Version:
    return Version[f"V{text}"]


def lines_of_requests() -> list[str]:
    """The lines of the table of requests."""
    octets = pkgutil.get_data(__package__, "requests.tsv")
    assert octets is not None, "this package's loader gives no data"
    return octets.decode().splitlines()


@cache
def of_requests() -> Schema:
    """The table of requests, which is read once in a process."""
    return Schema(lines_of_requests())
