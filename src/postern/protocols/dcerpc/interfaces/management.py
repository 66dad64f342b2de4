"""The remote management interface of every RPC server (C706 appendix Q): which interfaces it has, and whether it listens."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.ndr import Writer

MANAGEMENT = Syntax(UUID("afa8bd80-7d8a-11c9-bef4-08002b102989"), 1)
INQ_IF_IDS, IS_SERVER_LISTENING = 0, 2
_REFERENT = 0x00020000


def inq_if_ids_reply(syntaxes: Sequence[Syntax]) -> bytes:
    """Answers rpc_mgmt_inq_if_ids: a pointer to a vector of pointers to interface ids, then status 0."""
    out = Writer()
    out.u32(_REFERENT)
    out.u32(len(syntaxes))
    out.u32(len(syntaxes))
    for i in range(len(syntaxes)):
        out.u32(_REFERENT + 4 * (i + 1))
    for syntax in syntaxes:
        out.align(4)
        out.raw(syntax.uuid.bytes_le)
        out.u16(syntax.major)
        out.u16(syntax.minor)
    out.u32(0)
    return bytes(out.data)


def is_server_listening_reply() -> bytes:
    """Answers rpc_mgmt_is_server_listening: status 0 and the boolean TRUE."""
    out = Writer()
    out.u32(0)
    out.u32(1)
    return bytes(out.data)
