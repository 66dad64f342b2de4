"""NDR's constructed types (C706 section 14.3): structures, unions, arrays and strings with pointers between them.

Microsoft's interfaces are made of these (MS-OXNSPI, MS-OXCRPC); our own have `ndr`'s simpler types, which are quicker. A type is
put together once and used as the type of any parameter:

    ROW = Struct(("reserved", U32), ("count", SizeOf("values")), ("values", Unique(Conformant(VALUE))))
    Message([ROW, U32]).encode([(0, [value, value]), 0])

A structure is the tuple of its members without their `SizeOf`; a unique pointer that is null is None; a union is (tag, value).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from postern.protocols.dcerpc.ndr import Fixed, NdrError, Reader, Variable, Writer

MAX_DEPTH = 64
"""Levels of pointers that lead to pointers, and of types that contain themselves."""
_REFERENT = 0x00020000
Later = list[Callable[[int], None]]
"""Functions that read or write the targets of pointers. Targets follow the whole construct that holds the pointers, in their
order (C706 14.3.12.3). Each function takes its depth."""


class Constructed(Variable):
    """A type that may hold pointers. It begins at a multiple of `alignment`; each value has `least` octets at least."""

    alignment = 4
    least = 4
    zero: Any = None
    conformant: Conformant | None = None
    """The array of open size at the type's end. Its count stands before the outermost structure (C706 14.3.7.1)."""

    def put(self, out: Writer, value: Any) -> None:
        self.put_whole(out, value, 0)

    def get(self, data: Reader) -> Any:
        """Reads a value. Raises NdrError.

        Bound: linear in the stub; at most MAX_DEPTH levels, and no more elements than there are octets.
        """
        return self.get_whole(data, 0)

    def put_whole(self, out: Writer, value: Any, depth: int) -> None:
        _check(depth)
        later: Later = []
        if self.conformant is not None:
            out.u32(self.conformant.count(self.tail(value)))
        self.put_part(out, value, later)
        for put in later:
            put(depth + 1)

    def get_whole(self, data: Reader, depth: int) -> Any:
        _check(depth)
        later: Later = []
        count = data.u32() if self.conformant is not None else 0
        value = self.get_part(data, count, later)
        for get in later:
            get(depth + 1)
        return _finished(value)

    def tail(self, value: Any) -> Any:
        """The elements of the array at the end."""
        return value

    def put_part(self, out: Writer, value: Any, later: Later) -> None:
        """Writes the part that stands in its place, and notes in `later` what follows."""
        raise NotImplementedError

    def get_part(self, data: Reader, count: int, later: Later) -> Any:
        """Reads that part. `count` is the count of the array at the end. A value that is not complete yet is a `_Pending`."""
        raise NotImplementedError


class _Pending:
    """A value that holds pointers whose targets have not been read yet."""

    __slots__ = ("make", "parts")

    def __init__(self, parts: list[Any], make: Callable[[list[Any]], Any]) -> None:
        self.parts = parts
        self.make = make


def _finished(value: Any) -> Any:
    if isinstance(value, _Pending):
        return value.make([_finished(part) for part in value.parts])
    return value


def _check(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NdrError("pointers that lead too deep")


class _Scalar(Constructed):
    """A type of fixed size as a member or element."""

    def __init__(self, type_: Fixed) -> None:
        self.alignment = type_.alignment
        self.least = type_.size
        self.zero = type_.zero
        self._type = type_
        self._packer = struct.Struct("<" + type_.code)

    def put_part(self, out: Writer, value: Any, later: Later) -> None:
        out.align(self.alignment)
        out.data += self._packer.pack(self._type.wire(value) if self._type.wire is not None else value)

    def get_part(self, data: Reader, count: int, later: Later) -> Any:
        data.align(self.alignment)
        value = self._packer.unpack(data.take(self.least))[0]
        return self._type.value(value) if self._type.value is not None else value


Member = Constructed | Fixed


def _constructed(type_: Member, last: bool = False) -> Constructed:
    """Makes a member or element of a type. Raises ValueError for an array of open size that is neither at the end of a structure
    nor behind a pointer."""
    made = type_ if isinstance(type_, Constructed) else _Scalar(type_)
    if made.conformant is not None and not last:
        raise ValueError("an array of open size stands at the end, or behind a pointer")
    return made


class Unique(Constructed):
    """A pointer that may be null: [unique]. It has no aliases, so its referent is any number but 0 (C706 14.3.10)."""

    def __init__(self, target: Member) -> None:
        self._target = _constructed(target, last=True)

    def put_part(self, out: Writer, value: Any, later: Later) -> None:
        out.u32(0 if value is None else _REFERENT)
        if value is not None:
            later.append(lambda depth: self._target.put_whole(out, value, depth))

    def get_part(self, data: Reader, count: int, later: Later) -> Any:
        if not data.u32():
            return None
        parts: list[Any] = [None]

        def read(depth: int) -> None:
            parts[0] = self._target.get_whole(data, depth)

        later.append(read)
        return _Pending(parts, lambda values: values[0])


class Conformant(Constructed):
    """An array with its count before it: [size_is(n)]. The value is a list; of `byte` elements, bytes."""

    zero: Any = ()

    def __init__(self, element: Member) -> None:
        self.conformant = self
        self._element = _constructed(element)
        self._octets = isinstance(element, Fixed) and element.code == "B"
        self.alignment = self._element.alignment

    def count(self, value: Sequence[Any]) -> int:
        return len(value)

    def put_part(self, out: Writer, value: Any, later: Later) -> None:
        if self._octets:
            out.data += value
            return
        for element in value:
            self._element.put_part(out, element, later)

    def get_part(self, data: Reader, count: int, later: Later) -> Any:
        if count * max(1, self._element.least) > data.size - data.at:
            raise NdrError("an array larger than the stub")
        if self._octets:
            return data.take(count)
        return _Pending([self._element.get_part(data, 0, later) for _ in range(count)], list)


class Varying(Conformant):
    """A conformant varying array: [size_is(n + spare), length_is(n)]. It begins at its first element."""

    def __init__(self, element: Member, spare: int = 0) -> None:
        super().__init__(element)
        self.alignment = max(4, self.alignment)
        self._spare = spare

    def count(self, value: Sequence[Any]) -> int:
        return len(value) + self._spare

    def put_part(self, out: Writer, value: Any, later: Later) -> None:
        out.align(4)
        out.data += struct.pack("<II", 0, len(value))
        super().put_part(out, value, later)

    def get_part(self, data: Reader, count: int, later: Later) -> Any:
        offset, actual = data.u32(), data.u32()
        if offset or actual > count:
            raise NdrError("an array that begins elsewhere, or has more than it may")
        return super().get_part(data, actual, later)


class String(Varying):
    """A [string] of char or wchar_t with its closing zero (C706 14.3.4). `encoding` is that of its characters, which have `width`
    octets."""

    zero: Any = ""

    def __init__(self, encoding: str = "utf-16-le", width: int = 2) -> None:
        super().__init__(Fixed("byte", "B", 1, 0))
        self._encoding = encoding
        self._width = width

    def count(self, value: Any) -> int:
        return len(self._encoded(value)) // self._width

    def put_part(self, out: Writer, value: Any, later: Later) -> None:
        data = self._encoded(value)
        out.align(4)
        out.data += struct.pack("<II", 0, len(data) // self._width) + data

    def get_part(self, data: Reader, count: int, later: Later) -> str:
        offset, actual = data.u32(), data.u32()
        if offset or actual > count or not actual:
            raise NdrError("a string that is none")
        octets = data.take(actual * self._width)
        if any(octets[-self._width :]):
            raise NdrError("a string without its end")
        try:
            return octets[: -self._width].decode(self._encoding, "surrogatepass")
        except UnicodeDecodeError as error:
            raise NdrError("a string in another encoding") from error

    def _encoded(self, value: str) -> bytes:
        try:
            return value.encode(self._encoding, "surrogatepass") + bytes(self._width)
        except UnicodeEncodeError as error:
            raise NdrError("a string that its encoding cannot carry") from error


class Repeated(Constructed):
    """An array of a fixed number of elements: `short version[3]`."""

    def __init__(self, element: Member, count: int) -> None:
        self._element = _constructed(element)
        self._count = count
        self.alignment = self._element.alignment
        self.least = self._element.least * count

    def put_part(self, out: Writer, value: Any, later: Later) -> None:
        if len(value) != self._count:
            raise NdrError(f"not {self._count} elements")
        for element in value:
            self._element.put_part(out, element, later)

    def get_part(self, data: Reader, count: int, later: Later) -> Any:
        return _Pending([self._element.get_part(data, 0, later) for _ in range(self._count)], list)


class SizeOf(Constructed):
    """A member that says how many elements another member has. The structure has it, and its value does not."""

    def __init__(self, member: str) -> None:
        self.member = member

    def put_part(self, out: Writer, value: Any, later: Later) -> None:
        out.u32(0 if value is None else len(value))

    def get_part(self, data: Reader, count: int, later: Later) -> int:
        return data.u32()


class Struct(Constructed):
    """A structure. `make` makes the value from its members, in order: `tuple`, or the class of a NamedTuple. A count that differs
    from the size of its array raises NdrError."""

    def __init__(self, *members: tuple[str, Member], make: Callable[..., Any] | None = None) -> None:
        end = len(members) - 1
        self._members = [(name, _constructed(type_, place == end)) for place, (name, type_) in enumerate(members)]
        self._names = [name for name, type_ in self._members if not isinstance(type_, SizeOf)]
        self._make = make
        last = self._members[-1][1]
        self.conformant = last.conformant
        self.alignment = max(type_.alignment for _, type_ in self._members)
        self.least = sum(type_.least for _, type_ in self._members if type_.conformant is None)

    def tail(self, value: Any) -> Any:
        return self._members[-1][1].tail(value[-1])

    def put_part(self, out: Writer, value: Any, later: Later) -> None:
        if len(value) != len(self._names):
            raise NdrError(f"a structure of {len(self._names)} members")
        by_name = dict(zip(self._names, value, strict=True))
        out.align(self.alignment)
        for name, type_ in self._members:
            type_.put_part(out, by_name[type_.member if isinstance(type_, SizeOf) else name], later)

    def get_part(self, data: Reader, count: int, later: Later) -> Any:
        data.align(self.alignment)
        parts = [
            type_.get_part(data, count if type_.conformant is not None else 0, later) for _, type_ in self._members
        ]
        return _Pending(parts, self._made)

    def _made(self, parts: list[Any]) -> Any:
        values = {}
        for (name, type_), part in zip(self._members, parts, strict=True):
            if not isinstance(type_, SizeOf):
                values[name] = part
        for (_, type_), part in zip(self._members, parts, strict=True):
            if isinstance(type_, SizeOf) and part != len(values[type_.member] or ()):
                raise NdrError("a count that is not its array's")
        return tuple(values.values()) if self._make is None else self._make(*values.values())


class Union(Constructed):
    """A union whose tag stands before its arm: (tag, value). An arm of None carries nothing, and its value is None."""

    def __init__(self, tag: Fixed, arms: Mapping[int, Member | None]) -> None:
        self._tag = _Scalar(tag)
        self._arms = {number: None if arm is None else _constructed(arm) for number, arm in arms.items()}
        self.least = self._tag.least
        # An arm has its own alignment: MS-RPCE 2.2.5.3.4.4 aligns all alike in NDR64 only.
        self.alignment = self._tag.alignment

    def put_part(self, out: Writer, value: Any, later: Later) -> None:
        tag, content = value
        if tag not in self._arms:
            raise NdrError(f"a union has no arm {tag}")
        self._tag.put_part(out, tag, later)
        arm = self._arms[tag]
        if arm is not None:
            arm.put_part(out, content, later)

    def get_part(self, data: Reader, count: int, later: Later) -> Any:
        tag = self._tag.get_part(data, 0, later)
        if tag not in self._arms:
            raise NdrError("a union with an unknown tag")
        arm = self._arms[tag]
        return _Pending([tag, None if arm is None else arm.get_part(data, 0, later)], tuple)


class Itself(Constructed):
    """A reference to a type that is declared later, for types that contain themselves behind a pointer:
    `Unique(Itself(lambda: RESTRICTION))`."""

    least = 1

    def __init__(self, type_: Callable[[], Constructed]) -> None:
        self._type = type_

    def put_whole(self, out: Writer, value: Any, depth: int) -> None:
        self._type().put_whole(out, value, depth)

    def get_whole(self, data: Reader, depth: int) -> Any:
        return self._type().get_whole(data, depth)

    def put_part(self, out: Writer, value: Any, later: Later) -> None:
        self._type().put_part(out, value, later)

    def get_part(self, data: Reader, count: int, later: Later) -> Any:
        return self._type().get_part(data, count, later)
