"""Netlogon's stubs against impacket's declarations of them, and a validation that impacket wrote.

covers: validation, windows_types
"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impacket.dcerpc.v5 import nrpc
from impacket.dcerpc.v5.dtypes import RPC_SID

from postern.model.directory import NtlmLogon
from postern.protocols.dcerpc.interfaces import netlogon
from postern.protocols.dcerpc.interfaces.validation import LogonInformation, read_validation
from postern.protocols.dcerpc.interfaces.windows_types import take_sid
from postern.protocols.dcerpc.ndr import NdrError, Reader

LOGON = NtlmLogon("CORP", "alice", "WS1", b"challeng", b"n" * 211, bytes(24))
DOMAIN = "S-1-5-21-1004336348-1177238915-682003330"
ENABLED, DENIED = 7, 0x10


def test_the_challenge_s_request() -> None:
    told = nrpc.NetrServerReqChallenge(netlogon.challenge_request("\\\\dc1.corp.test", "HUB1", b"12345678"))
    assert told["PrimaryName"] == "\\\\dc1.corp.test\0" and told["ComputerName"] == "HUB1\0"
    assert bytes(told["ClientChallenge"]) == b"12345678"


def test_the_authentication_s_request() -> None:
    stub = netlogon.authenticate_request("\\\\dc1", "HUB1$", "HUB1", b"credenti", 0x612FFFFF)
    told = nrpc.NetrServerAuthenticate3(stub)
    assert (told["AccountName"], told["ComputerName"]) == ("HUB1$\0", "HUB1\0")
    assert told["SecureChannelType"] == nrpc.NETLOGON_SECURE_CHANNEL_TYPE.WorkstationSecureChannel
    assert bytes(told["ClientCredential"]) == b"credenti" and told["NegotiateFlags"] == 0x612FFFFF


def test_the_authentication_s_answer() -> None:
    answer = nrpc.NetrServerAuthenticate3Response()
    answer["ServerCredential"] = b"theirown"
    answer["NegotiateFlags"], answer["AccountRid"], answer["ErrorCode"] = 0x612FFFFF, 1105, 0xC0000022
    read = netlogon.read_authenticate(answer.getData())
    assert (read.credential, read.flags, read.status) == (b"theirown", 0x612FFFFF, 0xC0000022)


@pytest.mark.parametrize("user", ["alice", "", "홍길동", "a" * 300])
def test_the_logon_s_request(user: str) -> None:
    logon = NtlmLogon("CORP", user, "WS", b"challeng", b"n" * 211, b"l" * 24)
    told = nrpc.NetrLogonSamLogonEx(netlogon.logon_request("\\\\dc1", "HUB1", logon))
    assert told["LogonLevel"] == 2 and told["ValidationLevel"] == 3
    network = told["LogonInformation"]["LogonNetwork"]
    assert network["Identity"]["UserName"] == user and network["Identity"]["LogonDomainName"] == "CORP"
    assert network["Identity"]["Workstation"] == "WS"
    assert network["Identity"]["ParameterControl"] == 0x820  # machine accounts may log on too
    assert network["LmChallenge"] == b"challeng"
    assert network["NtChallengeResponse"] == "n" * 211
    assert network["LmChallengeResponse"] == "l" * 24


@pytest.mark.parametrize(
    "logon",
    [
        NtlmLogon("CORP", "alice", "", b"short", b"n" * 50, b""),
        NtlmLogon("CORP", "alice", "", b"challeng", b"n" * 40_000, b""),
        NtlmLogon("CORP", "a" * 40_000, "", b"challeng", b"n" * 50, b""),
    ],
)
def test_what_cannot_be_passed_on(logon: NtlmLogon) -> None:
    with pytest.raises(NdrError):
        netlogon.logon_request("\\\\dc1", "HUB1", logon)


def sid(text: str) -> RPC_SID:
    made = RPC_SID()
    made.fromCanonical(text)
    return made


def validation(name: str = "alice", groups: int = ENABLED, extra: int = ENABLED) -> nrpc.NetrLogonSamLogonExResponse:
    answer = nrpc.NetrLogonSamLogonExResponse()
    answer["ValidationInformation"]["tag"] = 3
    told = answer["ValidationInformation"]["ValidationSam2"]
    for field in ("FullName", "LogonScript", "ProfilePath", "HomeDirectory", "HomeDirectoryDrive"):
        told[field] = "앨리스" if field == "FullName" else ""
    told["EffectiveName"], told["LogonServer"], told["LogonDomainName"] = name, "DC1", "CORP"
    told["UserId"], told["PrimaryGroupId"], told["UserFlags"] = 1105, 513, 0x20
    told["GroupCount"] = 1
    member = nrpc.GROUP_MEMBERSHIP()
    member["RelativeId"], member["Attributes"] = 1109, groups
    told["GroupIds"].append(member)
    told["UserSessionKey"] = b"sixteen  octets!"
    told["LogonDomainId"] = sid(DOMAIN)
    told["ExpansionRoom"] = bytes(40)
    told["SidCount"] = 1
    outside = nrpc.NETLOGON_SID_AND_ATTRIBUTES()
    outside["Sid"], outside["Attributes"] = sid("S-1-5-21-9-8-7-600"), extra
    told["ExtraSids"].append(outside)
    answer["Authoritative"], answer["ExtraFlags"], answer["ErrorCode"] = 1, 0, 0
    return answer


def read(stub: bytes) -> LogonInformation:
    answer = netlogon.read_logon(stub)
    assert answer.information is not None
    return answer.information


def test_a_validation() -> None:
    told = read(validation().getData())
    assert (told.name, told.domain, told.sid, told.flags) == ("alice", "CORP", f"{DOMAIN}-1105", 0x20)
    assert told.groups == {f"{DOMAIN}-513", f"{DOMAIN}-1109", "S-1-5-21-9-8-7-600"}
    assert told.session_key == b"sixteen  octets!" and b"sixteen" not in repr(told).encode()


def test_groups_that_only_deny_or_are_off_are_none() -> None:
    told = read(validation(groups=ENABLED | DENIED, extra=3).getData())
    assert told.groups == {f"{DOMAIN}-513"}


def test_a_refusal_has_no_information() -> None:
    stub = struct.pack("<HxxIBxxxII", 3, 0, 1, 0, 0xC000006A)
    assert netlogon.read_logon(stub) == netlogon.LogonAnswer(0xC000006A)


@pytest.mark.parametrize(
    "stub",
    [
        struct.pack("<HxxIBxxxII", 3, 0, 1, 0, 0),  # success that says nothing
        struct.pack("<HxxIBxxxII", 2, 0, 1, 0, 0xC000006A),  # another level
        b"",
    ],
)
def test_an_answer_that_is_none(stub: bytes) -> None:
    with pytest.raises(NdrError):
        netlogon.read_logon(stub)


def test_an_answer_cut_off_anywhere() -> None:
    whole = validation().getData()
    for end in range(len(whole)):
        with pytest.raises(NdrError):
            netlogon.read_logon(whole[:end])


@given(st.integers(0, 500), st.integers(0, 255))
def test_a_changed_octet_is_an_error_or_other_values(at: int, octet: int) -> None:
    whole = bytearray(validation().getData())
    whole[at % len(whole)] = octet
    try:
        netlogon.read_logon(bytes(whole))
    except NdrError:
        pass


@given(st.binary(max_size=600), st.booleans())
def test_garbage(data: bytes, ticket: bool) -> None:
    try:
        read_validation(Reader(data), ticket)
    except NdrError:
        pass


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<IBB6s", 1, 2, 1, b"\0\0\0\0\0\5") + bytes(4),  # revision 2
        struct.pack("<IBB6s", 2, 1, 1, b"\0\0\0\0\0\5") + bytes(8),  # counts that differ
        struct.pack("<IBB6s", 16, 1, 16, b"\0\0\0\0\0\5") + bytes(64),  # too many
        struct.pack("<IBB6s", 1, 1, 1, b"\0\0\0\0\0\5"),  # cut off
    ],
)
def test_a_security_identifier_that_is_none(data: bytes) -> None:
    with pytest.raises(NdrError):
        take_sid(Reader(data))
