"""Codecs: how a value of the model travels as one NDR parameter or as several.

An interface's declaration says which codec each argument and each result has; both stubs are made from that.

    KIND = numbered("kind of folder", {FolderKind.INBOX: 0, FolderKind.SENT: 1})
    COPIED = record(CopyResult, (Parameter("uid_validity", U32), Parameter("sources", WORDS), Parameter("targets", WORDS)))

A codec checks what it reads from the wire. A server answers its ValueError as a bad stub; a client takes it as a broken answer.
Columns stay columns; nothing is done item by item that struct can do at once.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from postern.protocols.dcerpc.ndr import I64, U8, U32, U64, Array, Records, Structure, Type
from postern.protocols.dcerpc.ndr_blobs import Blobs, Texts

Named = tuple[str, Type]
"""A parameter on the wire: its name and its type."""


class Codec:
    """Carries one value as one parameter, which is named where the codec is used. `write` and `read` turn the value into the form
    that the NDR type takes, and back; None: it needs no change. `read` raises ValueError for anything else."""

    __slots__ = ("read", "types", "wide", "write")

    def __init__(
        self,
        type_: Type | Sequence[Named],
        write: Callable[[Any], Any] | None = None,
        read: Callable[..., Any] | None = None,
    ) -> None:
        self.wide = isinstance(type_, Sequence)
        self.types: tuple[Named, ...] = tuple(type_) if isinstance(type_, Sequence) else (("", type_),)
        self.write = write
        self.read = read


class Wide(Codec):
    """Carries one value as several parameters, or none. `write` gives their values in order, and `read` takes them in order.

    `numbered`: the last value is the number that the operation returns, which is no parameter."""

    __slots__ = ("numbered",)
    read: Callable[..., Any]
    write: Callable[[Any], Sequence[Any]]

    def __init__(
        self,
        types: Sequence[Named],
        write: Callable[[Any], Sequence[Any]],
        read: Callable[..., Any],
        numbered: bool = False,
    ) -> None:
        super().__init__(types, write, read)
        self.numbered = numbered


class Parameter(NamedTuple):
    """An argument, a result or a field, by its name in the IDL. `attribute` is its name in Python, if that differs."""

    name: str
    codec: Codec | Type
    attribute: str = ""


class Parameters:
    """Converts the values of parameters, or of fields, between Python and the wire, in their order there. `names` are their names
    in Python; `types` are names and types on the wire, where one value may take several."""

    __slots__ = ("_readers", "_spread", "_wide", "_writers", "names", "types")

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        codecs = [p.codec if isinstance(p.codec, Codec) else Codec(p.codec) for p in parameters]
        self.names = tuple(p.attribute or p.name for p in parameters)
        self.types: tuple[Named, ...] = tuple(
            (name or p.name, type_) for p, codec in zip(parameters, codecs, strict=True) for name, type_ in codec.types
        )
        # A call touches only the values that change on their way.
        self._writers = [(place, codec.write) for place, codec in enumerate(codecs) if codec.write is not None]
        self._readers = [(place, codec.read) for place, codec in enumerate(codecs) if codec.read is not None]
        self._wide = [(place, len(codec.types)) for place, codec in enumerate(codecs) if codec.wide]
        self._spread = frozenset(place for place, _ in self._wide)

    @property
    def as_they_are(self) -> bool:
        """Whether all values pass unchanged."""
        return not self._writers and not self._readers

    def write(self, values: Sequence[Any]) -> Sequence[Any]:
        """Turns values into the parameters on the wire."""
        if self._writers:
            values = [*values]
            for place, write in self._writers:
                values[place] = write(values[place])
            for place, _ in reversed(self._wide):
                values[place : place + 1] = values[place]
        return values

    def read(self, wire: Sequence[Any]) -> Sequence[Any]:
        """Turns parameters from the wire into values. Raises ValueError."""
        if self._readers:
            wire = [*wire]
            for place, width in self._wide:
                wire[place : place + width] = [wire[place : place + width]]
            for place, read in self._readers:
                wire[place] = read(*wire[place]) if place in self._spread else read(wire[place])
        return wire


def record(make: Callable[..., Any], fields: Sequence[Parameter]) -> Wide:
    """Carries the fields of an object as parameters. `make` makes the object from them; its other fields have defaults."""
    parameters = Parameters(fields)
    get = _getter(parameters.names)
    # In the constructor's own order they need no names, which is quicker.
    in_order = tuple(inspect.signature(make).parameters)[: len(fields)] == parameters.names

    if parameters.as_they_are and in_order:
        return Wide(parameters.types, get, make)

    def write(value: Any) -> Sequence[Any]:
        return parameters.write(get(value))

    def read(*wire: Any) -> Any:
        values = parameters.read(wire)
        return make(*values) if in_order else make(**dict(zip(parameters.names, values, strict=True)))

    return Wide(parameters.types, write, read)


class Rows(Wide):
    """Carries a list of objects as an array of structures, and all their texts in one array beside it.

    Each member of `structure` carries the attribute of the same name, by its codec in `codecs` if it has one. A member that
    `texts` names counts the texts of an attribute: with {"name_count": "path"}, `name_count` is the number of texts in `path`.

    Bound: linear in the stub.
    """

    __slots__ = ("_changed", "_counted", "_get", "_make", "_order")

    def __init__(
        self,
        names: tuple[str, str],
        make: Callable[..., Any],
        structure: Structure,
        codecs: Mapping[str, Codec],
        texts: Mapping[str, str],
    ) -> None:
        """`names` are the names of the two arrays."""
        super().__init__(((names[0], Records(structure)), (names[1], Blobs())), self._write, self._read)
        attributes = [texts.get(member, member) for member, _ in structure.members]
        self._make = make
        self._get = _getter(attributes)
        self._order = itemgetter(*(attributes.index(argument) for argument in inspect.signature(make).parameters))
        self._changed = [(attributes.index(attribute), codec) for attribute, codec in codecs.items()]
        self._counted = [attributes.index(attribute) for attribute in texts.values()]

    def _write(self, values: Iterable[Any]) -> tuple[list[list[Any]], list[bytes]]:
        records: list[list[Any]] = []
        every: list[str] = []
        for value in values:
            row = list(self._get(value))
            for place, codec in self._changed:
                row[place] = row[place] if codec.write is None else codec.write(row[place])
            for place in self._counted:
                every += row[place]
                row[place] = len(row[place])
            records.append(row)
        return records, write_texts(every)

    def _read(self, records: Sequence[tuple[Any, ...]], blobs: Sequence[bytes]) -> list[Any]:
        every = read_texts(blobs)
        made = []
        at = 0
        for numbers in records:
            row = list(numbers)
            for place, codec in self._changed:
                row[place] = row[place] if codec.read is None else codec.read(row[place])
            for place in self._counted:
                end = at + row[place]
                if end > len(every):
                    raise ValueError("texts are missing")
                row[place], at = every[at:end], end
            made.append(self._make(*self._order(row)))
        return made


class Columns(Wide):
    """Carries a list of objects as one column for each field. The codec of a field carries the list of its values.

    Bound: linear in the stub.
    """

    __slots__ = ("_gets", "_make", "_parameters")

    def __init__(self, make: Callable[..., Any], fields: Sequence[Parameter]) -> None:
        self._parameters = Parameters(fields)
        super().__init__(self._parameters.types, self._write, self._read)
        self._make = make
        self._gets = [attrgetter(name) for name in self._parameters.names]

    def _write(self, values: Sequence[Any]) -> Sequence[Any]:
        return self._parameters.write([[get(value) for value in values] for get in self._gets])

    def _read(self, *wire: Any) -> list[Any]:
        names = self._parameters.names
        rows = zip(*self._parameters.read(wire), strict=True)
        return [self._make(**dict(zip(names, row, strict=True))) for row in rows]


def pairs(first: Parameter, second: Parameter) -> Wide:
    """Carries a list of pairs as the column of their first and the column of their second values."""
    columns = Parameters((first, second))
    return Wide(
        columns.types,
        lambda values: columns.write(([value for value, _ in values], [value for _, value in values])),
        lambda *wire: list(zip(*columns.read(wire), strict=True)),
    )


def mapping(keys: Parameter, values: Parameter) -> Wide:
    """Carries a mapping as the column of its keys and the column of its values."""
    several = pairs(keys, values)
    return Wide(several.types, lambda values: several.write(values.items()), lambda *wire: dict(several.read(*wire)))


def grouped(
    keys: Parameter,
    members: Parameter,
    make: Callable[..., Any] = list,
    members_of: Callable[[Any], Iterable[Any]] = iter,
) -> Wide:
    """Carries a mapping of collections: the column of its keys, `counts` with the number of members of each, and the columns of
    all members. `make` makes a collection of its members."""
    columns = Parameters((keys, Parameter("counts", WORDS), members))

    def write(groups: Mapping[Any, Any]) -> Sequence[Any]:
        every = [member for group in groups.values() for member in members_of(group)]
        return columns.write((list(groups), [len(group) for group in groups.values()], every))

    def read(*wire: Any) -> dict[Any, Any]:
        names, counts, every = columns.read(wire)
        return dict(zip(names, map(make, parts(counts, every)), strict=True))

    return Wide(columns.types, write, read)


def only(several: Wide, what: str) -> Wide:
    """Carries one object as a list with nothing else in it."""
    write, read = several.write, several.read

    def read_only(*wire: Any) -> Any:
        made = read(*wire)
        if len(made) != 1:
            raise ValueError(f"not one {what}")
        return made[0]

    return Wide(several.types, lambda value: write((value,)), read_only)


def numbered(what: str, numbers: Mapping[Any, int], unknown: Any = None) -> Codec:
    """Carries each of these values as its number. Numbers that are not here are read as `unknown`; without it they are a
    ValueError."""
    values = {number: value for value, number in numbers.items()}

    def read(number: int) -> Any:
        value = values.get(number, unknown)
        if value is None:
            raise ValueError(f"an unknown {what}")
        return value

    return Codec(U32, numbers.__getitem__, read)


def column(codec: Codec) -> Codec:
    """Carries a list of values as one array, each of them by a codec of U32."""
    write, read = codec.write or int, codec.read or int
    return Codec(
        Array(U32),
        lambda values: write_words([write(value) for value in values]),
        lambda data: [read(number) for number in read_words(data)],
    )


def or_none(absent: int) -> Codec:
    """Carries a list of numbers of 64 bits with a sign, or None; `absent` stands for None."""
    return Codec(
        Array(I64),
        lambda values: write_signed_words([absent if value is None else value for value in values]),
        lambda data: [None if value == absent else value for value in read_signed_words(data)],
    )


def parts(counts: Sequence[int], values: Sequence[Any]) -> list[Sequence[Any]]:
    """Cuts values into parts of these lengths. Raises ValueError unless that uses up all values."""
    if sum(counts) != len(values):
        raise ValueError("counts do not add up")
    cut = []
    at = 0
    for count in counts:
        cut.append(values[at : at + count])
        at += count
    return cut


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda value: (get(value),)


# Arrays of numbers and of texts


def write_words(values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}I", *values) if values else b""


def write_long_words(values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values) if values else b""


def write_signed_words(values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}q", *values) if values else b""


def read_words(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 4}I", data)) if data else []


def read_long_words(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 8}Q", data)) if data else []


def read_signed_words(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 8}q", data)) if data else []


def write_texts(values: Sequence[str]) -> list[bytes]:
    return [value.encode("utf-8", "surrogatepass") for value in values]


def read_texts(values: Sequence[bytes]) -> tuple[str, ...]:
    return tuple([value.decode("utf-8", "surrogatepass") for value in values])


def write_uuids(values: Sequence[UUID]) -> bytes:
    return b"".join([value.bytes for value in values])


def read_uuids(data: bytes) -> list[UUID]:
    """UUIDs in network order, 16 octets each. Raises ValueError."""
    if len(data) % 16:
        raise ValueError("half a UUID")
    return [UUID(bytes=data[at : at + 16]) for at in range(0, len(data), 16)]


WORDS = Codec(Array(U32), write_words, read_words)
LONG_WORDS = Codec(Array(U64), write_long_words, read_long_words)
SIGNED_WORDS = Codec(Array(I64), write_signed_words, read_signed_words)
"""Numbers of 64 bits with a sign."""
TIMES = SIGNED_WORDS
"""Seconds since 1970, UTC."""
TEXTS = Codec(Texts())
UUIDS = Codec(Array(U8), write_uuids, read_uuids)
BOOLEAN = Codec(U32, None, bool)
