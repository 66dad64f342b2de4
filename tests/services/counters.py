"""An interface for tests whose calls share state: a counter that lives as a context handle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from postern.paths.row import Path
from postern.protocols.dcerpc.codecs import Parameter
from postern.protocols.dcerpc.interface import Interface, Operation, Syntax
from postern.protocols.dcerpc.ndr import CONTEXT_HANDLE, U32
from postern.services.rpc.call import Call
from postern.services.rpc.interface import InterfaceService


class Counters(Protocol):
    async def open(self, start: int) -> UUID: ...
    async def add(self, counter: UUID, number: int) -> int: ...
    async def close(self, counter: UUID) -> UUID: ...


_COUNTER = Parameter("counter", CONTEXT_HANDLE)
COUNTERS: Interface[Counters] = Interface(
    "postern_test_counters",
    Syntax(UUID("0d7a52a6-58a5-4c0b-9d53-6a1c4c3c7f10"), 1),
    {
        0: Operation(Counters.open, "A new counter.", (Parameter("start", U32),), _COUNTER),
        1: Operation(Counters.add, "Adds.", (_COUNTER, Parameter("number", U32)), Parameter("sum", U32)),
        2: Operation(Counters.close, "Ends a counter.", (_COUNTER,), _COUNTER),
    },
    "An interface of Postern's tests",
    Counters,
    sizes=(3,),
)


@dataclass
class Counter:
    value: int


class CountersService(InterfaceService[Counters]):
    """COUNTERS on `row`. `run_down` are the values of counters that nobody closed, `objects` what the calls were about."""

    def __init__(self, row: Path) -> None:
        self.run_down: list[int] = []
        self.objects: list[UUID | None] = []
        super().__init__(COUNTERS, row, for_call=self._counting)

    def _counting(self, call: Call) -> Counters:
        self.objects.append(call.object)
        return _Counting(call, self.run_down)


class _Counting:
    def __init__(self, call: Call, run_down: list[int]) -> None:
        self._call = call
        self._run_down = run_down

    async def open(self, start: int) -> UUID:
        counter = Counter(start)
        return self._call.open(counter, lambda: self._run_down.append(counter.value))

    async def add(self, counter: UUID, number: int) -> int:
        known = self._call.context(counter, Counter)
        known.value += number
        return known.value

    async def close(self, counter: UUID) -> UUID:
        return self._call.close(counter)
