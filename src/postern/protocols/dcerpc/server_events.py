"""The events of the server's machine."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.protection import Association


@dataclass(frozen=True, slots=True)
class AuthStep:
    """A token of the handshake `association`; the service answers with `auth_reply` or `auth_refused`. `first` is true where
    a handshake begins."""

    association: Association
    token: bytes
    first: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A whole call. `association` is None for one that is neither signed nor preceded by a CONNECT-level handshake. `syntax` is
    the interface that is served; `minor` is the minor version that the client bound, which may be older."""

    call_id: int
    context: int
    syntax: Syntax
    opnum: int
    stub: bytes | memoryview
    association: Association | None
    minor: int
    object: UUID | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """The client no longer wants the answer (co_cancel), or has gone on (orphaned: it expects none)."""

    call_id: int
    orphaned: bool


@dataclass(frozen=True, slots=True)
class Closing:
    """The peer broke the protocol: the service sends what is outgoing, then closes."""

    reason: str


@dataclass(frozen=True, slots=True)
class PdusHandled:
    """The machine has dealt with PDUs by itself, and there may be more of them: other connections may have their turn first."""


Event = AuthStep | Request | Cancel | PdusHandled | Closing
