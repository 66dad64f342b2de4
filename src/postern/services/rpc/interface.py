"""Serves an interface by its declaration: one handler an operation, by name. Stubs are decoded and encoded here only.

    InterfaceService(AD_TOPOLOGY, row, {"controllers": self._controllers, "failed": self._failed})

`server` has checked that the caller may call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from postern.paths.row import Path
from postern.protocols.dcerpc.interface import Interface, Operation
from postern.services.rpc.server import Caller, Procedure

Handler = Callable[..., Awaitable[Sequence[Any]]]
"""Takes the caller and the [in] parameters; gives the [out] parameters and the returned number. May raise ValueError (a bad
stub) or RpcFault."""


class InterfaceService:
    """Serves one interface on one row (an `rpc_server.RpcService`). Raises ValueError unless each operation has a handler, and
    each handler an operation."""

    def __init__(self, interface: Interface, row: Path, handlers: Mapping[str, Handler]) -> None:
        if handlers.keys() != interface.numbers.keys():
            raise ValueError(f"{interface.name}: {sorted(handlers.keys() ^ interface.numbers.keys())}")
        self.syntax = interface.syntax
        self.row = row
        self._procedures = [_procedure(operation, handlers[operation.name]) for operation in interface.operations]

    def procedure(self, opnum: int) -> Procedure | None:
        return self._procedures[opnum] if opnum < len(self._procedures) else None


def _procedure(operation: Operation, handler: Handler) -> Procedure:
    decode, encode = operation.request.decode, operation.reply.encode

    async def run(stub: bytes | memoryview, caller: Caller) -> bytearray:
        return encode(await handler(caller, *decode(stub)))

    return run
