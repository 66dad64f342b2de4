"""Interfaces as declarations: one place says an operation's number, parameters and types; codec and IDL both come from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from postern.protocols.dcerpc.ndr import U32, Fixed, Message, Records, Structure, Type


@dataclass(frozen=True, slots=True)
class Syntax:
    """An abstract or transfer syntax: UUID and version (p_syntax_id_t, C706 12.6.3.1)."""

    uuid: UUID
    major: int
    minor: int = 0

    def __str__(self) -> str:
        return f"{self.uuid} v{self.major}.{self.minor}"


Parameter = tuple[str, Type]


class Operation:
    """One remote procedure. It returns an unsigned long; `outs` are the [out] parameters before that. An interface gives it its
    number, so that one operation may stand in several."""

    __slots__ = ("ins", "name", "outs", "purpose", "reply", "request", "zero")

    def __init__(self, name: str, ins: Sequence[Parameter], outs: Sequence[Parameter], purpose: str) -> None:
        self.name = name
        self.ins = tuple(ins)
        self.outs = tuple(outs)
        self.purpose = purpose
        self.request = Message([type_ for _, type_ in ins])
        self.reply = Message([*(type_ for _, type_ in outs), U32])
        self.zero = tuple(type_.zero for _, type_ in outs)


class Interface:
    """Operations by number (0 and up, without a gap) under a UUID and version. The IDL begins with `preamble`."""

    __slots__ = ("name", "numbers", "operations", "preamble", "syntax")

    def __init__(self, name: str, syntax: Syntax, operations: Mapping[int, Operation], preamble: str) -> None:
        self.name = name
        self.syntax = syntax
        self.operations = tuple(operations[number] for number in range(len(operations)))
        self.numbers = {operation.name: number for number, operation in operations.items()}
        self.preamble = preamble


def idl(interface: Interface) -> str:
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
    for structure in _structures(interface):
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
    # What is only [out] is one pointer further away: the callee makes the array, so its size is a pointer's target too.
    lines = []
    for line in type_.idl(name):
        line = line.replace("size_is(", "size_is(,*").replace(" *", " **")
        lines.append(line if line.startswith("[") else line.replace("long ", "long *"))
    return lines


def _structures(interface: Interface) -> list[Structure]:
    found: dict[str, Structure] = {}
    for operation in interface.operations:
        for _, type_ in (*operation.ins, *operation.outs):
            if isinstance(type_, Records):
                found[type_.structure.name] = type_.structure
    return list(found.values())
