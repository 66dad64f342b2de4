"""The interface of rus-rpc: a command or another mailbox server asks an attendant to update recipients now, or if it works."""

from __future__ import annotations

from uuid import UUID

from postern.protocols.dcerpc.interface import Interface, Operation, Syntax
from postern.protocols.dcerpc.ndr import U32, Text

DONE, RESTS, UNAVAILABLE = 0, 1, 2
"""What `update` returns: done; this attendant rests, ask the server before it; Active Directory does not answer."""

RECIPIENT_UPDATE = Interface(
    "postern_recipient_update",
    Syntax(UUID("7d0a1c3e-9b52-4f6d-8a47-c1e05f2b9d36"), 1),
    {
        0: Operation(
            "update",
            (("recipients", Text()),),
            (("seen", U32), ("changed", U32), ("failed", Text())),
            "Gives recipients the addresses of their policies and the address lists they are in: those of these addresses or\n"
            "names, one a line, or all for an empty string. `failed` are names, one a line, of whom could not be changed.\n"
            "Returns 0 when it is done, 1 if another server's attendant works, 2 if Active Directory does not answer.",
        ),
        1: Operation(
            "standing",
            (),
            (("works", U32), ("seen", U32), ("changed", U32)),
            "Whether this attendant works (1) or rests (0) because that of a server before it answers, and what it did since\n"
            "it started.",
        ),
    },
    """Postern recipient update

This interface is Postern's own: Exchange's counterpart has no public specification, so the UUID was minted here.
Path of the table: rus-rpc. Callers: mailbox servers of the organization, proven by Kerberos alone, under packet privacy
(RPC_C_AUTHN_LEVEL_PKT_PRIVACY) over ncacn_ip_tcp.

This file is generated from postern.protocols.dcerpc.""",
)
