"""The interface of a host's logon broker: its processes have NTLM answers judged over the one secure channel of the host."""

from __future__ import annotations

from uuid import UUID

from postern.protocols.dcerpc.interface import Interface, Operation, Syntax
from postern.protocols.dcerpc.ndr import U8, U32, Array, Blobs, Text

JUDGED, UNAVAILABLE = 0, 1

LOGON_BROKER = Interface(
    "postern_logon_broker",
    Syntax(UUID("7d8a1f04-2c6b-4b57-9a0e-5f1d3c96e28b"), 2),
    {
        0: Operation(
            "judge_ntlm",
            (
                ("domain", Text()),
                ("user", Text()),
                ("workstation", Text()),
                ("challenge", Array(U8)),
                ("nt_response", Array(U8)),
                ("lm_response", Array(U8)),
                ("address", Text()),
            ),
            (("status", U32), ("name", Text()), ("session_base_key", Array(U8)), ("groups", Blobs())),
            "Judges an answer to an NTLM challenge that this host gave, in turns between users, and inside a user between the\n"
            "addresses that the answers came from. The answer is 0 with the domain controller's NTSTATUS in status, and where\n"
            "that is 0 the account's sAMAccountName, SessionBaseKey and the SIDs of its groups as text; or 1 if no domain\n"
            "controller judges logons now.",
        ),
    },
    """Postern logon broker

This interface is Postern's own: the UUID was minted here.
Path of the table: ad-topology. Callers: this host's own processes, with the kernel's word over a unix socket; it is refused to
everybody else.

This file is generated from postern.protocols.dcerpc.""",
)
