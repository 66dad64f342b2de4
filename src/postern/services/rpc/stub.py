"""Stubs: an interface on another server as an object of its Protocol. Each method calls the operation of its name.

    mailboxes = stub(RpcClient(MAILBOX_ACCESS, target, observed), MAILBOX_ACCESS)
    folders = await mailboxes.folders(mailbox)

`client` makes the connections; the declaration says how arguments, results and refusals travel.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Protocol, TypeVar, cast

from postern.protocols.dcerpc.interface import Interface, Operation
from postern.services.rpc.client import OlderServer, RpcClient, RpcError

P = TypeVar("P")
Method = Callable[..., Awaitable[Any]]


class Remote(Protocol):
    """A stub's connections to a server, which it can close. A stub also is an object of its interface's Protocol."""

    @property
    def rpc(self) -> RpcClient: ...

    async def close(self) -> None: ...


class Stub:
    """Calls an interface by `rpc`. A failed connection or a malformed answer raises the exception that the interface's `Refusals`
    make of it; RpcError where they make none."""

    def __init__(self, rpc: RpcClient) -> None:
        self.rpc = rpc

    async def close(self) -> None:
        await self.rpc.close()


def stub(rpc: RpcClient, interface: Interface[P]) -> P:
    """Makes a stub of `interface`, which `rpc` calls. The stub is a `Remote`, too."""
    return cast(P, _class(interface)(rpc))


@lru_cache
def _class(interface: Interface[Any]) -> type[Stub]:
    """Makes the stub's class, once for each interface, so that a call looks up nothing but a method."""
    methods: dict[str, Method] = {operation.name: _calling(operation) for operation in interface.operations}
    for name in dir(interface.protocol):
        if not name.startswith("_") and name not in methods:
            methods[name] = _lacking(interface, name)
    return type("Stub", (Stub,), methods)


def _calling(operation: Operation) -> Method:
    name, count, timeout, alone = operation.name, operation.count, operation.timeout, operation.alone
    refusals = operation.refusals
    write, read = operation.write_arguments, operation.read_result
    lost, lacking = (refusals.lost, refusals.lacking) if refusals is not None else (None, None)
    seconds = timeout if callable(timeout) else None

    async def call(self: Stub, *arguments: Any, **named: Any) -> Any:
        values = operation.bind(arguments, named) if named or len(arguments) != count else arguments
        patience: Any = timeout if seconds is None else seconds(*values)
        try:
            if alone:
                outs = await self.rpc.call_alone(name, write(values), patience)
            else:
                outs = await self.rpc.call(name, write(values), patience)
        except OlderServer as error:
            if lacking is None:
                raise
            raise lacking(str(error)) from error
        except RpcError as error:
            if lost is None:
                raise
            raise lost(str(error)) from error
        try:
            return read(outs, values)
        except ValueError as error:  # a server that answers nonsense counts as one that does not answer
            text = f"a broken answer: {error}"
            raise (lost(text) if lost is not None else RpcError(text)) from error

    call.__name__ = name
    return call


def _lacking(interface: Interface[Any], name: str) -> Method:
    """Makes a method for one of the Protocol's that is no operation of this interface."""
    refusals = interface.refusals
    lacking = refusals.lacking if refusals is not None else None

    async def call(self: Stub, *arguments: Any, **named: Any) -> Any:
        text = f"{interface.name} has no operation {name}"
        raise lacking(text) if lacking is not None else RpcError(text, executed=False)

    call.__name__ = name
    return call
