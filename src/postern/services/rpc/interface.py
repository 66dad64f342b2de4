"""Serves an interface by its declaration: each operation calls the method of the same name of an implementation.

    InterfaceService(MAILBOX_ACCESS, row, database)

`server` has checked that the caller may call. An implementation that must know its caller, or keeps context handles, is made or
chosen for each call:

    InterfaceService(AD_TOPOLOGY, row, for_call=lambda call: Topology(call.caller))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from postern.paths.row import Path
from postern.protocols.dcerpc.interface import Interface, Operation
from postern.services.rpc.call import Call, Procedure

P = TypeVar("P")


class InterfaceService(Generic[P]):
    """Serves one interface on one row (an `rpc.server.RpcService`). `for_call` may raise RpcFault, which refuses the call.

    A method may raise the exceptions that the interface's `Refusals` name, RpcFault, or ValueError for impossible arguments (a
    bad stub). Raises ValueError where `implementation` lacks a method.
    """

    def __init__(
        self,
        interface: Interface[P],
        row: Path,
        implementation: P | None = None,
        for_call: Callable[[Call], P] | None = None,
    ) -> None:
        if (implementation is None) is (for_call is None):
            raise TypeError("an implementation, or how it is made for a call")
        self.syntax = interface.syntax
        self.row = row
        lacking = [name for name in interface.numbers if for_call is None and not hasattr(implementation, name)]
        if lacking:
            raise ValueError(f"{interface.name} is not implemented: {lacking}")
        self._procedures = [_procedure(operation, implementation, for_call) for operation in interface.operations]

    def procedure(self, opnum: int) -> Procedure | None:
        return self._procedures[opnum] if opnum < len(self._procedures) else None


def _procedure(operation: Operation, implementation: Any, for_call: Callable[[Call], Any] | None) -> Procedure:
    name, decode, encode = operation.name, operation.request.decode, operation.reply.encode
    read, write = operation.read_arguments, operation.write_result
    refusals: Any = operation.refusals.exception if operation.refusals is not None else ()
    always: Any = getattr(implementation, name) if for_call is None else None

    async def run(call: Call) -> bytearray:
        method = always if for_call is None else getattr(for_call(call), name)
        arguments = read(decode(call.stub))
        try:
            result = await method(*arguments)
        except refusals as refusal:
            return encode(operation.write_refusal(refusal))
        return encode(write(result))

    return run
