"""A declared interface is served by an object with its operations' methods, and by nothing less.

covers: stub
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol
from uuid import UUID

import pytest

from postern.model import security
from postern.model.security import Peer
from postern.protocols.dcerpc.codecs import WORDS, Codec, Parameter, Wide
from postern.protocols.dcerpc.groups import Group
from postern.protocols.dcerpc.interface import Interface, Operation, Refusals, Syntax
from postern.protocols.dcerpc.ndr import U32, Text
from postern.services.rpc.call import Call, Caller
from postern.services.rpc.client import RpcError
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.stub import Stub, stub
from tests.services.rpc_parts import ROWS

ROW = ROWS["ad-topology"]
GROUP = Group(1)
NOBODY = Caller(security.NOBODY, Peer("local", 0), Peer("local", 0), ROW, None)


class TooMuch(Exception):
    """A refusal."""


class Sums(Protocol):
    async def add(self, numbers: list[int], more: int = 1, name: str = "sum") -> str: ...
    async def even(self, number: int) -> bool: ...
    async def newer(self) -> None: ...


REFUSALS = Refusals(
    TooMuch,
    lambda error: (str(error), 9),
    lambda text, number: TooMuch(f"{number} {text}"),
    (("text", Text()),),
    lost=lambda text: TooMuch(f"lost: {text}"),
    lacking=lambda text: TooMuch(text),
)
SUMS: Interface[Sums] = Interface(
    "sums",
    Syntax(UUID(int=5), 1),
    {
        # Another order on the wire than in Python.
        0: Operation(
            Sums.add,
            "Adds.",
            (Parameter("name", Text()), Parameter("list", WORDS, "numbers"), Parameter("more", U32)),
            Parameter("total", Codec(Text(), None, None)),
            REFUSALS,
            finish=lambda total, numbers, more, name: f"{name} of {len(numbers)}: {total}",
        ),
        1: Operation(
            Sums.even,
            "Says it by the number that it returns.",
            (Parameter("number", U32),),
            Wide((), lambda even: (0 if even else 1,), lambda number: number == 0, numbered=True),
            REFUSALS,
        ),
    },
    "Sums",
    Sums,
    sizes=(2,),
)


class Adder:
    async def add(self, numbers: list[int], more: int = 1, name: str = "sum") -> str:
        if more > 9:
            raise TooMuch("more than nine")
        return str(sum(numbers) + more)

    async def even(self, number: int) -> bool:
        return number % 2 == 0

    async def newer(self) -> None: ...


class Near:
    """An RpcClient of a service in this process: parameters and answers go through their wire form."""

    def __init__(self, service: InterfaceService[Sums]) -> None:
        self.service = service
        self.broken = b""
        self.up = True

    async def call(self, name: str, values: Any, timeout: float | None = None) -> list[Any]:
        if not self.up:
            raise RpcError("no connection")
        number = SUMS.numbers[name]
        procedure = self.service.procedure(number)
        assert procedure is not None
        request = bytes(SUMS.operations[number].request.encode(values))
        reply = self.broken or await procedure(Call(request, NOBODY, GROUP))
        return SUMS.operations[number].reply.decode(reply)


def near() -> tuple[Near, Sums]:
    rpc = Near(InterfaceService(SUMS, ROW, Adder()))
    return rpc, stub(rpc, SUMS)  # type: ignore[arg-type]  # it has what is asked


def test_a_stub_calls_as_the_protocol_says() -> None:
    async def run() -> None:
        _, sums = near()
        assert await sums.add([1, 2]) == "sum of 2: 4"
        assert await sums.add([1], 5, name="all") == "all of 1: 6"
        assert await sums.add(numbers=[], name="x", more=2) == "x of 0: 2"
        assert [await sums.even(n) for n in (2, 3)] == [True, False]

    asyncio.run(run())


def test_arguments_are_counted_as_in_python() -> None:
    async def run() -> None:
        sums: Any = near()[1]
        for arguments, named in (((), {}), (([], 1, "a", 2), {}), (([],), {"less": 1}), (([],), {"numbers": []})):
            with pytest.raises(TypeError):
                await sums.add(*arguments, **named)

    asyncio.run(run())


def test_refusals_travel_with_their_text() -> None:
    async def run() -> None:
        rpc, sums = near()
        with pytest.raises(TooMuch, match="9 more than nine"):
            await sums.add([], 10)
        with pytest.raises(TooMuch, match="sums has no operation newer"):
            await sums.newer()
        rpc.broken = bytes(SUMS.operations[0].reply.encode(("a", "text", 3)))
        with pytest.raises(TooMuch, match="3 text"):
            await sums.add([])
        rpc.up = False
        with pytest.raises(TooMuch, match="lost: no connection"):
            await sums.add([])

    asyncio.run(run())


def test_the_class_of_a_stub_is_made_once() -> None:
    assert type(near()[1]) is type(near()[1])
    assert isinstance(near()[1], Stub)


def test_a_missing_method_is_found_at_once() -> None:
    class Half:
        async def even(self, number: int) -> bool: ...

    with pytest.raises(ValueError, match="add"):
        InterfaceService(SUMS, ROW, Half())  # type: ignore[arg-type]  # what is tested
    with pytest.raises(TypeError):
        InterfaceService(SUMS, ROW)


def test_an_implementation_may_be_chosen_for_a_call() -> None:
    calls = []

    def chosen(call: Call) -> Sums:
        calls.append(call)
        return Adder()

    service = InterfaceService(SUMS, ROW, for_call=chosen)
    assert (service.syntax, service.row) == (SUMS.syntax, ROW)
    procedure = service.procedure(1)
    assert procedure is not None
    call = Call(bytes(4), NOBODY, GROUP)
    asyncio.run(procedure(call))
    assert calls == [call]
    assert service.procedure(2) is None


def test_declarations_that_contradict_the_protocol() -> None:
    with pytest.raises(ValueError, match="even takes"):
        Operation(Sums.even, "", (Parameter("numbers", U32),))
    stranger = Operation(Sums.even, "", (Parameter("number", U32),))
    with pytest.raises(ValueError, match="refused as no other"):
        Interface("x", SUMS.syntax, {0: SUMS.operations[0], 1: stranger}, "", Sums, (2,))
    with pytest.raises(ValueError, match="2 operations"):
        Interface("x", SUMS.syntax, dict(enumerate(SUMS.operations)), "", Sums, (1,))
