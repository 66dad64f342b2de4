"""The three calls of the Netlogon interface by which a member has logons judged (MS-NRPC 3.5.4): stubs of the client's side.

It reads bytes and gives values. `trust.ntlm.netlogon` computes the secrets in them; `services.netlogon.client` owns the
connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from postern.model.directory import NtlmLogon
from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.interfaces.validation import LogonInformation, read_validation
from postern.protocols.dcerpc.interfaces.windows_types import put_counted, put_counted_units, put_wide
from postern.protocols.dcerpc.ndr import NdrError, Reader, Writer

NETLOGON = Syntax(UUID("12345678-1234-abcd-ef00-01234567cffb"), 1)
REQUEST_CHALLENGE, AUTHENTICATE, LOGON = 4, 26, 39
WORKSTATION_CHANNEL = 2
"""The NETLOGON_SECURE_CHANNEL_TYPE (MS-NRPC 2.2.1.3.13) of every member server."""
MAX_ANSWER = 32_768
"""Bytes of an NTLM answer that are passed on; a STRING could carry 65,535."""
_NETWORK, _SAM_INFO_2 = 2, 3
_ALLOW_SERVERS, _ALLOW_MEMBERS = 0x20, 0x800
"""Bits of ParameterControl (MS-NRPC 2.2.1.4.15): without them a machine account cannot log on."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The answer of NetrServerAuthenticate3; `status` is an NTSTATUS."""

    credential: bytes
    flags: int
    status: int


@dataclass(frozen=True, slots=True)
class LogonAnswer:
    """The answer of NetrLogonSamLogonEx; `information` is None where `status` (an NTSTATUS) is not 0."""

    status: int
    information: LogonInformation | None = None


def challenge_request(server: str, computer: str, challenge: bytes) -> bytes:
    """Writes the request of NetrServerReqChallenge (MS-NRPC 3.5.4.4.1)."""
    out = Writer()
    put_wide(out, server, unique=True)
    put_wide(out, computer)
    out.raw(challenge)
    return bytes(out.data)


def read_challenge(stub: bytes | memoryview) -> tuple[bytes, int]:
    """Reads the server's challenge and the NTSTATUS. Raises NdrError."""
    data = Reader(stub)
    return data.take(8), data.u32()


def authenticate_request(server: str, account: str, computer: str, credential: bytes, flags: int) -> bytes:
    """Writes the request of NetrServerAuthenticate3 (MS-NRPC 3.5.4.4.2)."""
    out = Writer()
    put_wide(out, server, unique=True)
    put_wide(out, account)
    out.u16(WORKSTATION_CHANNEL)
    put_wide(out, computer)
    out.raw(credential)
    out.u32(flags)
    return bytes(out.data)


def read_authenticate(stub: bytes | memoryview) -> Authenticated:
    """Reads the answer of NetrServerAuthenticate3. Raises NdrError."""
    data = Reader(stub)
    credential, flags = data.take(8), data.u32()
    data.u32()  # the account's relative identifier
    return Authenticated(credential, flags, data.u32())


def logon_request(server: str, computer: str, logon: NtlmLogon) -> bytes:
    """Writes the request of NetrLogonSamLogonEx (MS-NRPC 3.5.4.5.1) with NETLOGON_NETWORK_INFO. Raises NdrError for answers that
    are too large."""
    names = [name.encode("utf-16-le", "surrogatepass") for name in (logon.domain, logon.user, logon.workstation)]
    answers = (logon.nt_response, logon.lm_response)
    if max(map(len, (*names, *answers))) > MAX_ANSWER or len(logon.challenge) != 8:
        raise NdrError("an NTLM answer too large to pass on")
    out = Writer()
    put_wide(out, server, unique=True)
    put_wide(out, computer, unique=True)
    out.u16(_NETWORK)
    out.u16(_NETWORK)  # the union's own copy of its discriminant
    out.align(4)
    out.u32(0x00020000)
    put_counted(out, len(names[0]), 1)
    out.u32(_ALLOW_SERVERS | _ALLOW_MEMBERS)
    out.raw(bytes(8))  # Reserved, a logon id
    put_counted(out, len(names[1]), 2)
    put_counted(out, len(names[2]), 3)
    out.raw(logon.challenge)
    for index, answer in enumerate(answers):
        put_counted(out, len(answer), 4 + index)
    for name in names:
        put_counted_units(out, name, 2)
    for answer in answers:
        put_counted_units(out, answer, 1)
    out.u16(_SAM_INFO_2)
    out.u32(0)  # ExtraFlags
    return bytes(out.data)


def read_logon(stub: bytes | memoryview) -> LogonAnswer:
    """Reads the answer of NetrLogonSamLogonEx. Raises NdrError.

    Bound: linear in the stub.
    """
    data = Reader(stub)
    level = data.u16()
    pointer = data.u32()
    if level != _SAM_INFO_2:
        raise NdrError("validation information that was not asked for")
    information = read_validation(data, ticket=False) if pointer else None
    data.take(1)  # Authoritative
    data.u32()  # ExtraFlags
    status = data.u32()
    if status == 0 and information is None:
        raise NdrError("a logon without information")
    return LogonAnswer(status, information if status == 0 else None)
