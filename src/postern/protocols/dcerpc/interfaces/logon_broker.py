"""The interface of a host's logon broker, which judges NTLM answers for its processes over the one secure channel of the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from postern.model.directory import DirectoryUnavailable, NtlmLogon, NtlmVerdict
from postern.protocols.dcerpc.codecs import Parameter, Wide, record
from postern.protocols.dcerpc.interface import Interface, Operation, Refusals, Syntax
from postern.protocols.dcerpc.ndr import U8, U32, Array, Text
from postern.protocols.dcerpc.ndr_blobs import Blobs

_TIMEOUT = 11.0
"""Seconds that a caller waits: one more than the secure channel takes (`services.netlogon.client.PATIENCE`)."""


class LogonBroking(Protocol):
    """The calls by which the processes of a host ask its logon broker. Every method may raise DirectoryUnavailable."""

    async def judge_ntlm(self, logon: NtlmLogon) -> NtlmVerdict:
        """Has a domain controller judge an answer to an NTLM challenge of this host."""
        ...


def _write_verdict(verdict: NtlmVerdict) -> tuple[Any, ...]:
    groups = [group.encode() for group in sorted(verdict.groups)]
    return verdict.status, verdict.name, verdict.session_base_key, groups


def _read_verdict(status: int, name: str, key: bytes, groups: Sequence[bytes]) -> NtlmVerdict:
    if status == 0 and (not name or len(key) != 16):
        raise ValueError("an account without a name or a key")
    return NtlmVerdict(status, name, key, frozenset(group.decode("ascii", "replace") for group in groups))


_LOGON = record(
    NtlmLogon,
    (
        Parameter("domain", Text()),
        Parameter("user", Text()),
        Parameter("workstation", Text()),
        Parameter("challenge", Array(U8)),
        Parameter("nt_response", Array(U8)),
        Parameter("lm_response", Array(U8)),
        Parameter("address", Text()),
    ),
)
_VERDICT = Wide(
    (("status", U32), ("name", Text()), ("session_base_key", Array(U8)), ("groups", Blobs())),
    _write_verdict,
    _read_verdict,
)
_REFUSALS = Refusals(
    DirectoryUnavailable,
    write=lambda error: (1,),
    read=lambda number: DirectoryUnavailable("no domain controller judges logons"),
)

LOGON_BROKER: Interface[LogonBroking] = Interface(
    "postern_logon_broker",
    Syntax(UUID("7d8a1f04-2c6b-4b57-9a0e-5f1d3c96e28b"), 2),
    {
        0: Operation(
            LogonBroking.judge_ntlm,
            "Judges an answer to an NTLM challenge that this host gave, in turns between users, and inside a user between the\n"
            "addresses that the answers came from. The answer is 0 with the domain controller's NTSTATUS in status, and where\n"
            "that is 0 the account's sAMAccountName, SessionBaseKey and the SIDs of its groups as text; or 1 if no domain\n"
            "controller judges logons now.",
            (Parameter("logon", _LOGON),),
            _VERDICT,
            _REFUSALS,
            timeout=_TIMEOUT,
        ),
    },
    """Postern logon broker

This interface is Postern's own: the UUID was minted here.
Path of the table: ad-topology. Callers: this host's own processes, with the kernel's word over a unix socket; it is refused to
everybody else.

This file is generated from postern.protocols.dcerpc.""",
    LogonBroking,
    sizes=(1,),
)
