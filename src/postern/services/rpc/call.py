"""One remote procedure call as the procedure sees it: its parameters, who calls, and what the server keeps for him."""

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
    """The authenticated caller: `row` is the path that this call is on (None for what anyone may ask)."""

    identity: Identity
    peer: Peer
    local: Peer
    row: Path | None
    seal: Seal | None


@dataclass(slots=True)
class Call:
    """A call. `stub` are its parameters; `group` is the association group of its connection, which keeps context handles.

    A context handle is a caller's own: on a connection of the same group with another proof it is not known.
    """

    stub: bytes | memoryview
    caller: Caller
    group: Group
    object: UUID | None = None
    """What on the server the call is about, where that is not the only one: a database of several."""

    def open(self, value: Any, rundown: Callable[[], None] = lambda: None) -> UUID:
        """A new context handle for `value`. `rundown` is called when the last connection of the group ends before `close`.
        Raises RpcFault where the group has groups.MAX_HANDLES of them."""
        handle = uuid4()
        if not self.group.open(handle, Context(value, self.caller.identity.name, rundown)):
            raise RpcFault(Status.NO_MEMORY)
        return handle

    def context(self, handle: UUID, kind: type[T]) -> T:
        """What a context handle stands for. Raises RpcFault (nca_s_fault_context_mismatch) for one that is not known here, or
        stands for something else."""
        context = self.group.find(handle, self.caller.identity.name)
        if context is None or not isinstance(context.value, kind):
            raise RpcFault(Status.CONTEXT_MISMATCH)
        return context.value

    def close(self, handle: UUID) -> UUID:
        """Forgets a context handle without running it down. Gives the nil UUID, which is what the caller gets for it. Raises
        RpcFault."""
        self.context(handle, object)
        self.group.close(handle)
        return UUID(int=0)


Procedure = Callable[[Call], Awaitable[bytes | bytearray]]
