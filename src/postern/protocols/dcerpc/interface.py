"""Interfaces as declarations: one place gives an operation its number, and says how its arguments, its result and its refusals
travel. Both stubs (`services.rpc.stub`, `services.rpc.interface`) and the published IDL are made from that.

An operation is declared for a method of a Protocol, which has the signature:

    OUTBOX = Operation(Mailboxes.outbox, "UIDs of ...", (Parameter("mailbox", UUID_T),), Parameter("uids", WORDS))
    MAILBOX: Interface[Mailboxes] = Interface("postern_mailbox", SYNTAX, {0: OUTBOX}, "Postern ...", Mailboxes, sizes=(1,))
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

from postern.protocols.dcerpc.codecs import Named, Parameter, Parameters, Wide
from postern.protocols.dcerpc.ndr import CONTEXT_HANDLE, U32, Fixed, Message, Records, Type

P_co = TypeVar("P_co", covariant=True)
MAX_VERSIONS = 16
"""Minor versions of an interface that a client offers. Servers with older versions have been out of use for long."""
_MISSING: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Syntax:
    """An abstract or transfer syntax: UUID and version (p_syntax_id_t, C706 12.6.3.1)."""

    uuid: UUID
    major: int
    minor: int = 0

    def __str__(self) -> str:
        return f"{self.uuid} v{self.major}.{self.minor}"

    def versions(self) -> tuple[Syntax, ...]:
        """This syntax, then those of the minor versions before it, as many as a bind offers."""
        oldest = max(0, self.minor - MAX_VERSIONS + 1)
        return tuple(replace(self, minor=minor) for minor in range(self.minor, oldest - 1, -1))


@dataclass(frozen=True, slots=True)
class Refusals:
    """The form in which exceptions travel instead of a result: a returned number other than 0, and [out] parameters behind those
    of the result.

    `write` gives the values of those parameters and the number; `read` makes the exception from them. `lost` makes the exception
    for a call that got no answer or a broken one. `lacking` makes it for an operation that the interface, or an older server,
    does not have. Both take a text; None: the exception is an RpcError.
    """

    exception: type[Exception]
    write: Callable[[Any], Sequence[Any]]
    read: Callable[..., Exception]
    parameters: Sequence[Named] = ()
    lost: Callable[[str], Exception] | None = None
    lacking: Callable[[str], Exception] | None = None


class Operation:
    """One remote procedure: `method` of a Protocol. `takes` are its arguments in the wire's order; `gives` is its result. Its
    number comes from the interface, so that several interfaces may have the same operation.

    `finish` makes the caller's result from what was read and from the arguments, where both are needed; it raises ValueError for
    an answer that does not fit the question. `timeout` is the number of seconds after which a caller gives up, or a function that
    gives it for the arguments. A call that is `alone` waits for long, and shares no connection.
    """

    __slots__ = (
        *("_arguments", "_behind", "_defaults", "_gives", "_order", "_places", "_takes", "alone", "count", "finish"),
        *("ins", "name", "outs", "purpose", "refusals", "reply", "request", "timeout", "zero"),
    )

    def __init__(
        self,
        method: Callable[..., Any],
        purpose: str,
        takes: Sequence[Parameter] = (),
        gives: Parameter | Wide | None = None,
        refusals: Refusals | None = None,
        finish: Callable[..., Any] | None = None,
        timeout: float | Callable[..., float] | None = None,
        alone: bool = False,
    ) -> None:
        self.name = method.__name__
        self.purpose = purpose
        self.refusals = refusals
        self.finish = finish
        self.timeout = timeout
        self.alone = alone
        self._takes = Parameters(takes)
        self._gives = _result(gives)
        _, *arguments = inspect.signature(method).parameters.values()
        names = [argument.name for argument in arguments]
        if sorted(names) != sorted(self._takes.names) or any(a.kind is a.KEYWORD_ONLY for a in arguments):
            raise ValueError(f"{self.name} takes {names}, not {self._takes.names}")
        self._arguments = [(argument.name, argument.default) for argument in arguments]
        self.count = len(arguments)
        defaults = [argument.default for argument in arguments]
        self._defaults = [None if _MISSING in defaults[n:] else defaults[n:] for n in range(self.count)]
        self._places = _order([names.index(name) for name in self._takes.names])
        self._order = _order([self._takes.names.index(name) for name in names])
        behind = refusals.parameters if refusals is not None else ()
        self.ins = self._takes.types
        self.outs = (*self._gives.types, *behind)
        self.request = Message([type_ for _, type_ in self.ins])
        self.reply = Message([*(type_ for _, type_ in self.outs), U32])
        self.zero = tuple(type_.zero for _, type_ in self.outs)
        self._behind = tuple(type_.zero for _, type_ in behind)

    # What a caller does

    def bind(self, arguments: Sequence[Any], named: dict[str, Any]) -> Sequence[Any]:
        """Returns all arguments in the method's order, with its defaults. Raises TypeError as a call of the method would."""
        rest = self._defaults[len(arguments)] if not named and len(arguments) < self.count else None
        if rest is not None:
            return (*arguments, *rest)
        every = [*arguments]
        for name, default in self._arguments[len(every) :]:
            value = named.pop(name, default)
            if value is _MISSING:
                raise TypeError(f"{self.name}() lacks its argument {name}")
            every.append(value)
        if named or len(every) > len(self._arguments):
            raise TypeError(f"{self.name}() takes {[name for name, _ in self._arguments]}")
        return every

    def write_arguments(self, arguments: Sequence[Any]) -> Sequence[Any]:
        """Makes the [in] parameters from all arguments in the method's order."""
        return self._takes.write(arguments if self._places is None else self._places(arguments))

    def read_result(self, outs: Sequence[Any], arguments: Sequence[Any]) -> Any:
        """Makes the result from the [out] parameters and the returned number. Raises ValueError if they are no answer to these
        arguments, and the exception by which the other side refused."""
        gives, refusals = self._gives, self.refusals
        width = len(gives.types)
        if outs[-1] and not gives.numbered:
            if refusals is None:
                raise ValueError(f"number {outs[-1]}")
            raise refusals.read(*outs[width:])
        result = gives.read(*outs[:width], outs[-1]) if gives.numbered else gives.read(*outs[:width])
        return self.finish(result, *arguments) if self.finish is not None else result

    # What a server does

    def read_arguments(self, ins: Sequence[Any]) -> Sequence[Any]:
        """Makes the arguments in the method's order from the [in] parameters. Raises ValueError."""
        arguments = self._takes.read(ins)
        return arguments if self._order is None else self._order(arguments)

    def write_result(self, result: Any) -> Sequence[Any]:
        """Makes the [out] parameters and the returned number from the result."""
        values = self._gives.write(result)
        if self._gives.numbered:
            return (*values[:-1], *self._behind, values[-1])
        return (*values, *self._behind, 0)

    def write_refusal(self, error: Exception) -> Sequence[Any]:
        """Makes the [out] parameters and the returned number from an exception that the declaration knows."""
        assert self.refusals is not None
        return (*self.zero[: len(self._gives.types)], *self.refusals.write(error))


def _result(gives: Parameter | Wide | None) -> Wide:
    if isinstance(gives, Wide):
        return gives
    if gives is None:
        return Wide((), lambda nothing: (), lambda: None)
    parameters = Parameters((gives,))
    return Wide(parameters.types, lambda value: parameters.write((value,)), lambda *wire: parameters.read(wire)[0])


def _order(places: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]] | None:
    """Makes a function that puts values into another order. None: they already have it."""
    return None if list(places) == list(range(len(places))) else itemgetter(*places)


class Interface(Generic[P_co]):
    """Operations by number (0 and up, without a gap) under a UUID and version: methods of `protocol`. The IDL begins with
    `preamble`.

    `sizes` says how many operations each minor version has, from 0 on: (22,) before, (22, 24) after two were added. It makes sure
    that a new operation raises the minor version, because the servers of an organization are not renewed all at once.
    """

    __slots__ = ("name", "numbers", "operations", "preamble", "protocol", "refusals", "sizes", "syntax")

    def __init__(
        self,
        name: str,
        syntax: Syntax,
        operations: Mapping[int, Operation],
        preamble: str,
        protocol: type,
        sizes: tuple[int, ...],
    ) -> None:
        if list(sizes) != sorted(set(sizes)) or sizes[-1] != len(operations):
            raise ValueError(f"{name} has {len(operations)} operations, and {sizes} as its versions")
        self.name = name
        self.syntax = replace(syntax, minor=len(sizes) - 1)
        self.sizes = sizes
        self.operations = tuple(operations[number] for number in range(len(operations)))
        self.numbers = {operation.name: number for number, operation in operations.items()}
        self.preamble = preamble
        self.protocol = protocol
        self.refusals = self.operations[0].refusals
        for operation in self.operations:
            if operation.refusals is not self.refusals or not hasattr(protocol, operation.name):
                raise ValueError(f"{name}: {operation.name} is refused as no other, or is not {protocol.__name__}'s")


def idl(interface: Interface[Any]) -> str:
    """The interface as IDL (C706 chapter 6), as it is published in docs/idl."""
    lines = [f"// {line}".rstrip() for line in interface.preamble.splitlines()]
    version = f"{interface.syntax.major}.{interface.syntax.minor}"
    lines += [
        "",
        "[",
        f"    uuid({interface.syntax.uuid}),",
        f"    version({version}),",
        "    pointer_default(unique)",
        "]",
        f"interface {interface.name}",
        "{",
    ]
    types = [type_ for operation in interface.operations for _, type_ in (*operation.ins, *operation.outs)]
    if CONTEXT_HANDLE in types:
        lines += [f"    typedef [context_handle] void *{CONTEXT_HANDLE.idl};", ""]
    structures = {type_.structure.name: type_.structure for type_ in types if isinstance(type_, Records)}
    for structure in structures.values():
        lines += ["    typedef struct {"]
        lines += [f"        {type_.idl} {name};" for name, type_ in structure.members]
        lines += [f"    }} {structure.name};", ""]
    for number, operation in enumerate(interface.operations):
        lines += _operation(operation, number)
    lines[-1] = "}"
    return "\n".join(lines) + "\n"


def _operation(operation: Operation, number: int) -> list[str]:
    parameters = [("in", line) for name, type_ in operation.ins for line in _parameter(name, type_, "in")]
    parameters += [("out", line) for name, type_ in operation.outs for line in _parameter(name, type_, "out")]
    lines = [f"    // {line}" for line in operation.purpose.splitlines()]
    lines += [f"    // opnum {number}", f"    unsigned long {operation.name}("]
    lines += ["        [in] handle_t binding" + ("," if parameters else ");")]
    for i, (way, text) in enumerate(parameters):
        attributes = f"[{way}, {text[1:]}" if text.startswith("[") else f"[{way}] {text}"
        lines.append("        " + attributes + ("," if i + 1 < len(parameters) else ");"))
    return [*lines, ""]


def _parameter(name: str, type_: Type, way: str) -> list[str]:
    if isinstance(type_, Fixed):
        return [f"{type_.idl} {'*' if way == 'out' else ''}{name}"]
    if way == "in":
        return type_.idl(name)
    # An [out] parameter has one pointer more: the callee makes the array, so its size is a pointer's target, too.
    lines = []
    for line in type_.idl(name):
        line = line.replace("size_is(", "size_is(,*").replace(" *", " **")
        lines.append(line if line.startswith("[") else line.replace("long ", "long *"))
    return lines
