"""One remote procedure call as the procedure sees it: its parameters, its caller, and the caller's context handles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID, uuid4

from postern.model.security import Identity, Peer, Seal
from postern.paths.row import Path
from postern.protocols.dcerpc.groups import Context, Group
from postern.protocols.dcerpc.pdu import Status

T = TypeVar("T")


class RpcFault(Exception):
    """A procedure's refusal, as a fault's status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"RPC fault {status:#x}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated caller. `row` is the path that this call is on; None: the interface is open to anyone."""

    identity: Identity
    peer: Peer
    local: Peer
    row: Path | None
    seal: Seal | None


@dataclass(slots=True)
class Call:
    """A call. `stub` has its parameters; `group` is the association group of its connection, which keeps context handles.

    A context handle belongs to the caller that opened it. Another caller on a connection of the same group cannot use it.
    """

    stub: bytes | memoryview
    caller: Caller
    group: Group
    object: UUID | None = None
    """The object on the server that the call is about, where the server has several: a database, for example."""
    minor: int = 0
    """The minor version of the interface that the client bound. An older client may not know values that a newer one does."""

    def open(self, value: Any, rundown: Callable[[], None] = lambda: None) -> UUID:
        """Makes a context handle for `value`. `rundown` is called when the last connection of the group ends before `close`.
        Raises RpcFault where the group has groups.MAX_HANDLES of them."""
        handle = uuid4()
        if not self.group.open(handle, Context(value, self.caller.identity.name, rundown)):
            raise RpcFault(Status.NO_MEMORY)
        return handle

    def context(self, handle: UUID, kind: type[T]) -> T:
        """Returns the value that a context handle stands for. Raises RpcFault (nca_s_fault_context_mismatch) for a handle that is
        not known here, or whose value is not of this kind."""
        context = self.group.find(handle, self.caller.identity.name)
        if context is None or not isinstance(context.value, kind):
            raise RpcFault(Status.CONTEXT_MISMATCH)
        return context.value

    def close(self, handle: UUID) -> UUID:
        """Forgets a context handle without running it down. Returns the nil UUID, which goes back to the caller in its place.
        Raises RpcFault."""
        self.context(handle, object)
        self.group.close(handle)
        return UUID(int=0)


Procedure = Callable[[Call], Awaitable[bytes | bytearray]]
