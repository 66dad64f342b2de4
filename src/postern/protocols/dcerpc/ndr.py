"""NDR 2.0 (C706 chapter 14), little-endian: the types that our interfaces use, compiled so that a call costs a few packs.

Fixed-size parameters that stand together are packed at once, with the padding that their place in the stream asks for.
Large data goes as conformant arrays copied in one piece. The reader refuses a count beyond what the bytes can hold before it
allocates anything. `interface` says what a parameter means.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

_U32 = struct.Struct("<I")
HEAD = struct.Struct("<III")
"""A count, a referent, and the count as the conformance of what the referent points at."""
REFERENT = 0x00020000
"""A unique pointer's referent: any number but 0 (C706 14.3.10)."""
_PADS = tuple(bytes(n) for n in range(8))
Readable = bytes | memoryview


class NdrError(ValueError):
    """The bytes do not fit the declaration; the answer is nca_s_fault_ndr."""


class Writer:
    """A growing stub. Alignment is counted from its beginning."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = bytearray()

    def align(self, size: int) -> None:
        if short := -len(self.data) % size:
            self.data += _PADS[short]

    def u32(self, value: int) -> None:
        self.align(4)
        self.data += _U32.pack(value)

    def u16(self, value: int) -> None:
        self.align(2)
        self.data += value.to_bytes(2, "little")

    def raw(self, data: Readable) -> None:
        self.data += data


class Reader:
    """Reads a stub. Every method raises NdrError where the stub ends too early."""

    __slots__ = ("at", "data", "size")

    def __init__(self, data: Readable) -> None:
        self.data = data
        self.size = len(data)
        self.at = 0

    def align(self, size: int) -> None:
        self.at += -self.at % size

    def u32(self) -> int:
        at = self.at + (-self.at % 4)
        self.at = at + 4
        if self.at > self.size:
            raise NdrError("the stub ends inside a number")
        value: int = _U32.unpack_from(self.data, at)[0]
        return value

    def u16(self) -> int:
        self.align(2)
        return int.from_bytes(self.take(2), "little")

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > self.size:
            raise NdrError("the stub ends inside data")
        data = bytes(self.data[self.at : end])
        self.at = end
        return data


class Fixed:
    """A type of fixed size. `wire` and `value` turn Python's value into the one that struct packs, and back; None: they are the
    same."""

    __slots__ = ("alignment", "code", "idl", "size", "value", "wire", "zero")

    def __init__(
        self,
        idl: str,
        code: str,
        alignment: int,
        zero: Any,
        wire: Callable[[Any], Any] | None = None,
        value: Callable[[Any], Any] | None = None,
    ) -> None:
        self.idl = idl
        self.code = code
        self.size = struct.calcsize("<" + code)
        self.alignment = alignment
        self.zero = zero
        self.wire = wire
        self.value = value


U8 = Fixed("byte", "B", 1, 0)
U16 = Fixed("unsigned short", "H", 2, 0)
U32 = Fixed("unsigned long", "I", 4, 0)
U64 = Fixed("unsigned hyper", "Q", 8, 0)
I64 = Fixed("hyper", "q", 8, 0)
# A uuid_t is a structure of u32, u16, u16 and 8 bytes, so it is aligned to 4; bytes_le is its image.
UUID_T = Fixed("uuid_t", "16s", 4, UUID(int=0), lambda u: u.bytes_le, lambda b: UUID(bytes_le=b))


# ndr_context_handle is a structure of u32 and uuid_t (C706 chapter 14); its attributes are always 0. The value is the UUID, and
# the nil UUID is no handle.
CONTEXT_HANDLE = Fixed(
    "CONTEXT_HANDLE", "20s", 4, UUID(int=0), lambda u: bytes(4) + u.bytes_le, lambda b: UUID(bytes_le=b[4:])
)


class Structure:
    """A structure of numbers, passed as a tuple. Members are ordered so that nothing is padded inside (checked here)."""

    __slots__ = ("alignment", "members", "name", "packer", "size")

    def __init__(self, name: str, members: Sequence[tuple[str, Fixed]]) -> None:
        self.name = name
        self.members = tuple(members)
        self.alignment = max(type_.alignment for _, type_ in members)
        self.packer = struct.Struct("<" + "".join(type_.code for _, type_ in members))
        self.size = self.packer.size
        at = 0
        for _, type_ in members:
            if at % type_.alignment:
                raise ValueError(f"{name} has a hole")
            at += type_.size
        if self.size % self.alignment:
            raise ValueError(f"{name} has a hole at its end")


class Variable:
    """A type whose size depends on the value. `zero` is the value that means "nothing"."""

    zero: Any = b""

    def put(self, out: Writer, value: Any) -> None:
        raise NotImplementedError

    def get(self, data: Reader) -> Any:
        raise NotImplementedError

    def idl(self, name: str) -> list[str]:
        """The [in] parameters that carry this type under this name, as IDL."""
        raise NotImplementedError


class Array(Variable):
    """`unsigned long n, [size_is(n)] T *name` of bytes, u32 or u64: the value is packed little-endian bytes."""

    def __init__(self, element: Fixed) -> None:
        self._element = element

    def put(self, out: Writer, value: Any) -> None:
        count = len(value) // self._element.size
        out.align(4)
        out.data += HEAD.pack(count, REFERENT, count)
        out.align(self._element.alignment)
        out.data += value

    def get(self, data: Reader) -> bytes:
        size = conformance(data, self._element.size)
        data.align(self._element.alignment)
        return data.take(size)

    def idl(self, name: str) -> list[str]:
        return [f"unsigned long {name}_count", f"[size_is({name}_count)] {self._element.idl} *{name}"]


class Records(Variable):
    """`unsigned long n, [size_is(n)] STRUCTURE *name`: a list of tuples."""

    zero: Any = ()

    def __init__(self, structure: Structure) -> None:
        self.structure = structure

    def put(self, out: Writer, value: Any) -> None:
        pack = self.structure.packer.pack
        out.align(4)
        out.data += HEAD.pack(len(value), REFERENT, len(value))
        out.align(self.structure.alignment)
        out.data += b"".join([pack(*record) for record in value])

    def get(self, data: Reader) -> list[tuple[Any, ...]]:
        size = conformance(data, self.structure.size)
        data.align(self.structure.alignment)
        return list(self.structure.packer.iter_unpack(data.take(size)))

    def idl(self, name: str) -> list[str]:
        return [f"unsigned long {name}_count", f"[size_is({name}_count)] {self.structure.name} *{name}"]


class Text(Variable):
    """`[string] wchar_t *name`: a pointer, which must not be null, to a conformant varying string of UTF-16 with its closing zero
    (C706 14.3.4)."""

    zero: Any = ""

    def put(self, out: Writer, value: Any) -> None:
        data = value.encode("utf-16-le", "surrogatepass") + b"\0\0"
        count = len(data) // 2
        out.align(4)
        out.data += struct.pack("<IIII", REFERENT, count, 0, count)
        out.data += data

    def get(self, data: Reader) -> str:
        referent, most, offset, count = data.u32(), data.u32(), data.u32(), data.u32()
        if not referent or offset or count > most or not count or count * 2 > data.size - data.at:
            raise NdrError("a string that is none")
        text = data.take(count * 2)
        if text[-2:] != b"\0\0":
            raise NdrError("a string without its end")
        return text[:-2].decode("utf-16-le", "surrogatepass")

    def idl(self, name: str) -> list[str]:
        return [f"[string] wchar_t *{name}"]


def conformance(data: Reader, element: int) -> int:
    """Reads the count, the pointer, and the count again as the array's conformance; returns the array's size in bytes.
    A null pointer is an empty array."""
    at = data.at + (-data.at % 4)
    if at + 12 <= data.size:
        count, referent, again = HEAD.unpack_from(data.data, at)
        if referent and again == count and count * element <= data.size - at - 12:
            data.at = at + 12
            return count * element  # type: ignore[no-any-return]  # struct gives Any
    if data.u32() == 0 and data.u32() == 0:
        return 0
    raise NdrError("an array larger than the stub, or with two sizes")


class Run:
    """Fixed types that stand together: one pack for each of the eight places where a run may begin."""

    __slots__ = ("_packers", "_values", "_wires", "count")

    def __init__(self, types: Sequence[Fixed]) -> None:
        self.count = len(types)
        self._packers = tuple(struct.Struct(_layout(types, start)) for start in range(8))
        self._wires = tuple((i, t.wire) for i, t in enumerate(types) if t.wire is not None)
        self._values = tuple((i, t.value) for i, t in enumerate(types) if t.value is not None)

    def put(self, out: Writer, values: Sequence[Any]) -> None:
        if self._wires:
            values = list(values)
            for i, wire in self._wires:
                values[i] = wire(values[i])
        out.data += self._packers[len(out.data) & 7].pack(*values)

    def get(self, data: Reader) -> list[Any]:
        packer = self._packers[data.at & 7]
        if data.at + packer.size > data.size:
            raise NdrError("the stub ends inside its fixed parameters")
        values = list(packer.unpack_from(data.data, data.at))
        data.at += packer.size
        for i, value in self._values:
            values[i] = value(values[i])
        return values


def _layout(types: Sequence[Fixed], start: int) -> str:
    code, at = "<", start
    for type_ in types:
        pad = -at % type_.alignment
        code += (f"{pad}x" if pad else "") + type_.code
        at += pad + type_.size
    return code


Type = Fixed | Variable


class Message:
    """All parameters of one direction of an operation, compiled. `encode` takes them in order, and `decode` gives them in
    order."""

    __slots__ = ("_steps",)

    def __init__(self, types: Sequence[Type]) -> None:
        steps: list[Run | Variable] = []
        run: list[Fixed] = []
        for type_ in types:
            if isinstance(type_, Fixed):
                run.append(type_)
                continue
            if run:
                steps.append(Run(run))
                run = []
            steps.append(type_)
        if run:
            steps.append(Run(run))
        self._steps = tuple(steps)

    def encode(self, values: Sequence[Any]) -> bytearray:
        """Encodes the parameters. Raises NdrError for a value that its type cannot carry, which is a mistake of the caller."""
        out = Writer()
        at = 0
        try:
            for step in self._steps:
                if isinstance(step, Run):
                    step.put(out, values[at : at + step.count])
                    at += step.count
                else:
                    step.put(out, values[at])
                    at += 1
        except (struct.error, OverflowError, TypeError) as error:
            raise NdrError(f"parameter {at} does not fit its type: {error}") from error
        return out.data

    def decode(self, stub: Readable) -> list[Any]:
        """Decodes the parameters. Bytes after the last one are ignored (C706 allows a client to pad). Raises NdrError.

        Bound: linear in the stub; a count larger than what the octets can hold is refused before anything is made.
        """
        data = Reader(stub)
        values: list[Any] = []
        for step in self._steps:
            if isinstance(step, Run):
                values += step.get(data)
            else:
                values.append(step.get(data))
        return values
